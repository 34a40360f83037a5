//! Jobs: a function that core 0 gives to one of cores 1 to 3, which runs it with interrupts let in,
//! as a kernel thread.
//!
//! `soak` on core 2:
//!
//! 1. Core 0 [gives](give) core 2 the function: `next` is set, `given` becomes 1, and an IPI ends
//!    core 2's `wfi`.
//! 2. Core 2 takes `next` and calls the function, which asks [`may_go_on`] in its loop.
//! 3. Core 0 [asks](ask_to_end) it to end. The function returns; `done` becomes 1, and core 2
//!    [is busy](is_busy) no longer.
//!
//! # Decisions
//! The flag that ends a job is its core's, and is cleared only when that core gets its next job,
//! which it does not while it is busy. With one flag for all cores, a job that was asked to end and
//! did not would take the flag of the next command for its own.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::idle::idle_unless;
use super::ipi;
use super::per_core;
use crate::arch::cpu;
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::board::raspi3::CORES;

/// Why a core has not begun a job, or does not end it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum JobError {
    /// There is no such core, it does not run, or it is core 0.
    Offline { core: usize },
    /// It has a job already.
    Working { core: usize },
    /// It was asked to end its job, and goes on.
    Endless { core: usize },
}

/// As [`Display`](fmt::Display) has it: less of the image than a derive takes.
impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline { core } => write!(f, "core {core} does not run"),
            Self::Working { core } => write!(f, "core {core} has a job already"),
            Self::Endless { core } => write!(f, "core {core} does not end its job"),
        }
    }
}

impl core::error::Error for JobError {}

/// A function and its argument.
#[derive(Clone, Copy, Debug)]
struct Job {
    function: fn(usize),
    argument: usize,
}

/// A core's job, in cache lines of its own.
#[repr(align(64))]
struct CoreJob {
    /// The job that it has not taken yet.
    next: Lock<Option<Job>, lock_classes::Job>,
    /// Jobs that it was given, and jobs that it has done.
    given: AtomicUsize,
    done: AtomicUsize,
    /// Whether its job is to end.
    ends: AtomicBool,
}

static JOBS: [CoreJob; CORES] = [const {
    CoreJob {
        next: Lock::new(None),
        given: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        ends: AtomicBool::new(false),
    }
}; CORES];

fn job_of(core: usize) -> &'static CoreJob {
    &JOBS[core % CORES]
}

/// Has core `core`, one of 1 to 3, call `function` with `argument` outside of interrupts.
///
/// # Errors
/// [`JobError::Offline`]; [`JobError::Working`] as long as it has another.
pub(crate) fn give(core: usize, function: fn(usize), argument: usize) -> Result<(), JobError> {
    if core == 0 || core >= CORES || !per_core::of(core).is_online() {
        return Err(JobError::Offline { core });
    }
    let job = job_of(core);
    {
        let mut next = job.next.lock();
        if is_busy(core) {
            return Err(JobError::Working { core });
        }
        *next = Some(Job { function, argument });
        job.ends.store(false, Ordering::Relaxed);
        job.given.fetch_add(1, Ordering::Relaxed);
    }
    ipi::wake(core);
    Ok(())
}

/// Whether core `core` has a job that is not done.
pub(crate) fn is_busy(core: usize) -> bool {
    let job = job_of(core);
    job.done.load(Ordering::Acquire) != job.given.load(Ordering::Relaxed)
}

/// Asks the job of core `core` to end: [`may_go_on`] returns `false` there.
pub(crate) fn ask_to_end(core: usize) {
    job_of(core).ends.store(true, Ordering::Release);
}

/// Whether the running core's job may go on: it was not asked to end.
pub(crate) fn may_go_on() -> bool {
    !job_of(cpu::number()).ends.load(Ordering::Acquire)
}

/// Runs the jobs of this core for ever, idle in between.
pub(crate) fn work() -> ! {
    let own = job_of(cpu::number());
    loop {
        let job = own.next.lock().take();
        match job {
            Some(Job { function, argument }) => {
                function(argument);
                own.done.fetch_add(1, Ordering::Release);
            }
            None => idle_unless(|| own.next.lock().is_some()),
        }
    }
}

//! What each core has for itself.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::idle_clock::{IdleClock, IdleShare};
use super::nesting::{Nesting, SecondLooks};
use crate::arch::attempt::UnderWay;
use crate::arch::lock::{Lock, assert_may_wait};
use crate::arch::{cpu, masks};
use crate::board::raspi3;
use crate::kernel::clock::now_ns;
use crate::kernel::time;
use crate::lock_class;

/// How long the idle share of the last while looks back.
const IDLE_WINDOW_NS: u64 = 1_000_000_000;

lock_class!(IdleLock = "idle clock", 45);
lock_class!(JobLock = "job", 35);

/// What a core does, with interrupts let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) routine: fn(usize),
    pub(crate) argument: usize,
}

/// A core's own data, in cache lines of its own.
#[repr(align(64))]
pub(crate) struct PerCore {
    /// The exceptions that are under way here.
    pub(crate) nesting: Nesting,
    /// The faults that were none.
    pub(crate) second_looks: SecondLooks,
    /// The call that an exception may end.
    pub(crate) attempt: UnderWay,
    /// Reports under way: more than one is a failure inside a report.
    pub(crate) reports: AtomicUsize,
    idle: Lock<IdleClock, IdleLock>,
    /// What it does next, apart from interrupts.
    job: Lock<Option<Job>, JobLock>,
    /// Jobs that it was given, and jobs that it has done.
    jobs_given: AtomicUsize,
    jobs_done: AtomicUsize,
    /// Whether its job is to end.
    job_ends: AtomicBool,
    /// Since when it has not done what it was asked, in nanoseconds; 0 if it has.
    silent_since_ns: AtomicU64,
    /// Whether it runs on the final map alone.
    online: AtomicBool,
}

impl PerCore {
    const fn new() -> Self {
        Self {
            nesting: Nesting::new(),
            second_looks: SecondLooks::new(),
            attempt: UnderWay::new(),
            reports: AtomicUsize::new(0),
            idle: Lock::new(IdleClock::new(0, IDLE_WINDOW_NS)),
            job: Lock::new(None),
            jobs_given: AtomicUsize::new(0),
            jobs_done: AtomicUsize::new(0),
            job_ends: AtomicBool::new(false),
            silent_since_ns: AtomicU64::new(0),
            online: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Acquire)
    }

    /// From here on other cores ask it for things.
    pub(crate) fn set_online(&self) {
        *self.idle.lock() = IdleClock::new(now_ns(), IDLE_WINDOW_NS);
        self.online.store(true, Ordering::Release);
    }

    /// It was asked something at `asked_ns`, and did not do it in time.
    pub(crate) fn set_silent(&self, asked_ns: u64) {
        let since_ns = asked_ns.max(1);
        // Only the first question that it left open counts.
        let _ = self.silent_since_ns.compare_exchange(
            0,
            since_ns,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// It looks what it was asked.
    pub(crate) fn give_a_sign(&self) {
        // A store only where something changes: the line is looked at by others.
        if self.silent_since_ns.load(Ordering::Relaxed) != 0 {
            self.silent_since_ns.store(0, Ordering::Relaxed);
        }
    }

    /// How long it has left something open that it was asked, in nanoseconds.
    pub(crate) fn silent_for_ns(&self) -> Option<u64> {
        match self.silent_since_ns.load(Ordering::Relaxed) {
            0 => None,
            since_ns => Some(now_ns().saturating_sub(since_ns)),
        }
    }

    /// Gives it a job, if it has none.
    pub(crate) fn give(&self, job: Job) -> bool {
        let mut slot = self.job.lock();
        if self.is_busy() {
            return false;
        }
        *slot = Some(job);
        self.job_ends.store(false, Ordering::Relaxed);
        self.jobs_given.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Whether it has a job that is not done.
    pub(crate) fn is_busy(&self) -> bool {
        self.jobs_done.load(Ordering::Acquire) != self.jobs_given.load(Ordering::Relaxed)
    }

    /// Its job is to end.
    pub(crate) fn ask_to_end(&self) {
        self.job_ends.store(true, Ordering::Release);
    }

    pub(crate) fn is_asked_to_end(&self) -> bool {
        self.job_ends.load(Ordering::Acquire)
    }

    /// Does jobs, and nothing in between, for ever.
    pub(crate) fn work(&self) -> ! {
        loop {
            let job = self.job.lock().take();
            match job {
                Some(Job { routine, argument }) => {
                    routine(argument);
                    self.jobs_done.fetch_add(1, Ordering::Release);
                }
                None => idle_unless(|| self.job.lock().is_some()),
            }
        }
    }

    /// Which part of its time it does nothing.
    pub(crate) fn idle_share(&self) -> IdleShare {
        self.idle.lock().share(now_ns())
    }
}

static ALL: [PerCore; raspi3::CORES] = [const { PerCore::new() }; raspi3::CORES];

/// The running core's.
pub(crate) fn this() -> &'static PerCore {
    &ALL[cpu::number() % raspi3::CORES]
}

/// Core `core`'s, which is less than [`raspi3::CORES`].
pub(crate) fn of(core: usize) -> &'static PerCore {
    &ALL[core % raspi3::CORES]
}

/// The cores that left open what they were asked: a bit each.
pub(crate) fn silent() -> usize {
    let silent = |core: &usize| of(*core).silent_for_ns().is_some();
    let cores = (0..raspi3::CORES).filter(silent);
    cores.fold(0, |cores, core| cores | 1 << core)
}

/// Waits for an interrupt, unless `done`; serves it before it returns.
pub(crate) fn idle_unless(done: impl FnOnce() -> bool) {
    // Masked, so that what makes it done cannot come between the look and the wait: a pending
    // interrupt ends the wait all the same.
    assert_may_wait("an interrupt");
    let _masked = masks::mask();
    if !done() {
        let idle = &this().idle;
        idle.lock().enter(now_ns());
        time::set_again();
        cpu::wait_for_interrupt();
        idle.lock().leave(now_ns());
    }
}

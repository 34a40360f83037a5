//! The jobs that a command has begun on other cores: they end with the command.
//!
//! However a command leaves, by `?` too, its [`BegunJobs`] are dropped: they ask the
//! [jobs](crate::kernel::cores::jobs) to end and wait, and a core that goes on is named.
#![forbid(unsafe_code)]

use crate::arch::relax::relax;
use crate::arch::waited::LOOK_CYCLES;
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::console;
use crate::kernel::cores::jobs::{self, JobError};
use crate::kernel::machine::watchdog;
use crate::kernel::time::timeouts;

/// How often a core is named that is waited for.
const REPORT_NS: u64 = 1_000_000_000;

/// The jobs that were begun together. They end when this is dropped.
#[must_use]
pub(super) struct BegunJobs {
    /// Whether each core was given one.
    begun: [bool; CORES],
}

impl BegunJobs {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self {
            begun: [false; CORES],
        }
    }

    /// Lets each of cores 1 to 3 do `routine` with its number.
    ///
    /// # Errors
    /// The errors of [`BegunJobs::begin`], with nothing begun.
    pub(super) fn on_all_others(routine: fn(usize)) -> Result<Self, JobError> {
        let mut jobs = Self::new();
        for core in 1..CORES {
            jobs.begin(core, routine, core)?;
        }
        Ok(jobs)
    }

    /// Lets core `core` do `routine` with `argument`.
    ///
    /// # Errors
    /// The errors of [`jobs::give`].
    pub(super) fn begin(
        &mut self,
        core: usize,
        routine: fn(usize),
        argument: usize,
    ) -> Result<(), JobError> {
        jobs::give(core, routine, argument)?;
        if let Some(begun) = self.begun.get_mut(core) {
            *begun = true;
        }
        Ok(())
    }

    /// Asks the jobs to end, and waits until they have, or for Ctrl-C.
    ///
    /// # Errors
    /// [`JobError::Endless`], for the first core that goes on.
    pub(super) fn end(mut self) -> Result<(), JobError> {
        self.ask_and_wait()
    }

    fn ask_and_wait(&mut self) -> Result<(), JobError> {
        let begun = core::mem::take(&mut self.begun);
        let cores = || (0..CORES).filter(|core| begun.get(*core) == Some(&true));
        for core in cores() {
            jobs::ask_to_end(core);
        }
        let busy = || cores().find(|core| jobs::is_busy(*core));
        let mut waited = timeouts::wait_for(timeouts::JOB_END_NS);
        let mut next_report_ns = clock::now_ns().saturating_add(REPORT_NS);
        while let Some(core) = busy() {
            if waited.look(clock::raw_ns(), LOOK_CYCLES) > timeouts::JOB_END_NS {
                return Err(JobError::Endless { core });
            }
            watchdog::feed_if_armed();
            if console::is_interrupted() && console::take_interrupt() {
                return Err(JobError::Endless { core });
            }
            if clock::now_ns() >= next_report_ns {
                console::print(format_args!("core {core} has not ended its job yet\n"));
                next_report_ns = clock::now_ns().saturating_add(REPORT_NS);
            }
            relax();
        }
        Ok(())
    }
}

impl Drop for BegunJobs {
    fn drop(&mut self) {
        if let Err(error) = self.ask_and_wait() {
            console::print(format_args!("{error}\n"));
        }
    }
}

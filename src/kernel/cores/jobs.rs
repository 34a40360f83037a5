//! Jobs: what cores 1 to 3 do with interrupts let in, begun and ended by core 0.
//!
//! 1. Core 0 begins jobs through a [`Jobs`], which remembers the cores.
//! 2. A job's routine asks [`may_go_on`] in its loop, and returns when it says no.
//! 3. However core 0 leaves, by `?` too, the [`Jobs`] is dropped, asks the jobs to end and waits.
//!
//! # Decisions
//! The word that ends a job is its core's own, and is set anew only for a core that has no job: what
//! was asked to end, and did not, cannot take a later run's word for its own.
#![forbid(unsafe_code)]

use super::ipi::{self, CallError};
use super::patience;
use super::per_core::{self, Job};
use crate::arch::relax::relax;
use crate::arch::waited::LOOK_CYCLES;
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::console;
use crate::kernel::machine::watchdog;

/// How often a core is named that is waited for.
const REPORT_NS: u64 = 1_000_000_000;

/// The jobs that were begun together. They end when this is dropped.
#[must_use]
pub(crate) struct Jobs {
    /// Whether each core was given one.
    begun: [bool; CORES],
}

impl Jobs {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self {
            begun: [false; CORES],
        }
    }

    /// Lets each of cores 1 to 3 do `routine` with its number.
    ///
    /// # Errors
    /// Those of [`Jobs::begin`], with nothing begun.
    pub(crate) fn on_all_others(routine: fn(usize)) -> Result<Self, CallError> {
        let mut jobs = Self::new();
        for core in 1..CORES {
            jobs.begin(core, routine, core)?;
        }
        Ok(jobs)
    }

    /// Lets core `core` do `routine` with `argument`.
    ///
    /// # Errors
    /// [`CallError::Offline`]; [`CallError::Working`] as long as it has another.
    pub(crate) fn begin(
        &mut self,
        core: usize,
        routine: fn(usize),
        argument: usize,
    ) -> Result<(), CallError> {
        if core == 0 || core >= CORES || !per_core::of(core).is_online() {
            return Err(CallError::Offline { core });
        }
        if !per_core::of(core).give(Job { routine, argument }) {
            return Err(CallError::Working { core });
        }
        if let Some(begun) = self.begun.get_mut(core) {
            *begun = true;
        }
        ipi::wake(core);
        Ok(())
    }

    /// Asks the jobs to end, and waits until they have, or for Ctrl-C.
    ///
    /// # Errors
    /// [`CallError::Endless`], for the first core that goes on.
    pub(crate) fn end(mut self) -> Result<(), CallError> {
        self.ask_and_wait()
    }

    fn ask_and_wait(&mut self) -> Result<(), CallError> {
        let begun = core::mem::take(&mut self.begun);
        let cores = || (0..CORES).filter(|core| begun.get(*core) == Some(&true));
        for core in cores() {
            per_core::of(core).ask_to_end();
        }
        let busy = || cores().find(|core| per_core::of(*core).is_busy());
        let mut waited = patience::wait_for(patience::JOB_END_NS);
        let mut next_report_ns = clock::now_ns().saturating_add(REPORT_NS);
        while let Some(core) = busy() {
            if waited.look(clock::raw_ns(), LOOK_CYCLES) > patience::JOB_END_NS {
                return Err(CallError::Endless { core });
            }
            watchdog::feed_if_armed();
            if console::is_interrupted() && console::take_interrupt() {
                return Err(CallError::Endless { core });
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

impl Drop for Jobs {
    fn drop(&mut self) {
        if let Err(error) = self.ask_and_wait() {
            console::print(format_args!("{error}\n"));
        }
    }
}

/// Whether the running core's job was not yet asked to end.
pub(crate) fn may_go_on() -> bool {
    !per_core::this().is_asked_to_end()
}

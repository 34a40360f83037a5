//! The turn to report: one core at a time has it, and a core waits for it for a limited time.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::arch::cpu;
use crate::kernel::time::timeouts;
use crate::kernel::time::wait::{self, ENDING};

/// The core that reports, plus one; 0 if none does.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// The turn of this core: got, or taken from another after a long wait.
#[must_use]
pub(super) struct ReportTurn;

impl ReportTurn {
    /// Waits for this core's turn. Does not return if the machine is ending.
    pub(super) fn take() -> Self {
        let core = cpu::number();
        if !ENDING.enter(core) {
            wait::for_the_end();
        }
        let take = || OWNER.compare_exchange(0, core + 1, Ordering::AcqRel, Ordering::Relaxed);
        if !wait::until(timeouts::REPORT_TURN_NS, || take().is_ok()) {
            OWNER.store(core + 1, Ordering::Release);
        }
        Self
    }

    /// Lets the next core report.
    pub(super) fn pass_on(self) {
        Self::give_up();
    }

    /// Does so also if the turn was lost in a failure; nothing if it is not this core's.
    pub(super) fn give_up() {
        let core = cpu::number();
        // A core whose wait timed out may have taken the turn: then it is not this core's any more.
        let _ = OWNER.compare_exchange(core + 1, 0, Ordering::AcqRel, Ordering::Relaxed);
        ENDING.leave(core);
    }
}

//! Who may print a report: one core after the other, without waiting for ever.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::arch::aarch64::cpu;
use crate::arch::aarch64::relax::relax;
use crate::kernel::time;

/// As long as a core waits for others: more than four reports take at 115200 baud.
const PATIENCE_US: u64 = 3_000_000;

/// The core that reports, plus one; 0 if none does.
static OWNER: AtomicUsize = AtomicUsize::new(0);
/// A bit for each core that reports or waits to.
static CORES: AtomicUsize = AtomicUsize::new(0);

/// The right to print, or what is done after a long wait without it.
#[must_use]
pub(super) struct Turn;

impl Turn {
    /// Waits for this core's turn.
    pub(super) fn take() -> Self {
        let core = cpu::number();
        CORES.fetch_or(1 << core, Ordering::AcqRel);
        let take = || OWNER.compare_exchange(0, core + 1, Ordering::AcqRel, Ordering::Relaxed);
        wait_until(|| take().is_ok());
        Self
    }

    /// Lets the next core report.
    pub(super) fn pass_on(self) {
        let core = cpu::number();
        // Another may have lost its patience and taken over: then it is not this core's any more.
        let _ = OWNER.compare_exchange(core + 1, 0, Ordering::AcqRel, Ordering::Relaxed);
        CORES.fetch_and(!(1 << core), Ordering::AcqRel);
    }

    /// The same; returns when no core reports any more.
    pub(super) fn pass_on_and_wait(self) {
        self.pass_on();
        wait_until(|| CORES.load(Ordering::Acquire) == 0);
    }
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let start = time::now_us();
    while !done() && time::now_us().saturating_sub(start) < PATIENCE_US {
        relax();
    }
}

//! The end of the machine: one core ends it, behind the reports of all others.
//!
//! Cores 0 and 1 panic at the same time:
//!
//! 1. Each [enters](Ending::enter) the set of cores that report, and prints in turn.
//! 2. Each leaves the set and tries to [claim](Ending::claim) the end, by compare-and-exchange.
//!    Core 1 wins; core 0 waits until it is halted.
//! 3. Core 1 waits until the set is empty, [closes](Ending::close) the machine, waits until the
//!    other cores have halted, and prints the last line.
//!
//! # Decisions
//! A core enters the set first and looks for a claim afterwards; a core that claims looks at the
//! set afterwards. These four accesses are in one total order (`SeqCst`), so one of the two sees
//! the other: no report begins behind the last line.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use super::Word;

/// Sets of cores, a bit each; the ender is a core's number plus one, 0 for none.
#[derive(Debug)]
pub struct Ending<W> {
    /// Cores that report or wait for their turn to.
    reporting: W,
    /// The core that ends the machine.
    ender: W,
    /// 1 as soon as all cores but the ender are to halt.
    closed: W,
    /// Cores that have halted.
    halted: W,
}

impl<W: Word> Ending<W> {
    /// No core reports; all words are 0.
    #[must_use]
    pub const fn new(reporting: W, ender: W, closed: W, halted: W) -> Self {
        Self {
            reporting,
            ender,
            closed,
            halted,
        }
    }

    /// Enters the set of cores that report. Returns `false`, without having entered, if another
    /// core has claimed the end: `core` is to halt.
    #[must_use]
    pub fn enter(&self, core: usize) -> bool {
        self.reporting.set(1 << core);
        if matches!(self.ender.load(Ordering::SeqCst), 0) || self.is_ender(core) {
            return true;
        }
        self.leave(core);
        false
    }

    /// The report of `core` is printed: it leaves the set.
    pub fn leave(&self, core: usize) {
        self.reporting.clear(1 << core);
    }

    /// Whether any core reports or waits for its turn.
    #[must_use]
    pub fn somebody_reports(&self) -> bool {
        self.reporting.load(Ordering::Relaxed) != 0
    }

    /// Whether a core other than `core` reports or waits for its turn.
    #[must_use]
    pub fn others_report(&self, core: usize) -> bool {
        self.reporting.load(Ordering::SeqCst) & !(1 << core) != 0
    }

    /// Claims the end for `core`. Returns `false` if another core has claimed it.
    #[must_use]
    pub fn claim(&self, core: usize) -> bool {
        self.ender.exchange(0, core + 1).is_ok() || self.is_ender(core)
    }

    /// Whether `core` has claimed the end.
    #[must_use]
    pub fn is_ender(&self, core: usize) -> bool {
        self.ender.load(Ordering::SeqCst) == core + 1
    }

    /// Ender: all other cores are to halt.
    pub fn close(&self) {
        self.closed.store(1, Ordering::SeqCst);
    }

    /// Whether `core` is to halt: costs a load.
    #[inline]
    #[must_use]
    pub fn is_over(&self, core: usize) -> bool {
        self.closed.load(Ordering::Relaxed) != 0 && !self.is_ender(core)
    }

    /// Notes that `core` halts.
    pub fn halt(&self, core: usize) {
        self.halted.set(1 << core);
    }

    /// The cores of the set `cores` that have not halted.
    #[must_use]
    pub fn running(&self, cores: usize) -> usize {
        cores & !self.halted.load(Ordering::SeqCst)
    }
}

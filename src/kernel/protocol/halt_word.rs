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

    /// The report of `core` is printed: it leaves the set. The core that ends the machine waits,
    /// for a limited time, until no other is in it.
    pub fn leave(&self, core: usize) {
        self.reporting.clear(1 << core);
    }

    /// Whether any core reports or waits for its turn: every other wait lasts longer as long as it
    /// does.
    #[must_use]
    pub fn somebody_reports(&self) -> bool {
        self.reporting.load(Ordering::Relaxed) != 0
    }

    /// Whether a core other than `core` reports or waits for its turn. Asked behind
    /// [`Ending::claim`]: a report that is not seen then does not begin.
    #[must_use]
    pub fn others_report(&self, core: usize) -> bool {
        self.reporting.load(Ordering::SeqCst) & !(1 << core) != 0
    }

    /// Claims the end for `core`, for good. Returns `false` if another core has claimed it, `true`
    /// also the second time.
    #[must_use]
    pub fn claim(&self, core: usize) -> bool {
        self.ender.exchange(0, core + 1).is_ok() || self.is_ender(core)
    }

    /// Whether `core` has claimed the end.
    #[must_use]
    pub fn is_ender(&self, core: usize) -> bool {
        self.ender.load(Ordering::SeqCst) == core + 1
    }

    /// Ender: all other cores are to halt, at their next look ([`Ending::is_over`]); an IPI makes
    /// them look.
    pub fn close(&self) {
        self.closed.store(1, Ordering::SeqCst);
    }

    /// Whether `core` is to halt, which the ender never is. Costs a load as long as the machine
    /// runs, so that every round of a wait can look.
    #[inline]
    #[must_use]
    pub fn is_over(&self, core: usize) -> bool {
        self.closed.load(Ordering::Relaxed) != 0 && !self.is_ender(core)
    }

    /// Notes that `core` halts: with its exceptions masked, it stores and prints nothing behind
    /// this.
    pub fn halt(&self, core: usize) {
        self.halted.set(1 << core);
    }

    /// The cores of the set `cores`, a bit each, that have not halted: 0b1010 of 0b1110 once core 2
    /// has.
    #[must_use]
    pub fn running(&self, cores: usize) -> usize {
        cores & !self.halted.load(Ordering::SeqCst)
    }
}

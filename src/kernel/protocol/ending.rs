//! Who ends the machine, and whose reports come before that.
//!
//! 1. A core that has something to report is [admitted](Ending::admit), unless the end was claimed.
//! 2. After its report it leaves; if that was final, it [claims](Ending::claim) the end. One core
//!    does, by compare-and-exchange; the others stop.
//! 3. That core waits for those that were admitted before, [closes](Ending::close), waits for the
//!    others to stop, and says the last line.
//!
//! # Decisions
//! A core is admitted first and looks for a claim afterwards; who claims looks for the admitted
//! afterwards. All four accesses are in one order, so one of the two sees the other: no report
//! begins behind the last line.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use super::Word;

/// Cores as bits, or a core's number plus one, 0 for none.
#[derive(Debug)]
pub struct Ending<W> {
    /// Cores that report or wait to.
    reporting: W,
    /// Who ends the machine.
    ender: W,
    /// 1 as soon as everybody else is to stop.
    closed: W,
    /// Cores that have stopped.
    stopped: W,
}

impl<W: Word> Ending<W> {
    /// Nobody reports; all words are 0.
    #[must_use]
    pub const fn new(reporting: W, ender: W, closed: W, stopped: W) -> Self {
        Self {
            reporting,
            ender,
            closed,
            stopped,
        }
    }

    /// Whether `core` may report; otherwise it is to stop.
    #[must_use]
    pub fn admit(&self, core: usize) -> bool {
        self.reporting.set(1 << core);
        if matches!(self.ender.load(Ordering::SeqCst), 0) || self.is_ender(core) {
            return true;
        }
        self.leave(core);
        false
    }

    /// The report of `core` is out.
    pub fn leave(&self, core: usize) {
        self.reporting.clear(1 << core);
    }

    /// Whether a core reports or waits to.
    #[must_use]
    pub fn somebody_reports(&self) -> bool {
        self.reporting.load(Ordering::Relaxed) != 0
    }

    /// Whether a core but `core` reports or waits to.
    #[must_use]
    pub fn others_report(&self, core: usize) -> bool {
        self.reporting.load(Ordering::SeqCst) & !(1 << core) != 0
    }

    /// Whether `core` ends the machine, from now on or already; otherwise another does.
    #[must_use]
    pub fn claim(&self, core: usize) -> bool {
        self.ender.exchange(0, core + 1).is_ok() || self.is_ender(core)
    }

    /// Whether `core` has claimed the end.
    #[must_use]
    pub fn is_ender(&self, core: usize) -> bool {
        self.ender.load(Ordering::SeqCst) == core + 1
    }

    /// Who has claimed: everybody else is to stop.
    pub fn close(&self) {
        self.closed.store(1, Ordering::SeqCst);
    }

    /// Whether `core` is to stop: costs a load.
    #[inline]
    #[must_use]
    pub fn is_over(&self, core: usize) -> bool {
        self.closed.load(Ordering::Relaxed) != 0 && !self.is_ender(core)
    }

    /// `core` does nothing any more.
    pub fn stop(&self, core: usize) {
        self.stopped.set(1 << core);
    }

    /// Those of `cores` that have not stopped.
    #[must_use]
    pub fn running(&self, cores: usize) -> usize {
        cores & !self.stopped.load(Ordering::SeqCst)
    }
}

//! A block: at least [`LEAST`] random instructions, whichever branches are taken, and the SVC that
//! ends it.
//!
//! An *item* is an instruction with what it needs in front of it: a base register inside of the
//! window, an address to branch to. Branches lead over whole items, so that no access is reached
//! without its base.

use super::code::Code;
use super::encode;
use super::layout::Level;
use super::numbers::Random;
use super::settings::Settings;
use super::state::END_OF_BLOCK;

/// The number of instructions that a block executes at the least.
pub(crate) const LEAST: usize = 40;

/// Writes blocks one behind the other.
pub(crate) struct Writer {
    /// Where all choices come from.
    pub(crate) random: Random,
    /// The blocks so far.
    pub(crate) code: Code,
    /// The exception level at which blocks begin.
    pub(crate) level: Level,
    /// Whether EL1 lets EL0 mask interrupts, among others.
    pub(crate) el0_may: bool,
    /// The number of words that branches lead over.
    skipped: usize,
}

impl Writer {
    /// No blocks yet; the first will be at `address`.
    pub(crate) fn new(random: Random, address: u64, settings: Settings) -> Self {
        Self {
            random,
            code: Code::at(address),
            level: settings.level,
            el0_may: settings.el0_may,
            skipped: 0,
        }
    }

    /// Writes a block; returns its address.
    pub(crate) fn block(&mut self) -> u64 {
        let (address, first) = (self.code.here(), self.code.len());
        self.skipped = 0;
        while self.code.len() - first - self.skipped < LEAST {
            match self.random.below(10) {
                0 => self.branch(),
                _ => self.straight(),
            }
        }
        self.code.emit(encode::svc(END_OF_BLOCK));
        address
    }

    /// An item without a branch.
    fn straight(&mut self) {
        match self.random.below(32) {
            0..=15 => self.data(),
            16..=22 => self.access(),
            23 => self.exclusive(),
            24 => self.refused_access(),
            25 => self.maintenance(),
            26..=27 => self.register(),
            28 => self.hint(),
            29 => self.exception(),
            _ => self.undefined(),
        }
    }

    /// One to three items over which a branch leads.
    pub(crate) fn skipped_items(&mut self) {
        let first = self.code.len();
        for _ in 0..=self.random.below(3) {
            self.straight();
        }
        self.skipped += self.code.len() - first;
    }

    /// A register, 0 to 31.
    pub(crate) fn any(&mut self) -> u32 {
        self.random.below(32)
    }

    /// A register, 0 to 30.
    pub(crate) fn general(&mut self) -> u32 {
        self.random.below(31)
    }

    /// A register, 0 to 31, that is none of `others`.
    pub(crate) fn other_than(&mut self, others: &[u32]) -> u32 {
        loop {
            let register = self.any();
            if !others.contains(&register) {
                return register;
            }
        }
    }
}

//! The log of liberties that changed a value: the last ones, for the report of a run that fails.

use std::collections::VecDeque;

use super::Liberty;

/// A liberty that was taken, and changed a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken {
    /// The liberty.
    pub liberty: Liberty,
    /// The core.
    pub core: usize,
    /// The virtual address of the instruction.
    pub at: u64,
    /// The address that it concerns: of memory, or the number of a register's encoding.
    pub address: u64,
    /// The instruction that caused it, where that is another one: the store that is not seen yet.
    pub because: Option<u64>,
}

/// The number of liberties that are kept.
const KEPT: usize = 16;

/// The last liberties.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    last: VecDeque<Taken>,
    count: u64,
}

impl Log {
    /// Adds a liberty; one that repeats at its place is kept once.
    pub(crate) fn add(&mut self, taken: Taken) {
        self.count += 1;
        let same = |known: &Taken| (known.liberty, known.at) == (taken.liberty, taken.at);
        if self.last.back().is_some_and(same) {
            return;
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(taken);
    }

    /// The last liberties, the oldest first.
    pub(crate) fn last(&self) -> impl Iterator<Item = &Taken> {
        self.last.iter()
    }

    /// The number of liberties that changed a value.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

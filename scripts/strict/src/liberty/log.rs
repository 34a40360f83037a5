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

/// The number that is kept of each liberty.
const KEPT: usize = 4;

/// The last liberties of each kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    last: [VecDeque<Taken>; Liberty::ALL.len()],
    count: u64,
}

impl Log {
    /// Adds a liberty; one that repeats at its place is kept once.
    pub(crate) fn add(&mut self, taken: Taken) {
        self.count += 1;
        let last = &mut self.last[taken.liberty as usize];
        if last.iter().any(|known| known.at == taken.at) {
            return;
        }
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(taken);
    }

    /// The last liberties by kind, the oldest of each first.
    pub(crate) fn last(&self) -> impl Iterator<Item = &Taken> {
        self.last.iter().flatten()
    }

    /// The number of liberties that changed a value.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

//! What is remembered: former translations, roots, and the cores that may use them.

use crate::board::{CORES, Nanoseconds};
use crate::translate::walk::TABLE_OR_PAGE;

/// A set of cores, a bit for each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct CoreSet(u8);

impl CoreSet {
    pub(super) const ALL: Self = Self((1 << CORES) - 1);

    pub(super) fn only(core: usize) -> Self {
        Self(1 << core)
    }

    pub(super) fn has(self, core: usize) -> bool {
        self.0 >> core & 1 != 0
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The lowest core of the set, or 0.
    pub(super) fn first(self) -> usize {
        (self.0.trailing_zeros() as usize) % 8
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A root that a core walks from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Root {
    /// The physical address of the first table.
    pub(crate) address: u64,
    /// The ASID that tags non-global translations.
    pub(crate) asid: u16,
    /// The root is TTBR1's.
    pub(crate) high: bool,
}

/// A former translation of a range of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Old {
    pub(super) cores: CoreSet,
    /// The core that completed an invalidation, until its next context synchronisation event.
    pub(super) lingering: CoreSet,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) asid: Option<u16>,
    pub(super) level: u8,
    pub(super) descriptor: u64,
    /// The physical address of the descriptor.
    pub(super) place: u64,
    /// The core and the address of the store that replaced it.
    pub(super) storer: usize,
    pub(super) store_at: u64,
    /// The number of the change; an invalidation covers the changes before it.
    pub(super) number: u64,
    /// The virtual time of the change in nanoseconds.
    pub(super) since: Nanoseconds,
    /// The change takes something away: it is no mere widening of rights.
    pub(super) takes_away: bool,
}

impl Old {
    pub(super) fn is_leaf(&self) -> bool {
        self.level == 3 || self.descriptor & TABLE_OR_PAGE == 0
    }
}

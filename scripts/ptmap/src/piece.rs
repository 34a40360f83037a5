//! Pieces: what a map is shown in.

use stilt_paging::Rights;

use crate::descriptor::{self, Limits, attr_index, attributes, is_contiguous};
use crate::memory_type::MemoryType;
use crate::places::Places;
use crate::registers::Registers;
use crate::walk::{Leaf, Tree};

/// Neighbouring leaves that continue each other: addresses and frames, with all other bits equal,
/// and one use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// The first address.
    pub va: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// The level of the tables in which the leaves stand.
    pub level: usize,
    /// The descriptor of the first leaf.
    pub bits: u64,
    /// What the tables above take away.
    pub limits: Limits,
    /// What it is for, or nothing.
    pub name: String,
}

impl Piece {
    /// The last address.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.va + (self.bytes - 1)
    }

    /// The first frame.
    #[must_use]
    pub const fn pa(&self) -> u64 {
        descriptor::output_address(self.bits, self.level)
    }

    /// How many leaves it is made of.
    #[must_use]
    pub const fn leaves(&self) -> u64 {
        self.bytes / descriptor::entry_bytes(self.level)
    }

    /// The size of its leaves: `4K`, `2M` or `1G`.
    #[must_use]
    pub const fn leaf_size(&self) -> &'static str {
        match self.level {
            1 => "1G",
            2 => "2M",
            _ => "4K",
        }
    }

    /// Whether the hardware follows it.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.bits & 1 != 0
    }

    /// What EL1 and EL0 may do.
    #[must_use]
    pub fn rights(&self) -> Rights {
        descriptor::rights(self.bits, self.limits)
    }

    /// Its memory type.
    #[must_use]
    pub const fn memory_type(&self, registers: &Registers) -> MemoryType {
        registers.memory_type(attr_index(self.bits))
    }

    /// Whether its leaves are contiguous groups.
    #[must_use]
    pub const fn is_contiguous(&self) -> bool {
        is_contiguous(self.bits)
    }

    fn takes(&mut self, leaf: &Leaf, name: &str) -> bool {
        let continues = self.level == leaf.level
            && self.va.checked_add(self.bytes) == Some(leaf.va)
            && self.pa() + self.bytes == leaf.pa()
            && attributes(self.bits) == attributes(leaf.bits)
            && self.limits == leaf.limits
            && self.name == name;
        if continues {
            self.bytes += leaf.bytes();
        }
        continues
    }
}

/// The leaves of a tree, put together.
pub(crate) fn pieces(tree: &Tree, places: &Places) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for leaf in &tree.leaves {
        let name = places.name_of(leaf.va, leaf.pa());
        if pieces.last_mut().is_some_and(|last| last.takes(leaf, name)) {
            continue;
        }
        pieces.push(Piece {
            va: leaf.va,
            bytes: leaf.bytes(),
            level: leaf.level,
            bits: leaf.bits,
            limits: leaf.limits,
            name: name.to_owned(),
        });
    }
    pieces
}

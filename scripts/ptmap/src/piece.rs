//! Pieces: runs of leaves, the units in which a map is shown.

use stilt_paging::Rights;
use stilt_paging::format::aarch64_verdict::TableLimits;

use crate::descriptor::{self, attr_index, attributes, is_contiguous};
use crate::memory_type::MemoryType;
use crate::places::Places;
use crate::registers::Registers;
use crate::walk::{Leaf, Tree};

/// Neighbouring leaves with consecutive addresses and frames, equal attributes, and one area's
/// name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// The first virtual address.
    pub va: u64,
    /// The size in bytes, a multiple of a leaf's.
    pub bytes: u64,
    /// The level of the tables in which the leaves stand, 1 to 3.
    pub level: usize,
    /// The descriptor of the first leaf.
    pub bits: u64,
    /// The rights that the tables above take away.
    pub limits: TableLimits,
    /// The name of the area; empty where none is known.
    pub name: String,
}

impl Piece {
    /// The last virtual address.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.va + (self.bytes - 1)
    }

    /// The physical address of the first frame.
    #[must_use]
    pub fn pa(&self) -> u64 {
        descriptor::output_address(self.bits, self.level)
    }

    /// The number of leaves.
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

    /// Whether the leaves are valid (bit 0); inaccessible ones are not.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.bits & 1 != 0
    }

    /// The rights of EL1 and EL0, below the tables that limit them.
    #[must_use]
    pub fn rights(&self) -> Rights {
        descriptor::rights(self.bits, self.limits)
    }

    /// The memory type, by AttrIndx and the byte of `registers`' MAIR_EL1.
    #[must_use]
    pub const fn memory_type(&self, registers: &Registers) -> MemoryType {
        registers.memory_type(attr_index(self.bits))
    }

    /// Whether the leaves have the contiguous hint.
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

/// The pieces of a tree, sorted by address.
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

//! `reg`: pairs of an address and a size, of as many cells as the parent says.
//!
//! Devicetree Specification, release 0.4: 2.3.5, `#address-cells` and `#size-cells`; 2.3.6, `reg`.
//!
//! # Decisions
//! A node that does not say how its children write addresses has, by the specification, two cells
//! for an address and one for a size; whoever wrote it meant those of the root. So there may be
//! several ways to read a `reg`: those that leave no rest count, and if they are several, each
//! does. That reserves too much rather than too little; memory is believed only if there is one
//! way.
#![forbid(unsafe_code)]

use super::reader::{Node, Property, big_endian};
use crate::drivers::facts::{Facts, Oddity, PropertyOwner};

/// Bytes of a cell.
const CELL: usize = 4;

/// In how many cells a number may be written: one way, or two.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CellCounts([usize; 2]);

impl CellCounts {
    const fn one(count: usize) -> Self {
        Self([count, count])
    }

    /// This one way or that one; two ways are all there are.
    const fn or(self, other: Self) -> Self {
        let ([first, second], [other, _]) = (self.0, other.0);
        Self([first, if first == second { other } else { second }])
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        let [first, second] = self.0;
        [Some(first), (second != first).then_some(second)]
            .into_iter()
            .flatten()
    }
}

/// How the children of a node may write addresses and sizes.
#[derive(Clone, Copy)]
pub(super) struct Cells {
    address: CellCounts,
    size: CellCounts,
}

/// A way to write a pair.
#[derive(Clone, Copy)]
pub(super) struct Way {
    address_bytes: usize,
    pair_bytes: usize,
}

impl Cells {
    /// The default of the specification, for a node without the properties.
    const DEFAULT: Self = Self {
        address: CellCounts::one(2),
        size: CellCounts::one(1),
    };

    /// The cells that the root states for its children; the default for each that is wrong.
    pub(super) fn of_root(root: &Node<'_>, facts: &mut Facts) -> Self {
        let stated = Stated::by(root, PropertyOwner::Root, facts);
        Self {
            address: stated.address.unwrap_or(Self::DEFAULT.address),
            size: stated.size.unwrap_or(Self::DEFAULT.size),
        }
    }

    /// As `node` says it, in which these are the cells of `outer`.
    pub(super) fn of(
        node: &Node<'_>,
        outer: Self,
        owner: PropertyOwner,
        facts: &mut Facts,
    ) -> Self {
        let stated = Stated::by(node, owner, facts);
        if stated.address.is_none() || stated.size.is_none() {
            facts.oddities.note(Oddity::NoCells(owner));
        }
        let Self { address, size } = Self::DEFAULT;
        Self {
            address: stated.address.unwrap_or(outer.address.or(address)),
            size: stated.size.unwrap_or(outer.size.or(size)),
        }
    }

    /// All ways in which `reg` is whole pairs.
    pub(super) fn fitting(self, reg: &[u8]) -> impl Iterator<Item = Way> {
        let len = reg.len();
        self.ways()
            .filter(move |way| len > 0 && len.is_multiple_of(way.pair_bytes))
    }

    /// The way, if there is just one.
    pub(super) fn only(self) -> Option<Way> {
        let mut ways = self.ways();
        ways.next().filter(|_| ways.next().is_none())
    }

    /// All ways, the likeliest first.
    pub(super) fn ways(self) -> impl Iterator<Item = Way> {
        self.address.iter().flat_map(move |address| {
            self.size.iter().map(move |size| Way {
                address_bytes: address * CELL,
                pair_bytes: (address + size) * CELL,
            })
        })
    }
}

impl Way {
    /// Base and size of every whole pair.
    pub(super) fn pairs(self, reg: &[u8]) -> impl Iterator<Item = (u64, u64)> {
        reg.chunks_exact(self.pair_bytes).map(move |pair| {
            let (base, size) = pair.split_at(self.address_bytes);
            (big_endian(base), big_endian(size))
        })
    }

    /// Whether `reg` is whole pairs.
    pub(super) const fn fits(self, reg: &[u8]) -> bool {
        reg.len().is_multiple_of(self.pair_bytes)
    }
}

/// The cells that a node states for its children.
struct Stated {
    address: Option<CellCounts>,
    size: Option<CellCounts>,
}

impl Stated {
    fn by(node: &Node<'_>, owner: PropertyOwner, facts: &mut Facts) -> Self {
        let mut stated = Self {
            address: None,
            size: None,
        };
        for property in node.properties() {
            if property.is("#address-cells") {
                stated.address = Some(count(&property, owner, facts));
            } else if property.is("#size-cells") {
                stated.size = Some(count(&property, owner, facts));
            }
        }
        stated
    }
}

/// The number of cells that a property states; either, if it cannot be right.
fn count(property: &Property<'_>, owner: PropertyOwner, facts: &mut Facts) -> CellCounts {
    match (property.value.len(), property.number()) {
        (CELL, Some(count @ (1 | 2))) => CellCounts::one(count as usize),
        _ => {
            facts.oddities.note(Oddity::BadCells(owner));
            CellCounts([1, 2])
        }
    }
}

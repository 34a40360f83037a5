//! The flattened device tree: whether there is one, and the facts that the kernel needs from it.
//!
//! Devicetree Specification, release 0.4: chapter 5 has the format, chapter 3 the nodes. The crate
//! `dtoolkit` walks it; `pointer.rs` decides before that whether there is anything to walk.
//!
//! Everything comes out as values of fixed size, so that the tree's memory can be given away
//! afterwards.
//!
//! # Decisions
//!
//! - `dtoolkit` checks the whole structure once, and panics later only on trees that it has not
//!   checked, or if one of its iterators is asked again after its end. So trees go through
//!   `Fdt::new` here, and iterators into `for` loops only. Each of its steps moves on by a token,
//!   and this file goes through each node once: the time is linear in the size, which
//!   [`MAX_TREE_BYTES`] bounds.
//! - It also insists on names of at most 31 characters, as the specification does. A tree with
//!   longer ones counts as malformed, and the mailbox answers in its place.
//! - `reg` is decoded here, because a wrong number of cells must not fall back to the default.
//! - Memory that cannot be makes the whole tree unbelievable. A reservation that cannot be does
//!   not: with the tree the other reservations would be lost. It is passed on as it is.
#![forbid(unsafe_code)]

mod pointer;
mod reservation;
mod text;

use core::fmt;

use dtoolkit::error::{FdtParseError, PropertyError};
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Node, Property};

pub use self::pointer::{AtZero, DeviceTree, HEADER_BYTES, MAX_TREE_BYTES, PointerError};
pub use self::reservation::{Mapping, Reservation, Reservations};
pub use self::text::Text;
use super::range::{Full, PhysRange, RangeList};
use crate::addr::PhysAddr;

/// Ranges of RAM that are kept.
pub const MEMORY_RANGES: usize = 8;
/// Reserved ranges that are kept.
pub const RESERVED_RANGES: usize = 16;

/// What a tree says. A text that it does not have is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The board's name.
    pub model: Text<64>,
    /// The first, most exact entry of the root's `compatible`.
    pub compatible: Text<64>,
    /// RAM, as named: in any order, perhaps overlapping, but not empty.
    pub memory: RangeList<MEMORY_RANGES>,
    /// What must be left alone: the reservation block, and the places in `/reserved-memory`. Not
    /// judged here: [`Reserved`](super::ram::Reserved) says what becomes of each.
    pub reservations: Reservations,
    /// The kernel's command line.
    pub bootargs: Text<256>,
}

/// Which list of ranges an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeKind {
    /// RAM.
    Memory,
    /// Reserved memory.
    Reserved,
}

impl fmt::Display for RangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Reserved => "reserved memory",
        })
    }
}

/// Why the facts of a tree cannot be had, or cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeError {
    /// It breaks the format; the cause names the offset.
    Malformed(FdtParseError),
    /// No node describes memory.
    NoMemoryNode,
    /// There are memory nodes, and no byte in them.
    MemoryEmpty,
    /// RAM past the last address that can be RAM.
    MemoryPastLimit {
        /// As named.
        base: u64,
        /// As named, in bytes.
        size: u64,
    },
    /// Memory that reaches past the last address there is.
    MemoryWraps {
        /// As named.
        base: u64,
        /// As named, in bytes.
        size: u64,
    },
    /// More ranges than are kept. The rest may not be left out: it could be reserved.
    TooManyRanges {
        /// Of which kind.
        kind: RangeKind,
        /// How many are kept.
        full: Full,
    },
    /// `#address-cells` or `#size-cells` is not a number.
    BadCells(PropertyError),
    /// Addresses or sizes that are not of 1 or 2 cells.
    UnsupportedCells {
        /// `#address-cells`.
        address: u32,
        /// `#size-cells`.
        size: u32,
    },
    /// A `reg` that does not consist of whole pairs of address and size.
    RegLength {
        /// Its length.
        bytes: usize,
        /// The length of a pair.
        pair_bytes: usize,
    },
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(cause) => write!(f, "malformed device tree: {cause}"),
            Self::NoMemoryNode => f.write_str("no memory node"),
            Self::MemoryEmpty => f.write_str("the memory nodes name no memory"),
            Self::MemoryPastLimit { base, size } => {
                write!(
                    f,
                    "{size:#x} bytes of memory at {base:#x} are past the end of RAM"
                )
            }
            Self::MemoryWraps { base, size } => {
                write!(f, "{size:#x} bytes of memory at {base:#x} wrap around")
            }
            Self::TooManyRanges { kind, full } => write!(f, "{full} of {kind}"),
            Self::BadCells(cause) => write!(f, "number of cells: {cause}"),
            Self::UnsupportedCells { address, size } => {
                write!(
                    f,
                    "{address} address cells and {size} size cells instead of 1 or 2"
                )
            }
            Self::RegLength { bytes, pair_bytes } => {
                write!(f, "reg of {bytes} bytes, not a multiple of {pair_bytes}")
            }
        }
    }
}

impl core::error::Error for TreeError {}

impl Facts {
    /// Reads the tree in `blob`, which is as long as its header says. RAM ends at `memory_limit` at
    /// the latest.
    ///
    /// # Errors
    ///
    /// [`TreeError`]; a tree that is wrong in one place is not believed in another.
    pub fn read(blob: &[u8], memory_limit: PhysAddr) -> Result<Self, TreeError> {
        let tree = Fdt::new(blob).map_err(TreeError::Malformed)?;
        let mut facts = Self::default();
        for reservation in tree.memory_reservations() {
            facts.reserve(Reservation {
                base: reservation.address(),
                size: reservation.size(),
                mapping: Mapping::Allowed,
            })?;
        }
        let root = tree.root();
        let cells = Cells::of(&root)?;
        facts.model = text(&root, "model");
        facts.compatible = text(&root, "compatible");
        let mut memory_nodes: usize = 0;
        for node in root.children() {
            if is_memory(&node) {
                memory_nodes += 1;
                for_each_reg(&node, cells, |base, size| {
                    facts.add_memory(base, size, memory_limit)
                })?;
            } else if node.name() == "reserved-memory" {
                let cells = Cells::of(&node)?;
                for place in node.children() {
                    let mapping = match place.property("no-map") {
                        Some(_) => Mapping::Forbidden,
                        None => Mapping::Allowed,
                    };
                    for_each_reg(&place, cells, |base, size| {
                        facts.reserve(Reservation {
                            base,
                            size,
                            mapping,
                        })
                    })?;
                }
            } else if node.name() == "chosen" {
                facts.bootargs = text(&node, "bootargs");
            }
        }
        if memory_nodes == 0 {
            Err(TreeError::NoMemoryNode)
        } else if facts.memory.is_empty() {
            Err(TreeError::MemoryEmpty)
        } else {
            Ok(facts)
        }
    }

    fn add_memory(&mut self, base: u64, size: u64, limit: PhysAddr) -> Result<(), TreeError> {
        if size == 0 {
            // A place that firmware fills in is empty before that.
            return Ok(());
        }
        let range = PhysRange::from_raw(base, size).ok_or(TreeError::MemoryWraps { base, size })?;
        if range.end() > limit {
            return Err(TreeError::MemoryPastLimit { base, size });
        }
        self.memory
            .push(range)
            .map_err(|full| TreeError::TooManyRanges {
                kind: RangeKind::Memory,
                full,
            })
    }

    fn reserve(&mut self, reservation: Reservation) -> Result<(), TreeError> {
        self.reservations
            .push(reservation)
            .map_err(|full| TreeError::TooManyRanges {
                kind: RangeKind::Reserved,
                full,
            })
    }
}

/// How many cells of 32 bits the children of a node use for addresses and sizes: 1 or 2 each.
#[derive(Clone, Copy)]
struct Cells {
    address: usize,
    size: usize,
}

impl Cells {
    const BYTES: usize = size_of::<u32>();

    fn of(node: &FdtNode<'_>) -> Result<Self, TreeError> {
        let address = node.address_cells().map_err(TreeError::BadCells)?;
        let size = node.size_cells().map_err(TreeError::BadCells)?;
        match (address, size) {
            (1 | 2, 1 | 2) => Ok(Self {
                address: address as usize,
                size: size as usize,
            }),
            _ => Err(TreeError::UnsupportedCells { address, size }),
        }
    }
}

/// Calls `each` with base and size of every pair in the node's `reg`.
fn for_each_reg(
    node: &FdtNode<'_>,
    cells: Cells,
    mut each: impl FnMut(u64, u64) -> Result<(), TreeError>,
) -> Result<(), TreeError> {
    let Some(reg) = node.property("reg") else {
        return Ok(());
    };
    let address_bytes = cells.address * Cells::BYTES;
    let pair_bytes = address_bytes + cells.size * Cells::BYTES;
    let pairs = reg.value().chunks_exact(pair_bytes);
    if !pairs.remainder().is_empty() {
        return Err(TreeError::RegLength {
            bytes: reg.value().len(),
            pair_bytes,
        });
    }
    for pair in pairs {
        let (base, size) = pair.split_at(address_bytes);
        each(big_endian(base), big_endian(size))?;
    }
    Ok(())
}

/// The number in at most eight bytes.
fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Whether a node describes RAM: by its name or, where firmware chose another, by its type.
fn is_memory(node: &FdtNode<'_>) -> bool {
    node.name_without_address() == "memory"
        || node
            .property("device_type")
            .is_some_and(|kind| kind.value() == b"memory\0")
}

fn text<const N: usize>(node: &FdtNode<'_>, property: &str) -> Text<N> {
    node.property(property)
        .map_or_else(Text::default, |property| Text::new(property.value()))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod writer;

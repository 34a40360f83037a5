//! The broken invariants that a check of the allocator can find.
#![forbid(unsafe_code)]

use core::fmt;

use super::Order;
use crate::addr::PhysAddr;

/// The first broken invariant that a check found: a fault of the allocator, or a write from outside
/// into its metadata. Addresses are the physical ones of blocks.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum FrameViolation {
    /// A frame's word is no valid state.
    State {
        /// The frame's address.
        pa: PhysAddr,
    },
    /// A block is not at a multiple of its size, or reaches past the metadata.
    Place {
        /// Where the block begins.
        pa: PhysAddr,
        /// The block's order.
        order: Order,
    },
    /// Two blocks have a frame in common.
    Overlap {
        /// Where the first one begins.
        pa: PhysAddr,
        /// Where the second one begins, inside the first.
        other: PhysAddr,
    },
    /// Two free blocks should be one.
    Unmerged {
        /// The block whose buddy is free, too.
        pa: PhysAddr,
        /// The order of both.
        order: Order,
    },
    /// A list leads to a block that is not a free one of its order, or whose link back is wrong.
    List {
        /// The list's order.
        order: Order,
        /// The block that leads there; `None` for the list's beginning.
        from: Option<PhysAddr>,
        /// The block that it leads to.
        pa: PhysAddr,
    },
    /// A frame in the cache has another state, or is in it twice.
    Cached {
        /// The frame's address.
        pa: PhysAddr,
    },
    /// A count is wrong.
    Count {
        /// The count that is wrong.
        what: Counted,
        /// The blocks' order; [`Order::FRAME`] for frames.
        order: Order,
        /// The count that the allocator keeps.
        kept: usize,
        /// How many were found.
        found: usize,
    },
}

/// The counts that the allocator keeps, each of which a check compares with what it found. Prints
/// as the variant's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counted {
    /// Free blocks of an order.
    Free,
    /// Blocks on the list of an order.
    Listed,
    /// Allocated blocks of an order.
    Allocated,
    /// Frames in the cache.
    Cached,
    /// Frames that can be free at all.
    Usable,
}

/// As [`Display`](fmt::Display) has it: what a derive makes of these fields is kilobytes of the
/// image.
impl fmt::Debug for FrameViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for FrameViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State { pa } => write!(f, "frame {pa} has no valid state"),
            Self::Place { pa, order } => write!(f, "a block of {order} at {pa}"),
            Self::Overlap { pa, other } => write!(f, "block {pa} overlaps block {other}"),
            Self::Unmerged { pa, order } => {
                write!(f, "free block {pa} of {order} and its buddy are not merged")
            }
            Self::List { order, from, pa } => {
                write!(f, "the list of {order}: ")?;
                match from {
                    Some(from) => write!(f, "from {from} to {pa}"),
                    None => write!(f, "it begins at {pa}"),
                }
            }
            Self::Cached { pa } => {
                write!(f, "cached frame {pa} has another state, or is cached twice")
            }
            Self::Count {
                what,
                order,
                kept,
                found,
            } => write!(f, "{what:?} of {order}: {kept} counted, {found} found"),
        }
    }
}

impl core::error::Error for FrameViolation {}

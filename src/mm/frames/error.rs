//! Why a block was not taken back.
#![forbid(unsafe_code)]

use core::fmt;

use super::Order;
use crate::addr::PhysAddr;

/// Why a block was not taken back. Nothing has changed then, and the caller has lost count of its
/// frames: `KernelFrames` panics with it. Addresses are physical.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrameError {
    /// It is free already, alone or inside a larger block.
    DoubleFree {
        /// The address that was given.
        pa: PhysAddr,
    },
    /// It is not a frame of the allocator: never added, reserved, or not the start of a frame.
    Foreign {
        /// The address that was given.
        pa: PhysAddr,
    },
    /// A block was allocated there, but of another order.
    WrongOrder {
        /// The address that was given.
        pa: PhysAddr,
        /// The order that was allocated.
        allocated: Order,
        /// The order that was to be freed.
        freed: Order,
    },
    /// It lies inside an allocated block, behind its first frame.
    Inside {
        /// The address that was given.
        pa: PhysAddr,
        /// Where the block begins.
        block: PhysAddr,
        /// The order of that block.
        order: Order,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleFree { pa } => write!(f, "frame {pa} freed twice"),
            Self::Foreign { pa } => write!(f, "{pa} is not a frame of this allocator"),
            Self::WrongOrder {
                pa,
                allocated,
                freed,
            } => write!(f, "block {pa} of {allocated} freed as one of {freed}"),
            Self::Inside { pa, block, order } => {
                write!(f, "{pa} freed, inside the block of {order} at {block}")
            }
        }
    }
}

impl core::error::Error for FrameError {}

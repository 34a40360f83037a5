//! Why an address space was not made, or not changed.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;

use crate::addr::{PhysAddr, VirtAddr};
use crate::mm::layout::USER;
use crate::paging::PagingError;

/// Why a space was not changed. Nothing is then: neither its map nor its frames.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum SpaceError {
    /// Not a multiple of 4 KiB, or no byte at all.
    NotPages {
        /// The value that was given: an address, or a number of bytes.
        value: usize,
    },
    /// Outside of what a space may map.
    Outside {
        /// The first address.
        va: VirtAddr,
        /// The bytes from there on.
        bytes: usize,
    },
    /// Something is mapped there.
    AlreadyMapped {
        /// The first such address.
        va: VirtAddr,
    },
    /// Nothing is mapped there.
    NotMapped {
        /// The first such address.
        va: VirtAddr,
    },
    /// Not a multiple of a leaf, or of a group of leaves with the contiguous hint.
    NotAligned {
        /// The value that was given: an address, a frame, or a number of bytes.
        value: usize,
        /// The unit of which it must be a multiple.
        alignment: usize,
    },
    /// So many free frames in a row, at a multiple of their size, are not to be had.
    NoSuchRun {
        /// The bytes of the row: those of a leaf, or of a group of 16.
        bytes: usize,
    },
    /// A frame that is neither free nor a space's.
    NotAFrame {
        /// Its address.
        pa: PhysAddr,
        /// The use of the memory there: `a device`, `a page table`.
        what: &'static str,
    },
    /// The place that pages are to move to is where they are.
    Overlap {
        /// Its first address.
        va: VirtAddr,
    },
    /// No frames, or no heap, for so many pages.
    NoMemory {
        /// The bytes that were asked for.
        bytes: usize,
    },
    /// It is being changed, on this core or on another.
    Busy,
    /// The caller did not want to go on.
    Ended,
    /// The page tables refuse it.
    Refused(PagingError),
}

/// As [`Display`](fmt::Display) has it: what a derive makes of these fields is kilobytes of the
/// image.
impl fmt::Debug for SpaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPages { value: 0 } => f.write_str("a size of 4K or more was expected"),
            Self::NotPages { value } => write!(f, "{value:#x} is not a multiple of 4K"),
            Self::Outside { va, bytes } => write!(
                f,
                "{bytes:#x} bytes from {va} on are not in {:#x}..{:#x}",
                USER.start, USER.end
            ),
            Self::AlreadyMapped { va } => write!(f, "{va} is mapped already"),
            Self::NotMapped { va } => write!(f, "{va} is not mapped"),
            Self::NotAligned { value, alignment } => {
                write!(f, "{value:#x} is not a multiple of {alignment:#x}")
            }
            Self::NoSuchRun { bytes } => write!(
                f,
                "no {bytes:#x} bytes of free frames in a row: smaller leaves need less"
            ),
            Self::NotAFrame { pa, what } => {
                write!(f, "{pa} is {what}: not a free frame, nor a space's")
            }
            Self::Overlap { va } => {
                write!(f, "the new place at {va} overlaps the old one")
            }
            Self::NoMemory { bytes } => {
                write!(f, "no memory for {bytes:#x} bytes and their tables")
            }
            Self::Busy => f.write_str("the space is being changed"),
            Self::Ended => f.write_str("ended before it was done"),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl Error for SpaceError {}

impl From<PagingError> for SpaceError {
    fn from(error: PagingError) -> Self {
        Self::Refused(error)
    }
}

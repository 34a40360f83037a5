//! [`PagingError`]: why an operation on a page table was refused, with the values.
#![forbid(unsafe_code)]

use core::fmt;

use crate::MappingFlags;
use crate::addr::{PhysAddr, VirtAddr};

/// Why an operation was refused, with the values that make it reproducible. An operation that
/// returns one has changed nothing: no entry, no frame, no pending invalidation.
///
/// ```
/// use stilt_paging::PagingError;
/// use stilt_paging::addr::VirtAddr;
///
/// let error = PagingError::AlreadyMapped { va: VirtAddr::new(0x40_0000) };
/// assert_eq!(error.to_string(), "0x0000000000400000 is mapped already");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PagingError {
    /// [`PagingHandler::alloc_frame`](crate::PagingHandler::alloc_frame) had no frame for a table
    /// that the operation needs: a new one on the way to a leaf, or one to split a block into.
    NoMemory,
    /// An address or a size is not a multiple of what it must be: of 4 KiB for a region, of the
    /// leaf's size for the frame of a block.
    NotAligned {
        /// The address or the size, in bytes.
        value: usize,
        /// The number of bytes that it must be a multiple of.
        alignment: usize,
    },
    /// No leaf covers the address; for [`PageTable64::query`](crate::PageTable64::query), no
    /// present leaf: one that is inaccessible counts as nothing there.
    NotMapped {
        /// The address, as it was asked for.
        va: VirtAddr,
    },
    /// A leaf, present or inaccessible, covers an address that was to be mapped, or a swap entry is
    /// there. It has to be unmapped first, or changed by `update` or `swap_in`.
    AlreadyMapped {
        /// The first such address of the range.
        va: VirtAddr,
    },
    /// The address is outside what this tree translates: not canonical, or in the other half on
    /// AArch64.
    InvalidVirtAddr {
        /// The address, as it was asked for.
        va: VirtAddr,
    },
    /// The frame, or the end of the range of frames, is past the physical address width of the
    /// format or of the CPU ([`PagingMetaData::PA_MAX_BITS`](crate::PagingMetaData::PA_MAX_BITS)).
    InvalidPhysAddr {
        /// The address at which the frame or the range of frames begins.
        pa: PhysAddr,
    },
    /// The range runs past the end of the address space, or across the gap between its two
    /// canonical halves.
    RangeTooLong {
        /// The first address of the range.
        va: VirtAddr,
        /// The size of the range in bytes.
        size: usize,
    },
    /// The format has no encoding for some of the flags, or for their absence: write without read
    /// on RISC-V, user and global together everywhere.
    Unsupported {
        /// All the flags that were asked for.
        flags: MappingFlags,
        /// The flags that cannot be had together with the rest; empty if one is missing instead.
        refused: MappingFlags,
    },
    /// Writable and executable at once (W^X), without [`MappingFlags::EXECUTE_ANYWAY`], which
    /// names the exception.
    WritableExecutable {
        /// All the flags that were asked for.
        flags: MappingFlags,
    },
    /// Executable device or uncached memory, whose speculative fetches can have side effects,
    /// without [`MappingFlags::EXECUTE_ANYWAY`].
    ExecutableDevice {
        /// All the flags that were asked for.
        flags: MappingFlags,
    },
    /// The change would take a right from a range that the running core stands on, or make it
    /// invalid for a moment ([`PageTable64::pin`](crate::PageTable64::pin)).
    Pinned {
        /// The first such address of the range.
        va: VirtAddr,
    },
    /// No room for another pinned range: [`PageTable64::unpin`](crate::PageTable64::unpin) makes
    /// some.
    TooManyPins,
    /// The range reaches into tables of a [`SharedTop`](crate::SharedTop), which only its one
    /// writer may change.
    Shared {
        /// The first such address of the range.
        va: VirtAddr,
    },
    /// The [`SharedTop`](crate::SharedTop) has a writer already, and has one at a time: drop that
    /// one first.
    Busy,
}

impl fmt::Display for PagingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMemory => write!(f, "no frame left for a page table"),
            Self::NotAligned { value, alignment } => {
                write!(f, "{value:#x} is not a multiple of {alignment:#x}")
            }
            Self::NotMapped { va } => write!(f, "{va} is not mapped"),
            Self::AlreadyMapped { va } => write!(f, "{va} is mapped already"),
            Self::InvalidVirtAddr { va } => write!(f, "{va} is outside this address space"),
            Self::InvalidPhysAddr { pa } => write!(f, "{pa} is past the physical address width"),
            Self::RangeTooLong { va, size } => write!(
                f,
                "{size:#x} bytes from {va} run past the end of the address space"
            ),
            Self::Unsupported { flags, refused } if refused.is_empty() => {
                write!(f, "flags {flags} lack one that this format needs")
            }
            Self::Unsupported { flags, refused } => {
                write!(f, "flags {flags}: this format cannot express ")?;
                bitflags::parser::to_writer(refused, f)
            }
            Self::WritableExecutable { flags } => {
                write!(f, "flags {flags} are writable and executable")
            }
            Self::ExecutableDevice { flags } => {
                write!(f, "flags {flags} make device or uncached memory executable")
            }
            Self::Pinned { va } => write!(f, "the running core needs {va}"),
            Self::TooManyPins => write!(f, "no room for another pinned range"),
            Self::Shared { va } => write!(f, "{va} lies in tables that others share"),
            Self::Busy => write!(f, "the shared tables are being changed"),
        }
    }
}

impl core::error::Error for PagingError {}

/// The result of an operation on a page table: what it returns, or the [`PagingError`] with which
/// it left everything as it was.
pub type PagingResult<T = ()> = Result<T, PagingError>;

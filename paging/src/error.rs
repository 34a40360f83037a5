//! [`PagingError`]: why an operation on a page table was refused, with the values.
#![forbid(unsafe_code)]

use core::fmt;

use crate::MappingFlags;
use crate::addr::{PhysAddr, VirtAddr};

/// Why an operation was refused. An operation that returns one has changed nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PagingError {
    /// No frame for a table was to be had.
    NoMemory,
    /// An address or a size is not a multiple of what it must be.
    NotAligned {
        /// The address or size.
        value: usize,
        /// What it must be a multiple of.
        alignment: usize,
    },
    /// Nothing is mapped at the address.
    NotMapped {
        /// The address.
        va: VirtAddr,
    },
    /// Something is mapped at the address already.
    AlreadyMapped {
        /// The first such address.
        va: VirtAddr,
    },
    /// The address is outside what this tree translates.
    InvalidVirtAddr {
        /// The address.
        va: VirtAddr,
    },
    /// The frame is outside what a descriptor or the CPU can name.
    InvalidPhysAddr {
        /// The address.
        pa: PhysAddr,
    },
    /// The range runs past the end of the address space.
    RangeTooLong {
        /// Its start.
        va: VirtAddr,
        /// Its size in bytes.
        size: usize,
    },
    /// The format has no encoding for some of the flags, or for their absence.
    Unsupported {
        /// All flags that were asked for.
        flags: MappingFlags,
        /// Those that cannot be had together with the rest; none: one that is missing.
        refused: MappingFlags,
    },
    /// Writable and executable at once, and [`MappingFlags::EXECUTE_ANYWAY`] does not say so.
    WritableExecutable {
        /// The flags.
        flags: MappingFlags,
    },
    /// Executable memory of a type that instructions must not be fetched from.
    ExecutableDevice {
        /// The flags.
        flags: MappingFlags,
    },
    /// The change would take away, if only for a moment, what the running core stands on.
    Pinned {
        /// The first such address.
        va: VirtAddr,
    },
    /// No room to remember another range that the core stands on.
    TooManyPins,
    /// The address belongs to tables that are shared with others, and this is not their owner.
    Shared {
        /// The first such address.
        va: VirtAddr,
    },
    /// Somebody else changes the shared tables.
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

/// The result of an operation on a page table.
pub type PagingResult<T = ()> = Result<T, PagingError>;

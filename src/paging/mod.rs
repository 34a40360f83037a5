//! Page tables: the machinery, for every 64-bit format that [`format`] describes.
//!
//! [`PageTable64`] owns a tree of tables; [`TableView`] reads one (also one that the hardware is
//! using and that nobody here built). A format is the meaning of an entry ([`GenericPTE`]) and of
//! an address ([`PagingMetaData`]); frames and their addresses come from a [`PagingHandler`].
//! Every store of a descriptor, every barrier and every TLB invalidation goes through a
//! [`Maintenance`], so that a host test can record what a machine would execute.
//!
//! This room imports only `addr`: it can be lifted into another kernel as it stands.
//!
//! Levels are Arm's: 0 is the root, `LEVELS - 1` the last. Sources: Arm DDI 0487, D8.3
//! (descriptors) and D8.16/D8.17 (TLB maintenance, break-before-make).
//!
//! # Decisions
//! An entry has three states: *unused* (all zero), *present*, and *retained*: not accessible, but
//! it keeps its frame, size and flags, so that taking all rights away can be undone.

use crate::addr::{PhysAddr, VirtAddr};
use core::fmt;

pub mod format;
mod maintenance;
mod region;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use maintenance::{InvalidateScope, Maintenance, TlbFlush, TlbFlushAll, Unmapped};
pub use table::PageTable64;
pub use view::{Leaf, Run, TableView, Visit};

/// Entries in a table of every format: 512 of 8 bytes in one 4 KiB frame.
pub const ENTRIES: usize = 512;

/// What `n` levels above the last are shifted by: 9 bits of index each above 12 of offset.
const INDEX_BITS: usize = 9;

bitflags::bitflags! {
    /// Rights, memory type and scope of a mapping, independent of the format.
    ///
    /// A set without `READ`, `WRITE` and `EXECUTE` makes a retained entry. What a format cannot
    /// express is refused, never changed in silence.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct MappingFlags: usize {
        /// Loads are allowed.
        const READ = 1 << 0;
        /// Stores are allowed.
        const WRITE = 1 << 1;
        /// Instruction fetches are allowed: for the kernel, or, with `USER`, for user code.
        const EXECUTE = 1 << 2;
        /// User code has the rights too.
        const USER = 1 << 3;
        /// Device memory: no gathering, no reordering, early write acknowledgement. With
        /// `UNCACHED`: no early acknowledgement either.
        const DEVICE = 1 << 4;
        /// Normal memory that is not cached.
        const UNCACHED = 1 << 5;
        /// Holds in every address space; kernel mappings only.
        const GLOBAL = 1 << 6;
        /// May be used without an access-flag fault.
        const ACCESSED = 1 << 7;
    }
}

impl MappingFlags {
    /// The flags that grant access.
    pub const RIGHTS: Self = Self::READ.union(Self::WRITE).union(Self::EXECUTE);
    /// The flags that select a memory type.
    pub const MEMORY_TYPE: Self = Self::DEVICE.union(Self::UNCACHED);
}

impl fmt::Display for MappingFlags {
    /// `rwx k nGnRE  ga`, fifteen columns: rights, user or kernel, memory type (write-back,
    /// non-cacheable, or Arm's name of the device type), global, accessed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |flag, letter| if self.contains(flag) { letter } else { '-' };
        let memory = match self.intersection(Self::MEMORY_TYPE) {
            Self::DEVICE => "nGnRE ",
            Self::UNCACHED => "nc    ",
            Self::MEMORY_TYPE => "nGnRnE",
            _ => "wb    ",
        };
        write!(
            f,
            "{}{}{} {} {memory} {}{}",
            letter(Self::READ, 'r'),
            letter(Self::WRITE, 'w'),
            letter(Self::EXECUTE, 'x'),
            if self.contains(Self::USER) { 'u' } else { 'k' },
            letter(Self::GLOBAL, 'g'),
            letter(Self::ACCESSED, 'a'),
        )
    }
}

/// The size of a leaf.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(usize)]
pub enum PageSize {
    /// A page: 4 KiB, at the last level.
    Size4K = 0x1000,
    /// A block of 2 MiB, one level above.
    Size2M = 0x20_0000,
    /// A block of 1 GiB, two levels above.
    Size1G = 0x4000_0000,
}

impl PageSize {
    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self as usize
    }

    /// The size of a leaf at `level` of a tree of `levels`, if there can be one.
    const fn of_level(level: usize, levels: usize) -> Option<Self> {
        match levels - 1 - level {
            0 => Some(Self::Size4K),
            1 => Some(Self::Size2M),
            2 => Some(Self::Size1G),
            _ => None,
        }
    }

    /// The level at which a leaf of this size stands in a tree of `levels`.
    const fn level(self, levels: usize) -> usize {
        levels
            - match self {
                Self::Size4K => 1,
                Self::Size2M => 2,
                Self::Size1G => 3,
            }
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Size4K => "4K",
            Self::Size2M => "2M",
            Self::Size1G => "1G",
        })
    }
}

/// Whether a region operation may use blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LeafSizes {
    /// The largest leaf that alignment and length allow, everywhere.
    Largest,
    /// 4 KiB pages only.
    PagesOnly,
}

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
    /// The format has no encoding for these flags.
    Unsupported {
        /// The flags.
        flags: MappingFlags,
    },
    /// Writable and executable at once.
    WritableExecutable {
        /// The flags.
        flags: MappingFlags,
    },
    /// Executable memory of a type that instructions must not be fetched from.
    ExecutableDevice {
        /// The flags.
        flags: MappingFlags,
    },
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
            Self::RangeTooLong { va, size } => {
                write!(
                    f,
                    "{size:#x} bytes from {va} run past the end of the address space"
                )
            }
            Self::Unsupported { flags } => write!(f, "flags {flags} have no encoding"),
            Self::WritableExecutable { flags } => {
                write!(f, "flags {flags} are writable and executable")
            }
            Self::ExecutableDevice { flags } => {
                write!(f, "flags {flags} make device or uncached memory executable")
            }
        }
    }
}

impl core::error::Error for PagingError {}

/// The result of an operation on a page table.
pub type PagingResult<T = ()> = Result<T, PagingError>;

/// The meaning of an entry in one format. Pure: nothing is executed, no memory is touched.
///
/// A leaf above the last level and a table are told apart by the format's structural encoding
/// alone, never by rights. For every `flags` that `new_page` accepts,
/// `new_page(pa, flags, size)?.flags() == flags`.
pub trait GenericPTE: Copy + fmt::Debug + Send + Sync + Sized {
    /// A leaf of `size` that maps the frame at `pa`.
    ///
    /// # Errors
    /// [`PagingError::Unsupported`], [`PagingError::WritableExecutable`] or
    /// [`PagingError::ExecutableDevice`] for `flags`, [`PagingError::InvalidPhysAddr`] or
    /// [`PagingError::NotAligned`] for `pa`.
    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self>;
    /// An entry that points to the next-level table in the frame at `pa`, which is 4 KiB-aligned.
    fn new_table(pa: PhysAddr) -> Self;
    /// The entry with these bits.
    fn from_bits(bits: u64) -> Self;
    /// The bits of the entry as memory holds them.
    fn bits(self) -> u64;
    /// The frame or table that the entry names.
    fn paddr(self) -> PhysAddr;
    /// The flags of a leaf.
    fn flags(self) -> MappingFlags;
    /// This leaf with another frame.
    ///
    /// # Errors
    /// As [`GenericPTE::new_page`] for `pa`.
    fn set_paddr(&mut self, pa: PhysAddr, size: PageSize) -> PagingResult;
    /// This leaf with other flags.
    ///
    /// # Errors
    /// As [`GenericPTE::new_page`] for `flags`.
    fn set_flags(&mut self, flags: MappingFlags, size: PageSize) -> PagingResult;
    /// Whether the entry is all zero: neither present nor retained.
    fn is_unused(self) -> bool;
    /// Whether the hardware uses the entry.
    fn is_present(self) -> bool;
    /// Above the last level: whether the entry is a leaf (present or retained).
    fn is_huge(self) -> bool;
    /// Makes the entry unused.
    fn clear(&mut self);
    /// Whether `self`, a present leaf, must be broken before `new`, a present leaf of its size or
    /// a table, takes its place (DDI 0487 D8.17.1): another frame, memory type or shareability,
    /// a leaf that becomes a table, or non-global that becomes global.
    fn needs_break(self, new: Self) -> bool;
}

/// The meaning of an address in one format, and the maintenance that its tables need.
pub trait PagingMetaData: Send + Sync {
    /// Levels of the tree: 3 or 4.
    const LEVELS: usize;
    /// Bits of a physical address.
    const PA_MAX_BITS: usize;
    /// Bits of a virtual address that the tree translates.
    const VA_MAX_BITS: usize;
    /// Who stores descriptors and executes barriers and invalidations.
    type Maintenance: Maintenance;

    /// Whether the tree translates `va`.
    fn vaddr_is_valid(va: VirtAddr) -> bool;

    /// The virtual address at `offset` (below `2^VA_MAX_BITS`) from the tree's first.
    fn vaddr_at(offset: usize) -> VirtAddr;

    /// Whether a descriptor can name `pa`.
    #[must_use]
    fn paddr_is_valid(pa: PhysAddr) -> bool {
        pa.as_usize() >> Self::PA_MAX_BITS == 0
    }
}

/// Where tables live.
///
/// # Safety
/// `alloc_frame` gives each frame to one owner until `dealloc_frame` takes it back: 4 KiB,
/// 4 KiB-aligned, Normal write-back memory. `phys_to_virt` gives, for every such frame and for
/// every table of a tree that a [`TableView`] is made for, an address at which its 512 entries
/// can be read and written as long as the frame is owned.
pub unsafe trait PagingHandler: Send + Sync {
    /// A frame with unknown contents, or `None` if there is none.
    fn alloc_frame() -> Option<PhysAddr>;
    /// Takes back a frame that [`PagingHandler::alloc_frame`] gave.
    fn dealloc_frame(pa: PhysAddr);
    /// The address at which the kernel reaches the frame at `pa`.
    fn phys_to_virt(pa: PhysAddr) -> VirtAddr;
}

/// Bits below the index of `level` in an address.
const fn level_shift(level: usize, levels: usize) -> usize {
    12 + INDEX_BITS * (levels - 1 - level)
}

/// The index of `va` in a table of `level`.
const fn table_index(va: VirtAddr, level: usize, levels: usize) -> usize {
    (va.as_usize() >> level_shift(level, levels)) & (ENTRIES - 1)
}

//! [`GenericPTE`]: what a format says about an entry. [`PageSize`]: what sizes of leaf there are.

use core::fmt;

use crate::addr::PhysAddr;
use crate::{MappingFlags, PagingError, PagingResult, Rights};

/// The size of a leaf, which is how far above the last level it stands.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
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
    /// All of them, the smallest first: the index is the number of levels below.
    pub const ALL: [Self; 3] = [Self::Size4K, Self::Size2M, Self::Size1G];

    /// The size in bytes in every format with 9 bits of index a level.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self as usize
    }

    /// How many levels there are below a leaf of this size.
    #[must_use]
    pub const fn levels_below(self) -> usize {
        match self {
            Self::Size4K => 0,
            Self::Size2M => 1,
            Self::Size1G => 2,
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

/// The meaning of an entry in one format. Pure: nothing is executed, no memory is touched.
///
/// An entry is unused (all bits zero), a leaf or a table. Leaf and table are told apart by the
/// format's structural encoding alone, never by rights. A leaf is present, or retained: not
/// accessible, but it keeps frame, size and flags. For every `flags` that
/// [`GenericPTE::new_page`] accepts, `new_page(pa, flags, size)?.flags() == flags`, and whether
/// it accepts them does not depend on `pa` or `size`.
///
/// No frame or table with a valid address makes an entry that is unused: what names frame 0 has
/// other bits set.
///
/// # Safety
/// Entries say which memory is a table, and when it may be freed. All of it depends on the entry
/// alone, and of every entry that these functions make:
/// * [`GenericPTE::from_bits`] and [`GenericPTE::bits`] are each other's inverse; the entry with
///   no bits set is neither present nor anything else.
/// * [`GenericPTE::new_table`] makes an entry that is present and not huge, with or without a
///   count, and no other function does, for a level above the last. It names the table, also when
///   it is broken.
/// * What is not present the hardware does not follow, at any level. What it may hold on to is a
///   leaf or table that was present; of leaves, [`GenericPTE::flags`] tells global from non-global.
/// * [`GenericPTE::needs_break`] is true wherever the architecture asks for it, and a
///   [`GenericPTE::count`] is what was put in.
pub unsafe trait GenericPTE: Copy + Eq + fmt::Debug + Send + Sync + Sized + 'static {
    /// Whether a table's entry has room for the number of used entries in the table.
    const COUNTS: bool;

    /// How many neighbouring entries one TLB entry can hold when each has the contiguous hint; 1
    /// where there is no hint.
    const CONTIGUOUS: usize = 1;

    /// A leaf of `size` that maps the frame at `pa`. Without any of
    /// [`MappingFlags::RIGHTS`] it is retained, otherwise present.
    ///
    /// # Errors
    /// [`PagingError::Unsupported`], [`PagingError::WritableExecutable`] or
    /// [`PagingError::ExecutableDevice`] for `flags`, [`PagingError::InvalidPhysAddr`] or
    /// [`PagingError::NotAligned`] for `pa`.
    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self>;

    /// An entry that points to the next-level table in the frame at `pa`, which is 4 KiB-aligned
    /// and within the format's width, with a count of 0.
    fn new_table(pa: PhysAddr) -> Self;

    /// The entry with these bits.
    fn from_bits(bits: u64) -> Self;

    /// The bits of the entry as memory holds them.
    fn bits(self) -> u64;

    /// The frame or table that the entry names, also after [`GenericPTE::broken`].
    fn paddr(self) -> PhysAddr;

    /// The flags of a leaf.
    fn flags(self) -> MappingFlags;

    /// Of a leaf that [`GenericPTE::new_page`] did not make: what kernel and user may do, if no set
    /// of flags says that of both. A page that both may execute is such a leaf on Arm.
    fn odd_rights(self) -> Option<Rights> {
        None
    }

    /// Gives this leaf of `size` another frame.
    ///
    /// # Errors
    /// As [`GenericPTE::new_page`] for `pa`; the leaf is as it was.
    fn set_paddr(&mut self, pa: PhysAddr, size: PageSize) -> PagingResult;

    /// Gives this leaf of `size` other flags.
    ///
    /// # Errors
    /// As [`GenericPTE::new_page`] for `flags`; the leaf is as it was.
    fn set_flags(&mut self, flags: MappingFlags, size: PageSize) -> PagingResult;

    /// Whether the entry is all zero.
    fn is_unused(self) -> bool {
        self.bits() == 0
    }

    /// Whether the hardware uses the entry: a table, or a leaf that is not retained.
    fn is_present(self) -> bool;

    /// Of a used entry above the last level: whether it is a leaf, present or retained.
    fn is_huge(self) -> bool;

    /// Makes the entry unused.
    fn clear(&mut self) {
        *self = Self::from_bits(0);
    }

    /// Which bits of a leaf of `size` name its frame. Leaves whose other bits are equal have
    /// equal flags.
    fn address_mask(size: PageSize) -> u64;

    /// This leaf of `size` for the frame that follows its own.
    ///
    /// The caller knows that there is such a frame.
    fn next(self, size: PageSize) -> Self;

    /// Whether `self`, a present leaf, must be broken before `new`, a present leaf of its size or
    /// a table, takes its place: made invalid, and invalidated everywhere.
    fn needs_break(self, new: Self) -> bool;

    /// This present entry, leaf or table, as the hardware takes for invalid at every level; it
    /// still names its frame. Never equal to an unused entry.
    fn broken(self) -> Self;

    /// Whether [`GenericPTE::broken`] made the entry, or a leaf like it: software that reads the tree
    /// at that moment finds nothing mapped, no retained leaf.
    fn is_broken(self) -> bool;

    /// A table's entry with another count, at most the number of entries in a table. What the
    /// hardware does with the entry is the same.
    fn with_count(self, count: usize) -> Self {
        let _ = count;
        self
    }

    /// The count of a table's entry; 0 where [`GenericPTE::COUNTS`] is false.
    fn count(self) -> usize {
        0
    }

    /// A table's entry with a count that is one more.
    #[inline(always)]
    fn counted_up(self) -> Self {
        self.with_count(self.count() + 1)
    }

    /// A table's entry with a count that is one less.
    #[inline(always)]
    fn counted_down(self) -> Self {
        self.with_count(self.count() - 1)
    }

    /// Whether a leaf has the contiguous hint.
    fn is_contiguous(self) -> bool {
        false
    }

    /// A present leaf with the contiguous hint.
    fn with_contiguous(self) -> Self {
        self
    }

    /// A leaf without the contiguous hint.
    fn without_contiguous(self) -> Self {
        self
    }
}

/// Refuses what W^X forbids, unless `flags` name the exception, and the exception where there is
/// none: for [`GenericPTE::new_page`] of every format.
///
/// # Errors
/// [`PagingError::WritableExecutable`], [`PagingError::ExecutableDevice`],
/// [`PagingError::Unsupported`].
pub const fn check_wx(flags: MappingFlags) -> PagingResult {
    let anyway = flags.contains(MappingFlags::EXECUTE_ANYWAY);
    match (flags.breaks_wx(), anyway) {
        (true, true) | (false, false) => Ok(()),
        (true, false) if flags.contains(MappingFlags::WRITE) => {
            Err(PagingError::WritableExecutable { flags })
        }
        (true, false) => Err(PagingError::ExecutableDevice { flags }),
        (false, true) => Err(PagingError::Unsupported {
            flags,
            refused: MappingFlags::EXECUTE_ANYWAY,
        }),
    }
}

//! [`GenericPTE`]: what a format says about an entry. [`PageSize`]: what sizes of leaf there are.
//!
//! `examples/own_format.rs` implements a format from nothing; those of machines are in
//! [`format`](crate::format).
#![expect(unsafe_code, reason = "an unsafe trait")]

use core::fmt;

use crate::addr::PhysAddr;
use crate::{Attributes, MappingFlags, PagingError, PagingResult, Rights, SoftwareBits};

/// Entries in a table of every format: 512 of 8 bytes in one 4 KiB frame.
pub const ENTRIES: usize = 512;

/// The size of a leaf, by which it stands 0, 1 or 2 levels above the last: 4 KiB granule, 9 bits of
/// index a level (Arm DDI 0487 D8.2; Linux: PTE, PMD and PUD). Ordered by size.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(usize)]
pub enum PageSize {
    /// A page of 4 KiB: a leaf of the last level, an entry of 512 in a table that translates
    /// 2 MiB.
    Size4K = 0x1000,
    /// A block of 2 MiB, one level above pages: stands for 512 of them. Linux and x86: huge page.
    /// RISC-V: megapage.
    Size2M = 0x20_0000,
    /// A block of 1 GiB, two levels above pages: stands for 512 blocks of 2 MiB. RISC-V: gigapage.
    Size1G = 0x4000_0000,
}

impl PageSize {
    /// All sizes, the smallest first: the index is [`PageSize::levels_below`], so a level counted
    /// from the last finds its size here.
    pub const ALL: [Self; 3] = [Self::Size4K, Self::Size2M, Self::Size1G];

    /// The size in bytes, a power of two, in every format with 9 bits of index a level; leaves of
    /// other geometries are smaller.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self as usize
    }

    /// How many levels there are below a leaf of this size: 0 for a page. With `LEVELS` levels it
    /// stands at level `LEVELS - 1` less this.
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
/// An entry (Arm: descriptor) is unused (all bits zero), a leaf or a table. Leaf and table are told
/// apart by the format's structural encoding alone, never by rights. A leaf is present, or
/// inaccessible (in names: *inaccessible*): the hardware does not follow it, but it keeps frame,
/// size and flags, as a `PROT_NONE` entry of Linux does. For every `flags` that
/// [`GenericPTE::new_page`] accepts, `new_page(pa, flags, size)?.flags() == flags`, and whether it
/// accepts them does not depend on `pa` or `size`.
///
/// No frame or table with a valid address makes an entry that is unused: what names frame 0 has
/// other bits set.
///
/// ```
/// use stilt_paging::addr::PhysAddr;
/// use stilt_paging::format::riscv::Rv64PTE;
/// use stilt_paging::{GenericPTE, MappingFlags, PageSize};
///
/// let pa = PhysAddr::new(0x8020_0000);
/// let data = MappingFlags::READ | MappingFlags::WRITE | MappingFlags::ACCESSED;
/// let block = Rv64PTE::new_page(pa, data, PageSize::Size2M)?;
/// // Frame number 0x80200 in bits 53:10; D, A, W, R and V.
/// assert_eq!(block.bits(), 0x80200 << 10 | 0b1100_0111);
/// assert_eq!((block.paddr(), block.flags()), (pa, data));
///
/// // Without a right it is inaccessible: not present, not unused, and nothing is forgotten.
/// let inaccessible = Rv64PTE::new_page(pa, MappingFlags::ACCESSED, PageSize::Size2M)?;
/// assert!(!inaccessible.is_present() && !inaccessible.is_unused());
/// assert_eq!(inaccessible.paddr(), pa);
/// # Ok::<(), stilt_paging::PagingError>(())
/// ```
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
    /// Whether a table's entry has room for the number of used entries in the table, 0 to 512: ten
    /// bits that the hardware ignores, as in Arm's and x86's. A table left empty is then found
    /// without looking through it. By default there is none.
    const COUNTS: bool = false;

    /// How many neighbouring entries one TLB entry can hold when each has the contiguous hint: 16
    /// on Arm with 4 KiB pages (DDI 0487 D8.7.1; Linux: `contpte`), 1 where there is no hint.
    const CONTIGUOUS: usize = 1;

    /// The two neighbouring bits of a leaf, present or not, that are for [`SoftwareBits`]: the
    /// hardware ignores them, and no other function here reads or writes them. By default there are
    /// none; then the operations of a table that set them do not compile.
    const SOFTWARE: u64 = 0;

    /// Whether a page's entry can be a swap entry. By default it cannot; then the operations of a
    /// table that make one do not compile.
    const SWAP: bool = false;

    /// A leaf of `size` that maps the frame at `pa`, a multiple of `size`. Without any of
    /// [`MappingFlags::RIGHTS`] it is inaccessible, otherwise present.
    ///
    /// # Errors
    /// [`PagingError::Unsupported`], [`PagingError::WritableExecutable`] or
    /// [`PagingError::ExecutableDevice`] for `flags`, [`PagingError::InvalidPhysAddr`] or
    /// [`PagingError::NotAligned`] for `pa`.
    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self>;

    /// An entry that points to the next-level table in the frame at `pa`, which is 4 KiB-aligned
    /// and within the format's width, with a count of 0.
    fn new_table(pa: PhysAddr) -> Self;

    /// The entry with these 64 bits, as they were read from a table: any, also such as no function
    /// here makes.
    fn from_bits(bits: u64) -> Self;

    /// The 64 bits of the entry, as they are stored in a table: little endian is the memory's
    /// business.
    fn bits(self) -> u64;

    /// The physical address of the frame or table that the entry names, 4 KiB-aligned, also after
    /// [`GenericPTE::broken`].
    fn paddr(self) -> PhysAddr;

    /// The flags of a leaf, present or inaccessible: those that [`GenericPTE::new_page`] was given,
    /// or what comes nearest in a leaf that somebody else made.
    fn flags(self) -> MappingFlags;

    /// The rights of kernel and user code to a leaf that [`GenericPTE::new_page`] did not make, if
    /// no set of flags has both: a page on Arm with PXN = UXN = 0, which both may execute.
    fn odd_rights(self) -> Option<Rights> {
        None
    }

    /// Gives this leaf of `size` the frame at `pa`, a multiple of `size`; all other bits stay as
    /// they are. By default [`GenericPTE::address_mask`] says which bits are the frame's.
    ///
    /// # Errors
    /// As [`GenericPTE::new_page`] for `pa`; the leaf is as it was.
    fn set_paddr(&mut self, pa: PhysAddr, size: PageSize) -> PagingResult {
        let framed = Self::new_page(pa, MappingFlags::empty(), size)?;
        let address = Self::address_mask(size);
        *self = Self::from_bits(self.bits() & !address | framed.bits() & address);
        Ok(())
    }

    /// Gives this leaf of `size` other flags; its frame and [`GenericPTE::SOFTWARE`] stay. Without a
    /// right it becomes inaccessible, with one present. By default it is made anew by
    /// [`GenericPTE::new_page`].
    ///
    /// # Errors
    /// As [`GenericPTE::new_page`] for `flags`; the leaf is as it was.
    fn set_flags(&mut self, flags: MappingFlags, size: PageSize) -> PagingResult {
        *self = Self::new_page(self.paddr(), flags, size)?.with_software(self.software());
        Ok(())
    }

    /// The software bits of a leaf, present, inaccessible or broken.
    #[inline]
    fn software(self) -> SoftwareBits {
        let place = Self::SOFTWARE.trailing_zeros();
        let bits = (self.bits() & Self::SOFTWARE).checked_shr(place);
        SoftwareBits::from_bits_truncate(bits.unwrap_or(0) as u8)
    }

    /// The leaf with other software bits; unchanged where the format has none.
    #[inline]
    fn with_software(self, software: SoftwareBits) -> Self {
        let place = Self::SOFTWARE.trailing_zeros();
        let bits = u64::from(software.bits()).checked_shl(place).unwrap_or(0);
        Self::from_bits(self.bits() & !Self::SOFTWARE | bits & Self::SOFTWARE)
    }

    /// All that a leaf says besides its frame and its size.
    #[inline]
    fn attributes(self) -> Attributes {
        Attributes {
            flags: self.flags(),
            software: self.software(),
        }
    }

    /// Whether the entry is all zero: neither leaf nor table, no frame belongs to it, and the
    /// hardware does not follow it.
    fn is_unused(self) -> bool {
        self.bits() == 0
    }

    /// Whether the hardware follows the entry: a table, or a leaf with a right. False for unused,
    /// inaccessible and broken entries.
    fn is_present(self) -> bool;

    /// Of a used entry above the last level: whether it is a leaf (a block), present or
    /// inaccessible, and not a table. At the last level every used entry is one.
    fn is_huge(self) -> bool;

    /// Makes the entry unused: all bits zero. A value alone; the table in memory is not touched by
    /// it.
    fn clear(&mut self) {
        *self = Self::from_bits(0);
    }

    /// The bits of a leaf of `size` that name its frame, set: bits 47:12 of a page on Arm, 53:10 on
    /// RISC-V. In a block the lowest of them may be left out: they are zero in it. Leaves whose
    /// other bits are equal have equal flags.
    fn address_mask(size: PageSize) -> u64;

    /// This leaf of `size`, but for the frame `size` bytes above its own: how runs of leaves are
    /// filled, one addition each.
    ///
    /// The caller knows that there is such a frame. By default the lowest bit of a page's
    /// [`GenericPTE::address_mask`] stands for 4 KiB, and is added once for each 4 KiB of `size`.
    fn next(self, size: PageSize) -> Self {
        let page = PageSize::Size4K;
        let address = Self::address_mask(page);
        let frames = (size.bytes() / page.bytes()) as u64;
        let step = (address & address.wrapping_neg()) * frames;
        Self::from_bits(self.bits().wrapping_add(step))
    }

    /// Whether `self`, a present leaf, must be broken before `new`, a present leaf of its size or
    /// a table, takes its place: made invalid, and invalidated on every core (Arm DDI 0487 D8.17.1,
    /// break-before-make). So it is for another frame, memory type or size, and for a leaf that
    /// becomes global; not for other rights. Linux: `pgattr_change_is_safe`.
    fn needs_break(self, new: Self) -> bool;

    /// This present entry, leaf or table, made invalid for the hardware at every level, between
    /// break and make. It still names its frame, and never equals an unused entry. Entries that
    /// differ still do when both are broken: two leaves, and a leaf and a table.
    fn broken(self) -> Self;

    /// Whether [`GenericPTE::broken`] made the entry, or a leaf like it, or [`GenericPTE::new_swap`]:
    /// software that reads the tree at that moment finds nothing mapped, and no inaccessible leaf.
    fn is_broken(self) -> bool;

    /// A swap entry: what stands in a table of the last level where nothing is mapped, and holds 32
    /// bits for the kernel, say the slot of a page that was written out. Not present, not unused, and
    /// broken ([`GenericPTE::is_broken`]), whatever the value. Linux: `swp_entry_t`.
    fn new_swap(value: u32) -> Self {
        let _ = value;
        Self::from_bits(0)
    }

    /// The value of a swap entry; `None` for everything else, also for what
    /// [`GenericPTE::broken`] makes.
    fn swap(self) -> Option<u32> {
        None
    }

    /// Of any entry in a table of the last level: whether it is a leaf, present, inaccessible or
    /// broken, and so names a frame. A format that can tell by one bit says so.
    #[inline]
    fn is_page(self) -> bool {
        !self.is_unused() && self.swap().is_none()
    }

    /// A table's entry with another count of used entries, at most 512. The hardware ignores those
    /// bits, so a change of them alone needs no barrier and no invalidation.
    fn with_count(self, count: usize) -> Self {
        let _ = count;
        self
    }

    /// The count of used entries that [`GenericPTE::with_count`] put into a table's entry; 0 where
    /// [`GenericPTE::COUNTS`] is false.
    fn count(self) -> usize {
        0
    }

    /// A table's entry with a count that is one more, for a leaf that was mapped in the table; a
    /// format whose count is a field adds to it in place.
    #[inline(always)]
    fn counted_up(self) -> Self {
        self.with_count(self.count() + 1)
    }

    /// A table's entry with a count that is one less, for a leaf that was unmapped in the table;
    /// the count was not 0.
    #[inline(always)]
    fn counted_down(self) -> Self {
        self.with_count(self.count() - 1)
    }

    /// Whether a leaf has the contiguous hint (Arm DDI 0487 D8.7.1, bit 52), and so belongs to a
    /// group of [`GenericPTE::CONTIGUOUS`].
    fn is_contiguous(self) -> bool {
        false
    }

    /// A present leaf with the contiguous hint; unchanged where the format has none. All members of
    /// a group have it, or none.
    fn with_contiguous(self) -> Self {
        self
    }

    /// A leaf, present or not, without the contiguous hint: as it stands alone, or when its group
    /// is taken apart.
    fn without_contiguous(self) -> Self {
        self
    }
}

/// Refuses to compile a use of software bits with a format that does not have the two.
pub(crate) const fn assert_software_bits<PTE: GenericPTE>() {
    assert!(
        PTE::SOFTWARE != 0 && PTE::SOFTWARE >> PTE::SOFTWARE.trailing_zeros() == 0b11,
        "the format has no two neighbouring bits for software"
    );
}

/// Refuses what W^X forbids, unless `flags` name the exception, and the exception where there is
/// none: for [`GenericPTE::new_page`] of every format.
///
/// ```
/// use stilt_paging::{MappingFlags, PagingError, check_wx};
///
/// let flags = MappingFlags::WRITE | MappingFlags::EXECUTE;
/// assert_eq!(check_wx(flags), Err(PagingError::WritableExecutable { flags }));
/// assert_eq!(check_wx(flags | MappingFlags::EXECUTE_ANYWAY), Ok(()));
/// assert!(check_wx(MappingFlags::EXECUTE | MappingFlags::EXECUTE_ANYWAY).is_err());
/// ```
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

/// Refuses flags that are not among those that a format `supports`, and `GLOBAL` of what user code
/// may use, whose translations are one address space's: for [`GenericPTE::new_page`] of every
/// format.
///
/// ```
/// use stilt_paging::{MappingFlags, PagingError, check_supported};
///
/// let flags = MappingFlags::READ | MappingFlags::UNCACHED;
/// let supports = MappingFlags::all().difference(MappingFlags::UNCACHED);
/// let refused = MappingFlags::UNCACHED;
/// let error = PagingError::Unsupported { flags, refused };
/// assert_eq!(check_supported(flags, supports), Err(error));
/// assert_eq!(check_supported(flags, MappingFlags::all()), Ok(()));
/// ```
///
/// # Errors
/// [`PagingError::Unsupported`].
pub const fn check_supported(flags: MappingFlags, supports: MappingFlags) -> PagingResult {
    let mut refused = flags.difference(supports);
    if flags.contains(MappingFlags::USER) {
        refused = refused.union(flags.intersection(MappingFlags::GLOBAL));
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(PagingError::Unsupported { flags, refused })
}

/// The bits of `pa` as the frame of a leaf of `size`, in a format that has the bits of `width` for
/// one: for [`GenericPTE::new_page`] of every format.
///
/// ```
/// use stilt_paging::addr::PhysAddr;
/// use stilt_paging::{PageSize, PagingError, check_frame};
///
/// let width = 0x0000_ffff_ffff_f000; // 48 bits
/// let pa = PhysAddr::new(0x8020_0000);
/// assert_eq!(check_frame(pa, PageSize::Size2M, width), Ok(0x8020_0000));
/// // A block of 1 GiB begins at a multiple of 0x4000_0000.
/// let error = PagingError::NotAligned { value: 0x8020_0000, alignment: 0x4000_0000 };
/// assert_eq!(check_frame(pa, PageSize::Size1G, width), Err(error));
/// let pa = PhysAddr::new(1 << 48);
/// let error = PagingError::InvalidPhysAddr { pa };
/// assert_eq!(check_frame(pa, PageSize::Size4K, width), Err(error));
/// ```
///
/// # Errors
/// [`PagingError::NotAligned`] if `pa` is no multiple of `size`, [`PagingError::InvalidPhysAddr`]
/// if it has a bit that `width` has not.
#[inline]
pub fn check_frame(pa: PhysAddr, size: PageSize, width: u64) -> PagingResult<u64> {
    let address = pa.as_usize() as u64;
    if address & !(width & !(size.bytes() as u64 - 1)) == 0 {
        return Ok(address);
    }
    if pa.is_aligned(size.bytes()) {
        return Err(PagingError::InvalidPhysAddr { pa });
    }
    Err(PagingError::NotAligned {
        value: pa.as_usize(),
        alignment: size.bytes(),
    })
}

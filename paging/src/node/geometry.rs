//! Where an address stands in a tree: levels, indices, spans of offsets.
//!
//! All arithmetic on ranges is done on offsets from the tree's first address, which fit a `usize`
//! with room to spare: the end of the last page does not wrap. In AArch64's upper half the page at
//! 0xffff_ffff_ffff_f000 is the offsets 0xffff_ffff_f000..0x1_0000_0000_0000.
//!
//! Four levels of 9 bits: offset 0x4060_3123 has index 0 at level 0, 1 at level 1, 3 at level 2 and
//! 3 at level 3, and 0x123 is left for the byte in the page.
#![forbid(unsafe_code)]

use core::ops::Range;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::{ENTRIES, GenericPTE, PageSize, PagingError, PagingMetaData, PagingResult};

/// Levels of the deepest tree that there can be.
pub(crate) const MAX_LEVELS: usize = 4;

/// Asserts that the constants of `M` and `PTE` are a tree that the code of this room can walk: a
/// program that names another one does not compile.
pub(crate) const fn assert_geometry<M: PagingMetaData, PTE: GenericPTE>() {
    assert!(
        3 <= M::LEVELS && M::LEVELS <= MAX_LEVELS,
        "a tree has 3 or 4 levels"
    );
    assert!(
        1 <= M::INDEX_BITS && 1 << M::INDEX_BITS <= ENTRIES,
        "a table has 2 to 512 entries"
    );
    assert!(
        M::VA_MAX_BITS == 12 + M::LEVELS * M::INDEX_BITS,
        "the indices of all levels and 12 bits of offset are a virtual address"
    );
    assert!(
        12 < M::PA_MAX_BITS && M::PA_MAX_BITS < 64,
        "a physical address has 13 to 63 bits"
    );
    assert!(
        PTE::CONTIGUOUS.is_power_of_two() && PTE::CONTIGUOUS <= 1 << M::INDEX_BITS,
        "a contiguous group is a power of two of entries of one table"
    );
}

/// Bits below the index of `level` in an address: 39, 30, 21, 12 with four levels of 9 bits.
pub(crate) const fn level_shift<M: PagingMetaData>(level: usize) -> usize {
    12 + M::INDEX_BITS * (M::LEVELS - 1 - level)
}

/// Bytes that an entry at `level` translates: 512 GiB, 1 GiB, 2 MiB, 4 KiB with four levels of 9
/// bits.
pub(crate) const fn level_bytes<M: PagingMetaData>(level: usize) -> usize {
    1 << level_shift::<M>(level)
}

/// Entries in a table.
pub(crate) const fn entries<M: PagingMetaData>() -> usize {
    1 << M::INDEX_BITS
}

/// The index of `va` in a table of `level`.
pub(crate) const fn table_index<M: PagingMetaData>(va: VirtAddr, level: usize) -> usize {
    offset_index::<M>(va.as_usize(), level)
}

/// The index of what is `offset` bytes behind the tree's first address, in a table of `level`.
pub(crate) const fn offset_index<M: PagingMetaData>(offset: usize, level: usize) -> usize {
    (offset >> level_shift::<M>(level)) & (entries::<M>() - 1)
}

/// The size of a leaf at `level`, if there can be one.
pub(crate) const fn size_of_level<M: PagingMetaData>(level: usize) -> Option<PageSize> {
    match M::LEVELS - 1 - level {
        0 => Some(PageSize::Size4K),
        1 => Some(PageSize::Size2M),
        2 => Some(PageSize::Size1G),
        _ => None,
    }
}

/// The level at which a leaf of `size` stands.
pub(crate) const fn level_of_size<M: PagingMetaData>(size: PageSize) -> usize {
    M::LEVELS - 1 - size.levels_below()
}

/// Bytes of a leaf of `size`. With 9 bits a level, as every architecture here has, a constant of
/// the size; the tiny trees of the tests have leaves of other sizes.
#[inline(always)]
pub(crate) const fn leaf_bytes<M: PagingMetaData>(size: PageSize) -> usize {
    if M::INDEX_BITS == 9 {
        size.bytes()
    } else {
        1 << (12 + M::INDEX_BITS * size.levels_below())
    }
}

/// The offset of a valid address from the tree's first.
pub(crate) const fn offset_of<M: PagingMetaData>(va: VirtAddr) -> usize {
    va.as_usize() & ((1 << M::VA_MAX_BITS) - 1)
}

/// Refuses an address that the tree does not translate.
#[inline]
pub(crate) fn check_address<M: PagingMetaData>(va: VirtAddr) -> PagingResult {
    if M::vaddr_is_valid(va) {
        Ok(())
    } else {
        Err(PagingError::InvalidVirtAddr { va })
    }
}

/// Refuses frames that a descriptor cannot name: the last byte counts, so that no leaf at the end
/// of the physical addresses runs past it; `bytes` is not 0.
#[inline]
pub(crate) fn check_frame<M: PagingMetaData>(pa: PhysAddr, bytes: usize) -> PagingResult {
    match pa.checked_add(bytes - 1) {
        Some(last) if M::paddr_is_valid(last) => Ok(()),
        _ => Err(PagingError::InvalidPhysAddr { pa }),
    }
}

/// A part of a tree, as offsets from its first address; never ends before it starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// `size` bytes from `va` on, both multiples of a page; all of them addresses of the tree.
    pub(crate) fn new<M: PagingMetaData>(va: VirtAddr, size: usize) -> PagingResult<Self> {
        for value in [va.as_usize(), size] {
            if !value.is_multiple_of(PAGE_SIZE) {
                return Err(PagingError::NotAligned {
                    value,
                    alignment: PAGE_SIZE,
                });
            }
        }
        check_address::<M>(va)?;
        let start = offset_of::<M>(va);
        // No last address to look at.
        if size == 0 {
            return Ok(Self { start, end: start });
        }
        // Both canonical halves may be in one tree: the gap between them belongs to no range.
        let last = va.checked_add(size - 1);
        match last.filter(|last| M::vaddr_is_valid(*last)) {
            Some(last) if offset_of::<M>(last).checked_sub(start) == Some(size - 1) => Ok(Self {
                start,
                end: start + size,
            }),
            _ => Err(PagingError::RangeTooLong { va, size }),
        }
    }

    /// The entry at `level` that holds `offset`.
    pub(crate) const fn of_entry<M: PagingMetaData>(offset: usize, level: usize) -> Self {
        Self::from_start::<M>(offset & !(level_bytes::<M>(level) - 1), level)
    }

    /// The entry at `level` whose first offset is `start`.
    pub(crate) const fn from_start<M: PagingMetaData>(start: usize, level: usize) -> Self {
        Self {
            start,
            end: start + level_bytes::<M>(level),
        }
    }

    pub(crate) const fn bytes(self) -> usize {
        self.end - self.start
    }

    pub(crate) const fn pages(self) -> usize {
        self.bytes() / PAGE_SIZE
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(crate) const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    pub(crate) const fn is_disjoint(self, other: Self) -> bool {
        self.end <= other.start || other.end <= self.start
    }

    /// The part of this span inside `other`, which it meets.
    pub(crate) fn clip(self, other: Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        }
    }
}

/// The entries of a table that a span touches, in three groups: at most one entry that it covers
/// in part at either end, and those between that it covers whole.
///
/// The span 0x3f_f000..0xa0_1000 touches the entries 1..6 of a table of 2 MiB each, and covers
/// 2..5 whole: 1 is its head, 5 its tail.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// All.
    pub(crate) touched: Range<usize>,
    /// Those that are covered whole; where there are none, empty at the end.
    pub(crate) whole: Range<usize>,
}

impl Rows {
    /// Those of the table at `level` whose first offset is `base`; `span` is not empty and lies
    /// in it.
    #[inline(always)]
    pub(crate) fn new<M: PagingMetaData>(level: usize, base: usize, span: Span) -> Self {
        let shift = level_shift::<M>(level);
        let (start, end) = (span.start - base, span.end - base);
        let up = (1 << shift) - 1;
        // Rounded down for what is touched, up for what is whole; at the end the reverse.
        let first = (start + up) >> shift;
        Self {
            touched: start >> shift..(end + up) >> shift,
            whole: first..first.max(end >> shift),
        }
    }

    /// Whether every entry is covered whole.
    pub(crate) fn are_whole(&self) -> bool {
        self.whole == self.touched
    }

    /// The entry at the start that is not covered whole.
    #[inline(always)]
    pub(crate) fn head(&self) -> Option<usize> {
        (self.touched.start < self.whole.start).then_some(self.touched.start)
    }

    /// The entry at the end that is not covered whole.
    #[inline(always)]
    pub(crate) fn tail(&self) -> Option<usize> {
        (self.whole.end < self.touched.end).then_some(self.whole.end)
    }

    /// The entries that are not covered whole.
    #[inline(always)]
    pub(crate) fn partial(&self) -> impl Iterator<Item = usize> + use<> {
        self.head().into_iter().chain(self.tail())
    }
}

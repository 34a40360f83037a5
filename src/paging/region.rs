//! Regions: `map_region`, `unmap_region`, `protect_region`, on any mix of leaf sizes.
//!
//! Each works in two passes: the first checks everything and counts the tables that the second
//! will need; they are reserved in between. The second pass cannot fail.
#![forbid(unsafe_code)]

use super::maintenance::{Debt, FrameChain, Maintenance, TlbFlushAll};
use super::table::{PageTable64, check_frame, is_empty, replace, reserve_tables, take_table};
use super::view::{self, is_table};
use super::{
    ENTRIES, GenericPTE, Leaf, LeafSizes, MappingFlags, PageSize, PagingError, PagingHandler,
    PagingMetaData, PagingResult, level_shift,
};
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

/// A range of a tree, as offsets from its first address: so the last page's end does not wrap.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// The part of this span inside `other`.
    fn clip(self, other: Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        }
    }

    const fn bytes(self) -> usize {
        self.end - self.start
    }

    const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    const fn is_disjoint(self, other: Self) -> bool {
        self.end <= other.start || other.end <= self.start
    }
}

/// The entries of a table at `level` whose first offset is `base` that `span` touches: their
/// indices, each with the span that the entry translates.
fn touched(
    levels: usize,
    level: usize,
    base: usize,
    span: Span,
) -> impl Iterator<Item = (usize, Span)> {
    let shift = level_shift(level, levels);
    let first = (span.start.max(base) - base) >> shift;
    let last = ((span.end - 1 - base) >> shift).min(ENTRIES - 1);
    (first..=last).map(move |index| {
        let start = base + (index << shift);
        let end = start + (1 << shift);
        (index, Span { start, end })
    })
}

/// What `map_region` was asked for.
struct Mapping {
    span: Span,
    pa: PhysAddr,
    flags: MappingFlags,
    sizes: LeafSizes,
}

impl Mapping {
    /// The frame for offset `start`.
    fn frame(&self, start: usize) -> PhysAddr {
        PhysAddr::new(self.pa.as_usize() + (start - self.span.start))
    }

    /// The leaf that an entry at `level` which translates `entry` may be.
    fn leaf(&self, level: usize, levels: usize, entry: Span) -> Option<PageSize> {
        let size = PageSize::of_level(level, levels)?;
        let fits = size == PageSize::Size4K
            || self.sizes == LeafSizes::Largest
                && self.span.covers(entry)
                && self.frame(entry.start).is_aligned(size.bytes());
        fits.then_some(size)
    }
}

/// What becomes of the leaves in a region that is mapped.
#[derive(Clone, Copy)]
enum Change {
    Unmap,
    Protect(MappingFlags),
}

impl Change {
    /// The entry that a leaf of `size` on `pa` becomes.
    fn apply<PTE: GenericPTE>(self, pa: PhysAddr, size: PageSize) -> PagingResult<PTE> {
        match self {
            Self::Unmap => Ok(PTE::from_bits(0)),
            Self::Protect(flags) => PTE::new_page(pa, flags, size),
        }
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> PageTable64<M, PTE, H> {
    /// Maps `size` bytes from `va` to the frames from `pa` on.
    ///
    /// # Errors
    /// [`PagingError::NotAligned`] (4 KiB), [`PagingError::InvalidVirtAddr`],
    /// [`PagingError::RangeTooLong`], [`PagingError::AlreadyMapped`] for the first page in the
    /// way, [`PagingError::NoMemory`], and those of [`GenericPTE::new_page`].
    pub fn map_region(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: usize,
        flags: MappingFlags,
        sizes: LeafSizes,
    ) -> PagingResult<TlbFlushAll<'_, M, H>> {
        let span = span_of::<M>(va, size)?;
        check_aligned(pa.as_usize())?;
        PTE::new_page(PhysAddr::new(0), flags, PageSize::Size4K)?;
        let mut debt = Debt::new();
        if size == 0 {
            return Ok(TlbFlushAll::new(debt));
        }
        check_frame::<M>(pa, size)?;
        let mapping = Mapping {
            span,
            pa,
            flags,
            sizes,
        };
        let tables = plan_map::<M, PTE, H>(Some(self.root_paddr()), 0, 0, &mapping)?;
        let mut reserve = reserve_tables::<M, H>(tables)?;
        fill::<M, PTE, H>(self.root_paddr(), 0, 0, &mapping, &mut reserve);
        debt.owe_publication();
        debt.add_pages(size / PAGE_SIZE);
        Ok(TlbFlushAll::new(debt))
    }

    /// Unmaps everything in `size` bytes from `va`: blocks that reach over an edge are split,
    /// holes are skipped, tables left empty are unlinked.
    ///
    /// # Errors
    /// [`PagingError::NotAligned`], [`PagingError::InvalidVirtAddr`],
    /// [`PagingError::RangeTooLong`]; [`PagingError::NoMemory`] when a block must be split.
    pub fn unmap_region(
        &mut self,
        va: VirtAddr,
        size: usize,
    ) -> PagingResult<TlbFlushAll<'_, M, H>> {
        self.change_region(va, size, Change::Unmap)
    }

    /// Gives everything that is mapped in `size` bytes from `va` these flags: blocks that reach
    /// over an edge are split, holes are skipped.
    ///
    /// # Errors
    /// As [`PageTable64::unmap_region`], and those of [`GenericPTE::new_page`] for `flags`.
    pub fn protect_region(
        &mut self,
        va: VirtAddr,
        size: usize,
        flags: MappingFlags,
    ) -> PagingResult<TlbFlushAll<'_, M, H>> {
        PTE::new_page(PhysAddr::new(0), flags, PageSize::Size4K)?;
        self.change_region(va, size, Change::Protect(flags))
    }

    fn change_region(
        &mut self,
        va: VirtAddr,
        size: usize,
        change: Change,
    ) -> PagingResult<TlbFlushAll<'_, M, H>> {
        let span = span_of::<M>(va, size)?;
        let mut work = Work {
            span,
            change,
            reserve: FrameChain::new(),
            debt: Debt::new(),
        };
        if size > 0 {
            let root = self.root_paddr();
            let tables = plan_change::<M, PTE, H>(root, 0, 0, &work)?;
            work.reserve = reserve_tables::<M, H>(tables)?;
            alter::<M, PTE, H>(root, 0, 0, &mut work);
        }
        Ok(TlbFlushAll::new(work.debt))
    }
}

/// The range `[va, va + size)` as offsets in the tree.
fn span_of<M: PagingMetaData>(va: VirtAddr, size: usize) -> PagingResult<Span> {
    check_aligned(va.as_usize())?;
    check_aligned(size)?;
    if !M::vaddr_is_valid(va) {
        return Err(PagingError::InvalidVirtAddr { va });
    }
    let limit = 1 << M::VA_MAX_BITS;
    let start = va.as_usize() & (limit - 1);
    if size > limit - start {
        return Err(PagingError::RangeTooLong { va, size });
    }
    Ok(Span {
        start,
        end: start + size,
    })
}

fn check_aligned(value: usize) -> PagingResult {
    if value.is_multiple_of(PAGE_SIZE) {
        return Ok(());
    }
    Err(PagingError::NotAligned {
        value,
        alignment: PAGE_SIZE,
    })
}

/// How many tables `mapping` needs below this one, which may not exist yet; or what is in its way.
fn plan_map<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Option<PhysAddr>,
    level: usize,
    base: usize,
    mapping: &Mapping,
) -> PagingResult<usize> {
    let mut tables = 0;
    if table.is_none() && level + 1 == M::LEVELS {
        return Ok(tables);
    }
    for (index, entry_span) in touched(M::LEVELS, level, base, mapping.span) {
        let entry = table.map_or(PTE::from_bits(0), |table| {
            PTE::from_bits(view::load::<H>(table, index))
        });
        let is_leaf = mapping.leaf(level, M::LEVELS, entry_span).is_some();
        let next = if is_table::<M, PTE>(entry, level) {
            if is_leaf {
                let va = M::vaddr_at(entry_span.start);
                let va = view::first_mapped::<M, PTE, H>(entry.paddr(), level + 1, va);
                return Err(PagingError::AlreadyMapped { va });
            }
            Some(entry.paddr())
        } else if entry.is_unused() {
            if is_leaf {
                continue;
            }
            tables += 1;
            None
        } else {
            let va = M::vaddr_at(entry_span.clip(mapping.span).start);
            return Err(PagingError::AlreadyMapped { va });
        };
        tables += plan_map::<M, PTE, H>(next, level + 1, entry_span.start, mapping)?;
    }
    Ok(tables)
}

/// Stores the leaves of `mapping` below this table; each new table is full before it is linked.
fn fill<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: PhysAddr,
    level: usize,
    base: usize,
    mapping: &Mapping,
    reserve: &mut FrameChain<M, H>,
) {
    for (index, entry_span) in touched(M::LEVELS, level, base, mapping.span) {
        if let Some(size) = mapping.leaf(level, M::LEVELS, entry_span) {
            let leaf = checked(PTE::new_page(
                mapping.frame(entry_span.start),
                mapping.flags,
                size,
            ));
            view::store::<M, H>(table, index, leaf.bits());
            continue;
        }
        let entry = PTE::from_bits(view::load::<H>(table, index));
        if is_table::<M, PTE>(entry, level) {
            fill::<M, PTE, H>(entry.paddr(), level + 1, entry_span.start, mapping, reserve);
        } else {
            let child = take_table::<M, H>(reserve);
            fill::<M, PTE, H>(child, level + 1, entry_span.start, mapping, reserve);
            M::Maintenance::order_table();
            view::store::<M, H>(table, index, PTE::new_table(child).bits());
        }
    }
}

/// An entry that the first pass made too, or one with the same flags.
fn checked<PTE: GenericPTE>(entry: PagingResult<PTE>) -> PTE {
    match entry {
        Ok(entry) => entry,
        Err(error) => panic!("a region was checked, and yet: {error}"),
    }
}

/// A change of a region under way.
struct Work<M: PagingMetaData, H: PagingHandler> {
    span: Span,
    change: Change,
    reserve: FrameChain<M, H>,
    debt: Debt<M, H>,
}

/// How many tables the splits below this table need; checks every new entry.
fn plan_change<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: PhysAddr,
    level: usize,
    base: usize,
    work: &Work<M, H>,
) -> PagingResult<usize> {
    let mut tables = 0;
    for (index, entry_span) in touched(M::LEVELS, level, base, work.span) {
        let entry = PTE::from_bits(view::load::<H>(table, index));
        if is_table::<M, PTE>(entry, level) {
            tables += plan_change::<M, PTE, H>(entry.paddr(), level + 1, entry_span.start, work)?;
        } else if let Some(size) = leaf_size::<M, PTE>(entry, level) {
            let new = work.change.apply::<PTE>(entry.paddr(), size)?;
            if new.bits() != entry.bits() {
                tables += split_tables(M::LEVELS, level, entry_span, work.span);
            }
        }
    }
    Ok(tables)
}

/// The size of the leaf that a used entry at `level` is.
fn leaf_size<M: PagingMetaData, PTE: GenericPTE>(entry: PTE, level: usize) -> Option<PageSize> {
    if entry.is_unused() {
        return None;
    }
    PageSize::of_level(level, M::LEVELS)
}

/// Tables needed to split a leaf at `level` so that `span`'s edges fall between leaves.
fn split_tables(levels: usize, level: usize, entry: Span, span: Span) -> usize {
    if span.covers(entry) || span.is_disjoint(entry) {
        return 0;
    }
    1 + touched(levels, level + 1, entry.start, span.clip(entry))
        .map(|(_, below)| split_tables(levels, level + 1, below, span))
        .sum::<usize>()
}

/// Changes every leaf of the region below this table.
fn alter<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: PhysAddr,
    level: usize,
    base: usize,
    work: &mut Work<M, H>,
) {
    for (index, entry_span) in touched(M::LEVELS, level, base, work.span) {
        let entry = PTE::from_bits(view::load::<H>(table, index));
        let va = M::vaddr_at(entry_span.start);
        if is_table::<M, PTE>(entry, level) {
            alter::<M, PTE, H>(entry.paddr(), level + 1, entry_span.start, work);
            if is_empty::<PTE, H>(entry.paddr()) {
                view::store::<M, H>(table, index, 0);
                work.debt.owe_table(entry.paddr(), va, entry_span.bytes());
            }
        } else if let Some(size) = leaf_size::<M, PTE>(entry, level) {
            let leaf = Leaf {
                va,
                pa: entry.paddr(),
                flags: entry.flags(),
                size,
                bits: entry.bits(),
            };
            let new = successor::<M, PTE, H>(&leaf, level, entry_span, work);
            replace::<M, PTE, H>(table, index, &leaf, new, &mut work.debt);
            work.debt
                .add_pages(entry_span.clip(work.span).bytes() / PAGE_SIZE);
        }
    }
}

/// What takes the place of `leaf` (at `level`): a leaf, nothing, or a table if only a part of it
/// changes. A leaf that would not change is never split.
fn successor<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    leaf: &Leaf,
    level: usize,
    leaf_span: Span,
    work: &mut Work<M, H>,
) -> PTE {
    let new = checked(work.change.apply::<PTE>(leaf.pa, leaf.size));
    if new.bits() == leaf.bits || work.span.covers(leaf_span) {
        return new;
    }
    PTE::new_table(split::<M, PTE, H>(leaf, level, leaf_span, work))
}

/// A new table that maps what `leaf` (at `level`) does, but for the change inside the region.
fn split<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    leaf: &Leaf,
    level: usize,
    leaf_span: Span,
    work: &mut Work<M, H>,
) -> PhysAddr {
    let table = take_table::<M, H>(&mut work.reserve);
    let below = level + 1;
    for (index, entry_span) in touched(M::LEVELS, below, leaf_span.start, leaf_span) {
        let Some(size) = PageSize::of_level(below, M::LEVELS) else {
            panic!("a leaf at level {level} has nothing below it");
        };
        let pa = PhysAddr::new(leaf.pa.as_usize() + (entry_span.start - leaf_span.start));
        let same = checked(PTE::new_page(pa, leaf.flags, size));
        let kept = Leaf {
            va: M::vaddr_at(entry_span.start),
            pa,
            flags: leaf.flags,
            size,
            bits: same.bits(),
        };
        let entry = if work.span.is_disjoint(entry_span) {
            same
        } else {
            successor::<M, PTE, H>(&kept, below, entry_span, work)
        };
        view::store::<M, H>(table, index, entry.bits());
    }
    M::Maintenance::order_table();
    table
}

//! Mapping a region.

use core::ops::Range;

use super::{RegionOptions, check_page_aligned};
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::change::share::Sharing;
use crate::change::walk::{first_mapped, link};
use crate::flush::pending::Due;
use crate::node::frame_chain::FrameChain;
use crate::node::geometry::{
    Rows, Span, check_frame, entries, leaf_bytes, level_bytes, size_of_level,
};
use crate::node::memory::Table;
use crate::read::view::is_table;
use crate::{
    GenericPTE, MappingFlags, PageSize, PageTable64, PagingError, PagingHandler, PagingMetaData,
    PagingResult,
};

/// What `map_region` was asked for. The flags are known to have an encoding.
struct Mapping {
    span: Span,
    pa: PhysAddr,
    flags: MappingFlags,
    options: RegionOptions,
    /// The first level that leaves may stand at: not in the place of a shared table.
    first_level: usize,
}

impl Mapping {
    /// The frame for offset `start`.
    fn frame(&self, start: usize) -> PhysAddr {
        PhysAddr::new(self.pa.as_usize() + (start - self.span.start))
    }

    /// The size of the leaves at `level`, if entries there that are covered whole become leaves.
    fn leaf_size<M: PagingMetaData>(&self, level: usize) -> Option<PageSize> {
        let size = size_of_level::<M>(level)?;
        if level < self.first_level {
            return None;
        }
        if size == PageSize::Size4K {
            return Some(size);
        }
        // Every such entry is as far from alignment as the region itself.
        let skew = self.pa.as_usize().wrapping_sub(self.span.start);
        let aligned = skew & (leaf_bytes::<M>(size) - 1) == 0;
        (self.options.contains(RegionOptions::HUGE) && aligned).then_some(size)
    }

    /// The leaf for the frame at `pa`.
    #[expect(clippy::panic, reason = "a mapping is refused before it begins")]
    fn leaf<PTE: GenericPTE>(&self, pa: PhysAddr, size: PageSize) -> PTE {
        match PTE::new_page(pa, self.flags, size) {
            Ok(leaf) => leaf,
            Err(error) => panic!("a mapping was checked, and then refused: {error}"),
        }
    }
}

impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    pub(crate) fn map_pages(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: usize,
        flags: MappingFlags,
        options: RegionOptions,
    ) -> PagingResult<Due> {
        self.debt.begin();
        let span = self.own_span(va, size)?;
        check_page_aligned(pa)?;
        let page = PTE::new_page(PhysAddr::new(0), flags, PageSize::Size4K)?;
        if span.is_empty() {
            self.debt.pages = 0;
            return Ok(Due::AsOwed);
        }
        check_frame::<M>(pa, size)?;
        let (shared, bytes) = (self.sharing().shared(), level_bytes::<M>(0));
        let meets = shared.start * bytes < span.end && span.start < shared.end * bytes;
        let mapping = Mapping {
            span,
            pa,
            flags,
            options,
            first_level: usize::from(meets),
        };
        let home = self.home(span);
        let rows = Rows::new::<M>(home.level, home.base, span);
        let mut tables = 0;
        let used = match mapping.leaf_size::<M>(home.level) {
            // Leaves of one table that is there already: what most regions come down to.
            Some(leaf) if rows.are_whole() => {
                let (first, count) = (rows.whole.start, rows.whole.len());
                if let Some(index) = home.table.first_used(first, count) {
                    return Err(self.occupied(home.table, home.level, home.base, index, span));
                }
                self.debt.settle_before_making(va, size);
                fill_run(home.table, rows.whole, home.base, leaf, &mapping);
                count
            }
            _ => {
                let parent = home.parent.as_ref().map(|parent| parent.entry);
                let table = (home.table, parent);
                tables = self.plan(table, home.level, home.base, span, &mapping)?;
                let mut reserve = FrameChain::reserve(tables)?;
                self.debt.settle_before_making(va, size);
                let place = (home.table, home.level, home.base);
                self.put(place, span, &mapping, &mut reserve)
            }
        };
        if let Some(parent) = &home.parent
            && PTE::COUNTS
            && used > 0
            && !self.is_lent(home.level, span.start)
        {
            let count = parent.entry.count() + used;
            parent.slot.store(parent.entry.with_count(count));
        }
        self.debt.pages = span.pages();
        if page.is_present() && !M::CACHES_INVALID && self.debt.is_settled() {
            return Ok(Due::Publication);
        }
        if page.is_present() {
            let pages = (page, span.pages());
            self.debt.owe_publications(va, PageSize::Size4K, pages);
            self.debt.concern(va, size);
        }
        if tables > 0 {
            self.owe_links(span, page);
        }
        Ok(Due::AsOwed)
    }

    /// Owes what follows from the tables that were linked for `span`, of leaves like `leaf`.
    fn owe_links(&mut self, span: Span, leaf: PTE) {
        self.debt
            .owe_link_to(M::vaddr_at(span.start), PageSize::Size4K, leaf);
        if !M::CACHES_INVALID || leaf.is_present() {
            return;
        }
        // Nothing has owed an address in any of them: one in each table of the last level is in
        // each of those above, too.
        let bytes = level_bytes::<M>(M::LEVELS - 2);
        let mut at = Span::of_entry::<M>(span.start, M::LEVELS - 2).end;
        while at < span.end && !self.debt.is_everything() {
            self.debt.owe_link(M::vaddr_at(at), PAGE_SIZE);
            at += bytes;
        }
    }

    /// Checks that nothing is mapped in `part`, which lies in the table at `level` that
    /// translates from `base` on and that `parent` leads to, and counts the tables that it needs.
    fn plan(
        &self,
        (table, parent): (Table<M, PTE, H>, Option<PTE>),
        level: usize,
        base: usize,
        part: Span,
        mapping: &Mapping,
    ) -> PagingResult<usize> {
        let rows = Rows::new::<M>(level, base, part);
        let mut tables = 0;
        let mut below = |index| -> PagingResult {
            tables += self.plan_entry(table, level, base, index, part, mapping)?;
            Ok(())
        };
        if mapping.leaf_size::<M>(level).is_none() {
            rows.touched.clone().try_for_each(below)?;
            return Ok(tables);
        }
        // In the order of addresses: the first that is mapped is the one that is reported.
        rows.head().into_iter().try_for_each(&mut below)?;
        if !self.holds_only(parent, (table, level, base), rows.partial())
            && let Some(index) = table.first_used(rows.whole.start, rows.whole.len())
        {
            return Err(self.occupied(table, level, base, index, part));
        }
        rows.tail().into_iter().try_for_each(below)?;
        Ok(tables)
    }

    /// The same for one entry, which does not become a leaf.
    fn plan_entry(
        &self,
        table: Table<M, PTE, H>,
        level: usize,
        base: usize,
        index: usize,
        part: Span,
        mapping: &Mapping,
    ) -> PagingResult<usize> {
        let start = base + index * level_bytes::<M>(level);
        let part = part.clip(Span::from_start::<M>(start, level));
        let entry = table.load(index);
        if entry.is_unused() {
            return Ok(new_tables::<M>(level + 1, start, part, mapping));
        }
        if !is_table::<M, PTE>(entry, level) {
            return Err(self.occupied(table, level, base, index, part));
        }
        let table = (Table::at(entry.paddr()), Some(entry));
        self.plan(table, level + 1, start, part, mapping)
    }

    /// Whether the table that `parent` leads to is known to be unused but for `entries`.
    fn holds_only(
        &self,
        parent: Option<PTE>,
        (table, level, base): (Table<M, PTE, H>, usize, usize),
        entries: impl Iterator<Item = usize>,
    ) -> bool {
        let counted = parent.filter(|_| PTE::COUNTS && !self.is_lent(level, base));
        counted.is_some_and(|parent| {
            parent.count()
                == entries
                    .filter(|index| !table.load(*index).is_unused())
                    .count()
        })
    }

    /// That the entry `index` is used, with the first address of `part` that it concerns.
    #[cold]
    fn occupied(
        &self,
        table: Table<M, PTE, H>,
        level: usize,
        base: usize,
        index: usize,
        part: Span,
    ) -> PagingError {
        let start = base + index * level_bytes::<M>(level);
        let entry = table.load(index);
        let first = if is_table::<M, PTE>(entry, level) {
            let table = Table::<M, PTE, H>::at(entry.paddr());
            first_mapped(table, level + 1, start)
        } else {
            Some(start.max(part.start))
        };
        match first {
            Some(offset) => PagingError::AlreadyMapped {
                va: M::vaddr_at(offset),
            },
            None => PagingError::Shared {
                va: M::vaddr_at(start),
            },
        }
    }

    /// Maps `part` in a table that walkers may read.
    fn put(
        &self,
        (table, level, base): (Table<M, PTE, H>, usize, usize),
        part: Span,
        mapping: &Mapping,
        reserve: &mut FrameChain<M, PTE, H>,
    ) -> usize {
        let rows = Rows::new::<M>(level, base, part);
        let mut used = 0;
        let mut below = |index| {
            let start = base + index * level_bytes::<M>(level);
            let part = part.clip(Span::from_start::<M>(start, level));
            let entry = table.load(index);
            if entry.is_unused() {
                let child = build::<M, PTE, H>(level + 1, start, part, mapping, reserve);
                link(table.slot(index), child);
                used += 1;
                return;
            }
            let child = Table::at(entry.paddr());
            let more = self.put((child, level + 1, start), part, mapping, reserve);
            if PTE::COUNTS && more > 0 && !self.is_lent(level + 1, start) {
                table.store(index, entry.with_count(entry.count() + more));
            }
        };
        match mapping.leaf_size::<M>(level) {
            None => rows.touched.for_each(below),
            Some(size) => {
                rows.partial().for_each(&mut below);
                used += rows.whole.len();
                fill_run(table, rows.whole, base, size, mapping);
            }
        }
        used
    }
}

/// The tables that `part` needs at `level` and below, when the first of them, which translates
/// from `base` on, is new.
fn new_tables<M: PagingMetaData>(
    level: usize,
    base: usize,
    part: Span,
    mapping: &Mapping,
) -> usize {
    let rows = Rows::new::<M>(level, base, part);
    let whole = match mapping.leaf_size::<M>(level) {
        Some(_) => 0,
        None => rows.whole.len() * full_tables::<M>(level + 1, mapping),
    };
    let partial = rows.partial().map(|index| {
        let start = base + index * level_bytes::<M>(level);
        let part = part.clip(Span::from_start::<M>(start, level));
        new_tables::<M>(level + 1, start, part, mapping)
    });
    1 + whole + partial.sum::<usize>()
}

/// The tables that a mapping of all that a table of `level` translates needs.
fn full_tables<M: PagingMetaData>(level: usize, mapping: &Mapping) -> usize {
    match mapping.leaf_size::<M>(level) {
        Some(_) => 1,
        None => 1 + entries::<M>() * full_tables::<M>(level + 1, mapping),
    }
}

/// A table of `level` from the reserve that maps `part`: its entry. Nobody sees it yet.
fn build<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    level: usize,
    base: usize,
    part: Span,
    mapping: &Mapping,
    reserve: &mut FrameChain<M, PTE, H>,
) -> PTE {
    let frame = reserve.take();
    let table = Table::<M, PTE, H>::at(frame);
    let rows = Rows::new::<M>(level, base, part);
    let used = rows.touched.len();
    if used < entries::<M>() {
        H::zero_frame(frame);
    }
    let mut below = |index| {
        let start = base + index * level_bytes::<M>(level);
        let part = part.clip(Span::from_start::<M>(start, level));
        table.store(index, build(level + 1, start, part, mapping, reserve));
    };
    match mapping.leaf_size::<M>(level) {
        None => rows.touched.for_each(below),
        Some(size) => {
            rows.partial().for_each(&mut below);
            fill_run(table, rows.whole, base, size, mapping);
        }
    }
    PTE::new_table(frame).with_count(used)
}

/// Makes a run of entries leaves of `size`, with the contiguous hint on whole
/// groups if it is wanted.
fn fill_run<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    Range { start: first, end }: Range<usize>,
    base: usize,
    size: PageSize,
    mapping: &Mapping,
) {
    if first == end {
        return;
    }
    let bytes = leaf_bytes::<M>(size);
    let at = |index: usize| mapping.frame(base + index * bytes);
    if !mapping.options.contains(RegionOptions::CONTIGUOUS) {
        table.fill(first, end - first, mapping.leaf(at(first), size), size);
        return;
    }
    let groups = groups_in::<M, PTE>(first, end, at(first), size, mapping);
    if groups.is_empty() {
        table.fill(first, end - first, mapping.leaf(at(first), size), size);
        return;
    }
    for (first, end) in [(first, groups.start), (groups.end, end)] {
        if first < end {
            table.fill(first, end - first, mapping.leaf(at(first), size), size);
        }
    }
    let leaf = mapping
        .leaf::<PTE>(at(groups.start), size)
        .with_contiguous();
    table.fill(groups.start, groups.len(), leaf, size);
}

/// The entries of `first..end` that can have the contiguous hint: whole groups, aligned in both
/// address spaces, present.
fn groups_in<M: PagingMetaData, PTE: GenericPTE>(
    first: usize,
    end: usize,
    pa: PhysAddr,
    size: PageSize,
    mapping: &Mapping,
) -> Range<usize> {
    let wanted = PTE::CONTIGUOUS > 1
        && mapping.options.contains(RegionOptions::CONTIGUOUS)
        && mapping.flags.intersects(MappingFlags::RIGHTS)
        && size != PageSize::Size1G;
    let frame = pa.as_usize() / leaf_bytes::<M>(size);
    let aligned = frame % PTE::CONTIGUOUS == first % PTE::CONTIGUOUS;
    let start = first.next_multiple_of(PTE::CONTIGUOUS);
    let end = end / PTE::CONTIGUOUS * PTE::CONTIGUOUS;
    if wanted && aligned && start < end {
        start..end
    } else {
        first..first
    }
}

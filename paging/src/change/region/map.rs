//! Mapping a region: tables and leaves for a range where nothing is mapped.
//!
//! # The scenario
//! `map_region(0x3f_f000, 0x8000_f000, 0x20_2000, read-write, HUGE)`, in an empty gigabyte:
//!
//! ```text
//! level 2: [1] table --> level 3: [511] page  0x3f_f000 -> 0x8000_f000
//!          [2] table --> level 3: [0..512] pages: 0x40_0000 is aligned, frame 0x8001_0000 is not
//!          [3] table --> level 3: [0] page    0x60_0000 -> 0x8021_0000
//! ```
//!
//! 1. *Plan.* The walk goes to the lowest table that covers the region. Every entry in the region
//!    must be unused, down to the pages; the first that is not is the error, with its address. The
//!    tables that are missing are counted.
//! 2. *Reserve.* Exactly so many frames are taken from the handler, or none: the last step that can
//!    fail. Nothing is visible yet.
//! 3. *Put.* Entries are stored. A new table is filled while no walker sees it, and linked when it
//!    is complete, by one store after a barrier; in a table that is linked already, each leaf
//!    appears by its own store. The counts of tables that were there grow.
//! 4. What became valid is published by the receipt. No TLB holds anything of it, except where the
//!    architecture caches invalid entries.
//!
//! Whether entries at a level become leaves is decided once for the whole region (`mapping`), so
//! that a run of entries is filled in one loop, without a decision for each (W1: 2.5 instructions a
//! page).

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::change::region::mapping::{
    Leaves, Mapping, RegionOptions, Scattered, build, new_tables,
};
use crate::change::tree::Tree;
use crate::change::walk::{first_mapped, link};
use crate::flush::work::FlushWork;
use crate::node::descent::Node;
use crate::node::frame_chain::FrameChain;
use crate::node::geometry::{Span, check_frame, leaf_bytes, level_bytes, level_of_size};
use crate::node::sharing::Sharing;
use crate::{
    GenericPTE, MappingFlags, PageSize, PagingError, PagingHandler, PagingMetaData, PagingResult,
};

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Maps `size` bytes from `va` on to the frames from `pa` on. Returns the work of its receipt.
    pub(crate) fn map_pages(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: usize,
        flags: MappingFlags,
        options: RegionOptions,
    ) -> PagingResult<FlushWork> {
        self.pending.begin();
        let span = self.own_span(va, size)?;
        check_page_aligned(pa)?;
        let page = PTE::new_page(PhysAddr::new(0), flags, PageSize::Size4K)?;
        if span.is_empty() {
            self.pending.pages = 0;
            return Ok(FlushWork::AllPending);
        }
        // The last frame must have an address that a descriptor can name, too.
        check_frame::<M>(pa, size)?;
        let mapping = Mapping {
            span,
            pa,
            flags,
            options,
            first_level: self.first_leaf_level(span),
        };
        self.map_span(va, span, page, &mapping)
    }

    /// Maps leaves of `size` from `va` on to `frames`, one each. Returns the work of its receipt.
    pub(crate) fn map_scattered(
        &mut self,
        va: VirtAddr,
        frames: &[PhysAddr],
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult<FlushWork> {
        self.pending.begin();
        let bytes = leaf_bytes::<M>(size);
        if !va.is_aligned(bytes) {
            return Err(PagingError::NotAligned {
                value: va.as_usize(),
                alignment: bytes,
            });
        }
        let total = frames.len().checked_mul(bytes);
        let too_long = PagingError::RangeTooLong {
            va,
            size: usize::MAX,
        };
        let span = self.own_span(va, total.ok_or(too_long)?)?;
        let leaf = PTE::new_page(PhysAddr::new(0), flags, size)?;
        // Each frame is checked before anything is stored: the last one may be the wrong one, and
        // nothing is taken back.
        for frame in frames {
            check_frame::<M>(*frame, bytes)?;
            PTE::new_page(*frame, flags, size)?;
        }
        if span.is_empty() {
            self.pending.pages = 0;
            return Ok(FlushWork::AllPending);
        }
        // A leaf in the place of a shared table would stand in this tree's root alone.
        if level_of_size::<M>(size) < self.first_leaf_level(span) {
            return Err(PagingError::Shared { va });
        }
        let mapping = Scattered {
            span,
            frames,
            leaf,
            size,
        };
        self.map_span(va, span, leaf, &mapping)
    }

    /// Maps `span`, which begins at `va` and is not empty, with leaves like `page`. Returns the work
    /// of the receipt.
    #[inline(always)]
    fn map_span(
        &mut self,
        va: VirtAddr,
        span: Span,
        page: PTE,
        mapping: &impl Leaves,
    ) -> PagingResult<FlushWork> {
        let size = span.bytes();
        let covering = self.covering(span);
        let node = &covering.node;
        let rows = node.rows(span);
        let mut tables = 0;
        let used = match mapping.leaf_size::<M>(node.level) {
            // Leaves of one table that is there already: what most regions come down to.
            Some(leaf) if rows.are_whole() => {
                let (first, count) = (rows.whole.start, rows.whole.len());
                if let Some(index) = node.table.first_used(first, count) {
                    return Err(occupied(node, index, span));
                }
                // Leaves that this batch unmapped here may still be cached: they go first.
                self.pending.flush_before_making(va, size);
                mapping.fill(node.table, rows.whole, node.offset(first), leaf);
                count
            }
            // Tables are missing, or there already: two walks, the first of which only looks.
            _ => {
                let parent = covering.parent.as_ref().map(|parent| parent.entry);
                tables = self.plan(node, parent, span, mapping)?;
                let mut reserve = FrameChain::reserve(tables)?;
                // From here on nothing fails.
                self.pending.flush_before_making(va, size);
                self.put(node, span, mapping, &mut reserve)
            }
        };
        if let Some(parent) = &covering.parent
            && PTE::COUNTS
            && used > 0
            && !self.is_shared_top(node.level, span.start)
        {
            let count = parent.entry.count() + used;
            parent.entry_ref.store(parent.entry.with_count(count));
        }
        Ok(self.queue_mapped(span, page, tables))
    }

    /// The first level at which leaves may stand in `span`: below the root where the region meets
    /// the shared top level. A 1 GiB block of Sv39 in place of a shared table would stand in this
    /// tree's root alone, and the other trees would not see it.
    #[inline(always)]
    fn first_leaf_level(&self, span: Span) -> usize {
        let (shared, bytes) = (self.sharing().shared(), level_bytes::<M>(0));
        let meets = shared.start * bytes < span.end && span.start < shared.end * bytes;
        usize::from(meets)
    }

    /// Queues what follows from mapping `span` with leaves like `page`, for which so many `tables`
    /// were linked. Returns the work of the receipt.
    #[inline(always)]
    fn queue_mapped(&mut self, span: Span, page: PTE, tables: usize) -> FlushWork {
        self.pending.pages = span.pages();
        // Nearly always: two barriers publish all of it, however many pages there are.
        if page.is_present() && !M::CACHES_INVALID && self.pending.nothing_to_invalidate() {
            return FlushWork::Publish;
        }
        // Inaccessible leaves are invalid before and after: no TLB holds anything of them.
        if page.is_present() {
            let va = M::vaddr_at(span.start);
            let pages = (page, span.pages());
            self.pending.queue_publications(va, PageSize::Size4K, pages);
            self.pending.extend_cover(va, span.bytes());
        }
        if tables > 0 {
            self.queue_links(span, page);
        }
        FlushWork::AllPending
    }

    /// Queues what follows from the tables that were linked for `span`, of leaves like `leaf`.
    ///
    /// Where invalid entries are cached (RISC-V), walkers may remember that there was no table:
    /// that goes with an invalidation in each table's range. Present leaves have queued theirs
    /// already; for inaccessible ones, one address in each table of the last level is queued here.
    fn queue_links(&mut self, span: Span, leaf: PTE) {
        self.pending
            .queue_link_to(M::vaddr_at(span.start), PageSize::Size4K, leaf);
        if !M::CACHES_INVALID || leaf.is_present() {
            return;
        }
        // No address in any of them is queued yet: one in each table of the last level is in each
        // of those above, too.
        let bytes = level_bytes::<M>(M::LEVELS - 2);
        let mut at = Span::of_entry::<M>(span.start, M::LEVELS - 2).end;
        while at < span.end && !self.pending.is_flush_all() {
            self.pending.queue_link(M::vaddr_at(at), PAGE_SIZE);
            at += bytes;
        }
    }

    /// Checks that nothing is mapped in `part`, which lies in `node`, to which `parent` leads, and
    /// counts the tables that it needs.
    ///
    /// Only entries at the ends of the part, or whole ones where leaves cannot be, are gone into;
    /// of the others it is enough that they are unused.
    fn plan(
        &self,
        node: &Node<M, PTE, H>,
        parent: Option<PTE>,
        part: Span,
        mapping: &impl Leaves,
    ) -> PagingResult<usize> {
        let rows = node.rows(part);
        let mut tables = 0;
        let mut below = |index| -> PagingResult {
            tables += self.plan_entry(node, index, part, mapping)?;
            Ok(())
        };
        if mapping.leaf_size::<M>(node.level).is_none() {
            rows.touched.clone().try_for_each(below)?;
            return Ok(tables);
        }
        // In the order of addresses: the first that is mapped is the one that is reported.
        rows.head().into_iter().try_for_each(&mut below)?;
        // Those between need only be unused.
        if !self.holds_only(node, parent, rows.partial())
            && let Some(index) = node.table.first_used(rows.whole.start, rows.whole.len())
        {
            return Err(occupied(node, index, part));
        }
        rows.tail().into_iter().try_for_each(below)?;
        Ok(tables)
    }

    /// Plans entry `index` of `node`, which does not become a leaf: counts the tables that `part`
    /// needs below it.
    fn plan_entry(
        &self,
        node: &Node<M, PTE, H>,
        index: usize,
        part: Span,
        mapping: &impl Leaves,
    ) -> PagingResult<usize> {
        let start = node.offset(index);
        let part = part.clip(Span::from_start::<M>(start, node.level));
        let entry = node.table.load(index);
        if entry.is_unused() {
            return Ok(new_tables::<M>(node.level + 1, start, part, mapping));
        }
        if !node.is_table(entry) {
            return Err(occupied(node, index, part));
        }
        self.plan(&node.child(index, entry), Some(entry), part, mapping)
    }

    /// Whether `node`, to which `parent` leads, is known to be unused but for `entries`: its count
    /// says so, and spares looking at up to 512 entries.
    fn holds_only(
        &self,
        node: &Node<M, PTE, H>,
        parent: Option<PTE>,
        entries: impl Iterator<Item = usize>,
    ) -> bool {
        let counted = parent.filter(|_| PTE::COUNTS && !self.is_shared_top(node.level, node.base));
        counted.is_some_and(|parent| {
            parent.count()
                == entries
                    .filter(|index| !node.table.load(*index).is_unused())
                    .count()
        })
    }

    /// Maps `part` in `node`, which walkers may read. Returns how many of its entries came into
    /// use.
    ///
    /// The tables for what is missing come from `reserve`, complete before they are linked; a table
    /// that is there already is gone into, and its count grows when its entries are stored: a count
    /// that is too low for a moment harms nobody, because one writer alone reads it.
    fn put(
        &self,
        node: &Node<M, PTE, H>,
        part: Span,
        mapping: &impl Leaves,
        reserve: &mut FrameChain<M, PTE, H>,
    ) -> usize {
        let rows = node.rows(part);
        // Entries of `node` that were unused: what its own parent counts.
        let mut used = 0;
        let mut below = |index| {
            let start = node.offset(index);
            let part = part.clip(Span::from_start::<M>(start, node.level));
            let entry = node.table.load(index);
            // Complete before it is linked, by one store: no walker finds half of it.
            if entry.is_unused() {
                let child = build(node.level + 1, start, part, mapping, reserve);
                link(node.table.entry_ref(index), child);
                used += 1;
                return;
            }
            // A table that walkers read already: its entries first, then the count of its parent.
            let more = self.put(&node.child(index, entry), part, mapping, reserve);
            if PTE::COUNTS && more > 0 && !self.is_shared_top(node.level + 1, start) {
                let count = entry.count() + more;
                node.table.store(index, entry.with_count(count));
            }
        };
        match mapping.leaf_size::<M>(node.level) {
            None => rows.touched.for_each(below),
            Some(size) => {
                rows.partial().for_each(&mut below);
                used += rows.whole.len();
                let start = node.offset(rows.whole.start);
                mapping.fill(node.table, rows.whole, start, size);
            }
        }
        used
    }
}

/// The error for entry `index` of `node`, which is used: with the first address of `part` that is
/// mapped there. A table without any leaf is a shared one: it is in use, whatever is mapped below.
#[cold]
fn occupied<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: &Node<M, PTE, H>,
    index: usize,
    part: Span,
) -> PagingError {
    let entry = node.table.load(index);
    let first = if node.is_table(entry) {
        first_mapped(node.child(index, entry))
    } else {
        Some(node.offset(index).max(part.start))
    };
    match first {
        Some(offset) => PagingError::AlreadyMapped {
            va: M::vaddr_at(offset),
        },
        None => PagingError::Shared { va: node.va(index) },
    }
}

/// Refuses a frame address that is not that of a page: `map_region` aligns nothing.
fn check_page_aligned(pa: PhysAddr) -> PagingResult {
    if pa.is_aligned(PAGE_SIZE) {
        return Ok(());
    }
    Err(PagingError::NotAligned {
        value: pa.as_usize(),
        alignment: PAGE_SIZE,
    })
}

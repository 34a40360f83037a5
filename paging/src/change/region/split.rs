//! Splitting what a region covers in part: a block becomes a table, a contiguous group loses its
//! hint.
//!
//! # The scenario
//! Unmap 0x40_1000..0x60_0000 where a block maps 0x40_0000..0x60_0000 (2 MiB) to frame 0x8000_0000:
//!
//! ```text
//! before   level 2: [2] block 0x8000_0000
//! after    level 2: [2] table --> level 3: [0] page 0x8000_0000   outside of the region: stays
//!                                          [1..512] unused        inside: unmapped
//! ```
//!
//! 1. Each end of the region is walked to. What it falls into, if the change would alter that, is a
//!    *boundary*: one leaf, or the 16 of a contiguous group, which the hardware may hold as one.
//! 2. The tables that both boundaries need are counted and taken from the handler. Only this can
//!    fail, and nothing has changed yet.
//! 3. The tables are filled where no walker sees them: with what the block mapped, and the change
//!    applied inside the region. An end within a 1 GiB block needs a table of 2 MiB blocks, and
//!    below it one of pages.
//! 4. Break-before-make (DDI 0487 D8.17.1): a walker must never find block and pages for one
//!    address. All entries of both boundaries are made invalid, invalidated on every core, then
//!    stored anew; other cores that may use the range are kept off meanwhile. Both boundaries share
//!    the one break.
//! 5. The rest of the region begins and ends with whole leaves, which is what `change` works on.

use core::ops::Range;

use crate::addr::PhysAddr;
use crate::change::request::{LeafChange, Request};
use crate::change::tree::Tree;
use crate::change::walk::link;
use crate::metadata::while_broken;
use crate::node::descent::Node;
use crate::node::frame_chain::FrameChain;
use crate::node::geometry::{
    Rows, Span, entries, leaf_bytes, level_bytes, offset_index, size_of_level,
};
use crate::node::memory::Table;
use crate::node::sharing::Sharing;
use crate::{GenericPTE, PageSize, PagingHandler, PagingMetaData, PagingResult};

/// A leaf, or a whole contiguous group of leaves, that a region covers in part.
struct Boundary<M, PTE, H> {
    node: Node<M, PTE, H>,
    /// The index of the first leaf in the node.
    first: usize,
    /// How many leaves: 1, or a contiguous group.
    count: usize,
    /// The size of each.
    size: PageSize,
    /// The first leaf, as it is before the change.
    leaf: PTE,
    /// The range that the leaves translate.
    span: Span,
    /// Index and entry of the tables that take the place of leaves of which only a part changes.
    tables: [Option<(usize, PTE)>; 2],
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Boundary<M, PTE, H> {
    /// The leaf at `index`, without the contiguous hint.
    fn leaf_at(&self, index: usize) -> PTE {
        self.node.table.load(index).without_contiguous()
    }

    /// Where the leaves stand in the node.
    fn indices(&self) -> Range<usize> {
        self.first..self.first + self.count
    }

    /// The entries that `span` touches.
    fn rows(&self, span: Span) -> Rows {
        self.node.rows(span.clip(self.span))
    }

    /// Tables needed so that the ends of `span` fall between leaves.
    fn count_tables(&self, span: Span) -> usize {
        let split = |index| {
            let entry_span = self.node.entry_span(index);
            split_tables::<M>(self.node.level, entry_span, span)
        };
        self.rows(span).partial().map(split).sum()
    }

    /// Builds the tables for the leaves that are split.
    #[expect(
        clippy::indexing_slicing,
        reason = "a span has two ends, and no more entries are cut"
    )]
    fn build<C: LeafChange<PTE>>(
        &mut self,
        request: Request<C>,
        reserve: &mut FrameChain<M, PTE, H>,
    ) {
        let partial = self.rows(request.span).partial();
        for (slot, index) in [0, 1].into_iter().zip(partial) {
            let entry_span = self.node.entry_span(index);
            let leaf = self.leaf_at(index);
            let table = split(leaf, self.node.level, entry_span, request, reserve);
            self.tables[slot] = Some((index, table));
        }
    }

    /// Makes all leaves invalid for a moment.
    fn break_all(&self) {
        for index in self.indices() {
            let entry = self.node.table.load(index);
            self.node.table.store(index, entry.broken());
        }
    }

    /// Stores new entries in place of all. Returns how many are unused now.
    ///
    /// The old leaves are worked out from the first, as it was: in memory they are broken by now.
    /// In a group each maps the frame behind its predecessor's.
    fn make<C: LeafChange<PTE>>(&self, request: Request<C>) -> usize {
        let Request { span, change } = request;
        let node = self.node;
        let mut cleared = 0;
        let mut leaf = self.leaf.without_contiguous();
        for index in self.indices() {
            let table = self.tables.iter().flatten().find(|table| table.0 == index);
            if let Some((_, table)) = table {
                link(node.table.entry_ref(index), *table);
            } else if span.covers(node.entry_span(index)) {
                let new = change.apply(leaf, self.size);
                cleared += usize::from(new.is_unused());
                node.table.store(index, new);
            } else {
                node.table.store(index, leaf);
            }
            leaf = leaf.next(self.size);
        }
        cleared
    }
}

/// The boundaries at the two ends of a region; at most one if a single one holds both ends.
type Boundaries<M, PTE, H> = [Option<Boundary<M, PTE, H>>; 2];

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Splits the boundaries of the requested span, and changes what of them lies in it. Returns
    /// the rest of the span, which has no boundaries: 0x40_1000..0x60_0000 in the scenario is all
    /// done, and the rest is empty.
    #[cold]
    #[inline(never)]
    pub(in crate::change::region) fn split_boundaries<C: LeafChange<PTE>>(
        &mut self,
        request: Request<C>,
    ) -> PagingResult<Span> {
        let span = request.span;
        let (mut boundaries, tables) = self.boundaries(request);
        let mut reserve = FrameChain::reserve(tables)?;
        self.split_all(&mut boundaries, request, &mut reserve);
        let [start, end] = &boundaries;
        let start = start
            .as_ref()
            .map_or(span.start, |boundary| boundary.span.end);
        let end = end
            .as_ref()
            .map_or(span.end, |boundary| boundary.span.start);
        Ok(Span {
            start,
            end: end.max(start),
        })
    }

    /// The boundaries of `span`, and how many tables they need.
    ///
    /// One leaf may hold both ends, as a 1 GiB block of which a page in the middle is unmapped
    /// does; then it is the only boundary. No leaf holds an end that is the end of the tree.
    fn boundaries<C: LeafChange<PTE>>(
        &self,
        request: Request<C>,
    ) -> (Boundaries<M, PTE, H>, usize) {
        let span = request.span;
        // The end of a reader's own part is where the shared one may begin: the walk to it may come
        // to tables that the writer frees.
        let _walk = self.sharing().walk();
        let start = self.boundary_at(span.start, request);
        let both = start
            .as_ref()
            .is_some_and(|boundary| span.end <= boundary.span.end);
        let end = if both || span.end == 1 << M::VA_MAX_BITS {
            None
        } else {
            self.boundary_at(span.end, request)
        };
        let boundaries = [start, end];
        let tables = boundaries
            .iter()
            .flatten()
            .map(|boundary| boundary.count_tables(span));
        let tables = tables.sum();
        (boundaries, tables)
    }

    /// The boundary that holds `offset`, an end of the requested span, unless `offset` falls
    /// between leaves or nothing would change: a block that is read-only already is not split to
    /// make a part of it read-only.
    fn boundary_at<C: LeafChange<PTE>>(
        &self,
        offset: usize,
        request: Request<C>,
    ) -> Option<Boundary<M, PTE, H>> {
        let Request { span, change } = request;
        let place = self.walk_to(M::vaddr_at(offset), M::LEVELS - 1);
        let size = size_of_level::<M>(place.level)?;
        let leaf = place.entry;
        // A page is whole wherever the region ends.
        let page = size == PageSize::Size4K && !leaf.is_contiguous();
        if page || leaf.is_unused() {
            return None;
        }
        let count = if leaf.is_contiguous() {
            PTE::CONTIGUOUS
        } else {
            1
        };
        // The hardware may hold a group as one entry, so that all of it is changed together: entry
        // 5 of a table belongs to the group 0..16.
        let index = offset_index::<M>(offset, place.level);
        let entry_start = Span::of_entry::<M>(offset, place.level).start;
        let bytes = level_bytes::<M>(place.level);
        let parent = place.parent.as_ref();
        let table = parent.map_or(self.root(), |parent| Table::at(parent.entry.paddr()));
        let node = Node::new(table, place.level, entry_start - index * bytes);
        let first = index / count * count;
        let start = node.offset(first);
        let all = Span {
            start,
            end: start + count * bytes,
        };
        if span.covers(all) || span.is_disjoint(all) || !change.alters(leaf, size) {
            return None;
        }
        Some(Boundary {
            node,
            first,
            count,
            size,
            leaf: node.table.load(first),
            span: all,
            tables: [None; 2],
        })
    }

    /// Splits `boundaries`, both with one break: what lies between them is kept off together with
    /// them, so that other cores are stopped once.
    fn split_all<C: LeafChange<PTE>>(
        &mut self,
        boundaries: &mut Boundaries<M, PTE, H>,
        request: Request<C>,
        reserve: &mut FrameChain<M, PTE, H>,
    ) {
        for boundary in boundaries.iter_mut().flatten() {
            boundary.build(request, reserve);
        }
        // From the first boundary to the last.
        let hull = boundaries.iter().flatten().map(|boundary| boundary.span);
        let Some(hull) = hull.reduce(|hull, span| Span {
            start: hull.start,
            end: span.end,
        }) else {
            return;
        };
        if boundaries
            .iter()
            .flatten()
            .any(|boundary| boundary.leaf.is_present())
        {
            while_broken::<M>(M::vaddr_at(hull.start), hull.bytes(), || {
                self.break_boundaries(boundaries);
                self.make_boundaries(boundaries, request);
                self.pending.flush();
            });
        } else {
            // Walkers cannot hold what was invalid: nothing to break.
            self.make_boundaries(boundaries, request);
        }
    }

    /// The break: from here until the new entries are stored, the addresses fault.
    ///
    /// The invalidation reaches every ASID and cached pointers, and has completed on all cores when
    /// this returns: a core that walked before may have cached the block under any of them.
    fn break_boundaries(&mut self, boundaries: &Boundaries<M, PTE, H>) {
        for boundary in boundaries
            .iter()
            .flatten()
            .filter(|boundary| boundary.leaf.is_present())
        {
            boundary.break_all();
            let va = M::vaddr_at(boundary.span.start);
            self.pending
                .queue_invalidations(va, boundary.size, (boundary.leaf, boundary.count));
        }
        self.pending.invalidate_broken();
    }

    /// The make: stores the new entries, and queues their publication.
    fn make_boundaries<C: LeafChange<PTE>>(
        &mut self,
        boundaries: &Boundaries<M, PTE, H>,
        request: Request<C>,
    ) {
        for boundary in boundaries.iter().flatten() {
            let va = M::vaddr_at(boundary.span.start);
            self.pending.flush_before_making(va, boundary.span.bytes());
            let cleared = boundary.make(request);
            // The walk goes to the table as it is now: the parent's count may have changed with the
            // first boundary.
            let level = boundary.node.level;
            if let Some(parent) = &self.walk_to(va, level).parent {
                let empty = self.empties(parent, level, boundary.span.start, cleared);
                debug_assert!(!empty, "a part of a boundary stays mapped");
            }
            self.queue_made(boundary);
            self.pending.pages += request.span.clip(boundary.span).pages();
        }
    }

    /// Queues what follows from the new entries of `boundary`.
    ///
    /// Where invalid entries are cached, that is one invalidation for each leaf that is valid now
    /// and was not a moment ago: of an inaccessible block those that got rights, of a block that
    /// was broken all. An invalidation of the block's first address spares what is cached for the
    /// pages behind it, which stand in a table now.
    fn queue_made(&mut self, boundary: &Boundary<M, PTE, H>) {
        self.pending.queue_barrier();
        if !M::CACHES_INVALID {
            return;
        }
        self.queue_leaves(boundary.node, boundary.indices());
        let va = M::vaddr_at(boundary.span.start);
        self.pending.extend_cover(va, boundary.span.bytes());
        for (index, _) in boundary.tables.iter().flatten() {
            let entry_span = boundary.node.entry_span(*index);
            let va = M::vaddr_at(entry_span.start);
            self.pending.queue_link(va, entry_span.bytes());
        }
    }

    /// Queues the publication of every present leaf at or below the entries `indices` of `node`, a
    /// run of leaves that differ in their frames alone at a time.
    fn queue_leaves(&mut self, node: Node<M, PTE, H>, indices: Range<usize>) {
        let mut index = indices.start;
        while index < indices.end {
            let entry = node.table.load(index);
            let mut count = 1;
            if node.is_table(entry) {
                self.queue_leaves(node.child(index, entry), 0..entries::<M>());
            } else if let Some(size) = node.leaf_size()
                && entry.is_present()
            {
                count = node.table.alike(index, indices.end - index, size, entry);
                let va = node.va(index);
                self.pending.queue_publications(va, size, (entry, count));
            }
            index += count;
        }
    }
}

/// Tables needed to split a leaf at `level` that translates `entry` so that the ends of `span`
/// fall between leaves: 1 for a 2 MiB block; for a 1 GiB block 1, and 1 for each end that is not a
/// multiple of 2 MiB.
fn split_tables<M: PagingMetaData>(level: usize, entry: Span, span: Span) -> usize {
    let rows = Rows::new::<M>(level + 1, entry.start, span.clip(entry));
    let below = rows.partial().map(|index| {
        let start = entry.start + index * level_bytes::<M>(level + 1);
        split_tables::<M>(level + 1, Span::of_entry::<M>(start, level + 1), span)
    });
    1 + below.sum::<usize>()
}

/// A table from the reserve that maps what `leaf` does, which stands at `level` and translates
/// `entry`, but for the requested change: its entry.
#[expect(
    clippy::panic,
    reason = "what is mapped has an encoding, at every size below"
)]
fn split<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler, C: LeafChange<PTE>>(
    leaf: PTE,
    level: usize,
    entry: Span,
    request: Request<C>,
    reserve: &mut FrameChain<M, PTE, H>,
) -> PTE {
    let frame = reserve.take();
    let node = Node::<M, PTE, H>::new(Table::at(frame), level + 1, entry.start);
    let Some(size) = node.leaf_size() else {
        panic!("a leaf at level {level} has nothing below it");
    };
    let at = |index: usize| {
        let pa = PhysAddr::new(leaf.paddr().as_usize() + index * leaf_bytes::<M>(size));
        match PTE::new_page(pa, leaf.flags(), size) {
            Ok(piece) => piece.with_software(leaf.software()),
            Err(error) => panic!("a leaf that is mapped has no smaller form: {error}"),
        }
    };
    // First all as it was, then what changes: nobody sees the table yet.
    let rows = node.rows(request.span.clip(entry));
    node.table.fill(0, entries::<M>(), at(0), size);
    let mut used = entries::<M>();
    for index in rows.whole.clone() {
        let new = request.change.apply(at(index), size);
        used -= usize::from(new.is_unused());
        node.table.store(index, new);
    }
    for index in rows.partial() {
        let entry = node.entry_span(index);
        let child = split::<M, PTE, H, C>(at(index), node.level, entry, request, reserve);
        debug_assert!(node.is_table(child), "a split makes a table");
        node.table.store(index, child);
    }
    PTE::new_table(frame).with_count(used)
}

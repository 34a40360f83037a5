//! Unmapping a region, and giving it other flags.
//!
//! First `split` sees to it that every leaf of the region lies in it whole.
//!
//! # Unmapping 0x40_0000..0xc0_1000
//! Three tables of pages, a block at 0xa0_0000, and the first page of a table behind it:
//!
//! 1. An entry of level 2 whose range is covered whole is cleared by one store: with it go the
//!    table below it and its 512 pages, which are not cleared one by one.
//! 2. Queued are the table (it is freed when no walker can be in it), and one address for each leaf
//!    that was valid; more than 32 become an invalidation of everything, and then leaves are not
//!    looked at any more.
//! 3. At the ends, where a table stays in use, leaves are cleared a run at a time, and its count
//!    lowered. A table that holds nothing but the region's leaves goes as a whole, too.
//! 4. A table that is left empty is unlinked, and so on up (`walk`).
//!
//! # Other flags
//! 1. What can follow its predecessor without a break is rewritten in place, a run of equal leaves
//!    at a time: 512 pages to read-only are 512 stores, and one invalidation (W6).
//! 2. From the first leaf on that cannot (another memory type, DDI 0487 D8.17.1), the rest of the
//!    region is broken as a whole, invalidated once, and made anew. The broken entries carry the
//!    new attributes already, so that the second pass need not remember the old.

use core::ops::{ControlFlow, Range};

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::change::request::{Change, LeafChange, Request};
use crate::change::tree::Tree;
use crate::change::walk::{Covering, Parent};
use crate::metadata::while_broken;
use crate::node::descent::Node;
use crate::node::geometry::{Span, entries, leaf_bytes, level_bytes, size_of_level};
use crate::node::memory::Table;
use crate::node::sharing::Sharing;
use crate::{GenericPTE, MappingFlags, PageSize, PagingHandler, PagingMetaData, PagingResult};

/// How a walk over a region rewrites its leaves: once with `Direct`, and where that stops, over the
/// rest with `Break` and then `Make`.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// Stores the new leaves, up to the first that needs a break.
    Direct,
    /// Makes invalid what needs a break, with the new rights in it.
    Break,
    /// Stores the new leaves: nothing needs a break any more.
    Make,
}

/// The new leaves of a region that gets other flags.
pub(in crate::change::region) trait Successors<PTE: GenericPTE> {
    /// The leaf of frame 0 that takes the place of `old`: groups stay groups as long as they are
    /// present. Of an entry that was broken with its new attributes, the leaf with these.
    fn successor(&self, old: PTE, size: PageSize) -> PTE;
}

/// The new leaves, by size: of frame 0. Made once for a region, so that a leaf's own frame is all
/// that is put in for each.
struct Leaves<PTE>([PTE; 3]);

impl<PTE: GenericPTE> Leaves<PTE> {
    fn new(flags: MappingFlags) -> PagingResult<Self> {
        let [page, block, big] = PageSize::ALL;
        let leaf = |size| PTE::new_page(PhysAddr::new(0), flags, size);
        Ok(Self([leaf(page)?, leaf(block)?, leaf(big)?]))
    }
}

impl<PTE: GenericPTE> Successors<PTE> for Leaves<PTE> {
    #[expect(
        clippy::indexing_slicing,
        reason = "there are three sizes, and three leaves"
    )]
    fn successor(&self, old: PTE, size: PageSize) -> PTE {
        let new = self.0[size.levels_below()].bits() | old.bits() & PTE::SOFTWARE;
        let new = PTE::from_bits(new);
        if old.is_contiguous() && new.is_present() {
            new.with_contiguous()
        } else {
            new
        }
    }
}

/// Where a run of equal leaves begins.
struct RunStart<M, PTE, H> {
    node: Node<M, PTE, H>,
    /// The entries of the region from the first leaf on.
    indices: Range<usize>,
    /// The first leaf.
    entry: PTE,
    size: PageSize,
    /// The region, or the part of it in the node: a leaf that would not change may lie across
    /// its ends.
    part: Span,
}

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Unmaps whatever is mapped in `size` bytes from `va` on.
    pub(crate) fn unmap_pages(&mut self, va: VirtAddr, size: usize) -> PagingResult {
        let span = self.own_span(va, size)?;
        let change = Change::Unmap;
        self.change_region(Request { span, change })
    }

    /// Gives whatever is mapped in `size` bytes from `va` on other flags.
    pub(crate) fn protect_pages(
        &mut self,
        va: VirtAddr,
        size: usize,
        flags: MappingFlags,
    ) -> PagingResult {
        let span = self.own_span(va, size)?;
        PTE::new_page(PhysAddr::new(0), flags, PageSize::Size4K)?;
        let change = Change::Protect(flags);
        self.change_region(Request { span, change })
    }

    /// Does what is asked for in a span that this tree may change; the flags have an encoding.
    pub(crate) fn change_region(&mut self, request: Request) -> PagingResult {
        let Request { span, change } = request;
        // The receipt counts the pages of this operation alone.
        self.pending.pages = 0;
        self.pending.begin();
        if span.is_empty() {
            return Ok(());
        }
        if !self.pins.is_empty() {
            self.check_pins(request)?;
        }
        // Leaves that lie across an end of the span are split first, and changed inside it.
        let mut covering = self.covering(span);
        let mut inner = span;
        if covering.may_need_split(span) {
            // The tables that this has linked make another node the lowest that covers the rest.
            inner = self.split_boundaries(request)?;
            if inner.is_empty() {
                return Ok(());
            }
            covering = self.covering(inner);
        }
        match change {
            Change::Unmap => self.unmap_span(&covering, inner),
            Change::Protect(flags) => self.protect_span(&covering, inner, &Leaves::new(flags)?),
            Change::Update { .. } => self.update_span(inner, change),
        }
        Ok(())
    }

    /// Does what is asked for in a span that is one leaf, or a page of one.
    #[cold]
    pub(in crate::change) fn change_one<C: LeafChange<PTE>>(
        &mut self,
        request: Request<C>,
    ) -> PagingResult {
        let Request { span, change } = request;
        if !self.pins.is_empty() {
            self.check_pins(request)?;
        }
        let mut inner = span;
        if self.covering(span).may_need_split(span) {
            inner = self.split_boundaries(request)?;
        }
        if !inner.is_empty() {
            self.update_span(inner, change);
        }
        Ok(())
    }

    /// Unmaps every leaf of `span`, which lies in `covering` without boundaries.
    fn unmap_span(&mut self, covering: &Covering<M, PTE, H>, span: Span) {
        let node = &covering.node;
        let emptied = match &covering.parent {
            Some(parent)
                if node.level + 1 == M::LEVELS && self.is_all(parent.entry, node.base, span) =>
            {
                self.queue_contents(parent.entry, node);
                true
            }
            parent => {
                let fewer = self.clear(node, span);
                parent
                    .as_ref()
                    .is_some_and(|parent| self.empties(parent, node.level, node.base, fewer))
            }
        };
        // If more than 32 addresses are pending, everything is invalidated: for this span, too.
        self.pending
            .extend_cover(M::vaddr_at(span.start), span.bytes());
        if emptied {
            self.prune(node.va(0), node.level);
        }
    }

    /// Changes the one leaf that is `span`.
    fn update_span<C: LeafChange<PTE>>(&mut self, span: Span, change: C) {
        let va = M::vaddr_at(span.start);
        let place = self.walk_to(va, M::LEVELS - 1);
        if let Some(size) = size_of_level::<M>(place.level) {
            self.replace(&place, va, size, change.apply(place.entry, size));
        }
    }

    /// Gives every leaf of `span`, which lies in `covering` without boundaries, new flags.
    ///
    /// The second and third walk do not look at what the first has done, and cannot stop: their
    /// result says nothing.
    pub(in crate::change::region) fn protect_span(
        &mut self,
        covering: &Covering<M, PTE, H>,
        span: Span,
        leaves: &impl Successors<PTE>,
    ) {
        let node = &covering.node;
        let direct = self.rewrite(node, span, leaves, Step::Direct);
        self.pending
            .extend_cover(M::vaddr_at(span.start), span.bytes());
        let ControlFlow::Break(start) = direct else {
            return;
        };
        let rest = Span { start, ..span };
        while_broken::<M>(M::vaddr_at(start), rest.bytes(), || {
            let _ = self.rewrite(node, rest, leaves, Step::Break);
            self.pending.invalidate_broken();
            let _ = self.rewrite(node, rest, leaves, Step::Make);
            self.pending.flush();
        });
    }

    /// Takes `step` for every leaf of `part`, which lies in `node`. Stops with the offset of the
    /// first leaf that the step does not do.
    fn rewrite(
        &mut self,
        node: &Node<M, PTE, H>,
        part: Span,
        leaves: &impl Successors<PTE>,
        step: Step,
    ) -> ControlFlow<usize> {
        let mut rest = node.rows(part).touched;
        while let Some((index, entry)) = node.table.next_used(rest.clone()) {
            rest.start = index + 1;
            if node.is_table(entry) {
                let part = part.clip(node.entry_span(index));
                self.rewrite(&node.child(index, entry), part, leaves, step)?;
            } else if let Some(size) = node.leaf_size()
                && entry.swap().is_none()
            {
                let run = RunStart {
                    node: *node,
                    indices: index..rest.end,
                    entry,
                    size,
                    part,
                };
                rest.start = index + self.rewrite_run(&run, leaves, step)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes `step` for a run of leaves. Returns how many there are; stops with the offset of the
    /// first if they need a break and `step` does none.
    ///
    /// A contiguous group counts as one that needs a break: its 16 leaves change one after the
    /// other, and a group that is not uniform must never be visible (DDI 0487 D8.7.1).
    fn rewrite_run(
        &mut self,
        run: &RunStart<M, PTE, H>,
        leaves: &impl Successors<PTE>,
        step: Step,
    ) -> ControlFlow<usize, usize> {
        let RunStart {
            node, entry, size, ..
        } = *run;
        let (table, first, rest) = (node.table, run.indices.start, run.indices.len());
        let start = node.offset(first);
        let va = M::vaddr_at(start);
        let new = leaves.successor(entry, size);
        // `new` is of frame 0. With this leaf's frame: to compare, and to ask whether it may
        // follow.
        let address = PTE::address_mask(size);
        let target = PTE::from_bits(new.bits() & !address | entry.bits() & address);
        // The software bits are nobody's but software's: another value is stored, and that is all.
        let visible = (entry.bits() ^ target.bits()) & !PTE::SOFTWARE != 0;
        let breaks = visible
            && entry.is_present()
            && target.is_present()
            && (entry.needs_break(target) || entry.is_contiguous());
        // A leaf that is already as requested is not stored again. In `Break`, neither is a leaf
        // that needs no break.
        let skipped = entry == target || step == Step::Break && !breaks;
        let change = |new| table.rewrite(first, rest, size, (entry, new));
        let count = if skipped {
            table.alike(first, rest, size, entry)
        } else if step == Step::Break {
            // Invalid, with the new attributes and the old frame: the next pass finds both there.
            change(new.broken())
        } else if breaks {
            return ControlFlow::Break(start);
        } else {
            // It becomes valid: whatever an earlier operation has left pending there goes first.
            if !entry.is_present() && new.is_present() {
                let bytes = rest * leaf_bytes::<M>(size);
                self.pending.flush_before_making(va, bytes);
            }
            change(new)
        };
        // Each page once: those that are broken are counted when they are made.
        if step != Step::Break {
            let all = Span {
                start,
                end: start + count * leaf_bytes::<M>(size),
            };
            self.pending.pages += run.part.clip(all).pages();
        }
        if !skipped && visible && entry.is_present() {
            self.pending.queue_invalidations(va, size, (entry, count));
        } else if !skipped && visible && new.is_present() {
            self.pending.queue_publications(va, size, (new, count));
        }
        ControlFlow::Continue(count)
    }

    /// Unmaps every leaf of `part`, which lies in `node`. Returns how many entries of the node are
    /// unused now that were not: the caller has the entry that counts them.
    fn clear(&mut self, node: &Node<M, PTE, H>, part: Span) -> usize {
        let mut rest = node.rows(part).touched;
        let mut cleared = 0;
        while let Some((index, entry)) = node.table.next_used(rest.clone()) {
            let entry_span = node.entry_span(index);
            let mut count = 1;
            if !node.is_table(entry) {
                count = self.clear_leaves(node, index..rest.end);
                cleared += count;
            } else if part.covers(entry_span)
                && !self.is_shared_top(node.level + 1, entry_span.start)
            {
                // The whole table, by one store; from then on no new walk comes to what is below.
                node.table.store(index, PTE::from_bits(0));
                self.queue_unlinked_table(entry, &node.child(index, entry));
                cleared += 1;
            } else {
                cleared += self.clear_below(node, index, entry, part.clip(entry_span));
            }
            rest.start = index + count;
        }
        cleared
    }

    /// Unmaps every leaf of `part`, which lies in the table that `entry`, at `index` of `node`,
    /// leads to. Unlinks the table if that leaves it empty: returns 1 then, for the entry,
    /// otherwise 0.
    fn clear_below(
        &mut self,
        node: &Node<M, PTE, H>,
        index: usize,
        entry: PTE,
        part: Span,
    ) -> usize {
        let child = node.child(index, entry);
        if child.level + 1 == M::LEVELS && self.is_all(entry, child.base, part) {
            node.table.store(index, PTE::from_bits(0));
            self.queue_unlinked_table(entry, &child);
            // More than the region: pointers to the table are cached for all of it.
            let bytes = level_bytes::<M>(node.level);
            self.pending.extend_cover(node.va(index), bytes);
            return 1;
        }
        // A copy, of which the callee gets the address: `child` itself can then stay in registers.
        let fewer = self.clear(&Node { ..child }, part);
        let (table, entry_ref) = (node.table, node.table.entry_ref(index));
        let parent = Parent {
            table,
            entry_ref,
            entry,
        };
        if !self.empties(&parent, child.level, child.base, fewer) {
            return 0;
        }
        entry_ref.store(PTE::from_bits(0));
        let bytes = level_bytes::<M>(node.level);
        self.pending
            .queue_table(entry.paddr(), node.va(index), bytes);
        1
    }

    /// Unmaps the leaf at the first of `indices`, and those of the others that follow it and are
    /// alike. Returns how many: with a leaf at 5 and a hole at 9, of 5..512, four.
    #[expect(clippy::panic, reason = "a level without leaves has none to clear")]
    fn clear_leaves(&mut self, node: &Node<M, PTE, H>, indices: Range<usize>) -> usize {
        let Some(size) = node.leaf_size() else {
            panic!("a leaf at level {}", node.level);
        };
        let (table, index) = (node.table, indices.start);
        let va = node.va(index);
        let mut count = 1;
        let leaf = table.load(index);
        let present = leaf.is_present();
        // Pages come in runs. Where the tree has an ASID, a run ends where global turns to
        // non-global: one invalidation does not reach both.
        if present && size == PageSize::Size4K {
            count = indices.len();
            if self.pending.is_one_space() {
                count = table.alike(index, count, size, leaf);
            }
            count = table.clear_present(index, count);
        } else {
            // A block, or an inaccessible page, is cleared alone.
            table.store(index, PTE::from_bits(0));
        }
        if present {
            self.pending.queue_invalidations(va, size, (leaf, count));
        }
        self.pending.pages += count * (leaf_bytes::<M>(size) / PAGE_SIZE);
        count
    }

    /// Whether `part`, less than a whole table, has every used entry of the table of the last level
    /// to which `entry` leads, and which translates from `base` on. Then the table is unlinked as
    /// it is: of 300 pages in a table, when a region of 400 around them goes, none is cleared.
    fn is_all(&self, entry: PTE, base: usize, part: Span) -> bool {
        // Few leaves are queued one by one, and emptied on the way.
        if !PTE::COUNTS
            || self.is_shared_top(M::LEVELS - 1, base)
            || !self.pending.would_flush_all(entry.count())
        {
            return false;
        }
        let first = (part.start - base) / PAGE_SIZE;
        let table = Table::<M, PTE, H>::at(entry.paddr());
        table.holds_only(first, part.pages(), entry.count())
    }

    /// Queues the table of `node`, to which the unlinked `entry` led, to be freed with all below
    /// it, and the invalidations of its leaves. The caller covers what it translates, once for all
    /// tables of the region (`PendingFlush::extend_cover`).
    ///
    /// Inlined: for each of the 512 tables of a gigabyte this is few loads and stores (W5).
    #[inline(always)]
    fn queue_unlinked_table(&mut self, entry: PTE, node: &Node<M, PTE, H>) {
        self.queue_contents(entry, node);
        let (va, bytes) = (node.va(0), level_bytes::<M>(node.level - 1));
        self.pending.queue_table_of_many(entry.paddr(), va, bytes);
    }

    /// Queues the invalidations of the leaves at and below `node`, to which the unlinked `entry`
    /// led, and the tables below it.
    #[inline(always)]
    fn queue_contents(&mut self, entry: PTE, node: &Node<M, PTE, H>) {
        let known = PTE::COUNTS && node.level + 1 == M::LEVELS;
        if known && self.pending.would_flush_all(entry.count()) {
            // Each leaf decides which ASIDs must be reached: a global one is every space's.
            if self.pending.is_one_space() {
                for index in 0..entries::<M>() {
                    self.pending
                        .include_spaces_of(node.va(0), node.table.load(index));
                }
            }
            self.pending.pages += entry.count();
            self.pending.queue_all();
        } else {
            // A copy, so that a table whose leaves are counted needs no node in memory.
            self.queue_unlinked_entries(&Node { ..*node });
        }
    }

    /// Queues the invalidation of each leaf of `node`, and each table below it. A leaf's entry is
    /// left as it is: its table is not linked any more, and goes with it.
    fn queue_unlinked_entries(&mut self, node: &Node<M, PTE, H>) {
        node.table.each_used(|index, entry| {
            if node.is_table(entry) {
                self.queue_unlinked_table(entry, &node.child(index, entry));
            } else if let Some(size) = node.leaf_size() {
                self.pending.pages += leaf_bytes::<M>(size) / PAGE_SIZE;
                if entry.is_present() {
                    self.pending.queue_invalidation(node.va(index), size, entry);
                }
            }
        });
    }
}

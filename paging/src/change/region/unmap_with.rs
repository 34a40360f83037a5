//! Unmapping a region and handing out its frames, each when no core can reach it any more: for the
//! end of a process, or `munmap`.
//!
//! # The scenario
//! 0x40_0000..0x80_3000 is a table full of pages, one with some, and three of a third that has
//! others behind them:
//!
//! ```text
//! level 2: [2] table --> level 3: 512 pages               retired: [2] broken
//!          [3] table --> level 3: pages 7 and 9                    [3] broken
//!          [4] table --> level 3: pages 0, 1, 2, and 9             pages 0, 1, 2 broken
//! ```
//!
//! 1. *Split* what lies across an end of the region, so that each leaf is in it or is not.
//! 2. *Retire.* What goes is broken, not cleared: invalid for every walker, but each entry still
//!    names its frame or its table. A table that keeps nothing is broken in the entry that leads to
//!    it, by one store, and what is in it stays as it is. Invalidations are queued as for any other
//!    unmapping.
//! 3. *Flush*: one batch. From here on no core reaches any of it.
//! 4. *Hand out*: a walk over the region, broken entries too, shows the caller each leaf.
//! 5. *Sweep*: the broken entries are cleared, counts lowered, and the tables freed, which are
//!    invalidated already.
//!
//! # Decisions
//! * The frames are kept in the entries, because they are needed after the flush and there is no
//!   other memory: a list would have to be allocated, or be the caller's and as long as the region.
//! * The caller's function is handed over with the request, and called between flush and sweep. A
//!   receipt that hands frames out could be leaked, and the broken entries would stay. Before the
//!   flush there is no value of which a frame could be asked.
//! * Swap entries are no leaves: what is retired keeps them as they are, nothing is shown for them,
//!   and the sweep clears them.
//! * The function may panic: the sweep is in a `Drop`, and the frames that it was not shown are
//!   lost, as are those of a receipt that nobody asks. It sees the tree at no moment.
#![forbid(unsafe_code)]

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::change::request::{Change, LeafChange, Request};
use crate::change::tree::Tree;
use crate::node::descent::Node;
use crate::node::geometry::{Span, leaf_bytes, level_bytes};
use crate::node::sharing::Sharing;
use crate::{GenericPTE, PageSize, PagingHandler, PagingMetaData, PagingResult};

/// The frame of a leaf that was unmapped: no core can reach it through that mapping any more. From
/// [`PageTable64::unmap_region_with`](crate::PageTable64::unmap_region_with).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnmappedFrame {
    /// The first address that it was mapped at.
    pub va: VirtAddr,
    /// Its physical address, a multiple of `size`.
    pub pa: PhysAddr,
    /// How much there is of it: 4 KiB, or the size of the block.
    pub size: PageSize,
}

/// No change but that leaves end where the region does.
#[derive(Clone, Copy)]
struct WholeLeaves;

impl<PTE: GenericPTE> LeafChange<PTE> for WholeLeaves {
    fn apply(self, leaf: PTE, _: PageSize) -> PTE {
        leaf.without_contiguous()
    }

    fn alters(self, _: PTE, _: PageSize) -> bool {
        true
    }
}

/// A region that was retired and flushed: its drop sweeps it, after a panic too.
struct Retired<'tree, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    tree: &'tree mut Tree<M, PTE, H, S>,
    span: Span,
}

impl<M, PTE, H, S> Drop for Retired<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    fn drop(&mut self) {
        let root = Node::root(self.tree.root());
        self.tree.sweep(root, self.span);
        // Nothing is pending but the tables, which go back.
        self.tree.pending.flush();
    }
}

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Unmaps whatever is mapped in `size` bytes from `va` on, and shows `function` what that was
    /// when no core can reach it any more. Returns how many 4 KiB pages.
    pub(crate) fn unmap_pages_with(
        &mut self,
        va: VirtAddr,
        size: usize,
        function: &mut impl FnMut(UnmappedFrame),
    ) -> PagingResult<usize> {
        let span = self.own_span(va, size)?;
        self.pending.pages = 0;
        self.pending.begin();
        if span.is_empty() {
            self.pending.flush();
            return Ok(0);
        }
        if !self.pins.is_empty() {
            let change = Change::Unmap;
            self.check_pins(Request { span, change })?;
        }
        if self.covering(span).may_need_split(span) {
            let change = WholeLeaves;
            self.split_boundaries(Request { span, change })?;
        }
        self.pending.pages = 0;
        let root = Node::root(self.root());
        self.retire(root, span);
        // From here on the region is swept, whoever panics: the handler, to which tables that were
        // pending before go back, or the function.
        let retired = Retired { tree: self, span };
        retired.tree.pending.flush();
        hand_out(root, span, function);
        Ok(retired.tree.pending.pages)
    }

    /// Breaks every leaf of `part`, which lies in `node`, and the entries of tables that hold
    /// nothing else. Returns how many entries of the node that were.
    fn retire(&mut self, node: Node<M, PTE, H>, part: Span) -> usize {
        let mut rest = node.rows(part).touched;
        let mut retired = 0;
        while let Some((index, entry)) = node.table.next_used(rest.clone()) {
            rest.start = index + 1;
            if !node.is_table(entry) {
                self.retire_leaf(node, index, entry);
            } else if !self.retire_table(node, index, entry, part) {
                continue;
            }
            retired += 1;
        }
        retired
    }

    /// Breaks the leaf at `index` of `node`; one that is inaccessible is invalid already.
    fn retire_leaf(&mut self, node: Node<M, PTE, H>, index: usize, entry: PTE) {
        if entry.is_present() {
            node.table.store(index, entry.broken());
        }
        self.queue_retired(node, index, entry);
    }

    /// Retires what `part` holds of the table to which `entry` leads, at `index` of `node`. Returns
    /// whether that was all, and the entry is broken.
    fn retire_table(
        &mut self,
        node: Node<M, PTE, H>,
        index: usize,
        entry: PTE,
        part: Span,
    ) -> bool {
        let (span, child) = (node.entry_span(index), node.child(index, entry));
        let is_shared = self.is_shared_top(child.level, child.base);
        if part.covers(span) && !is_shared {
            node.table.store(index, entry.broken());
            self.queue_below(child, entry);
        } else {
            let retired = self.retire(child, part.clip(span));
            if is_shared || retired == 0 || retired < used(child, entry) {
                return false;
            }
            node.table.store(index, entry.broken());
        }
        self.pending.queue_unlinked(node.va(index), span.bytes());
        true
    }

    /// Queues the invalidations of all at and below `node`, to which the broken `entry` led.
    fn queue_below(&mut self, node: Node<M, PTE, H>, entry: PTE) {
        let known = PTE::COUNTS && node.level + 1 == M::LEVELS;
        // Enough for an invalidation of everything: the leaves need not be looked at, unless each
        // decides which ASIDs must be reached.
        if known && !self.pending.is_one_space() && self.pending.would_flush_all(entry.count()) {
            self.pending.pages += entry.count();
            self.pending.queue_all();
            return;
        }
        node.table.each_used(|index, entry| {
            if node.is_table(entry) {
                self.queue_below(node.child(index, entry), entry);
                let bytes = level_bytes::<M>(node.level);
                self.pending.queue_unlinked(node.va(index), bytes);
            } else {
                self.queue_retired(node, index, entry);
            }
        });
    }

    /// Queues the invalidation of `entry`, a leaf at `index` of `node`, and counts it.
    fn queue_retired(&mut self, node: Node<M, PTE, H>, index: usize, entry: PTE) {
        if let Some(size) = node.leaf_size() {
            self.pending.pages += leaf_bytes::<M>(size) / PAGE_SIZE;
            if entry.is_present() {
                let va = node.va(index);
                self.pending.queue_invalidation(va, size, entry);
            }
        }
    }

    /// Clears all entries of `part`, which lies in `node` and was retired; tables that are broken
    /// are freed with the next flush. Returns how many entries of the node were cleared.
    fn sweep(&mut self, node: Node<M, PTE, H>, part: Span) -> usize {
        let mut rest = node.rows(part).touched;
        let mut cleared = 0;
        while let Some((index, entry)) = node.table.next_used(rest.clone()) {
            rest.start = index + 1;
            if node.is_table(entry) {
                let child = node.child(index, entry);
                let fewer = self.sweep(child, part.clip(node.entry_span(index)));
                if PTE::COUNTS && fewer > 0 && !self.is_shared_top(child.level, child.base) {
                    let count = entry.count() - fewer;
                    node.table.store(index, entry.with_count(count));
                }
                continue;
            }
            node.table.store(index, PTE::from_bits(0));
            cleared += 1;
            if is_retired_table(node, entry) {
                self.free_retired(node.child(index, entry), entry.paddr());
            }
        }
        cleared
    }

    /// Gives up the table of `node`, which is at `pa`, and those below it.
    fn free_retired(&mut self, node: Node<M, PTE, H>, pa: PhysAddr) {
        if node.level + 1 < M::LEVELS {
            node.table.each_used(|index, entry| {
                if leads_on(node, entry) {
                    self.free_retired(node.child(index, entry), entry.paddr());
                }
            });
        }
        self.pending.queue_free(pa);
    }
}

/// Shows `function` every leaf of `part`, which lies in `node` and was retired.
fn hand_out<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: Node<M, PTE, H>,
    part: Span,
    function: &mut impl FnMut(UnmappedFrame),
) {
    let mut rest = node.rows(part).touched;
    // A table of the last level has leaves alone.
    if node.level + 1 == M::LEVELS {
        for index in rest {
            let (va, entry) = (node.va(index), node.table.load(index));
            if entry.is_page() {
                let (pa, size) = (entry.paddr(), PageSize::Size4K);
                function(UnmappedFrame { va, pa, size });
            }
        }
        return;
    }
    while let Some((index, entry)) = node.table.next_used(rest.clone()) {
        rest.start = index + 1;
        if leads_on(node, entry) {
            let part = part.clip(node.entry_span(index));
            hand_out(node.child(index, entry), part, function);
        } else if let Some(size) = node.leaf_size() {
            let (va, pa) = (node.va(index), entry.paddr());
            function(UnmappedFrame { va, pa, size });
        }
    }
}

/// Whether `entry`, one of `node`'s, leads to a table, or did before it was broken.
fn leads_on<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: Node<M, PTE, H>,
    entry: PTE,
) -> bool {
    node.is_table(entry) || is_retired_table(node, entry)
}

/// Whether `entry`, one of `node`'s, led to a table and was broken: no broken leaf looks like it.
fn is_retired_table<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: Node<M, PTE, H>,
    entry: PTE,
) -> bool {
    let broken = || {
        let table = PTE::new_table(entry.paddr());
        table.with_count(entry.count()).broken()
    };
    node.level + 1 < M::LEVELS && entry.is_broken() && entry == broken()
}

/// How many entries of the table of `node`, to which `entry` leads, are used.
fn used<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: Node<M, PTE, H>,
    entry: PTE,
) -> usize {
    if PTE::COUNTS {
        return entry.count();
    }
    let mut used = 0;
    node.table.each_used(|_, _| used += 1);
    used
}

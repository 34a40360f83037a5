//! Folding: a table full of equal leaves whose frames follow each other becomes a block
//! ([`PageTable64::compact`](crate::PageTable64::compact)). The reverse is in `region::split`.
//!
//! # The scenario
//! 512 read-write pages map 0x40_0000..0x60_0000 to frames from 0x8000_0000 on:
//!
//! ```text
//! before   level 2: [2] table --> level 3: [0] page 0x8000_0000 ... [511] page 0x801f_f000
//! broken   level 2: [2] invalid
//! after    level 2: [2] block 0x8000_0000              the table's frame is free
//! ```
//!
//! 1. The tables of the range that can become blocks are looked for, up to 32 at a time.
//!    Consecutive is not enough: 0x8000_1000 as the first frame makes no block, which must be
//!    aligned.
//! 2. All their entries are made invalid. Two translations for one address, page and block, may
//!    never be visible at once (break-before-make, DDI 0487 D8.17.1).
//! 3. One invalidation of everything, on all cores: 512 pages and the pointer to their table may be
//!    cached for each.
//! 4. The blocks are stored, and published; then the tables go back. No frame is needed for any of
//!    it.
//!
//! 1 GiB before 2 MiB: a table of tables of pages becomes a block of 1 GiB at once, and is counted
//! once. The handler, who may panic, is called last: until then the tree is whole, and what is to
//! be freed is pending.
#![forbid(unsafe_code)]

use core::ops::ControlFlow;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::change::request::{Change, Request};
use crate::change::tree::Tree;
use crate::metadata::while_broken;
use crate::node::descent::{Node, is_nothing, is_table};
use crate::node::geometry::{Span, entries, level_bytes, level_of_size, size_of_level};
use crate::node::memory::{EntryRef, Table};
use crate::node::sharing::Sharing;
use crate::{GenericPTE, PageSize, PagingHandler, PagingMetaData, PagingResult};

/// How many tables are folded with one break: a bound on the stack that their list takes (768
/// bytes), and on how long others are kept off.
const AT_ONCE: usize = 32;

/// A table that can become a block.
struct Merge<M, PTE> {
    /// The entry that leads to it.
    entry_ref: EntryRef<M, PTE>,
    /// The first offset that it translates.
    offset: usize,
    /// The block that takes the table's place.
    block: PTE,
}

/// Some of them.
type Merges<M, PTE> = [Option<Merge<M, PTE>>; AT_ONCE];

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Merges leaves into blocks in `size` bytes from `va` on. `pending.pages` counts the pages of
    /// the blocks that were made, each once.
    pub(crate) fn compact_pages(&mut self, va: VirtAddr, size: usize) -> PagingResult {
        let span = self.own_span(va, size)?;
        self.pending.begin();
        self.pending.pages = 0;
        if !self.pins.is_empty() && !span.is_empty() {
            let change = Change::Unmap;
            self.check_pins(Request { span, change })?;
        }
        // Leaves that become a part of a larger block are merged, and counted, once.
        for block in [PageSize::Size1G, PageSize::Size2M] {
            self.merge_level(span, block);
        }
        // Of the blocks, too, that were just made.
        self.make_groups(span);
        Ok(())
    }

    /// Makes blocks of size `block` in `span`, a list full of them at a time. The search goes on
    /// where it stopped: what was looked at before can make no more.
    fn merge_level(&mut self, span: Span, block: PageSize) {
        let mut rest = span;
        while !rest.is_empty() {
            let mut merges = [const { None }; AT_ONCE];
            let mut found = 0;
            let root = Node::root(self.root());
            let stopped = self.find_merges(root, rest, block, &mut |merge| {
                if let Some(slot) = merges.get_mut(found) {
                    *slot = Some(merge);
                }
                found += 1;
                found == AT_ONCE
            });
            self.merge(&merges, block);
            rest.start = match stopped {
                ControlFlow::Break(at) => at,
                ControlFlow::Continue(()) => rest.end,
            };
        }
    }

    /// Shows `found` each table of `part`, which lies in `node`, that can become a block, until it
    /// has enough: stops with where the rest begins.
    fn find_merges(
        &self,
        node: Node<M, PTE, H>,
        part: Span,
        block: PageSize,
        found: &mut dyn FnMut(Merge<M, PTE>) -> bool,
    ) -> ControlFlow<usize> {
        for index in node.rows(part).touched {
            let entry = node.table.load(index);
            if !node.is_table(entry) {
                continue;
            }
            let entry_span = node.entry_span(index);
            let child = node.child(index, entry);
            if node.level < level_of_size::<M>(block) {
                self.find_merges(child, part.clip(entry_span), block, found)?;
            } else if part.covers(entry_span)
                && !self.is_shared_top(child.level, child.base)
                && let Some(block) = merged::<M, PTE, H>(child.table, child.level)
                && found(Merge {
                    entry_ref: node.table.entry_ref(index),
                    offset: entry_span.start,
                    block,
                })
            {
                return ControlFlow::Break(entry_span.end);
            }
        }
        ControlFlow::Continue(())
    }

    /// Makes blocks of size `block` of `merges`.
    fn merge(&mut self, merges: &Merges<M, PTE>, block: PageSize) {
        let merges = || merges.iter().flatten();
        let Some(first) = merges().next() else {
            return;
        };
        let level = level_of_size::<M>(block);
        let bytes = level_bytes::<M>(level);
        let end = merges().last().map_or(0, |last| last.offset + bytes);
        let hull = end - first.offset;
        let start = M::vaddr_at(first.offset);
        while_broken::<M>(start, hull, || {
            for merge in merges() {
                let entry = merge.entry_ref.load();
                merge.entry_ref.store(entry.broken());
            }
            self.pending.queue_all();
            self.pending.invalidate_broken();
            for merge in merges() {
                let broken = merge.entry_ref.load();
                merge.entry_ref.store(merge.block);
                let va = M::vaddr_at(merge.offset);
                self.pending.queue_publication(va, block, merge.block);
                self.give_up(broken.paddr(), level + 1);
                self.pending.pages += bytes / PAGE_SIZE;
            }
            self.pending.flush();
        });
    }

    /// Gives up the table at `pa`, which is at `level`, and those below it: no walk finds them.
    fn give_up(&mut self, pa: PhysAddr, level: usize) {
        if level + 1 < M::LEVELS {
            Table::<M, PTE, H>::at(pa).each_used(|_, entry: PTE| {
                if is_table::<M, PTE>(entry, level) {
                    self.give_up(entry.paddr(), level + 1);
                }
            });
        }
        self.pending.queue_free(pa);
    }
}

/// The block that `table`, at `level`, can become: all below it are leaves of frames that follow
/// each other, with equal flags. `None` also where no block has that size, or its first frame is
/// not aligned to it.
fn merged<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    level: usize,
) -> Option<PTE> {
    let small = size_of_level::<M>(level)?;
    let block = size_of_level::<M>(level - 1)?;
    let first = merged_entry::<M, PTE, H>(table.load(0), level)?;
    let block = PTE::new_page(first.paddr(), first.flags(), block).ok()?;
    let block = block.with_software(first.software());
    let mut leaves = core::iter::successors(Some(first), |leaf| Some(leaf.next(small)));
    let all = (0..entries::<M>()).zip(&mut leaves).map(|(index, leaf)| {
        let entry = merged_entry::<M, PTE, H>(table.load(index), level);
        (entry == Some(leaf)).then_some(())
    });
    all.collect::<Option<()>>()?;
    Some(block)
}

/// `entry` of a table at `level` as one leaf, which it is or can become; `None` if it cannot. The
/// contiguous hint may end within a table that is merged: only the rest must be equal.
fn merged_entry<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    entry: PTE,
    level: usize,
) -> Option<PTE> {
    if is_table::<M, PTE>(entry, level) {
        return merged::<M, PTE, H>(Table::at(entry.paddr()), level + 1);
    }
    (!is_nothing(entry)).then(|| entry.without_contiguous())
}

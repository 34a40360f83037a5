//! [`PageTable64::compact`]: a table full of equal leaves that follow each other becomes a block.
//!
//! From the bottom level up, and some at a time: their entries are broken, everything is
//! invalidated once, then the blocks are made and the tables freed. No frame is needed for it.
#![forbid(unsafe_code)]

use super::debt::Due;
use super::geometry::{Rows, Span, entries, level_bytes, level_of_size, size_of_level};
use super::metadata::while_broken;
use super::mutants::{Mutant, planted};
use super::region::Change;
use super::share::Sharing;
use super::slots::Table;
use super::view::is_table;
use super::{
    GenericPTE, PageSize, PageTable64, PagingHandler, PagingMetaData, PagingResult, TlbFlushAll,
};
use crate::addr::{PAGE_SIZE, VirtAddr};

/// How many tables are merged with one invalidation.
const AT_ONCE: usize = 32;

/// A table that can become a block.
struct Merge<M, PTE, H> {
    /// Where its entry stands.
    parent: Table<M, PTE, H>,
    index: usize,
    offset: usize,
    block: PTE,
}

/// Some of them.
type Merges<M, PTE, H> = [Option<Merge<M, PTE, H>>; AT_ONCE];

impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Merges leaves into blocks wherever a table in the range, whole, maps consecutive frames
    /// with equal flags. What every address translates to stays the same. The receipt counts the
    /// pages of the blocks that were made.
    ///
    /// # Errors
    /// Those of a range; [`PagingError::Pinned`](super::PagingError::Pinned) if the running core
    /// stands on anything in it.
    pub fn compact(
        &mut self,
        va: VirtAddr,
        size: usize,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        let span = self.own_span(va, size)?;
        self.debt.pages = 0;
        if !self.pins.is_empty() && !span.is_empty() {
            self.check_pins(span, Change::Unmap)?;
        }
        for block in [PageSize::Size2M, PageSize::Size1G] {
            self.merge_level(span, block);
        }
        Ok(TlbFlushAll::new(&mut self.debt, Due::AsOwed))
    }

    /// Makes blocks of size `block`.
    fn merge_level(&mut self, span: Span, block: PageSize) {
        let mut rest = span;
        while !rest.is_empty() {
            let mut merges = [const { None }; AT_ONCE];
            let mut found = 0;
            rest.start = self.find_merges((self.root(), 0, 0), rest, block, &mut |merge| {
                if let Some(slot) = merges.get_mut(found) {
                    *slot = Some(merge);
                }
                found += 1;
                found < AT_ONCE
            });
            self.merge(&merges, block);
        }
    }

    /// Shows `found` each table of `part` that can become a block, until it has enough. Returns
    /// where it stopped.
    fn find_merges(
        &self,
        (table, level, base): (Table<M, PTE, H>, usize, usize),
        part: Span,
        block: PageSize,
        found: &mut dyn FnMut(Merge<M, PTE, H>) -> bool,
    ) -> usize {
        let bytes = level_bytes::<M>(level);
        for index in Rows::new::<M>(level, base, part).touched {
            let entry = table.load(index);
            let offset = base + index * bytes;
            let entry_span = Span::of_entry::<M>(offset, level);
            if !is_table::<M, PTE>(entry, level) {
                continue;
            }
            let child = Table::at(entry.paddr());
            if level < level_of_size::<M>(block) {
                let below = (child, level + 1, offset);
                let end = part.end.min(entry_span.end);
                let stop = self.find_merges(below, part.clip(entry_span), block, found);
                if stop < end {
                    return stop;
                }
            } else if part.covers(entry_span)
                && !self.is_lent(level + 1, offset)
                && let Some(block) = uniform(child, block)
                && !found(Merge {
                    parent: table,
                    index,
                    offset,
                    block,
                })
            {
                return entry_span.end;
            }
        }
        part.end
    }

    /// Makes blocks of size `block` of `merges`.
    fn merge(&mut self, merges: &Merges<M, PTE, H>, block: PageSize) {
        let merges = || merges.iter().flatten();
        let Some(first) = merges().next() else {
            return;
        };
        let bytes = level_bytes::<M>(level_of_size::<M>(block));
        let end = merges().last().map_or(0, |last| last.offset + bytes);
        let hull = end - first.offset;
        let start = M::vaddr_at(first.offset);
        while_broken::<M>(start, hull, || {
            if !planted(Mutant::NoBreakForAMerge) {
                for merge in merges() {
                    let entry = merge.parent.load(merge.index);
                    merge.parent.store(merge.index, entry.broken());
                    if planted(Mutant::MergedTableFreedAtOnce) {
                        self.debt.release(entry.paddr());
                    }
                }
                match planted(Mutant::OneLeafOfAMerge) {
                    true => self
                        .debt
                        .owe_invalidation(start, PageSize::Size4K, first.block),
                    false => self.debt.owe_everything(),
                }
                self.debt.invalidate_broken();
            }
            for merge in merges() {
                let child = merge.parent.load(merge.index).paddr();
                merge.parent.store(merge.index, merge.block);
                let va = M::vaddr_at(merge.offset);
                self.debt.owe_publication(va, block, merge.block);
                if !planted(Mutant::MergedTableFreedAtOnce) {
                    self.debt.release(child);
                }
                self.debt.pages += bytes / PAGE_SIZE;
            }
            self.debt.pay();
        });
    }
}

/// The block of `size` that `table` can become.
fn uniform<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    size: PageSize,
) -> Option<PTE> {
    let [page, two, _] = PageSize::ALL;
    let small = if size == two { page } else { two };
    let leaf = table.load(0);
    let level = level_of_size::<M>(small);
    if leaf.is_unused() || is_table::<M, PTE>(leaf, level) || size_of_level::<M>(level).is_none() {
        return None;
    }
    let block = PTE::new_page(leaf.paddr(), leaf.flags(), size).ok()?;
    // The contiguous hint may end within the table: only the rest must be equal.
    let first = leaf.without_contiguous();
    let follows = |(index, leaf): (usize, PTE)| {
        let entry = table.load(index).without_contiguous();
        (entry == leaf).then_some(())
    };
    let mut leaves = core::iter::successors(Some(first), |leaf| Some(leaf.next(small)));
    let all = (0..entries::<M>()).zip(&mut leaves).map(follows);
    all.collect::<Option<()>>()?;
    Some(block)
}

//! Unmapping a region, and giving it other flags.
//!
//! First the edges are taken apart; then every leaf of the region lies in it whole. What can
//! follow its predecessor without a break is rewritten in place, a run of equal leaves at a time;
//! from the first leaf on that cannot, the rest of the region is broken as a whole, invalidated
//! once, and made anew.

use core::ops::ControlFlow;

use super::Change;
use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::change::share::Sharing;
use crate::change::walk::{Home, Parent};
use crate::metadata::while_broken;
use crate::node::geometry::{
    Rows, Span, entries, leaf_bytes, level_bytes, level_shift, size_of_level,
};
use crate::node::memory::Table;
use crate::read::view::is_table;
use crate::{
    GenericPTE, MappingFlags, PageSize, PageTable64, PagingHandler, PagingMetaData, PagingResult,
};

/// How a walk over a region rewrites its leaves.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// Stores the new leaves, up to the first that needs a break.
    Direct,
    /// Makes invalid what needs a break, with the new rights in it.
    Break,
    /// Stores the new leaves: nothing needs a break any more.
    Make,
}

/// The new leaves, by size: of frame 0.
struct Leaves<PTE>([PTE; 3]);

impl<PTE: GenericPTE> Leaves<PTE> {
    fn new(flags: MappingFlags) -> PagingResult<Self> {
        let [page, block, big] = PageSize::ALL;
        let leaf = |size| PTE::new_page(PhysAddr::new(0), flags, size);
        Ok(Self([leaf(page)?, leaf(block)?, leaf(big)?]))
    }

    /// The one that takes the place of `old`: groups stay groups as long as they are present.
    #[expect(
        clippy::indexing_slicing,
        reason = "there are three sizes, and three leaves"
    )]
    fn successor(&self, old: PTE, size: PageSize) -> PTE {
        let new = self.0[size.levels_below()];
        if old.is_contiguous() && new.is_present() {
            new.with_contiguous()
        } else {
            new
        }
    }
}

/// A run of equal leaves of `size` in a table, from `index` on.
struct Leaf<M, PTE, H> {
    table: Table<M, PTE, H>,
    index: usize,
    /// How many entries of the region there are from `index` on.
    count: usize,
    entry: PTE,
    size: PageSize,
    /// Where it is mapped.
    offset: usize,
    /// The region, or the part of it in the table: a leaf that would not change may lie across
    /// its ends.
    part: Span,
}

impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Changes every leaf of `span`, which this tree may change; the flags have an encoding.
    pub(crate) fn change_region(&mut self, span: Span, change: Change) -> PagingResult {
        self.debt.pages = 0;
        self.debt.begin();
        if span.is_empty() {
            return Ok(());
        }
        if !self.pins.is_empty() {
            self.check_pins(span, change)?;
        }
        let mut home = self.home(span);
        let mut inner = span;
        if home.may_have_edges(span) {
            inner = self.change_edges(span, change)?;
            if inner.is_empty() {
                return Ok(());
            }
            home = self.home(inner);
        }
        match change {
            Change::Unmap => self.unmap_span(&home, inner),
            Change::Protect(flags) => self.protect_span(&home, inner, &Leaves::new(flags)?),
            Change::Update { .. } => self.update_span(inner, change),
        }
        Ok(())
    }

    /// Unmaps every leaf of `span`.
    fn unmap_span(&mut self, home: &Home<M, PTE, H>, span: Span) {
        let Home { level, base, .. } = *home;
        let emptied = match &home.parent {
            Some(parent) if self.is_all(parent.entry, level, base, span) => {
                self.owe_contents(parent.entry, level, base);
                true
            }
            parent => {
                let fewer = self.clear(home.table, level, base, span);
                parent
                    .as_ref()
                    .is_some_and(|parent| self.empties(parent, level, base, fewer))
            }
        };
        // Whatever of it was too much for a list.
        self.debt.concern(M::vaddr_at(span.start), span.bytes());
        if emptied {
            self.prune(M::vaddr_at(base), level);
        }
    }

    /// Changes the one leaf that is `span`.
    fn update_span(&mut self, span: Span, change: Change) {
        let va = M::vaddr_at(span.start);
        let place = self.descend(va, M::LEVELS - 1);
        if let Some(size) = size_of_level::<M>(place.level) {
            self.replace(&place, va, size, change.apply(place.entry, size));
        }
    }

    /// Gives every leaf of `span` new flags.
    fn protect_span(&mut self, home: &Home<M, PTE, H>, span: Span, leaves: &Leaves<PTE>) {
        let Home {
            table, level, base, ..
        } = *home;
        let direct = self.rewrite(table, level, base, span, (leaves, Step::Direct));
        self.debt.concern(M::vaddr_at(span.start), span.bytes());
        let ControlFlow::Break(start) = direct else {
            return;
        };
        let rest = Span { start, ..span };
        while_broken::<M>(M::vaddr_at(start), rest.bytes(), || {
            let _ = self.rewrite(table, level, base, rest, (leaves, Step::Break));
            self.debt.invalidate_broken();
            let _ = self.rewrite(table, level, base, rest, (leaves, Step::Make));
            self.debt.pay();
        });
    }

    /// Takes `step` for every leaf of `part`, which lies in the table at `level` that translates
    /// from `base` on. Stops with the offset of the first leaf that the step does not do.
    fn rewrite(
        &mut self,
        table: Table<M, PTE, H>,
        level: usize,
        base: usize,
        part: Span,
        step: (&Leaves<PTE>, Step),
    ) -> ControlFlow<usize> {
        let mut rest = Rows::new::<M>(level, base, part).touched;
        while let Some((index, entry)) = table.next_used(rest.clone()) {
            let offset = base + index * level_bytes::<M>(level);
            rest.start = index + 1;
            if is_table::<M, PTE>(entry, level) {
                let part = part.clip(Span::from_start::<M>(offset, level));
                self.rewrite(Table::at(entry.paddr()), level + 1, offset, part, step)?;
            } else if let Some(size) = size_of_level::<M>(level) {
                let run = Leaf {
                    table,
                    index,
                    count: rest.end - index,
                    entry,
                    size,
                    offset,
                    part,
                };
                let (leaves, step) = step;
                rest.start = index + self.rewrite_run(&run, leaves, step)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes `step` for a run of leaves. Returns how many there are.
    fn rewrite_run(
        &mut self,
        run: &Leaf<M, PTE, H>,
        leaves: &Leaves<PTE>,
        step: Step,
    ) -> ControlFlow<usize, usize> {
        let Leaf { entry, size, .. } = *run;
        let va = M::vaddr_at(run.offset);
        let new = leaves.successor(entry, size);
        let address = PTE::address_mask(size);
        let target = PTE::from_bits(new.bits() & !address | entry.bits() & address);
        let breaks = entry.is_present()
            && target.is_present()
            && (entry.needs_break(target) || entry.is_contiguous());
        let skipped = entry == target || step == Step::Break && !breaks;
        let change = |new| run.table.rewrite(run.index, run.count, size, (entry, new));
        let count = if skipped {
            run.table.alike(run.index, run.count, size, entry)
        } else if step == Step::Break {
            change(new.broken())
        } else if breaks {
            return ControlFlow::Break(run.offset);
        } else {
            if !entry.is_present() && new.is_present() {
                let bytes = run.count * leaf_bytes::<M>(size);
                self.debt.settle_before_making(va, bytes);
            }
            change(new)
        };
        if step != Step::Break {
            let all = Span {
                start: run.offset,
                end: run.offset + count * leaf_bytes::<M>(size),
            };
            self.debt.pages += run.part.clip(all).pages();
        }
        if !skipped && entry.is_present() {
            self.debt.owe_invalidations(va, size, (entry, count));
        } else if !skipped && new.is_present() {
            self.debt.owe_publications(va, size, (new, count));
        }
        ControlFlow::Continue(count)
    }

    /// Unmaps every leaf of `part`, which lies in the table at `level` that translates from
    /// `base` on. Returns how many entries of the table are unused now that were not.
    fn clear(&mut self, table: Table<M, PTE, H>, level: usize, base: usize, part: Span) -> usize {
        let mut rest = Rows::new::<M>(level, base, part).touched;
        let mut cleared = 0;
        while let Some((index, entry)) = table.next_used(rest.clone()) {
            let offset = base + index * level_bytes::<M>(level);
            let entry_span = Span::from_start::<M>(offset, level);
            let mut count = 1;
            if !is_table::<M, PTE>(entry, level) {
                count = self.clear_leaves(table, level, (index, rest.end), offset);
                cleared += count;
            } else if part.covers(entry_span) && !self.is_lent(level + 1, offset) {
                table.store(index, PTE::from_bits(0));
                self.abandon(entry, level + 1, offset);
                cleared += 1;
            } else if self.is_all(entry, level + 1, offset, part.clip(entry_span)) {
                table.store(index, PTE::from_bits(0));
                self.abandon(entry, level + 1, offset);
                // More than the region: pointers to the table are cached for all of it.
                self.debt.concern(M::vaddr_at(offset), entry_span.bytes());
                cleared += 1;
            } else {
                let child = Table::at(entry.paddr());
                let fewer = self.clear(child, level + 1, offset, part.clip(entry_span));
                let slot = table.slot(index);
                if self.empties(&Parent { table, slot, entry }, level + 1, offset, fewer) {
                    slot.store(PTE::from_bits(0));
                    let (pa, va) = (entry.paddr(), M::vaddr_at(offset));
                    self.debt.owe_table(pa, va, entry_span.bytes());
                    cleared += 1;
                }
            }
            rest.start = index + count;
        }
        cleared
    }

    /// Unmaps the leaf at `index`, which translates from `offset` on, and those that follow it
    /// before `end` if they are alike. Returns how many.
    #[expect(clippy::panic, reason = "a level without leaves has none to clear")]
    fn clear_leaves(
        &mut self,
        table: Table<M, PTE, H>,
        level: usize,
        (index, end): (usize, usize),
        offset: usize,
    ) -> usize {
        let Some(size) = size_of_level::<M>(level) else {
            panic!("a leaf at level {level}");
        };
        let va = M::vaddr_at(offset);
        let mut count = 1;
        let leaf = table.load(index);
        let present = leaf.is_present();
        if present && size == PageSize::Size4K {
            count = end - index;
            if self.debt.is_one_space() {
                count = table.alike(index, count, size, leaf);
            }
            count = table.clear_present(index, count);
        } else {
            table.store(index, PTE::from_bits(0));
        }
        if present {
            self.debt.owe_invalidations(va, size, (leaf, count));
        }
        self.debt.pages += count * (leaf_bytes::<M>(size) / PAGE_SIZE);
        count
    }

    /// Whether `part`, which is less than that, is all that the table of `level` maps that `entry`
    /// leads to and that translates from `base` on, so that the table can go as it is.
    fn is_all(&self, entry: PTE, level: usize, base: usize, part: Span) -> bool {
        // Few leaves are owed one by one, and emptied on the way.
        let counted = PTE::COUNTS && level + 1 == M::LEVELS && !self.is_lent(level, base);
        if !counted || !self.debt.is_too_much(entry.count()) {
            return false;
        }
        let others = (level_bytes::<M>(level - 1) - part.bytes()) >> level_shift::<M>(level);
        // Looking costs less than emptying: at those outside or those inside, which are fewer.
        let table = Table::<M, PTE, H>::at(entry.paddr());
        let first = (part.start - base) >> level_shift::<M>(level);
        let count = entries::<M>() - others;
        if count < others {
            return entry.count() == count && table.are_present(first, count);
        }
        entry.count() <= count
            && table.first_used(0, first).is_none()
            && table.first_used(first + count, others - first).is_none()
    }

    /// The table that the unlinked `entry` leads to, which translates from `offset` on, and all
    /// below it: owes what is due for its leaves, and gives it up. What it translates, the region
    /// concerns whole.
    #[inline(always)]
    fn abandon(&mut self, entry: PTE, level: usize, offset: usize) {
        self.owe_contents(entry, level, offset);
        let (va, bytes) = (M::vaddr_at(offset), level_bytes::<M>(level - 1));
        self.debt.owe_table_of_many(entry.paddr(), va, bytes);
    }

    /// The same for what is below the table.
    #[inline(always)]
    fn owe_contents(&mut self, entry: PTE, level: usize, offset: usize) {
        let table = Table::<M, PTE, H>::at(entry.paddr());
        let known = PTE::COUNTS && level + 1 == M::LEVELS;
        if known && self.debt.is_too_much(entry.count()) {
            if self.debt.is_one_space() {
                for index in 0..entries::<M>() {
                    self.debt.owe_space(M::vaddr_at(offset), table.load(index));
                }
            }
            self.debt.pages += entry.count();
            self.debt.owe_everything();
        } else {
            self.abandon_entries(table, level, offset);
        }
    }

    /// The same, one entry after the other.
    fn abandon_entries(&mut self, table: Table<M, PTE, H>, level: usize, offset: usize) {
        table.each_used(|index, entry| {
            let offset = offset + index * level_bytes::<M>(level);
            if is_table::<M, PTE>(entry, level) {
                self.abandon(entry, level + 1, offset);
            } else if let Some(size) = size_of_level::<M>(level) {
                self.debt.pages += leaf_bytes::<M>(size) / PAGE_SIZE;
                if entry.is_present() {
                    self.debt.owe_invalidation(M::vaddr_at(offset), size, entry);
                }
            }
        });
    }
}

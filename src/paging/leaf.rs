//! Mapping, unmapping and changing one leaf: what the public methods of `table` and a batch do.
#![forbid(unsafe_code)]

use core::ops::Range;

use super::geometry::{Span, check_frame, leaf_bytes, level_of_size, offset_of, table_index};
use super::maintenance::Removed;
use super::mutants::{Mutant, planted};
use super::place::{Place, first_mapped, link};
use super::region::Change;
use super::share::Sharing;
use super::slots::Table;
use super::view::is_table;
use super::{
    GenericPTE, Maintenance, MappingFlags, PageSize, PageTable64, PagingError, PagingHandler,
    PagingMetaData, PagingResult,
};
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    #[inline]
    pub(super) fn map_leaf(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult {
        let bytes = leaf_bytes::<M>(size);
        let (va, pa) = (va.align_down(bytes), pa.align_down(bytes));
        self.check_own(va)?;
        check_frame::<M>(pa, bytes)?;
        let leaf = PTE::new_page(pa, flags, size)?;
        let target = level_of_size::<M>(size);
        let place = self.descend(va, target);
        // What nearly every mapping is; all else takes its time elsewhere, which keeps this short.
        if place.level == target && place.entry.is_unused() && self.debt.is_settled() {
            place.slot.store(leaf);
            self.count_one_more(&place, va);
            if leaf.is_present() {
                self.debt.owe_publication(va, size, leaf);
            }
            return Ok(());
        }
        self.map_slowly(place, va, size, leaf)
    }

    /// Maps `leaf` of `size` at `va` where tables are missing, or something is owed; or says what
    /// is in the way.
    #[cold]
    #[inline(never)]
    fn map_slowly(
        &mut self,
        place: Place<M, PTE>,
        va: VirtAddr,
        size: PageSize,
        leaf: PTE,
    ) -> PagingResult {
        let target = level_of_size::<M>(size);
        if !place.entry.is_unused() {
            return Err(already_mapped::<M, PTE, H>(&place, va));
        }
        let mut entry = leaf;
        for level in (place.level + 1..=target).rev() {
            let Some(frame) = H::alloc_frame() else {
                free_path::<M, PTE, H>(entry, va, level + 1..target + 1);
                return Err(PagingError::NoMemory);
            };
            let table = Table::<M, PTE, H>::at(frame);
            if !planted(Mutant::TableNotCleared) {
                H::zero_frame(frame);
            }
            table.store(table_index::<M>(va, level), entry);
            entry = PTE::new_table(frame).with_count(1);
        }
        self.debt.settle_before_making(va, leaf_bytes::<M>(size));
        link(place.slot, entry);
        self.count_one_more(&place, va);
        if leaf.is_present() {
            self.debt.owe_publication(va, size, leaf);
        }
        if place.level < target {
            self.debt.owe_link();
        }
        Ok(())
    }

    #[inline]
    pub(super) fn unmap_leaf(&mut self, va: VirtAddr) -> PagingResult<Removed> {
        self.check_own(va)?;
        let place = self.descend(va, M::LEVELS - 1);
        // What nearly every unmapping is: a page of a table that stays in use.
        if place.level == M::LEVELS - 1
            && place.entry.is_present()
            && !place.entry.is_contiguous()
            && self.debt.is_paid()
            && !self.debt.spares(place.entry)
            && self.pins.is_empty()
            && let Some(parent) = &place.parent
            && parent.entry.count() > 1
        {
            let va = va.align_down(PAGE_SIZE);
            place.slot.store(PTE::from_bits(0));
            parent.slot.store(parent.entry.counted_down());
            self.debt.owe_page(va);
            return Ok(Removed {
                pa: place.entry.paddr(),
                flags: place.entry.flags(),
                size: PageSize::Size4K,
            });
        }
        self.unmap_slowly(va)
    }

    /// Unmaps any leaf.
    #[cold]
    #[inline(never)]
    fn unmap_slowly(&mut self, va: VirtAddr) -> PagingResult<Removed> {
        let (place, size) = self.find(va)?;
        let leaf = Removed {
            pa: place.entry.paddr(),
            flags: place.entry.flags(),
            size,
        };
        let va = va.align_down(leaf_bytes::<M>(size));
        if !self.pins.is_empty() || place.entry.is_contiguous() {
            self.change_leaf(va, size, Change::Unmap)?;
            return Ok(leaf);
        }
        place.slot.store(PTE::from_bits(0));
        if place.entry.is_present() {
            self.debt.owe_invalidation(va, size, place.entry);
        }
        self.count_one_less(&place, va);
        Ok(leaf)
    }

    pub(super) fn update_leaf(
        &mut self,
        va: VirtAddr,
        pa: Option<PhysAddr>,
        flags: Option<MappingFlags>,
    ) -> PagingResult<PageSize> {
        let (place, size) = self.find(va)?;
        let bytes = leaf_bytes::<M>(size);
        let mut entry = place.entry;
        let pa = pa.map(|pa| pa.align_down(bytes));
        if let Some(flags) = flags {
            entry.set_flags(flags, size)?;
        }
        if let Some(pa) = pa {
            check_frame::<M>(pa, bytes)?;
            entry.set_paddr(pa, size)?;
        }
        let va = va.align_down(bytes);
        if self.pins.is_empty() && !place.entry.is_contiguous() {
            self.replace(&place, va, size, entry);
        } else if entry.without_contiguous() != place.entry.without_contiguous() {
            self.change_leaf(va, size, Change::Update { pa, flags })?;
        }
        Ok(size)
    }

    /// One leaf's change by way of the regions, which know about pins and contiguous groups.
    #[cold]
    fn change_leaf(&mut self, va: VirtAddr, size: PageSize, change: Change) -> PagingResult {
        let start = offset_of::<M>(va);
        let end = start + leaf_bytes::<M>(size);
        self.change_region(Span { start, end }, change)
    }

    /// Replaces the leaf of `size` at `place` by another of that size, and owes what must follow.
    /// Where a present leaf must not meet its successor, it is broken first.
    pub(super) fn replace(
        &mut self,
        place: &Place<M, PTE>,
        va: VirtAddr,
        size: PageSize,
        new: PTE,
    ) {
        let old = place.entry;
        if old == new {
            return;
        }
        let put = |entry| place.slot.store(entry);
        match (old.is_present(), new.is_present()) {
            (true, true) if needs_break(old, new) => {
                let debt = &mut self.debt;
                M::Maintenance::while_broken(va, leaf_bytes::<M>(size), || {
                    put(old.broken());
                    debt.owe_invalidation(va, size, old);
                    debt.invalidate_broken();
                    put(new);
                    debt.owe_publication(va, size, new);
                    debt.pay();
                });
            }
            (true, _) => {
                store_in_steps(place, new);
                put(new);
                if !planted(Mutant::ProtectionForgotten) {
                    self.debt.owe_invalidation(va, size, old);
                }
            }
            (false, true) => {
                self.debt.settle_before_making(va, leaf_bytes::<M>(size));
                put(new);
                self.debt.owe_publication(va, size, new);
            }
            (false, false) => put(new),
        }
    }
}

/// Gives back the tables of `levels` on the way of `va` that `entry` leads to and nobody saw.
#[cold]
fn free_path<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    mut entry: PTE,
    va: VirtAddr,
    levels: Range<usize>,
) {
    for level in levels {
        let table = Table::<M, PTE, H>::at(entry.paddr());
        entry = table.load(table_index::<M>(va, level));
        H::dealloc_frame(table.paddr());
    }
}

/// Why nothing can be mapped at `place`: the first address that is mapped there.
fn already_mapped<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    place: &Place<M, PTE>,
    va: VirtAddr,
) -> PagingError {
    if !is_table::<M, PTE>(place.entry, place.level) {
        return PagingError::AlreadyMapped { va };
    }
    let table = Table::<M, PTE, H>::at(place.entry.paddr());
    match first_mapped(table, place.level + 1, offset_of::<M>(va)) {
        Some(offset) => PagingError::AlreadyMapped {
            va: M::vaddr_at(offset),
        },
        None => PagingError::Shared { va },
    }
}

/// Whether `old` must be broken before `new` takes its place.
pub(super) fn needs_break<PTE: GenericPTE>(old: PTE, new: PTE) -> bool {
    let moved = old.paddr() != new.paddr();
    let changed = old.flags() ^ new.flags();
    let retyped = changed.intersects(MappingFlags::MEMORY_TYPE);
    let rescoped = changed.contains(MappingFlags::GLOBAL);
    match (moved, retyped, rescoped) {
        (true, false, false) if planted(Mutant::NoBreakForAnotherFrame) => false,
        (false, true, false) if planted(Mutant::NoBreakForAnotherType) => false,
        (false, false, true) if planted(Mutant::NoBreakForGlobal) => false,
        _ => old.needs_break(new),
    }
}

/// A fault to plant: a descriptor that can be seen half-written.
#[inline(always)]
fn store_in_steps<M: PagingMetaData, PTE: GenericPTE>(place: &Place<M, PTE>, new: PTE) {
    if planted(Mutant::StoredInTwoSteps) {
        let frame = place.entry.bits() & !PTE::address_mask(PageSize::Size4K);
        place.slot.store(PTE::from_bits(frame));
        place.slot.store(new);
    }
}

//! Swap entries: 32 bits in the place of a page that is not mapped, for a pager to find again what
//! it has written out. Linux: `swp_entry_t`, `make_pte_marker`.
//!
//! # The scenario
//! The page 0x40_3000 maps frame 0x9000_3000; its contents go to slot 7 of a disk, and come back
//! into frame 0x9123_4000:
//!
//! 1. `swap_out(0x40_3000, 7)`: one store makes the leaf a swap entry, which no walker follows. The
//!    frame comes out of the receipt behind the invalidation, as an unmapped one does; only then are
//!    its contents written out, because until then another core may store to it.
//! 2. An access faults. `swap_entry(0x40_3000)` is 7: the page is read into the new frame.
//! 3. `swap_in(0x40_3000, 0x9123_4000, flags)`: one store maps it. It was invalid, so the receipt
//!    issues barriers alone (and an invalidation where invalid entries are cached).
//!
//! # What a swap entry is to others
//! Nothing is mapped: `query`, `leaf` and every walk over leaves pass it by, and a change of flags
//! does. It is *used*: it counts for its table, which stays, keeps a table from being folded, and
//! refuses what would be mapped over it (`AlreadyMapped`), so that no slot is lost unseen. Unmapping
//! a region clears it. It stands for one page: of a block that page is split off.
#![forbid(unsafe_code)]

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::change::request::{LeafChange, Request};
use crate::change::tree::Tree;
use crate::change::walk::Walked;
use crate::flush::receipt::Removed;
use crate::flush::work::FlushWork;
use crate::node::geometry::{Span, check_frame, leaf_bytes, offset_of};
use crate::node::sharing::Sharing;
use crate::{
    GenericPTE, MappingFlags, PageSize, PagingError, PagingHandler, PagingMetaData, PagingResult,
    TlbFlush, Unmapped,
};

/// A swap entry with this value in the place of one page.
#[derive(Clone, Copy)]
struct SwapOut(u32);

impl<PTE: GenericPTE> LeafChange<PTE> for SwapOut {
    fn apply(self, _: PTE, _: PageSize) -> PTE {
        PTE::new_swap(self.0)
    }
}

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Makes the page at `va` a swap entry, where nothing is mapped or another swap entry is.
    pub(crate) fn set_swap(
        &mut self,
        va: VirtAddr,
        value: u32,
    ) -> PagingResult<TlbFlush<'_, M, PTE, H, S>> {
        const { assert!(PTE::SWAP, "the format has no swap entries") }
        self.pending.begin();
        self.check_own(va)?;
        let va = va.align_down(PAGE_SIZE);
        let place = self.walk_to(va, M::LEVELS - 1);
        let entry = PTE::new_swap(value);
        let mut work = FlushWork::AllPending;
        if self.is_swapped(&place) {
            place.entry_ref.store(entry);
        } else if place.entry.is_unused() {
            work = self.put_invalid_page(va, &place, entry)?;
        } else {
            return Err(PagingError::AlreadyMapped { va });
        }
        self.note_swap();
        Ok(TlbFlush::new(&mut self.pending, work))
    }

    /// Takes the page that holds `va` out of its frame, and leaves a swap entry.
    pub(crate) fn swap_out(
        &mut self,
        va: VirtAddr,
        value: u32,
    ) -> PagingResult<Unmapped<'_, M, PTE, H, S>> {
        const { assert!(PTE::SWAP, "the format has no swap entries") }
        self.pending.begin();
        let (place, size) = self.find(va)?;
        let old = place.entry;
        let va = va.align_down(PAGE_SIZE);
        let offset = va.as_usize() & (leaf_bytes::<M>(size) - 1);
        let leaf = Removed {
            pa: PhysAddr::new(old.paddr().as_usize() | offset),
            flags: old.flags(),
            size: PageSize::Size4K,
        };
        if size == PageSize::Size4K && self.pins.is_empty() && !old.is_contiguous() {
            place.entry_ref.store(PTE::new_swap(value));
            if old.is_present() {
                self.pending.queue_invalidation(va, size, old);
            }
        } else {
            // A block is split, a group loses its hint, and pins are asked.
            let start = offset_of::<M>(va);
            let end = start + PAGE_SIZE;
            let span = Span { start, end };
            let change = SwapOut(value);
            self.change_one(Request { span, change })?;
        }
        self.note_swap();
        let receipt = TlbFlush::new(&mut self.pending, FlushWork::AllPending);
        Ok(Unmapped::new(receipt, leaf))
    }

    /// Maps the page that holds `va`, a swap entry, to the frame at `pa`.
    pub(crate) fn swap_in(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        flags: MappingFlags,
    ) -> PagingResult<TlbFlush<'_, M, PTE, H, S>> {
        const { assert!(PTE::SWAP, "the format has no swap entries") }
        self.pending.begin();
        self.check_own(va)?;
        let at = va.align_down(PAGE_SIZE);
        let place = self.walk_to(at, M::LEVELS - 1);
        if !self.is_swapped(&place) {
            return Err(PagingError::NotMapped { va });
        }
        let (pa, size) = (pa.align_down(PAGE_SIZE), PageSize::Size4K);
        check_frame::<M>(pa, PAGE_SIZE)?;
        let leaf = PTE::new_page(pa, flags, size)?;
        // What was swapped out in this batch may still be cached.
        self.pending.flush_before_making(at, PAGE_SIZE);
        place.entry_ref.store(leaf);
        let work = self.pending.queue_new_leaf(at, size, leaf);
        Ok(TlbFlush::new(&mut self.pending, work))
    }

    /// Whether a walk has ended in a swap entry.
    fn is_swapped(&self, place: &Walked<M, PTE, H>) -> bool {
        place.level + 1 == M::LEVELS && place.entry.swap().is_some()
    }
}

//! Issuing what is pending: the barriers and invalidations, in their order, then the tables.
//!
//! # The order
//! Two leaves were unmapped, and the table at 0x8000_5000 unlinked with the second:
//!
//! 1. *Adopt*, if another core may have made the stores (`dsb ish`): the tree was handed to this
//!    core with something pending. The barrier of step 2 completes the stores of its own core
//!    alone, and a walk could find what the other one has overwritten after step 3.
//! 2. *Begin* (`dsb ishst`): the cleared entries are visible to every walker. Before the
//!    invalidation, or a walk between the two would fetch the old entry into a TLB again.
//! 3. *Invalidate*: `tlbi` for each range, or one for the address space. They may complete in any
//!    order and late.
//! 4. *End* (`dsb ish; isb`): all have completed on every core, and so have the accesses that were
//!    made by the old translations (DDI 0487 D8.16). The `isb` is for this core's own next
//!    instructions.
//! 5. *Free*: the table goes to the handler; where readers walk shared tables without a lock, when
//!    they have left it (`walkers`).
//!
//! Entries that became valid need no `dsb ishst; isb` of their own when steps 2 to 4 are taken:
//! these begin with that barrier and end with a stronger one.
#![forbid(unsafe_code)]

use core::mem;

use crate::addr::VirtAddr;
use crate::flush::pending::PendingFlush;
use crate::flush::state::State;
use crate::flush::work::FlushWork;
use crate::node::sharing::Sharing;
use crate::{
    AddressSpace, GenericPTE, InvalidateScope, Maintenance, PagingHandler, PagingMetaData,
};

impl<M, PTE, H, S> PendingFlush<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Before entries of `bytes` from `va` on become valid: flushes if something older may still be
    /// cached for them.
    #[inline]
    pub(crate) fn flush_before_making(&mut self, va: VirtAddr, bytes: usize) {
        if !self.nothing_to_invalidate() && self.meets(va.as_usize(), bytes) {
            self.flush();
        }
    }

    /// Whether a pending invalidation concerns an address of `bytes` from `start` on.
    #[cold]
    fn meets(&mut self, start: usize, bytes: usize) -> bool {
        self.move_page_to_list();
        match self.ranges.get(..self.state.count()) {
            Some(ranges) => ranges.iter().any(|range| range.overlaps(start, bytes)),
            None => self.cover.meets(start, bytes),
        }
    }

    /// Issues what earlier operations have left pending: the tree gets another ASID, or ends.
    pub(crate) fn flush_left_over(&mut self) {
        self.begin();
        self.flush();
    }

    /// Makes stores of another core as complete as this core's own, which is all that the barriers
    /// of a flush look at.
    fn adopt(&mut self) {
        if mem::take(&mut self.needs_adopt) {
            M::Maintenance::adopt();
        }
    }

    /// Issues what is pending, then frees the unlinked tables.
    #[cold]
    #[inline(never)]
    pub(crate) fn flush(&mut self) {
        self.adopt();
        let unpublished = mem::take(&mut self.unpublished);
        if self.state.is_page_alone() {
            self.perform(FlushWork::PageOfSpace);
        } else if !self.nothing_to_invalidate() {
            self.flush_ranges();
        } else if unpublished {
            self.perform(FlushWork::Publish);
        }
        // Last, because the handler may panic: then nothing else is left undone.
        self.free_tables();
    }

    /// Issues what a receipt has to, which is known to be `work`.
    #[inline(always)]
    pub(crate) fn perform(&mut self, work: FlushWork) {
        match work {
            FlushWork::Publish => M::Maintenance::publish(),
            FlushWork::Page => self.flush_page(AddressSpace::All),
            FlushWork::PageOfSpace => self.flush_page(self.space),
            FlushWork::Invalidations if self.nothing_to_invalidate() => {}
            FlushWork::Invalidations | FlushWork::AllPending => self.flush(),
        }
    }

    #[inline(always)]
    fn flush_page(&mut self, space: AddressSpace) {
        let page = self.state.page();
        self.state = State::EMPTY;
        M::Maintenance::begin_invalidation();
        M::Maintenance::invalidate(page, space, InvalidateScope::LastLevel);
        M::Maintenance::end_invalidation();
    }

    #[cold]
    #[inline(never)]
    fn flush_ranges(&mut self) {
        self.move_page_to_list();
        let state = self.state.take();
        self.invalidate(state.count(), state.space(self.space), state.scope());
        M::Maintenance::end_invalidation();
    }

    /// Invalidates the first `count` ranges, or everything if there are more than the list holds.
    fn invalidate(&self, count: usize, space: AddressSpace, scope: InvalidateScope) {
        M::Maintenance::begin_invalidation();
        match self.ranges.get(..count) {
            Some(ranges) => {
                for range in ranges {
                    M::Maintenance::invalidate(range.page(), space, scope);
                }
            }
            None => M::Maintenance::invalidate_all(space),
        }
    }

    /// Between break and make: invalidates what is pending in every address space, and whatever
    /// pointers to tables are cached. What was unlinked is freed by the flush that follows.
    pub(crate) fn invalidate_broken(&mut self) {
        self.adopt();
        self.move_page_to_list();
        let count = self.state.count();
        self.state = State::EMPTY;
        self.invalidate(count, AddressSpace::All, InvalidateScope::AnyLevel);
        M::Maintenance::end_invalidation_of_broken();
    }

    /// Frees the unlinked tables, or hands them to those that wait for readers of shared ones.
    fn free_tables(&mut self) {
        if !self.to_free.is_empty() {
            self.sharing.release(&mut self.to_free);
        }
    }

    /// Forgets the barriers and invalidations, which the caller issues; the tables are freed.
    pub(crate) fn discard(&mut self) {
        self.state = State::EMPTY;
        self.unpublished = false;
        self.needs_adopt = false;
        self.free_tables();
    }

    /// Leaves `work` to a later flush. Invalidations are pending already; of a leaf that became
    /// valid, the receipt alone knew.
    pub(crate) fn defer(&mut self, work: FlushWork) {
        self.unpublished |= work == FlushWork::Publish;
    }
}

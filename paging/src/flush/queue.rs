//! The pending work that each change queues: a leaf or a table was stored, or removed.
//!
//! | the change | what is queued |
//! |---|---|
//! | an entry became valid | a barrier; where walkers cache invalid entries, its addresses, too |
//! | a leaf was removed, or has other rights | its address |
//! | a table was unlinked | one address in its range, at any level, and the table's frame |
//! | more than 32 addresses in all | everything, and which addresses that is for (`cover`) |
//!
//! # One address for a table
//! The page 0x40_3000 was the last of its table, which translates 0x40_0000..0x60_0000 and is
//! unlinked. A core may hold the page in its TLB, and a pointer to the table in its walk cache.
//! `tlbi vaae1is` of 0x40_3000 removes both, because a pointer is matched by any address that it
//! leads to (DDI 0487 D8.16). So the range that the leaf has queued is widened to 2 MiB instead of
//! a second one queued; and until it is issued, no table is linked anywhere in these 2 MiB.
#![forbid(unsafe_code)]

use crate::addr::{PhysAddr, VirtAddr};
use crate::flush::pending::PendingFlush;
use crate::flush::range::FlushRange;
use crate::flush::state::{BY_ADDRESS_LIMIT, State};
use crate::flush::work::FlushWork;
use crate::node::geometry::leaf_bytes;
use crate::node::sharing::Sharing;
use crate::{GenericPTE, PageSize, PagingHandler, PagingMetaData};

impl<M, PTE, H, S> PendingFlush<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// A page at `va` was unmapped, when nothing was pending and no other space has it: as
    /// [`PendingFlush::unmap_page_work`] said.
    #[inline(always)]
    pub(crate) fn queue_page(&mut self, va: VirtAddr) {
        self.state = State::one_page(va);
    }

    /// The entry of `leaf`, of `size` at `va`, became valid. Where walkers cache invalid entries
    /// (RISC-V), the invalid one goes by an invalidation.
    #[inline(always)]
    pub(crate) fn queue_publication(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) {
        self.unpublished = true;
        if M::CACHES_INVALID {
            self.queue_invalidation(va, size, leaf);
        }
    }

    /// `leaf`, of `size` at `va`, was stored where nothing was; it may be inaccessible. Returns the
    /// work of its receipt.
    #[inline(always)]
    pub(crate) fn queue_new_leaf(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) -> FlushWork {
        if leaf.is_present() && !M::CACHES_INVALID && self.nothing_to_invalidate() {
            return FlushWork::Publish;
        }
        if leaf.is_present() {
            self.queue_publication(va, size, leaf);
        }
        FlushWork::AllPending
    }

    /// Something became valid, which needs no invalidation of its own.
    pub(crate) const fn queue_barrier(&mut self) {
        self.unpublished = true;
    }

    /// `count` entries of leaves like `leaf`, of `size` from `va` on, became valid.
    pub(crate) fn queue_publications(
        &mut self,
        va: VirtAddr,
        size: PageSize,
        (leaf, count): (PTE, usize),
    ) {
        self.unpublished = true;
        if M::CACHES_INVALID {
            self.queue_invalidations(va, size, (leaf, count));
        }
    }

    /// A table that translates `bytes` from `va` on was linked where nothing was before.
    ///
    /// Where invalid entries are cached, one for that entry is a cached pointer to nothing: it goes
    /// with an invalidation in its range that reaches pointers. What became valid behind it has
    /// queued its own addresses, before.
    pub(crate) fn queue_link(&mut self, va: VirtAddr, bytes: usize) {
        self.unpublished = true;
        if M::CACHES_INVALID && !self.is_flush_all() {
            self.queue_pointers(va, bytes);
        }
    }

    /// A table with nothing but `leaf`, of `size` at `va`, was linked, and whoever asked for the
    /// leaf will publish it if it is present.
    #[inline(always)]
    pub(crate) fn queue_link_to(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) {
        if !leaf.is_present() {
            self.queue_link(va, leaf_bytes::<M>(size));
        } else if M::CACHES_INVALID {
            self.unpublished = true;
            self.state.reach_any_level();
        }
    }

    /// `leaf`, of `size` at `va`, was removed or got other rights.
    #[inline(always)]
    pub(crate) fn queue_invalidation(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) {
        self.include_spaces_of(va, leaf);
        self.push_range(va.as_usize(), leaf_bytes::<M>(size));
        // The Cortex-A53's TLB holds a 1 GiB block as two pieces (DDI 0500, 5.2.3).
        if size == PageSize::Size1G {
            let half = leaf_bytes::<M>(size) / 2;
            self.push_range(va.as_usize() | half, half);
        }
    }

    /// `count` leaves like `leaf`, of `size` from `va` on, were removed or got other rights. The
    /// operation says in the end of which addresses: [`PendingFlush::extend_cover`].
    pub(crate) fn queue_invalidations(
        &mut self,
        va: VirtAddr,
        size: PageSize,
        (leaf, count): (PTE, usize),
    ) {
        self.include_spaces_of(va, leaf);
        if count > BY_ADDRESS_LIMIT {
            self.queue_all();
            return;
        }
        let stride = leaf_bytes::<M>(size);
        for number in 0..count {
            let va = va.as_usize() + number * stride;
            self.queue_invalidation(VirtAddr::new(va), size, leaf);
        }
    }

    /// Makes what is pending reach every space that may hold `leaf`, at `va`: an invalidation for
    /// one ASID spares a global leaf, and what other trees hold under theirs.
    ///
    /// A pointer that a walk to a global leaf has cached may be held as global, too. Later, when
    /// its table goes, no leaf may be left to say so: it goes with the leaf.
    #[inline(always)]
    pub(crate) fn include_spaces_of(&mut self, va: VirtAddr, leaf: PTE) {
        if self.is_shared(va.as_usize()) {
            self.state.reach_all_spaces();
        }
        if self.spares(leaf) {
            self.state.reach_all_spaces();
            self.state.reach_any_level();
        }
    }

    /// The table at `pa`, which translated `bytes` from `va`, was unlinked, after all that was
    /// below it.
    ///
    /// One invalidation in its range removes every cached pointer to it; the last leaf that was
    /// removed from it has queued one already, unless that leaf was inaccessible. Until that is
    /// issued, a table that is linked anywhere in the range would meet this one.
    #[inline(always)]
    pub(crate) fn queue_table(&mut self, pa: PhysAddr, va: VirtAddr, bytes: usize) {
        self.queue_table_of_many(pa, va, bytes);
        self.extend_cover(va, bytes);
    }

    /// One unlinked table of many: the caller hands the addresses of all to
    /// [`PendingFlush::extend_cover`] at once.
    #[inline(always)]
    pub(crate) fn queue_table_of_many(&mut self, pa: PhysAddr, va: VirtAddr, bytes: usize) {
        if self.is_shared(va.as_usize()) {
            self.state.reach_all_spaces();
        }
        if !self.is_flush_all() {
            self.queue_pointers(va, bytes);
        }
        // Last: after a store to a frame, the compiler would read the state again.
        self.to_free.push(pa);
    }

    /// A table that translated `bytes` from `va` was unlinked, and is freed later, when that is
    /// invalidated.
    pub(crate) fn queue_unlinked(&mut self, va: VirtAddr, bytes: usize) {
        if self.is_shared(va.as_usize()) {
            self.state.reach_all_spaces();
        }
        if !self.is_flush_all() {
            self.queue_pointers(va, bytes);
        }
    }

    /// The table at `pa` is freed after the next flush: it was unlinked and invalidated already.
    pub(crate) fn queue_free(&mut self, pa: PhysAddr) {
        self.to_free.push(pa);
    }

    /// Queues one invalidation of cached pointers, somewhere in `bytes` from `va` on: the last that
    /// was queued, if it is there, and it then stands for all of the range.
    fn queue_pointers(&mut self, va: VirtAddr, bytes: usize) {
        self.move_page_to_list();
        self.state.reach_any_level();
        match self.last_in(va, bytes) {
            Some(last) => *last = FlushRange::new(last.page().as_usize(), last.bytes().max(bytes)),
            None => self.push_range(va.as_usize(), bytes),
        }
    }

    /// The range that was queued last, if the page that it names is in `bytes` from `va` on.
    fn last_in(&mut self, va: VirtAddr, bytes: usize) -> Option<&mut FlushRange> {
        let last = self.state.count().checked_sub(1)?;
        let last = self.ranges.get_mut(last)?;
        let offset = last.page().as_usize().wrapping_sub(va.as_usize());
        (offset < bytes).then_some(last)
    }
}

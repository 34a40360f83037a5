//! What operations owe before their effect may be relied on: [`Debt`], kept in the table itself.
//!
//! The table, not the receipt, holds it: a receipt that is leaked loses nothing, the next change
//! of the same addresses pays first.
#![forbid(unsafe_code)]

use core::marker::PhantomData;
use core::mem;

use super::geometry::leaf_bytes;
use super::mutants::{Mutant, planted};
use super::slots::{Format, Table};
use super::{
    AddressSpace, GenericPTE, InvalidateScope, Maintenance, MappingFlags, PageSize, PagingError,
    PagingHandler, PagingMetaData, PagingResult,
};
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

/// More addresses than this are invalidated as a whole address space. The Cortex-A53's main TLB
/// has 512 entries, but what an invalidation costs is the broadcast, and what a full one costs is
/// a few hundred refills.
pub(super) const BY_ADDRESS_LIMIT: usize = 32;

/// A list of frames that is kept in the frames themselves: the first entry names the next one.
///
/// It is invalid for the hardware: a walker that still holds a pointer to an unlinked table finds
/// nothing there.
pub(super) struct FrameChain<M, PTE, H> {
    head: PhysAddr,
    len: usize,
    format: Format<M, PTE, H>,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> FrameChain<M, PTE, H> {
    pub(super) const fn new() -> Self {
        Self {
            head: PhysAddr::new(0),
            len: 0,
            format: PhantomData,
        }
    }

    /// Takes `count` frames from the handler, or none.
    pub(super) fn reserve(count: usize) -> PagingResult<Self> {
        let mut chain = Self::new();
        for _ in 0..count {
            match H::alloc_frame() {
                Some(frame) => chain.push(frame),
                None => {
                    chain.release();
                    return Err(PagingError::NoMemory);
                }
            }
        }
        Ok(chain)
    }

    /// Takes ownership of the frame at `pa`.
    #[inline]
    pub(super) fn push(&mut self, pa: PhysAddr) {
        let next = PTE::new_table(self.head).broken();
        Table::<M, PTE, H>::at(pa).store(0, next);
        self.head = pa;
        self.len += 1;
    }

    /// Gives one frame up.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<PhysAddr> {
        self.len = self.len.checked_sub(1)?;
        let pa = self.head;
        self.head = Table::<M, PTE, H>::at(pa).load(0).paddr();
        Some(pa)
    }

    /// A frame of a reserve, which holds as many as the operation counted before.
    pub(super) fn take(&mut self) -> PhysAddr {
        let Some(frame) = self.pop() else {
            panic!("an operation on a page table reserved too few tables");
        };
        frame
    }

    /// Returns every frame to the handler.
    #[inline]
    pub(super) fn release(&mut self) {
        let mut chain = mem::replace(self, Self::new());
        while let Some(pa) = chain.pop() {
            H::dealloc_frame(pa);
        }
    }
}

/// What one leaf, or one table, translated: a power of two of bytes, aligned to that.
#[derive(Clone, Copy)]
struct Owed {
    /// Where to invalidate: an address in the range.
    at: usize,
    bytes: usize,
}

impl Owed {
    /// Whether some address is in both ranges; neither is empty.
    const fn overlaps(self, start: usize, bytes: usize) -> bool {
        let first = self.at & !(self.bytes - 1);
        first <= start + (bytes - 1) && start <= first + (self.bytes - 1)
    }
}

/// An entry became valid.
const PUBLISH: usize = 1 << 16;
/// A table was unlinked: cached pointers to tables must go, too.
const TABLES: usize = 1 << 17;
/// A global leaf is concerned: every ASID must be reached.
const EVERY_SPACE: usize = 1 << 18;
/// The number of ranges.
const COUNT: usize = PUBLISH - 1;

/// What is owed.
pub(super) struct Debt<M, PTE, H> {
    /// The ranges to invalidate.
    owed: [Owed; BY_ADDRESS_LIMIT],
    /// [`PUBLISH`], [`TABLES`], [`EVERY_SPACE`], and how many ranges there are to invalidate; past
    /// the limit, everything is.
    state: usize,
    /// Whose translations the tree makes, unless they are global.
    pub(super) space: AddressSpace,
    /// Unlinked tables.
    freed: FrameChain<M, PTE, H>,
    /// 4 KiB pages that the last region operation changed.
    pub(super) pages: usize,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Debt<M, PTE, H> {
    pub(super) const fn new() -> Self {
        Self {
            owed: [Owed { at: 0, bytes: 1 }; BY_ADDRESS_LIMIT],
            state: 0,
            space: AddressSpace::All,
            freed: FrameChain::new(),
            pages: 0,
        }
    }

    /// The entry of `leaf`, of `size` at `va`, became valid.
    #[inline(always)]
    pub(super) fn owe_publication(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) {
        self.state |= PUBLISH;
        if M::CACHES_INVALID {
            self.owe_invalidation(va, size, leaf);
        }
    }

    /// `count` entries of leaves like `leaf`, of `size` from `va` on, became valid.
    pub(super) fn owe_publications(
        &mut self,
        va: VirtAddr,
        size: PageSize,
        (leaf, count): (PTE, usize),
    ) {
        self.state |= PUBLISH;
        if M::CACHES_INVALID {
            self.owe_invalidations(va, size, (leaf, count));
        }
    }

    /// A table was linked where nothing was before.
    pub(super) fn owe_link(&mut self) {
        self.state |= PUBLISH;
        if M::CACHES_INVALID {
            self.state |= TABLES;
        }
    }

    /// `leaf`, of `size` at `va`, was removed or got other rights.
    #[inline(always)]
    pub(super) fn owe_invalidation(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) {
        self.owe_space(leaf);
        self.owe(va.as_usize(), leaf_bytes::<M>(size));
        // The Cortex-A53's TLB holds a 1 GiB block as two pieces (DDI 0500, 5.2.3).
        if size == PageSize::Size1G && !planted(Mutant::OneHalfOfAGibibyte) {
            let half = leaf_bytes::<M>(size) / 2;
            self.owe(va.as_usize() | half, half);
        }
    }

    /// `count` leaves like `leaf`, of `size` from `va` on, were removed or got other rights.
    pub(super) fn owe_invalidations(
        &mut self,
        va: VirtAddr,
        size: PageSize,
        (leaf, count): (PTE, usize),
    ) {
        self.owe_space(leaf);
        if count > BY_ADDRESS_LIMIT {
            self.owe_everything();
            return;
        }
        let stride = match planted(Mutant::StrideOfPages) {
            true => PAGE_SIZE,
            false => leaf_bytes::<M>(size),
        };
        for number in 0..count {
            let va = va.as_usize() + number * stride;
            self.owe_invalidation(VirtAddr::new(va), size, leaf);
        }
    }

    /// What is owed concerns `leaf`: an invalidation for one ASID spares it if it is global.
    #[inline(always)]
    pub(super) fn owe_space(&mut self, leaf: PTE) {
        if self.spares(leaf) {
            self.state |= EVERY_SPACE;
        }
    }

    /// Whether an invalidation for the tree's ASID spares `leaf`.
    #[inline(always)]
    pub(super) fn spares(&self, leaf: PTE) -> bool {
        self.is_one_space()
            && leaf.flags().contains(MappingFlags::GLOBAL)
            && !planted(Mutant::AsidFormForGlobalLeaf)
    }

    /// Whether the tree belongs to one ASID.
    #[inline(always)]
    pub(super) const fn is_one_space(&self) -> bool {
        matches!(self.space, AddressSpace::Asid(_))
    }

    /// So much was removed that everything is invalidated.
    pub(super) fn owe_everything(&mut self) {
        self.state = self.state & !COUNT | (BY_ADDRESS_LIMIT + 1);
    }

    #[inline(always)]
    fn owe(&mut self, at: usize, bytes: usize) {
        if self.state & COUNT == 0 {
            self.owed[0] = Owed { at, bytes };
            self.state |= 1;
        } else {
            self.owe_more(Owed { at, bytes });
        }
    }

    #[cold]
    #[inline(never)]
    fn owe_more(&mut self, owed: Owed) {
        if let Some(slot) = self.owed.get_mut(self.state & COUNT) {
            *slot = owed;
            self.state += 1;
        } else if !planted(Mutant::FullListForgets) {
            self.owe_everything();
        }
    }

    /// Whether so much is owed that everything is invalidated.
    pub(super) const fn is_everything(&self) -> bool {
        self.state & COUNT > BY_ADDRESS_LIMIT
    }

    /// Whether everything is invalidated if `count` more addresses are owed.
    pub(super) const fn is_too_much(&self, count: usize) -> bool {
        (self.state & COUNT) + count > BY_ADDRESS_LIMIT
    }

    /// The table at `pa`, which translated `bytes` from `va`, was unlinked, after all that was
    /// below it.
    ///
    /// One invalidation in its range removes every cached pointer to it; the last leaf that was
    /// removed from it has owed one already, unless that leaf was retained. Until that is paid,
    /// a table that is linked anywhere in the range would meet this one.
    pub(super) fn owe_table(&mut self, pa: PhysAddr, va: VirtAddr, bytes: usize) {
        if planted(Mutant::TableFreedAtOnce) {
            H::dealloc_frame(pa);
        } else if !planted(Mutant::TableLost) {
            self.freed.push(pa);
        }
        self.state |= TABLES;
        if self.is_everything() {
            return;
        }
        let last = (self.state & COUNT).checked_sub(1);
        let last = last.and_then(|last| self.owed.get_mut(last));
        match last.filter(|last| last.overlaps(va.as_usize(), bytes)) {
            Some(_) if planted(Mutant::TableMeetsTable) => {}
            Some(last) => last.bytes = last.bytes.max(bytes),
            None if planted(Mutant::TableOfRetainedForgotten) => {}
            None => self.owe(va.as_usize(), bytes),
        }
    }

    /// A page at `va` was removed, when nothing was owed and no other space is concerned.
    #[inline(always)]
    pub(super) fn owe_page(&mut self, va: VirtAddr) {
        self.owed[0] = Owed {
            at: va.as_usize(),
            bytes: leaf_bytes::<M>(PageSize::Size4K),
        };
        self.state = 1;
    }

    /// Whether nothing is owed.
    #[inline(always)]
    pub(super) const fn is_paid(&self) -> bool {
        self.state == 0
    }

    /// Whether nothing is owed that an invalidation pays for.
    #[inline(always)]
    pub(super) const fn is_settled(&self) -> bool {
        self.state & !PUBLISH == 0
    }

    /// Before entries of `bytes` from `va` on become valid: pays if something older may still be
    /// cached for them.
    #[inline]
    pub(super) fn settle_before_making(&mut self, va: VirtAddr, bytes: usize) {
        if !self.is_settled() && self.owes_any(va.as_usize(), bytes) {
            self.pay();
        }
    }

    #[cold]
    fn owes_any(&self, start: usize, bytes: usize) -> bool {
        if planted(Mutant::MadeBeforeSettled) {
            return false;
        }
        let Some(owed) = self.owed.get(..self.state & COUNT) else {
            return true;
        };
        owed.iter().any(|owed| owed.overlaps(start, bytes))
    }

    /// Issues what is owed, then gives the unlinked tables back. An invalidation publishes too: it
    /// begins with the same barrier, and ends with a stronger one.
    #[inline(always)]
    pub(super) fn pay(&mut self) {
        // The state is reset in each arm, not before: where the caller's operation makes it known,
        // only one arm is left.
        match self.state {
            0 => {}
            _ if planted(Mutant::NothingIsPaid) => self.state = 0,
            PUBLISH => {
                self.state = 0;
                M::Maintenance::publish();
            }
            1 => {
                self.state = 0;
                let va = VirtAddr::new(self.owed[0].at);
                M::Maintenance::begin_invalidation();
                M::Maintenance::invalidate(va, self.space, InvalidateScope::LastLevel);
                M::Maintenance::end_invalidation();
            }
            _ => self.pay_much(),
        }
    }

    #[cold]
    #[inline(never)]
    fn pay_much(&mut self) {
        let state = mem::take(&mut self.state);
        if planted(Mutant::FreedBeforeInvalidated) {
            self.freed.release();
        }
        let scope = match state & TABLES != 0 && !planted(Mutant::LeafFormForATable) {
            true => InvalidateScope::AnyLevel,
            false => InvalidateScope::LastLevel,
        };
        let space = match state & EVERY_SPACE != 0 {
            true => AddressSpace::All,
            false => self.space,
        };
        self.invalidate(state & COUNT, space, scope);
        self.freed.release();
    }

    /// Invalidates the first `count` ranges and waits.
    fn invalidate(&self, count: usize, space: AddressSpace, scope: InvalidateScope) {
        M::Maintenance::begin_invalidation();
        match self.owed.get(..count) {
            Some(owed) => {
                for owed in owed {
                    M::Maintenance::invalidate(VirtAddr::new(owed.at), space, scope);
                }
            }
            None => M::Maintenance::invalidate_all(space),
        }
        M::Maintenance::end_invalidation();
    }

    /// Between break and make: invalidates what is owed in every address space, and whatever
    /// pointers to tables are cached. What was unlinked stays owed.
    pub(super) fn invalidate_broken(&mut self) {
        let count = self.state & COUNT;
        self.state &= PUBLISH | TABLES;
        if !planted(Mutant::BrokenNotInvalidated) {
            self.invalidate(count, AddressSpace::All, InvalidateScope::AnyLevel);
        }
    }

    /// Gives the table at `pa` back, which was unlinked and invalidated already.
    pub(super) fn release(&mut self, pa: PhysAddr) {
        H::dealloc_frame(pa);
    }

    /// Forgets the barriers and invalidations; the tables are given back.
    pub(super) fn forgive(&mut self) {
        self.state = 0;
        self.freed.release();
    }
}

//! Stores of descriptors, barriers and TLB invalidations; receipts for what is still owed.
//!
//! An operation on a [`PageTable64`](super::PageTable64) changes descriptors and returns a receipt
//! that owes the maintenance. The receipt borrows the table: nothing else can be changed until it
//! is paid, so no old translation can meet a new one. A receipt that is dropped pays.
//!
//! Sources: Arm DDI 0487 D8.16 (TLB maintenance), D8.17 (break-before-make), B2.3 (ordering of
//! translation table walks).

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

use super::{MappingFlags, PageSize, PagingHandler, PagingMetaData, view};
use crate::addr::{PhysAddr, VirtAddr};

/// How much an invalidation by address must reach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidateScope {
    /// Leaves only: no table was unlinked on the way to the address.
    LastLevel,
    /// Cached pointers to tables too.
    AnyLevel,
}

/// The only code that stores a descriptor, issues a barrier or an invalidation.
///
/// All invalidations reach every core that shares the tables and every ASID.
pub trait Maintenance: Send + Sync {
    /// Stores a descriptor: one 64-bit single-copy-atomic store.
    fn store(slot: &AtomicU64, bits: u64) {
        slot.store(bits, Ordering::Relaxed);
    }

    /// Orders the stores that fill a table before the store that links it (`dmb ishst`).
    fn order_table();

    /// Makes stores that turned invalid entries valid visible to walks, and to the instructions
    /// after it (`dsb ishst; isb`).
    fn publish();

    /// Makes the stores so far visible to every walker, before invalidating (`dsb ishst`).
    fn begin_invalidation();

    /// Invalidates what is cached for the page at `va`.
    fn invalidate(va: VirtAddr, scope: InvalidateScope);

    /// Invalidates everything cached for the translation regime.
    fn invalidate_all();

    /// Waits until the invalidations have completed on every core (`dsb ish; isb`).
    fn end_invalidation();
}

/// More addresses than this are invalidated as a whole address space.
const BY_ADDRESS_LIMIT: usize = 16;

/// A list of frames that is kept in the frames themselves: the first word names the next one.
///
/// The word always has bit 0 clear: a walker that still holds a pointer to an unlinked table
/// finds an invalid descriptor there.
pub(super) struct FrameChain<M, H> {
    head: Option<PhysAddr>,
    handler: PhantomData<fn() -> (M, H)>,
}

/// The first word of the last frame; never a frame's address, and invalid as a descriptor.
const CHAIN_END: u64 = 0b10;

impl<M: PagingMetaData, H: PagingHandler> FrameChain<M, H> {
    pub(super) const fn new() -> Self {
        Self {
            head: None,
            handler: PhantomData,
        }
    }

    /// Takes ownership of the frame at `pa`.
    pub(super) fn push(&mut self, pa: PhysAddr) {
        let next = self.head.map_or(CHAIN_END, |next| next.as_usize() as u64);
        view::store::<M, H>(pa, 0, next);
        self.head = Some(pa);
    }

    /// Gives one frame up.
    pub(super) fn pop(&mut self) -> Option<PhysAddr> {
        let pa = self.head?;
        let next = view::load::<H>(pa, 0);
        self.head = (next != CHAIN_END).then(|| PhysAddr::new(next as usize));
        Some(pa)
    }

    /// Returns every frame to the handler.
    pub(super) fn release(&mut self) {
        while let Some(pa) = self.pop() {
            H::dealloc_frame(pa);
        }
    }
}

/// What an operation owes before its effect may be relied on.
pub(super) struct Debt<M: PagingMetaData, H: PagingHandler> {
    addresses: [VirtAddr; BY_ADDRESS_LIMIT],
    /// How many leaves were removed or restricted; past the limit, everything is invalidated.
    count: usize,
    /// Whether an entry became valid.
    published: bool,
    freed: FrameChain<M, H>,
    tables_unlinked: bool,
    pages: usize,
}

impl<M: PagingMetaData, H: PagingHandler> Debt<M, H> {
    pub(super) const fn new() -> Self {
        Self {
            addresses: [VirtAddr::new(0); BY_ADDRESS_LIMIT],
            count: 0,
            published: false,
            freed: FrameChain::new(),
            tables_unlinked: false,
            pages: 0,
        }
    }

    /// Counts pages that the operation changed.
    pub(super) fn add_pages(&mut self, pages: usize) {
        self.pages += pages;
    }

    /// An entry became valid that was not.
    pub(super) fn owe_publication(&mut self) {
        self.published = true;
    }

    /// The leaf at `va` was removed or lost a right.
    pub(super) fn owe_invalidation(&mut self, va: VirtAddr) {
        if let Some(slot) = self.addresses.get_mut(self.count) {
            *slot = va;
        }
        self.count += 1;
    }

    /// The table in the frame at `pa`, which translated `bytes` from `va`, was unlinked, after
    /// all that was below it.
    ///
    /// One invalidation in its range removes every cached pointer to it; the last leaf that was
    /// removed from it has owed one already, unless that leaf was retained.
    pub(super) fn owe_table(&mut self, pa: PhysAddr, va: VirtAddr, bytes: usize) {
        self.freed.push(pa);
        self.tables_unlinked = true;
        let last = self
            .count
            .checked_sub(1)
            .and_then(|last| self.addresses.get(last));
        let offset = last.and_then(|last| last.checked_sub(va));
        if offset.is_none_or(|offset| offset >= bytes) {
            self.owe_invalidation(va);
        }
    }

    /// Issues what is owed, then gives the unlinked tables back. An invalidation publishes too:
    /// it begins with the same barrier, and ends with a stronger one.
    pub(super) fn pay(&mut self) {
        if self.count > 0 {
            M::Maintenance::begin_invalidation();
            match self.addresses.get(..self.count) {
                Some(addresses) => {
                    let scope = if self.tables_unlinked {
                        InvalidateScope::AnyLevel
                    } else {
                        InvalidateScope::LastLevel
                    };
                    for &va in addresses {
                        M::Maintenance::invalidate(va, scope);
                    }
                }
                None => M::Maintenance::invalidate_all(),
            }
            M::Maintenance::end_invalidation();
        } else if self.published {
            M::Maintenance::publish();
        }
        self.freed.release();
        self.count = 0;
        self.published = false;
        self.tables_unlinked = false;
    }

    /// Forgets the barriers and invalidations; the tables are still given back.
    fn forgive(&mut self) {
        self.count = 0;
        self.published = false;
    }
}

macro_rules! receipt {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[must_use = "a change holds only when its receipt is paid: call `flush`"]
        pub struct $name<'table, M: PagingMetaData, H: PagingHandler> {
            debt: Debt<M, H>,
            table: PhantomData<&'table mut ()>,
        }

        impl<M: PagingMetaData, H: PagingHandler> $name<'_, M, H> {
            pub(super) const fn new(debt: Debt<M, H>) -> Self {
                Self {
                    debt,
                    table: PhantomData,
                }
            }

            /// Issues the barriers and invalidations that are owed, and waits for them.
            pub fn flush(self) {}

            /// Takes the maintenance over.
            ///
            /// # Safety
            /// Tables that were unlinked are given back now: no core may hold a translation
            /// that leads to one, as when no core has walked this tree yet. The caller publishes
            /// what became valid, and invalidates, on every core, what was removed or
            /// restricted, before it relies on the change and before it changes the same
            /// addresses again.
            pub unsafe fn ignore(mut self) {
                self.debt.forgive();
            }
        }

        impl<M: PagingMetaData, H: PagingHandler> Drop for $name<'_, M, H> {
            fn drop(&mut self) {
                self.debt.pay();
            }
        }
    };
}

receipt! {
    /// What is owed for a change of one leaf.
    TlbFlush
}

receipt! {
    /// What is owed for a change of a region.
    TlbFlushAll
}

impl<M: PagingMetaData, H: PagingHandler> TlbFlushAll<'_, M, H> {
    /// How many 4 KiB pages the operation mapped, unmapped or changed; holes do not count.
    #[must_use]
    pub const fn pages(&self) -> usize {
        self.debt.pages
    }
}

/// What was unmapped. The frame comes out only when the invalidation has completed.
#[must_use = "a frame is free only when its receipt is paid: call `flush`"]
pub struct Unmapped<'table, M: PagingMetaData, H: PagingHandler> {
    receipt: TlbFlush<'table, M, H>,
    pa: PhysAddr,
    flags: MappingFlags,
    size: PageSize,
}

impl<M: PagingMetaData, H: PagingHandler> Unmapped<'_, M, H> {
    pub(super) const fn new(
        debt: Debt<M, H>,
        pa: PhysAddr,
        flags: MappingFlags,
        size: PageSize,
    ) -> Self {
        Self {
            receipt: TlbFlush::new(debt),
            pa,
            flags,
            size,
        }
    }

    /// The size of the leaf.
    #[must_use]
    pub const fn size(&self) -> PageSize {
        self.size
    }

    /// The flags of the leaf.
    #[must_use]
    pub const fn flags(&self) -> MappingFlags {
        self.flags
    }

    /// Waits until no core can reach the frame through this mapping, and returns its address.
    #[must_use]
    pub fn flush(self) -> PhysAddr {
        let pa = self.pa;
        self.receipt.flush();
        pa
    }
}

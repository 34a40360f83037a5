//! Receipts: [`TlbFlush`], [`TlbFlushAll`], [`Unmapped`].
//!
//! An operation on a [`PageTable64`](crate::PageTable64) changes descriptors and returns a receipt,
//! which issues the barriers and invalidations that the change needs.
//!
//! 1. `let receipt = table.unmap(page)?`: the entry is cleared. Other cores may still use the page.
//! 2. The receipt borrows the table: nothing else can be changed while it is there.
//! 3. `receipt.flush()`: barriers and invalidation are issued, and have completed on every core.
//!    For [`Unmapped`], the frame comes out now, and not before: it is free.
//! 4. A receipt that is dropped does the same; `let _ = table.unmap(page)` is right, though it
//!    loses the frame. One that is leaked (`mem::forget`) leaves everything pending in the table,
//!    whose next operation on these addresses issues it.
//!
//! # Decisions
//! A receipt is two words, a reference and one byte ([`FlushWork`]), and inlined: mapping a page
//! and flushing it ends with the two barriers, and no call.
#![expect(unsafe_code, reason = "what is ignored is the caller's to issue")]

use core::marker::PhantomData;
use core::mem;

use crate::addr::PhysAddr;
use crate::flush::pending::PendingFlush;
use crate::flush::work::FlushWork;
use crate::node::sharing::{PrivateTop, Sharing};
use crate::{GenericPTE, MappingFlags, PageSize, PagingHandler, PagingMetaData};

/// A mark that ties a receipt to the core that has stored, because its barriers may complete the
/// stores of their own core alone: no value with it is `Send`. What is pending is handed on with
/// the table instead, as a receipt that is leaked leaves it, and whoever issues that completes the
/// stores of others, too ([`Maintenance::adopt`](crate::Maintenance::adopt)).
///
/// A scheduler that moves a thread between two of its instructions completes the thread's stores
/// first (`dsb ish`), as for any other barrier of the thread.
pub(crate) type OnThisCore = PhantomData<*const ()>;

macro_rules! receipt {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[must_use = "a change holds only when its receipt has issued the barriers: call `flush`"]
        pub struct $name<'table, M, PTE, H, S = PrivateTop>
        where
            M: PagingMetaData,
            PTE: GenericPTE,
            H: PagingHandler,
            S: Sharing<M, PTE, H>,
        {
            pending: &'table mut PendingFlush<M, PTE, H, S>,
            work: FlushWork,
            here: OnThisCore,
        }

        impl<'table, M, PTE, H, S> $name<'table, M, PTE, H, S>
        where
            M: PagingMetaData,
            PTE: GenericPTE,
            H: PagingHandler,
            S: Sharing<M, PTE, H>,
        {
            #[inline(always)]
            pub(crate) const fn new(
                pending: &'table mut PendingFlush<M, PTE, H, S>,
                work: FlushWork,
            ) -> Self {
                Self {
                    pending,
                    work,
                    here: PhantomData,
                }
            }

            /// Issues the barriers and invalidations that are pending, and waits for them.
            ///
            /// Then every core that walks anew finds what was mapped, and none what was unmapped
            /// or restricted. A core that has not synchronised its context since (an `isb`, an
            /// exception) may still fault once on what was mapped, even if it has taken a lock
            /// that this core released afterwards: Arm without FEAT_ETS2, as on a Cortex-A53. A
            /// fault handler looks at the tables again before it believes such a fault.
            #[inline(always)]
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
                self.work = FlushWork::AllPending;
                self.pending.discard();
            }
        }

        impl<M, PTE, H, S> Drop for $name<'_, M, PTE, H, S>
        where
            M: PagingMetaData,
            PTE: GenericPTE,
            H: PagingHandler,
            S: Sharing<M, PTE, H>,
        {
            #[inline(always)]
            fn drop(&mut self) {
                self.pending.perform(self.work);
            }
        }
    };
}

receipt! {
    /// The barriers and invalidations that a change of one leaf needs: issued by `flush`, at the
    /// latest when this is dropped.
    TlbFlush
}

receipt! {
    /// The barriers and invalidations that a change of a region needs: issued by `flush`, at the
    /// latest when this is dropped.
    TlbFlushAll
}

impl<M, PTE, H, S> TlbFlush<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Leaves what is pending with the table.
    pub(crate) fn defer(self) {
        self.pending.defer(self.work);
        mem::forget(self);
    }
}

impl<M, PTE, H, S> TlbFlushAll<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// How many 4 KiB pages the operation mapped, unmapped or looked at to change them; holes do
    /// not count.
    #[must_use]
    pub const fn pages(&self) -> usize {
        self.pending.pages
    }
}

/// A leaf that was unmapped: its frame comes out only when the invalidation has completed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Removed {
    pub(crate) pa: PhysAddr,
    pub(crate) flags: MappingFlags,
    pub(crate) size: PageSize,
}

/// The receipt of an unmapped leaf: issues the invalidation by `flush`, at the latest when it is
/// dropped. The frame comes out only when that has completed on every core.
#[must_use = "a frame is free only when its invalidation has completed: call `flush`"]
pub struct Unmapped<'table, M, PTE, H, S = PrivateTop>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    receipt: TlbFlush<'table, M, PTE, H, S>,
    leaf: Removed,
}

impl<'table, M, PTE, H, S> Unmapped<'table, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    #[inline(always)]
    pub(crate) const fn new(receipt: TlbFlush<'table, M, PTE, H, S>, leaf: Removed) -> Self {
        Self { receipt, leaf }
    }

    /// Leaves what is pending with the table. Returns the leaf, whose frame is not free yet.
    pub(crate) fn defer(self) -> Removed {
        self.receipt.defer();
        self.leaf
    }

    /// The size of the leaf, and so of what its frame address stands for.
    #[must_use]
    pub const fn size(&self) -> PageSize {
        self.leaf.size
    }

    /// The flags that the leaf had; without any of [`MappingFlags::RIGHTS`] it was inaccessible.
    #[must_use]
    pub const fn flags(&self) -> MappingFlags {
        self.leaf.flags
    }

    /// Issues the invalidation, waits until no core can reach the frame through this mapping, and
    /// returns its physical address.
    #[must_use]
    #[inline(always)]
    pub fn flush(self) -> PhysAddr {
        let pa = self.leaf.pa;
        self.receipt.flush();
        pa
    }

    /// Takes the maintenance over, and returns the address of the frame.
    ///
    /// # Safety
    /// As for [`TlbFlush::ignore`].
    #[must_use]
    pub unsafe fn ignore(self) -> PhysAddr {
        let pa = self.leaf.pa;
        // SAFETY: the caller promises what `TlbFlush::ignore` asks for.
        unsafe { self.receipt.ignore() };
        pa
    }
}

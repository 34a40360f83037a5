//! Receipts: [`TlbFlush`], [`TlbFlushAll`], [`Unmapped`]; and the [`Batch`], which pays for many
//! operations at once.
//!
//! An operation on a [`PageTable64`] changes descriptors and returns a receipt that owes the
//! maintenance. The receipt borrows the table: nothing else can be changed until it is paid. A
//! receipt that is dropped pays.

use core::marker::PhantomData;
use core::mem;

use crate::addr::{PhysAddr, VirtAddr};
use crate::change::share::{Alone, Sharing};
use crate::flush::pending::{Debt, Due};
use crate::{
    GenericPTE, MappingFlags, PageSize, PageTable64, PagingHandler, PagingMetaData, PagingResult,
    RegionOptions,
};

/// What ties a receipt to the core that has stored: its barriers may look at the stores of their
/// own core alone. It is not `Send`; a debt is handed on with the table instead, as a receipt that
/// is leaked leaves it, and whoever pays that looks at the stores of others too
/// ([`Maintenance::adopt`](crate::Maintenance::adopt)).
///
/// A scheduler that moves a thread between two of its instructions completes the thread's stores
/// first (`dsb ish`), as for any other barrier of the thread.
type OnThisCore = PhantomData<*const ()>;

macro_rules! receipt {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[must_use = "a change holds only when its receipt is paid: call `flush`"]
        pub struct $name<'table, M, PTE, H, S = Alone>
        where
            M: PagingMetaData,
            PTE: GenericPTE,
            H: PagingHandler,
            S: Sharing<M, PTE, H>,
        {
            debt: &'table mut Debt<M, PTE, H, S>,
            due: Due,
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
            pub(crate) const fn new(debt: &'table mut Debt<M, PTE, H, S>, due: Due) -> Self {
                Self {
                    debt,
                    due,
                    here: PhantomData,
                }
            }

            /// Issues the barriers and invalidations that are owed, and waits for them.
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
                self.due = Due::AsOwed;
                self.debt.forgive();
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
                self.debt.pay_due(self.due);
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

impl<M, PTE, H, S> TlbFlush<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Leaves what is owed with the table.
    fn defer(self) {
        self.debt.defer(self.due);
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
        self.debt.pages
    }
}

/// A leaf that was unmapped: its frame comes out only when the invalidation has completed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Removed {
    pub(crate) pa: PhysAddr,
    pub(crate) flags: MappingFlags,
    pub(crate) size: PageSize,
}

/// What was unmapped. The frame comes out only when the invalidation has completed.
#[must_use = "a frame is free only when its receipt is paid: call `flush`"]
pub struct Unmapped<'table, M, PTE, H, S = Alone>
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

    /// The size of the leaf.
    #[must_use]
    pub const fn size(&self) -> PageSize {
        self.leaf.size
    }

    /// The flags of the leaf.
    #[must_use]
    pub const fn flags(&self) -> MappingFlags {
        self.leaf.flags
    }

    /// Waits until no core can reach the frame through this mapping, and returns its address.
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
        // SAFETY: the caller's promise is the same.
        unsafe { self.receipt.ignore() };
        pa
    }
}

/// A mark that ties what a batch handed out to that batch, and to no other.
type Brand<'batch> = PhantomData<fn(&'batch ()) -> &'batch ()>;

/// Operations on one table that are paid together: see [`PageTable64::batch`].
///
/// Where an operation would make an entry valid whose predecessor may still be cached, what is
/// owed so far is paid first: the order of operations never matters for safety.
pub struct Batch<'batch, M, PTE, H, S = Alone>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    table: &'batch mut PageTable64<M, PTE, H, S>,
    brand: Brand<'batch>,
    here: OnThisCore,
}

/// A leaf that was unmapped in a batch.
#[derive(Debug)]
#[must_use = "the frame is lost if nobody asks for it: call `frame`"]
pub struct BatchUnmapped<'batch> {
    leaf: Removed,
    brand: Brand<'batch>,
}

/// The proof that a batch is paid.
#[derive(Clone, Copy, Debug)]
pub struct Paid<'batch>(Brand<'batch>);

impl<'batch> BatchUnmapped<'batch> {
    /// The size of the leaf.
    #[must_use]
    pub const fn size(&self) -> PageSize {
        self.leaf.size
    }

    /// The flags of the leaf.
    #[must_use]
    pub const fn flags(&self) -> MappingFlags {
        self.leaf.flags
    }

    /// The frame, which no core can reach through this mapping any more.
    #[must_use]
    pub const fn frame(self, _: &Paid<'batch>) -> PhysAddr {
        self.leaf.pa
    }
}

impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Does many operations and pays for them once.
    ///
    /// [`Batch::finish`] pays and yields the proof for which a [`BatchUnmapped`] gives its frame
    /// up; a batch that is dropped pays, too.
    pub fn batch<R>(
        &mut self,
        work: impl for<'batch> FnOnce(Batch<'batch, M, PTE, H, S>) -> R,
    ) -> R {
        self.debt.begin();
        let open = OpenBatch(self);
        open.0.debt.in_batch = true;
        work(Batch {
            table: open.0,
            brand: PhantomData,
            here: PhantomData,
        })
    }
}

/// A table in a batch, until that is over in whatever way.
struct OpenBatch<'table, M, PTE, H, S>(&'table mut PageTable64<M, PTE, H, S>)
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>;

impl<M, PTE, H, S> Drop for OpenBatch<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    fn drop(&mut self) {
        self.0.debt.in_batch = false;
    }
}

impl<'batch, M, PTE, H, S> Batch<'batch, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// The table, to be read: what was changed in this batch is seen, though no core may yet.
    #[must_use]
    pub const fn table(&self) -> &PageTable64<M, PTE, H, S> {
        self.table
    }

    /// As [`PageTable64::map`].
    ///
    /// # Errors
    /// As [`PageTable64::map`].
    pub fn map(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult {
        self.table.map(va, pa, size, flags)?.defer();
        Ok(())
    }

    /// As [`PageTable64::unmap`].
    ///
    /// # Errors
    /// As [`PageTable64::unmap`].
    pub fn unmap(&mut self, va: VirtAddr) -> PagingResult<BatchUnmapped<'batch>> {
        let Unmapped { receipt, leaf } = self.table.unmap(va)?;
        receipt.defer();
        Ok(BatchUnmapped {
            leaf,
            brand: PhantomData,
        })
    }

    /// As [`PageTable64::update`].
    ///
    /// # Errors
    /// As [`PageTable64::update`].
    pub fn update(
        &mut self,
        va: VirtAddr,
        pa: Option<PhysAddr>,
        flags: Option<MappingFlags>,
    ) -> PagingResult<PageSize> {
        self.table.update_leaf(va, pa, flags)
    }

    /// As [`PageTable64::protect`].
    ///
    /// # Errors
    /// As [`PageTable64::protect`].
    pub fn protect(&mut self, va: VirtAddr, flags: MappingFlags) -> PagingResult<PageSize> {
        self.table.update_leaf(va, None, Some(flags))
    }

    /// As [`PageTable64::remap`].
    ///
    /// # Errors
    /// As [`PageTable64::remap`].
    pub fn remap(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        flags: MappingFlags,
    ) -> PagingResult<PageSize> {
        self.table.update_leaf(va, Some(pa), Some(flags))
    }

    /// As [`PageTable64::map_region`]. Returns how many pages were mapped.
    ///
    /// # Errors
    /// As [`PageTable64::map_region`].
    pub fn map_region(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: usize,
        flags: MappingFlags,
        options: RegionOptions,
    ) -> PagingResult<usize> {
        let due = self.table.map_pages(va, pa, size, flags, options)?;
        self.table.debt.defer(due);
        Ok(self.table.debt.pages)
    }

    /// As [`PageTable64::unmap_region`]. Returns how many pages were unmapped.
    ///
    /// # Errors
    /// As [`PageTable64::unmap_region`].
    pub fn unmap_region(&mut self, va: VirtAddr, size: usize) -> PagingResult<usize> {
        self.table.unmap_pages(va, size)?;
        Ok(self.table.debt.pages)
    }

    /// As [`PageTable64::protect_region`]. Returns how many pages were looked at.
    ///
    /// # Errors
    /// As [`PageTable64::protect_region`].
    pub fn protect_region(
        &mut self,
        va: VirtAddr,
        size: usize,
        flags: MappingFlags,
    ) -> PagingResult<usize> {
        self.table.protect_pages(va, size, flags)?;
        Ok(self.table.debt.pages)
    }

    /// Pays for all operations so far.
    #[must_use]
    pub fn finish(self) -> Paid<'batch> {
        self.table.debt.pay();
        Paid(PhantomData)
    }
}

impl<M, PTE, H, S> Drop for Batch<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    fn drop(&mut self) {
        self.table.debt.pay();
    }
}

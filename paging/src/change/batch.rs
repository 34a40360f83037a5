//! [`Batch`]: many changes of one tree whose invalidations are issued together.
//!
//! # The scenario
//! The pages from 0x40_0000 on are mapped, the first to frame 0x9000_0000:
//!
//! 1. `batch.unmap(0x40_0000)` clears the entry of frame 0x9000_0000. Other cores may still write
//!    to that frame, so [`BatchUnmapped`] does not give it out.
//! 2. `batch.unmap(0x40_1000)` adds one address to the pending list: no barrier, no `tlbi`.
//! 3. `batch.map(0x40_0000, ..)` makes an address valid whose old translation is pending: all that
//!    is pending is issued first (`flush_before_making`). The barriers that publish the new page
//!    are pending then.
//! 4. `batch.unmap(0x40_2000)` adds an address again.
//! 5. [`Batch::finish`] issues that between one pair of barriers, which publish the page of step 3,
//!    too, and returns [`Flushed`], for which [`BatchUnmapped::frame`] gives the frames out.
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use crate::addr::{PhysAddr, VirtAddr};
use crate::change::region::mapping::RegionOptions;
use crate::change::tree::Tree;
use crate::entry::assert_software_bits;
use crate::flush::receipt::{OnThisCore, Removed};
use crate::node::sharing::{PrivateTop, Sharing};
use crate::{
    Attributes, GenericPTE, Leaf, MappingFlags, PageSize, PagingHandler, PagingMetaData,
    PagingResult, SoftwareBits, TableView,
};

/// A mark that ties what a batch handed out to that batch, and to no other.
type Brand<'batch> = PhantomData<fn(&'batch ()) -> &'batch ()>;

/// Operations on one table whose invalidations are issued together, at the end: see
/// [`PageTable64::batch`](crate::PageTable64::batch).
///
/// Where an operation would make an entry valid whose predecessor may still be cached, all that is
/// pending is issued first: the order of operations never matters for safety.
pub struct Batch<'batch, M, PTE, H, S = PrivateTop>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    tree: &'batch mut Tree<M, PTE, H, S>,
    brand: Brand<'batch>,
    here: OnThisCore,
}

/// A leaf that was unmapped in a batch: its frame comes out by [`BatchUnmapped::frame`] when the
/// batch is finished.
#[derive(Debug)]
#[must_use = "the frame is lost if nobody asks for it: call `frame`"]
pub struct BatchUnmapped<'batch> {
    leaf: Removed,
    brand: Brand<'batch>,
}

/// The proof that a batch's invalidations have completed on every core: from
/// [`Batch::finish`], for [`BatchUnmapped::frame`].
#[derive(Clone, Copy, Debug)]
pub struct Flushed<'batch>(Brand<'batch>);

impl<'batch> BatchUnmapped<'batch> {
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

    /// The physical address of the frame, which no core can reach through this mapping any more:
    /// the proof shows that the invalidation of this batch has completed.
    #[must_use]
    pub const fn frame(self, _: &Flushed<'batch>) -> PhysAddr {
        self.leaf.pa
    }
}

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Does `work`, whose invalidations are issued together at its end.
    pub(crate) fn batch<R>(
        &mut self,
        work: impl for<'batch> FnOnce(Batch<'batch, M, PTE, H, S>) -> R,
    ) -> R {
        self.pending.begin();
        let open = OpenBatch(self);
        open.0.pending.in_batch = true;
        work(Batch {
            tree: open.0,
            brand: PhantomData,
            here: PhantomData,
        })
    }
}

/// A tree in a batch; its drop ends the batch, after a panic too.
struct OpenBatch<'tree, M, PTE, H, S>(&'tree mut Tree<M, PTE, H, S>)
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
        self.0.pending.in_batch = false;
    }
}

impl<'batch, M, PTE, H, S> Batch<'batch, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// The tree, to be read: what was changed in this batch is seen, though no core may yet.
    #[must_use]
    pub fn view(&self) -> S::View<'_, TableView<M, PTE, H>> {
        self.tree.guarded_view()
    }

    /// Maps one page or block, as [`PageTable64::map`](crate::PageTable64::map); the barriers that
    /// publish it are issued at the end of the batch.
    ///
    /// # Errors
    /// As [`PageTable64::map`](crate::PageTable64::map).
    pub fn map(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult {
        self.tree.map_leaf(va, pa, size, flags)?.defer();
        Ok(())
    }

    /// Unmaps the leaf that covers `va`, as [`PageTable64::unmap`](crate::PageTable64::unmap).
    /// Other cores may use its frame until the batch is finished, so it is not given out before:
    /// [`BatchUnmapped::frame`].
    ///
    /// # Errors
    /// As [`PageTable64::unmap`](crate::PageTable64::unmap).
    pub fn unmap(&mut self, va: VirtAddr) -> PagingResult<BatchUnmapped<'batch>> {
        Ok(BatchUnmapped {
            leaf: self.tree.unmap_leaf(va)?.defer(),
            brand: PhantomData,
        })
    }

    /// Changes frame, flags or both of the leaf that covers `va`, as
    /// [`PageTable64::update`](crate::PageTable64::update). Returns the size of the leaf.
    ///
    /// # Errors
    /// As [`PageTable64::update`](crate::PageTable64::update).
    pub fn update(
        &mut self,
        va: VirtAddr,
        pa: Option<PhysAddr>,
        flags: Option<MappingFlags>,
    ) -> PagingResult<PageSize> {
        self.tree.update_leaf(va, pa, flags)
    }

    /// Changes the flags of the leaf that covers `va`, as
    /// [`PageTable64::protect`](crate::PageTable64::protect). Returns the size of the leaf.
    ///
    /// # Errors
    /// As [`PageTable64::protect`](crate::PageTable64::protect).
    pub fn protect(&mut self, va: VirtAddr, flags: MappingFlags) -> PagingResult<PageSize> {
        self.tree.update_leaf(va, None, Some(flags))
    }

    /// Changes frame and flags of the leaf that covers `va`, as
    /// [`PageTable64::remap`](crate::PageTable64::remap). Returns the size of the leaf.
    ///
    /// # Errors
    /// As [`PageTable64::remap`](crate::PageTable64::remap).
    pub fn remap(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        flags: MappingFlags,
    ) -> PagingResult<PageSize> {
        self.tree.update_leaf(va, Some(pa), Some(flags))
    }

    /// Gives the leaf that covers `va` other software bits, as
    /// [`PageTable64::set_software`](crate::PageTable64::set_software). Returns the size of the leaf.
    ///
    /// # Errors
    /// As [`PageTable64::set_software`](crate::PageTable64::set_software).
    pub fn set_software(&mut self, va: VirtAddr, software: SoftwareBits) -> PagingResult<PageSize> {
        self.tree.mark_leaf(va, software)
    }

    /// Maps `size` bytes from `va` on to the frames from `pa` on, as
    /// [`PageTable64::map_region`](crate::PageTable64::map_region). Returns how many 4 KiB pages
    /// were mapped.
    ///
    /// # Errors
    /// As [`PageTable64::map_region`](crate::PageTable64::map_region).
    pub fn map_region(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: usize,
        flags: MappingFlags,
        options: RegionOptions,
    ) -> PagingResult<usize> {
        let work = self.tree.map_pages(va, pa, size, flags, options)?;
        self.tree.pending.defer(work);
        Ok(self.tree.pending.pages)
    }

    /// Maps leaves of `size` from `va` on to `frames`, one each, as
    /// [`PageTable64::map_frames`](crate::PageTable64::map_frames). Returns how many 4 KiB pages
    /// were mapped.
    ///
    /// # Errors
    /// As [`PageTable64::map_frames`](crate::PageTable64::map_frames).
    pub fn map_frames(
        &mut self,
        va: VirtAddr,
        frames: &[PhysAddr],
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult<usize> {
        let work = self.tree.map_scattered(va, frames, size, flags)?;
        self.tree.pending.defer(work);
        Ok(self.tree.pending.pages)
    }

    /// Unmaps whatever is mapped in `size` bytes from `va` on, as
    /// [`PageTable64::unmap_region`](crate::PageTable64::unmap_region). Returns how many 4 KiB
    /// pages were unmapped. Their frames are free when the batch is finished.
    ///
    /// # Errors
    /// As [`PageTable64::unmap_region`](crate::PageTable64::unmap_region).
    pub fn unmap_region(&mut self, va: VirtAddr, size: usize) -> PagingResult<usize> {
        self.tree.unmap_pages(va, size)?;
        Ok(self.tree.pending.pages)
    }

    /// Gives whatever is mapped in `size` bytes from `va` on these flags, as
    /// [`PageTable64::protect_region`](crate::PageTable64::protect_region). Returns how many 4 KiB
    /// pages were looked at.
    ///
    /// # Errors
    /// As [`PageTable64::protect_region`](crate::PageTable64::protect_region).
    pub fn protect_region(
        &mut self,
        va: VirtAddr,
        size: usize,
        flags: MappingFlags,
    ) -> PagingResult<usize> {
        self.tree.protect_pages(va, size, flags)?;
        Ok(self.tree.pending.pages)
    }

    /// Gives each leaf in `size` bytes from `va` on the flags that `function` makes of its own, as
    /// [`PageTable64::protect_region_with`](crate::PageTable64::protect_region_with). Returns how
    /// many 4 KiB pages were looked at.
    ///
    /// # Errors
    /// As [`PageTable64::protect_region_with`](crate::PageTable64::protect_region_with).
    pub fn protect_region_with(
        &mut self,
        va: VirtAddr,
        size: usize,
        mut function: impl FnMut(MappingFlags) -> MappingFlags,
    ) -> PagingResult<usize> {
        let flags = &mut |old: Attributes| Attributes {
            flags: function(old.flags),
            ..old
        };
        self.tree.update_pages_with(va, size, flags)?;
        Ok(self.tree.pending.pages)
    }

    /// Gives each leaf in `size` bytes from `va` on the flags and software bits that `function` makes
    /// of its own, as [`PageTable64::update_region_with`](crate::PageTable64::update_region_with).
    /// Returns how many 4 KiB pages were looked at.
    ///
    /// # Errors
    /// As [`PageTable64::update_region_with`](crate::PageTable64::update_region_with).
    pub fn update_region_with(
        &mut self,
        va: VirtAddr,
        size: usize,
        mut function: impl FnMut(Attributes) -> Attributes,
    ) -> PagingResult<usize> {
        const { assert_software_bits::<PTE>() }
        self.tree.update_pages_with(va, size, &mut function)?;
        Ok(self.tree.pending.pages)
    }

    /// Shows `function` every leaf that is present in `size` bytes from `va` on, and clears its
    /// accessed flag, as
    /// [`PageTable64::test_and_clear_accessed`](crate::PageTable64::test_and_clear_accessed). Returns
    /// how many 4 KiB pages were shown.
    ///
    /// # Errors
    /// As [`PageTable64::test_and_clear_accessed`](crate::PageTable64::test_and_clear_accessed).
    pub fn test_and_clear_accessed(
        &mut self,
        va: VirtAddr,
        size: usize,
        mut function: impl FnMut(Leaf<PTE>),
    ) -> PagingResult<usize> {
        self.tree.age_pages(va, size, &mut function)?;
        Ok(self.tree.pending.pages)
    }

    /// Issues the barriers and invalidations of all operations so far, and waits for them on every
    /// core; unlinked tables are freed.
    #[must_use]
    pub fn finish(self) -> Flushed<'batch> {
        self.tree.pending.flush();
        Flushed(PhantomData)
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
        self.tree.pending.flush();
    }
}

//! [`PageTable64`] and all of its public methods. The work of each is in `change` and `read`, which
//! do not import this file.
#![expect(unsafe_code, reason = "a promise about registers")]

use core::ops::{ControlFlow, RangeBounds};

use crate::addr::{PhysAddr, VirtAddr};
use crate::change::batch::Batch;
use crate::change::region::mapping::RegionOptions;
use crate::change::share::SharedWriter;
use crate::change::tree::Tree;
use crate::entry::assert_software_bits;
use crate::flush::work::FlushWork;
use crate::node::sharing::{PrivateTop, Sharing};
use crate::read::check::{Summary, Unsound};
use crate::read::view::TableView;
use crate::{
    Asid, Attributes, Cursor, Dump, GenericPTE, Leaf, Maintenance, MappingFlags, PageSize,
    PagingHandler, PagingMetaData, PagingResult, Runs, SoftwareBits, TlbFlush, TlbFlushAll,
    Unmapped, UnmappedFrame, Visit,
};

/// A page table: owns the tables of its tree, not the frames that it maps.
///
/// `M` has the geometry and the maintenance of the architecture, `PTE` the format of an entry, `H`
/// the frames. Dropping a table gives the tables of its tree back; the hardware must have stopped
/// using them. `S` says which of its top-level tables belong to somebody else: see
/// [`SharedTop`](crate::SharedTop).
///
/// Every change returns a receipt, which issues the barriers and invalidations that the change
/// needs at `flush()`, at the latest when it is dropped. A change that returns an error has changed
/// nothing.
///
/// ```
/// # use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
/// # use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
/// # use stilt_paging::format::x86_64::X64PageTable;
/// # use stilt_paging::{AddressSpace, InvalidateScope, Maintenance, PagingHandler, ENTRIES};
/// # use stilt_paging::{MappingFlags, PageSize, PagingError, RegionOptions};
/// # #[repr(align(4096))]
/// # struct Frame([AtomicU64; ENTRIES]);
/// # static RAM: [Frame; 8] = [const { Frame([const { AtomicU64::new(0) }; ENTRIES]) }; 8];
/// # static TAKEN: AtomicUsize = AtomicUsize::new(0);
/// # struct Frames;
/// # // SAFETY: no frame is given out twice; its memory is a static, accessed by atomics alone.
/// # unsafe impl PagingHandler for Frames {
/// #     fn alloc_frame() -> Option<PhysAddr> {
/// #         let number = TAKEN.fetch_add(1, Ordering::Relaxed);
/// #         (number < RAM.len()).then(|| PhysAddr::new(number * PAGE_SIZE))
/// #     }
/// #     fn dealloc_frame(_: PhysAddr) {}
/// #     fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
/// #         VirtAddr::new(RAM[pa.as_usize() / PAGE_SIZE].0.as_ptr().expose_provenance())
/// #     }
/// # }
/// # static INVALIDATIONS: AtomicUsize = AtomicUsize::new(0);
/// # struct Tlb;
/// # // SAFETY: nothing walks these tables.
/// # unsafe impl Maintenance for Tlb {
/// #     fn order_table() {}
/// #     fn publish() {}
/// #     fn begin_invalidation() {}
/// #     fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {
/// #         INVALIDATIONS.fetch_add(1, Ordering::Relaxed);
/// #     }
/// #     fn invalidate_all(_: AddressSpace) {
/// #         INVALIDATIONS.fetch_add(1, Ordering::Relaxed);
/// #     }
/// #     fn end_invalidation() {}
/// # }
/// # let invalidations = || INVALIDATIONS.swap(0, Ordering::Relaxed);
/// let mut table = X64PageTable::<Tlb, Frames>::try_new()?;
/// let data = MappingFlags::READ | MappingFlags::WRITE | MappingFlags::ACCESSED;
/// let page = |number: usize| VirtAddr::new(0x40_0000 + number * PAGE_SIZE);
///
/// // 512 pages of 4 KiB: the address is a multiple of 2 MiB, but a block was not asked for.
/// let frames = PhysAddr::new(0x80_0000);
/// table.map_region(page(0), frames, 2 << 20, data, RegionOptions::empty())?.flush();
/// assert_eq!(table.query(page(0))?, (frames, data, PageSize::Size4K));
///
/// // As a block: equal flags, consecutive frames.
/// let receipt = table.compact(page(0), 2 << 20)?;
/// assert_eq!(receipt.pages(), 512);
/// receipt.flush();
/// assert_eq!(table.query(page(3))?, (PhysAddr::new(0x80_3000), data, PageSize::Size2M));
///
/// // Pages 1 and 3 unmapped in one batch: the block is split, and what is pending is issued once.
/// invalidations();
/// let frames = table.batch(|mut batch| {
///     batch.unmap_region(page(1), PAGE_SIZE)?;
///     let third = batch.unmap(page(3))?;
///     let flushed = batch.finish();
///     Ok::<_, PagingError>(third.frame(&flushed))
/// })?;
/// assert_eq!(frames, PhysAddr::new(0x80_3000));
/// assert_eq!(table.query(page(3)), Err(PagingError::NotMapped { va: page(3) }));
/// assert_eq!(invalidations(), 2); // the block's, when it was broken; page 3's
///
/// // A page that the running core stands on stays as it is.
/// table.pin(page(8), PAGE_SIZE)?;
/// let refused = table.unmap_region(page(0), 2 << 20).map(|receipt| receipt.pages());
/// assert_eq!(refused, Err(PagingError::Pinned { va: page(8) }));
/// # Ok::<(), PagingError>(())
/// ```
#[repr(transparent)]
pub struct PageTable64<M, PTE, H, S = PrivateTop>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    tree: Tree<M, PTE, H, S>,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> PageTable64<M, PTE, H> {
    /// An empty table, which takes one frame of 4 KiB from `H` for its root.
    ///
    /// # Errors
    /// [`PagingError::NoMemory`](crate::PagingError::NoMemory) when there is no frame for the root.
    pub fn try_new() -> PagingResult<Self> {
        Self::copy_from(PrivateTop)
    }
}

/// Making a table, and saying how the hardware uses it.
impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// An empty table that shares the top-level tables of `sharing`, for as long as their owner
    /// is borrowed: they are seen in it at once, with whatever is mapped below them later. Takes
    /// one frame of 4 KiB.
    ///
    /// # Errors
    /// [`PagingError::NoMemory`](crate::PagingError::NoMemory) when there is no frame for the root.
    pub fn copy_from(sharing: S) -> PagingResult<Self> {
        let tree = Tree::new(sharing)?;
        Ok(Self { tree })
    }

    /// The physical address of the root table: for TTBR0_EL1, TTBR1_EL1, CR3, satp or PGDL, whose
    /// other fields are the kernel's to fill.
    #[must_use]
    pub const fn root_paddr(&self) -> PhysAddr {
        self.tree.root_paddr()
    }

    /// Says under which ASID the hardware uses this tree, so that invalidations of what is its own,
    /// and not global, spare other spaces; `None` reaches all. To be changed together with the
    /// register.
    ///
    /// Invalidations under a wrong ASID leave translations to frames and tables that are free by
    /// then.
    ///
    /// ```compile_fail,E0133
    /// # use stilt_paging::{Asid, GenericPTE, PageTable64, PagingHandler, PagingMetaData};
    /// # fn f<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    /// #     table: &mut PageTable64<M, PTE, H>,
    /// # ) {
    /// table.set_asid(Some(Asid::new(7)));
    /// # }
    /// ```
    ///
    /// # Safety
    /// With `None`, nothing. With an ASID, from here until the next call and as long as the tree is
    /// there:
    /// - the hardware translates by the tree under this ASID alone, and by no other tree under it:
    ///   the [`Activation`](crate::Activation) of the tree's own [`AsidTag`](crate::AsidTag) gives
    ///   such a number, and so does whoever keeps numbers apart by hand;
    /// - no core that could use it has a translation of the tree cached under another ASID. A tree
    ///   that was in use without one, or under another, gets this one when all of that is
    ///   invalidated.
    pub unsafe fn set_asid(&mut self, asid: Option<Asid>) {
        self.tree.set_asid(asid);
    }

    /// Declares that the running core stands on `bytes` from `va` on: code, stack, vectors, data
    /// of the core and of this table. `va` and `bytes` are multiples of 4 KiB.
    ///
    /// From the first such declaration on, the tree counts as live, and the pages through which its
    /// tables are written are protected too. An operation that would take a right from any of this,
    /// or leave it without a valid translation if only for a moment, is refused: on Arm, what
    /// stands in a block that is to be split, DDI 0487 D8.17.1.
    ///
    /// # Errors
    /// Those of an address range; [`PagingError::TooManyPins`](crate::PagingError::TooManyPins).
    pub fn pin(&mut self, va: VirtAddr, bytes: usize) -> PagingResult {
        self.tree.pin(va, bytes)
    }

    /// Takes back a [`PageTable64::pin`] of exactly these `bytes` from `va` on. Returns whether
    /// there was one; of two equal ones, one is left.
    pub fn unpin(&mut self, va: VirtAddr, bytes: usize) -> bool {
        self.tree.unpin(va, bytes)
    }
}

/// Reading.
impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// The tree, to be read as long as it is not changed.
    ///
    /// Shared tables may be changed by their writer meanwhile: a [`SharedView`](crate::SharedView)
    /// keeps those alive that it can come to.
    #[must_use]
    #[inline(always)]
    pub fn view(&self) -> S::View<'_, TableView<M, PTE, H>> {
        self.tree.guarded_view()
    }

    /// The translation of `va`: physical address of that byte, flags, size of the leaf.
    ///
    /// # Errors
    /// As [`TableView::query`].
    #[inline]
    pub fn query(&self, va: VirtAddr) -> PagingResult<(PhysAddr, MappingFlags, PageSize)> {
        self.view().query(va)
    }

    /// The value of the swap entry for the page that holds `va`: as [`TableView::swap_entry`].
    ///
    /// # Errors
    /// As [`TableView::swap_entry`].
    pub fn swap_entry(&self, va: VirtAddr) -> PagingResult<u32> {
        self.view().swap_entry(va)
    }

    /// Visits every used entry, tables before and after what is below them: as [`TableView::walk`].
    pub fn walk<B>(
        &self,
        limit: usize,
        pre: impl FnMut(&Visit<PTE>) -> ControlFlow<B>,
        post: impl FnMut(&Visit<PTE>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.view().walk(limit, pre, post)
    }

    /// Shows `visit` every leaf, in the order of addresses: as [`TableView::leaves`].
    #[inline]
    pub fn leaves<B>(&self, visit: impl FnMut(Leaf<PTE>) -> ControlFlow<B>) -> ControlFlow<B> {
        self.view().leaves(visit)
    }

    /// The runs of leaves in `range`, in the order of addresses or from the end: as
    /// [`TableView::iter`].
    pub fn iter(&self, range: impl RangeBounds<VirtAddr>) -> Runs<'_, M, PTE, H, S> {
        Runs::new(self.tree.view(), range, self.tree.sharing())
    }

    /// A cursor at `va`, from which leaves are found in both directions: as [`TableView::cursor`].
    ///
    /// # Errors
    /// As [`TableView::cursor`].
    pub fn cursor(&self, va: VirtAddr) -> PagingResult<Cursor<'_, M, PTE, H, S>> {
        Cursor::new(self.tree.view(), va, self.tree.sharing())
    }

    /// The tree as text, one line for each table and one for each run of leaves: as
    /// [`TableView::dump`].
    #[must_use]
    pub const fn dump(&self) -> Dump<'_, M, PTE, H, S> {
        Dump::new(self.tree.view(), self.tree.sharing())
    }

    /// Checks the whole tree, as [`TableView::check`]; shared tables may be empty.
    ///
    /// # Errors
    /// As [`TableView::check`].
    pub fn check(&self) -> Result<Summary, Unsound> {
        self.view().check(self.tree.sharing().shared())
    }
}

/// Changing one leaf.
impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Orders what this core has stored so far before the leaves that it maps from now on.
    ///
    /// A leaf is there for every core from its store on, before its receipt is flushed: whoever
    /// uses the address at that moment, on another core, may read the frame. That it then finds
    /// what was just written there (a page that was read from disk, or zeroed) is the caller's
    /// duty, and this is how it is done, between the last store to the frame and
    /// [`PageTable64::map`], [`PageTable64::map_region`], [`PageTable64::remap`] or
    /// [`PageTable64::update`]: `dmb ishst` on Arm. Stores through the mapping itself are ordered
    /// as any others are. The tables themselves need no such care.
    #[inline]
    pub fn order_contents() {
        M::Maintenance::order_table();
    }

    /// Maps the page or block of `size` at `va` to the frame at `pa`. Both are aligned down to
    /// `size`: 0x40_3123 with 4 KiB is the page at 0x40_3000. What the frame holds is ordered by
    /// the caller: [`PageTable64::order_contents`].
    ///
    /// # Errors
    /// [`PagingError::AlreadyMapped`](crate::PagingError::AlreadyMapped),
    /// [`PagingError::NoMemory`](crate::PagingError::NoMemory), those of
    /// [`GenericPTE::new_page`],
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr),
    /// [`PagingError::Shared`](crate::PagingError::Shared).
    #[inline]
    pub fn map(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult<TlbFlush<'_, M, PTE, H, S>> {
        self.tree.map_leaf(va, pa, size, flags)
    }

    /// Unmaps the leaf that covers `va`, present or inaccessible, and unlinks tables left empty.
    /// The receipt gives its frame up when no core can reach it any more.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`](crate::PagingError::NotMapped),
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr),
    /// [`PagingError::Pinned`](crate::PagingError::Pinned),
    /// [`PagingError::Shared`](crate::PagingError::Shared).
    #[inline]
    pub fn unmap(&mut self, va: VirtAddr) -> PagingResult<Unmapped<'_, M, PTE, H, S>> {
        self.tree.unmap_leaf(va)
    }

    /// Changes the frame, the flags or both of the leaf that covers `va`; `pa` is aligned down to
    /// its size, which is returned. A change that needs it breaks the old translation before the
    /// new one is made.
    ///
    /// The caller answers for all that no page table can see. A frame has one memory type at a
    /// time: before it gets another, its other mappings must be gone, and the lines that caches
    /// hold of it must be cleaned and invalidated. A frame that becomes executable must not be
    /// writable elsewhere, and what was written must reach the instruction caches first.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`](crate::PagingError::NotMapped),
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr), those of
    /// [`GenericPTE::new_page`], [`PagingError::Pinned`](crate::PagingError::Pinned),
    /// [`PagingError::Shared`](crate::PagingError::Shared).
    pub fn update(
        &mut self,
        va: VirtAddr,
        pa: Option<PhysAddr>,
        flags: Option<MappingFlags>,
    ) -> PagingResult<(PageSize, TlbFlush<'_, M, PTE, H, S>)> {
        let size = self.tree.update_leaf(va, pa, flags)?;
        Ok((
            size,
            TlbFlush::new(&mut self.tree.pending, FlushWork::AllPending),
        ))
    }

    /// Changes the flags of the leaf that covers `va`. Returns its size. Without any of
    /// [`MappingFlags::RIGHTS`] the leaf becomes inaccessible and keeps its frame.
    ///
    /// # Errors
    /// As [`PageTable64::update`].
    pub fn protect(
        &mut self,
        va: VirtAddr,
        flags: MappingFlags,
    ) -> PagingResult<(PageSize, TlbFlush<'_, M, PTE, H, S>)> {
        self.update(va, None, Some(flags))
    }

    /// Changes frame and flags of the leaf that covers `va`. Returns its size.
    ///
    /// # Errors
    /// As [`PageTable64::update`].
    pub fn remap(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        flags: MappingFlags,
    ) -> PagingResult<(PageSize, TlbFlush<'_, M, PTE, H, S>)> {
        self.update(va, Some(pa), Some(flags))
    }

    /// Gives the leaf that covers `va` other software bits. Returns its size. The hardware ignores
    /// the bits, so the receipt has nothing to invalidate for them; only a contiguous group of which
    /// one leaf is to differ is broken, and made without the hint. Linux: `pte_mkspecial`.
    ///
    /// For a format without [`GenericPTE::SOFTWARE`] this does not compile.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`](crate::PagingError::NotMapped),
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr),
    /// [`PagingError::Shared`](crate::PagingError::Shared);
    /// [`PagingError::Pinned`](crate::PagingError::Pinned) for a contiguous group that the running
    /// core stands on.
    pub fn set_software(
        &mut self,
        va: VirtAddr,
        software: SoftwareBits,
    ) -> PagingResult<(PageSize, TlbFlush<'_, M, PTE, H, S>)> {
        let size = self.tree.mark_leaf(va, software)?;
        Ok((
            size,
            TlbFlush::new(&mut self.tree.pending, FlushWork::AllPending),
        ))
    }

    /// Makes the 4 KiB page that holds `va`, where nothing is mapped, a *swap entry* with 32 bits of
    /// the kernel's, or gives one that is there another value. No hardware follows it, and nothing is
    /// mapped there for [`PageTable64::query`]; [`PageTable64::swap_entry`] gives the value. It keeps
    /// its table in use, is no leaf for any change, refuses what would be mapped over it, and is
    /// cleared by [`PageTable64::unmap_region`], which counts it as a page. Linux: `swp_entry_t`, `make_pte_marker`.
    ///
    /// For a format without [`GenericPTE::SWAP`] none of the operations on swap entries compiles.
    ///
    /// # Errors
    /// [`PagingError::AlreadyMapped`](crate::PagingError::AlreadyMapped) for a leaf,
    /// [`PagingError::NoMemory`](crate::PagingError::NoMemory) for a table on the way,
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr),
    /// [`PagingError::Shared`](crate::PagingError::Shared).
    pub fn set_swap_entry(
        &mut self,
        va: VirtAddr,
        value: u32,
    ) -> PagingResult<TlbFlush<'_, M, PTE, H, S>> {
        self.tree.set_swap(va, value)
    }

    /// Takes the 4 KiB page that holds `va` away from its frame, which the receipt gives up when no
    /// core can reach it any more, and leaves a swap entry with `value`. Of a block that is one page,
    /// which is split off; a contiguous group loses its hint.
    ///
    /// ```
    /// # use stilt_paging::addr::{PhysAddr, VirtAddr};
    /// # use stilt_paging::format::riscv::Sv48PageTable;
    /// # use stilt_paging::{Maintenance, MappingFlags, PagingHandler, PagingResult};
    /// # fn write_out(_: PhysAddr) -> u32 { 7 }
    /// # fn read_into(_: u32, _: PhysAddr) {}
    /// # fn slot() -> u32 { 7 }
    /// # fn f<T: Maintenance, H: PagingHandler>(
    /// #     table: &mut Sv48PageTable<T, H>,
    /// #     page: VirtAddr,
    /// #     frame: PhysAddr,
    /// #     data: MappingFlags,
    /// # ) -> PagingResult {
    /// let slot = slot();
    /// let old = table.swap_out(page, slot)?.flush();
    /// write_out(old); // no core stores to it any more
    ///
    /// // The fault of the next access.
    /// read_into(table.swap_entry(page)?, frame);
    /// table.swap_in(page, frame, data)?.flush();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`PageTable64::unmap`], and [`PagingError::NoMemory`](crate::PagingError::NoMemory) for a
    /// split.
    pub fn swap_out(
        &mut self,
        va: VirtAddr,
        value: u32,
    ) -> PagingResult<Unmapped<'_, M, PTE, H, S>> {
        self.tree.swap_out(va, value)
    }

    /// Maps the 4 KiB page that holds `va`, a swap entry, to the frame at `pa`, aligned down. What
    /// the frame holds is ordered by the caller: [`PageTable64::order_contents`].
    ///
    /// # Errors
    /// [`PagingError::NotMapped`](crate::PagingError::NotMapped) if there is no swap entry,
    /// otherwise as [`PageTable64::map`].
    pub fn swap_in(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        flags: MappingFlags,
    ) -> PagingResult<TlbFlush<'_, M, PTE, H, S>> {
        self.tree.swap_in(va, pa, flags)
    }
}

/// Changing ranges, and much at once.
impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Maps `size` bytes from `va` on to the frames from `pa` on: 4 KiB pages, and whatever else
    /// `options` allow. All three are multiples of 4 KiB. What the frames hold is ordered by the
    /// caller: [`PageTable64::order_contents`].
    ///
    /// # Errors
    /// [`PagingError::NotAligned`](crate::PagingError::NotAligned) to 4 KiB,
    /// [`PagingError::RangeTooLong`](crate::PagingError::RangeTooLong),
    /// [`PagingError::AlreadyMapped`](crate::PagingError::AlreadyMapped),
    /// [`PagingError::NoMemory`](crate::PagingError::NoMemory), those of
    /// [`GenericPTE::new_page`] and of an address.
    pub fn map_region(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: usize,
        flags: MappingFlags,
        options: RegionOptions,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        let work = self.tree.map_pages(va, pa, size, flags, options)?;
        Ok(TlbFlushAll::new(&mut self.tree.pending, work))
    }

    /// Maps leaves of `size` from `va` on, one behind the other, each to one of `frames`, which lie
    /// anywhere: a buffer of pages that were allocated one by one. `va` and each frame are multiples
    /// of `size`. What the frames hold is ordered by the caller: [`PageTable64::order_contents`].
    /// Linux: `vmap`.
    ///
    /// ```
    /// # use stilt_paging::addr::{PhysAddr, VirtAddr};
    /// # use stilt_paging::{GenericPTE, MappingFlags, PageSize, PageTable64, PagingHandler};
    /// # use stilt_paging::{PagingMetaData, PagingResult};
    /// # fn f<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    /// #     table: &mut PageTable64<M, PTE, H>,
    /// # ) -> PagingResult {
    /// let frames = [0x9000_7000, 0x8000_1000, 0x9000_3000].map(PhysAddr::new);
    /// let flags = MappingFlags::READ | MappingFlags::WRITE | MappingFlags::ACCESSED;
    /// let buffer = VirtAddr::new(0x40_0000);
    /// table.map_frames(buffer, &frames, PageSize::Size4K, flags)?.flush();
    /// assert_eq!(table.query(VirtAddr::new(0x40_1008))?.0, PhysAddr::new(0x8000_1008));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PagingError::NotAligned`](crate::PagingError::NotAligned) to `size`,
    /// [`PagingError::InvalidPhysAddr`](crate::PagingError::InvalidPhysAddr) for the first frame
    /// that is out of reach, otherwise as [`PageTable64::map_region`].
    pub fn map_frames(
        &mut self,
        va: VirtAddr,
        frames: &[PhysAddr],
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        let work = self.tree.map_scattered(va, frames, size, flags)?;
        Ok(TlbFlushAll::new(&mut self.tree.pending, work))
    }

    /// Unmaps whatever is mapped in `size` bytes from `va` on, both multiples of 4 KiB; holes do
    /// not matter. Blocks that lie across an end are split.
    ///
    /// # Errors
    /// [`PagingError::NotAligned`](crate::PagingError::NotAligned) to 4 KiB,
    /// [`PagingError::RangeTooLong`](crate::PagingError::RangeTooLong),
    /// [`PagingError::NoMemory`](crate::PagingError::NoMemory) for a split,
    /// [`PagingError::Pinned`](crate::PagingError::Pinned), those of an address.
    pub fn unmap_region(
        &mut self,
        va: VirtAddr,
        size: usize,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        self.tree.unmap_pages(va, size)?;
        Ok(TlbFlushAll::new(
            &mut self.tree.pending,
            FlushWork::AllPending,
        ))
    }

    /// Unmaps whatever is mapped in `size` bytes from `va` on, as [`PageTable64::unmap_region`],
    /// issues the invalidations, waits for them, and then shows `function` each leaf that was
    /// unmapped, in the order of addresses: its frame is free. Of a block that lies across an end,
    /// that is the part in the region, in smaller leaves. Returns how many 4 KiB pages there were, swap
    /// entries included, for which the function is not called.
    ///
    /// There is no receipt: when this returns, all is done. If the function panics, the region is
    /// unmapped all the same, and the frames that it was not shown are lost to the caller.
    ///
    /// ```
    /// # use stilt_paging::addr::VirtAddr;
    /// # use stilt_paging::{GenericPTE, PageTable64, PagingHandler, PagingMetaData, PagingResult};
    /// /// The end of a process: the pages that it had in `bytes` from `start` on go back.
    /// fn exit<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    ///     table: &mut PageTable64<M, PTE, H>,
    ///     start: VirtAddr,
    ///     bytes: usize,
    /// ) -> PagingResult<usize> {
    ///     table.unmap_region_with(start, bytes, |unmapped| H::dealloc_frame(unmapped.pa))
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`PageTable64::unmap_region`]: then the function is not called.
    pub fn unmap_region_with(
        &mut self,
        va: VirtAddr,
        size: usize,
        mut function: impl FnMut(UnmappedFrame),
    ) -> PagingResult<usize> {
        self.tree.unmap_pages_with(va, size, &mut function)
    }

    /// Gives whatever is mapped in `size` bytes from `va` on these flags; holes do not matter.
    /// Blocks that lie across an end are split, unless they would not change.
    ///
    /// # Errors
    /// As [`PageTable64::unmap_region`], and those of [`GenericPTE::new_page`].
    pub fn protect_region(
        &mut self,
        va: VirtAddr,
        size: usize,
        flags: MappingFlags,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        self.tree.protect_pages(va, size, flags)?;
        Ok(TlbFlushAll::new(
            &mut self.tree.pending,
            FlushWork::AllPending,
        ))
    }

    /// Gives each leaf that is mapped in `size` bytes from `va` on the flags that `function` makes
    /// of its own; holes do not matter. What needs no change stays as it is, so that blocks are
    /// split, broken and invalidated only where their own flags change. Linux: `change_protection`;
    /// OSTD: `protect_next`.
    ///
    /// The function is called before anything changes, once for each set of flags and software bits
    /// in the region (in a region with more than 16 sets twice or three times); a call that answers otherwise than
    /// the first has for its set is followed where it can be. If it panics, the tree is whole.
    ///
    /// ```
    /// # use stilt_paging::addr::VirtAddr;
    /// # use stilt_paging::{GenericPTE, MappingFlags, PageTable64, PagingHandler, PagingMetaData};
    /// # use stilt_paging::PagingResult;
    /// /// Copy on write: the next store to a page that may be written faults; no other right changes.
    /// fn share<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    ///     table: &mut PageTable64<M, PTE, H>,
    ///     start: VirtAddr,
    ///     bytes: usize,
    /// ) -> PagingResult {
    ///     let without_write = |flags: MappingFlags| flags.difference(MappingFlags::WRITE);
    ///     table.protect_region_with(start, bytes, without_write)?.flush();
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`PageTable64::protect_region`]: an answer without an encoding, too, is found before
    /// anything changes.
    pub fn protect_region_with(
        &mut self,
        va: VirtAddr,
        size: usize,
        mut function: impl FnMut(MappingFlags) -> MappingFlags,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        let flags = &mut |old: Attributes| Attributes {
            flags: function(old.flags),
            ..old
        };
        self.tree.update_pages_with(va, size, flags)?;
        Ok(TlbFlushAll::new(
            &mut self.tree.pending,
            FlushWork::AllPending,
        ))
    }

    /// Gives each leaf that is mapped in `size` bytes from `va` on the flags and the software bits
    /// that `function` makes of its own, as [`PageTable64::protect_region_with`]. A leaf of which the
    /// software bits alone change is stored anew, and not invalidated: no hardware reads them.
    ///
    /// For a format without [`GenericPTE::SOFTWARE`] this does not compile.
    ///
    /// ```
    /// # use stilt_paging::addr::VirtAddr;
    /// # use stilt_paging::format::riscv::Sv48PageTable;
    /// # use stilt_paging::{Attributes, Maintenance, MappingFlags, PagingHandler, PagingResult};
    /// # use stilt_paging::SoftwareBits;
    /// /// Copy on write: what may be written faults at the next store, and the bit says that it may.
    /// const SHARED: SoftwareBits = SoftwareBits::SOFTW1;
    ///
    /// fn share<T: Maintenance, H: PagingHandler>(
    ///     table: &mut Sv48PageTable<T, H>,
    ///     start: VirtAddr,
    ///     bytes: usize,
    /// ) -> PagingResult {
    ///     let share = |mut leaf: Attributes| {
    ///         if leaf.flags.contains(MappingFlags::WRITE) {
    ///             leaf.flags -= MappingFlags::WRITE;
    ///             leaf.software |= SHARED;
    ///         }
    ///         leaf
    ///     };
    ///     table.update_region_with(start, bytes, share)?.flush();
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`PageTable64::protect_region_with`].
    pub fn update_region_with(
        &mut self,
        va: VirtAddr,
        size: usize,
        mut function: impl FnMut(Attributes) -> Attributes,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        const { assert_software_bits::<PTE>() }
        self.tree.update_pages_with(va, size, &mut function)?;
        Ok(TlbFlushAll::new(
            &mut self.tree.pending,
            FlushWork::AllPending,
        ))
    }

    /// Shows `function` every leaf that is present in `size` bytes from `va` on, in the order of
    /// addresses, and takes [`MappingFlags::ACCESSED`] from those that have it: which of them were
    /// used since the last time. A block or a contiguous group that lies across an end of the region
    /// is shown, and cleared, as a whole. Inaccessible leaves are left out. Linux:
    /// `ptep_test_and_clear_young`.
    ///
    /// The receipt invalidates what was cleared, in one batch: until then, a use of it may go unseen.
    /// After it, the next use sets the flag (x86, and RISC-V with Svadu, by hardware) or faults (an
    /// access flag fault on Arm), and whoever handles that sets it by [`PageTable64::protect`]. The
    /// receipt counts the 4 KiB pages that were shown. Contiguous groups are broken and made anew, up
    /// to 32 at once. If the function panics, the leaves that it was not shown are as they were.
    ///
    /// ```
    /// # use stilt_paging::addr::{PAGE_SIZE, VirtAddr};
    /// # use stilt_paging::{GenericPTE, Leaf, MappingFlags, PageTable64, PagingHandler};
    /// # use stilt_paging::{PagingMetaData, PagingResult};
    /// /// How many bytes were used since this was asked the last time.
    /// fn used<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    ///     table: &mut PageTable64<M, PTE, H>,
    ///     start: VirtAddr,
    ///     bytes: usize,
    /// ) -> PagingResult<usize> {
    ///     let mut used = 0;
    ///     let count = |leaf: Leaf<PTE>| {
    ///         if leaf.flags().contains(MappingFlags::ACCESSED) {
    ///             used += leaf.size.bytes();
    ///         }
    ///     };
    ///     table.test_and_clear_accessed(start, bytes, count)?.flush();
    ///     Ok(used)
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of a range; [`PagingError::Pinned`](crate::PagingError::Pinned) if the running core
    /// stands on anything that would lose the flag. Then the function is not called.
    pub fn test_and_clear_accessed(
        &mut self,
        va: VirtAddr,
        size: usize,
        mut function: impl FnMut(Leaf<PTE>),
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        self.tree.age_pages(va, size, &mut function)?;
        Ok(TlbFlushAll::new(
            &mut self.tree.pending,
            FlushWork::AllPending,
        ))
    }

    /// Folds leaves into blocks wherever a table in the range, whole, maps consecutive frames
    /// with equal flags and software bits: 512 pages from 0x40_0000 on become the block at 0x40_0000. Where 16 leaves
    /// that stay could be a contiguous group, they get the hint, which a change of one of them takes
    /// from all. What every address translates to stays as it is. The receipt counts the pages of
    /// the blocks that were made, each once.
    ///
    /// # Errors
    /// Those of a range; [`PagingError::Pinned`](crate::PagingError::Pinned) if the running core
    /// stands on anything in it.
    pub fn compact(
        &mut self,
        va: VirtAddr,
        size: usize,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        self.tree.compact_pages(va, size)?;
        Ok(TlbFlushAll::new(
            &mut self.tree.pending,
            FlushWork::AllPending,
        ))
    }

    /// Does many operations, whose barriers and invalidations are issued once: see [`Batch`].
    ///
    /// [`Batch::finish`] issues them and yields the proof for which a
    /// [`BatchUnmapped`](crate::BatchUnmapped) gives its frame up; a batch that is dropped issues
    /// them, too.
    pub fn batch<R>(
        &mut self,
        work: impl for<'batch> FnOnce(Batch<'batch, M, PTE, H, S>) -> R,
    ) -> R {
        self.tree.batch(work)
    }
}

impl<M, PTE, H> PageTable64<M, PTE, H, SharedWriter<'_, M, PTE, H>>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
{
    /// Frees the unlinked tables that are known to have no reader's walk in them. Returns the
    /// number of the others, which are still waiting.
    ///
    /// Every operation that frees a table does so as well, and so does the end of the writer: this
    /// is for a writer that has nothing to free, and needs the frames: after
    /// [`PagingError::NoMemory`](crate::PagingError::NoMemory), say.
    pub fn reclaim(&mut self) -> usize {
        self.tree.sharing().reclaim()
    }
}

//! Top-level tables that many trees share: [`SharedTop`], which owns them.
//!
//! Where one root translates both halves (x86, RISC-V), every user's tree holds the kernel's
//! top-level entries too. The tables that these name are allocated once, here, and never
//! replaced: so the copies in the users' roots do not grow stale, whatever is mapped below them.
//! The borrow checker sees to it that the owner outlives every tree that holds them.
//!
//! A reader's tree may be read in any thread and context, beside a writer that unlinks the table
//! at 0x8000_5000:
//!
//! 1. The reader begins a walk. It takes no lock, and the writer does not wait for it.
//! 2. The writer unlinks the table and invalidates. The walk may stand in it, so the table waits
//!    (`walkers`).
//! 3. The walk ends with the call, or with its [`SharedView`]. The table is freed when the writer
//!    frees another one, by `reclaim`, or at the writer's end. Cursors and iterators begin a new
//!    walk at each step.
//!
//! A walk finds the tree as it was at some moment of that walk; a leaf that the writer is changing
//! may read as not mapped. A result may be outdated when it is returned. A kernel that goes on to
//! use the frame needs its owner's promise that the frame stays mapped.
#![forbid(unsafe_code)]

use core::ops::{Deref, Range};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::addr::{PhysAddr, VirtAddr};
use crate::flush::walkers::{WalkGuard, Walkers};
use crate::node::frame_chain::FrameChain;
use crate::node::free::free_entries;
use crate::node::geometry::{Span, entries, level_bytes, level_shift};
use crate::node::memory::Table;
use crate::node::sharing::{Sharing, sealed};
use crate::{GenericPTE, Maintenance, PagingError, PagingHandler, PagingMetaData, PagingResult};

/// The tables below a range of top-level entries, and all below those.
///
/// A kernel and a process on x86-64, which share entry 256 of the root: 512 GiB from
/// 0xffff_8000_0000_0000 on.
///
/// ```
/// # use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
/// # use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
/// # use stilt_paging::format::x86_64::{X64MetaData, X64PTE};
/// # use stilt_paging::{AddressSpace, InvalidateScope, Maintenance, PagingHandler, ENTRIES};
/// # use stilt_paging::{MappingFlags, PageSize, PageTable64, PagingError, SharedTop};
/// # #[repr(align(4096))]
/// # struct Frame([AtomicU64; ENTRIES]);
/// # static RAM: [Frame; 6] = [const { Frame([const { AtomicU64::new(0) }; ENTRIES]) }; 6];
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
/// # struct Tlb;
/// # // SAFETY: nothing walks these tables.
/// # unsafe impl Maintenance for Tlb {
/// #     fn order_table() {}
/// #     fn publish() {}
/// #     fn begin_invalidation() {}
/// #     fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
/// #     fn invalidate_all(_: AddressSpace) {}
/// #     fn end_invalidation() {}
/// # }
/// let half = VirtAddr::new(0xffff_8000_0000_0000);
/// let top = SharedTop::<X64MetaData<Tlb>, X64PTE, Frames>::try_new(half, 1 << 39)?; // one entry
/// let mut kernel = PageTable64::copy_from(top.writer()?)?; // the one tree that changes it
/// let user = PageTable64::copy_from(top.reader())?; // a tree that uses it alone
///
/// // What the kernel maps there later is mapped in the process's tree, too.
/// let data = MappingFlags::READ | MappingFlags::WRITE | MappingFlags::ACCESSED;
/// kernel.map(half, PhysAddr::new(0x9000), PageSize::Size4K, data)?.flush();
/// assert_eq!(user.query(half)?, (PhysAddr::new(0x9000), data, PageSize::Size4K));
///
/// // There is one writer at a time.
/// assert_eq!(top.writer().map(drop), Err(PagingError::Busy));
/// # Ok::<(), PagingError>(())
/// ```
///
/// # Invariants
/// `root` is the table in `frame`. Each entry in `range` of it leads to a table that came from `H`
/// and belongs to this value alone; `root` itself is never walked by the hardware.
///
/// A tree, or a right to make one, that is leaked keeps them allocated for ever: its root may be in
/// a register.
pub struct SharedTop<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> {
    frame: PhysAddr,
    root: Table<M, PTE, H>,
    range: Range<usize>,
    written: AtomicBool,
    /// Trees, and rights to make one, that were not dropped.
    leases: AtomicUsize,
    walkers: Walkers,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> SharedTop<M, PTE, H> {
    /// Empty tables for the top-level entries that translate `size` bytes from `va` on: whole
    /// entries.
    ///
    /// # Errors
    /// [`PagingError::NotAligned`] to what an entry of the root translates, those of a range,
    /// [`PagingError::NoMemory`].
    pub fn try_new(va: VirtAddr, size: usize) -> PagingResult<Self> {
        let alignment = level_bytes::<M>(0);
        for value in [va.as_usize(), size] {
            if !value.is_multiple_of(alignment) {
                return Err(PagingError::NotAligned { value, alignment });
            }
        }
        let span = Span::new::<M>(va, size)?;
        let shift = level_shift::<M>(0);
        let range = span.start >> shift..span.end >> shift;
        let mut reserve = FrameChain::<M, PTE, H>::reserve(range.len() + 1)?;
        let frame = reserve.take();
        H::zero_frame(frame);
        let root = Table::at(frame);
        for index in range.clone() {
            let table = reserve.take();
            H::zero_frame(table);
            root.store(index, PTE::new_table(table));
        }
        M::Maintenance::order_table();
        Ok(Self {
            frame,
            root,
            range,
            written: AtomicBool::new(false),
            leases: AtomicUsize::new(0),
            walkers: Walkers::new(),
        })
    }

    /// For a tree that uses the tables and does not change them, such as a process's: to be given
    /// to [`PageTable64::copy_from`](crate::PageTable64::copy_from). Any number of them.
    #[must_use]
    pub fn reader(&self) -> SharedReader<'_, M, PTE, H> {
        SharedReader(Lease::new(self))
    }

    /// For the tree that changes what is below the tables, such as the kernel's: to be given to
    /// [`PageTable64::copy_from`](crate::PageTable64::copy_from). There is one at a time.
    ///
    /// # Errors
    /// [`PagingError::Busy`] while there is another.
    pub fn writer(&self) -> PagingResult<SharedWriter<'_, M, PTE, H>> {
        if self.written.swap(true, Ordering::Acquire) {
            return Err(PagingError::Busy);
        }
        Ok(SharedWriter(Lease::new(self)))
    }

    fn shared_entries(&self) -> impl Iterator<Item = (usize, PTE)> {
        self.range
            .clone()
            .map(|index| (index, self.root.load(index)))
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Drop for SharedTop<M, PTE, H> {
    fn drop(&mut self) {
        // No software walks the tables: every walker borrows this value.
        self.walkers.release_all::<M, PTE, H>();
        if *self.leases.get_mut() > 0 {
            return;
        }
        free_entries(self.root, 0, |index| index < entries::<M>());
        H::dealloc_frame(self.frame);
    }
}

/// A counted borrow of the shared tables. Counted, because a tree that is leaked goes on to name
/// them in its root, which the hardware may use after the borrow has ended: then they are not
/// freed.
struct Lease<'top, M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    &'top SharedTop<M, PTE, H>,
);

impl<'top, M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Lease<'top, M, PTE, H> {
    fn new(top: &'top SharedTop<M, PTE, H>) -> Self {
        top.leases.fetch_add(1, Ordering::Relaxed);
        Self(top)
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Drop for Lease<'_, M, PTE, H> {
    fn drop(&mut self) {
        self.0.leases.fetch_sub(1, Ordering::Release);
    }
}

/// The right to use the tables of a [`SharedTop`] in a tree, and not to change what is below them:
/// from [`SharedTop::reader`].
pub struct SharedReader<'top, M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    Lease<'top, M, PTE, H>,
);

/// The right to use the tables of a [`SharedTop`] in a tree and to change what is below them: from
/// [`SharedTop::writer`].
pub struct SharedWriter<'top, M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    Lease<'top, M, PTE, H>,
);

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> SharedWriter<'_, M, PTE, H> {
    /// Frees the unlinked tables that are known to have no reader's walk in them. Returns the
    /// number of the others, which are still waiting.
    pub(crate) fn reclaim(&self) -> usize {
        let Lease(top) = self.0;
        top.walkers.retire(&mut FrameChain::<M, PTE, H>::new());
        top.walkers.waiting::<M, PTE, H>()
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Drop for SharedWriter<'_, M, PTE, H> {
    fn drop(&mut self) {
        let Lease(top) = self.0;
        top.walkers.retire(&mut FrameChain::<M, PTE, H>::new());
        top.written.store(false, Ordering::Release);
    }
}

/// A guard for many reads of a reader's tree; derefs to `T`, a [`TableView`](crate::TableView).
///
/// While it lives, no table that its walks can reach is freed.
pub struct SharedView<'tree, T> {
    tree: &'tree T,
    _walk: WalkGuard<'tree>,
}

impl<T> Deref for SharedView<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.tree
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Sharing<M, PTE, H>
    for SharedReader<'_, M, PTE, H>
{
}

impl<'top, M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> sealed::Sealed<M, PTE, H>
    for SharedReader<'top, M, PTE, H>
{
    type View<'tree, T: 'tree>
        = SharedView<'tree, T>
    where
        Self: 'tree;
    type Walk = WalkGuard<'top>;

    fn shared(&self) -> Range<usize> {
        self.0.0.range.clone()
    }

    fn writes(&self) -> bool {
        false
    }

    fn others_write(&self) -> bool {
        true
    }

    fn shared_entries(&self) -> impl Iterator<Item = (usize, PTE)> {
        self.0.0.shared_entries()
    }

    fn walk(&self) -> WalkGuard<'top> {
        self.0.0.walkers.enter()
    }

    fn view<'tree, T>(&'tree self, tree: &'tree T) -> SharedView<'tree, T> {
        let _walk = self.0.0.walkers.enter();
        SharedView { tree, _walk }
    }

    /// The tables are this tree's own: every walker borrows the tree.
    fn release(&self, freed: &mut FrameChain<M, PTE, H>) {
        freed.release();
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Sharing<M, PTE, H>
    for SharedWriter<'_, M, PTE, H>
{
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> sealed::Sealed<M, PTE, H>
    for SharedWriter<'_, M, PTE, H>
{
    type View<'tree, T: 'tree>
        = &'tree T
    where
        Self: 'tree;
    type Walk = ();

    fn shared(&self) -> Range<usize> {
        self.0.0.range.clone()
    }

    fn writes(&self) -> bool {
        true
    }

    /// False: there is one writer, and reading borrows it.
    fn others_write(&self) -> bool {
        false
    }

    fn shared_entries(&self) -> impl Iterator<Item = (usize, PTE)> {
        self.0.0.shared_entries()
    }

    fn walk(&self) {}

    fn view<'tree, T>(&'tree self, tree: &'tree T) -> &'tree T {
        tree
    }

    /// Frees the tables after the readers have left them.
    fn release(&self, freed: &mut FrameChain<M, PTE, H>) {
        self.0.0.walkers.retire(freed);
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> SharedTop<M, PTE, H> {
    /// The physical addresses of the tables that are shared, in the order of the addresses that
    /// they translate.
    pub fn tables(&self) -> impl Iterator<Item = PhysAddr> {
        self.shared_entries().map(|(_, entry)| entry.paddr())
    }
}

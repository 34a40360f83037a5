//! Top-level tables that many trees share: [`SharedTop`], which owns them.
//!
//! Where one root translates both halves (x86, RISC-V), every user's tree holds the kernel's
//! top-level entries too. The tables that these name are allocated once, here, and never
//! replaced: so the copies in the users' roots do not grow stale, whatever is mapped below them.
//! The borrow checker sees to it that the owner outlives every tree that holds them.
//!
//! Readers read beside the writer, from any thread and in any context: neither waits for the other.
//! What they find is the tree at some moment of the walk, and what the writer is changing just then
//! reads as not mapped: an answer can be outdated when it is given, so whoever goes on to *use* a
//! frame needs a promise of its owner that it stays mapped. A table that the writer unlinks goes
//! back when no walk can stand in it (`walkers`). A walk lasts as long as a call, or as a
//! [`SharedView`]; cursors and iterators walk anew at each step, so that between two steps they
//! keep nothing, and find what is there at the second.
//!
//! ```text
//! let top = SharedTop::try_new(kernel_half, half_size)?;      // owns the tables
//! let mut kernel = PageTable64::copy_from(top.writer()?)?;   // the one tree that changes them
//! let user = PageTable64::copy_from(top.reader())?;           // trees that only use them
//! ```
#![forbid(unsafe_code)]

use core::ops::{Deref, Range};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::addr::{PhysAddr, VirtAddr};
use crate::flush::walkers::{Walk, Walkers};
use crate::node::frame_chain::FrameChain;
use crate::node::free::free_entries;
use crate::node::geometry::{Span, entries, level_bytes, level_shift};
use crate::node::memory::Table;
use crate::node::sharing::{Sharing, sealed};
use crate::{GenericPTE, Maintenance, PagingError, PagingHandler, PagingMetaData, PagingResult};

/// The tables below a range of top-level entries, and all below those.
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
        // Nobody walks any more by software: whoever could borrows this.
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
    /// Gives those unlinked tables back that readers have left since. Returns how many still wait
    /// for one.
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

/// A reader's tree, to be read by many steps: derefs to `T`, a [`TableView`](crate::TableView).
///
/// As long as it is there, it keeps every table that they can come to: those that the writer
/// unlinks meanwhile wait.
pub struct SharedView<'tree, T> {
    tree: &'tree T,
    _walk: Walk<'tree>,
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
    type Walk = Walk<'top>;

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

    fn walk(&self) -> Walk<'top> {
        self.0.0.walkers.enter()
    }

    fn view<'tree, T>(&'tree self, tree: &'tree T) -> SharedView<'tree, T> {
        let _walk = self.0.0.walkers.enter();
        SharedView { tree, _walk }
    }

    /// They are this tree's own, and whoever could walk them borrows it.
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

    /// There is one writer, and it is borrowed to be read.
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

    /// Not before the readers have left them.
    fn release(&self, freed: &mut FrameChain<M, PTE, H>) {
        self.0.0.walkers.retire(freed);
    }
}

/// The physical address of the table that a shared entry leads to, for tests and dumps.
impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> SharedTop<M, PTE, H> {
    /// The physical addresses of the tables that are shared, in the order of the addresses that
    /// they translate.
    pub fn tables(&self) -> impl Iterator<Item = PhysAddr> {
        self.shared_entries().map(|(_, entry)| entry.paddr())
    }
}

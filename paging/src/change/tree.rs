//! [`Tree`]: the tables of one address space with all that belongs to them. What changes a tree is
//! in the files beside this one; `table` is what users see of it.
//!
//! # A tree's life
//! 1. One frame is taken for the root, zeroed, and given the entries of a shared top level, if
//!    there is one. Only then may its address be written to a register: the barrier is here.
//! 2. Changes take and free tables below it. The invalidations that must come before a frame is
//!    free are pending in the tree, whoever holds the receipt.
//! 3. At the end, whatever is still pending is issued, and every table goes back that is the tree's
//!    own. The hardware has left the tree by then: nothing is invalidated for it.
#![forbid(unsafe_code)]

use crate::addr::{PhysAddr, VirtAddr};
use crate::change::pins::Pins;
use crate::flush::pending::PendingFlush;
use crate::flush::work::PageCheck;
use crate::node::free::free_entries;
use crate::node::geometry::Span;
use crate::node::memory::Table;
use crate::node::sharing::{PrivateTop, Sharing};
use crate::{
    AddressSpace, Asid, GenericPTE, Maintenance, PagingError, PagingHandler, PagingMetaData,
    PagingResult, TableView,
};

/// A tree of tables with an owner.
///
/// # Invariants
/// `view` is a tree of tables that came from `H` and belong to this value, or to who shares them.
/// No table of its own but the root is empty, and where the format has room, the entry of each
/// says how many of the table's entries are used.
#[repr(C)]
pub(crate) struct Tree<M, PTE, H, S = PrivateTop>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// First, so that a receipt, which points to it, points to where the tree begins: the compiler
    /// then sees that they are one, and mapping and unmapping a page takes six instructions less.
    pub(crate) pending: PendingFlush<M, PTE, H, S>,
    pub(crate) pins: Pins,
    /// Last, because of its single byte: whoever moves a tree would copy what is behind it from an
    /// odd address.
    view: TableView<M, PTE, H>,
}

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// A tree with nothing but what `sharing` lends.
    pub(crate) fn new(sharing: S) -> PagingResult<Self> {
        let root = H::alloc_frame().ok_or(PagingError::NoMemory)?;
        H::zero_frame(root);
        for (index, entry) in sharing.shared_entries() {
            Table::<M, PTE, H>::at(root).store(index, entry);
        }
        M::Maintenance::order_table();
        Ok(Self {
            view: TableView::owned(root, sharing.others_write()),
            pending: PendingFlush::new(sharing),
            pins: Pins::new(),
        })
    }

    /// The tree, to be read; nothing keeps shared tables alive meanwhile.
    #[inline(always)]
    pub(crate) const fn view(&self) -> &TableView<M, PTE, H> {
        &self.view
    }

    /// The tree, to be read, with the shared tables that a walk can come to kept alive.
    #[inline(always)]
    pub(crate) fn guarded_view(&self) -> S::View<'_, TableView<M, PTE, H>> {
        self.sharing().view(&self.view)
    }

    /// There may be swap entries from here on.
    pub(crate) const fn note_swap(&mut self) {
        self.view.may_swap = true;
    }

    /// The top-level tables that this tree shares with others.
    #[inline(always)]
    pub(crate) const fn sharing(&self) -> &S {
        &self.pending.sharing
    }

    /// The physical address of the root table.
    pub(crate) const fn root_paddr(&self) -> PhysAddr {
        self.view.root_paddr()
    }

    /// The root table.
    pub(crate) const fn root(&self) -> Table<M, PTE, H> {
        self.view.root()
    }

    /// From now on the hardware uses the tree under `asid`.
    pub(crate) fn set_asid(&mut self, asid: Option<Asid>) {
        self.pending.flush_left_over();
        self.pending.space = asid.map_or(AddressSpace::All, AddressSpace::Asid);
        self.update_page_check();
    }

    /// The running core stands on `bytes` from `va` on.
    pub(crate) fn pin(&mut self, va: VirtAddr, bytes: usize) -> PagingResult {
        let added = self.pins.add(Span::new::<M>(va, bytes)?);
        self.update_page_check();
        added
    }

    /// The running core does not stand on this range any more. Returns whether it was pinned.
    pub(crate) fn unpin(&mut self, va: VirtAddr, bytes: usize) -> bool {
        let removed = Span::new::<M>(va, bytes).is_ok_and(|span| self.pins.remove(span));
        self.update_page_check();
        removed
    }

    /// Notes what follows from pins and address space.
    const fn update_page_check(&mut self) {
        self.pending.page_check = match (self.pins.is_empty(), self.pending.space) {
            (true, AddressSpace::All) => PageCheck::None,
            (true, AddressSpace::Asid(_)) => PageCheck::Global,
            (false, _) => PageCheck::Pins,
        };
    }
}

impl<M, PTE, H, S> Drop for Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    fn drop(&mut self) {
        self.pending.flush_left_over();
        let shared = self.sharing().shared();
        free_entries(self.root(), 0, |index| !shared.contains(&index));
        H::dealloc_frame(self.root_paddr());
    }
}

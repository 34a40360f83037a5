//! [`PageTable64`]: a tree with an owner. Operations on one leaf; regions are in `region`.

use core::ops::{ControlFlow, RangeBounds};

use crate::addr::{PhysAddr, VirtAddr};
use crate::change::pins::Pins;
use crate::change::share::{Alone, Sharing};
use crate::flush::pending::{Care, Debt, Due};
use crate::node::descent::is_table;
use crate::node::geometry::Span;
use crate::node::memory::Table;
use crate::read::check::{Summary, Unsound};
use crate::read::view::TableView;
use crate::{
    AddressSpace, Asid, Cursor, Dump, GenericPTE, Leaf, Maintenance, MappingFlags, PageSize,
    PagingError, PagingHandler, PagingMetaData, PagingResult, Runs, TlbFlush, Unmapped, Visit,
};

/// A page table: owns the tables of its tree, not the frames that it maps.
///
/// Dropping it gives the tables back; the hardware must have stopped using it. `S` says which of
/// its top-level tables belong to somebody else: see [`SharedTop`](crate::SharedTop).
///
/// # Invariants
/// `view` is a tree of tables that came from `H` and belong to this value, or to who lent them.
/// No table of its own but the root is empty, and where the format has room, the entry of each
/// says how many of the table's entries are used.
#[repr(C)]
pub struct PageTable64<M, PTE, H, S = Alone>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// First, so that a receipt, which points to it, points to where the table begins: the compiler
    /// then sees that they are one, and mapping and unmapping a page takes six instructions less.
    pub(super) debt: Debt<M, PTE, H, S>,
    pub(super) pins: Pins,
    /// Last, because of its single byte: whoever moves a table would copy what is behind it from an
    /// odd address.
    view: TableView<M, PTE, H>,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> PageTable64<M, PTE, H> {
    /// An empty table.
    ///
    /// # Errors
    /// [`PagingError::NoMemory`] when there is no frame for the root.
    pub fn try_new() -> PagingResult<Self> {
        Self::with_sharing(Alone)
    }
}

impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// A table with nothing but what `sharing` lends.
    pub(super) fn with_sharing(sharing: S) -> PagingResult<Self> {
        let root = H::alloc_frame().ok_or(PagingError::NoMemory)?;
        H::zero_frame(root);
        for (index, entry) in sharing.lent() {
            Table::<M, PTE, H>::at(root).store(index, entry);
        }
        M::Maintenance::order_table();
        Ok(Self {
            view: TableView::owned(root, sharing.others_write()),
            debt: Debt::new(sharing),
            pins: Pins::new(),
        })
    }

    /// The physical address of the root table.
    #[must_use]
    pub const fn root_paddr(&self) -> PhysAddr {
        self.view.root_paddr()
    }

    /// The tree, to be read as long as it is not changed.
    ///
    /// Shared tables may be changed by their writer meanwhile: a [`SharedView`](crate::SharedView)
    /// keeps those alive that it can come to.
    #[must_use]
    #[inline(always)]
    pub fn view(&self) -> S::View<'_> {
        self.sharing().view(&self.view)
    }

    /// Who else has the tables.
    #[inline(always)]
    pub(super) const fn sharing(&self) -> &S {
        &self.debt.sharing
    }

    /// The root table.
    pub(super) const fn root(&self) -> Table<M, PTE, H> {
        self.view.root()
    }

    /// Says under which ASID the hardware uses this tree, so that invalidations of what is its own,
    /// and not global, spare other spaces; `None` reaches all. To be changed together with the
    /// register.
    ///
    /// Invalidations under a wrong ASID leave translations to frames and tables that are free by then.
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
    ///   the [`Activation`](super::Activation) of the tree's own [`AsidTag`](super::AsidTag) gives
    ///   such a number, and so does whoever keeps numbers apart by hand;
    /// - no core that could use it has a translation of the tree cached under another ASID. A tree
    ///   that was in use without one, or under another, gets this one when all of that is
    ///   invalidated.
    pub unsafe fn set_asid(&mut self, asid: Option<Asid>) {
        self.debt.pay_all();
        self.debt.space = asid.map_or(AddressSpace::All, AddressSpace::Asid);
        self.take_care();
    }

    /// Notes what follows from pins and address space.
    const fn take_care(&mut self) {
        self.debt.care = match (self.pins.is_empty(), self.debt.space) {
            (true, AddressSpace::All) => Care::None,
            (true, AddressSpace::Asid(_)) => Care::ForGlobal,
            (false, _) => Care::ForPins,
        };
    }

    /// Declares that the running core stands on `bytes` from `va` on: code, stack, vectors, data
    /// of the core and of this table. From the first such declaration on, the tree counts as
    /// live, and the pages through which its tables are written are protected too. An operation
    /// that would take a right from any of this, or leave it without a valid translation if only
    /// for a moment, is refused.
    ///
    /// # Errors
    /// Those of an address range; [`PagingError::TooManyPins`].
    pub fn pin(&mut self, va: VirtAddr, bytes: usize) -> PagingResult {
        let added = self.pins.add(Span::new::<M>(va, bytes)?);
        self.take_care();
        added
    }

    /// Takes a [`PageTable64::pin`] of exactly this range back. Returns whether there was one.
    pub fn unpin(&mut self, va: VirtAddr, bytes: usize) -> bool {
        let removed = Span::new::<M>(va, bytes).is_ok_and(|span| self.pins.remove(span));
        self.take_care();
        removed
    }

    /// What `va` translates to: address, flags, size of the leaf.
    ///
    /// # Errors
    /// As [`TableView::query`].
    #[inline]
    pub fn query(&self, va: VirtAddr) -> PagingResult<(PhysAddr, MappingFlags, PageSize)> {
        self.view().query(va)
    }

    /// As [`TableView::walk`].
    pub fn walk<B>(
        &self,
        limit: usize,
        pre: impl FnMut(&Visit<PTE>) -> ControlFlow<B>,
        post: impl FnMut(&Visit<PTE>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.view().walk(limit, pre, post)
    }

    /// As [`TableView::leaves`].
    #[inline]
    pub fn leaves<B>(&self, visit: impl FnMut(Leaf<PTE>) -> ControlFlow<B>) -> ControlFlow<B> {
        self.view().leaves(visit)
    }

    /// As [`TableView::iter`].
    pub fn iter(&self, range: impl RangeBounds<VirtAddr>) -> Runs<'_, M, PTE, H, S> {
        Runs::new(&self.view, range, self.sharing())
    }

    /// As [`TableView::cursor`].
    ///
    /// # Errors
    /// As [`TableView::cursor`].
    pub fn cursor(&self, va: VirtAddr) -> PagingResult<Cursor<'_, M, PTE, H, S>> {
        Cursor::new(&self.view, va, self.sharing())
    }

    /// As [`TableView::dump`].
    #[must_use]
    pub const fn dump(&self) -> Dump<'_, M, PTE, H, S> {
        Dump::new(&self.view, self.sharing())
    }

    /// Checks the whole tree, as [`TableView::check`]; shared tables may be empty.
    ///
    /// # Errors
    /// As [`TableView::check`].
    pub fn check(&self) -> Result<Summary, Unsound> {
        self.view().check(self.sharing().shared())
    }

    /// Orders what this core has stored so far before the leaves that it maps from now on.
    ///
    /// A leaf is there for every core from its store on, before its receipt is paid: whoever uses
    /// the address at that moment, on another core, may read the frame. That it then finds what was
    /// just written there (a page that was read from disk, or zeroed) is the caller's duty, and this
    /// is how it is done, between the last store to the frame and [`PageTable64::map`],
    /// [`PageTable64::map_region`], [`PageTable64::remap`] or [`PageTable64::update`]: `dmb ishst`
    /// on Arm. Stores through the mapping itself are ordered as any others are. The tables
    /// themselves need no such care.
    #[inline]
    pub fn order_contents() {
        M::Maintenance::order_table();
    }

    /// Maps the page or block of `size` at `va` to the frame at `pa`. Both are aligned down. What
    /// the frame holds is ordered by the caller: [`PageTable64::order_contents`].
    ///
    /// # Errors
    /// [`PagingError::AlreadyMapped`], [`PagingError::NoMemory`], those of
    /// [`GenericPTE::new_page`], [`PagingError::InvalidVirtAddr`], [`PagingError::Shared`].
    #[inline]
    pub fn map(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult<TlbFlush<'_, M, PTE, H, S>> {
        self.map_leaf(va, pa, size, flags)
    }

    /// Unmaps the leaf that covers `va`, present or retained, and unlinks tables left empty.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`], [`PagingError::InvalidVirtAddr`], [`PagingError::Pinned`],
    /// [`PagingError::Shared`].
    #[inline]
    pub fn unmap(&mut self, va: VirtAddr) -> PagingResult<Unmapped<'_, M, PTE, H, S>> {
        self.unmap_leaf(va)
    }

    /// Changes the frame, the flags or both of the leaf that covers `va`; `pa` is aligned down.
    /// Returns its size. A change that needs it breaks the old translation before the new one
    /// is made.
    ///
    /// What no page table can see stays with the caller. A frame has one memory type at a time:
    /// before it gets another, its other mappings must be gone, and what caches hold of it must be
    /// cleaned and invalidated. A frame that becomes executable must not be writable elsewhere,
    /// and what was written must reach the instruction caches first.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`], [`PagingError::InvalidVirtAddr`], those of
    /// [`GenericPTE::new_page`], [`PagingError::Pinned`], [`PagingError::Shared`].
    pub fn update(
        &mut self,
        va: VirtAddr,
        pa: Option<PhysAddr>,
        flags: Option<MappingFlags>,
    ) -> PagingResult<(PageSize, TlbFlush<'_, M, PTE, H, S>)> {
        let size = self.update_leaf(va, pa, flags)?;
        Ok((size, TlbFlush::new(&mut self.debt, Due::AsOwed)))
    }

    /// Changes the flags of the leaf that covers `va`. Returns its size.
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
}

impl<M, PTE, H, S> Drop for PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    fn drop(&mut self) {
        self.debt.pay_all();
        let shared = self.sharing().shared();
        free_entries(self.root(), 0, |index| !shared.contains(&index));
        H::dealloc_frame(self.root_paddr());
    }
}

/// Gives back the tables below those entries of `table`, at `level`, that are `ours`.
pub(super) fn free_entries<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    level: usize,
    ours: impl Fn(usize) -> bool,
) {
    let is_ours = |index, entry| is_table::<M, PTE>(entry, level) && ours(index);
    // Most tables are of the last level, where there is nothing below.
    if level + 2 == M::LEVELS {
        return table.each_used(|index, entry: PTE| {
            if is_ours(index, entry) {
                H::dealloc_frame(entry.paddr());
            }
        });
    }
    table.each_used(|index, entry: PTE| {
        if is_ours(index, entry) {
            free_below(Table::<M, PTE, H>::at(entry.paddr()), level + 1);
            H::dealloc_frame(entry.paddr());
        }
    });
}

/// Gives back the tables below `table`, which is at `level`.
fn free_below<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    level: usize,
) {
    free_entries(table, level, |_| true);
}

//! [`PageTable64`]: a tree with an owner. Operations on one leaf; regions are in `region`.

use core::marker::PhantomData;

use super::maintenance::{Debt, FrameChain, Maintenance, TlbFlush, Unmapped};
use super::view::{self, TableView, Visit, is_table};
use super::{
    ENTRIES, GenericPTE, InvalidateScope, Leaf, MappingFlags, PageSize, PagingError, PagingHandler,
    PagingMetaData, PagingResult, level_shift, table_index,
};
use crate::addr::{PhysAddr, VirtAddr};

/// Levels of the deepest tree that any format has.
const MAX_LEVELS: usize = 4;

/// A page table: owns the tables of its tree, not the frames that it maps.
///
/// Dropping it gives the tables back; the hardware must have stopped using it.
///
/// # Invariants
/// `view` is a tree of tables that came from `H` and belong to this value alone. No table but
/// the root is empty.
pub struct PageTable64<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> {
    view: TableView<M, PTE, H>,
    owner: PhantomData<(M, PTE, H)>,
}

/// A leaf's place: the table that holds its entry, and the way down to it.
struct Place {
    /// The tables on the way, the root first; up to `level`.
    tables: [PhysAddr; MAX_LEVELS],
    level: usize,
}

impl Place {
    /// The table and index of the entry for `va` at `level`, at most the leaf's.
    fn slot<M: PagingMetaData>(&self, level: usize, va: VirtAddr) -> (PhysAddr, usize) {
        (self.tables[level], table_index(va, level, M::LEVELS))
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> PageTable64<M, PTE, H> {
    /// An empty table.
    ///
    /// # Errors
    /// [`PagingError::NoMemory`] when there is no frame for the root.
    pub fn try_new() -> PagingResult<Self> {
        let root = H::alloc_frame().ok_or(PagingError::NoMemory)?;
        clear_table::<M, H>(root);
        M::Maintenance::order_table();
        // SAFETY: the root is a table without entries; the tree grows only by `self`'s methods,
        // from frames of `H`, and shrinks only after invalidation.
        let view = unsafe { TableView::new(root) };
        Ok(Self {
            view,
            owner: PhantomData,
        })
    }

    /// The physical address of the root table.
    #[must_use]
    pub const fn root_paddr(&self) -> PhysAddr {
        self.view.root_paddr()
    }

    /// The tree, to be read as long as it is not changed.
    #[must_use]
    pub const fn view(&self) -> &TableView<M, PTE, H> {
        &self.view
    }

    /// What `va` translates to: address, flags, size of the leaf.
    ///
    /// # Errors
    /// As [`TableView::query`].
    pub fn query(&self, va: VirtAddr) -> PagingResult<(PhysAddr, MappingFlags, PageSize)> {
        self.view.query(va)
    }

    /// Maps the page or block of `size` at `va` to the frame at `pa`. Both are aligned down.
    ///
    /// # Errors
    /// [`PagingError::AlreadyMapped`], [`PagingError::NoMemory`], those of
    /// [`GenericPTE::new_page`], and [`PagingError::InvalidVirtAddr`].
    pub fn map(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult<TlbFlush<'_, M, H>> {
        let (va, pa) = (va.align_down(size.bytes()), pa.align_down(size.bytes()));
        if !M::vaddr_is_valid(va) {
            return Err(PagingError::InvalidVirtAddr { va });
        }
        check_frame::<M>(pa, size.bytes())?;
        let leaf = PTE::new_page(pa, flags, size)?;
        let target = size.level(M::LEVELS);
        let (mut table, mut level) = (self.root_paddr(), 0);
        let (index, entry) = loop {
            let index = table_index(va, level, M::LEVELS);
            let entry = PTE::from_bits(view::load::<H>(table, index));
            if level == target || !is_table::<M, PTE>(entry, level) {
                break (index, entry);
            }
            (table, level) = (entry.paddr(), level + 1);
        };
        if is_table::<M, PTE>(entry, level) {
            let va = view::first_mapped::<M, PTE, H>(entry.paddr(), level + 1, va);
            return Err(PagingError::AlreadyMapped { va });
        }
        if !entry.is_unused() {
            return Err(PagingError::AlreadyMapped { va });
        }
        let mut reserve = reserve_tables::<M, H>(target - level)?;
        let entry = build_path::<M, PTE, H>(leaf, va, level, target, &mut reserve);
        view::store::<M, H>(table, index, entry.bits());
        let mut debt = Debt::new();
        if entry.is_present() {
            debt.owe_publication();
        }
        Ok(TlbFlush::new(debt))
    }

    /// Unmaps the leaf that covers `va`, present or retained, and unlinks tables left empty.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`], [`PagingError::InvalidVirtAddr`].
    pub fn unmap(&mut self, va: VirtAddr) -> PagingResult<Unmapped<'_, M, H>> {
        let (leaf, place) = self.find(va)?;
        let mut debt = Debt::new();
        let mut level = place.level;
        let (table, index) = place.slot::<M>(level, va);
        replace::<M, PTE, H>(table, index, &leaf, PTE::from_bits(0), &mut debt);
        while level > 0 && is_empty::<PTE, H>(place.tables[level]) {
            let (parent, index) = place.slot::<M>(level - 1, va);
            view::store::<M, H>(parent, index, 0);
            let bytes = 1 << level_shift(level - 1, M::LEVELS);
            debt.owe_table(place.tables[level], va.align_down(bytes), bytes);
            level -= 1;
        }
        Ok(Unmapped::new(debt, leaf.pa, leaf.flags, leaf.size))
    }

    /// Changes the frame, the flags or both of the leaf that covers `va`; `pa` is aligned down.
    /// Returns its size. A change that needs it breaks the old translation before the new one
    /// is made: what the running core stands on must not be changed so.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`] and those of [`GenericPTE::new_page`].
    pub fn update(
        &mut self,
        va: VirtAddr,
        pa: Option<PhysAddr>,
        flags: Option<MappingFlags>,
    ) -> PagingResult<(PageSize, TlbFlush<'_, M, H>)> {
        let (leaf, place) = self.find(va)?;
        let size = leaf.size;
        let mut entry = PTE::from_bits(leaf.bits);
        if let Some(flags) = flags {
            entry.set_flags(flags, size)?;
        }
        if let Some(pa) = pa {
            let pa = pa.align_down(size.bytes());
            check_frame::<M>(pa, size.bytes())?;
            entry.set_paddr(pa, size)?;
        }
        let mut debt = Debt::new();
        let (table, index) = place.slot::<M>(place.level, va);
        replace::<M, PTE, H>(table, index, &leaf, entry, &mut debt);
        Ok((size, TlbFlush::new(debt)))
    }

    /// Changes the flags of the leaf that covers `va`. Returns its size.
    ///
    /// # Errors
    /// As [`PageTable64::update`].
    pub fn protect(
        &mut self,
        va: VirtAddr,
        flags: MappingFlags,
    ) -> PagingResult<(PageSize, TlbFlush<'_, M, H>)> {
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
    ) -> PagingResult<(PageSize, TlbFlush<'_, M, H>)> {
        self.update(va, Some(pa), Some(flags))
    }

    /// The leaf that covers `va`, and where its entry stands.
    fn find(&self, va: VirtAddr) -> PagingResult<(Leaf, Place)> {
        let leaf = self.view.leaf(va)?;
        let mut place = Place {
            tables: [self.root_paddr(); MAX_LEVELS],
            level: 0,
        };
        self.view.trace(va, |visit: &Visit<PTE>| {
            place.level = visit.level;
            if let Some(next) = place.tables.get_mut(visit.level + 1) {
                *next = visit.entry.paddr();
            }
        })?;
        Ok((leaf, place))
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Drop for PageTable64<M, PTE, H> {
    fn drop(&mut self) {
        free_tables::<M, PTE, H>(self.root_paddr(), 0);
    }
}

/// Gives back the table at `table` and all below it.
fn free_tables<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: PhysAddr,
    level: usize,
) {
    for index in 0..ENTRIES {
        let entry = PTE::from_bits(view::load::<H>(table, index));
        if is_table::<M, PTE>(entry, level) {
            free_tables::<M, PTE, H>(entry.paddr(), level + 1);
        }
    }
    H::dealloc_frame(table);
}

/// The entry for `level` that leads to `leaf` at `target`, over new tables if there is a way.
fn build_path<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    leaf: PTE,
    va: VirtAddr,
    level: usize,
    target: usize,
    reserve: &mut FrameChain<M, H>,
) -> PTE {
    let mut entry = leaf;
    for below in (level + 1..=target).rev() {
        let table = take_table::<M, H>(reserve);
        view::store::<M, H>(table, table_index(va, below, M::LEVELS), entry.bits());
        entry = PTE::new_table(table);
    }
    if level < target {
        M::Maintenance::order_table();
    }
    entry
}

/// Replaces the live leaf `old` by `new`, which may be anything that fits its entry, and owes
/// what must follow. Where a present leaf must not meet its successor, it is broken first.
pub(super) fn replace<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: PhysAddr,
    index: usize,
    old: &Leaf,
    new: PTE,
    debt: &mut Debt<M, H>,
) {
    let entry = PTE::from_bits(old.bits);
    if entry.bits() == new.bits() {
        return;
    }
    match (entry.is_present(), new.is_present()) {
        (true, true) if entry.needs_break(new) => {
            break_leaf::<M, H>(table, index, old);
            debt.owe_publication();
        }
        (true, _) => {
            for va in invalidation_addresses(old.va, old.size) {
                debt.owe_invalidation(va);
            }
        }
        (false, true) => debt.owe_publication(),
        (false, false) => {}
    }
    view::store::<M, H>(table, index, new.bits());
}

/// Makes the entry of `leaf` invalid, and waits until no core uses the old one.
fn break_leaf<M: PagingMetaData, H: PagingHandler>(table: PhysAddr, index: usize, leaf: &Leaf) {
    view::store::<M, H>(table, index, 0);
    M::Maintenance::begin_invalidation();
    for va in invalidation_addresses(leaf.va, leaf.size) {
        M::Maintenance::invalidate(va, InvalidateScope::AnyLevel);
    }
    M::Maintenance::end_invalidation();
}

/// Where a leaf must be invalidated: the Cortex-A53's TLB holds a 1 GiB block as 512 MiB pieces
/// (DDI 0500, 5.2.3), so an address in each half.
fn invalidation_addresses(va: VirtAddr, size: PageSize) -> impl Iterator<Item = VirtAddr> {
    let halves = match size {
        PageSize::Size4K | PageSize::Size2M => 1,
        PageSize::Size1G => 2,
    };
    (0..halves)
        .map(move |half| VirtAddr::new(va.as_usize() | (half * (PageSize::Size1G.bytes() / 2))))
}

/// Whether every entry of the table is unused.
pub(super) fn is_empty<PTE: GenericPTE, H: PagingHandler>(table: PhysAddr) -> bool {
    (0..ENTRIES).all(|index| PTE::from_bits(view::load::<H>(table, index)).is_unused())
}

/// Makes every entry of a frame unused; nobody else sees it yet.
fn clear_table<M: PagingMetaData, H: PagingHandler>(table: PhysAddr) {
    for index in 0..ENTRIES {
        view::store::<M, H>(table, index, 0);
    }
}

/// Takes `count` frames from the handler, or none.
pub(super) fn reserve_tables<M: PagingMetaData, H: PagingHandler>(
    count: usize,
) -> PagingResult<FrameChain<M, H>> {
    let mut reserve = FrameChain::new();
    for _ in 0..count {
        match H::alloc_frame() {
            Some(frame) => reserve.push(frame),
            None => {
                reserve.release();
                return Err(PagingError::NoMemory);
            }
        }
    }
    Ok(reserve)
}

/// An empty table from the reserve, which holds as many as the operation counted before.
pub(super) fn take_table<M: PagingMetaData, H: PagingHandler>(
    reserve: &mut FrameChain<M, H>,
) -> PhysAddr {
    let Some(table) = reserve.pop() else {
        panic!("an operation on a page table reserved too few tables");
    };
    clear_table::<M, H>(table);
    table
}

/// Whether a descriptor can name all `bytes` from `pa`.
pub(super) fn check_frame<M: PagingMetaData>(pa: PhysAddr, bytes: usize) -> PagingResult {
    match pa.checked_add(bytes - 1) {
        Some(last) if M::paddr_is_valid(last) => Ok(()),
        _ => Err(PagingError::InvalidPhysAddr { pa }),
    }
}

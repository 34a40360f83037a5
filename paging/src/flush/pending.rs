//! What operations owe before their effect may be relied on: [`Debt`], kept in the table itself.
//!
//! The table, not the receipt, holds it: a receipt that is leaked loses no invalidation, the next
//! change of the same addresses pays first. The receipt knows what it can pay without looking.
#![forbid(unsafe_code)]

use core::mem;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::flush::cover::Cover;
use crate::node::frame_chain::FrameChain;
use crate::node::geometry::{leaf_bytes, offset_index};
use crate::node::sharing::Sharing;
use crate::{
    AddressSpace, GenericPTE, InvalidateScope, Maintenance, MappingFlags, PageSize, PagingHandler,
    PagingMetaData,
};

/// More addresses than this are invalidated as a whole address space. The Cortex-A53's main TLB
/// has 512 entries, but what an invalidation costs is the broadcast, and what a full one costs is
/// a few hundred refills.
pub(crate) const BY_ADDRESS_LIMIT: usize = 32;

/// What one leaf, or one table, translated: a power of two of bytes, aligned to that.
///
/// One word: the page to invalidate, which is in the range, and below it the exponent of the
/// range's bytes.
#[derive(Clone, Copy)]
struct Owed(usize);

impl Owed {
    /// A range of `bytes` in which the page at `at` is.
    #[inline(always)]
    const fn new(at: usize, bytes: usize) -> Self {
        Self(at | bytes.trailing_zeros() as usize)
    }

    #[inline(always)]
    const fn page(self) -> VirtAddr {
        VirtAddr::new(self.0 & !(PAGE_SIZE - 1))
    }

    #[inline(always)]
    const fn bytes(self) -> usize {
        1 << (self.0 & (PAGE_SIZE - 1))
    }

    /// The first address of the range.
    const fn first(self) -> usize {
        self.0 & !(self.bytes() - 1)
    }

    /// Whether some address is in both ranges; neither is empty.
    const fn overlaps(self, start: usize, bytes: usize) -> bool {
        let first = self.first();
        first <= start + (bytes - 1) && start <= first + (self.bytes() - 1)
    }
}

/// What an operation on one leaf added to a debt, as far as that is known without looking: its
/// receipt then pays without looking, too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    /// Nothing but that something became valid.
    Publication,
    /// Nothing but the page that [`Debt::owe_page`] names, in every address space.
    Page,
    /// Nothing but the page that [`Debt::owe_page`] names, in the tree's own address space.
    PageOfSpace,
    /// What is to be invalidated, if there is anything.
    Invalidation,
    /// What the debt says.
    AsOwed,
}

/// What has to be looked at before a page is unmapped, besides the page itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Care {
    /// Nothing.
    None,
    /// Whether it is global: the tree belongs to one ASID.
    ForGlobal,
    /// What the core stands on.
    ForPins,
}

/// The number of ranges.
const COUNT: usize = (1 << 6) - 1;
const _: () = assert!(BY_ADDRESS_LIMIT < COUNT);
/// A table was unlinked: cached pointers to tables must go, too. An invalidation of everything
/// reaches them anyway, so of hundreds of tables that go at once none writes the state.
const TABLES: usize = 1 << 6;
/// A global leaf is concerned, or what others have as well: every ASID must be reached.
const EVERY_SPACE: usize = 1 << 7;
/// There is one range, a page, and its address is in the bits above instead of in the list: what
/// is owed and paid most often is then one store, and another to forget it.
const PAGE: usize = 1 << 8;
/// All that is not the address of a page.
const FLAGS: usize = PAGE_SIZE - 1;

/// What is owed.
pub(crate) struct Debt<M, PTE, H, S> {
    /// The ranges to invalidate.
    owed: [Owed; BY_ADDRESS_LIMIT],
    /// [`TABLES`], [`EVERY_SPACE`], [`PAGE`], and how many ranges there are to invalidate; past the
    /// limit, everything is.
    state: usize,
    /// If everything is to be invalidated: what for.
    cover: Cover,
    /// Whether some of it was owed before this operation began: perhaps by another core.
    inherited: bool,
    /// Whether all operations since the last payment are those of one batch, which stays on its
    /// core.
    pub(crate) in_batch: bool,
    /// Whether entries became valid that no barrier has published. The receipt of a mapping knows
    /// by itself; if that is leaked, what was mapped may be seen late, which harms nobody.
    unpublished: bool,
    /// Whose translations the tree makes, unless they are global.
    pub(crate) space: AddressSpace,
    /// What follows from that and from the pins.
    pub(crate) care: Care,
    /// Unlinked tables.
    freed: FrameChain<M, PTE, H>,
    /// 4 KiB pages that the last region operation changed.
    pub(crate) pages: usize,
    /// Who else has the tables: says what every address space is concerned with, and where tables
    /// go that are free.
    pub(crate) sharing: S,
}

impl<M, PTE, H, S> Debt<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    pub(crate) fn new(sharing: S) -> Self {
        Self {
            owed: [Owed(0); BY_ADDRESS_LIMIT],
            state: 0,
            cover: Cover::new(),
            inherited: false,
            in_batch: false,
            unpublished: false,
            space: AddressSpace::All,
            care: Care::None,
            freed: FrameChain::new(),
            pages: 0,
            sharing,
        }
    }

    /// An operation begins that may add to what is owed, or pay for it. Those that find out that
    /// nothing is owed need not say so.
    #[inline]
    pub(crate) const fn begin(&mut self) {
        if !self.is_settled() || self.unpublished {
            self.inherited |= !self.in_batch;
        }
    }

    /// The entry of `leaf`, of `size` at `va`, became valid.
    #[inline(always)]
    pub(crate) fn owe_publication(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) {
        self.unpublished = true;
        if M::CACHES_INVALID {
            self.owe_invalidation(va, size, leaf);
        }
    }

    /// Owes what is due for one leaf that has a receipt, and may be inaccessible, and says what
    /// that is.
    #[inline(always)]
    pub(crate) fn publication(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) -> Due {
        if leaf.is_present() && !M::CACHES_INVALID && self.is_settled() {
            return Due::Publication;
        }
        if leaf.is_present() {
            self.owe_publication(va, size, leaf);
        }
        Due::AsOwed
    }

    /// Something became valid that owes no invalidation.
    pub(crate) const fn owe_barrier(&mut self) {
        self.unpublished = true;
    }

    /// `count` entries of leaves like `leaf`, of `size` from `va` on, became valid.
    pub(crate) fn owe_publications(
        &mut self,
        va: VirtAddr,
        size: PageSize,
        (leaf, count): (PTE, usize),
    ) {
        self.unpublished = true;
        if M::CACHES_INVALID {
            self.owe_invalidations(va, size, (leaf, count));
        }
    }

    /// A table that translates `bytes` from `va` on was linked where nothing was before.
    ///
    /// Where invalid entries are cached, one for that entry is a cached pointer to nothing: it goes
    /// with an invalidation in its range that reaches pointers. What became valid behind it owes
    /// its own addresses, before.
    pub(crate) fn owe_link(&mut self, va: VirtAddr, bytes: usize) {
        self.unpublished = true;
        if M::CACHES_INVALID && !self.is_everything() {
            self.owe_in_range(va, bytes);
        }
    }

    /// A table with nothing but `leaf`, of `size` at `va`, was linked, and whoever asked for the
    /// leaf will publish it if it is present.
    #[inline(always)]
    pub(crate) fn owe_link_to(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) {
        if !leaf.is_present() {
            self.owe_link(va, leaf_bytes::<M>(size));
        } else if M::CACHES_INVALID {
            self.unpublished = true;
            self.state |= TABLES;
        }
    }

    /// `leaf`, of `size` at `va`, was removed or got other rights.
    #[inline(always)]
    pub(crate) fn owe_invalidation(&mut self, va: VirtAddr, size: PageSize, leaf: PTE) {
        self.owe_space(va, leaf);
        self.owe(va.as_usize(), leaf_bytes::<M>(size));
        // The Cortex-A53's TLB holds a 1 GiB block as two pieces (DDI 0500, 5.2.3).
        if size == PageSize::Size1G {
            let half = leaf_bytes::<M>(size) / 2;
            self.owe(va.as_usize() | half, half);
        }
    }

    /// `count` leaves like `leaf`, of `size` from `va` on, were removed or got other rights. The
    /// operation says in the end of which addresses: [`Debt::concern`].
    pub(crate) fn owe_invalidations(
        &mut self,
        va: VirtAddr,
        size: PageSize,
        (leaf, count): (PTE, usize),
    ) {
        self.owe_space(va, leaf);
        if count > BY_ADDRESS_LIMIT {
            self.owe_everything();
            return;
        }
        let stride = leaf_bytes::<M>(size);
        for number in 0..count {
            let va = va.as_usize() + number * stride;
            self.owe_invalidation(VirtAddr::new(va), size, leaf);
        }
    }

    /// What is owed concerns `leaf` at `va`: an invalidation for one ASID spares it if it is
    /// global, and leaves it to others if they have its table, too.
    ///
    /// A pointer that a walk to a global leaf has cached may be held as that is. Later, when its
    /// table goes, nothing may be left to say so: it goes with the leaf.
    #[inline(always)]
    pub(crate) fn owe_space(&mut self, va: VirtAddr, leaf: PTE) {
        if self.is_everyones(va.as_usize()) {
            self.state |= EVERY_SPACE;
        }
        if self.spares(leaf) {
            self.state |= EVERY_SPACE | TABLES;
        }
    }

    /// Whether an invalidation for the tree's ASID spares `leaf`.
    #[inline(always)]
    fn spares(&self, leaf: PTE) -> bool {
        self.is_one_space() && leaf.flags().contains(MappingFlags::GLOBAL)
    }

    /// Whether what translates `va` is held under other ASIDs than the tree's: its tables are
    /// shared.
    #[inline(always)]
    fn is_everyones(&self, va: usize) -> bool {
        self.is_one_space() && self.sharing.shared().contains(&offset_index::<M>(va, 0))
    }

    /// Whether the tree belongs to one ASID.
    #[inline(always)]
    pub(crate) const fn is_one_space(&self) -> bool {
        matches!(self.space, AddressSpace::Asid(_))
    }

    /// What is due when `leaf`, a page at `va`, is unmapped, if it can be owed by itself.
    #[inline(always)]
    pub(crate) fn due_for_page(&self, va: VirtAddr, leaf: PTE) -> Option<Due> {
        match self.care {
            Care::None => Some(Due::Page),
            Care::ForGlobal if self.spares(leaf) || self.is_everyones(va.as_usize()) => None,
            Care::ForGlobal => Some(Due::PageOfSpace),
            Care::ForPins => None,
        }
    }

    /// So much was removed that everything is invalidated. Whoever removed it says of which
    /// addresses: by [`Debt::concern`], before anything is made valid.
    #[inline]
    pub(crate) fn owe_everything(&mut self) {
        if !self.is_everything() {
            self.give_up_the_list();
        }
    }

    fn give_up_the_list(&mut self) {
        self.list_page();
        self.cover.clear();
        for owed in self.owed.iter().take(self.state & COUNT) {
            self.cover.add(owed.first(), owed.bytes());
        }
        let flags = self.state & (TABLES | EVERY_SPACE);
        self.state = flags | (BY_ADDRESS_LIMIT + 1);
    }

    /// If everything is to be invalidated: for these addresses, too.
    #[inline]
    pub(crate) fn concern(&mut self, va: VirtAddr, bytes: usize) {
        if self.is_everything() {
            self.cover.add(va.as_usize(), bytes);
        }
    }

    /// Moves the one page that is owed into the list, to which others will be added.
    #[inline(always)]
    fn list_page(&mut self) {
        if self.state & PAGE != 0 {
            let page = self.state & !FLAGS;
            self.owed[0] = Owed::new(page, leaf_bytes::<M>(PageSize::Size4K));
            self.state = ((self.state - page) & !PAGE) | 1;
        }
    }

    #[inline(always)]
    fn owe(&mut self, at: usize, bytes: usize) {
        self.list_page();
        if self.is_everyones(at) {
            self.state |= EVERY_SPACE;
        }
        if self.state & COUNT == 0 {
            self.owed[0] = Owed::new(at, bytes);
            self.state |= 1;
        } else {
            self.owe_more(Owed::new(at, bytes));
        }
    }

    #[cold]
    #[inline(never)]
    fn owe_more(&mut self, owed: Owed) {
        if let Some(slot) = self.owed.get_mut(self.state & COUNT) {
            *slot = owed;
            self.state += 1;
        } else {
            self.owe_everything();
            self.cover.add(owed.first(), owed.bytes());
        }
    }

    /// Whether so much is owed that everything is invalidated.
    pub(crate) const fn is_everything(&self) -> bool {
        self.state & COUNT > BY_ADDRESS_LIMIT
    }

    /// Whether everything is invalidated if `count` more addresses are owed.
    pub(crate) const fn is_too_much(&self, count: usize) -> bool {
        (self.state & COUNT) + count > BY_ADDRESS_LIMIT
    }

    /// The table at `pa`, which translated `bytes` from `va`, was unlinked, after all that was
    /// below it.
    ///
    /// One invalidation in its range removes every cached pointer to it; the last leaf that was
    /// removed from it has owed one already, unless that leaf was inaccessible. Until that is paid,
    /// a table that is linked anywhere in the range would meet this one.
    #[inline(always)]
    pub(crate) fn owe_table(&mut self, pa: PhysAddr, va: VirtAddr, bytes: usize) {
        self.owe_table_of_many(pa, va, bytes);
        self.concern(va, bytes);
    }

    /// One unlinked table of many: the caller hands the addresses of all to [`Debt::concern`] at
    /// once.
    #[inline(always)]
    pub(crate) fn owe_table_of_many(&mut self, pa: PhysAddr, va: VirtAddr, bytes: usize) {
        if self.is_everyones(va.as_usize()) {
            self.state |= EVERY_SPACE;
        }
        if !self.is_everything() {
            self.owe_in_range(va, bytes);
        }
        // Last: whatever was stored in a frame, the state would be read again.
        self.freed.push(pa);
    }

    /// Owes one invalidation of cached pointers, somewhere in `bytes` from `va` on: the last that
    /// was owed, if it is there, and it then stands for all of the range.
    fn owe_in_range(&mut self, va: VirtAddr, bytes: usize) {
        self.list_page();
        self.state |= TABLES;
        match self.last_in(va, bytes) {
            Some(last) => *last = Owed::new(last.page().as_usize(), last.bytes().max(bytes)),
            None => self.owe(va.as_usize(), bytes),
        }
    }

    /// What was owed last, if that invalidates an address of `bytes` from `va` on.
    fn last_in(&mut self, va: VirtAddr, bytes: usize) -> Option<&mut Owed> {
        let last = (self.state & COUNT).checked_sub(1)?;
        let last = self.owed.get_mut(last)?;
        let offset = last.page().as_usize().wrapping_sub(va.as_usize());
        (offset < bytes).then_some(last)
    }

    /// A page at `va` was removed, when nothing was owed and no other space is concerned.
    #[inline(always)]
    pub(crate) fn owe_page(&mut self, va: VirtAddr) {
        self.state = va.as_usize() | PAGE;
    }

    /// Whether nothing is owed that an invalidation pays for.
    #[inline(always)]
    pub(crate) const fn is_settled(&self) -> bool {
        self.state == 0
    }

    /// Before entries of `bytes` from `va` on become valid: pays if something older may still be
    /// cached for them.
    #[inline]
    pub(crate) fn settle_before_making(&mut self, va: VirtAddr, bytes: usize) {
        if !self.is_settled() && self.owes_any(va.as_usize(), bytes) {
            self.pay();
        }
    }

    #[cold]
    fn owes_any(&mut self, start: usize, bytes: usize) -> bool {
        self.list_page();
        match self.owed.get(..self.state & COUNT) {
            Some(owed) => owed.iter().any(|owed| owed.overlaps(start, bytes)),
            None => self.cover.meets(start, bytes),
        }
    }

    /// Pays what earlier operations have left, at the end of a batch or of the table.
    pub(crate) fn pay_all(&mut self) {
        self.begin();
        self.pay();
    }

    /// Stores of another core are made as complete as this core's own, which is all that the
    /// barriers of a payment look at.
    fn adopt(&mut self) {
        if mem::take(&mut self.inherited) {
            M::Maintenance::adopt();
        }
    }

    /// Issues what is owed, then gives the unlinked tables back. An invalidation publishes too: it
    /// begins with the same barrier, and ends with a stronger one.
    #[cold]
    #[inline(never)]
    pub(crate) fn pay(&mut self) {
        self.adopt();
        let unpublished = mem::take(&mut self.unpublished);
        if self.state & FLAGS == PAGE {
            self.pay_due(Due::PageOfSpace);
        } else if !self.is_settled() {
            self.pay_much();
        } else if unpublished {
            self.pay_due(Due::Publication);
        }
        // Last, because the handler may panic: then nothing else is left undone.
        self.release_freed();
    }

    /// The same when it is known to be what is `due`.
    #[inline(always)]
    pub(crate) fn pay_due(&mut self, due: Due) {
        match due {
            Due::Publication => M::Maintenance::publish(),
            Due::Page => self.pay_page(AddressSpace::All),
            Due::PageOfSpace => self.pay_page(self.space),
            Due::Invalidation if self.is_settled() => {}
            Due::Invalidation | Due::AsOwed => self.pay(),
        }
    }

    #[inline(always)]
    fn pay_page(&mut self, space: AddressSpace) {
        let page = VirtAddr::new(self.state & !FLAGS);
        self.state = 0;
        M::Maintenance::begin_invalidation();
        M::Maintenance::invalidate(page, space, InvalidateScope::LastLevel);
        M::Maintenance::end_invalidation();
    }

    #[cold]
    #[inline(never)]
    fn pay_much(&mut self) {
        self.list_page();
        let state = mem::take(&mut self.state);
        let scope = match state & TABLES != 0 {
            true => InvalidateScope::AnyLevel,
            false => InvalidateScope::LastLevel,
        };
        let space = match state & EVERY_SPACE != 0 {
            true => AddressSpace::All,
            false => self.space,
        };
        self.invalidate(state & COUNT, space, scope);
        M::Maintenance::end_invalidation();
    }

    /// Invalidates the first `count` ranges.
    fn invalidate(&self, count: usize, space: AddressSpace, scope: InvalidateScope) {
        M::Maintenance::begin_invalidation();
        match self.owed.get(..count) {
            Some(owed) => {
                for owed in owed {
                    M::Maintenance::invalidate(owed.page(), space, scope);
                }
            }
            None => M::Maintenance::invalidate_all(space),
        }
    }

    /// Between break and make: invalidates what is owed in every address space, and whatever
    /// pointers to tables are cached. What was unlinked goes back with the payment that follows.
    pub(crate) fn invalidate_broken(&mut self) {
        self.adopt();
        self.list_page();
        let count = self.state & COUNT;
        self.state = 0;
        self.invalidate(count, AddressSpace::All, InvalidateScope::AnyLevel);
        M::Maintenance::end_invalidation_of_broken();
    }

    /// The table at `pa` goes back with the next payment: it was unlinked and invalidated already.
    pub(crate) fn give_up(&mut self, pa: PhysAddr) {
        self.freed.push(pa);
    }

    /// Gives the unlinked tables back, when no reader of shared tables stands in one.
    fn release_freed(&mut self) {
        if !self.freed.is_empty() {
            self.sharing.release(&mut self.freed);
        }
    }

    /// Forgets the barriers and invalidations; the tables are given back.
    pub(crate) fn forgive(&mut self) {
        self.forget();
        self.release_freed();
    }

    const fn forget(&mut self) {
        self.state = 0;
        self.unpublished = false;
        self.inherited = false;
    }

    /// Leaves what is `due` to a later payment.
    pub(crate) fn defer(&mut self, due: Due) {
        self.unpublished |= due == Due::Publication;
    }
}

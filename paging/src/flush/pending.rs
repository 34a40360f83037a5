//! [`PendingFlush`]: barriers and TLB invalidations that a tree's changes need and nobody has
//! issued yet, and the unlinked tables that go back after them. Linux has `mmu_gather` for this,
//! Zircon `ConsistencyManager`.
//!
//! # The scenario
//! The page 0xffff_0000_0040_3000 maps frame 0x9000_3000, and core 1 has that in its TLB. Core 0
//! unmaps the page:
//!
//! | | core 0 | core 1 |
//! |---|---|---|
//! | 1 | clears the entry | its TLB still has the page: it reads and writes frame 0x9000_3000 |
//! | 2 | `dsb ishst; tlbi vaale1is; dsb ish` | has lost the page; its earlier accesses have completed |
//! | 3 | gives frame 0x9000_3000 to its next owner | an access walks, finds the cleared entry, and faults |
//!
//! Step 3 without step 2, and core 1 writes into what the frame is now, say another process's page
//! table. It is the same with the frame of a table, at 0x8000_5000, that was unlinked: a core may
//! hold a pointer to it in its walk cache, and would read the next owner's data as descriptors
//! (DDI 0487 D8.16: TLBs may hold intermediate levels).
//!
//! # What may wait, and what may not
//! Step 2 may come late, as long as step 3 comes later still: in between, core 1 does what it was
//! allowed to do before step 1, and nobody was told yet that it no longer can. So the operation
//! leaves step 2 *pending*, and the receipt that the caller holds issues it (`receipt`), or the
//! end of a batch, for many changes with one pair of barriers. What has to wait with it:
//!
//! - Frames of unlinked tables are kept in a list, and freed after the invalidation.
//! - An entry that becomes valid at 0xffff_0000_0040_3000 while step 2 is pending: core 1 could use
//!   the old frame and core 0 the new one (break-before-make, DDI 0487 D8.17.1). So whoever makes
//!   an entry valid flushes first if a pending range meets its own (`flush_before_making`).
//!
//! # Decisions
//! The table, not the receipt, holds what is pending. A receipt that is leaked (`mem::forget` is
//! safe) then loses nothing: the next change of these addresses, the next receipt, or the end of
//! the tree issues it. The receipt itself knows only whether the usual case applies (`work`).
//!
//! This file has what is pending and its list, `queue` what each change of a tree adds to it,
//! `perform` how it is issued.
#![forbid(unsafe_code)]

use crate::addr::VirtAddr;
use crate::flush::cover::Cover;
use crate::flush::range::FlushRange;
use crate::flush::state::{BY_ADDRESS_LIMIT, State};
use crate::flush::work::{FlushWork, PageCheck};
use crate::node::frame_chain::FrameChain;
use crate::node::geometry::{leaf_bytes, offset_index};
use crate::node::sharing::Sharing;
use crate::{AddressSpace, GenericPTE, MappingFlags, PageSize, PagingHandler, PagingMetaData};

/// The pending invalidations of one tree, and the unlinked tables that are freed after them.
pub(crate) struct PendingFlush<M, PTE, H, S> {
    /// The ranges to invalidate, of which the state says how many there are.
    pub(in crate::flush) ranges: [FlushRange; BY_ADDRESS_LIMIT],
    pub(in crate::flush) state: State,
    /// If everything is to be invalidated: for which addresses.
    pub(in crate::flush) cover: Cover,
    /// Whether some of it was pending before this operation began: the stores may be those of
    /// another core, whose tree this was, and need [`Maintenance::adopt`](crate::Maintenance).
    pub(in crate::flush) needs_adopt: bool,
    /// Whether all operations since the last flush are those of one batch, which stays on its
    /// core.
    pub(crate) in_batch: bool,
    /// Whether entries became valid that no barrier has published. The receipt of a mapping knows
    /// by itself; if that is leaked, what was mapped may be seen late, which harms nobody.
    pub(in crate::flush) unpublished: bool,
    /// Whose translations the tree makes, unless they are global.
    pub(crate) space: AddressSpace,
    /// The check before a page is unmapped on the usual path; follows from ASID and pins.
    pub(crate) page_check: PageCheck,
    /// Unlinked tables, which are freed after the invalidation.
    pub(in crate::flush) to_free: FrameChain<M, PTE, H>,
    /// 4 KiB pages that the last region operation changed.
    pub(crate) pages: usize,
    /// The top-level tables that other trees use too: their translations are cached under every
    /// ASID, and tables unlinked below them wait for readers.
    pub(crate) sharing: S,
}

impl<M, PTE, H, S> PendingFlush<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    pub(crate) fn new(sharing: S) -> Self {
        Self {
            ranges: [FlushRange::UNUSED; BY_ADDRESS_LIMIT],
            state: State::EMPTY,
            cover: Cover::new(),
            needs_adopt: false,
            in_batch: false,
            unpublished: false,
            space: AddressSpace::All,
            page_check: PageCheck::None,
            to_free: FrameChain::new(),
            pages: 0,
            sharing,
        }
    }

    /// An operation begins that may add to what is pending, or issue it. Those that find nothing
    /// pending need not say so.
    #[inline]
    pub(crate) const fn begin(&mut self) {
        if !self.nothing_to_invalidate() || self.unpublished {
            self.needs_adopt |= !self.in_batch;
        }
    }

    /// Whether no invalidation is pending. Barriers that publish may be.
    #[inline(always)]
    pub(crate) const fn nothing_to_invalidate(&self) -> bool {
        self.state.is_empty()
    }

    /// Whether the tree belongs to one ASID.
    #[inline(always)]
    pub(crate) const fn is_one_space(&self) -> bool {
        matches!(self.space, AddressSpace::Asid(_))
    }

    /// Whether an invalidation for the tree's ASID spares `leaf`, which is global. `invpcid`,
    /// `sfence.vma` and `invtlb` by ASID do; Arm's `vae1is` reaches a global leaf, but not the
    /// pointers above it that a walk under another ASID has cached (DDI 0487 C5.5).
    #[inline(always)]
    pub(in crate::flush) fn spares(&self, leaf: PTE) -> bool {
        self.is_one_space() && leaf.flags().contains(MappingFlags::GLOBAL)
    }

    /// Whether TLBs hold translations of `va` under other ASIDs than the tree's: its tables are
    /// shared.
    #[inline(always)]
    pub(in crate::flush) fn is_shared(&self, va: usize) -> bool {
        self.is_one_space() && self.sharing.shared().contains(&offset_index::<M>(va, 0))
    }

    /// The work of the receipt if `leaf`, a page at `va`, is unmapped and nothing else is pending;
    /// `None` where that alone does not decide it.
    #[inline(always)]
    pub(crate) fn unmap_page_work(&self, va: VirtAddr, leaf: PTE) -> Option<FlushWork> {
        match self.page_check {
            PageCheck::None => Some(FlushWork::Page),
            PageCheck::Global if self.spares(leaf) || self.is_shared(va.as_usize()) => None,
            PageCheck::Global => Some(FlushWork::PageOfSpace),
            PageCheck::Pins => None,
        }
    }

    /// So much was removed that everything is invalidated. Whoever removed it says of which
    /// addresses: by [`PendingFlush::extend_cover`], before anything is made valid.
    #[inline]
    pub(crate) fn queue_all(&mut self) {
        if !self.is_flush_all() {
            self.replace_list_by_cover();
        }
    }

    /// The cover begins with the addresses that were in the list: they are still concerned.
    fn replace_list_by_cover(&mut self) {
        self.move_page_to_list();
        self.cover.clear();
        for range in self.ranges.iter().take(self.state.count()) {
            self.cover.add(range.first(), range.bytes());
        }
        self.state.set_everything();
    }

    /// If everything is to be invalidated: for these addresses, too.
    #[inline]
    pub(crate) fn extend_cover(&mut self, va: VirtAddr, bytes: usize) {
        if self.is_flush_all() {
            self.cover.add(va.as_usize(), bytes);
        }
    }

    /// Moves the one page that is pending into the list, to which others will be added.
    #[inline(always)]
    pub(in crate::flush) fn move_page_to_list(&mut self) {
        if let Some(page) = self.state.take_page() {
            self.ranges[0] = FlushRange::new(page.as_usize(), leaf_bytes::<M>(PageSize::Size4K));
        }
    }

    #[inline(always)]
    pub(in crate::flush) fn push_range(&mut self, at: usize, bytes: usize) {
        self.move_page_to_list();
        if self.is_shared(at) {
            self.state.reach_all_spaces();
        }
        if self.state.count() == 0 {
            self.ranges[0] = FlushRange::new(at, bytes);
            self.state.count_one_more();
        } else {
            self.push_another(FlushRange::new(at, bytes));
        }
    }

    /// Out of line, because most operations queue one range: the loop of those that queue more is
    /// not worth its room in each of them.
    #[cold]
    #[inline(never)]
    fn push_another(&mut self, range: FlushRange) {
        if let Some(slot) = self.ranges.get_mut(self.state.count()) {
            *slot = range;
            self.state.count_one_more();
        } else {
            self.queue_all();
            self.cover.add(range.first(), range.bytes());
        }
    }

    /// Whether so much is pending that everything is invalidated.
    pub(crate) const fn is_flush_all(&self) -> bool {
        self.state.count() > BY_ADDRESS_LIMIT
    }

    /// Whether everything is invalidated if `count` more addresses are queued.
    pub(crate) const fn would_flush_all(&self, count: usize) -> bool {
        self.state.count() + count > BY_ADDRESS_LIMIT
    }
}

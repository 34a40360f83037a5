//! Regions: `map_region`, `unmap_region`, `protect_region`, on any mix of leaf sizes.
//!
//! Each works in two passes: the first checks everything and counts the tables that the second
//! will need; they are reserved in between. The second pass cannot fail.
#![forbid(unsafe_code)]

mod change;
mod map;
mod pinned;
mod split;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::change::share::Sharing;
use crate::flush::pending::Due;
use crate::node::geometry::Span;
use crate::{
    GenericPTE, MappingFlags, PageTable64, PagingError, PagingHandler, PagingMetaData,
    PagingResult, TlbFlushAll,
};

bitflags::bitflags! {
    /// What a region may be mapped with, besides 4 KiB pages.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct RegionOptions: u8 {
        /// The largest leaf that alignment and length allow, everywhere.
        const HUGE = 1 << 0;
        /// The contiguous hint on every aligned group of leaves that one TLB entry can hold, in
        /// formats that have it.
        const CONTIGUOUS = 1 << 1;
    }
}

/// What becomes of the leaves in a region.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Unmap,
    /// Other flags.
    Protect(MappingFlags),
    /// Another frame, other flags, or both; of one leaf alone.
    Update {
        pa: Option<PhysAddr>,
        flags: Option<MappingFlags>,
    },
}

/// A change of every leaf in a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) span: Span,
    pub(crate) change: Change,
}

impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Maps `size` bytes from `va` on to the frames from `pa` on: 4 KiB pages, and whatever else
    /// `options` allow. What the frames hold is ordered by the caller:
    /// [`PageTable64::order_contents`].
    ///
    /// # Errors
    /// [`PagingError::NotAligned`] to 4 KiB, [`PagingError::RangeTooLong`],
    /// [`PagingError::AlreadyMapped`], [`PagingError::NoMemory`], those of
    /// [`GenericPTE::new_page`] and of an address.
    pub fn map_region(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: usize,
        flags: MappingFlags,
        options: RegionOptions,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        let due = self.map_pages(va, pa, size, flags, options)?;
        Ok(TlbFlushAll::new(&mut self.debt, due))
    }

    /// Unmaps whatever is mapped in `size` bytes from `va` on; holes do not matter. Blocks that
    /// lie across an end are split.
    ///
    /// # Errors
    /// [`PagingError::NotAligned`] to 4 KiB, [`PagingError::RangeTooLong`],
    /// [`PagingError::NoMemory`] for a split, [`PagingError::Pinned`], those of an address.
    pub fn unmap_region(
        &mut self,
        va: VirtAddr,
        size: usize,
    ) -> PagingResult<TlbFlushAll<'_, M, PTE, H, S>> {
        self.unmap_pages(va, size)?;
        Ok(TlbFlushAll::new(&mut self.debt, Due::AsOwed))
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
        self.protect_pages(va, size, flags)?;
        Ok(TlbFlushAll::new(&mut self.debt, Due::AsOwed))
    }

    pub(crate) fn unmap_pages(&mut self, va: VirtAddr, size: usize) -> PagingResult {
        let span = self.own_span(va, size)?;
        let change = Change::Unmap;
        self.change_region(Request { span, change })
    }

    pub(crate) fn protect_pages(
        &mut self,
        va: VirtAddr,
        size: usize,
        flags: MappingFlags,
    ) -> PagingResult {
        let span = self.own_span(va, size)?;
        PTE::new_page(PhysAddr::new(0), flags, crate::PageSize::Size4K)?;
        let change = Change::Protect(flags);
        self.change_region(Request { span, change })
    }

    /// The span of a region that this tree may change.
    pub(crate) fn own_span(&self, va: VirtAddr, size: usize) -> PagingResult<Span> {
        let span = Span::new::<M>(va, size)?;
        let shared = self.sharing().shared();
        if self.sharing().writes() || shared.is_empty() || span.is_empty() {
            return Ok(span);
        }
        let bytes = crate::node::geometry::level_bytes::<M>(0);
        let lent = Span {
            start: shared.start * bytes,
            end: shared.end * bytes,
        };
        if span.is_disjoint(lent) {
            return Ok(span);
        }
        Err(PagingError::Shared {
            va: M::vaddr_at(span.start.max(lent.start)),
        })
    }
}

/// Refuses a frame address that is not that of a page.
fn check_page_aligned(pa: PhysAddr) -> PagingResult {
    if pa.is_aligned(PAGE_SIZE) {
        return Ok(());
    }
    Err(PagingError::NotAligned {
        value: pa.as_usize(),
        alignment: PAGE_SIZE,
    })
}

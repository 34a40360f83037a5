//! An operation, carried out on a table or in a batch.
#![forbid(unsafe_code)]

use core::mem::forget;
use core::ops::ControlFlow;
use std::vec::Vec;

use crate::addr::{PhysAddr, VirtAddr};
use crate::tests::formats::{Format, Table};
use crate::tests::memory::Frames;
use crate::tests::model::judge::Done;
use crate::tests::model::operation::{Operation, scattered};
use crate::tests::{G1, K4, pa, va};
use crate::{
    Batch, BatchUnmapped, GenericPTE, Leaf, PageTable64, PagingHandler, PagingMetaData,
    PagingResult, Sharing, TlbFlush, TlbFlushAll,
};

/// What is done with a receipt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::tests) enum Receipt {
    Flush,
    Drop,
    /// Leaked: the next change of these addresses issues what it left pending.
    Forget,
}

/// A batch on a table of format `F`.
type BatchOf<'batch, F> = Batch<'batch, <F as Format>::M, <F as Format>::PTE, Frames>;

fn finish<M, PTE, H>(flush: TlbFlush<'_, M, PTE, H>, receipt: Receipt)
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
{
    match receipt {
        Receipt::Flush => flush.flush(),
        Receipt::Drop => drop(flush),
        Receipt::Forget => forget(flush),
    }
}

fn settle_all<M, PTE, H>(flush: TlbFlushAll<'_, M, PTE, H>, receipt: Receipt) -> Done
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
{
    let pages = flush.pages();
    match receipt {
        Receipt::Flush => flush.flush(),
        Receipt::Drop => drop(flush),
        Receipt::Forget => forget(flush),
    }
    Done::Pages(pages)
}

/// The pages of a region, each with its frame.
type Pages = Vec<(VirtAddr, PhysAddr)>;

/// Unmaps a region and has its frames handed out: those that were mapped there, in their order.
pub(in crate::tests) fn unmap_and_compare<F: Format, S: Sharing<F::M, F::PTE, Frames>>(
    table: &mut PageTable64<F::M, F::PTE, Frames, S>,
    at: usize,
    bytes: usize,
) -> PagingResult<usize> {
    let pages = |start: VirtAddr, frame: PhysAddr, bytes: usize| {
        let at = move |offset| (va(start.as_usize() + offset), pa(frame.as_usize() + offset));
        (0..bytes).step_by(K4).map(at)
    };
    let last = va(at.wrapping_add(bytes).wrapping_sub(1));
    let mapped: Pages = if bytes > 0 && bytes < 4 * G1 {
        let runs = table.iter(va(at)..=last);
        runs.flat_map(|run| pages(run.va, run.pa, run.bytes))
            .collect()
    } else {
        Vec::new()
    };
    let mut unmapped = Pages::new();
    let count = table.unmap_region_with(va(at), bytes, |frame| {
        unmapped.extend(pages(frame.va, frame.pa, frame.size.bytes()));
    })?;
    // Swap entries are counted, and have no frame.
    assert!(count >= unmapped.len());
    assert!(unmapped == mapped, "{at:#x}, {bytes:#x}");
    Ok(count)
}

/// The present leaves of a region, those across its ends too.
fn leaves_of<F: Format>(table: &Table<F>, at: usize, bytes: usize) -> Vec<Leaf<F::PTE>> {
    let mut leaves = Vec::new();
    let (start, end) = (at, at.wrapping_add(bytes).wrapping_sub(1));
    if bytes == 0 || end < start || F::page(start).is_none() || F::page(end).is_none() {
        return leaves;
    }
    let inside = |leaf: &Leaf<F::PTE>| {
        let first = leaf.va.as_usize();
        first <= end && start <= first + (leaf.size.bytes() - 1)
    };
    let _ = table.view().leaves::<()>(|leaf| {
        if inside(&leaf) && leaf.entry.is_present() {
            leaves.push(leaf);
        }
        ControlFlow::Continue(())
    });
    leaves
}

/// Has a region aged. What is shown is what is present there, each leaf once and in order; only the
/// other leaves of a group across an end come as well.
fn age_and_compare<F: Format>(
    table: &mut Table<F>,
    at: usize,
    bytes: usize,
    receipt: Receipt,
) -> PagingResult<Done> {
    let mut expected = leaves_of::<F>(table, at, bytes).into_iter().peekable();
    let (mut last, mut shown) = (None, 0);
    let flush = table.test_and_clear_accessed(va(at), bytes, |leaf| {
        assert!(last < Some(leaf.va), "{leaf:?}");
        last = Some(leaf.va);
        shown += leaf.size.bytes() / K4;
        if expected.next_if_eq(&leaf).is_none() {
            assert!(leaf.entry.is_contiguous(), "{leaf:?}");
        }
    })?;
    assert_eq!((flush.pages(), expected.next()), (shown, None));
    Ok(settle_all(flush, receipt))
}

/// Carries `operation` out on `table`.
pub(super) fn execute<F: Format>(
    table: &mut Table<F>,
    operation: Operation,
    receipt: Receipt,
) -> PagingResult<Done> {
    match operation {
        Operation::Map(at, frame, size, flags) => {
            finish(table.map(va(at), pa(frame), size, flags)?, receipt);
            Ok(Done::Mapped)
        }
        Operation::Unmap(at) => {
            let unmapped = table.unmap(va(at))?;
            let (flags, bytes) = (unmapped.flags(), unmapped.size().bytes());
            Ok(Done::Unmapped(unmapped.flush().as_usize(), flags, bytes))
        }
        Operation::Update(at, frame, flags) => {
            let (size, flush) = match (frame, flags) {
                (None, Some(flags)) => table.protect(va(at), flags)?,
                (Some(frame), Some(flags)) => table.remap(va(at), pa(frame), flags)?,
                _ => table.update(va(at), frame.map(pa), flags)?,
            };
            finish(flush, receipt);
            Ok(Done::Updated(size.bytes()))
        }
        Operation::SetSwap(at, value) => {
            finish(table.set_swap_entry(va(at), value)?, receipt);
            Ok(Done::Mapped)
        }
        Operation::SwapOut(at, value) => {
            let unmapped = table.swap_out(va(at), value)?;
            let (flags, bytes) = (unmapped.flags(), unmapped.size().bytes());
            Ok(Done::Unmapped(unmapped.flush().as_usize(), flags, bytes))
        }
        Operation::SwapIn(at, frame, flags) => {
            finish(table.swap_in(va(at), pa(frame), flags)?, receipt);
            Ok(Done::Mapped)
        }
        Operation::SetSoftware(at, software) => {
            let (size, flush) = table.set_software(va(at), software)?;
            finish(flush, receipt);
            Ok(Done::Updated(size.bytes()))
        }
        Operation::MapRegion(at, frame, bytes, flags, options) => {
            let flush = table.map_region(va(at), pa(frame), bytes, flags, options)?;
            Ok(settle_all(flush, receipt))
        }
        Operation::MapFrames(at, frame, count, size, flags) => {
            let frames = scattered(frame, count, size);
            let flush = table.map_frames(va(at), &frames, size, flags)?;
            Ok(settle_all(flush, receipt))
        }
        Operation::UnmapRegion(at, bytes) => {
            Ok(settle_all(table.unmap_region(va(at), bytes)?, receipt))
        }
        Operation::UnmapRegionWith(at, bytes) => {
            let pages = unmap_and_compare::<F, _>(table, at, bytes)?;
            Ok(Done::Pages(pages))
        }
        Operation::ProtectRegion(at, bytes, flags) => Ok(settle_all(
            table.protect_region(va(at), bytes, flags)?,
            receipt,
        )),
        Operation::UpdateRegionWith(at, bytes, rule) => Ok(settle_all(
            table.update_region_with(va(at), bytes, |old| rule.of(old))?,
            receipt,
        )),
        Operation::TestAndClearAccessed(at, bytes) => {
            age_and_compare::<F>(table, at, bytes, receipt)
        }
        Operation::Compact(at, bytes) => Ok(settle_all(table.compact(va(at), bytes)?, receipt)),
    }
}

/// Carries `operation` out in `batch`.
pub(super) fn execute_in_batch<'batch, F: Format>(
    batch: &mut BatchOf<'batch, F>,
    operation: Operation,
    pending: &mut Vec<BatchUnmapped<'batch>>,
) -> PagingResult<Done> {
    match operation {
        Operation::Map(at, frame, size, flags) => {
            batch.map(va(at), pa(frame), size, flags)?;
            Ok(Done::Mapped)
        }
        Operation::Unmap(at) => {
            let unmapped = batch.unmap(va(at))?;
            let (flags, bytes) = (unmapped.flags(), unmapped.size().bytes());
            pending.push(unmapped);
            Ok(Done::Unmapped(0, flags, bytes))
        }
        Operation::Update(at, frame, flags) => {
            let size = match (frame, flags) {
                (None, Some(flags)) => batch.protect(va(at), flags)?,
                (Some(frame), Some(flags)) => batch.remap(va(at), pa(frame), flags)?,
                _ => batch.update(va(at), frame.map(pa), flags)?,
            };
            Ok(Done::Updated(size.bytes()))
        }
        Operation::SetSoftware(at, software) => {
            let size = batch.set_software(va(at), software)?;
            Ok(Done::Updated(size.bytes()))
        }
        Operation::MapRegion(at, frame, bytes, flags, options) => {
            let pages = batch.map_region(va(at), pa(frame), bytes, flags, options)?;
            Ok(Done::Pages(pages))
        }
        Operation::MapFrames(at, frame, count, size, flags) => {
            let frames = scattered(frame, count, size);
            Ok(Done::Pages(batch.map_frames(
                va(at),
                &frames,
                size,
                flags,
            )?))
        }
        Operation::UnmapRegion(at, bytes) => Ok(Done::Pages(batch.unmap_region(va(at), bytes)?)),
        Operation::ProtectRegion(at, bytes, flags) => {
            Ok(Done::Pages(batch.protect_region(va(at), bytes, flags)?))
        }
        Operation::UpdateRegionWith(at, bytes, rule) => {
            let pages = batch.update_region_with(va(at), bytes, |old| rule.of(old))?;
            Ok(Done::Pages(pages))
        }
        Operation::TestAndClearAccessed(at, bytes) => {
            let mut shown = 0;
            let count = |leaf: Leaf<F::PTE>| shown += leaf.size.bytes() / K4;
            let pages = batch.test_and_clear_accessed(va(at), bytes, count)?;
            assert_eq!(pages, shown);
            Ok(Done::Pages(pages))
        }
        Operation::UnmapRegionWith(..)
        | Operation::Compact(..)
        | Operation::SetSwap(..)
        | Operation::SwapOut(..)
        | Operation::SwapIn(..) => panic!("no batch has these"),
    }
}

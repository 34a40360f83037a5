//! An operation, carried out on a table or in a batch.
#![forbid(unsafe_code)]

use core::mem::forget;
use std::vec::Vec;

use crate::tests::formats::{Format, Table};
use crate::tests::memory::Frames;
use crate::tests::model::judge::Done;
use crate::tests::model::operation::Operation;
use crate::tests::{pa, va};
use crate::{
    Batch, BatchUnmapped, GenericPTE, PagingHandler, PagingMetaData, PagingResult, TlbFlush,
    TlbFlushAll,
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
        Operation::MapRegion(at, frame, bytes, flags, options) => {
            let flush = table.map_region(va(at), pa(frame), bytes, flags, options)?;
            Ok(settle_all(flush, receipt))
        }
        Operation::UnmapRegion(at, bytes) => {
            Ok(settle_all(table.unmap_region(va(at), bytes)?, receipt))
        }
        Operation::ProtectRegion(at, bytes, flags) => Ok(settle_all(
            table.protect_region(va(at), bytes, flags)?,
            receipt,
        )),
        Operation::ProtectRegionWith(at, bytes, rule) => Ok(settle_all(
            table.protect_region_with(va(at), bytes, |flags| rule.of(flags))?,
            receipt,
        )),
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
        Operation::MapRegion(at, frame, bytes, flags, options) => {
            let pages = batch.map_region(va(at), pa(frame), bytes, flags, options)?;
            Ok(Done::Pages(pages))
        }
        Operation::UnmapRegion(at, bytes) => Ok(Done::Pages(batch.unmap_region(va(at), bytes)?)),
        Operation::ProtectRegion(at, bytes, flags) => {
            Ok(Done::Pages(batch.protect_region(va(at), bytes, flags)?))
        }
        Operation::ProtectRegionWith(at, bytes, rule) => {
            let pages = batch.protect_region_with(va(at), bytes, |flags| rule.of(flags))?;
            Ok(Done::Pages(pages))
        }
        Operation::Compact(..) => panic!("batches do not merge"),
    }
}

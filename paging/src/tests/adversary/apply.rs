//! Carrying an operation out on a table: alone, or in a batch.
#![forbid(unsafe_code)]

use core::mem::forget;
use std::vec::Vec;

use super::steps::Receipt;
use crate::tests::formats::Format;
use crate::tests::memory::{self, hand_over, release};
use crate::tests::model::operation::{Operation, scattered};
use crate::tests::{pa, va};
use crate::{Batch, Maintenance, PageTable64, PagingMetaData, PagingResult, Sharing, TableView};

/// A tree that shares tables as `S` says.
pub(super) type Tree<F, S> = PageTable64<<F as Format>::M, <F as Format>::PTE, memory::Frames, S>;

/// Bytes of physical memory, from a frame on.
pub(super) type Frames = (usize, usize);

/// What an operation says.
#[derive(Default)]
pub(super) struct Outcome {
    /// What goes back to the caller once everything is invalidated.
    pub(super) released: Vec<Frames>,
    pub(super) merged: bool,
}

/// The frames that `operation` will take out of the tree in `view`, if it succeeds.
fn frames_of<F: Format>(
    view: &TableView<F::M, F::PTE, memory::Frames>,
    operation: Operation,
) -> Vec<Frames> {
    match operation {
        Operation::UnmapRegion(at, bytes) if bytes > 0 => {
            let Some(last) = at.checked_add(bytes - 1) else {
                return Vec::new();
            };
            let runs = view.iter(va(at)..=va(last));
            runs.map(|run| (run.pa.as_usize(), run.bytes)).collect()
        }
        Operation::Update(at, Some(_), _) => {
            let leaf = view.leaf(va(at)).into_iter();
            leaf.map(|leaf| (leaf.paddr().as_usize(), leaf.size.bytes()))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Carries `operation` out on `table`.
pub(super) fn one<F: Format, S: Sharing<F::M, F::PTE, memory::Frames>>(
    table: &mut Tree<F, S>,
    operation: Operation,
    receipt: Receipt,
) -> PagingResult<Outcome> {
    // What a leaked receipt of a mapping would publish, the caller does.
    let receipt = match operation {
        Operation::Map(..)
        | Operation::MapRegion(..)
        | Operation::MapFrames(..)
        | Operation::SwapIn(..)
            if receipt == Receipt::HandOver =>
        {
            Receipt::Flush
        }
        _ => receipt,
    };
    macro_rules! finish {
        ($flush:expr) => {
            match receipt {
                Receipt::Flush => $flush.flush(),
                Receipt::Drop => drop($flush),
                Receipt::Forget => {
                    forget($flush);
                    <F::M as PagingMetaData>::Maintenance::publish();
                }
                Receipt::HandOver => {
                    forget($flush);
                    hand_over();
                    table.batch(|batch| drop(batch));
                }
            }
        };
    }
    let mut outcome = Outcome {
        released: frames_of::<F>(&table.view(), operation),
        merged: false,
    };
    match operation {
        Operation::Map(at, frame, size, flags) => {
            finish!(table.map(va(at), pa(frame), size, flags)?);
        }
        Operation::Unmap(at) | Operation::SwapOut(at, _) => {
            let unmapped = match operation {
                Operation::SwapOut(_, value) => table.swap_out(va(at), value)?,
                _ => table.unmap(va(at))?,
            };
            let bytes = unmapped.size().bytes();
            match receipt {
                Receipt::Flush => outcome.released.push((unmapped.flush().as_usize(), bytes)),
                Receipt::Drop => drop(unmapped),
                Receipt::Forget => forget(unmapped),
                Receipt::HandOver => {
                    forget(unmapped);
                    hand_over();
                    table.batch(|batch| drop(batch));
                }
            }
        }
        Operation::SetSwap(at, value) => finish!(table.set_swap_entry(va(at), value)?),
        Operation::SwapIn(at, frame, flags) => {
            finish!(table.swap_in(va(at), pa(frame), flags)?);
        }
        Operation::Update(at, frame, flags) => {
            finish!(table.update(va(at), frame.map(pa), flags)?.1);
        }
        Operation::SetSoftware(at, software) => {
            finish!(table.set_software(va(at), software)?.1);
        }
        Operation::MapRegion(at, frame, bytes, flags, options) => {
            finish!(table.map_region(va(at), pa(frame), bytes, flags, options)?);
        }
        Operation::MapFrames(at, frame, count, size, flags) => {
            let frames = scattered(frame, count, size);
            finish!(table.map_frames(va(at), &frames, size, flags)?);
        }
        Operation::UnmapRegion(at, bytes) => finish!(table.unmap_region(va(at), bytes)?),
        Operation::UnmapRegionWith(at, bytes) => {
            table.unmap_region_with(va(at), bytes, |frame| {
                release(frame.pa.as_usize(), frame.size.bytes());
            })?;
        }
        Operation::ProtectRegion(at, bytes, flags) => {
            finish!(table.protect_region(va(at), bytes, flags)?);
        }
        Operation::UpdateRegionWith(at, bytes, rule) => {
            finish!(table.update_region_with(va(at), bytes, |old| rule.of(old))?);
        }
        Operation::TestAndClearAccessed(at, bytes) => {
            finish!(table.test_and_clear_accessed(va(at), bytes, |_| {})?);
        }
        Operation::Compact(at, bytes) => {
            let flush = table.compact(va(at), bytes)?;
            outcome.merged = flush.pages() > 0;
            finish!(flush);
        }
    }
    Ok(outcome)
}

/// Carries `operations` out on `table` and flushes once. Returns how many were done, and the frames
/// that come back.
pub(super) fn batch<F: Format, S: Sharing<F::M, F::PTE, memory::Frames>>(
    table: &mut Tree<F, S>,
    operations: &[Operation],
) -> (usize, Vec<Frames>) {
    table.batch(|mut batch| {
        let (mut done, mut released, mut unmapped) = (0, Vec::new(), Vec::new());
        for operation in operations {
            let frames = frames_of::<F>(&batch.view(), *operation);
            let result = match *operation {
                Operation::Unmap(at) => batch.unmap(va(at)).map(|leaf| unmapped.push(leaf)),
                other => in_batch::<F, S>(&mut batch, other),
            };
            if result.is_ok() {
                done += 1;
                released.extend(frames);
            }
        }
        let flushed = batch.finish();
        released.extend(unmapped.into_iter().map(|leaf| {
            let bytes = leaf.size().bytes();
            (leaf.frame(&flushed).as_usize(), bytes)
        }));
        (done, released)
    })
}

fn in_batch<F: Format, S: Sharing<F::M, F::PTE, memory::Frames>>(
    batch: &mut Batch<'_, F::M, F::PTE, memory::Frames, S>,
    operation: Operation,
) -> PagingResult {
    match operation {
        Operation::Map(at, frame, size, flags) => batch.map(va(at), pa(frame), size, flags),
        Operation::Update(at, frame, flags) => batch.update(va(at), frame.map(pa), flags).map(drop),
        Operation::SetSoftware(at, software) => batch.set_software(va(at), software).map(drop),
        Operation::MapRegion(at, frame, bytes, flags, options) => batch
            .map_region(va(at), pa(frame), bytes, flags, options)
            .map(drop),
        Operation::MapFrames(at, frame, count, size, flags) => batch
            .map_frames(va(at), &scattered(frame, count, size), size, flags)
            .map(drop),
        Operation::UnmapRegion(at, bytes) => batch.unmap_region(va(at), bytes).map(drop),
        Operation::ProtectRegion(at, bytes, flags) => {
            batch.protect_region(va(at), bytes, flags).map(drop)
        }
        Operation::UpdateRegionWith(at, bytes, rule) => batch
            .update_region_with(va(at), bytes, |old| rule.of(old))
            .map(drop),
        Operation::TestAndClearAccessed(at, bytes) => batch
            .test_and_clear_accessed(va(at), bytes, |_| {})
            .map(drop),
        Operation::Unmap(_)
        | Operation::UnmapRegionWith(..)
        | Operation::Compact(..)
        | Operation::SetSwap(..)
        | Operation::SwapOut(..)
        | Operation::SwapIn(..) => {
            panic!("not as any other in a batch")
        }
    }
}

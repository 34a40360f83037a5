//! An operation, carried out on a tree that may change what it concerns, or attempted on one that
//! may not.
#![forbid(unsafe_code)]

use super::part::{Part, apply, judge, pages};
use super::{Reader, Tally, Tree};
use crate::addr::VirtAddr;
use crate::tests::formats::Format;
use crate::tests::memory::{Frames, allocations, begin_operation, free_frames, record_all};
use crate::tests::model::judge::{Done, Judge};
use crate::tests::model::operation::{Operation, scattered};
use crate::tests::model::random::unmap_and_compare;
use crate::tests::{pa, va};
use crate::{PagingError, PagingResult, Sharing};

/// Carries `operation` out on `table`.
fn execute<F: Format, S: Sharing<F::M, F::PTE, Frames>>(
    table: &mut Tree<F, S>,
    operation: Operation,
) -> PagingResult<Done> {
    let regions = match operation {
        Operation::Map(at, frame, size, flags) => {
            table.map(va(at), pa(frame), size, flags)?.flush();
            return Ok(Done::Mapped);
        }
        Operation::Unmap(at) => {
            let unmapped = table.unmap(va(at))?;
            let (flags, bytes) = (unmapped.flags(), unmapped.size().bytes());
            return Ok(Done::Unmapped(unmapped.flush().as_usize(), flags, bytes));
        }
        Operation::Update(at, frame, flags) => {
            let (size, flush) = table.update(va(at), frame.map(pa), flags)?;
            flush.flush();
            return Ok(Done::Updated(size.bytes()));
        }
        Operation::SetSwap(at, value) => {
            table.set_swap_entry(va(at), value)?.flush();
            return Ok(Done::Mapped);
        }
        Operation::SwapOut(at, value) => {
            let unmapped = table.swap_out(va(at), value)?;
            let (flags, bytes) = (unmapped.flags(), unmapped.size().bytes());
            return Ok(Done::Unmapped(unmapped.flush().as_usize(), flags, bytes));
        }
        Operation::SwapIn(at, frame, flags) => {
            table.swap_in(va(at), pa(frame), flags)?.flush();
            return Ok(Done::Mapped);
        }
        Operation::SetSoftware(at, software) => {
            let (size, flush) = table.set_software(va(at), software)?;
            flush.flush();
            return Ok(Done::Updated(size.bytes()));
        }
        Operation::MapRegion(at, frame, bytes, flags, options) => {
            table.map_region(va(at), pa(frame), bytes, flags, options)?
        }
        Operation::MapFrames(at, frame, count, size, flags) => {
            let frames = scattered(frame, count, size);
            table.map_frames(va(at), &frames, size, flags)?
        }
        Operation::UnmapRegion(at, bytes) => table.unmap_region(va(at), bytes)?,
        Operation::UnmapRegionWith(at, bytes) => {
            let pages = unmap_and_compare::<F, S>(table, at, bytes)?;
            return Ok(Done::Pages(pages));
        }
        Operation::ProtectRegion(at, bytes, flags) => table.protect_region(va(at), bytes, flags)?,
        Operation::UpdateRegionWith(at, bytes, rule) => {
            table.update_region_with(va(at), bytes, |old| rule.of(old))?
        }
        Operation::TestAndClearAccessed(at, bytes) => {
            table.test_and_clear_accessed(va(at), bytes, |_| {})?
        }
        Operation::Compact(at, bytes) => table.compact(va(at), bytes)?,
    };
    let pages = regions.pages();
    regions.flush();
    Ok(Done::Pages(pages))
}

/// Carries `operation` out on a tree that may change all that it concerns, with `budget` frames to
/// be had.
pub(super) fn step<F: Format, S: Sharing<F::M, F::PTE, Frames>>(
    (tree, own): (&mut Tree<F, S>, &mut Judge<F>),
    part: &Part,
    (operation, budget): (Operation, usize),
    tally: &mut Tally,
) {
    let judgement = judge(own, part, operation, &tree.view());
    let available = free_frames().min(budget);
    begin_operation(budget);
    let result = execute::<F, S>(tree, operation);
    match (result, judgement) {
        (Ok(done), Ok((expected, tables))) => {
            let expected = apply(own, part, operation).unwrap_or(expected);
            assert_eq!((done, allocations()), (expected, tables), "{operation:x?}");
            tally.done += 1;
            if let Some(pages) = pages::<F>(operation) {
                let shared = part.of(&pages).len();
                tally.shared += usize::from(shared > 0);
                tally.across += usize::from(0 < shared && shared < pages.len());
            }
        }
        (Err(PagingError::NoMemory), Ok((_, tables))) => {
            assert!(tables > available, "{operation:x?}: {tables} tables");
            tally.no_memory += 1;
        }
        (Err(error), Err(faults)) => {
            let known = faults.contains(&error);
            assert!(known, "{operation:x?}: {error:x?}, not {faults:x?}");
            tally.refused += 1;
        }
        (result, judgement) => panic!("{operation:x?}: {result:x?}, not {judgement:x?}"),
    }
    begin_operation(usize::MAX);
}

/// Attempts `operation`, which concerns what is shared from `at` on: it is refused for that,
/// unless it is refused for what it is, and changes nothing.
pub(super) fn attempt<F: Format>(
    tree: &mut Reader<'_, F>,
    at: VirtAddr,
    operation: Operation,
    tally: &mut Tally,
) {
    // Nothing is mapped for it, so all that is wrong is what it asks for.
    let judgement = Judge::<F>::new().judge(operation, &tree.view());
    let faults = judgement.err().unwrap_or_default();
    let (result, log) = record_all(|| execute::<F, _>(tree, operation));
    let error = result.expect_err("it is shared");
    assert_eq!(log, [], "{operation:x?}");
    if error != (PagingError::Shared { va: at }) {
        let malformed = !matches!(error, PagingError::NotMapped { .. });
        assert!(
            malformed && faults.contains(&error),
            "{operation:x?}: {error:x?}"
        );
    }
    tally.forbidden += 1;
}

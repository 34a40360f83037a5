//! Which addresses are shared, and what that makes of the judgement of an operation.
#![forbid(unsafe_code)]

use core::ops::Range;
use std::vec::Vec;

use crate::tests::formats::{Format, View};
use crate::tests::model::judge::{Done, Faults, Judge};
use crate::tests::model::operation::Operation;
use crate::tests::model::{Run, SIZES, SWAPPED};
use crate::tests::{K4, va};
use crate::{PagingError, RegionOptions, SoftwareBits};

/// Which pages are shared, and how many of them an entry of the root translates.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) pages: Range<usize>,
    pub(super) entry: usize,
}

impl Part {
    /// The shared ones of `pages`.
    pub(super) fn of(&self, pages: &Range<usize>) -> Range<usize> {
        let start = pages.start.max(self.pages.start);
        start..pages.end.min(self.pages.end).max(start)
    }

    /// Those of `pages` before what is shared, in it, and behind it.
    pub(super) fn split(&self, pages: &Range<usize>) -> [Range<usize>; 3] {
        let Range { start, end } = self.pages;
        [
            pages.start..pages.end.min(start),
            self.of(pages),
            pages.start.max(end)..pages.end,
        ]
    }

    /// The shared entries of the root, each as the pages that it translates.
    fn entries(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = self.pages.clone().step_by(self.entry);
        starts.map(|start| start..start + self.entry)
    }

    /// How many tables, of those that are shared whatever is in them, `judge` has nothing for
    /// that concerns `pages`.
    pub(super) fn count_empty<F: Format>(&self, judge: &Judge<F>, pages: &Range<usize>) -> usize {
        let model = &judge.model;
        let touched = |entry: &Range<usize>| pages.start < entry.end && entry.start < pages.end;
        let empty = |entry: &Range<usize>| model.first_mapped(entry.start, entry.end).is_none();
        self.entries().filter(touched).filter(empty).count()
    }

    /// What there is in `judge` that is shared, and nothing else.
    pub(super) fn judge<F: Format>(&self, judge: &Judge<F>) -> Judge<F> {
        let mut shared = Judge::new();
        for (page, run) in judge.model.runs_in(self.pages.start, self.pages.end) {
            shared.model.map(page, run);
        }
        shared
    }
}

/// The pages that a valid operation concerns.
pub(super) fn pages<F: Format>(operation: Operation) -> Option<Range<usize>> {
    let (at, bytes) = match operation {
        Operation::Unmap(at)
        | Operation::Update(at, ..)
        | Operation::SetSoftware(at, _)
        | Operation::SetSwap(at, _)
        | Operation::SwapOut(at, _)
        | Operation::SwapIn(at, ..) => (at & !(K4 - 1), K4),
        operation => operation.touched(),
    };
    let start = F::page(at)?;
    Judge::<F>::range_faults(at, bytes)
        .is_empty()
        .then_some(start..start + bytes / K4)
}

/// What a valid operation maps, and where. No leaf takes the place of a shared table.
fn mapped<F: Format>(part: &Part, operation: Operation) -> Option<(usize, Run)> {
    let pages = pages::<F>(operation)?;
    let (frame, flags, leaf) = match operation {
        Operation::SetSwap(..) => (0, SWAPPED, 1),
        Operation::Map(_, frame, size, flags) => (frame & !(size.bytes() - 1), flags, pages.len()),
        Operation::MapFrames(_, _, _, size, flags) if !pages.is_empty() => {
            (0, flags, size.bytes() / K4)
        }
        Operation::MapRegion(_, frame, _, flags, options) if !pages.is_empty() => {
            let displaces = part.entry == SIZES[0] && !part.of(&pages).is_empty();
            let largest = SIZES[usize::from(displaces)];
            let huge = options.contains(RegionOptions::HUGE);
            (frame, flags, if huge { largest } else { 1 })
        }
        _ => return None,
    };
    let run = Run {
        pages: pages.len(),
        leaf,
        frame: frame / K4,
        flags,
        software: SoftwareBits::empty(),
    };
    Some((pages.start, run))
}

/// What must come of `operation` on a tree that may change all that it concerns: see
/// [`Judge::judge`].
pub(super) fn judge<F: Format>(
    judge: &Judge<F>,
    part: &Part,
    operation: Operation,
    view: &View<F>,
) -> Result<(Done, usize), Faults> {
    let (done, tables) = judge.judge(operation, view)?;
    let Some((page, run)) = mapped::<F>(part, operation) else {
        return Ok((done, tables));
    };
    let pages = page..page + run.pages;
    if run.leaf == part.entry && !part.of(&pages).is_empty() {
        let va = va(F::address(page));
        return Err(Vec::from([PagingError::Shared { va }]));
    }
    let tables = judge.model.cost_of_map(page, run);
    Ok((done, tables - part.count_empty(judge, &pages)))
}

/// Carries `operation`, which was judged to be possible, out on the model.
pub(super) fn apply<F: Format>(
    judge: &mut Judge<F>,
    part: &Part,
    operation: Operation,
) -> Option<Done> {
    // Frames that lie anywhere are not one run.
    if let Some((page, run)) = mapped::<F>(part, operation)
        && !matches!(operation, Operation::MapFrames(..) | Operation::SetSwap(..))
    {
        judge.model.map(page, run);
        return None;
    }
    let (Operation::Compact(..), Some(pages)) = (operation, pages::<F>(operation)) else {
        return judge.apply(operation);
    };
    // Nothing that is too small for it is merged to what takes the place of a shared table.
    let half = part.entry / 2;
    let shared = part.of(&pages);
    let halves = shared
        .clone()
        .step_by(half)
        .map(|page| page..shared.end.min(page + half));
    let [before, _, behind] = part.split(&pages);
    let mut merged = 0;
    for Range { start, end } in halves.chain([before, behind]) {
        merged += judge.model.compact(start, end);
    }
    Some(Done::Pages(merged))
}

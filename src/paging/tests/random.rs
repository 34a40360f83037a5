//! Random operations on a table, each checked against the model.

use core::mem::{forget, take};
use core::ops::ControlFlow;
use std::env;
use std::println;
use std::vec::Vec;

use super::formats::{Format, Table, every_format};
use super::judge::{Done, Faults, Judge};
use super::memory::{allocations, begin_operation, free_frames, live_frames, snapshot};
use super::model::Run;
use super::operation::{Operation, Operations};
use super::{G1, K4, M2, R, W, X, pa, va};
use crate::addr::VirtAddr;
use crate::paging::{Batch, BatchUnmapped, GenericPTE, Leaf, PagingError, PagingResult};

/// Operations on each format, unless the environment says otherwise.
const OPERATIONS: usize = 1_000_000;
/// Says otherwise.
const OPERATIONS_VARIABLE: &str = "STILT_MODEL_OPERATIONS";

/// What is done with a receipt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Receipt {
    Flush,
    Drop,
    /// Leaked: the next change of the same addresses pays.
    Forget,
}

/// How often what happened.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    refused: usize,
    pinned: usize,
    no_memory: usize,
    splits: usize,
    merges: usize,
    tables_freed: usize,
    batches: usize,
    leaked: usize,
    contiguous: usize,
}

/// A table and its judge.
pub(super) struct Pair<F: Format> {
    pub(super) table: Table<F>,
    pub(super) judge: Judge<F>,
    tally: Tally,
    /// Tables that are unlinked and not yet given back: a receipt was leaked.
    unpaid: usize,
}

/// A batch on a table of format `F`.
type BatchOf<'batch, F> =
    Batch<'batch, <F as Format>::M, <F as Format>::PTE, super::memory::Frames>;

/// A leaf that was unmapped in a batch, and the frame that it must give.
type Pending<'batch> = (BatchUnmapped<'batch>, usize);

fn settle<M, PTE, H>(flush: crate::paging::TlbFlush<'_, M, PTE, H>, receipt: Receipt)
where
    M: crate::paging::PagingMetaData,
    PTE: GenericPTE,
    H: crate::paging::PagingHandler,
{
    match receipt {
        Receipt::Flush => flush.flush(),
        Receipt::Drop => drop(flush),
        Receipt::Forget => forget(flush),
    }
}

fn settle_all<M, PTE, H>(flush: crate::paging::TlbFlushAll<'_, M, PTE, H>, receipt: Receipt) -> Done
where
    M: crate::paging::PagingMetaData,
    PTE: GenericPTE,
    H: crate::paging::PagingHandler,
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
fn execute<F: Format>(
    table: &mut Table<F>,
    operation: Operation,
    receipt: Receipt,
) -> PagingResult<Done> {
    match operation {
        Operation::Map(at, frame, size, flags) => {
            settle(table.map(va(at), pa(frame), size, flags)?, receipt);
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
            settle(flush, receipt);
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
        Operation::Compact(at, bytes) => Ok(settle_all(table.compact(va(at), bytes)?, receipt)),
    }
}

/// Carries `operation` out in `batch`.
fn execute_in_batch<'batch, F: Format>(
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
        Operation::Compact(..) => panic!("batches do not merge"),
    }
}

/// Whether `operation` was rightly refused with `error`: by its judgement, or because `available`
/// frames are not enough.
fn check_refusal(
    operation: Operation,
    error: PagingError,
    judgement: Result<(Done, usize), Faults>,
    available: usize,
    tally: &mut Tally,
) {
    match judgement {
        Ok((_, tables)) => {
            assert_eq!(error, PagingError::NoMemory, "{operation:x?}");
            assert!(tables > available, "{operation:x?}: {tables} tables");
            tally.no_memory += 1;
        }
        Err(faults) => {
            let known = faults.contains(&error);
            assert!(known, "{operation:x?}: {error:x?}, not {faults:x?}");
            tally.refused += 1;
            tally.pinned += usize::from(matches!(error, PagingError::Pinned { .. }));
        }
    }
}

/// Carries `operation` out on the model, and checks what it said. `judgement` is that of before.
fn check_success<F: Format>(
    judge: &mut Judge<F>,
    operation: Operation,
    done: Done,
    judgement: Result<(Done, usize), Faults>,
    tally: &mut Tally,
) {
    let (expected, tables) = match judgement {
        Ok(expected) => expected,
        Err(faults) => panic!("{operation:x?} did {done:x?} despite {faults:x?}"),
    };
    let expected = judge.apply(operation).unwrap_or(expected);
    assert_eq!(done, expected, "{operation:x?}");
    assert_eq!(allocations(), tables, "{operation:x?}");
    tally.done += 1;
    tally.splits += usize::from(tables > 0 && !matches!(operation, Operation::Map(..)));
    tally.merges +=
        usize::from(matches!(operation, Operation::Compact(..)) && done != Done::Pages(0));
}

impl<F: Format> Pair<F> {
    pub(super) fn new() -> Self {
        Self {
            table: F::table(),
            judge: Judge::new(),
            tally: Tally::default(),
            unpaid: 0,
        }
    }

    /// Carries `operation` out with `budget` frames to be had. Returns whether they were enough.
    pub(super) fn step(&mut self, operation: Operation, budget: usize, receipt: Receipt) -> bool {
        let judgement = self.judge.judge(operation, self.table.view());
        let (live, available) = (live_frames(), free_frames().min(budget));
        begin_operation(budget);
        let result = execute::<F>(&mut self.table, operation, receipt);
        let enough = result != Err(PagingError::NoMemory);
        match result {
            Ok(done) => {
                check_success(&mut self.judge, operation, done, judgement, &mut self.tally);
                self.count_frames(receipt == Receipt::Forget, operation);
                self.tally.tables_freed += usize::from(live_frames() < live);
            }
            Err(error) => {
                check_refusal(operation, error, judgement, available, &mut self.tally);
                self.count_frames(self.unpaid > 0, operation);
            }
        }
        enough
    }

    /// Whether as many frames are in use as there are tables; more if some are `owed`.
    fn count_frames(&mut self, owed: bool, operation: Operation) {
        let (live, tables) = (live_frames(), self.judge.model.count_tables());
        // What is not a table is unlinked: it was counted when that happened.
        let unpaid = live
            .checked_sub(tables)
            .expect("a table that nobody allocated");
        assert!(
            owed || unpaid == 0,
            "{operation:x?}: {unpaid} frames are lost"
        );
        self.tally.leaked += usize::from(owed);
        self.unpaid = unpaid;
    }

    /// Carries `operations` out in one batch, and redeems what they unmap.
    fn batch(&mut self, operations: &[Operation]) {
        let Some(first) = operations.first() else {
            return;
        };
        let Self {
            table,
            judge,
            tally,
            ..
        } = self;
        table.batch(|mut batch| {
            let (mut unmapped, mut pending) = (Vec::new(), Vec::<Pending<'_>>::new());
            for operation in operations {
                let operation = *operation;
                let judgement = judge.judge(operation, batch.table().view());
                let available = free_frames();
                begin_operation(usize::MAX);
                match execute_in_batch::<F>(&mut batch, operation, &mut unmapped) {
                    Ok(Done::Unmapped(_, flags, bytes)) => {
                        let Ok((Done::Unmapped(frame, ..), _)) = judgement else {
                            panic!("{operation:x?} was done despite {judgement:x?}");
                        };
                        pending.extend(unmapped.drain(..).map(|leaf| (leaf, frame)));
                        let done = Done::Unmapped(frame, flags, bytes);
                        check_success(judge, operation, done, judgement, tally);
                    }
                    Ok(done) => check_success(judge, operation, done, judgement, tally),
                    Err(error) => check_refusal(operation, error, judgement, available, tally),
                }
            }
            let paid = batch.finish();
            for (leaf, frame) in pending {
                assert_eq!(leaf.frame(&paid), pa(frame));
            }
        });
        self.tally.batches += 1;
        self.count_frames(false, *first);
    }

    /// Pins a range, or takes it back if it is pinned.
    fn pin(&mut self, at: VirtAddr, bytes: usize) {
        let faults = Judge::<F>::range_faults(at.as_usize(), bytes);
        if let Some(fault) = faults.first() {
            let error = self.table.pin(at, bytes).expect_err("a fault");
            assert!(faults.contains(&error), "{error:x?}, not {fault:x?}");
            assert!(!self.table.unpin(at, bytes));
            return;
        }
        let page = F::page(at.as_usize()).expect("a valid address");
        let pin = (page, bytes / K4);
        let pins = &mut self.judge.pins;
        if let Some(index) = pins.iter().position(|other| *other == pin) {
            pins.swap_remove(index);
            assert!(self.table.unpin(at, bytes));
        } else if bytes > 0 {
            assert!(!self.table.unpin(at, bytes));
            self.table.pin(at, bytes).unwrap();
            pins.push(pin);
        }
    }

    fn unpin_all(&mut self) {
        for (page, pages) in take(&mut self.judge.pins) {
            assert!(self.table.unpin(va(F::address(page)), pages * K4));
        }
    }

    /// Whether table and model agree on what `operation` touched, and on a leaf either side.
    fn check_around(&self, operation: Operation) {
        let (at, bytes) = operation.touched();
        let last = F::space() / K4 - 1;
        let Some(page) = F::page(at) else {
            return;
        };
        let end = page.saturating_add(bytes.div_ceil(K4)).min(last);
        let (start, end) = (page.saturating_sub(1), end);
        let found = self
            .table
            .view()
            .iter(va(F::address(start))..=va(F::address(end) + (K4 - 1)));
        let mut expected = self.judge.model.runs_in(start, end + 1);
        for run in found {
            let (page, model) = expected.next().expect("a leaf that the model has not");
            let got = (run.va, run.pa, run.bytes, run.flags, run.size.bytes());
            let (pages, leaf) = (model.pages * K4, model.leaf * K4);
            let want = (
                va(F::address(page)),
                pa(model.frame * K4),
                pages,
                model.flags,
                leaf,
            );
            assert_eq!(got, want, "{operation:x?}");
        }
        assert_eq!(expected.next(), None, "{operation:x?}");
        for page in [start, page, end] {
            self.check_page(page);
        }
    }

    /// Whether `page` translates as the model says.
    fn check_page(&self, page: usize) {
        let at = va(F::address(page) + 0x123);
        let leaf = self.judge.model.leaf_at(page);
        let granted = leaf.filter(|(_, leaf)| leaf.flags.intersects(R | W | X));
        let found = self.table.query(at);
        let expected = granted.map(|(first, leaf)| {
            let frame = (leaf.frame + (page - first)) * K4 + 0x123;
            (pa(frame), leaf.flags, leaf.leaf * K4)
        });
        let found = found.map(|(pa, flags, size)| (pa, flags, size.bytes()));
        assert_eq!(found, expected.ok_or(PagingError::NotMapped { va: at }));
        assert_eq!(self.table.view().leaf(at).is_ok(), leaf.is_some());
    }

    fn check_same(found: &Leaf<F::PTE>, page: usize, leaf: Run) {
        let got = (found.va, found.paddr(), found.flags(), found.size.bytes());
        let (va, pa) = (va(F::address(page)), pa(leaf.frame * K4));
        assert_eq!(got, (va, pa, leaf.flags, leaf.leaf * K4));
    }

    /// Whether table and model agree on every page, and the tree is sound.
    fn check_all(&mut self) {
        let mut rest: Option<(usize, Run)> = None;
        let mut runs = self.judge.model.runs();
        let _ = self.table.view().leaves::<()>(|leaf| {
            let (page, run) = rest.take().or_else(|| runs.next()).expect("another leaf");
            Self::check_same(&leaf, page, run);
            if run.pages > run.leaf {
                let (pages, frame) = (run.pages - run.leaf, run.frame + run.leaf);
                rest = Some((
                    page + run.leaf,
                    Run {
                        pages,
                        frame,
                        ..run
                    },
                ));
            }
            ControlFlow::Continue(())
        });
        assert_eq!((rest, runs.next()), (None, None));
        let summary = self.table.view().check(0..0).unwrap();
        assert_eq!(summary.tables, self.judge.model.count_tables());
        self.tally.contiguous = self.tally.contiguous.max(summary.contiguous);
    }

    /// Unmaps everything: the root is left.
    fn unmap_all(mut self) {
        self.unpin_all();
        let (first, last) = (F::address(0), F::address(F::space() / K4 - 1));
        let half = F::space() / 2;
        let starts = [first, F::address(half / K4)];
        for start in starts {
            self.table.unmap_region(va(start), half).unwrap().flush();
        }
        assert_eq!(
            self.table.query(va(last)).err(),
            Some(PagingError::NotMapped { va: va(last) })
        );
        assert_eq!((self.table.view().count_tables(), live_frames()), (1, 1));
        drop(self);
        assert_eq!(live_frames(), 0);
    }
}

/// One random thing after another; what it was is checked at once.
fn step_anyhow<F: Format>(pair: &mut Pair<F>, operations: &mut Operations<F>) -> usize {
    let random = &mut operations.random;
    match random.below(64) {
        0 => {
            let count = 2 + operations.random.below(4);
            let mut operations: Vec<_> = (0..count).map(|_| operations.next()).collect();
            // Batches do not merge.
            operations.retain(|operation| !matches!(operation, Operation::Compact(..)));
            pair.batch(&operations);
            for operation in &operations {
                pair.check_around(*operation);
            }
            return operations.len();
        }
        1..4 if pair.judge.pins.len() < 3 => {
            let bytes = random.pick(&[0, K4, 3 * K4, M2, G1, 0x10]);
            let at = operations.address();
            pair.pin(va(at), bytes);
        }
        4..8 => pair.unpin_all(),
        _ => {}
    }
    let random = &mut operations.random;
    let budget = if random.one_in(3) {
        random.below(3)
    } else {
        usize::MAX
    };
    let receipt = match random.below(16) {
        0 => Receipt::Forget,
        1..4 => Receipt::Drop,
        _ => Receipt::Flush,
    };
    let operation = operations.next();
    pair.step(operation, budget, receipt);
    pair.check_around(operation);
    1
}

fn random_operations_do_what_the_model_does<F: Format>() {
    let wanted = env::var(OPERATIONS_VARIABLE).ok();
    let count = wanted.map_or(OPERATIONS, |count| count.parse().expect("a number"));
    let mut operations = Operations::<F>::new(0x5eed_0001);
    let mut pair = Pair::<F>::new();
    let (mut done, mut checked) = (0, 0);
    while done < count {
        done += step_anyhow(&mut pair, &mut operations);
        if done - checked >= 1000 {
            pair.check_all();
            checked = done;
        }
    }
    pair.check_all();
    let tally = take(&mut pair.tally);
    println!("{done} operations: {tally:?}");
    pair.unmap_all();
    let (tenth, rare) = (count / 10, count / 400);
    assert!(tally.done > 4 * tenth && tally.refused > tenth, "{tally:?}");
    let least = [
        tally.no_memory,
        tally.splits,
        tally.tables_freed,
        tally.pinned,
        tally.batches,
        5 * tally.merges,
        tally.leaked,
    ];
    assert!(least.into_iter().all(|times| times >= rare), "{tally:?}");
    assert!(F::PTE::CONTIGUOUS == 1 || tally.contiguous > 0, "{tally:?}");
}

/// Each operation first runs out of frames at its first allocation, then at its second, and so
/// on until it has enough.
fn running_out_of_frames_at_any_allocation_changes_nothing<F: Format>() {
    let mut operations = Operations::<F>::new(0x5eed_0003);
    let mut pair = Pair::<F>::new();
    for count in 0..10_000 {
        let operation = operations.next();
        let before = snapshot();
        for budget in 0.. {
            if pair.step(operation, budget, Receipt::Flush) {
                break;
            }
            assert!(snapshot() == before, "{operation:x?} with {budget} frames");
        }
        pair.check_around(operation);
        if count % 100 == 0 {
            pair.check_all();
        }
    }
    pair.check_all();
    assert!(pair.tally.no_memory > 1000, "{:?}", pair.tally);
    pair.unmap_all();
}

every_format! {
    random_operations_do_what_the_model_does,
    running_out_of_frames_at_any_allocation_changes_nothing,
}

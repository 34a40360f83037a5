//! [`Pair`]: a table and the model that says what must come of it.
#![forbid(unsafe_code)]

use core::mem::take;
use core::ops::ControlFlow;
use std::vec::Vec;

use super::execute::{Receipt, execute, execute_in_batch};
use crate::addr::VirtAddr;
use crate::tests::formats::{Format, Table};
use crate::tests::memory::{allocations, begin_operation, free_frames, live_frames};
use crate::tests::model::Run;
use crate::tests::model::judge::{Done, Faults, Judge};
use crate::tests::model::operation::Operation;
use crate::tests::{K4, R, W, X, pa, va};
use crate::{BatchUnmapped, GenericPTE, Leaf, PagingError};

/// How often what happened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: usize,
    pub(super) refused: usize,
    pub(super) pinned: usize,
    pub(super) no_memory: usize,
    pub(super) splits: usize,
    pub(super) merges: usize,
    pub(super) tables_freed: usize,
    pub(super) batches: usize,
    pub(super) leaked: usize,
    pub(super) contiguous: usize,
}

/// A table and its judge.
pub(in crate::tests) struct Pair<F: Format> {
    pub(in crate::tests) table: Table<F>,
    pub(in crate::tests) judge: Judge<F>,
    pub(super) tally: Tally,
    /// Tables that are unlinked and not yet given back: a receipt was leaked.
    unlinked: usize,
}

/// A leaf that was unmapped in a batch, and the frame that it must give.
type Pending<'batch> = (BatchUnmapped<'batch>, usize);

impl<F: Format> Pair<F> {
    pub(in crate::tests) fn new() -> Self {
        Self {
            table: F::table(),
            judge: Judge::new(),
            tally: Tally::default(),
            unlinked: 0,
        }
    }

    /// Carries `operation` out with `budget` frames to be had. Returns whether they were enough.
    pub(in crate::tests) fn step(
        &mut self,
        operation: Operation,
        budget: usize,
        receipt: Receipt,
    ) -> bool {
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
                self.count_frames(self.unlinked > 0, operation);
            }
        }
        enough
    }

    /// Whether as many frames are in use as there are tables; more if some are `pending`.
    fn count_frames(&mut self, pending: bool, operation: Operation) {
        let (live, tables) = (live_frames(), self.judge.model.count_tables());
        // What is not a table is unlinked: it was counted when that happened.
        let unlinked = live
            .checked_sub(tables)
            .expect("a table that nobody allocated");
        assert!(
            pending || unlinked == 0,
            "{operation:x?}: {unlinked} frames are lost"
        );
        self.tally.leaked += usize::from(pending);
        self.unlinked = unlinked;
    }

    /// Carries `operations` out in one batch, and redeems what they unmap.
    pub(super) fn batch(&mut self, operations: &[Operation]) {
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
                let judgement = judge.judge(operation, batch.view());
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
            let flushed = batch.finish();
            for (leaf, frame) in pending {
                assert_eq!(leaf.frame(&flushed), pa(frame));
            }
        });
        self.tally.batches += 1;
        self.count_frames(false, *first);
    }

    /// Pins a range, or takes it back if it is pinned.
    pub(super) fn pin(&mut self, at: VirtAddr, bytes: usize) {
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

    pub(super) fn unpin_all(&mut self) {
        for (page, pages) in take(&mut self.judge.pins) {
            assert!(self.table.unpin(va(F::address(page)), pages * K4));
        }
    }

    /// Whether table and model agree on what `operation` touched, and on a leaf either side.
    pub(super) fn check_around(&self, operation: Operation) {
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
        let expected = self.judge.model.runs_in(start, end + 1);
        let mut expected = expected.filter(|(_, run)| !run.is_swapped());
        for run in found {
            let (page, model) = expected.next().expect("a leaf that the model has not");
            let said = (run.flags, run.software);
            let got = (run.va, run.pa, run.bytes, said, run.size.bytes());
            let (pages, leaf) = (model.pages * K4, model.leaf * K4);
            let want = (
                va(F::address(page)),
                pa(model.frame * K4),
                pages,
                (model.flags, model.software),
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
        let swapped = leaf.filter(|(_, leaf)| leaf.is_swapped());
        let value = swapped.map(|(_, leaf)| leaf.frame as u32);
        assert_eq!(self.table.swap_entry(at).ok(), value);
        let leaf = leaf.filter(|(_, leaf)| !leaf.is_swapped());
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
        let said = found.entry.attributes();
        let got = (found.va, found.paddr(), said, found.size.bytes());
        let (va, pa) = (va(F::address(page)), pa(leaf.frame * K4));
        assert_eq!(got, (va, pa, leaf.attributes(), leaf.leaf * K4));
    }

    /// Whether table and model agree on every page, and the tree is sound.
    pub(super) fn check_all(&mut self) {
        let mut rest: Option<(usize, Run)> = None;
        let runs = self.judge.model.runs();
        let mut runs = runs.filter(|(_, run)| !run.is_swapped());
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
        let swapped = self.judge.model.runs().filter(|(_, run)| run.is_swapped());
        let swapped: usize = swapped.map(|(_, run)| run.pages).sum();
        assert_eq!(summary.swapped, swapped);
        self.tally.contiguous = self.tally.contiguous.max(summary.contiguous);
    }

    /// Unmaps everything: the root is left.
    pub(super) fn unmap_all(mut self) {
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

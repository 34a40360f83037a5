//! [`World`]: shared tables, all trees that hold them, and the models that say what is in which.
#![forbid(unsafe_code)]

use core::ops::{Deref, Range};
use std::vec::Vec;

use super::apply::{attempt, step};
use super::part::{Part, pages};
use super::{Reader, Tally, Top, Writer};
use crate::tests::formats::{Format, View};
use crate::tests::memory::{begin_operation, live_frames};
use crate::tests::model::judge::Judge;
use crate::tests::model::operation::{Operation, Operations, Random};
use crate::tests::{G1, K4, R, RW, W, X, pa, va};
use crate::{PagingError, RegionOptions, SharedView};

/// Readers at a time.
const READERS: usize = 3;

/// A tree and what is its own in it; in the writer's also what is shared.
type Judged<T, F> = (T, Judge<F>);

/// A tree to look at, whoever's.
pub(super) enum Seen<'tree, F: Format> {
    Reader(SharedView<'tree, View<F>>),
    Writer(&'tree View<F>),
}

impl<F: Format> Deref for Seen<'_, F> {
    type Target = View<F>;

    fn deref(&self) -> &View<F> {
        match self {
            Self::Reader(view) => view,
            Self::Writer(view) => view,
        }
    }
}

/// A [`SharedTop`], and all trees that hold its tables.
pub(super) struct World<'top, F: Format> {
    top: &'top Top<F>,
    part: Part,
    writer: Option<Writer<'top, F>>,
    /// Of the writer; while there is none, of what the last one left.
    kernel: Judge<F>,
    readers: Vec<Judged<Reader<'top, F>, F>>,
    tally: &'top mut Tally,
}

impl<'top, F: Format> World<'top, F> {
    pub(super) fn new(top: &'top Top<F>, part: Part, tally: &'top mut Tally) -> Self {
        Self {
            top,
            part,
            writer: None,
            kernel: Judge::new(),
            readers: Vec::new(),
            tally,
        }
    }

    /// Makes a tree, if there is a frame for its root.
    fn join(&mut self, random: &mut Random, writes: bool) {
        if writes && self.writer.is_some() {
            assert_eq!(self.top.writer().err(), Some(PagingError::Busy));
            self.tally.busy += 1;
            return;
        }
        let budget = if random.one_in(4) { 0 } else { usize::MAX };
        begin_operation(budget);
        let made = if !writes {
            Reader::<F>::copy_from(self.top.reader())
                .map(|tree| self.readers.push((tree, Judge::new())))
        } else {
            Writer::<F>::copy_from(self.top.writer().expect("no other writer"))
                .map(|tree| self.writer = Some(tree))
        };
        let expected = if budget == 0 {
            Err(PagingError::NoMemory)
        } else {
            Ok(())
        };
        assert_eq!(made, expected);
        begin_operation(usize::MAX);
        self.tally.trees += usize::from(made.is_ok());
        self.tally.no_root += usize::from(made.is_err());
    }

    /// Drops the writer, if there is one: what it mapped in the shared tables stays.
    fn drop_writer(&mut self) {
        self.writer = None;
        self.kernel = self.part.judge(&self.kernel);
    }

    /// Drops some tree.
    pub(super) fn leave(&mut self, random: &mut Random) {
        let index = random.below(self.readers.len() + 1);
        if index < self.readers.len() {
            self.readers.swap_remove(index);
        } else {
            self.drop_writer();
        }
    }

    /// One random thing.
    pub(super) fn step(&mut self, operations: &mut Operations<F>) {
        let random = &mut operations.random;
        match random.below(64) {
            0..2 if self.readers.len() < READERS => self.join(random, false),
            2..6 => self.join(random, true),
            6..8 => self.leave(random),
            8 => self.fill(),
            _ => {
                let budget = if random.one_in(3) {
                    random.below(3)
                } else {
                    usize::MAX
                };
                // As often the writer, if there is one, as any reader.
                let readers = self.readers.len().max(1);
                let writers = if self.writer.is_some() { readers } else { 0 };
                let tree = random.below(readers + writers);
                let operation = operations.next();
                self.operate(tree, operation, budget);
                self.check_around(operation);
            }
        }
        self.count_frames();
    }

    /// Has the writer map what could become one leaf in the place of a shared table, and merge it.
    fn fill(&mut self) {
        let at = F::address(self.part.pages.start);
        let operations = [
            Operation::UnmapRegion(at, G1),
            Operation::MapRegion(at, G1, G1, RW, RegionOptions::HUGE),
            Operation::Compact(at, G1),
        ];
        for operation in operations {
            self.operate(READERS, operation, usize::MAX);
            self.check_around(operation);
        }
    }

    /// Has a tree carry `operation` out: a reader, if there is one of the number `tree`, or the
    /// writer, if there is one.
    fn operate(&mut self, tree: usize, operation: Operation, budget: usize) {
        let Self { part, tally, .. } = self;
        if let Some((reader, own)) = self.readers.get_mut(tree) {
            let shared = pages::<F>(operation).map(|pages| part.of(&pages));
            if let Some(shared) = shared.filter(|shared| !shared.is_empty()) {
                let at = match operation {
                    Operation::Unmap(at)
                    | Operation::Update(at, ..)
                    | Operation::SetSoftware(at, _)
                    | Operation::SetSwap(at, _)
                    | Operation::SwapOut(at, _)
                    | Operation::SwapIn(at, ..) => at,
                    _ => F::address(shared.start),
                };
                attempt::<F>(reader, va(at), operation, tally);
            } else {
                step((reader, own), part, (operation, budget), tally);
            }
        } else if let Some(writer) = &mut self.writer {
            step((writer, &mut self.kernel), part, (operation, budget), tally);
        }
    }

    /// Every tree, and what is its own.
    pub(super) fn trees(&self) -> impl Iterator<Item = (Seen<'_, F>, &Judge<F>)> {
        let readers = self.readers.iter();
        let readers = readers.map(|(tree, own)| (Seen::Reader(tree.view()), own));
        let writer = self.writer.as_ref();
        let writer = writer.map(|tree| (Seen::Writer(tree.view()), &self.kernel));
        readers.chain(writer)
    }

    /// Whether as many frames are in use as there are tables.
    pub(super) fn count_frames(&self) {
        let empty = self.part.count_empty(&self.kernel, &self.part.pages);
        // The root of the shared tables, all tables below, the writer's root and what is its own.
        let kernel = self.kernel.model.count_tables() + empty;
        let writer = usize::from(self.writer.is_some());
        let own = self.readers.iter().map(|(_, own)| own.model.count_tables());
        assert_eq!(live_frames(), kernel + writer + own.sum::<usize>());
    }

    /// Whether every tree and its model agree on what `operation` touched, and on a page either
    /// side: in its own part, and in what is shared.
    fn check_around(&self, operation: Operation) {
        let (at, bytes) = operation.touched();
        let Some(page) = F::page(at) else {
            return;
        };
        let last = F::space() / K4;
        let end = page.saturating_add(bytes.div_ceil(K4) + 1).min(last);
        for (view, own) in self.trees() {
            self.check_pages(&view, own, page.saturating_sub(1)..end);
            for page in [page, end - 1] {
                self.check_page(&view, own, page);
            }
        }
    }

    /// Whether `view` has what the models say in `pages`.
    fn check_pages(&self, view: &View<F>, own: &Judge<F>, pages: Range<usize>) {
        let judges = [own, &self.kernel, own];
        for (judge, part) in judges.into_iter().zip(self.part.split(&pages)) {
            if part.is_empty() {
                continue;
            }
            let (first, last) = (F::address(part.start), F::address(part.end - 1));
            let mut found = view.iter(va(first)..=va(last + (K4 - 1)));
            let runs = judge.model.runs_in(part.start, part.end);
            for (page, model) in runs.filter(|(_, run)| !run.is_swapped()) {
                let run = found.next().expect("what was mapped");
                let got = (run.va, run.pa, run.bytes, run.flags, run.size.bytes());
                let (at, frame) = (va(F::address(page)), pa(model.frame * K4));
                let want = (at, frame, model.pages * K4, model.flags, model.leaf * K4);
                assert_eq!(got, want);
            }
            assert_eq!(found.next(), None);
        }
    }

    /// Whether `view` translates `page` as its model says.
    fn check_page(&self, view: &View<F>, own: &Judge<F>, page: usize) {
        let judge = if self.part.pages.contains(&page) {
            &self.kernel
        } else {
            own
        };
        let at = va(F::address(page) + 0x123);
        let leaf = judge.model.leaf_at(page);
        let leaf = leaf.filter(|(_, leaf)| !leaf.is_swapped());
        let granted = leaf.filter(|(_, leaf)| leaf.flags.intersects(R | W | X));
        let expected = granted.map(|(first, leaf)| {
            let frame = (leaf.frame + (page - first)) * K4 + 0x123;
            (pa(frame), leaf.flags, leaf.leaf * K4)
        });
        let found = view
            .query(at)
            .map(|(pa, flags, size)| (pa, flags, size.bytes()));
        assert_eq!(found, expected.ok_or(PagingError::NotMapped { va: at }));
    }

    /// Whether all trees are sound, hold the same shared tables, and are what the models say.
    pub(super) fn check_all(&self) {
        let empty = self.part.count_empty(&self.kernel, &self.part.pages);
        let shared = self.part.judge(&self.kernel).model.count_tables() - 1 + empty;
        for (tree, own) in &self.readers {
            let tables = tree.check().unwrap().tables;
            assert_eq!(tables, own.model.count_tables() + shared);
        }
        if let Some(tree) = &self.writer {
            let tables = tree.check().unwrap().tables;
            assert_eq!(tables, self.kernel.model.count_tables() + empty);
        }
        for (view, own) in self.trees() {
            self.check_pages(&view, own, 0..F::space() / K4);
        }
    }
}

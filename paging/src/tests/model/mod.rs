//! The model: which page is mapped to which frame, how, and in leaves of which size. Counts in
//! pages, knows no descriptor, no level and no address.
//!
//! Leaves that continue each other are kept as one run, the longest there is. The tables that a
//! tree needs follow from its leaves.

mod exhaustive;
mod judge;
pub(super) mod operation;
pub(super) mod random;
mod share_random;
mod tiny_geometry;

use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use crate::{Attributes, MappingFlags, SoftwareBits};

/// Pages of a leaf of each size, the largest first.
pub(super) const SIZES: [usize; 3] = [1 << 18, 1 << 9, 1];

/// Neighbouring leaves of `leaf` pages each: `pages` in all are mapped to the frames from `frame`
/// on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Run {
    pub(super) pages: usize,
    pub(super) leaf: usize,
    pub(super) frame: usize,
    pub(super) flags: MappingFlags,
    pub(super) software: SoftwareBits,
}

/// The flags of a page that has a swap entry: those of no leaf. Its frame is the value.
pub(super) const SWAPPED: MappingFlags = MappingFlags::from_bits_retain(1 << 15);

impl Run {
    /// A page on `frame`.
    pub(super) const fn page(frame: usize, flags: MappingFlags) -> Self {
        Self {
            pages: 1,
            leaf: 1,
            frame,
            flags,
            software: SoftwareBits::empty(),
        }
    }

    /// The page of a swap entry with `value`.
    pub(super) const fn swapped(value: u32) -> Self {
        Self::page(value as usize, SWAPPED)
    }

    /// Whether it has swap entries in the place of leaves.
    pub(super) fn is_swapped(self) -> bool {
        self.flags == SWAPPED
    }

    /// What its leaves say besides their frames and their size.
    pub(super) fn attributes(self) -> Attributes {
        Attributes {
            flags: self.flags,
            software: self.software,
        }
    }

    /// The run with other attributes.
    pub(super) fn with(self, new: Attributes) -> Self {
        Self {
            flags: new.flags,
            software: new.software,
            ..self
        }
    }

    /// The part of this run, which begins at `page`, from `start` to `end`.
    fn part(self, page: usize, start: usize, end: usize) -> Self {
        Self {
            pages: end - start,
            frame: self.frame + (start - page),
            ..self
        }
    }

    fn is_continued_by(self, next: Self) -> bool {
        let same = (self.leaf, self.attributes(), self.frame + self.pages);
        same == (next.leaf, next.attributes(), next.frame)
    }
}

/// The attributes that a leaf gets, by those that it has; none if it is unmapped.
pub(super) type NewAttributes<'a> = dyn Fn(Attributes) -> Option<Attributes> + 'a;

pub(super) struct Model {
    runs: BTreeMap<usize, Run>,
    /// The tables of the tree, the root included.
    tables: usize,
    /// How many levels of tables are below the root.
    depth: u32,
    /// The page at which addresses jump, so that no run goes across.
    hole: usize,
}

/// Shows `show` the runs that leaves of at most `SIZES[size]` pages make of `pages` from `page`
/// on, mapped to the frames from `frame` on.
fn pieces(
    range: (usize, usize),
    frame: usize,
    size: usize,
    show: &mut dyn FnMut(usize, usize, usize),
) {
    let (start, end) = range;
    if start == end {
        return;
    }
    let unit = SIZES[size];
    let (first, last) = (start.next_multiple_of(unit), end / unit * unit);
    let at = |page: usize| frame + (page - start);
    if first >= last || !at(first).is_multiple_of(unit) {
        return pieces(range, frame, size + 1, show);
    }
    pieces((start, first), frame, size + 1, show);
    show(first, last - first, size);
    pieces((last, end), at(last), size + 1, show);
}

impl Model {
    pub(super) const fn new(levels: usize, hole: usize) -> Self {
        Self {
            runs: BTreeMap::new(),
            tables: 1,
            depth: levels as u32 - 1,
            hole,
        }
    }

    /// All runs in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = (usize, Run)> {
        self.runs.iter().map(|(page, run)| (*page, *run))
    }

    /// The parts of the runs that lie in `start..end`.
    pub(super) fn runs_in(&self, start: usize, end: usize) -> impl Iterator<Item = (usize, Run)> {
        let first = self.run_at(start).map_or(start, |(page, _)| page);
        let behind = if start < end { end } else { first };
        self.runs.range(first..behind).map(move |(page, run)| {
            let (from, to) = (start.max(*page), end.min(page + run.pages));
            (from, run.part(*page, from, to))
        })
    }

    /// Tables of the tree, the root included.
    pub(super) const fn count_tables(&self) -> usize {
        self.tables
    }

    /// The run that covers `page`, and where it starts.
    fn run_at(&self, page: usize) -> Option<(usize, Run)> {
        let (start, run) = self.runs.range(..=page).next_back()?;
        (page < start + run.pages).then_some((*start, *run))
    }

    /// The leaf that covers `page`, and where it starts.
    pub(super) fn leaf_at(&self, page: usize) -> Option<(usize, Run)> {
        let (start, run) = self.run_at(page)?;
        let first = start + (page - start) / run.leaf * run.leaf;
        Some((first, run.part(start, first, first + run.leaf)))
    }

    /// The first page of `start..end` that is mapped.
    pub(super) fn first_mapped(&self, start: usize, end: usize) -> Option<usize> {
        if self.run_at(start).is_some() {
            return Some(start);
        }
        let next = self.runs.range(start..).next()?;
        Some(*next.0).filter(|page| *page < end)
    }

    /// Whether there is a table, `height` levels above the last, for `page`: whether a leaf
    /// smaller than what it translates lies there.
    fn has_table(&self, height: u32, page: usize) -> bool {
        let pages = 512 << (9 * height);
        let start = page / pages * pages;
        let first = self.first_mapped(start, start + pages);
        let leaf = first.and_then(|page| self.leaf_at(page));
        leaf.is_some_and(|(_, leaf)| leaf.leaf < pages)
    }

    /// Shows `show` each table that the leaves of `SIZES[size]` in `pages` from `page` on need,
    /// by height and first page; of `seen`, the last pages by height, none again.
    fn tables_above(
        &self,
        (page, pages, size): (usize, usize, usize),
        seen: &mut [usize; 4],
        mut show: impl FnMut(u32, usize),
    ) {
        for height in 2 - size as u32..self.depth {
            let shift = 9 * (height + 1);
            let last = (page + pages - 1) >> shift;
            let next = seen[height as usize];
            for place in next.max(page >> shift)..=last {
                show(height, place << shift);
            }
            seen[height as usize] = last + 1;
        }
    }

    /// How many tables it takes to map `pages` from `page` on, where nothing is mapped.
    pub(super) fn cost_of_map(&self, page: usize, run: Run) -> usize {
        let (mut tables, mut seen) = (0, [0; 4]);
        let size = SIZES.iter().position(|size| *size == run.leaf).unwrap_or(2);
        pieces(
            (page, page + run.pages),
            run.frame,
            size,
            &mut |page, pages, size| {
                self.tables_above((page, pages, size), &mut seen, |height, page| {
                    tables += usize::from(!self.has_table(height, page));
                });
            },
        );
        tables
    }

    /// Maps `run` at `page`, in leaves of at most `run.leaf` pages.
    pub(super) fn map(&mut self, page: usize, run: Run) {
        self.tables += self.cost_of_map(page, run);
        let size = SIZES.iter().position(|size| *size == run.leaf).unwrap_or(2);
        pieces(
            (page, page + run.pages),
            run.frame,
            size,
            &mut |first, pages, size| {
                let leaf = SIZES[size];
                let frame = run.frame + (first - page);
                self.put(
                    first,
                    Run {
                        pages,
                        leaf,
                        frame,
                        ..run
                    },
                );
            },
        );
    }

    /// The leaves that must be split before each leaf in `start..end` can get the attributes that
    /// `new` makes of its own, or be unmapped where it makes none.
    fn splits(
        &self,
        start: usize,
        end: usize,
        new: &NewAttributes<'_>,
    ) -> BTreeSet<(usize, usize)> {
        let mut splits = BTreeSet::new();
        let inner = [start, end].into_iter().filter(|_| start < end);
        for cut in inner {
            let Some((_, leaf)) = self
                .leaf_at(cut)
                .filter(|(_, leaf)| new(leaf.attributes()) != Some(leaf.attributes()))
            else {
                continue;
            };
            let sizes = SIZES.iter().filter(|size| **size <= leaf.leaf);
            let across = sizes.take_while(|size| !cut.is_multiple_of(**size));
            splits.extend(across.map(|size| (cut / size * size, *size)));
        }
        splits
    }

    /// How many tables it takes to give what is mapped in `start..end` the attributes that `new` makes,
    /// or to unmap it.
    pub(super) fn cost_of_change(
        &self,
        start: usize,
        end: usize,
        new: &NewAttributes<'_>,
    ) -> usize {
        self.splits(start, end, new).len()
    }

    /// Gives what is mapped in `start..end` the attributes that `new` makes of its own, or
    /// unmaps it where it makes none. Returns how many pages were mapped.
    pub(super) fn change(&mut self, start: usize, end: usize, new: &NewAttributes<'_>) -> usize {
        let mut splits: Vec<_> = self.splits(start, end, new).into_iter().collect();
        splits.sort_by_key(|(_, size)| core::cmp::Reverse(*size));
        for (page, size) in splits {
            self.split(page, size);
        }
        let parts: Vec<_> = self.runs_in(start, end).collect();
        let altered = |run: &Run| new(run.attributes()) != Some(run.attributes());
        for (page, run) in parts.iter().filter(|(_, run)| altered(run)) {
            self.take(*page, page + run.pages);
            if let Some(new) = new(run.attributes()) {
                self.put(*page, run.with(new));
            }
        }
        self.drop_tables(&parts);
        parts.iter().map(|(_, run)| run.pages).sum()
    }

    /// Takes the tables out of account that only the removed `parts` needed.
    fn drop_tables(&mut self, parts: &[(usize, Run)]) {
        let (mut gone, mut seen) = (0, [0; 4]);
        for (page, run) in parts {
            let size = SIZES.iter().position(|size| *size == run.leaf).unwrap_or(2);
            self.tables_above((*page, run.pages, size), &mut seen, |height, page| {
                gone += usize::from(!self.has_table(height, page));
            });
        }
        self.tables -= gone;
    }

    /// Gives the leaf that covers `page` another frame and other flags.
    pub(super) fn replace(&mut self, page: usize, new: Run) {
        self.take(page, page + new.pages);
        self.put(page, new);
    }

    /// Makes a leaf of `size` pages 512 smaller ones.
    fn split(&mut self, page: usize, size: usize) {
        let leaf = self.take(page, page + size);
        self.tables += 1;
        let smaller = Run {
            leaf: size / 512,
            ..leaf
        };
        self.put(page, smaller);
    }

    /// Merges leaves into larger ones wherever `start..end` has whole ones. Returns how many pages
    /// have a larger leaf than before.
    pub(super) fn compact(&mut self, start: usize, end: usize) -> usize {
        let mut merged: Vec<Range<usize>> = Vec::new();
        for (small, large) in [(1, SIZES[1]), (SIZES[1], SIZES[0])] {
            let runs: Vec<_> = self.runs_in(start, end).collect();
            for (page, run) in runs {
                let first = page.next_multiple_of(large);
                let last = (page + run.pages) / large * large;
                let frame = run.frame.wrapping_sub(page);
                if run.leaf == small
                    && !run.is_swapped()
                    && first < last
                    && frame.is_multiple_of(large)
                {
                    let part = self.take(first, last);
                    self.put(
                        first,
                        Run {
                            leaf: large,
                            ..part
                        },
                    );
                    self.tables -= (last - first) / large;
                    // Of pages that were merged twice, the second time stands for both.
                    merged.retain(|before| before.end <= first || last <= before.start);
                    merged.push(first..last);
                }
            }
        }
        merged.iter().map(Range::len).sum()
    }

    /// Takes `start..end` out of the run that covers it.
    fn take(&mut self, start: usize, end: usize) -> Run {
        let (page, run) = self.run_at(start).expect("a run to take from");
        self.runs.remove(&page);
        let behind = page + run.pages;
        if page < start {
            self.runs.insert(page, run.part(page, page, start));
        }
        if end < behind {
            self.runs.insert(end, run.part(page, end, behind));
        }
        run.part(page, start, end)
    }

    /// Puts `run` at `page`, where nothing is.
    fn put(&mut self, mut page: usize, mut run: Run) {
        let end = page + run.pages;
        if end != self.hole
            && let Some(next) = self.runs.get(&end).copied()
            && run.is_continued_by(next)
        {
            self.runs.remove(&end);
            run.pages += next.pages;
        }
        if page != self.hole
            && let Some((start, before)) = self.runs.range(..page).next_back()
            && start + before.pages == page
            && before.is_continued_by(run)
        {
            (page, run) = (
                *start,
                Run {
                    pages: before.pages + run.pages,
                    ..*before
                },
            );
        }
        self.runs.insert(page, run);
    }
}

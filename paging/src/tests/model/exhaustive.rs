//! Small scope, exhaustively: trees of 3 levels with 2 or 4 entries, every operation over every
//! range from every state, also when there are too few frames.
//!
//! The model is an array of pages. A state is what it says of every page, and which leaves have the
//! contiguous hint.

use core::ops::Range;
use std::collections::HashSet;
use std::println;
use std::vec::Vec;

use super::tiny_geometry::{LEVELS, Saved, Spread, TinyFrames, TinyMetaData, live, set_budget};
use crate::tests::formats::{A64High, Format, LA64, Sv39, X64};
use crate::tests::{K4, NONE, RO, RW, pa, va};
use crate::{
    GenericPTE, MappingFlags, PageSize, PageTable64, PagingError, PagingResult, RegionOptions,
};

/// Flags that mappings have here.
const FLAGS: [MappingFlags; 3] = [RW, NONE, RO];

/// What is mapped at a page: as a part of a leaf `size` levels above the last.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Page {
    size: u8,
    flags: u8,
    /// Which of the frames that fit; they follow each other.
    frames: u8,
}

/// An operation; ranges are of pages.
#[derive(Clone, Debug)]
enum Operation {
    Map(usize, Page),
    Unmap(usize),
    Protect(usize, u8),
    Remap(usize, u8),
    MapRegion(Range<usize>, Page, RegionOptions),
    UnmapRegion(Range<usize>),
    UnmapRegionWith(Range<usize>),
    ProtectRegion(Range<usize>, u8),
    /// Each leaf gets the set behind its own, of so many.
    ProtectRegionWith(Range<usize>, u8),
    Compact(Range<usize>),
}

/// What a table of a geometry with `BITS` of index maps.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Model<const BITS: usize> {
    pages: Vec<Option<Page>>,
}

/// The pages of the leaf of size `size` that holds `page`.
const fn leaf<const BITS: usize>(page: usize, size: u8) -> Range<usize> {
    let pages = 1 << (BITS * size as usize);
    let start = page / pages * pages;
    start..start + pages
}

fn lies_in(inner: &Range<usize>, outer: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn meets(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

impl<const BITS: usize> Model<BITS> {
    const PAGES: usize = 1 << (BITS * LEVELS);

    fn new() -> Self {
        Self {
            pages: (0..Self::PAGES).map(|_| None).collect(),
        }
    }

    /// The tables, the root included: those in which some smaller leaf lies.
    fn count_tables(&self) -> usize {
        let below = (1..LEVELS as u8).flat_map(|size| {
            (0..Self::PAGES)
                .step_by(1 << (BITS * size as usize))
                .map(move |page| (size, leaf::<BITS>(page, size)))
        });
        let used = below.filter(|(size, range)| {
            let mut pages = self.pages[range.clone()].iter().flatten();
            pages.any(|page| page.size < *size)
        });
        1 + used.count()
    }

    /// Carries `operation` out. Returns how many pages it concerns, or `None` if it is refused.
    fn apply(&mut self, operation: &Operation) -> Option<usize> {
        match operation {
            Operation::Map(at, page) => {
                let range = leaf::<BITS>(*at, page.size);
                self.map(&range, *page, page.size)
            }
            Operation::Unmap(at) => {
                let page = self.pages[*at]?;
                Some(self.change(&leaf::<BITS>(*at, page.size), |_| None))
            }
            Operation::Protect(at, flags) => {
                let page = self.pages[*at]?;
                Some(self.change(&leaf::<BITS>(*at, page.size), |_| Some(*flags)))
            }
            Operation::Remap(at, frames) => {
                let size = self.pages[*at]?.size;
                for page in self.pages[leaf::<BITS>(*at, size)].iter_mut().flatten() {
                    page.frames = *frames;
                }
                Some(leaf::<BITS>(*at, size).len())
            }
            Operation::MapRegion(range, page, options) => {
                let huge = options.contains(RegionOptions::HUGE);
                self.map(range, *page, if huge { 2 } else { 0 })
            }
            Operation::UnmapRegion(range) | Operation::UnmapRegionWith(range) => {
                Some(self.change(range, |_| None))
            }
            Operation::ProtectRegion(range, flags) => Some(self.change(range, |_| Some(*flags))),
            Operation::ProtectRegionWith(range, sets) => {
                Some(self.change(range, |flags| Some((flags + 1) % sets)))
            }
            Operation::Compact(range) => Some(self.compact(range)),
        }
    }

    fn map(&mut self, range: &Range<usize>, page: Page, largest: u8) -> Option<usize> {
        if self.pages[range.clone()].iter().any(Option::is_some) {
            return None;
        }
        for at in range.clone() {
            let fits = |size: &u8| lies_in(&leaf::<BITS>(at, *size), range);
            let size = (0..=largest).rev().find(fits)?;
            self.pages[at] = Some(Page { size, ..page });
        }
        Some(range.len())
    }

    /// Gives each leaf in `range` the flags that `new` makes of its own, or unmaps it.
    fn change(&mut self, range: &Range<usize>, new: impl Fn(u8) -> Option<u8>) -> usize {
        if range.is_empty() {
            return 0;
        }
        let before = self.pages.clone();
        let mut concerned = 0;
        for (at, page) in before.iter().enumerate() {
            let Some(page) = *page else {
                continue;
            };
            let inside = range.contains(&at);
            let flags = new(page.flags);
            concerned += usize::from(inside);
            if flags == Some(page.flags) {
                continue;
            }
            // A leaf across an end is taken apart as far as it must be.
            let across = |size: u8| {
                let leaf = leaf::<BITS>(at, size);
                meets(&leaf, range) && !lies_in(&leaf, range)
            };
            let size = (0..=page.size)
                .rev()
                .find(|size| !across(*size))
                .unwrap_or(0);
            self.pages[at] = match (inside, flags) {
                (true, None) => None,
                (true, Some(flags)) => Some(Page {
                    size,
                    flags,
                    ..page
                }),
                (false, _) => Some(Page { size, ..page }),
            };
        }
        concerned
    }

    fn compact(&mut self, range: &Range<usize>) -> usize {
        let before = self.pages.clone();
        for size in 1..LEVELS as u8 {
            for at in (0..Self::PAGES).step_by(1 << (BITS * size as usize)) {
                let block = leaf::<BITS>(at, size);
                let Some(first) = self.pages[at] else {
                    continue;
                };
                let equal = self.pages[block.clone()]
                    .iter()
                    .all(|page| *page == Some(first));
                if lies_in(&block, range) && equal && first.size + 1 == size {
                    self.pages[block].fill(Some(Page { size, ..first }));
                }
            }
        }
        let merged = before.iter().zip(&self.pages);
        merged.filter(|(before, after)| before != after).count()
    }
}

/// A format in a tiny geometry.
type Tiny<F, const BITS: usize, const GROUP: usize> =
    PageTable64<TinyMetaData<F, BITS>, Spread<<F as Format>::PTE, BITS, GROUP>, TinyFrames>;

/// A table, its model, and what was seen.
struct Explorer<F: Format, const BITS: usize, const GROUP: usize> {
    table: Tiny<F, BITS, GROUP>,
    operations: Vec<Operation>,
    seen: HashSet<Vec<u8>>,
    transitions: usize,
    no_memory: usize,
}

/// A state: the memory, and the model.
struct State<const BITS: usize> {
    memory: Saved,
    model: Model<BITS>,
}

impl<F: Format, const BITS: usize, const GROUP: usize> Explorer<F, BITS, GROUP> {
    const WORDS: usize = 1 << BITS;

    fn new(operations: Vec<Operation>) -> Self {
        Self {
            table: Tiny::<F, BITS, GROUP>::try_new().unwrap(),
            operations,
            seen: HashSet::new(),
            transitions: 0,
            no_memory: 0,
        }
    }

    /// The frame of `page` among those that `frames` names.
    fn frame(page: usize, frames: u8) -> usize {
        (page + usize::from(frames) * Model::<BITS>::PAGES) * K4
    }

    /// Carries `operation` out on the table. Returns how many pages it concerned, where it says.
    fn execute(&mut self, operation: &Operation) -> PagingResult<Option<usize>> {
        let table = &mut self.table;
        let flags_of = |flags: u8| FLAGS[usize::from(flags)];
        let bytes = |range: &Range<usize>| range.len() * K4;
        let receipt = match operation {
            Operation::Map(at, page) => {
                let size = PageSize::ALL[usize::from(page.size)];
                let frame = Self::frame(*at, page.frames);
                table
                    .map(va(at * K4), pa(frame), size, flags_of(page.flags))?
                    .flush();
                return Ok(None);
            }
            Operation::Unmap(at) => {
                let _ = table.unmap(va(at * K4))?.flush();
                return Ok(None);
            }
            Operation::Protect(at, flags) => {
                table.protect(va(at * K4), flags_of(*flags))?.1.flush();
                return Ok(None);
            }
            Operation::Remap(at, frames) => {
                let frame = Self::frame(*at, *frames);
                table.update(va(at * K4), Some(pa(frame)), None)?.1.flush();
                return Ok(None);
            }
            Operation::MapRegion(range, page, options) => {
                let frame = pa(Self::frame(range.start, page.frames));
                let (start, flags) = (va(range.start * K4), flags_of(page.flags));
                table.map_region(start, frame, bytes(range), flags, *options)?
            }
            Operation::UnmapRegion(range) => {
                table.unmap_region(va(range.start * K4), bytes(range))?
            }
            Operation::UnmapRegionWith(range) => {
                let start = va(range.start * K4);
                let mut next = start;
                let pages = table.unmap_region_with(start, bytes(range), |frame| {
                    assert!(next <= frame.va && frame.pa.as_usize() % K4 == 0);
                    let below = BITS * frame.size.levels_below();
                    next = va(frame.va.as_usize() + (K4 << below));
                    let page = frame.va.as_usize() / K4;
                    let sets = [Self::frame(page, 0), Self::frame(page, 1)];
                    assert!(sets.contains(&frame.pa.as_usize()));
                })?;
                return Ok(Some(pages));
            }
            Operation::ProtectRegion(range, flags) => {
                let start = va(range.start * K4);
                table.protect_region(start, bytes(range), flags_of(*flags))?
            }
            Operation::ProtectRegionWith(range, sets) => {
                let start = va(range.start * K4);
                let next = |flags| {
                    let set = FLAGS.iter().position(|set| *set == flags).unwrap();
                    FLAGS[(set + 1) % usize::from(*sets)]
                };
                table.protect_region_with(start, bytes(range), next)?
            }
            Operation::Compact(range) => table.compact(va(range.start * K4), bytes(range))?,
        };
        Ok(Some(receipt.pages()))
    }

    /// The state as bytes: what the model says, and the hints of the leaves.
    fn key(&self, model: &Model<BITS>) -> Vec<u8> {
        let byte = |(at, page): (usize, &Option<Page>)| match page {
            None => 0,
            Some(page) => {
                let hint = GROUP > 1 && {
                    let leaf = self.table.view().leaf(va(at * K4));
                    leaf.is_ok_and(|leaf| leaf.entry.is_contiguous())
                };
                1 + page.size + 3 * (page.flags + 3 * (page.frames + 2 * u8::from(hint)))
            }
        };
        model.pages.iter().enumerate().map(byte).collect()
    }

    /// Whether table and model agree on every page and on the number of tables.
    fn check(&self, model: &Model<BITS>, operation: &Operation) {
        let mut at = 0;
        while at < Model::<BITS>::PAGES {
            let found = self.table.view().leaf(va(at * K4)).ok();
            let found = found.map(|leaf| {
                let frame = leaf.paddr().as_usize();
                (leaf.va, frame, leaf.size.levels_below(), leaf.flags())
            });
            let expected = model.pages[at].map(|page| {
                let (frame, size) = (Self::frame(at, page.frames), usize::from(page.size));
                (va(at * K4), frame, size, FLAGS[usize::from(page.flags)])
            });
            assert_eq!(found, expected, "{operation:?}");
            at += model.pages[at].map_or(1, |page| leaf::<BITS>(at, page.size).len());
        }
        assert_eq!(live(), model.count_tables(), "{operation:?}");
    }

    /// Carries `operation` out from `state`: first without frames, then with one, and so on. Shows
    /// `found` what comes of it if that was never seen.
    fn step(
        &mut self,
        state: &State<BITS>,
        operation: &Operation,
        found: &mut dyn FnMut(State<BITS>),
    ) {
        let mut model = state.model.clone();
        let expected = model.apply(operation);
        for budget in 0.. {
            set_budget(budget);
            self.transitions += 1;
            let result = self.execute(operation);
            if result == Err(PagingError::NoMemory) {
                assert!(
                    state.memory.holds(Self::WORDS),
                    "{operation:?} with {budget}"
                );
                self.no_memory += 1;
                continue;
            }
            match (result, expected) {
                (Ok(pages), Some(expected)) => {
                    assert!(pages.is_none_or(|pages| pages == expected), "{operation:?}");
                }
                (Err(_), None) => {
                    assert!(state.memory.holds(Self::WORDS), "{operation:?}");
                    return;
                }
                (result, expected) => panic!("{operation:?}: {result:?}, not {expected:?}"),
            }
            break;
        }
        self.check(&model, operation);
        if model != state.model || GROUP > 1 {
            let key = self.key(&model);
            if self.seen.insert(key) {
                self.table.view().check(0..0).unwrap();
                let memory = Saved::now(Self::WORDS);
                found(State { memory, model });
            }
        }
        state.memory.restore(Self::WORDS);
    }

    /// Explores `depth` operations deep, or until nothing new appears.
    fn explore(mut self, depth: usize) {
        let mut front = Vec::from([State {
            memory: Saved::now(Self::WORDS),
            model: Model::new(),
        }]);
        self.seen.insert(self.key(&front[0].model));
        let operations = core::mem::take(&mut self.operations);
        let mut steps = 0;
        while !front.is_empty() && steps < depth {
            steps += 1;
            let mut next = Vec::new();
            for state in &front {
                state.memory.restore(Self::WORDS);
                for operation in &operations {
                    // What the last operation leads to is checked and forgotten.
                    self.step(state, operation, &mut |state| {
                        if steps < depth {
                            next.push(state);
                        }
                    });
                }
            }
            front = next;
        }
        println!(
            "{} states, {} transitions ({} without enough frames), {steps} operations deep",
            self.seen.len(),
            self.transitions,
            self.no_memory
        );
        set_budget(usize::MAX);
    }
}

/// Every operation on `window` with the first `flags` sets and `frames` choices.
fn operations<const BITS: usize>(
    window: Range<usize>,
    flags: u8,
    frames: u8,
    options: &[RegionOptions],
) -> Vec<Operation> {
    let mut all = Vec::new();
    let pages = (0..flags).flat_map(|flags| {
        (0..frames).map(move |frames| Page {
            size: 0,
            flags,
            frames,
        })
    });
    let pages: Vec<_> = pages.collect();
    for start in window.clone() {
        all.push(Operation::Unmap(start));
        all.extend((0..flags).map(|flags| Operation::Protect(start, flags)));
        all.extend((0..frames).map(|frames| Operation::Remap(start, frames)));
        for size in 0..LEVELS as u8 {
            if leaf::<BITS>(start, size).start == start {
                let map = |page: &Page| Operation::Map(start, Page { size, ..*page });
                all.extend(pages.iter().map(map));
            }
        }
        for end in start..=window.end {
            all.push(Operation::UnmapRegion(start..end));
            all.push(Operation::UnmapRegionWith(start..end));
            all.push(Operation::Compact(start..end));
            all.extend((0..flags).map(|flags| Operation::ProtectRegion(start..end, flags)));
            all.push(Operation::ProtectRegionWith(start..end, flags));
            for page in &pages {
                let map =
                    |options: &RegionOptions| Operation::MapRegion(start..end, *page, *options);
                all.extend(options.iter().map(map));
            }
        }
    }
    all
}

const PLAIN: RegionOptions = RegionOptions::empty();
const BOTH: [RegionOptions; 2] = [PLAIN, RegionOptions::HUGE];

/// All states of 8 pages: two sets of flags.
fn two_flags<F: Format>() {
    let operations = operations::<1>(0..8, 2, 1, &BOTH);
    Explorer::<F, 1, 1>::new(operations).explore(usize::MAX);
}

/// All states of 8 pages: two choices of frames.
fn two_frames<F: Format>() {
    let operations = operations::<1>(0..8, 1, 2, &BOTH);
    Explorer::<F, 1, 1>::new(operations).explore(usize::MAX);
}

#[test]
fn every_state_of_8_pages_with_two_sets_of_flags_a64() {
    two_flags::<A64High>();
}

#[test]
fn every_state_of_8_pages_with_two_sets_of_flags_x64() {
    two_flags::<X64>();
}

#[test]
fn every_state_of_8_pages_with_two_sets_of_flags_sv39() {
    two_flags::<Sv39>();
}

#[test]
fn every_state_of_8_pages_with_two_sets_of_flags_la64() {
    two_flags::<LA64>();
}

#[test]
fn every_state_of_8_pages_with_two_choices_of_frames_a64() {
    two_frames::<A64High>();
}

/// Groups of two leaves.
#[test]
fn every_state_of_8_pages_with_contiguous_groups_a64() {
    let options = [PLAIN, RegionOptions::HUGE, RegionOptions::CONTIGUOUS];
    let operations = operations::<1>(0..8, 2, 1, &options);
    Explorer::<A64High, 1, 2>::new(operations).explore(usize::MAX);
}

/// Every three operations in 64 pages, over all ranges of a window: one entry of the root whole.
#[test]
fn every_three_operations_below_one_entry_of_the_root_a64() {
    let operations = operations::<2>(0..16, 2, 1, &BOTH);
    Explorer::<A64High, 2, 1>::new(operations).explore(3);
}

/// Three operations across two entries of the root, with contiguous groups of two leaves.
#[test]
fn every_three_operations_across_two_entries_of_the_root_a64() {
    let options = [PLAIN, RegionOptions::all()];
    let operations = operations::<2>(10..22, 2, 1, &options);
    Explorer::<A64High, 2, 2>::new(operations).explore(3);
}

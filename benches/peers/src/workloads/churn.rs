//! Regions that come and go at random: W11.
//!
//! A coin says map or unmap. A map takes a random place of 1 to 512 pages in 1 GiB, drawn again as
//! long as it is not free; an unmap takes one of the regions that are there. The plan is made
//! first, and is the same for everybody.
#![forbid(unsafe_code)]

use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering};

use super::{
    BASE, BLOCK, Bench, FRAME, GIB, GIB_TABLES, PAGES, TARGET, count, finish, map_region,
    unmap_region,
};
use crate::random::Random;
use crate::{Leaves, Sizes, Subject, frames};

const STEPS: usize = 20_000;
const LARGEST: usize = 512;
/// More than ever are there at once.
const REGIONS: usize = 1024;

/// Each step packed: bit 63 for a map; pages in 62:32; the first page's number in 31:0.
static PLAN: [AtomicU64; STEPS] = [const { AtomicU64::new(0) }; STEPS];
const MAP: u64 = 1 << 63;

/// A region: first page, pages.
type Region = (usize, usize);

/// What is mapped when some steps are done.
struct State {
    regions: [Region; REGIONS],
    count: usize,
}

pub(super) fn run<S: Subject>(bench: &mut impl Bench) {
    let end = draw();
    let mut table = S::new();
    count::<S>(bench, "W11", STEPS, || walk(&mut table));
    assert_eq!(table.leaves(), end.leaves(), "{}", S::NAME);
    let in_use = frames::in_use();
    assert!(
        (end.tables()..=GIB_TABLES).contains(&in_use),
        "{}: {in_use} tables",
        S::NAME
    );
    finish(table);
}

#[inline(never)]
fn walk<S: Subject>(table: &mut S) {
    let (table, va, pa) = black_box((table, BASE, TARGET));
    let (flags, sizes) = black_box((S::READ_WRITE, Sizes::Pages));
    for step in &PLAN {
        let step = step.load(Ordering::Relaxed);
        let offset = (step as u32) as usize * FRAME;
        let bytes = ((step & !MAP) >> 32) as usize * FRAME;
        if step & MAP != 0 {
            map_region(table, va + offset, pa + offset, bytes, flags, sizes);
        } else {
            unmap_region(table, va + offset, bytes);
        }
    }
}

/// Writes the plan; what is mapped at its end.
fn draw() -> State {
    let mut random = Random::new();
    let mut state = State {
        regions: [(0, 0); REGIONS],
        count: 0,
    };
    for step in &PLAN {
        let unmaps = state.count > 0 && random.below(2) == 0;
        let (kind, (first, pages)) = if unmaps {
            (0, state.remove(&mut random))
        } else {
            (MAP, state.add(&mut random))
        };
        step.store(
            kind | (pages as u64) << 32 | first as u64,
            Ordering::Relaxed,
        );
    }
    state
}

impl State {
    fn live(&self) -> &[Region] {
        &self.regions[..self.count]
    }

    fn add(&mut self, random: &mut Random) -> Region {
        loop {
            let pages = 1 + random.below(LARGEST);
            let first = random.below(PAGES - pages + 1);
            let free =
                |&(start, length): &Region| first + pages <= start || start + length <= first;
            if self.live().iter().all(free) {
                self.regions[self.count] = (first, pages);
                self.count += 1;
                return (first, pages);
            }
        }
    }

    fn remove(&mut self, random: &mut Random) -> Region {
        let gone = random.below(self.count);
        self.count -= 1;
        let region = self.regions[gone];
        self.regions[gone] = self.regions[self.count];
        region
    }

    fn leaves(&self) -> Leaves {
        let mut leaves = Leaves::default();
        for &(first, pages) in self.live() {
            leaves.count += pages;
            leaves.sum += pages * (TARGET + first * FRAME) + FRAME * (pages * (pages - 1) / 2);
        }
        leaves
    }

    /// The fewest tables that can map the regions.
    fn tables(&self) -> usize {
        const PAGES_A_TABLE: usize = BLOCK / FRAME;
        let needed = |table: &usize| {
            let touches = |&(first, pages): &Region| {
                first < (table + 1) * PAGES_A_TABLE && first + pages > table * PAGES_A_TABLE
            };
            self.live().iter().any(touches)
        };
        GIB_TABLES - GIB / BLOCK + (0..GIB / BLOCK).filter(needed).count()
    }
}

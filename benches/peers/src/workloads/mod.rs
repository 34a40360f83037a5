//! W1 to W17: what is done, counted and checked.
//!
//! | | what | per |
//! |---|---|---|
//! | W1 | `map_region` of 1 GiB in 4 KiB pages | page |
//! | W2 | `map_region` of 1 GiB with blocks; both addresses 2 MiB- but not 1 GiB-aligned | block |
//! | W3 | `query` of 1,000,000 random mapped addresses of W1 | query |
//! | W4 | `map` of 100,000 random pages in 256 GiB | page |
//! | W5 | `unmap_region` of W1 | page |
//! | W6 | `protect_region` of W1 to read-only | page |
//! | W7 | the kernel's map of a Raspberry Pi 3, from nothing | once |
//! | W8 | visit every leaf of W1 | leaf |
//! | W9 | drop the table of W1 | table |
//! | W10 | map and unmap one page, whose table stays in use | pair |
//! | W11 | 20,000 random maps and unmaps of 1 to 512 pages in 1 GiB | operation |
//! | W12 | `protect_region_with` of W1: `WRITE` taken from every second 2 MiB, which has it | page |
//! | W13 | `unmap_region_with` of W1: each frame is handed out | page |
//! | W14 | `map_frames` of 1 GiB, 512 frames a call, in no order | page |
//! | W15 | `update_region_with` of W1: one software bit, and nothing else, changes | page |
//! | W16 | `test_and_clear_accessed` of W1: each leaf is shown, and cleared | page |
//! | W17 | `swap_out`, `swap_entry` and `swap_in` of one page of W1 | pair |
//!
//! Random addresses are made before they are counted; the loop loads them.
//!
//! What is measured must be what users get: a compiler that knows the caller's table, addresses,
//! flags or sizes makes a copy of the function for them, without its checks. So all of them pass
//! through [`black_box`], and sums of the results do. They do so in front of each loop and behind
//! it: in it, the way through memory would be counted with every call, and is as long as a quarter
//! of a query. The calls in the loop are not inlined, and nobody calls them with anything that the
//! compiler knows.
#![forbid(unsafe_code)]

mod churn;
mod kernel_map;
mod ours;
mod pages;
mod region;

use core::hint::black_box;

use crate::frames::{self, FRAME};
use crate::{Leaves, Sizes, Subject, Translation, Zeroing};

pub use ours::Ours;

/// Where the half begins in which everything is mapped: one that x86_64 has too.
pub const BASE: usize = 0xffff_8000_0000_0000;

/// The first frame that is mapped, but for the kernel's map: past the memory of any Raspberry Pi 3,
/// below 2^40.
const TARGET: usize = 0x1_0000_0000;

const BLOCK: usize = 1 << 21;
const GIB: usize = 1 << 30;
/// 4 KiB pages of 1 GiB.
const PAGES: usize = GIB / FRAME;
/// Tables of 1 GiB in pages: root, level 1, level 2, and one for each 2 MiB.
const GIB_TABLES: usize = 3 + GIB / BLOCK;

/// Who counts, and who wants to know.
pub trait Bench {
    /// Does `work` once and notes what it took.
    fn measure(&mut self, work: &mut dyn FnMut());
    /// What was measured last.
    fn report(&mut self, row: &Row);
}

/// One workload's result but for what was counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Row {
    /// [`Subject::NAME`].
    pub subject: &'static str,
    /// `W1` to `W17`, or `zero` for what zeroing a table costs.
    pub workload: &'static str,
    /// How many pages, queries, tables... the work was.
    pub units: usize,
    /// Tables that were zeroed.
    pub zeroed: usize,
    /// Frames in use afterwards.
    pub frames: usize,
}

/// All that every library can do: W1 to W11.
pub fn run<S: Subject>(bench: &mut impl Bench) {
    zeroing::<S>(bench);
    region::run::<S>(bench);
    pages::run::<S>(bench);
    kernel_map::run::<S>(bench);
    churn::run::<S>(bench);
}

/// Those that this project alone can do: W12 on.
pub fn run_ours<S: Ours>(bench: &mut impl Bench) {
    ours::run::<S>(bench);
}

/// Those that contiguous groups bear on: W1, W6, W11.
pub fn run_grouped<S: Subject>(bench: &mut impl Bench) {
    zeroing::<S>(bench);
    region::run_grouped::<S>(bench);
    churn::run::<S>(bench);
}

/// Measures `work` and reports it.
fn count<S: Subject>(
    bench: &mut impl Bench,
    workload: &'static str,
    units: usize,
    mut work: impl FnMut(),
) {
    let (zeroed, in_use) = (frames::zeroed(), frames::in_use());
    bench.measure(&mut work);
    let zeroed = match S::ZEROING {
        Zeroing::Counted => frames::zeroed() - zeroed,
        Zeroing::EveryFrameTaken => frames::in_use().saturating_sub(in_use),
    };
    bench.report(&Row {
        subject: S::NAME,
        workload,
        units,
        zeroed,
        frames: frames::in_use(),
    });
}

/// What zeroing one table costs.
fn zeroing<S: Subject>(bench: &mut impl Bench) {
    const TABLES: usize = 64;
    frames::reset();
    let mut taken = [0; TABLES];
    taken.fill_with(|| frames::alloc().expect("a frame"));
    count::<S>(bench, "zero", TABLES, || zero_each::<S>(&taken));
    frames::reset();
}

#[inline(never)]
fn zero_each<S: Subject>(frames: &[usize]) {
    for &frame in frames {
        S::zero(frame);
    }
}

/// A table that maps `bytes` from `BASE` on in pages.
fn mapped<S: Subject>(bytes: usize) -> S {
    let mut table = S::new();
    map_once(&mut table, BASE, TARGET, bytes, S::READ_WRITE, Sizes::Pages);
    table
}

/// Checks what is mapped at `va`.
fn expect<S: Subject>(table: &S, va: usize, pa: usize, flags: S::Flags, size: usize) {
    let found = table.query(va);
    let flags = S::flags_bits(flags);
    assert_eq!(
        found,
        Some(Translation { pa, flags, size }),
        "{}: {va:#x}",
        S::NAME
    );
}

/// Checks that `pages` 4 KiB leaves are mapped, in a row from `TARGET` on.
fn expect_run<S: Subject>(table: &S, pages: usize) {
    let sum = pages * TARGET + FRAME * (pages * (pages - 1) / 2);
    assert_eq!(table.leaves(), Leaves { count: pages, sum }, "{}", S::NAME);
}

/// Gives a table back and checks that no frame is lost.
fn finish<S: Subject>(table: S) {
    drop(table);
    assert_eq!(frames::in_use(), 0, "{} keeps frames", S::NAME);
    frames::reset();
}

/// As [`map_region`], for a caller that knows what it maps.
#[inline(always)]
fn map_once<S: Subject>(
    table: &mut S,
    va: usize,
    pa: usize,
    bytes: usize,
    flags: S::Flags,
    sizes: Sizes,
) {
    let (table, flags, sizes) = black_box((table, flags, sizes));
    map_region(
        table,
        black_box(va),
        black_box(pa),
        black_box(bytes),
        flags,
        sizes,
    );
}

#[inline(never)]
fn map_region<S: Subject>(
    table: &mut S,
    va: usize,
    pa: usize,
    bytes: usize,
    flags: S::Flags,
    sizes: Sizes,
) {
    table.map_region(va, pa, bytes, flags, sizes);
}

#[inline(never)]
fn unmap_region<S: Subject>(table: &mut S, va: usize, bytes: usize) {
    table.unmap_region(va, bytes);
}

#[inline(never)]
fn protect_region<S: Subject>(table: &mut S, va: usize, bytes: usize, flags: S::Flags) {
    table.protect_region(va, bytes, flags);
}

/// What `va` translates to, folded; 0 for nothing.
#[inline(never)]
fn query<S: Subject>(table: &S, va: usize) -> usize {
    table.query(va).map_or(0, Translation::fold)
}

#[inline(never)]
fn map<S: Subject>(table: &mut S, va: usize, pa: usize, flags: S::Flags) {
    table.map(va, pa, flags);
}

/// What was mapped at `va`, folded; 0 if the library does not say.
#[inline(never)]
fn unmap<S: Subject>(table: &mut S, va: usize) -> usize {
    table.unmap(va).map_or(0, Translation::fold)
}

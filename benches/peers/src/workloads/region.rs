//! One region of 1 GiB: W1, W2, W3, W5, W6, W8, W9.
#![forbid(unsafe_code)]

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use super::{
    BASE, BLOCK, Bench, FRAME, GIB, GIB_TABLES, PAGES, TARGET, count, expect, expect_run, finish,
    map_once, mapped, protect_region, query, unmap_region,
};
use crate::random::Random;
use crate::{Leaves, Sizes, Subject, Translation, frames};

const QUERIES: usize = 1_000_000;

/// Offsets into the region.
static ADDRESSES: [AtomicU32; QUERIES] = [const { AtomicU32::new(0) }; QUERIES];

/// Each in turn, on tables as it needs them.
pub(super) fn run<S: Subject>(bench: &mut impl Bench) {
    let mut table = S::new();
    map_pages(bench, &mut table);
    queries(bench, &table);
    visit(bench, &table);
    protect(bench, &mut table);
    unmap(bench, &mut table);
    finish(table);
    map_blocks::<S>(bench);
    give_up::<S>(bench);
}

/// W1 and W6.
pub(super) fn run_grouped<S: Subject>(bench: &mut impl Bench) {
    let mut table = S::new();
    map_pages(bench, &mut table);
    protect(bench, &mut table);
    finish(table);
}

fn map_pages<S: Subject>(bench: &mut impl Bench, table: &mut S) {
    count::<S>(bench, "W1", PAGES, || {
        map_once(table, BASE, TARGET, GIB, S::READ_WRITE, Sizes::Pages);
    });
    expect_run(table, PAGES);
    expect(
        table,
        BASE + GIB - 1,
        TARGET + GIB - 1,
        S::READ_WRITE,
        FRAME,
    );
    assert_eq!(frames::in_use(), GIB_TABLES);
}

/// The region begins in the middle of one level-2 table and ends in the middle of the next.
fn map_blocks<S: Subject>(bench: &mut impl Bench) {
    let mut table = S::new();
    let (va, pa) = (BASE + BLOCK, TARGET + BLOCK);
    count::<S>(bench, "W2", GIB / BLOCK, || {
        map_once(&mut table, va, pa, GIB, S::READ_WRITE, Sizes::Largest);
    });
    assert_eq!(table.leaves().count, GIB / BLOCK);
    expect(&table, va + GIB - 1, pa + GIB - 1, S::READ_WRITE, BLOCK);
    assert_eq!(frames::in_use(), 4);
    finish(table);
}

fn queries<S: Subject>(bench: &mut impl Bench, table: &S) {
    let mut random = Random::new();
    let mut expected = 0_usize;
    for address in &ADDRESSES {
        let offset = random.below(GIB);
        address.store(offset as u32, Ordering::Relaxed);
        let translation = Translation {
            pa: TARGET + offset,
            flags: S::flags_bits(S::READ_WRITE),
            size: FRAME,
        };
        expected = expected.wrapping_add(translation.fold());
    }
    let mut sum = 0;
    count::<S>(bench, "W3", QUERIES, || sum = query_each(table));
    assert_eq!(sum, expected, "{}", S::NAME);
}

#[inline(never)]
fn query_each<S: Subject>(table: &S) -> usize {
    let (table, base) = black_box((table, BASE));
    let mut sum = 0_usize;
    for address in &ADDRESSES {
        let va = base + address.load(Ordering::Relaxed) as usize;
        sum = sum.wrapping_add(query(table, va));
    }
    black_box(sum)
}

fn visit<S: Subject>(bench: &mut impl Bench, table: &S) {
    let mut leaves = 0;
    count::<S>(bench, "W8", PAGES, || leaves = visit_each(table));
    assert_eq!(leaves, PAGES);
}

#[inline(never)]
fn visit_each<S: Subject>(table: &S) -> usize {
    black_box(black_box(table).count_leaves())
}

fn protect<S: Subject>(bench: &mut impl Bench, table: &mut S) {
    count::<S>(bench, "W6", PAGES, || {
        let (table, va, bytes, flags) = black_box((&mut *table, BASE, GIB, S::READ_ONLY));
        protect_region(table, va, bytes, flags);
    });
    expect_run(table, PAGES);
    for va in [BASE, BASE + GIB / 2, BASE + GIB - FRAME] {
        expect(table, va, va - BASE + TARGET, S::READ_ONLY, FRAME);
    }
}

fn unmap<S: Subject>(bench: &mut impl Bench, table: &mut S) {
    count::<S>(bench, "W5", PAGES, || {
        let (table, va, bytes) = black_box((&mut *table, BASE, GIB));
        unmap_region(table, va, bytes);
    });
    assert_eq!(table.leaves(), Leaves::default());
    assert_eq!(table.query(BASE), None);
}

fn give_up<S: Subject>(bench: &mut impl Bench) {
    let mut table = Some(mapped::<S>(GIB));
    count::<S>(bench, "W9", GIB_TABLES, || give_back(table.take()));
    assert_eq!(frames::in_use(), 0, "{} keeps frames", S::NAME);
    frames::reset();
}

#[inline(never)]
fn give_back<S: Subject>(table: Option<S>) {
    drop(black_box(table));
}

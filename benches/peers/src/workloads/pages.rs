//! Single pages: W4 and W10.
#![forbid(unsafe_code)]

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use super::{BASE, Bench, FRAME, GIB, TARGET, count, expect, finish, map, mapped, unmap};
use crate::{Subject, Translation, frames};

const MAPS: usize = 100_000;
const SPACE: usize = 256 * GIB / FRAME;
const PAIRS: usize = 10_000;

/// Numbers of pages, each once.
static NUMBERS: [AtomicU32; MAPS] = [const { AtomicU32::new(0) }; MAPS];

pub(super) fn run<S: Subject>(bench: &mut impl Bench) {
    scatter::<S>(bench);
    pairs::<S>(bench);
}

fn scatter<S: Subject>(bench: &mut impl Bench) {
    draw();
    let mut table = S::new();
    count::<S>(bench, "W4", MAPS, || map_each(&mut table));
    assert_eq!(table.leaves().count, MAPS);
    for number in NUMBERS.iter().step_by(997) {
        let offset = number.load(Ordering::Relaxed) as usize * FRAME;
        expect(&table, BASE + offset, TARGET + offset, S::READ_WRITE, FRAME);
    }
    finish(table);
}

/// Draws the pages: the first values of a permutation of the space, so that none comes twice.
fn draw() {
    for (k, number) in NUMBERS.iter().enumerate() {
        number.store(shuffled(k) as u32, Ordering::Relaxed);
    }
}

/// The place of `k` in the space. Every step can be undone: a multiplication by an odd number, and
/// an exclusive or with bits further up.
const fn shuffled(k: usize) -> usize {
    let mixed = k.wrapping_mul(0x9e37_79b9) % SPACE;
    let mixed = (mixed ^ mixed >> 13).wrapping_mul(0x85eb_ca6b) % SPACE;
    let mixed = (mixed ^ mixed >> 11).wrapping_mul(0xc2b2_ae35) % SPACE;
    mixed ^ mixed >> 13
}

#[inline(never)]
fn map_each<S: Subject>(table: &mut S) {
    let (table, va, pa, flags) = black_box((table, BASE, TARGET, S::READ_WRITE));
    for number in &NUMBERS {
        let offset = number.load(Ordering::Relaxed) as usize * FRAME;
        map(table, va + offset, pa + offset, flags);
    }
}

fn pairs<S: Subject>(bench: &mut impl Bench) {
    let mut table = mapped::<S>(FRAME);
    let before = frames::in_use();
    let mut sum = 0;
    count::<S>(bench, "W10", PAIRS, || sum = map_and_unmap(&mut table));
    let page = Translation {
        pa: TARGET + FRAME,
        flags: S::flags_bits(S::READ_WRITE),
        size: FRAME,
    };
    assert!(
        [0, page.fold().wrapping_mul(PAIRS)].contains(&sum),
        "{}: {sum:#x}",
        S::NAME
    );
    assert_eq!(table.leaves().count, 1);
    assert_eq!(frames::in_use(), before);
    finish(table);
}

#[inline(never)]
fn map_and_unmap<S: Subject>(table: &mut S) -> usize {
    let (table, va, pa, flags) = black_box((table, BASE + FRAME, TARGET + FRAME, S::READ_WRITE));
    let mut sum = 0_usize;
    for _ in 0..PAIRS {
        map(table, va, pa, flags);
        sum = sum.wrapping_add(unmap(table, va));
    }
    black_box(sum)
}

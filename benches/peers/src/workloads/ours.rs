//! What this project alone has: W12 and W13.
//!
//! The others have no operation for it; by hand it would be one call a page.
#![forbid(unsafe_code)]

use core::hint::black_box;

use super::{
    BASE, BLOCK, Bench, FRAME, GIB, PAGES, TARGET, count, expect, expect_run, finish, mapped,
    protect_region,
};
use crate::{Leaves, Subject};

/// A table with operations that others do not have.
pub trait Ours: Subject {
    /// Takes the right to write from whatever has it in `bytes` from `va` on.
    fn make_read_only(&mut self, va: usize, bytes: usize);
    /// Unmaps `bytes` from `va` on. The sum of the frames' addresses.
    fn unmap_and_sum(&mut self, va: usize, bytes: usize) -> usize;
}

/// All of them.
pub(super) fn run<S: Ours>(bench: &mut impl Bench) {
    make_read_only::<S>(bench);
    unmap_and_sum::<S>(bench);
}

/// Of 1 GiB, each second 2 MiB may be written.
fn make_read_only<S: Ours>(bench: &mut impl Bench) {
    let mut table = mapped::<S>(GIB);
    for block in (0..GIB).step_by(2 * BLOCK) {
        protect_region(&mut table, BASE + block, BLOCK, S::READ_ONLY);
    }
    count::<S>(bench, "W12", PAGES, || {
        let (table, va, bytes) = black_box((&mut table, BASE, GIB));
        make_read_only_once(table, va, bytes);
    });
    expect_run(&table, PAGES);
    for va in [BASE, BASE + BLOCK, BASE + GIB - FRAME] {
        expect(&table, va, va - BASE + TARGET, S::READ_ONLY, FRAME);
    }
    finish(table);
}

#[inline(never)]
fn make_read_only_once<S: Ours>(table: &mut S, va: usize, bytes: usize) {
    table.make_read_only(va, bytes);
}

fn unmap_and_sum<S: Ours>(bench: &mut impl Bench) {
    let mut table = mapped::<S>(GIB);
    let mut sum = 0;
    count::<S>(bench, "W13", PAGES, || {
        let (table, va, bytes) = black_box((&mut table, BASE, GIB));
        sum = black_box(unmap_and_sum_once(table, va, bytes));
    });
    assert_eq!(sum, PAGES * TARGET + FRAME * (PAGES * (PAGES - 1) / 2));
    assert_eq!(table.leaves(), Leaves::default());
    finish(table);
}

#[inline(never)]
fn unmap_and_sum_once<S: Ours>(table: &mut S, va: usize, bytes: usize) -> usize {
    table.unmap_and_sum(va, bytes)
}

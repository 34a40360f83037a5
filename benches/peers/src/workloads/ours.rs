//! What this project alone has: W12 to W17.
//!
//! The others have no operation for it; by hand it would be one call a page.
#![forbid(unsafe_code)]

use core::hint::black_box;

use super::{
    BASE, BLOCK, Bench, FRAME, GIB, PAGES, TARGET, count, expect, expect_run, finish, mapped,
    protect_region,
};
use crate::{Leaves, Subject};
use stilt_paging::addr::PhysAddr;

/// How often a page is swapped out and in.
const SWAPS: usize = 10_000;
/// Pages of 2 MiB.
const BLOCK_PAGES: usize = BLOCK / FRAME;

/// A table with operations that others do not have.
pub trait Ours: Subject {
    /// Takes the right to write from whatever has it in `bytes` from `va` on.
    fn make_read_only(&mut self, va: usize, bytes: usize);
    /// Unmaps `bytes` from `va` on. The sum of the frames' addresses.
    fn unmap_and_sum(&mut self, va: usize, bytes: usize) -> usize;
    /// Maps pages from `va` on to `frames`, one each.
    fn map_frames(&mut self, va: usize, frames: &[PhysAddr], flags: Self::Flags);
    /// Sets the first software bit of whatever is mapped in `bytes` from `va` on.
    fn mark(&mut self, va: usize, bytes: usize);
    /// How many leaves have that bit.
    fn marked(&self) -> usize;
    /// Clears the accessed flag of whatever is mapped in `bytes` from `va` on. How many leaves had
    /// it.
    fn age(&mut self, va: usize, bytes: usize) -> usize;
    /// Leaves a swap entry with `value` in the place of the page at `va`. The frame.
    fn swap_out(&mut self, va: usize, value: u32) -> usize;
    /// The value of the swap entry at `va`, which becomes a page on the frame at `pa`.
    fn swap_in(&mut self, va: usize, pa: usize, flags: Self::Flags) -> u32;
}

/// All of them.
pub(super) fn run<S: Ours>(bench: &mut impl Bench) {
    make_read_only::<S>(bench);
    unmap_and_sum::<S>(bench);
    map_frames::<S>(bench);
    mark::<S>(bench);
    age::<S>(bench);
    swap::<S>(bench);
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

/// 2 MiB of frames in the reverse order, as often as 1 GiB has them.
fn map_frames<S: Ours>(bench: &mut impl Bench) {
    let frame = |page| PhysAddr::new(TARGET + (BLOCK_PAGES - 1 - page) * FRAME);
    let frames: [PhysAddr; BLOCK_PAGES] = core::array::from_fn(frame);
    let mut table = S::new();
    count::<S>(bench, "W14", PAGES, || {
        let (table, frames, flags) = black_box((&mut table, &frames, S::READ_WRITE));
        for block in 0..GIB / BLOCK {
            map_frames_once(table, black_box(BASE + block * BLOCK), frames, flags);
        }
    });
    assert_eq!(table.leaves().count, PAGES);
    let last = BASE + GIB - FRAME;
    expect(&table, last, TARGET, S::READ_WRITE, FRAME);
    finish(table);
}

#[inline(never)]
fn map_frames_once<S: Ours>(table: &mut S, va: usize, frames: &[PhysAddr], flags: S::Flags) {
    table.map_frames(va, frames, flags);
}

fn mark<S: Ours>(bench: &mut impl Bench) {
    let mut table = mapped::<S>(GIB);
    count::<S>(bench, "W15", PAGES, || {
        let (table, va, bytes) = black_box((&mut table, BASE, GIB));
        mark_once(table, va, bytes);
    });
    assert_eq!(table.marked(), PAGES);
    expect_run(&table, PAGES);
    finish(table);
}

#[inline(never)]
fn mark_once<S: Ours>(table: &mut S, va: usize, bytes: usize) {
    table.mark(va, bytes);
}

fn age<S: Ours>(bench: &mut impl Bench) {
    let mut table = mapped::<S>(GIB);
    let mut used = 0;
    count::<S>(bench, "W16", PAGES, || {
        let (table, va, bytes) = black_box((&mut table, BASE, GIB));
        used = black_box(age_once(table, va, bytes));
    });
    assert_eq!((used, age_once(&mut table, BASE, GIB)), (PAGES, 0));
    finish(table);
}

#[inline(never)]
fn age_once<S: Ours>(table: &mut S, va: usize, bytes: usize) -> usize {
    table.age(va, bytes)
}

/// One page of W1, out and in again, its value asked for between.
fn swap<S: Ours>(bench: &mut impl Bench) {
    let mut table = mapped::<S>(GIB);
    let mut sum = 0;
    count::<S>(bench, "W17", SWAPS, || {
        let (table, va, flags) = black_box((&mut table, BASE + BLOCK, S::READ_WRITE));
        for turn in 0..SWAPS {
            let pa = swap_out_once(table, va, turn as u32);
            sum += swap_in_once(table, va, pa, flags) as usize;
        }
        sum = black_box(sum);
    });
    assert_eq!(sum, SWAPS * (SWAPS - 1) / 2);
    expect_run(&table, PAGES);
    finish(table);
}

#[inline(never)]
fn swap_out_once<S: Ours>(table: &mut S, va: usize, value: u32) -> usize {
    table.swap_out(va, value)
}

#[inline(never)]
fn swap_in_once<S: Ours>(table: &mut S, va: usize, pa: usize, flags: S::Flags) -> u32 {
    table.swap_in(va, pa, flags)
}

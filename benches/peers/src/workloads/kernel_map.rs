//! The map that a kernel makes of a Raspberry Pi 3 when it starts: W7.
#![forbid(unsafe_code)]

use core::hint::black_box;

use super::{BASE, BLOCK, Bench, FRAME, count, expect, finish, map_region};
use crate::{Sizes, Subject, frames};

/// The kernel's parts, one after the other from where it is loaded.
const TEXT: usize = 0x8_0000;
const RODATA: usize = TEXT + (512 << 10);
const DATA: usize = RODATA + (128 << 10);
const KERNEL_END: usize = DATA + (256 << 10);
const RAM_END: usize = 0x3b40_0000;
const DEVICES: usize = 0x3f00_0000;
const LOCAL: usize = 0x4000_0000;
const LOCAL_END: usize = LOCAL + (256 << 10);

/// 4 KiB pages below the first whole block, and those of the local peripherals; blocks.
const LEAVES: usize =
    (BLOCK + (LOCAL_END - LOCAL)) / FRAME + (RAM_END - BLOCK + (LOCAL - DEVICES)) / BLOCK;
/// Root, level 1; level 2 and level 3 of the RAM, and of the local peripherals.
const TABLES: usize = 6;

pub(super) fn run<S: Subject>(bench: &mut impl Bench) {
    let mut table = None;
    count::<S>(bench, "W7", 1, || table = Some(kernel_map::<S>()));
    let table = table.expect("it was made");
    assert_eq!(table.leaves().count, LEAVES, "{}", S::NAME);
    assert_eq!(frames::in_use(), TABLES, "{}", S::NAME);
    for (pa, flags, size) in [
        (0, S::READ_WRITE, FRAME),
        (TEXT, S::READ_EXECUTE, FRAME),
        (DATA - 1, S::READ_ONLY, FRAME),
        (KERNEL_END, S::READ_WRITE, FRAME),
        (RAM_END - 1, S::READ_WRITE, BLOCK),
        (DEVICES, S::DEVICE, BLOCK),
        (LOCAL, S::DEVICE, FRAME),
    ] {
        expect(&table, BASE + pa, pa, flags, size);
    }
    finish(table);
}

#[inline(never)]
fn kernel_map<S: Subject>() -> S {
    let mut table = S::new();
    let (base, sizes) = black_box((BASE, Sizes::Largest));
    let hidden = black_box(&mut table);
    for (start, end, flags) in black_box([
        (TEXT, RODATA, S::READ_EXECUTE),
        (RODATA, DATA, S::READ_ONLY),
        (DATA, KERNEL_END, S::READ_WRITE),
        (0, TEXT, S::READ_WRITE),
        (KERNEL_END, RAM_END, S::READ_WRITE),
        (DEVICES, LOCAL, S::DEVICE),
        (LOCAL, LOCAL_END, S::DEVICE),
    ]) {
        map_region(hidden, base + start, start, end - start, flags, sizes);
    }
    table
}

//! Maintenance of every set and way.

use strict::Liberties;

use super::image;
use super::litmus::{SEEDS, SEEN, reaches_the_end};
use super::parts::{CACHED, MMU_OFF};

const STORE: &[&str] = &["mov x7, #0x20_0000", "mov x13, #0x1234", "str x13, [x7]"];
/// The 16 ways of 512 sets; X10 is the operand of the next set.
const SWEEP: &[&str] = &[
    "mov x12, #0x1000_0000",
    "mov x2, #512",
    "mov x3, #16",
    ".word 0xaa0a03eb", // mov x11, x10
    "dc cisw, x11",
    ".word 0x8b0c016b", // add x11, x11, x12
    ".word 0xf1000463", // subs x3, x3, #1
    ".word 0x54ffffa1", // b.ne .-12
    ".word 0x9101014a", // add x10, x10, #64
    ".word 0xf1000442", // subs x2, x2, #1
    ".word 0x54ffff01", // b.ne .-32
    "dsb sy",
];
const FIRST_LEVEL: &[&str] = &["mov x10, #0"];
const SECOND_LEVEL: &[&str] = &["mov x10, #2"];
/// The store is looked for past the caches.
const LOOK: &[&str] = &[
    "ldr x3, [x7]",
    ".word 0xeb0d007f", // cmp x3, x13
    ".word 0x54000040", // b.eq .+8
    SEEN,
    ".word 0x14000000", // b .
];

/// Whether a store by the caches is missing in memory, with one of the seeds.
fn is_missing(between: &[&[&str]]) -> bool {
    let parts: [&[&[&str]]; 4] = [CACHED, &[STORE], between, &[MMU_OFF, LOOK]];
    let program = image(&parts);
    (0..SEEDS).any(|seed| reaches_the_end(&program, seed, Liberties::ALL))
}

#[test]
fn the_second_level_holds_what_the_first_one_gave_up() {
    assert!(is_missing(&[]), "nothing was cleaned");
    assert!(is_missing(&[FIRST_LEVEL, SWEEP]), "the second level has it");
    assert!(!is_missing(&[FIRST_LEVEL, SWEEP, SECOND_LEVEL, SWEEP]));
}

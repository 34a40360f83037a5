//! The order of two cores' accesses: what a program may see, and what it may not (DDI 0487 B2.3).
//!
//! Core 1 writes, core 0 reads, both for ever with the caches on. A core that sees what it looks for
//! reads a register that nobody has, which ends the run.

use strict::{Entry, Image, Liberties, Limits, Machine, Options, Outcome};

use super::image;
use super::parts::{CACHED, OTHER_CORE, RELEASE};

/// Seeds of each program.
pub(super) const SEEDS: u64 = 16;
/// The instructions of a run.
const MOST: u64 = 150_000;

/// X7 and X8: two words in lines of their own; X9: a third one.
const PLACES: &[&str] = &[
    "mov x7, #0x20_0000",
    "mov x8, #0x20_1000",
    "mov x9, #0x20_2000",
];
const ZEROED: &[&str] = &["str xzr, [x7]", "str xzr, [x8]", "str xzr, [x9]", "dsb ish"];
/// A register that is not modelled.
pub(super) const SEEN: &str = "mrs x0, s3_7_c15_c7_7";

/// Whether core 0 sees what it looks for, with one of the seeds.
fn is_seen(reader: &[&str], writer: &[&str], liberties: Liberties) -> bool {
    let parts: [&[&[&str]]; 4] = [
        CACHED,
        &[PLACES, ZEROED, RELEASE, reader],
        OTHER_CORE,
        &[PLACES, writer],
    ];
    let program = image(&parts);
    (0..SEEDS).any(|seed| reaches_the_end(&program, seed, liberties))
}

/// Whether a core comes to [`SEEN`].
pub(super) fn reaches_the_end(program: &Image, seed: u64, liberties: Liberties) -> bool {
    let mut options = Options::seeded(Entry::El1, seed);
    options.liberties = liberties;
    let mut machine = Machine::new(program, &options);
    let limits = Limits {
        instructions: MOST,
        quiet: u64::MAX,
        until: None,
    };
    match machine.run(&limits) {
        Outcome::Stopped(_) => true,
        Outcome::Exhausted => false,
        other => panic!("the run ends: {other:?}"),
    }
}

/// A loop: a branch back behind the lines, each of which is one word.
fn around(lines: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let back = lines.len() as u32;
    all.push(format!(".word {:#x}", 0x1400_0000 | (0x0400_0000 - back)));
    all
}

fn is_seen_in_loops(reader: &[&str], writer: &[&str], liberties: Liberties) -> bool {
    let [reader, writer] = [reader, writer].map(around);
    let reader: Vec<&str> = reader.iter().map(String::as_str).collect();
    let writer: Vec<&str> = writer.iter().map(String::as_str).collect();
    is_seen(&reader, &writer, liberties)
}

/// X2 is stored to the data and then to the flag; a flag that is ahead of the data is seen.
fn passes_messages_wrongly(between: [&[&str]; 2], flag: [&str; 2], data: &str) -> bool {
    let [read, wrote] = between;
    let reader = [
        &[flag[0]],
        read,
        &[
            data,
            ".word 0xeb02007f", // cmp x3, x2
            ".word 0x54000042", // b.hs .+8
            SEEN,
        ],
    ]
    .concat();
    let writer = [
        &[
            ".word 0x91000442", // add x2, x2, #1
            "str x2, [x7]",
        ],
        wrote,
        &[flag[1]],
    ]
    .concat();
    is_seen_in_loops(&reader, &writer, Liberties::ALL)
}

const LOAD: &str = "ldr x2, [x8]";
const ACQUIRE: &str = ".word 0xc8dffd02"; // ldar x2, [x8]
const STORE: &str = "str x2, [x8]";
const RELEASED: &str = ".word 0xc89ffd02"; // stlr x2, [x8]
const DATA: &str = "ldr x3, [x7]";

#[test]
fn a_message_arrives_whole_if_both_sides_keep_their_order() {
    const STORES: &[&str] = &["dmb ishst"];
    const LOADS: &[&str] = &[".word 0xd50339bf"]; // dmb ishld
    // The data's address is made of the flag: eor x4, x2, x2; ldr x3, [x7, x4].
    const DEPENDS: &[&str] = &[".word 0xca020044"];
    const DEPENDENT: &str = ".word 0xf86468e3";
    // A branch alone orders no loads; with ISB behind it does: cbz x2, .+4.
    const BRANCH: &[&str] = &[".word 0xb4000022"];
    const BRANCH_ISB: &[&str] = &[".word 0xb4000022", "isb"];

    let readers: [(&str, &[&str], &str, &str, bool); 6] = [
        ("nothing", &[], LOAD, DATA, false),
        ("a branch", BRANCH, LOAD, DATA, false),
        ("dmb ishld", LOADS, LOAD, DATA, true),
        ("ldar", &[], ACQUIRE, DATA, true),
        ("the address", DEPENDS, LOAD, DEPENDENT, true),
        ("a branch and isb", BRANCH_ISB, LOAD, DATA, true),
    ];
    let writers: [(&str, &[&str], &str, bool); 4] = [
        ("nothing", &[], STORE, false),
        ("dmb ishst", STORES, STORE, true),
        ("dmb ish", &["dmb ish"], STORE, true),
        ("stlr", &[], RELEASED, true),
    ];
    for (read, reads, load, data, in_order) in readers {
        for (wrote, writes, store, released) in writers {
            let seen = passes_messages_wrongly([reads, writes], [load, store], data);
            let may = !(in_order && released);
            assert_eq!(seen, may, "{read} on the one side, {wrote} on the other");
        }
    }
}

#[test]
fn one_word_never_goes_back() {
    // ldr x2, [x8]; ldr x3, [x8]: a count that only grows.
    let reader = [
        LOAD,
        "ldr x3, [x8]",
        ".word 0xeb02007f", // cmp x3, x2
        ".word 0x54000042", // b.hs .+8
        SEEN,
    ];
    let writer = [".word 0x91000442", STORE];
    assert!(!is_seen_in_loops(&reader, &writer, Liberties::ALL));
}

#[test]
fn accesses_in_order_pass_messages_without_a_barrier() {
    let reader = [LOAD, DATA, ".word 0xeb02007f", ".word 0x54000042", SEEN];
    let writer = [".word 0x91000442", "str x2, [x7]", STORE];
    let in_order = Liberties::ALL.in_order();
    assert!(!is_seen_in_loops(&reader, &writer, in_order));
}

/// Two cores take a lock at X9, change two words from equal values to equal values, and let it go;
/// unequal ones are seen.
fn lock_is_broken(take: &'static str, give: &'static str) -> bool {
    let user = [
        take,               // ldaxr w4, [x9]
        ".word 0x35ffffe4", // cbnz w4, .-4
        "mov x5, #1",
        ".word 0x88047d25", // stxr w4, w5, [x9]
        ".word 0x35ffff84", // cbnz w4, .-16
        "ldr x2, [x7]",
        "ldr x3, [x8]",
        ".word 0xeb02007f", // cmp x3, x2
        ".word 0x54000040", // b.eq .+8
        SEEN,
        ".word 0x91000442", // add x2, x2, #1
        "str x2, [x7]",
        "str x2, [x8]",
        give, // stlr wzr, [x9]
    ];
    is_seen_in_loops(&user, &user, Liberties::ALL)
}

#[test]
fn a_lock_needs_acquire_and_release() {
    const TAKE: &str = ".word 0x885ffd24"; // ldaxr w4, [x9]
    const TAKE_PLAINLY: &str = ".word 0x885f7d24"; // ldxr w4, [x9]
    const GIVE: &str = ".word 0x889ffd3f"; // stlr wzr, [x9]
    const GIVE_PLAINLY: &str = "str wzr, [x9]";
    assert!(!lock_is_broken(TAKE, GIVE));
    assert!(lock_is_broken(TAKE_PLAINLY, GIVE), "without acquire");
    assert!(lock_is_broken(TAKE, GIVE_PLAINLY), "without release");
}

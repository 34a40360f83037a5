//! The limits that boot and the most frequent steps keep: instructions and bytes, the same on every
//! machine.

use crate::harness::{Setup, checkout, report};

/// From `_start` to the first instruction of `kernel_main` in the high half.
const TO_KERNEL_MAIN: u64 = 10_000;
/// From `_start` to the prompt.
const TO_PROMPT: u64 = 2_000_000;
/// Bytes of `kernel8.img` that can be at all: what the boot map has in pages. How many may be is
/// the benchmark's to say, which fails when they are more.
const IMAGE: u64 = 2 << 20;

/// With `-icount shift=0` an instruction takes a nanosecond.
const PER_MICROSECOND: u64 = 1000;

/// The benchmark counts lines of the emulator's trace.
#[test]
fn the_benchmark_counts_no_more_than_the_limits() {
    let output = checkout::text(&checkout::run(&mut checkout::xtask("bench")).stdout);
    let number = |what: &str| {
        let row = output.lines().find_map(|line| line.strip_prefix(what));
        row.and_then(|row| row.split_whitespace().next()?.parse::<u64>().ok())
    };
    // Less than the lower limit cannot be: filling the boot tables takes more.
    for (what, limits) in [
        ("_start to kernel_main", 1000..=TO_KERNEL_MAIN),
        ("_start to the prompt", TO_KERNEL_MAIN..=TO_PROMPT),
        // An exception saves and restores 31 registers; a call has two interrupts' worth of that.
        ("exception and back", 60..=200),
        ("timer to its handler", 40..=150),
        ("mailbox to its handler", 40..=150),
        ("call of core 1", 150..=3_000),
        ("frame pair", 20..=90),
        // Two locks; 31 registers out and in, twice.
        ("space switch", 40..=120),
        ("EL0 and back", 130..=400),
        // Two stores, of 16 bytes each, for every four pages at least.
        ("map of 64 MiB", 8_192..=81_264),
        // Nine halvings and nine mergers.
        ("split and merge", 100..=400),
        ("four cores online", 1..=10_000),
        ("kernel8.img", 64 << 10..=IMAGE),
    ] {
        let found = number(what);
        assert!(
            found.is_some_and(|number| limits.contains(&number)),
            "{what}: {output}"
        );
    }
}

/// The time to the prompt by the kernel's own clock, in which every core's instructions count.
#[test]
fn the_kernels_clock_agrees_that_the_prompt_is_near() {
    let mut machine = Setup::raw().arg("-icount").arg("shift=0,sleep=off").start();
    let log = report::log(&machine.boot());
    let Some(last) = log.last() else {
        machine.fail("no log");
    };
    let count = (last.microseconds + 1) * PER_MICROSECOND;
    assert!(
        (TO_KERNEL_MAIN..=TO_PROMPT).contains(&count),
        "{count}: {log:#?}"
    );
}

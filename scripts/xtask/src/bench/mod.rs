//! `cargo xtask bench`: the cost of booting and of the kernel's most frequent steps, in
//! instructions.
//!
//! The figures are counted in the emulator's own trace, one line an instruction: they are equal on
//! every machine and at every load. Under `-icount shift=0` the guest's time is a function of the
//! number of instructions, so waiting loops have a fixed cost, too. The boot is counted on core 0.
//! The steps are those of the shell's command `numbers`, which executes each between two marks: for
//! a call between cores the instructions of all cores count, for the other steps those of core 0.
//! The kernel measures the steps by its clock as well, and both figures must agree.

mod trace;

use std::process::ExitCode;

use lexopt::{Arg, Parser};

use crate::checkout;
use crate::failure::Failure;
use crate::flat;
use crate::image;
use crate::qemu;
use trace::{BenchError, Counts, Milestones};

/// The largest difference between the kernel's clock and the trace, in percent plus a number of
/// instructions: the clock includes the loop around a step.
const TOLERANCE_PERCENT: u64 = 15;
const TOLERANCE: u64 = 12;

/// Twice W1 of the page tables (`benches/README.md`: 2.48 instructions a page), for 64 MiB: what a
/// space adds to `map_region`, its list and its lock and each row of frames, is within that.
const MAP_LIMIT: u64 = 2 * 248 * (64 << 20 >> 12) / 100;

/// A line of the table.
struct Row {
    what: &'static str,
    number: u64,
    limit: u64,
    unit: &'static str,
}

const fn instructions(what: &'static str, number: u64, limit: u64) -> Row {
    let unit = "instructions";
    Row {
        what,
        number,
        limit,
        unit,
    }
}

/// Runs `cargo xtask bench`. Fails if a figure is above its limit.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    let mut program = qemu::default_program();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("qemu") => program = args.value()?,
            other => return Err(other.unexpected().into()),
        }
    }
    qemu::check_program(&program)?;
    image::build_release()?;
    let elf = checkout::read(&checkout::elf())?;
    let bytes = checkout::read(&checkout::image())?.len() as u64;
    let milestones = Milestones::find(&elf).ok_or(BenchError::NoMilestones)?;
    let (counts, console) = trace::trace(&program, milestones)?;
    let cores_us = number_before(&console, "online after", " us").ok_or(BenchError::NoTrace)?;
    let [_, call, pair, switch, touch, map, split, merge] = counts.steps;
    let mut good = true;
    for row in rows(&counts, cores_us, bytes) {
        good &= row.show();
    }
    for (what, traced) in [
        ("exception and back", counts.steps[0]),
        ("call of core 1", call),
        ("frame pair", pair),
        ("space switch", switch),
        ("EL0 and back", touch),
        ("map of 64 MiB", map),
        ("split and merge", split + merge),
    ] {
        good &= agrees(&console, what, traced);
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The rows of the table: figures and their limits.
fn rows(counts: &Counts, cores_us: u64, bytes: u64) -> [Row; 13] {
    let [_, call, pair, switch, touch, map, split, merge] = counts.steps;
    [
        instructions("_start to kernel_main", counts.to_kernel, 10_000),
        instructions("_start to the prompt", counts.to_prompt, 2_000_000),
        instructions("exception and back", counts.exception, 200),
        instructions("timer to its handler", counts.timer, 150),
        instructions("mailbox to its handler", counts.mailbox, 150),
        instructions("call of core 1", call, 3_000),
        instructions("frame pair", pair, 90),
        instructions("space switch", switch, 120),
        instructions("EL0 and back", touch, 400),
        instructions("map of 64 MiB", map, MAP_LIMIT),
        instructions("split and merge", split + merge, 400),
        Row {
            what: "four cores online",
            number: cores_us,
            limit: 10_000,
            unit: "us",
        },
        Row {
            what: "kernel8.img",
            number: bytes,
            limit: flat::SIZE_LIMIT as u64,
            unit: "bytes",
        },
    ]
}

impl Row {
    /// Prints the row. Returns whether the figure is within its limit and not 0, since every
    /// measured step costs something.
    fn show(&self) -> bool {
        let Self {
            what,
            number,
            limit,
            unit,
        } = self;
        println!("{what:<24}{number:>10} {unit} (at most {limit})");
        let good = (1..=*limit).contains(number);
        if !good {
            eprintln!("error: {what} is past its limit, or was not seen");
        }
        good
    }
}

/// Whether the kernel's own figure for `what`, in ns, agrees with the traced number of
/// instructions.
fn agrees(console: &str, what: &str, traced: u64) -> bool {
    let said = number_before(console, what, " ns");
    let near = traced * TOLERANCE_PERCENT / 100 + TOLERANCE;
    let good = said.is_some_and(|said| said.abs_diff(traced) <= near);
    if !good {
        eprintln!("error: {what}: {traced} by the trace, {said:?} by the kernel's clock");
    }
    good
}

/// The number between `what` and `unit`, on the first line of the console's output that has both.
fn number_before(console: &str, what: &str, unit: &str) -> Option<u64> {
    console.lines().find_map(|line| {
        let (_, rest) = line.split_once(what)?;
        rest.split_once(unit)?.0.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::{agrees, number_before};

    #[test]
    fn the_kernels_own_number_must_be_near() {
        let console = "noise\nframe pair                 64 ns\r\n";
        assert_eq!(number_before(console, "frame pair", " ns"), Some(64));
        assert!(agrees(console, "frame pair", 58));
        assert!(!agrees(console, "frame pair", 0) && !agrees(console, "frame pair", 100));
        assert!(!agrees(console, "call", 64), "it is not there");
    }
}

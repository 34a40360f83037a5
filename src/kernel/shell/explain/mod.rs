//! `explain`: an address, or a descriptor, bit by bit.
#![forbid(unsafe_code)]

mod address;
mod descriptor;
mod field_row;

use core::fmt::{self, Write};

use super::arguments::{self, no_choice, number, number_from};
use super::error::CommandError;
use super::lab::spaces;
use crate::paging::format::fields::{AARCH64, LAYOUTS, Layout};

/// `explain ADDRESS [as NAME]`, `explain desc BITS [LEVEL] [--format FORMAT]`
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        ["desc", descriptor, rest @ ..] => {
            let (level, layout) = match rest {
                [] => (None, &AARCH64),
                ["--format", format] => (None, layout(format)?),
                [level] => (Some(level), &AARCH64),
                [level, "--format", format] => (Some(level), layout(format)?),
                [_, other] | [_, other, _] => return Err(no_choice(other, &"--format FORMAT")),
                [..] => return Err(CommandError::wrong_count()),
            };
            let last = layout.levels - 1;
            let level = match level {
                Some(word) => number_from(0, last as u64, word)? as usize,
                None => last,
            };
            descriptor::show(layout, number(descriptor)?, level, out)?;
            Ok(())
        }
        [va] if *va != "desc" => address::explain(arguments::address(va)?, None, out),
        [va, "as", name] => {
            let (va, named) = (arguments::address(va)?, spaces::named(name)?);
            address::explain(va, Some(&named), out)
        }
        [_, other, _] => Err(no_choice(other, &"as NAME")),
        _ => Err(CommandError::wrong_count()),
    }
}

/// The words that Tab completes behind `explain`.
pub(super) fn words(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    match before {
        [] => each("desc"),
        ["desc", .., "--format"] => LAYOUTS.iter().for_each(|layout| each(layout.name)),
        ["desc", _] | ["desc", _, _] => each("--format"),
        ["desc", ..] => {}
        [_] => each("as"),
        _ => {}
    }
}

/// The lines that `help explain` adds.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 8] = [
        "  explain ADDRESS: its bits, the descriptor of each level, what EL1 and EL0 may",
        "  do and the bit that decides, the memory type, the leaf that it is in.",
        "  as NAME: in that space, which need not be the one in use.",
        "  explain desc BITS [LEVEL] [--format FORMAT]: any descriptor, field by field;",
        "  without a LEVEL as of the last one, where pages are. Level 0 is the root.",
        "  FORMAT is aarch64, if none is given, or one of",
        "  x86_64, sv39, sv48 (RISC-V, with Svpbmt), loongarch.",
        "  Registers are read as they are now: MAIR_EL1, SCTLR_EL1, TTBR0_EL1, TTBR1_EL1.",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// The layout of that name.
fn layout(word: &str) -> Result<&'static Layout, CommandError> {
    let mut all = LAYOUTS.iter();
    let found = all.find(|layout| layout.name == word);
    let names = &"aarch64, x86_64, sv39, sv48, loongarch";
    found.copied().ok_or_else(|| no_choice(word, names))
}

//! `map`: the kernel's map, line by line or as a picture, and the boot map.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::arguments::no_choice;
use super::error::CommandError;
use super::picture::{self, Glyphs};
use crate::kernel::report::address_map;
use crate::kernel::report::boot_map::{self, BootHalf};
use crate::paging::PagingError;

/// `map [boot]`, `map --picture [--ascii]`
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => address_map::each_piece(&mut |piece| writeln!(out, "{piece}"))?,
        ["boot"] => show_boot_map(out)?,
        ["--picture"] => picture::draw(Glyphs::Blocks, out)?,
        ["--picture", "--ascii"] => picture::draw(Glyphs::Ascii, out)?,
        ["--picture", other] => return Err(no_choice(other, &"--ascii")),
        [other] => return Err(no_choice(other, &"boot, --picture [--ascii]")),
        _ => return Err(CommandError::wrong_count()),
    }
    Ok(())
}

fn show_boot_map(out: &mut dyn Write) -> Result<(), CommandError> {
    for (half, title) in [
        (BootHalf::Low, "low half (TTBR0_EL1), non-global:"),
        (BootHalf::High, "high half (TTBR1_EL1), global:"),
    ] {
        writeln!(out, "{title}")?;
        let shown = boot_map::each_piece(half, &mut |piece| writeln!(out, "{piece}"));
        shown.ok_or(PagingError::NoMemory)??;
    }
    Ok(())
}

/// The paragraphs that `help map` shows below the usage.
pub(super) fn legend(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 17] = [
        "  map: the kernel's half; `as show` has the pages of the space in use.",
        "  map boot: what the boot map was, until the final one came: built again by",
        "  the code that made it.",
        "  map --picture draws both halves, a row for each part; --ascii in plain ASCII.",
        "  A line: FIRST-LAST address, first frame, rights, memory type, leaf, name.",
        "  rights  r read, w write, x execute, - not allowed; all of the kernel",
        "  types   wb write-back, nc non-cacheable, nGnRE and nGnRnE device memory",
        "  leaf    4K page, 2M or 1G block",
        "  names   text, rodata, data       the image",
        "          RAM                      memory, at its frame + 0xffff000000000000",
        "          boot code, firmware page as long as a core may come",
        "          peripherals              device registers; local: those of the cores",
        "          stack of core N          where core N runs",
        "          exception stack N        where it takes exceptions",
        "          emergency stack N        where, if that is used up",
        "          heap                     grows upwards",
        "          guard                    never mapped, so that running over faults",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

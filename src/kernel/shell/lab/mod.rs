//! The lab: address spaces at the prompt ([`spaces`]), and what an access in them does
//! ([`touch`]).
#![forbid(unsafe_code)]

pub(super) mod spaces;
pub(super) mod touch;

use core::fmt::{self, Write};

use super::arguments::{address, no_choice, size};
use super::error::CommandError;
use super::progress::Progress;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::paging::{MappingFlags, Run};
use crate::text::Size;

/// What `as` does.
const VERBS: &str = "new, list, use, drop, map, unmap, protect, query, show";

/// `as VERB ...`
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        ["new", name] => spaces::create(name),
        ["list"] => list(out),
        ["use", name] => spaces::choose(name),
        ["drop", name] => spaces::remove(name),
        ["map", va, bytes, rights] => map(va, bytes, rights, out),
        ["unmap", va, bytes] => unmap(va, bytes, out),
        ["protect", va, bytes, rights] => protect(va, bytes, rights),
        ["query", va] => query(va, out),
        ["show"] => show(out),
        [verb, ..] if VERBS.split(", ").any(|known| known == *verb) => {
            Err(CommandError::wrong_count())
        }
        [other, ..] => Err(no_choice(other, &VERBS)),
        [] => Err(CommandError::wrong_count()),
    }
}

/// The words behind `as`.
pub(super) fn words(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    match before {
        [] => VERBS.split(", ").for_each(each),
        ["use"] => each(spaces::NONE),
        ["map" | "protect", _, _] => ["r", "rw", "rx", "none"].into_iter().for_each(each),
        _ => {}
    }
}

/// What `help as` adds.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 10] = [
        "  new NAME, list, drop NAME     spaces below 2^48, each with an ASID of its own",
        "  use NAME, use none            enters it; the rest is for that one",
        "  map ADDRESS SIZE RIGHTS       fresh pages of zeros",
        "  unmap ADDRESS SIZE            and give their frames back",
        "  protect ADDRESS SIZE RIGHTS   other rights",
        "  query ADDRESS                 where it leads, with which rights",
        "  show                          all that is mapped, equal pages as one line",
        "  ADDRESS and SIZE are multiples of 4K; a size may end in K, M or G.",
        "  RIGHTS are those of EL0: r, rw, rx, or none.",
        "  Every space has two pages at its top: code for `touch`, and a stack.",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// The rights that were typed as `word`.
fn rights(word: &str) -> Result<MappingFlags, CommandError> {
    match word {
        "r" => Ok(MappingFlags::READ),
        "rw" => Ok(MappingFlags::READ | MappingFlags::WRITE),
        "rx" => Ok(MappingFlags::READ | MappingFlags::EXECUTE),
        "none" => Ok(MappingFlags::empty()),
        other => Err(no_choice(other, &"r, rw, rx, none")),
    }
}

fn list(out: &mut dyn Write) -> Result<(), CommandError> {
    spaces::each(|named, is_used| {
        let pages = named.space.page_count()?;
        let mark = if is_used { '*' } else { ' ' };
        write!(out, "{mark} {:<15} {pages:>6} pages", named.name)?;
        match named.space.asid() {
            Some(asid) => writeln!(out, ", ASID {}", asid.as_u16())?,
            None => writeln!(out, ", no ASID yet")?,
        }
        Ok(())
    })
}

fn map(va: &str, bytes: &str, word: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let (va, bytes, flags) = (address(va)?, size(bytes)?, rights(word)?);
    let space = spaces::used()?.space;
    let mut progress = Progress::new("as", (bytes / PAGE_SIZE) as u64, "pages");
    let mut interrupted = None;
    let mapped = space.map_fresh(va, bytes, flags, &mut |pages| {
        interrupted = progress.at(pages as u64, out).err();
        interrupted.is_none()
    });
    match interrupted {
        Some(interrupted) => Err(interrupted),
        None => Ok(mapped?),
    }
}

fn unmap(va: &str, bytes: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let (va, bytes) = (address(va)?, size(bytes)?);
    let pages = spaces::used()?.space.unmap(va, bytes)?;
    writeln!(out, "{pages} pages unmapped")?;
    Ok(())
}

fn protect(va: &str, bytes: &str, word: &str) -> Result<(), CommandError> {
    let (va, bytes, flags) = (address(va)?, size(bytes)?, rights(word)?);
    spaces::used()?.space.protect(va, bytes, flags)?;
    Ok(())
}

fn query(va: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let (pa, flags, size) = spaces::used()?.space.query(address(va)?)?;
    writeln!(out, "{pa} {flags} {size}")?;
    Ok(())
}

/// Runs that are shown at once: the tables' lock is held while they are collected.
const RUNS: usize = 16;

fn show(out: &mut dyn Write) -> Result<(), CommandError> {
    let named = spaces::used()?;
    let mut next = VirtAddr::new(0);
    loop {
        let mut runs = [const { None }; RUNS];
        named.space.with_view(|view| {
            for (slot, run) in runs.iter_mut().zip(view.iter(next..)) {
                *slot = Some(run);
            }
        });
        for run in runs.iter().flatten() {
            let Run {
                va,
                pa,
                bytes,
                flags,
                size,
                ..
            } = *run;
            writeln!(out, "{va} {:>9} {flags} {size} {pa}", Size(bytes as u64))?;
            next = VirtAddr::new(va.as_usize() + bytes);
        }
        if runs.iter().any(Option::is_none) {
            return Ok(());
        }
    }
}

//! `as map`, `unmap`, `protect`, `remap`, `compact`: changes of the space in use.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt::{self, Write};

use super::super::arguments::{address, no_choice, number, size};
use super::super::error::CommandError;
use super::super::progress::Progress;
use super::spaces;
use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::mm::map_request::{Leaves, MapRequest};
use crate::paging::{MappingFlags, PageSize};

/// The rights that can be typed.
pub(super) const RIGHTS: &str = "r, rw, rx, none";
/// The words that may stand behind them, besides a physical address.
pub(super) const OPTIONS: &str = "fresh, 4k, 2m, 1g, auto, contig";
/// Both, for who typed neither.
const OPTIONS_OR_PA: &str = "fresh, 4k, 2m, 1g, auto, contig, an address";

/// The rights that were typed as `word`.
fn rights(word: &str) -> Result<MappingFlags, CommandError> {
    match word {
        "r" => Ok(MappingFlags::READ),
        "rw" => Ok(MappingFlags::READ | MappingFlags::WRITE),
        "rx" => Ok(MappingFlags::READ | MappingFlags::EXECUTE),
        "none" => Ok(MappingFlags::empty()),
        other => Err(no_choice(other, &RIGHTS)),
    }
}

/// The leaves that were typed as `word`; `None` if that is no size of leaves.
fn leaves(word: &str) -> Option<Leaves> {
    match word {
        "4k" | "4K" => Some(Leaves::Only(PageSize::Size4K)),
        "2m" | "2M" => Some(Leaves::Only(PageSize::Size2M)),
        "1g" | "1G" => Some(Leaves::Only(PageSize::Size1G)),
        "auto" => Some(Leaves::Largest),
        _ => None,
    }
}

/// The request of `as map`: `options` in any order, each kind once.
pub(super) fn request(
    va: &str,
    bytes: &str,
    word: &str,
    options: &[&str],
) -> Result<MapRequest, CommandError> {
    let mut request = MapRequest::pages(address(va)?, size(bytes)?, rights(word)?);
    let (mut has_leaves, mut has_frames) = (false, false);
    for option in options {
        let was_said = if let Some(leaves) = leaves(option) {
            request.leaves = leaves;
            core::mem::replace(&mut has_leaves, true)
        } else if *option == "contig" {
            core::mem::replace(&mut request.is_contiguous, true)
        } else if *option == "fresh" {
            core::mem::replace(&mut has_frames, true)
        } else if option.starts_with(|first: char| first.is_ascii_digit()) {
            request.pa = Some(PhysAddr::new(number(option)? as usize));
            core::mem::replace(&mut has_frames, true)
        } else {
            return Err(no_choice(option, &OPTIONS_OR_PA));
        };
        if was_said {
            return Err(CommandError::of_usage(SaidTwice));
        }
    }
    Ok(request)
}

/// Two words that say one thing, or contradict each other.
#[derive(Debug)]
struct SaidTwice;

impl fmt::Display for SaidTwice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one size of leaves, `contig` once, and `fresh` or one physical address")
    }
}

impl Error for SaidTwice {}

pub(super) fn map(request: &MapRequest, out: &mut dyn Write) -> Result<(), CommandError> {
    let space = spaces::used()?.space;
    let mut progress = Progress::new("as", (request.bytes / PAGE_SIZE) as u64, "pages");
    let mut interrupted = None;
    let mapped = space.map(request, &mut |pages| {
        interrupted = progress.at(pages as u64, out).err();
        interrupted.is_none()
    });
    match interrupted {
        Some(interrupted) => Err(interrupted),
        None => Ok(mapped?),
    }
}

pub(super) fn unmap(va: &str, bytes: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let (va, bytes) = (address(va)?, size(bytes)?);
    let pages = spaces::used()?.space.unmap(va, bytes)?;
    writeln!(out, "{pages} pages unmapped")?;
    Ok(())
}

pub(super) fn protect(va: &str, bytes: &str, word: &str) -> Result<(), CommandError> {
    let (va, bytes, flags) = (address(va)?, size(bytes)?, rights(word)?);
    spaces::used()?.space.protect(va, bytes, flags)?;
    Ok(())
}

pub(super) fn remap(
    va: &str,
    bytes: &str,
    to: &str,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let (va, bytes, to) = (address(va)?, size(bytes)?, address(to)?);
    let pages = spaces::used()?.space.remap(va, bytes, to)?;
    writeln!(out, "{pages} pages moved")?;
    Ok(())
}

pub(super) fn compact(out: &mut dyn Write) -> Result<(), CommandError> {
    let pages = spaces::used()?.space.compact()?;
    writeln!(out, "{pages} pages became blocks")?;
    Ok(())
}

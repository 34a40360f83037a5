//! The table of names and lines that fault reports print, and how it gets into the linked image.
//!
//! `linker.ld` keeps a hole for it, the section `.names`; the layout of the table and the reader
//! are `stilt::exception::names`. [`functions`] finds the functions and [`lines`] the source lines
//! of their instructions in the ELF file, [`shorten`] makes names readable, [`pairs`] makes them
//! small, [`table`] chooses what fits, and [`verify`] reads it all back with the kernel's own
//! reader: each build, since a table that is wrong is found out at the worst moment.
//!
//! # Decisions
//! - The hole is filled in the ELF file, and the flat image is made from that: the same bytes in
//!   both.
//! - All functions or an error. Lines take what is left, in the order of [`table`].

mod error;
mod functions;
mod lines;
mod model;
mod pairs;
mod shorten;
mod table;
mod verify;

use std::ops::Range;
use std::path::Path;

use object::{Object, ObjectSection, SectionKind};

pub(crate) use error::NamesError;
use error::SECTION;
pub(crate) use model::Summary;

/// Fills the hole of a linked image, whose sources are in the checkout at `root`.
///
/// # Errors
/// Why it cannot be filled; then `elf` is as it was.
pub(crate) fn fill(elf: &mut [u8], root: &Path) -> Result<Summary, NamesError> {
    let file = object::File::parse(&*elf)?;
    let hole = hole(&file)?;
    let mut functions = functions::read(&file)?;
    if functions.is_empty() {
        return Err(NamesError::NoFunctions);
    }
    lines::read(&file, root, &mut functions)?;
    let table = table::encode(&functions, hole.len())?;
    verify::verify(&table.bytes, &functions, &table.kept)?;
    put(elf, hole, &table.bytes)?;
    Ok(table.summary)
}

/// Where the hole is in the file.
fn hole(file: &object::File<'_>) -> Result<Range<usize>, NamesError> {
    let section = file.section_by_name(SECTION).ok_or(NamesError::NoHole)?;
    if section.kind() == SectionKind::UninitializedData {
        return Err(NamesError::NoHole);
    }
    let (offset, size) = section.file_range().ok_or(NamesError::NoHole)?;
    Ok(offset as usize..(offset + size) as usize)
}

/// Puts `table` into the hole, and zeros behind it.
fn put(elf: &mut [u8], hole: Range<usize>, table: &[u8]) -> Result<(), NamesError> {
    let hole = elf.get_mut(hole).ok_or(NamesError::NoHole)?;
    let (place, rest) = hole
        .split_at_mut_checked(table.len())
        .ok_or(NamesError::NoHole)?;
    place.copy_from_slice(table);
    rest.fill(0);
    Ok(())
}

#[cfg(test)]
mod tests;

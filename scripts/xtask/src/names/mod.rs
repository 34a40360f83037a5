//! The table of names and source lines that fault reports print, written into the linked image.
//!
//! `linker.ld` reserves space for it, the section `.names`; the layout of the table and the reader
//! are `stilt::exception::names`. [`functions`] reads the functions and [`lines`] the source lines
//! of their instructions from the ELF file, [`shorten`] makes names readable, [`pairs`] compresses
//! them, [`table`] chooses the lines that fit, and [`verify`] reads the table back with the
//! kernel's own reader at each build, because a wrong table would only be noticed in a fault
//! report.
//!
//! # Decisions
//! - The section is filled in the ELF file, and the flat image is made from that, so that both have
//!   equal bytes.
//! - All functions must fit, or the build fails. Lines take the rest of the space, in the order of
//!   [`table`].

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

/// Fills the section `.names` of a linked image whose sources are in the checkout at `root`.
///
/// # Errors
/// The reason why it cannot be filled; `elf` is then unchanged.
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

/// The range of the section `.names` in the file.
fn hole(file: &object::File<'_>) -> Result<Range<usize>, NamesError> {
    let section = file.section_by_name(SECTION).ok_or(NamesError::NoHole)?;
    if section.kind() == SectionKind::UninitializedData {
        return Err(NamesError::NoHole);
    }
    let (offset, size) = section.file_range().ok_or(NamesError::NoHole)?;
    Ok(offset as usize..(offset + size) as usize)
}

/// Writes `table` into the section, and zeros behind it.
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

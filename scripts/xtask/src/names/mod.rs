//! The table of names and lines that fault reports print, and how it gets into the linked image.
//!
//! `linker.ld` keeps a hole for it, the section `.names`; the layout of the table and the reader are
//! `stilt::exception::names`. [`functions`] finds the functions and [`lines`] the source lines of their
//! instructions in the ELF file, [`shorten`] makes names readable, [`pairs`] makes them small, [`table`] chooses
//! what fits, and [`verify`] reads it all back with the kernel's own reader: each build, since a table that is
//! wrong is found out at the worst moment.
//!
//! # Decisions
//! - The hole is filled in the ELF file, and the flat image is made from that: the same bytes in both.
//! - All functions or an error. Lines take what is left, in the order of [`table`].

mod functions;
mod lines;
mod pairs;
mod shorten;
mod table;
mod verify;

use std::fmt;
use std::ops::Range;
use std::path::Path;

use object::{Object, ObjectSection, SectionKind};
use thiserror::Error;

/// The hole's section.
const SECTION: &str = ".names";

/// Why an image gets no names.
#[derive(Debug, Error)]
pub(crate) enum NamesError {
    #[error("not an ELF file that can be read: {0}")]
    Elf(#[from] object::read::Error),
    #[error("its lines cannot be read: {0}")]
    Dwarf(#[from] addr2line::gimli::Error),
    #[error("there is no section {SECTION} with bytes in the file: see linker.ld")]
    NoHole,
    #[error("there are no functions in it: link without --strip-all")]
    NoFunctions,
    #[error("there is no line of this checkout's sources in it: release builds need `debug`")]
    NoLines,
    #[error("{what} is {value}, more than the table can hold")]
    Range { what: &'static str, value: u64 },
    #[error(
        "the names of all functions take {needed} bytes, but {SECTION} has {available}: enlarge NAMES_SIZE in linker.ld"
    )]
    TooLarge { needed: usize, available: usize },
    #[error("the table does not read back: {what} at {address:#x} is {found:?}, not {expected:?}")]
    Differs {
        what: &'static str,
        address: u64,
        found: String,
        expected: String,
    },
}

/// A function of the image.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Function {
    /// Its first byte, as linked.
    start: u64,
    /// In bytes.
    size: u64,
    /// As reports show it.
    name: String,
    /// Its instructions and where they come from, in the order of addresses.
    instructions: Vec<Instruction>,
}

/// What the table says about one instruction.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Instruction {
    use_: Use,
    /// Lines from the outermost to the innermost; empty if unknown.
    chain: Vec<SourceLine>,
}

/// Why someone may ask for an instruction's line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Use {
    /// A call: every backtrace has some.
    Call,
    /// It can cause a synchronous exception.
    Fault,
    /// Only an interrupt can stop there.
    Other,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct SourceLine {
    file: String,
    line: u32,
}

/// What was put into an image, in bytes if not said otherwise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Summary {
    functions: usize,
    names: usize,
    calls: Share,
    faults: Share,
    lines: usize,
    hole: usize,
}

/// How many instructions of a kind have their line in the table, of those that have one at all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Share {
    kept: usize,
    known: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            functions,
            names,
            calls,
            faults,
            lines,
            hole,
        } = self;
        write!(
            f,
            "names: {functions} functions in {names} bytes; lines of {} of {} calls and {} of {} instructions that \
             can fault in {lines} bytes; {} of {hole} bytes used",
            calls.kept,
            calls.known,
            faults.kept,
            faults.known,
            names + lines
        )
    }
}

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

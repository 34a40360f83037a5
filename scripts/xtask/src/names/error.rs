//! Errors of putting names into an image.

#![forbid(unsafe_code)]

use thiserror::Error;

/// The section that `linker.ld` reserves for the table.
pub(super) const SECTION: &str = ".names";

/// Reasons why an image gets no names.
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

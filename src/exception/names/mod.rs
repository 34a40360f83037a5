//! From an address to the function and the source line there.
//!
//! The build puts a table of all functions into the image, behind the constants (`linker.ld`,
//! `.names`; written by `scripts/xtask/src/names/`). This reads it. A fault report relies on it, so
//! it holds nothing but the table's bytes and believes none of them: a damaged table gives wrong
//! names or none, but no panic, and every search ends after one pass over the table at the latest.
//!
//! # The table
//!
//! Integers are little endian. *Number* is seven bits a byte, lowest first, the top bit set on all
//! but the last byte; *difference* is a number with its sign in bit 0. *Text* is a number of bytes
//! and then these, each of them a character or a pair of bytes (`text`).
//!
//! | offset | what |
//! |---|---|
//! | 0 | [`MAGIC`], four bytes |
//! | 4, 6 | [`VERSION`] and how many files: u16 |
//! | 8 | bytes of the table, all that is listed here: u32 |
//! | 12 | bytes of the functions' records: u32 |
//! | 16, 18 | how many characters and how many pairs the dictionary has: u16 |
//! | 20 | physical address at which the first record begins, in instructions of four bytes: u32 |
//! | 24 | characters, one byte each; pairs, two bytes each |
//! | | a record for each function, in the order of addresses |
//! | | a text for each file |
//!
//! A record: a number, twice the function's instructions and 1 more if there is a gap before it;
//! for a gap, a number of instructions; the name, a text; the bytes of its rows, a number; the rows
//! (`rows`).
//!
//! # Decisions
//!
//! - Addresses are taken high or physical, and what is answered lies where the question was: the
//!   kernel runs at both.
//! - No index: a search reads some hundred records of a few dozen bytes, and a report is rare.
//! - An address between functions has no name. That of the function before it would be a guess.
#![forbid(unsafe_code)]

mod bytes;
mod packed_text;
mod rows;

use core::fmt;

use bytes::Bytes;
use packed_text::{Dictionary, PackedText};

pub use packed_text::{TEXT_MAX, WAITING_MAX};
pub use rows::{
    CHAIN_MAX, ChainChange, FILE_FIRST, GAP_ESCAPE, LENGTH_ESCAPE, RECENT, RECENT_FIRST, SAME_FILE,
};

/// The first four bytes of a table. An image that was linked, and into which no table was put, has
/// zeros there.
pub const MAGIC: [u8; 4] = *b"NAME";

/// The version of the layout above. A reader takes no other: the build that changes the layout
/// counts it up, and writer and reader go into one image.
pub const VERSION: u16 = 1;

/// Bytes of the header, whose fields stand at fixed offsets; the dictionary's characters begin at
/// this one.
pub const HEADER_LENGTH: usize = 24;

/// Bytes of an A64 instruction, each of which stands at a multiple of four: the unit of the table's
/// addresses and lengths.
pub const INSTRUCTION: u64 = 4;

/// The bits that make a physical address one of the kernel's high half; all of them or none. The
/// board's `KERNEL_VA_OFFSET`, which the kernel's reports hold equal: this room imports none.
pub const HIGH_BITS: u64 = 0xffff_0000_0000_0000;

/// Why [`Names::new`] refuses a table. A report goes on without names then, and prints addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NamesError {
    /// Fewer bytes than a header has.
    TooShort {
        /// How many there are.
        length: usize,
    },
    /// All zero where the magic should be: nobody filled the image's hole.
    Empty,
    /// Another beginning than [`MAGIC`].
    Magic {
        /// The value found there.
        found: [u8; 4],
    },
    /// Another version than [`VERSION`].
    Version {
        /// The value found there.
        found: u16,
    },
    /// The table's parts do not fit into it, or it does not fit into its place.
    Size {
        /// Bytes that the header says.
        stated: u32,
        /// Bytes that there are.
        length: usize,
    },
}

impl fmt::Display for NamesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { length } => write!(f, "{length} bytes hold no table of names"),
            Self::Empty => write!(f, "the build put no names into this image"),
            Self::Magic { found } => write!(f, "a table of names does not begin with {found:02x?}"),
            Self::Version { found } => write!(f, "names of version {found}, not {VERSION}"),
            Self::Size { stated, length } => write!(
                f,
                "a table of names says {stated} bytes, which do not fit together or not into {length}"
            ),
        }
    }
}

impl core::error::Error for NamesError {}

/// The functions of the image, and lines of its source, read from a table's bytes on each question.
/// A search is linear: some hundred records. A question that the table cannot answer gives `None`.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    dictionary: Dictionary<'a>,
    first: u64,
    functions: &'a [u8],
    files: &'a [u8],
    file_count: u16,
}

/// A function of the image and an address in it. Shown as its name, which the build cuts to
/// [`TEXT_MAX`] characters; `?` stands for a character that a damaged table does not have.
#[derive(Clone, Copy, Debug)]
pub struct NamedFunction<'a> {
    /// Its first byte, in the half of the address space in which it was asked for.
    pub start: u64,
    /// Bytes from there to the address.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
    name: PackedText<'a>,
    rows: &'a [u8],
}

/// Where in the source an instruction comes from; shown as the innermost line and, behind `via`,
/// the lines into which it was inlined: `src/a.rs:7 via src/b.rs:40`. Of more than [`CHAIN_MAX`]
/// the middle is missing.
#[derive(Clone, Copy, Debug)]
pub struct SourceLocation<'a> {
    names: Names<'a>,
    chain: rows::Chain,
}

/// A line of a file; shown as `src/a.rs:7`, or as `?:7` if the table has no such file.
#[derive(Clone, Copy, Debug)]
pub struct SourceLine<'a> {
    file: Option<PackedText<'a>>,
    /// The number of the line, from 1 on.
    pub line: u32,
}

impl<'a> Names<'a> {
    /// The names in `table`, which may be followed by anything.
    ///
    /// # Errors
    /// The error of the header. The parts behind it are checked when they are needed.
    pub fn new(table: &'a [u8]) -> Result<Self, NamesError> {
        let header = table.get(..HEADER_LENGTH).ok_or(NamesError::TooShort {
            length: table.len(),
        })?;
        let found = [header[0], header[1], header[2], header[3]];
        match found {
            MAGIC => {}
            [0, 0, 0, 0] => return Err(NamesError::Empty),
            _ => return Err(NamesError::Magic { found }),
        }
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let word = |at: usize| u32::from(half(at)) | u32::from(half(at + 2)) << 16;
        if half(4) != VERSION {
            return Err(NamesError::Version { found: half(4) });
        }
        let (stated, functions) = (word(8), word(12));
        let parts = || {
            let mut rest = Bytes(table.get(HEADER_LENGTH..usize::try_from(stated).ok()?)?);
            let dictionary = Dictionary {
                characters: rest.take(usize::from(half(16)))?,
                pairs: rest.take(2 * usize::from(half(18)))?,
            };
            Some((
                dictionary,
                rest.take(usize::try_from(functions).ok()?)?,
                rest.0,
            ))
        };
        let (dictionary, functions, files) = parts().ok_or(NamesError::Size {
            stated,
            length: table.len(),
        })?;
        Ok(Self {
            dictionary,
            first: u64::from(word(20)) * INSTRUCTION,
            functions,
            files,
            file_count: half(6),
        })
    }

    /// The function in which `address` lies. For a return address ask for an instruction less: the
    /// call may be the last thing that its function does.
    #[must_use]
    pub fn function(&self, address: u64) -> Option<NamedFunction<'a>> {
        let physical = match address & HIGH_BITS {
            0 | HIGH_BITS => address & !HIGH_BITS,
            _ => return None,
        };
        let mut records = Bytes(self.functions);
        let mut end = self.first;
        // A record takes three bytes at least: this ends.
        while !records.is_empty() {
            let extent = records.number()?;
            let gap = if extent & 1 == 0 {
                0
            } else {
                records.number()?
            };
            let start = end.saturating_add(u64::from(gap) * INSTRUCTION);
            let size = u64::from(extent >> 1) * INSTRUCTION;
            end = start.saturating_add(size);
            let name = self.text(records.counted()?);
            let rows = records.counted()?;
            if physical < end {
                let offset = physical.checked_sub(start)?;
                let start = address - offset;
                return Some(NamedFunction {
                    start,
                    offset,
                    size,
                    name,
                    rows,
                });
            }
        }
        None
    }

    /// The source of the instruction at `address`, if the build had room to keep it. For a return
    /// address ask for an instruction less, which is the call.
    #[must_use]
    pub fn line(&self, address: u64) -> Option<SourceLocation<'a>> {
        let function = self.function(address)?;
        let instruction = u32::try_from(function.offset / INSTRUCTION).ok()?;
        let chain = rows::find(function.rows, instruction)?;
        Some(SourceLocation {
            names: *self,
            chain,
        })
    }

    /// `link`, the value of x30 at an exception, if it may be a return address that is in no frame
    /// record yet: it lies in the image's code, and in another function than `pc`.
    ///
    /// In the same function it is most likely what a call left behind that has returned.
    #[must_use]
    pub fn return_address(&self, pc: u64, link: u64) -> Option<u64> {
        let caller = self.function(link.checked_sub(INSTRUCTION)?)?;
        let interrupted = self.function(pc);
        let same = interrupted.is_some_and(|function| function.start == caller.start);
        (link.is_multiple_of(INSTRUCTION) && !same).then_some(link)
    }

    fn text(&self, bytes: &'a [u8]) -> PackedText<'a> {
        PackedText {
            dictionary: self.dictionary,
            bytes,
        }
    }

    /// The name of the file with this index.
    fn file(&self, index: u32) -> Option<PackedText<'a>> {
        if index >= u32::from(self.file_count) {
            return None;
        }
        let mut files = Bytes(self.files);
        for _ in 0..index {
            files.counted()?;
        }
        Some(self.text(files.counted()?))
    }
}

impl fmt::Display for NamedFunction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl<'a> SourceLocation<'a> {
    /// The lines, the innermost first: [`CHAIN_MAX`] at most, and never none. The last is the line
    /// of the function that was compiled, the others were inlined into it.
    pub fn lines(&self) -> impl Iterator<Item = SourceLine<'a>> {
        let lines = self.chain.lines().iter().rev();
        lines.map(|line| SourceLine {
            file: self.names.file(line.file),
            line: line.line,
        })
    }
}

impl fmt::Display for SourceLocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines().enumerate() {
            if index > 0 {
                f.write_str(" via ")?;
            }
            line.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for SourceLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => file.fmt(f)?,
            None => f.write_str("?")?,
        }
        write!(f, ":{}", self.line)
    }
}

#[cfg(test)]
mod tests;

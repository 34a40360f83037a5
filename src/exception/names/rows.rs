//! The lines of one function: which instructions come from where in the source.
//!
//! A row covers some instructions of the function and gives the chain of source lines that they
//! come from: the outermost function's line first, then one for each call that was inlined. A row's
//! first byte holds three fields, and what they announce follows in this order:
//!
//! | bits | what | escape |
//! |---|---|---|
//! | 2:0 | instructions without a line before the row | 7: and as many more as the next number says |
//! | 4:3 | instructions of the row, less 1 | 3: and as many more as the next number says |
//! | 7:5 | how the chain differs from that of the row before | see [`ChainChange`] |
#![forbid(unsafe_code)]

use super::bytes::Bytes;

/// Lines that a chain can have: the function's own and three that were inlined into it. The build
/// leaves out the middle of longer ones; a row of a damaged table that makes a longer one has no
/// answer.
pub const CHAIN_MAX: usize = 4;

/// The largest value of the field for instructions without a line; it announces a number.
pub const GAP_ESCAPE: u32 = 7;

/// The largest value of the field for a row's instructions, which holds one less: 0 to 2 are 1 to 3
/// instructions, 3 and a number `n` behind it are `n + 4`.
pub const LENGTH_ESCAPE: u32 = 3;

/// How many of the lines that came last can come again by their number, 1 to 16: one byte then
/// stands for a file and a line.
pub const RECENT: usize = 16;

/// How a chain differs from the one before it: how many lines go away, and which come.
///
/// A line that comes is a number and what that announces:
///
/// | number | what |
/// |---|---|
/// | 0 | in the file of the line that was at the same depth before, or else of the one outside of it; a difference |
/// | 1 to [`RECENT`] | the line that came last, the one before that, and so on, each counted once |
/// | more | [`FILE_FIRST`] and the file's index; then the line, a number |
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ChainChange {
    /// Nothing.
    Same = 0,
    /// One goes, one in the same file comes: only the difference is there.
    Line = 1,
    /// One goes, one comes.
    Replace = 2,
    /// One comes.
    Push = 3,
    /// One goes.
    Pop = 4,
    /// Two go, one comes.
    TwoForOne = 5,
    /// One goes, two come.
    OneForTwo = 6,
    /// A byte says how many go (bits 7:4) and how many come (bits 3:0).
    Many = 7,
}

/// The number for a line in a file that is known from the chain: only the difference to a line of
/// that file follows.
pub const SAME_FILE: u32 = 0;

/// The number for the line that came last; greater ones follow for those before it.
pub const RECENT_FIRST: u32 = 1;

/// The number for a line in the first file of the table's list; greater ones follow for the others.
pub const FILE_FIRST: u32 = RECENT_FIRST + RECENT as u32;

/// One line of the source.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct LineEntry {
    /// Index in the table's list of files.
    pub(super) file: u32,
    /// From 1 on.
    pub(super) line: u32,
}

/// Lines from the outermost to the innermost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    /// Behind the first `count` stand those that went away, for [`SAME_FILE`].
    lines: [LineEntry; CHAIN_MAX],
    count: usize,
}

/// A chain and the lines that came lately, the last one first.
#[derive(Default)]
struct Decoder {
    chain: Chain,
    recent: [LineEntry; RECENT],
}

impl Chain {
    /// The lines; the innermost is last.
    pub(super) fn lines(&self) -> &[LineEntry] {
        self.lines.get(..self.count).unwrap_or_default()
    }
}

impl Decoder {
    fn change(&mut self, change: u8, bytes: &mut Bytes<'_>) -> Option<()> {
        const SAME: u8 = ChainChange::Same as u8;
        const LINE: u8 = ChainChange::Line as u8;
        const REPLACE: u8 = ChainChange::Replace as u8;
        const PUSH: u8 = ChainChange::Push as u8;
        const POP: u8 = ChainChange::Pop as u8;
        const TWO_FOR_ONE: u8 = ChainChange::TwoForOne as u8;
        const ONE_FOR_TWO: u8 = ChainChange::OneForTwo as u8;
        let before = self.chain.count;
        let (gone, come) = match change {
            SAME => (0, 0),
            LINE => {
                self.chain.count = before.checked_sub(1)?;
                let line = self.same_file(before, bytes)?;
                return self.push(line);
            }
            REPLACE => (1, 1),
            PUSH => (0, 1),
            POP => (1, 0),
            TWO_FOR_ONE => (2, 1),
            ONE_FOR_TWO => (1, 2),
            _ => {
                let counts = bytes.byte()?;
                (usize::from(counts >> 4), usize::from(counts & 0xf))
            }
        };
        self.chain.count = before.checked_sub(gone)?;
        for _ in 0..come {
            let line = self.line(before, bytes)?;
            self.push(line)?;
        }
        Some(())
    }

    /// The line that comes next to a chain that had `before` lines.
    fn line(&self, before: usize, bytes: &mut Bytes<'_>) -> Option<LineEntry> {
        match bytes.number()? {
            SAME_FILE => self.same_file(before, bytes),
            number @ RECENT_FIRST..FILE_FIRST => {
                let index = usize::try_from(number - RECENT_FIRST).ok()?;
                self.recent.get(index).copied()
            }
            number => Some(LineEntry {
                file: number - FILE_FIRST,
                line: bytes.number()?,
            }),
        }
    }

    fn same_file(&self, before: usize, bytes: &mut Bytes<'_>) -> Option<LineEntry> {
        let depth = self.chain.count;
        let index = if depth < before {
            depth
        } else {
            depth.checked_sub(1)?
        };
        let known = self.chain.lines.get(index)?;
        Some(LineEntry {
            file: known.file,
            line: known.line.wrapping_add_signed(bytes.difference()?),
        })
    }

    fn push(&mut self, line: LineEntry) -> Option<()> {
        *self.chain.lines.get_mut(self.chain.count)? = line;
        self.chain.count += 1;
        let found = self.recent.iter().position(|recent| *recent == line);
        self.recent
            .get_mut(..=found.unwrap_or(RECENT - 1))?
            .rotate_right(1);
        *self.recent.first_mut()? = line;
        Some(())
    }
}

/// The chain of the instruction with this index in its function.
pub(super) fn find(rows: &[u8], instruction: u32) -> Option<Chain> {
    let mut bytes = Bytes(rows);
    let mut decoder = Decoder::default();
    let mut at: u32 = 0;
    // A row takes a byte at least: this ends.
    while !bytes.is_empty() {
        let head = bytes.byte()?;
        let first = at.checked_add(field(head & 7, GAP_ESCAPE, &mut bytes)?)?;
        let length = field(head >> 3 & 3, LENGTH_ESCAPE, &mut bytes)?.checked_add(1)?;
        at = first.checked_add(length)?;
        decoder.change(head >> 5, &mut bytes)?;
        if instruction < at {
            let chain = decoder.chain;
            return (instruction >= first && !chain.lines().is_empty()).then_some(chain);
        }
    }
    None
}

fn field(value: u8, escape: u32, bytes: &mut Bytes<'_>) -> Option<u32> {
    let value = u32::from(value);
    if value == escape {
        value.checked_add(bytes.number()?)
    } else {
        Some(value)
    }
}

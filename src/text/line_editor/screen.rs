//! The editor's output to a terminal, and the position of the terminal's cursor.
//!
//! Positions are offsets from the first letter of the prompt; offset `n` is in row `n / columns`,
//! column `n % columns`. One place is special: after a letter in the last column a terminal keeps
//! its cursor on that letter and goes to the next row only when another letter comes (DEC's
//! "pending wrap"). What relative moves and erasures do there differs from terminal to terminal, so
//! nothing but a letter or a return is ever sent there.
//!
//! # Decisions
//!
//! - The user's line matters more than its echo: errors of the writer are dropped, here and nowhere
//!   else.
//! - No letter is sent to force a wrap: text that is typed at the end is echoed as it is, whatever
//!   the width.

#![forbid(unsafe_code)]

use core::fmt::{self, Write};

/// The width of a terminal that does not tell.
const COLUMNS: usize = 80;

/// A width below this is not believed: `ESC [ 1 ; n R` is also function key 3 with modifiers, and
/// for those `n` is 16 at most.
pub(super) const COLUMNS_MIN: u16 = 17;

/// Where the terminal's cursor stands.
///
/// # Invariants
/// `row * columns <= offset <= (row + 1) * columns`; at the upper end the wrap is pending.
#[derive(Clone, Copy, Debug)]
pub(super) struct CursorPosition {
    columns: usize,
    offset: usize,
    row: usize,
}

impl CursorPosition {
    pub(super) const START: Self = Self {
        columns: COLUMNS,
        offset: 0,
        row: 0,
    };

    /// The cursor stands at the start of a row, and the prompt comes next.
    pub(super) fn restart(&mut self) {
        (self.offset, self.row) = (0, 0);
    }

    /// The terminal has so many columns. `is_at_end`: no text is behind the cursor. Text that was
    /// typed at the end lies as the terminal has wrapped it. Returns whether it had another number.
    pub(super) fn set_columns(&mut self, columns: u16, is_at_end: IsAtEnd) -> bool {
        let is_other = self.columns != usize::from(columns);
        self.columns = usize::from(columns);
        self.row = match is_at_end {
            IsAtEnd::Yes => self.row_of_last(self.offset),
            IsAtEnd::No => self.offset / self.columns,
        };
        is_other
    }

    /// The row in which text of `length` letters ends.
    fn row_of_last(&self, length: usize) -> usize {
        length.saturating_sub(1) / self.columns
    }

    fn wrap_is_pending(&self) -> bool {
        self.offset == (self.row + 1) * self.columns
    }
}

/// Whether the editor's cursor is behind the last letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsAtEnd {
    Yes,
    No,
}

/// A terminal behind a writer.
pub(super) struct Screen<'a> {
    out: &'a mut dyn Write,
    place: &'a mut CursorPosition,
}

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a mut dyn Write, place: &'a mut CursorPosition) -> Self {
        Self { out, place }
    }

    pub(super) fn place(&mut self) -> &mut CursorPosition {
        self.place
    }

    /// Prints letters from the cursor on; the terminal wraps them.
    pub(super) fn print(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.send(format_args!("{text}"));
        self.place.offset += text.len();
        self.place.row = self.place.row_of_last(self.place.offset);
    }

    /// Goes to the row in which the letter behind the cursor is, or will be printed next.
    pub(super) fn wrap(&mut self) {
        if self.place.wrap_is_pending() {
            self.send(format_args!("\r\n"));
            self.place.row += 1;
        }
    }

    /// Moves the cursor left or up, to `offset`.
    pub(super) fn back_to(&mut self, offset: usize) {
        let steps = self.place.offset.saturating_sub(offset);
        if steps == 0 {
            return;
        }
        let (row, column) = (offset / self.place.columns, offset % self.place.columns);
        let rows = self.place.row - row;
        match steps {
            _ if rows > 0 || self.place.wrap_is_pending() => {
                self.send(format_args!("\r"));
                self.step(rows, 'A');
                self.step(column, 'C');
            }
            1 => self.send(format_args!("\x08")),
            _ => self.step(steps, 'D'),
        }
        (self.place.offset, self.place.row) = (offset, row);
    }

    /// Erases from the cursor to the end of what was printed, `length` letters with the prompt.
    pub(super) fn erase_rest(&mut self, length: usize) {
        let is_in_one_row = self.place.row_of_last(length) <= self.place.row;
        let erase = if is_in_one_row { "\x1b[K" } else { "\x1b[J" };
        self.send(format_args!("{erase}"));
    }

    /// Begins a row below the text, of which `rest` stands behind the cursor.
    pub(super) fn leave(&mut self, rest: &str) {
        self.end_with("", rest);
    }

    /// Likewise, with `mark` at the cursor if that is in the last row, and at the end otherwise.
    pub(super) fn end_with(&mut self, mark: &str, rest: &str) {
        if self.place.row_of_last(self.place.offset + rest.len()) > self.place.row {
            self.print(rest);
        }
        self.print(mark);
        self.new_row();
    }

    pub(super) fn new_row(&mut self) {
        self.send(format_args!("\r\n"));
        self.place.restart();
    }

    /// Prints `word` behind the one before, or in the next row if this one has no room.
    pub(super) fn list(&mut self, word: &str) {
        const GAP: &str = "  ";
        let end = self.place.offset + GAP.len() + word.len();
        match self.place.offset {
            0 => {}
            _ if end > self.place.columns => self.new_row(),
            _ => self.print(GAP),
        }
        self.print(word);
    }

    /// Clears everything and puts the cursor into the upper left corner.
    pub(super) fn clear(&mut self) {
        self.send(format_args!("\x1b[H\x1b[2J"));
        self.place.restart();
    }

    pub(super) fn bell(&mut self) {
        self.send(format_args!("\x07"));
    }

    /// Asks where the cursor is after 999 steps to the right, which the last column ends, and goes
    /// back. For a cursor in the prompt's first row, or before the screen is cleared.
    pub(super) fn ask_for_columns(&mut self) {
        self.send(format_args!("\r\x1b[999C\x1b[6n\r"));
        self.step(self.place.offset, 'C');
    }

    fn step(&mut self, count: usize, direction: char) {
        if count > 0 {
            self.send(format_args!("\x1b[{count}{direction}"));
        }
    }

    fn send(&mut self, arguments: fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(arguments);
    }
}

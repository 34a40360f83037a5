//! The few things that the editor asks of a terminal.
//!
//! # Decisions
//!
//! - The user's line matters more than its echo: errors of the writer are dropped, here and nowhere
//!   else.

#![forbid(unsafe_code)]

use core::fmt::{self, Write};

/// A terminal behind a writer.
pub(super) struct Screen<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    pub(super) fn print(&mut self, text: &str) {
        self.format(format_args!("{text}"));
    }

    /// Moves the cursor left, within its row.
    pub(super) fn left(&mut self, columns: usize) {
        match columns {
            0 => {}
            1 => self.print("\x08"),
            _ => self.format(format_args!("\x1b[{columns}D")),
        }
    }

    pub(super) fn new_row(&mut self) {
        self.print("\r\n");
    }

    pub(super) fn erase_to_end_of_row(&mut self) {
        self.print("\x1b[K");
    }

    /// Clears everything and puts the cursor into the upper left corner.
    pub(super) fn clear(&mut self) {
        self.print("\x1b[H\x1b[2J");
    }

    pub(super) fn bell(&mut self) {
        self.print("\x07");
    }

    fn format(&mut self, arguments: fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(arguments);
    }
}

//! The line editor: bytes from a terminal in; echo and finished lines out.
//!
//! Owns the line being typed, the cursor, the history, and what the terminal's rows show. The
//! invariant between calls, from [`LineEditor::start`] until a line is finished: the rows hold the
//! prompt and the line, and the terminal's cursor stands at the editor's.
//!
//! # Decisions
//!
//! - Characters typed at the end of the line are echoed as they are, without any control sequence:
//!   what listens on a serial line (a log, a test) sees prompt and command as plain text, also
//!   where the terminal goes on in the next row. Everything else is drawn relative to the cursor.
//! - The terminal is asked for its width, and nobody waits for the answer: it comes among the keys.
//!   Until it does, and on a line without a terminal, a row has 80 columns.
//! - `noline`, the maintained line editor without `std`, is not used: it asks the terminal before
//!   each line and drops the line if anything but the answer comes, so piped input and a plain
//!   serial line do not get through; it does not complete words. `embedded-cli` and `ushell` know
//!   no rows at all.
//! - The echo ends rows with CR LF, so it needs no translation. A writer that adds a CR before each
//!   LF does no harm.

#![forbid(unsafe_code)]

mod completion;
mod history;
mod keys;
mod line_text;
mod screen;

#[cfg(test)]
mod tests;

pub use completion::Words;
pub use history::HISTORY_LINES;
pub use line_text::LINE_CAPACITY;

use core::fmt::Write;
use core::ops::Range;

use completion::{Completion, complete, each_candidate};
use history::History;
use keys::{Key, KeyDecoder};
use line_text::{KeyRefused, LineText};
use screen::{COLUMNS_MIN, CursorPosition, IsAtEnd, Screen};

/// The result of one input byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Event {
    /// The line is not finished.
    Pending,
    /// The user pressed Enter: [`LineEditor::line`] has the line.
    Line,
    /// The user pressed Ctrl-C: the line is dropped.
    Interrupt,
}

/// An editor for lines of up to [`LINE_CAPACITY`] printable ASCII characters, with a history of
/// [`HISTORY_LINES`] lines, all in its own memory.
pub struct LineEditor {
    prompt: &'static str,
    keys: KeyDecoder,
    text: LineText,
    /// Where the next character goes: at most `text.len()`.
    cursor: usize,
    history: History,
    phase: Phase,
    width: TerminalWidth,
    place: CursorPosition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Editing,
    /// An event has ended the line; the row with the prompt is to come.
    Ended,
}

/// How the terminal's width is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminalWidth {
    /// The terminal was never asked.
    Unasked,
    /// It was asked, and its answer has not come.
    Asked,
    /// It was asked when the screen was cleared: the line is drawn anew if its answer is another.
    AskedAnew,
    /// It has answered the last question.
    Told,
}

impl LineEditor {
    /// An editor with an empty history. [`Self::start`] makes it ask for a line.
    pub const fn new() -> Self {
        Self {
            prompt: "",
            keys: KeyDecoder::Ground,
            text: LineText::EMPTY,
            cursor: 0,
            history: History::EMPTY,
            phase: Phase::Editing,
            width: TerminalWidth::Unasked,
            place: CursorPosition::START,
        }
    }

    /// Prints `prompt` (printable ASCII, at the start of a row) and begins an empty line.
    pub fn start(&mut self, prompt: &'static str, out: &mut dyn Write) {
        self.prompt = prompt;
        self.edit(out, |line, screen| line.begin(screen));
    }

    /// Asks the terminal for its width, unless the last question has no answer yet. At the start of
    /// a row or behind the prompt, when no key waits to be read: whoever typed ahead, or is no
    /// terminal, would take the answer for something else.
    pub fn ask_for_width(&mut self, out: &mut dyn Write) {
        if matches!(self.width, TerminalWidth::Unasked | TerminalWidth::Told) {
            self.width = TerminalWidth::Asked;
            self.edit(out, |_, screen| screen.ask_for_columns());
        }
    }

    /// The line: as far as it is typed, or after [`Event::Line`] the finished one, until the next
    /// [`Self::start`] or [`Self::feed`].
    pub fn line(&self) -> &str {
        self.text.as_str()
    }

    /// Takes one byte from the terminal and writes the echo to `out`. Tab completes the word before
    /// the cursor from `words`.
    ///
    /// Keys that come after [`Event::Line`] or [`Event::Interrupt`] without a [`Self::start`] begin
    /// a line with the same prompt.
    pub fn feed(&mut self, byte: u8, words: Words<'_>, out: &mut dyn Write) -> Event {
        let Some(key) = self.keys.decode(byte) else {
            return Event::Pending;
        };
        self.edit(out, |line, screen| {
            if let Key::CursorAt(column) = key {
                line.take_width(column, screen);
                return Event::Pending;
            }
            if line.phase == Phase::Ended {
                line.begin(screen);
            }
            line.press(key, words, screen).unwrap_or_else(|KeyRefused| {
                screen.bell();
                Event::Pending
            })
        })
    }

    /// Does `work` with the terminal behind `out`.
    fn edit<R>(
        &mut self,
        out: &mut dyn Write,
        work: impl FnOnce(&mut Self, &mut Screen<'_>) -> R,
    ) -> R {
        let mut place = self.place;
        let result = work(self, &mut Screen::new(out, &mut place));
        self.place = place;
        result
    }

    /// Takes the answer to [`Self::ask_for_width`]. One that was not asked for is a key that we do
    /// not have.
    fn take_width(&mut self, column: u16, screen: &mut Screen<'_>) {
        let asked = self.width;
        if !matches!(asked, TerminalWidth::Asked | TerminalWidth::AskedAnew) || column < COLUMNS_MIN
        {
            return;
        }
        self.width = TerminalWidth::Told;
        let is_at_end = if self.cursor == self.text.len() {
            IsAtEnd::Yes
        } else {
            IsAtEnd::No
        };
        let is_other = screen.place().set_columns(column, is_at_end);
        if is_other && asked == TerminalWidth::AskedAnew && self.phase == Phase::Editing {
            screen.clear();
            self.draw_row(screen);
        }
    }

    fn begin(&mut self, screen: &mut Screen<'_>) {
        self.text = LineText::EMPTY;
        self.cursor = 0;
        self.history.leave();
        self.phase = Phase::Editing;
        screen.place().restart();
        screen.print(self.prompt);
    }

    fn press(
        &mut self,
        key: Key,
        words: Words<'_>,
        screen: &mut Screen<'_>,
    ) -> Result<Event, KeyRefused> {
        let (cursor, end) = (self.cursor, self.text.len());
        match key {
            Key::Text(character) => self.insert(character.encode_utf8(&mut [0; 4]), screen)?,
            Key::Foreign | Key::CursorAt(_) => return Err(KeyRefused),
            Key::Enter => return Ok(self.finish(screen)),
            Key::Interrupt => return Ok(self.interrupt(screen)),
            Key::Complete => self.complete(words, screen)?,
            Key::Backspace => self.remove(cursor.saturating_sub(1)..cursor, screen),
            Key::Delete => self.remove(cursor..end.min(cursor + 1), screen),
            Key::Left => self.move_to(cursor.saturating_sub(1), screen),
            Key::Right => self.move_to(end.min(cursor + 1), screen),
            Key::Home => self.move_to(0, screen),
            Key::End => self.move_to(end, screen),
            Key::Older => self.recall_older(screen),
            Key::Newer => self.recall_newer(screen),
            Key::KillToStart => self.remove(0..cursor, screen),
            Key::KillToEnd => self.remove(cursor..end, screen),
            Key::KillWord => self.remove(self.word_start()..cursor, screen),
            Key::ClearScreen => self.clear_screen(screen),
        }
        Ok(Event::Pending)
    }

    fn finish(&mut self, screen: &mut Screen<'_>) -> Event {
        screen.leave(self.rest());
        self.history.push(&self.text);
        self.phase = Phase::Ended;
        Event::Line
    }

    fn interrupt(&mut self, screen: &mut Screen<'_>) -> Event {
        screen.end_with("^C", self.rest());
        self.text = LineText::EMPTY;
        self.cursor = 0;
        self.phase = Phase::Ended;
        Event::Interrupt
    }

    fn insert(&mut self, new: &str, screen: &mut Screen<'_>) -> Result<(), KeyRefused> {
        self.text.insert(self.cursor, new)?;
        self.move_to(self.cursor + new.len(), screen);
        self.draw_rest(screen);
        Ok(())
    }

    fn remove(&mut self, range: Range<usize>, screen: &mut Screen<'_>) {
        if range.is_empty() {
            return;
        }
        self.move_to(range.start, screen);
        screen.erase_rest(self.prompt.len() + self.text.len());
        self.text.remove(range);
        self.draw_rest(screen);
    }

    fn recall_older(&mut self, screen: &mut Screen<'_>) {
        if let Some(line) = self.history.older(&self.text) {
            self.replace(line, screen);
        }
    }

    fn recall_newer(&mut self, screen: &mut Screen<'_>) {
        if let Some(line) = self.history.newer() {
            self.replace(line, screen);
        }
    }

    fn replace(&mut self, line: LineText, screen: &mut Screen<'_>) {
        self.remove(0..self.text.len(), screen);
        self.text = line;
        self.move_to(line.len(), screen);
    }

    /// Also asks for the width: that it looks wrong may be why somebody wants it drawn anew.
    fn clear_screen(&mut self, screen: &mut Screen<'_>) {
        self.width = TerminalWidth::AskedAnew;
        screen.ask_for_columns();
        screen.clear();
        self.draw_row(screen);
    }

    /// Going right means printing what is there already: no control sequence is needed.
    fn move_to(&mut self, position: usize, screen: &mut Screen<'_>) {
        if position < self.cursor {
            screen.back_to(self.prompt.len() + position);
        } else {
            screen.print(&self.line()[self.cursor..position]);
        }
        self.cursor = position;
        if position < self.text.len() {
            screen.wrap();
        }
    }

    /// Where the word before the cursor begins, across the spaces behind it.
    fn word_start(&self) -> usize {
        let before = self.line()[..self.cursor].trim_end_matches(' ');
        before.rfind(' ').map_or(0, |space| space + 1)
    }

    /// Completes the word before the cursor.
    fn complete(&mut self, words: Words<'_>, screen: &mut Screen<'_>) -> Result<(), KeyRefused> {
        let typed = &self.line()[..self.cursor];
        let (before, word) = typed.split_at(typed.rfind(' ').map_or(0, |space| space + 1));
        match complete(before, word, words) {
            Completion::Nothing => return Err(KeyRefused),
            Completion::Shared(rest) => self.insert(rest, screen)?,
            Completion::Ambiguous => {
                screen.leave(self.rest());
                each_candidate(before, word, words, &mut |word| screen.list(word));
                screen.new_row();
                self.draw_row(screen);
            }
            Completion::Unique(rest) => {
                self.insert(rest, screen)?;
                self.pass_space(screen)?;
            }
        }
        Ok(())
    }

    /// Goes past the space after a word, and puts one there if there is none.
    fn pass_space(&mut self, screen: &mut Screen<'_>) -> Result<(), KeyRefused> {
        if self.rest().starts_with(' ') {
            self.move_to(self.cursor + 1, screen);
            return Ok(());
        }
        self.insert(" ", screen)
    }

    /// Draws prompt and line into empty rows.
    fn draw_row(&self, screen: &mut Screen<'_>) {
        screen.print(self.prompt);
        screen.print(&self.line()[..self.cursor]);
        self.draw_rest(screen);
    }

    /// Draws what is behind the cursor, and comes back.
    fn draw_rest(&self, screen: &mut Screen<'_>) {
        screen.print(self.rest());
        screen.back_to(self.prompt.len() + self.cursor);
    }

    /// The part of the line behind the cursor.
    fn rest(&self) -> &str {
        &self.line()[self.cursor..]
    }
}

impl Default for LineEditor {
    fn default() -> Self {
        Self::new()
    }
}

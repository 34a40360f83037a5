//! The line editor: bytes from a terminal in; echo and finished lines out.
//!
//! Owns the line being typed, the cursor, the history, and what the terminal's row shows. The
//! invariant between calls, from [`LineEditor::start`] until a line is finished: the row holds the
//! prompt and the line, and the terminal's cursor stands at the editor's.
//!
//! # Decisions
//!
//! - Characters typed at the end of the line are echoed as they are, without any control sequence:
//!   what listens on a serial line (a log, a test) sees prompt and command as plain text.
//!   Everything else is drawn relative to the cursor.
//! - The terminal's width is not known here and not asked for: a row is taken to be as wide as
//!   prompt and line together. On a narrower terminal a long line wraps while it is typed, as it
//!   should; moving the cursor back over the wrap looks wrong until Ctrl-L, and the line itself
//!   stays right.
//! - The echo ends rows with CR LF, so it needs no translation. A writer that adds a CR before each
//!   LF does no harm.

#![forbid(unsafe_code)]

mod completion;
mod history;
mod keys;
mod screen;
mod text;

#[cfg(test)]
mod tests;

pub use self::history::HISTORY_LINES;
pub use self::text::LINE_CAPACITY;

use core::fmt::Write;
use core::ops::Range;

use self::completion::{Completion, candidates, complete};
use self::history::History;
use self::keys::{Key, KeyDecoder};
use self::screen::Screen;
use self::text::Text;

/// What a byte led to.
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
    text: Text,
    /// Where the next character goes: at most `text.len()`.
    cursor: usize,
    history: History,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Editing,
    /// An event has ended the line; the row with the prompt is to come.
    Ended,
}

/// The key cannot do what it stands for, because there is no room or no match: the bell says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refused;

impl LineEditor {
    /// An editor with an empty history. [`Self::start`] makes it ask for a line.
    pub const fn new() -> Self {
        Self {
            prompt: "",
            keys: KeyDecoder::Ground,
            text: Text::EMPTY,
            cursor: 0,
            history: History::EMPTY,
            phase: Phase::Editing,
        }
    }

    /// Prints `prompt` (printable ASCII, at the start of a row) and begins an empty line.
    pub fn start(&mut self, prompt: &'static str, out: &mut dyn Write) {
        self.prompt = prompt;
        self.begin(&mut Screen::new(out));
    }

    /// The line: as far as it is typed, or after [`Event::Line`] the finished one, until the next
    /// [`Self::start`] or [`Self::feed`].
    pub fn line(&self) -> &str {
        self.text.as_str()
    }

    /// Takes one byte from the terminal and writes the echo to `out`. Tab completes the first word
    /// from `commands` (visible ASCII).
    ///
    /// Keys that come after [`Event::Line`] or [`Event::Interrupt`] without a [`Self::start`] begin
    /// a line with the same prompt.
    pub fn feed(&mut self, byte: u8, commands: &[&str], out: &mut dyn Write) -> Event {
        let Some(key) = self.keys.decode(byte) else {
            return Event::Pending;
        };
        let screen = &mut Screen::new(out);
        if self.phase == Phase::Ended {
            self.begin(screen);
        }
        self.press(key, commands, screen).unwrap_or_else(|Refused| {
            screen.bell();
            Event::Pending
        })
    }

    fn begin(&mut self, screen: &mut Screen<'_>) {
        self.text = Text::EMPTY;
        self.cursor = 0;
        self.history.leave();
        self.phase = Phase::Editing;
        screen.print(self.prompt);
    }

    fn press(
        &mut self,
        key: Key,
        commands: &[&str],
        screen: &mut Screen<'_>,
    ) -> Result<Event, Refused> {
        let (cursor, end) = (self.cursor, self.text.len());
        match key {
            Key::Text(character) => self.insert(character.encode_utf8(&mut [0; 4]), screen)?,
            Key::Foreign => return Err(Refused),
            Key::Enter => return Ok(self.finish(screen)),
            Key::Interrupt => return Ok(self.interrupt(screen)),
            Key::Complete => self.complete(commands, screen)?,
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
        screen.new_row();
        self.history.push(&self.text);
        self.phase = Phase::Ended;
        Event::Line
    }

    fn interrupt(&mut self, screen: &mut Screen<'_>) -> Event {
        screen.print("^C");
        screen.new_row();
        self.text = Text::EMPTY;
        self.cursor = 0;
        self.phase = Phase::Ended;
        Event::Interrupt
    }

    fn insert(&mut self, new: &str, screen: &mut Screen<'_>) -> Result<(), Refused> {
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
        self.text.remove(range);
        screen.erase_to_end_of_row();
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

    fn replace(&mut self, line: Text, screen: &mut Screen<'_>) {
        self.remove(0..self.text.len(), screen);
        self.text = line;
        self.move_to(line.len(), screen);
    }

    fn clear_screen(&self, screen: &mut Screen<'_>) {
        screen.clear();
        self.draw_row(screen);
    }

    /// Going right means printing what is there already: no control sequence is needed.
    fn move_to(&mut self, position: usize, screen: &mut Screen<'_>) {
        if position < self.cursor {
            screen.left(self.cursor - position);
        } else {
            screen.print(&self.line()[self.cursor..position]);
        }
        self.cursor = position;
    }

    /// Where the word before the cursor begins, across the spaces behind it.
    fn word_start(&self) -> usize {
        let before = self.line()[..self.cursor].trim_end_matches(' ');
        before.rfind(' ').map_or(0, |space| space + 1)
    }

    /// Completes the word before the cursor, if it is the first of the line.
    fn complete(&mut self, commands: &[&str], screen: &mut Screen<'_>) -> Result<(), Refused> {
        let word = self.line()[..self.cursor].trim_start_matches(' ');
        if word.contains(' ') {
            return Err(Refused);
        }
        match complete(word, commands) {
            Completion::Nothing => return Err(Refused),
            Completion::Shared(rest) => self.insert(rest, screen)?,
            Completion::Ambiguous => self.list(candidates(word, commands), screen),
            Completion::Unique(rest) => {
                self.insert(rest, screen)?;
                self.pass_space(screen)?;
            }
        }
        Ok(())
    }

    /// Goes past the space after a word, and puts one there if there is none.
    fn pass_space(&mut self, screen: &mut Screen<'_>) -> Result<(), Refused> {
        if self.line()[self.cursor..].starts_with(' ') {
            self.move_to(self.cursor + 1, screen);
            return Ok(());
        }
        self.insert(" ", screen)
    }

    /// Shows `words` in a row of their own, and the line again below.
    fn list<'a>(&self, words: impl Iterator<Item = &'a str>, screen: &mut Screen<'_>) {
        screen.new_row();
        for word in words {
            screen.print(word);
            screen.print("  ");
        }
        screen.new_row();
        self.draw_row(screen);
    }

    /// Draws prompt and line into an empty row.
    fn draw_row(&self, screen: &mut Screen<'_>) {
        screen.print(self.prompt);
        screen.print(&self.line()[..self.cursor]);
        self.draw_rest(screen);
    }

    /// Draws what is behind the cursor, and comes back.
    fn draw_rest(&self, screen: &mut Screen<'_>) {
        screen.print(&self.line()[self.cursor..]);
        screen.left(self.text.len() - self.cursor);
    }
}

impl Default for LineEditor {
    fn default() -> Self {
        Self::new()
    }
}

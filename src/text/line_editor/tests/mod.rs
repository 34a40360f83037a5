//! The editor against a terminal emulator: after every byte the rows must hold the prompt and the
//! line, nothing else below, with the emulator's cursor where the editor's is.
#![forbid(unsafe_code)]

mod completion;
mod keys;
mod random;
mod rows;

use std::{format, string::String, vec::Vec};

use super::{Event, LINE_CAPACITY, LineEditor};

const PROMPT: &str = "stilt> ";
const COMMANDS: [&str; 6] = ["halt", "help", "info", "map", "mem", "translate"];
/// Rows of the terminal: more than the longest line has in the narrowest.
const ROWS: u16 = 12;
/// The widths at which everything is tried.
const WIDTHS: [u16; 4] = [20, 40, 80, 200];

/// The words of this shell: commands first, `all` behind `map`.
fn words(before: &str, each: &mut dyn FnMut(&'static str)) {
    match before.trim_ascii() {
        "" => COMMANDS.into_iter().for_each(each),
        "map" => each("all"),
        _ => {}
    }
}

/// A terminal that answers where its cursor is.
struct Terminal {
    emulator: vt100::Parser,
    /// Everything that was received.
    log: String,
    /// What it has to say.
    answer: Option<String>,
}

impl Terminal {
    fn new(columns: u16) -> Self {
        Self {
            emulator: vt100::Parser::new(ROWS, columns, 0),
            log: String::new(),
            answer: None,
        }
    }

    fn receive(&mut self, character: char) {
        let allowed = matches!(
            character,
            ' '..='~' | '\x07' | '\x08' | '\r' | '\n' | '\x1b'
        );
        assert!(allowed, "the editor must not send {character:?}");
        // Terminals differ in what relative moves and erasures do while a wrap is pending.
        let sequence = self
            .log
            .rsplit('\x1b')
            .next()
            .and_then(|rest| rest.strip_prefix('['));
        let is_in_sequence =
            sequence.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let is_relative = character == '\x08' || is_in_sequence && "ABCDJK".contains(character);
        assert!(
            !is_relative || self.cursor().1 < self.columns(),
            "{character:?} at a pending wrap"
        );
        self.log.push(character);
        self.emulator.process(&[character as u8]);
        let (row, column) = self.cursor();
        if self.log.ends_with("\x1b[6n") {
            self.answer = Some(format!("\x1b[{};{}R", row + 1, column + 1));
        }
    }

    fn cursor(&self) -> (usize, usize) {
        let (row, column) = self.emulator.screen().cursor_position();
        (row.into(), column.into())
    }

    fn columns(&self) -> usize {
        self.emulator.screen().size().1.into()
    }

    /// The text of the rows from `from` on, joined.
    fn below(&self, from: usize) -> String {
        let rows = self.emulator.screen().rows(0, self.columns() as u16);
        let width = self.columns();
        let rows: Vec<String> = rows.skip(from).map(|row| format!("{row:width$}")).collect();
        rows.concat()
    }

    /// The row `count` above the cursor's.
    fn above(&self, count: usize) -> String {
        let row = self.cursor().0.checked_sub(count).expect("a row above");
        let mut rows = self.emulator.screen().rows(0, self.columns() as u16);
        rows.nth(row).expect("a row of the screen")
    }

    fn bells(&self) -> usize {
        self.log.matches('\x07').count()
    }
}

impl core::fmt::Write for Terminal {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        text.chars().for_each(|character| self.receive(character));
        Ok(())
    }
}

/// An editor at its terminal, and the lines that came out.
struct Session {
    editor: LineEditor,
    terminal: Terminal,
    lines: Vec<String>,
    interrupts: usize,
}

impl Session {
    /// At a terminal of 80 columns, which is not asked.
    fn new() -> Self {
        let mut session = Self::before_the_prompt(80);
        session.editor.start(PROMPT, &mut session.terminal);
        session
    }

    fn before_the_prompt(columns: u16) -> Self {
        Self {
            editor: LineEditor::new(),
            terminal: Terminal::new(columns),
            lines: Vec::new(),
            interrupts: 0,
        }
    }

    /// At one of that width, which has told so.
    fn at(columns: u16) -> Self {
        let mut session = Self::before_the_prompt(columns);
        session.editor.ask_for_width(&mut session.terminal);
        let answer = session
            .terminal
            .answer
            .take()
            .expect("the terminal was asked");
        session.editor.start(PROMPT, &mut session.terminal);
        session.type_bytes(answer);
        session
    }

    fn after(bytes: impl AsRef<[u8]>) -> Self {
        let mut session = Self::new();
        session.type_bytes(bytes);
        session
    }

    fn type_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        for &byte in bytes.as_ref() {
            self.take(byte);
            self.check();
        }
    }

    fn take(&mut self, byte: u8) {
        match self.editor.feed(byte, &words, &mut self.terminal) {
            Event::Pending => {}
            Event::Line => {
                self.lines.push(String::from(self.editor.line()));
                self.editor.start(PROMPT, &mut self.terminal);
            }
            Event::Interrupt => {
                self.interrupts += 1;
                self.editor.start(PROMPT, &mut self.terminal);
            }
        }
    }

    fn check(&self) {
        let (line, cursor) = (self.editor.line(), self.editor.cursor);
        assert!(line.len() <= LINE_CAPACITY);
        assert!(cursor <= line.len());
        assert!(
            line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{line:?}"
        );
        let width = self.terminal.columns();
        let offset = PROMPT.len() + cursor;
        let (row, column) = self.terminal.cursor();
        // At the end of a full row a cursor may stand behind its last letter, if nothing follows.
        let rows = if column == width {
            offset / width - 1
        } else {
            offset / width
        };
        let at_end = cursor == line.len();
        let place = rows * width + column;
        assert!(
            place == offset && (column < width || at_end),
            "{line:?}: {row}, {column}"
        );
        let first = row.checked_sub(rows).expect("the prompt is on the screen");
        let shown = self.terminal.below(first);
        assert_eq!(shown.trim_end(), format!("{PROMPT}{line}").trim_end());
    }

    /// The line with `|` at the cursor.
    fn shown(&self) -> String {
        let (before, behind) = self.editor.line().split_at(self.editor.cursor);
        format!("{before}|{behind}")
    }
}

/// Each row: what is typed, and the line afterwards with `|` at the cursor.
fn check_table(table: &[(&str, &str)]) {
    for (typed, shown) in table {
        assert_eq!(Session::after(typed).shown(), *shown, "{typed:?}");
    }
}

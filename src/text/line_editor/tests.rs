//! The editor against a terminal emulator: after every byte the rows must hold the prompt and the line,
//! nothing else below, with the emulator's cursor where the editor's is.
#![forbid(unsafe_code)]

use std::{format, string::String, vec::Vec};

use super::{Event, HISTORY_LINES, LINE_CAPACITY, LineEditor};

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

    /// What the rows `from` and all below hold, one behind the other.
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
        let rows = match column == width {
            true => offset / width - 1,
            false => offset / width,
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

#[test]
fn text_typed_at_the_end_is_echoed_as_it_is() {
    let session = Session::after("peek 0x80000\r");
    assert_eq!(session.terminal.log, "stilt> peek 0x80000\r\nstilt> ");
    assert_eq!(session.lines, ["peek 0x80000"]);
}

#[test]
fn keys_move_the_cursor_and_stop_at_the_ends() {
    check_table(&[
        ("abc\x1b[D", "ab|c"),
        ("abc\x1b[D\x1bODX", "aX|bc"),
        ("abc\x02\x02\x06", "ab|c"),
        ("ab\x1b[D\x1b[D\x1b[D\x1b[D", "|ab"),
        ("ab\x1b[C\x1bOC", "ab|"),
        ("abc\x1b[H\x1b[C", "a|bc"),
        ("abc\x01X\x05Y", "XabcY|"),
    ]);
}

#[test]
fn keys_remove_what_they_say_and_no_more() {
    check_table(&[
        ("abc\x7f\x08", "a|"),
        ("\x7fa", "a|"),
        ("abc\x02\x7f", "a|c"),
        ("abc\x01\x1b[3~", "|bc"),
        ("abc\x04", "abc|"),
        ("abc\x02\x04", "ab|"),
        ("abcd\x02\x02\x15", "|cd"),
        ("abcd\x02\x02\x0b", "ab|"),
        ("\x15\x0b\x17", "|"),
        ("peek 0x10  8\x17", "peek 0x10  |"),
        ("peek 0x10  8\x17\x17", "peek |"),
        ("peek 0x10\x02\x02\x17", "peek |10"),
        ("  \x17", "|"),
    ]);
}

#[test]
fn characters_that_are_not_ascii_ring_once_and_leave_no_trace() {
    let mut session = Session::after("a");
    for (rings, text) in ["ü", "€", "🦀"].into_iter().enumerate() {
        session.type_bytes(text);
        assert_eq!(session.terminal.bells(), rings + 1);
    }
    assert_eq!(session.shown(), "a|");
}

#[test]
fn a_full_line_rings_and_loses_nothing() {
    let mut session = Session::after([b'x'; LINE_CAPACITY]);
    assert_eq!(session.terminal.bells(), 0);
    session.type_bytes("y\x01y");
    assert_eq!(session.terminal.bells(), 2);
    session.type_bytes("\x05\x7fz\r");
    assert_eq!(
        session.lines,
        [format!("{}z", "x".repeat(LINE_CAPACITY - 1))]
    );
}

#[test]
fn each_way_to_end_a_line_ends_one() {
    let session = Session::after("one\rtwo\nthree\r\n\r\n\n");
    assert_eq!(session.lines, ["one", "two", "three", "", ""]);
    let middle = Session::after("abc\x02\x02\r");
    assert_eq!(middle.lines, ["abc"]);
}

#[test]
fn an_interrupt_drops_the_line_and_the_history_does_not_get_it() {
    let mut session = Session::after("good\rbad\x02\x03");
    assert_eq!((session.interrupts, session.shown().as_str()), (1, "|"));
    assert!(session.terminal.above(1).starts_with("stilt> ba^C"));
    session.type_bytes("\x1b[A\x1b[A\r");
    assert_eq!(session.lines, ["good", "good"]);
}

#[test]
fn the_history_gives_lines_back_and_keeps_the_unfinished_one() {
    check_table(&[
        ("\x1b[A\x1b[B", "|"),
        ("one\rtwo\r\x1b[A", "two|"),
        ("one\rtwo\r\x10\x10\x10", "one|"),
        ("one\rtwo\rthr\x02\x1bOA\x1bOA\x1b[B\x0e", "thr|"),
        ("one\rtwo\r\x1b[AX\x1b[A\x1b[B", "two|"),
        ("one\r\x1b[A\r\x1b[A\x1b[A", "one|"),
        ("a long one\rb\r\x10\x10\x10\x01\x0e", "b|"),
    ]);
    let mut session = Session::new();
    for number in 0..2 * HISTORY_LINES {
        session.type_bytes(format!("{number}\r"));
    }
    session.type_bytes("\x10".repeat(3 * HISTORY_LINES));
    assert_eq!(session.shown(), format!("{HISTORY_LINES}|"));
}

#[test]
fn tab_completes_the_word_before_the_cursor() {
    check_table(&[
        ("i\t", "info |"),
        ("  i\t", "  info |"),
        ("info\t", "info |"),
        ("m\t", "m|"),
        ("hx\x02\t", "h|x"),
        ("ix\x02\t", "info |x"),
        ("in 5\x02\x02\t", "info |5"),
        ("tr\tm\t", "translate m|"),
        ("map a\t", "map all |"),
        ("map \t", "map all |"),
        ("map  a\x01\x06\x06\x06\x06\t", "map all |a"),
        ("x\t", "x|"),
    ]);
    for refused in ["x\t", "info \t", "info m\t", "INFO\t", "map all \t"] {
        assert_eq!(Session::after(refused).terminal.bells(), 1, "{refused:?}");
    }
}

#[test]
fn tab_goes_as_far_as_all_matches_do() {
    let mut editor = LineEditor::new();
    let mut terminal = Terminal::new(80);
    let words = |_: &str, each: &mut dyn FnMut(&'static str)| {
        ["peek-a", "peek-b"].into_iter().for_each(each)
    };
    for byte in *b"p\t" {
        assert_eq!(editor.feed(byte, &words, &mut terminal), Event::Pending);
    }
    assert_eq!((editor.line(), terminal.log.as_str()), ("peek-", "peek-"));
}

#[test]
fn tab_lists_several_matches_and_draws_the_line_again() {
    let mut session = Session::after("h\t");
    assert_eq!(session.terminal.above(2), "stilt> h");
    assert_eq!(session.terminal.above(1).trim_end(), "halt  help");
    assert_eq!(session.terminal.bells(), 0);
    session.type_bytes("a\t");
    assert_eq!(session.shown(), "halt |");
    let all = Session::after("\t").terminal.above(1);
    assert_eq!(all.trim_end(), "halt  help  info  map  mem  translate");
}

#[test]
fn a_list_of_matches_breaks_rows_between_words() {
    let mut session = Session::at(20);
    session.type_bytes("\t");
    let rows = [3, 2, 1].map(|count| session.terminal.above(count));
    let rows = rows.each_ref().map(|row| row.trim_end());
    assert_eq!(rows, ["stilt>", "halt  help  info", "map  mem  translate"]);
}

#[test]
fn a_completion_that_does_not_fit_rings_and_adds_nothing() {
    for (room, bells, at_cursor) in [
        (3, 1, "tr|"),
        (6, 1, "tr|"),
        (7, 1, "translate|"),
        (8, 0, "translate |"),
    ] {
        let rest = "x".repeat(LINE_CAPACITY - "tr".len() - room);
        let session = Session::after(format!("{rest}\x01tr\t"));
        assert_eq!(session.shown(), format!("{at_cursor}{rest}"), "{room}");
        assert_eq!(session.terminal.bells(), bells, "{room}");
    }
}

#[test]
fn clearing_the_screen_draws_the_line_again() {
    let session = Session::after("one\rab\x02\x0c");
    assert_eq!(session.shown(), "a|b");
    assert_eq!(session.terminal.cursor().0, 0);
    assert!(session.terminal.log.ends_with("\x1b[H\x1b[2Jstilt> ab\x08"));
}

#[test]
fn a_key_after_an_event_begins_a_line_by_itself() {
    for (end, ended, line) in [(b'\r', Event::Line, "abc"), (3, Event::Interrupt, "")] {
        let mut session = Session::after("abc");
        let (editor, terminal) = (&mut session.editor, &mut session.terminal);
        assert_eq!(editor.feed(end, &words, terminal), ended);
        assert_eq!(editor.line(), line);
        assert_eq!(
            editor.feed(b'\n', &words, terminal),
            if end == b'\r' {
                Event::Pending
            } else {
                Event::Line
            }
        );
        let _ = editor.feed(b'x', &words, terminal);
        session.check();
        assert_eq!(session.shown(), "x|");
    }
}

#[test]
fn a_writer_that_fails_does_not_cost_the_line() {
    struct Broken;
    impl core::fmt::Write for Broken {
        fn write_str(&mut self, _text: &str) -> core::fmt::Result {
            Err(core::fmt::Error)
        }
    }
    let mut editor = LineEditor::new();
    editor.start(PROMPT, &mut Broken);
    let events = b"mex\x7fm\r".map(|byte| editor.feed(byte, &words, &mut Broken));
    assert_eq!((events[5], editor.line()), (Event::Line, "mem"));
}

/// Marsaglia's xorshift with 64 bits of state, shifts 13, 7, 17.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

#[test]
fn no_sequence_of_bytes_separates_screen_and_editor() {
    for width in WIDTHS {
        let mut session = Session::at(width);
        let mut random = Random(0x5717_0000_0000_0001);
        for _ in 0..60_000 {
            let byte = u8::try_from(random.below(256)).expect("a byte");
            session.type_bytes([byte]);
        }
        assert!(session.lines.len() > 200);
    }
}

/// Every key that edits, and some that do not.
const KEYS: [&str; 32] = [
    "\x7f",
    "\x08",
    "\x04",
    "\x1b[3~",
    "\x1b[D",
    "\x1b[D",
    "\x1bOD",
    "\x02",
    "\x1b[C",
    "\x1bOC",
    "\x06",
    "\x01",
    "\x1b[H",
    "\x05",
    "\x1b[F",
    "\x1b[A",
    "\x10",
    "\x1b[B",
    "\x0e",
    "\x15",
    "\x0b",
    "\x17",
    "\x0c",
    "\t",
    "h\t",
    "ü",
    "\x1b[1;5D",
    "\x1b",
    "\x1b[",
    "\r",
    "\r\n",
    "\x03",
];

#[test]
fn no_sequence_of_keys_separates_screen_and_editor() {
    for width in WIDTHS {
        let mut session = Session::at(width);
        let mut random = Random(0x5717_0000_0000_0002);
        let mut fullest = 0;
        for _ in 0..40_000 {
            match random.below(8) {
                0 => session.type_bytes(KEYS[random.below(KEYS.len())]),
                1 => session.type_bytes(" "),
                _ => session.type_bytes([b"0123456789abcdefhimnt"[random.below(21)]]),
            }
            fullest = fullest.max(session.editor.line().len());
        }
        assert_eq!(fullest, LINE_CAPACITY);
        assert!(session.interrupts > 20 && session.lines.len() > 20);
    }
}

#[test]
fn every_key_works_at_every_edge_of_every_row() {
    let line = "abcd efg ".repeat(15);
    for width in WIDTHS {
        let near_edge = |length: &usize| (PROMPT.len() + length + 1) % usize::from(width) < 3;
        for length in (0..=LINE_CAPACITY).filter(near_edge) {
            let to_edge = (PROMPT.len() + length) % usize::from(width);
            for (key, anywhere) in KEYS.iter().zip((0..).step_by(17)) {
                for back in [0, 1, to_edge, to_edge + 1, anywhere] {
                    let mut session = Session::at(width);
                    session.type_bytes("older than this\r");
                    line[..length].bytes().for_each(|byte| session.take(byte));
                    (0..back).for_each(|_| session.take(2));
                    session.check();
                    session.type_bytes(key);
                    session.type_bytes("x\x02\x02y");
                }
            }
        }
    }
}

#[test]
fn a_line_is_echoed_as_it_is_typed_at_every_width() {
    let line = "0123456789".repeat(12);
    for width in WIDTHS {
        let mut session = Session::at(width);
        session.terminal.log.clear();
        session.type_bytes(format!("{line}\r"));
        assert_eq!(session.terminal.log, format!("{line}\r\n{PROMPT}"));
    }
}

#[test]
fn what_follows_a_line_of_many_rows_comes_below_it() {
    for (keys, rows) in [("\r", 5), ("\x03", 5), ("\t", 7)] {
        let mut session = Session::at(20);
        session.type_bytes("map ".repeat(20));
        session.type_bytes("\x01");
        session.type_bytes(keys);
        let first = session.terminal.above(rows);
        assert!(
            first.starts_with("stilt> map map map"),
            "{keys:?}: {first:?}"
        );
    }
}

#[test]
fn a_terminal_that_does_not_answer_has_80_columns_and_is_not_asked_again() {
    let mut session = Session::new();
    for _ in 0..3 {
        session.editor.ask_for_width(&mut session.terminal);
        session.type_bytes("mem\r");
    }
    assert_eq!(session.terminal.log.matches("\x1b[6n").count(), 1);
    session.type_bytes("x".repeat(100));
    session.type_bytes("\x01y");
}

#[test]
fn a_terminal_that_answers_is_asked_again_and_may_have_changed() {
    let mut session = Session::at(80);
    session.type_bytes("mem\r");
    session.terminal.emulator.screen_mut().set_size(ROWS, 40);
    session.editor.ask_for_width(&mut session.terminal);
    let answer = session.terminal.answer.take().expect("asked again");
    session.type_bytes(answer);
    session.type_bytes("x".repeat(100));
    session.type_bytes("\x01y\x05\x7f");
}

#[test]
fn clearing_the_screen_asks_again_and_mends_a_line_of_the_wrong_width() {
    let mut session = Session::new();
    session.editor.ask_for_width(&mut session.terminal);
    session.terminal.answer = None;
    session.terminal.emulator.screen_mut().set_size(ROWS, 40);
    // Nobody has told of the 40 columns: here the screen goes wrong.
    for byte in "x".repeat(100).bytes().chain(*b"\x01y\x0c") {
        session.take(byte);
    }
    let answer = session.terminal.answer.take().expect("asked again");
    answer.bytes().for_each(|byte| session.take(byte));
    session.check();
    session.type_bytes("\x05z\x7f\x7f\x01");
}

#[test]
fn an_answer_that_nobody_asked_for_or_that_is_none_is_no_key_and_no_width() {
    for answer in ["\x1b[1;40R", "\x1b[12;9999R"] {
        let mut session = Session::after(answer);
        session.type_bytes("x".repeat(100));
        session.type_bytes("\x01y");
        assert_eq!(session.terminal.bells(), 0);
    }
    // Function key 3 with modifiers looks like an answer.
    let mut session = Session::new();
    session.editor.ask_for_width(&mut session.terminal);
    session.type_bytes("\x1b[1;5R");
    session.type_bytes("x".repeat(100));
    session.type_bytes("\x01y");
}

#[test]
fn an_answer_in_the_middle_of_a_word_is_not_part_of_it() {
    let mut session = Session::new();
    session.editor.ask_for_width(&mut session.terminal);
    session.type_bytes("me\x1b[24;80Rm\r");
    assert_eq!(session.lines, ["mem"]);
}

//! The editor against a model of a terminal: after every byte the model's row must hold the prompt
//! and the line, with its cursor where the editor's is.
#![forbid(unsafe_code)]

use std::{format, string::String, vec::Vec};

use super::{Event, HISTORY_LINES, LINE_CAPACITY, LineEditor};

const PROMPT: &str = "stilt> ";
const COMMANDS: [&str; 6] = ["halt", "help", "info", "map", "mem", "translate"];

/// A terminal without a right margin, which knows only what the editor may use.
#[derive(Default)]
struct Terminal {
    /// Everything that was received.
    log: String,
    /// The rows above the cursor's.
    above: Vec<String>,
    row: Vec<char>,
    column: usize,
    /// What has arrived of a control sequence, behind the escape.
    sequence: Option<String>,
    bells: usize,
}

impl Terminal {
    fn receive(&mut self, character: char) {
        self.log.push(character);
        if let Some(mut sequence) = self.sequence.take() {
            sequence.push(character);
            self.control(sequence);
            return;
        }
        match character {
            ' '..='~' => self.put(character),
            '\x07' => self.bells += 1,
            '\x08' => self.left(1),
            '\r' => self.column = 0,
            '\n' => self
                .above
                .push(core::mem::take(&mut self.row).into_iter().collect()),
            '\x1b' => self.sequence = Some(String::new()),
            _ => panic!("the editor must not send {character:?}"),
        }
    }

    fn put(&mut self, character: char) {
        if self.column == self.row.len() {
            self.row.push(' ');
        }
        self.row[self.column] = character;
        self.column += 1;
    }

    fn left(&mut self, columns: usize) {
        self.column = self.column.checked_sub(columns).expect("left of the row");
    }

    /// Acts on a sequence as soon as it is whole.
    fn control(&mut self, sequence: String) {
        match sequence.as_str() {
            "[K" => self.row.truncate(self.column),
            "[H" => self.column = 0,
            "[2J" => {
                self.above.clear();
                self.row.clear();
            }
            _ => match sequence
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix('D'))
            {
                Some(columns) => self.left(columns.parse().expect("a count")),
                None => {
                    assert!(sequence.len() < 5, "the editor must not send {sequence:?}");
                    self.sequence = Some(sequence);
                }
            },
        }
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
    fn new() -> Self {
        let mut session = Self {
            editor: LineEditor::new(),
            terminal: Terminal::default(),
            lines: Vec::new(),
            interrupts: 0,
        };
        session.editor.start(PROMPT, &mut session.terminal);
        session
    }

    fn after(bytes: impl AsRef<[u8]>) -> Self {
        let mut session = Self::new();
        session.type_bytes(bytes);
        session
    }

    fn type_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        for &byte in bytes.as_ref() {
            match self.editor.feed(byte, &COMMANDS, &mut self.terminal) {
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
            self.check();
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
        let row: String = self.terminal.row.iter().collect();
        assert_eq!(row, format!("{PROMPT}{line}"));
        assert_eq!(self.terminal.column, PROMPT.len() + cursor);
        assert_eq!(self.terminal.sequence, None);
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
        assert_eq!(session.terminal.bells, rings + 1);
    }
    assert_eq!(session.shown(), "a|");
}

#[test]
fn a_full_line_rings_and_loses_nothing() {
    let mut session = Session::after([b'x'; LINE_CAPACITY]);
    assert_eq!(session.terminal.bells, 0);
    session.type_bytes("y\x01y");
    assert_eq!(session.terminal.bells, 2);
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
    assert!(
        session
            .terminal
            .above
            .last()
            .is_some_and(|row| row.starts_with("stilt> ba^C"))
    );
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
fn tab_completes_the_first_word_only() {
    check_table(&[
        ("i\t", "info |"),
        ("  i\t", "  info |"),
        ("info\t", "info |"),
        ("m\t", "m|"),
        ("hx\x02\t", "h|x"),
        ("ix\x02\t", "info |x"),
        ("in 5\x02\x02\t", "info |5"),
        ("tr\tm\t", "translate m|"),
        ("x\t", "x|"),
    ]);
    for refused in ["x\t", "info \t", "info m\t", "INFO\t"] {
        assert_eq!(Session::after(refused).terminal.bells, 1, "{refused:?}");
    }
}

#[test]
fn tab_goes_as_far_as_all_matches_do() {
    let mut editor = LineEditor::new();
    let mut terminal = Terminal::default();
    for byte in *b"p\t" {
        assert_eq!(
            editor.feed(byte, &["peek-a", "peek-b"], &mut terminal),
            Event::Pending
        );
    }
    assert_eq!((editor.line(), terminal.log.as_str()), ("peek-", "peek-"));
}

#[test]
fn tab_lists_several_matches_and_draws_the_line_again() {
    let mut session = Session::after("h\t");
    assert_eq!(session.terminal.above, ["stilt> h", "halt  help  "]);
    assert_eq!(session.terminal.bells, 0);
    session.type_bytes("a\t");
    assert_eq!(session.shown(), "halt |");
    assert_eq!(
        Session::after("\t").terminal.above[1],
        "halt  help  info  map  mem  translate  "
    );
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
        assert_eq!(session.terminal.bells, bells, "{room}");
    }
}

#[test]
fn clearing_the_screen_draws_the_line_again() {
    let session = Session::after("one\rab\x02\x0c");
    assert_eq!(session.shown(), "a|b");
    assert!(session.terminal.above.is_empty());
    assert!(session.terminal.log.ends_with("\x1b[H\x1b[2Jstilt> ab\x08"));
}

#[test]
fn a_key_after_an_event_begins_a_line_by_itself() {
    for (end, ended, line) in [(b'\r', Event::Line, "abc"), (3, Event::Interrupt, "")] {
        let mut session = Session::after("abc");
        let (editor, terminal) = (&mut session.editor, &mut session.terminal);
        assert_eq!(editor.feed(end, &[], terminal), ended);
        assert_eq!(editor.line(), line);
        assert_eq!(
            editor.feed(b'\n', &[], terminal),
            if end == b'\r' {
                Event::Pending
            } else {
                Event::Line
            }
        );
        let _ = editor.feed(b'x', &[], terminal);
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
    let events = b"mex\x7fm\r".map(|byte| editor.feed(byte, &COMMANDS, &mut Broken));
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
    let mut session = Session::new();
    let mut random = Random(0x5717_0000_0000_0001);
    for _ in 0..300_000 {
        let byte = u8::try_from(random.below(256)).expect("a byte");
        session.type_bytes([byte]);
    }
    assert!(session.lines.len() > 1000);
}

#[test]
fn no_sequence_of_keys_separates_screen_and_editor() {
    const KEYS: [&str; 27] = [
        "\x7f",
        "\x04",
        "\x1b[3~",
        "\x1b[D",
        "\x1b[D",
        "\x1b[D",
        "\x1b[C",
        "\x1bOC",
        "\x1b[H",
        "\x1b[F",
        "\x1b[A",
        "\x1b[A",
        "\x1b[B",
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
        "\x1bO",
        "\r",
        "\r\n",
        "\x03",
    ];
    let mut session = Session::new();
    let mut random = Random(0x5717_0000_0000_0002);
    let mut fullest = 0;
    for _ in 0..150_000 {
        match random.below(8) {
            0 => session.type_bytes(KEYS[random.below(KEYS.len())]),
            1 => session.type_bytes(" "),
            _ => session.type_bytes([b"0123456789abcdefhimnt"[random.below(21)]]),
        }
        fullest = fullest.max(session.editor.line().len());
    }
    assert_eq!(fullest, LINE_CAPACITY);
    assert!(session.interrupts > 100 && session.lines.len() > 100);
}

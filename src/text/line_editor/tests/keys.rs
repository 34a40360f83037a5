//! Keys that move and remove, lines that end, and the history.
#![forbid(unsafe_code)]

use std::format;

use super::{PROMPT, Session, check_table, words};
use crate::text::line_editor::{Event, HISTORY_LINES, LINE_CAPACITY, LineEditor};

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

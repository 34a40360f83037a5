//! Lines of several rows, and terminals that do or do not say how wide they are.
#![forbid(unsafe_code)]

use std::format;

use super::{PROMPT, ROWS, Session, WIDTHS};

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
fn clearing_the_screen_draws_the_line_again() {
    let session = Session::after("one\rab\x02\x0c");
    assert_eq!(session.shown(), "a|b");
    assert_eq!(session.terminal.cursor().0, 0);
    assert!(session.terminal.log.ends_with("\x1b[H\x1b[2Jstilt> ab\x08"));
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

//! Tab: what is completed, and what is listed.
#![forbid(unsafe_code)]

use std::format;

use super::{Session, Terminal, check_table};
use crate::text::line_editor::{Event, LINE_CAPACITY, LineEditor};

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

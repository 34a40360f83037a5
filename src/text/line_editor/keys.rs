//! Bytes from a terminal to keys.
//!
//! ECMA-48 5.4 gives the shape of a control sequence: `ESC [`, parameters 0x30 to 0x3f,
//! intermediates 0x20 to 0x2f, a final byte 0x40 to 0x7e. Terminals in application mode send
//! `ESC O` and one byte instead.
//!
//! # Decisions
//!
//! - There is no clock here, so an Escape key alone is told from a sequence by the byte that
//!   follows: if it is neither `[` nor `O`, only the Escape is dropped.
//! - A byte that cannot stand in a sequence ends it and counts as itself. Enter and Ctrl-C
//!   therefore work at any time, and an endless sequence costs no memory: only its first parameter
//!   is kept.
//! - Sequences with modifiers (Ctrl-Left is `ESC [1;5D`) are keys that we do not have, not the
//!   plain key.

#![forbid(unsafe_code)]

const ESC: u8 = 0x1b;

/// A key that the editor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Printable ASCII.
    Text(char),
    /// The start of a character that is not ASCII.
    Foreign,
    Enter,
    Interrupt,
    Complete,
    Backspace,
    Delete,
    Left,
    Right,
    Home,
    End,
    Older,
    Newer,
    KillToStart,
    KillToEnd,
    KillWord,
    ClearScreen,
    /// No key: the terminal's cursor position report. The column, from 1.
    CursorAt(u16),
}

/// Where in a sequence of bytes the input stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyDecoder {
    /// Between keys.
    Ground,
    /// A carriage return was read, which was Enter: a line feed that follows belongs to it.
    AfterReturn,
    /// `ESC` was read.
    Escape,
    /// `ESC [` was read.
    ControlSequence(Parameter),
    /// `ESC O` was read.
    SingleShift,
}

/// The parameters of a control sequence, in front of its final byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Absent,
    Number(u16),
    /// The second of two numbers.
    Second(u16),
    /// More parameters, intermediates, or a number that is too large.
    Other,
}

impl KeyDecoder {
    /// Takes one byte; gives a key when the byte completes one.
    pub(super) fn decode(&mut self, byte: u8) -> Option<Key> {
        let (next, key) = match (*self, byte) {
            (Self::AfterReturn, b'\n') => (Self::Ground, None),
            (Self::Escape, b'[') => (Self::ControlSequence(Parameter::Absent), None),
            (Self::Escape, b'O') => (Self::SingleShift, None),
            (Self::ControlSequence(parameter), 0x20..=0x3f) => {
                (Self::ControlSequence(parameter.extend(byte)), None)
            }
            (Self::ControlSequence(parameter), 0x40..=0x7e) => {
                (Self::Ground, sequence_key(parameter, byte))
            }
            (Self::SingleShift, 0x20..=0x7e) => (Self::Ground, cursor_key(byte)),
            (_, ESC) => (Self::Escape, None),
            (_, b'\r') => (Self::AfterReturn, Some(Key::Enter)),
            _ => (Self::Ground, plain_key(byte)),
        };
        *self = next;
        key
    }
}

impl Parameter {
    fn extend(self, byte: u8) -> Self {
        let append = |number: u16| {
            let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'))?;
            number.checked_mul(10)?.checked_add(digit)
        };
        match (self, byte) {
            (Self::Number(_), b';') => Self::Second(0),
            (Self::Absent, _) => append(0).map_or(Self::Other, Self::Number),
            (Self::Number(number), _) => append(number).map_or(Self::Other, Self::Number),
            (Self::Second(number), _) => append(number).map_or(Self::Other, Self::Second),
            (Self::Other, _) => Self::Other,
        }
    }
}

fn sequence_key(parameter: Parameter, last: u8) -> Option<Key> {
    match (parameter, last) {
        (Parameter::Absent, _) => cursor_key(last),
        (Parameter::Number(1 | 7), b'~') => Some(Key::Home),
        (Parameter::Number(3), b'~') => Some(Key::Delete),
        (Parameter::Number(4 | 8), b'~') => Some(Key::End),
        (Parameter::Second(column), b'R') => Some(Key::CursorAt(column)),
        _ => None,
    }
}

fn cursor_key(last: u8) -> Option<Key> {
    match last {
        b'A' => Some(Key::Older),
        b'B' => Some(Key::Newer),
        b'C' => Some(Key::Right),
        b'D' => Some(Key::Left),
        b'F' => Some(Key::End),
        b'H' => Some(Key::Home),
        _ => None,
    }
}

fn plain_key(byte: u8) -> Option<Key> {
    let key = match byte {
        b' '..=b'~' => Key::Text(char::from(byte)),
        b'\n' => Key::Enter,
        b'\t' => Key::Complete,
        0x01 => Key::Home,      // Ctrl-A
        0x02 => Key::Left,      // Ctrl-B
        0x03 => Key::Interrupt, // Ctrl-C
        0x04 => Key::Delete,    // Ctrl-D
        0x05 => Key::End,       // Ctrl-E
        0x06 => Key::Right,     // Ctrl-F
        0x08 | 0x7f => Key::Backspace,
        0x0b => Key::KillToEnd,   // Ctrl-K
        0x0c => Key::ClearScreen, // Ctrl-L
        0x0e => Key::Newer,       // Ctrl-N
        0x10 => Key::Older,       // Ctrl-P
        0x15 => Key::KillToStart, // Ctrl-U
        0x17 => Key::KillWord,    // Ctrl-W
        // UTF-8 starts a character here and continues it with 0x80 to 0xbf: one key a character.
        0xc0..=0xff => Key::Foreign,
        _ => return None,
    };
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::{Key, KeyDecoder};
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = KeyDecoder::Ground;
        bytes
            .iter()
            .filter_map(|&byte| decoder.decode(byte))
            .collect()
    }

    #[test]
    fn every_spelling_of_a_key_is_known() {
        let table: [(Key, &[&[u8]]); 9] = [
            (Key::Backspace, &[b"\x08", b"\x7f"]),
            (Key::Delete, &[b"\x04", b"\x1b[3~"]),
            (Key::Left, &[b"\x02", b"\x1b[D", b"\x1bOD"]),
            (Key::Right, &[b"\x06", b"\x1b[C", b"\x1bOC"]),
            (
                Key::Home,
                &[b"\x01", b"\x1b[H", b"\x1b[1~", b"\x1b[7~", b"\x1bOH"],
            ),
            (
                Key::End,
                &[b"\x05", b"\x1b[F", b"\x1b[4~", b"\x1b[8~", b"\x1bOF"],
            ),
            (Key::Older, &[b"\x10", b"\x1b[A", b"\x1bOA"]),
            (Key::Newer, &[b"\x0e", b"\x1b[B", b"\x1bOB"]),
            (Key::Enter, &[b"\r", b"\n", b"\r\n"]),
        ];
        for (key, spellings) in table {
            for bytes in spellings {
                assert_eq!(keys(bytes), [key], "{}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn unknown_sequences_are_swallowed_whole() {
        let sequences: [&[u8]; 9] = [
            b"\x1b[1;5D",
            b"\x1b[5~",
            b"\x1b[200~",
            b"\x1b[259~",
            b"\x1b[?25h",
            b"\x1b[ @",
            b"\x1b[Z",
            b"\x1bOP",
            b"\x1b[33333333333333333333333333333333333333;3~",
        ];
        for sequence in sequences {
            let bytes = [sequence, b"x"].concat();
            assert_eq!(keys(&bytes), [Key::Text('x')], "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn where_the_cursor_is_is_told_by_the_second_number() {
        assert_eq!(keys(b"\x1b[24;80R"), [Key::CursorAt(80)]);
        assert_eq!(keys(b"\x1b[1;65535R"), [Key::CursorAt(65535)]);
        let none: [&[u8]; 6] = [
            b"\x1b[R",
            b"\x1b[80R",
            b"\x1b[1;65536R",
            b"\x1b[1;2;3R",
            b"\x1b[;80R",
            b"\x1b[1;8 R",
        ];
        for sequence in none {
            assert_eq!(keys(sequence), [], "{}", sequence.escape_ascii());
        }
    }

    #[test]
    fn a_lone_escape_eats_nothing_else() {
        assert_eq!(keys(b"\x1bx"), [Key::Text('x')]);
        assert_eq!(keys(b"\x1b\r"), [Key::Enter]);
        assert_eq!(keys(b"\x1b\x1b\x1b[D"), [Key::Left]);
    }

    #[test]
    fn control_keys_get_through_an_unfinished_sequence() {
        assert_eq!(keys(b"\x1b[\x03x"), [Key::Interrupt, Key::Text('x')]);
        assert_eq!(keys(b"\x1b[12;\rx"), [Key::Enter, Key::Text('x')]);
        assert_eq!(keys(b"\x1bO\x7f"), [Key::Backspace]);
        assert_eq!(keys(b"\x1b[\x7f"), [Key::Backspace]);
        assert_eq!(keys(b"\x1b[3\x1b[D"), [Key::Left]);
        assert_eq!(keys("\x1b[ü".as_bytes()), [Key::Foreign]);
    }

    #[test]
    fn a_return_takes_only_the_line_feed_right_behind_it() {
        assert_eq!(keys(b"\r\n\r\n"), [Key::Enter; 2]);
        assert_eq!(keys(b"\n\n"), [Key::Enter; 2]);
        assert_eq!(keys(b"\r\r"), [Key::Enter; 2]);
        assert_eq!(keys(b"\n\r"), [Key::Enter; 2]);
        assert_eq!(keys(b"\rx\n"), [Key::Enter, Key::Text('x'), Key::Enter]);
    }

    #[test]
    fn a_foreign_character_is_one_key() {
        for text in ["ü", "€", "🦀"] {
            assert_eq!(keys(text.as_bytes()), [Key::Foreign]);
        }
    }

    #[test]
    fn unused_control_codes_are_no_keys() {
        assert_eq!(keys(b"\x00\x07\x0f\x1c\x1d\x1e\x1f"), []);
    }
}

//! Keys and bytes in any order, at every edge of every row.
#![forbid(unsafe_code)]

use super::{PROMPT, Session, WIDTHS};
use crate::text::line_editor::LINE_CAPACITY;

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

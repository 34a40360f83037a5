//! Text in rows of 80 columns: what does not fit goes on in the next row, indented.
//!
//! # Decisions
//! A row is broken at a space, and within a word only if that is longer than a row. So a word is
//! kept until it ends: whoever fails in the middle of one loses it, and no more.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

/// Columns of a row.
const WIDTH: usize = 80;
/// Columns before what goes on: behind those of a report's labels, so that it can be told from a
/// line.
const INDENT: usize = 11;
/// The longest piece of a word that is never broken.
const PIECE: usize = WIDTH - INDENT;

/// Writes to `W` in rows of 80 columns, a character counting as one. Spaces at the end of a row are
/// left out. The last word waits for what follows it: a text that does not end in a newline loses
/// its last word.
#[derive(Debug)]
pub struct Wrapped<W> {
    out: W,
    /// Columns that are written.
    column: usize,
    /// Spaces behind them.
    spaces: usize,
    word: [u8; PIECE],
    used: usize,
}

impl<W: Write> Wrapped<W> {
    /// Begins at column 0: `out` must be at the beginning of a row, or the first row is too long.
    #[must_use]
    pub const fn new(out: W) -> Self {
        Self {
            out,
            column: 0,
            spaces: 0,
            word: [0; PIECE],
            used: 0,
        }
    }

    fn take(&mut self, letter: char) -> fmt::Result {
        match letter {
            '\n' => {
                self.end_word()?;
                (self.column, self.spaces) = (0, 0);
                self.out.write_char('\n')
            }
            ' ' => {
                self.end_word()?;
                self.spaces += 1;
                Ok(())
            }
            letter => {
                let mut bytes = [0; 4];
                let bytes = letter.encode_utf8(&mut bytes).as_bytes();
                if self.used + bytes.len() > PIECE {
                    self.end_word()?;
                }
                if let Some(place) = self.word.get_mut(self.used..self.used + bytes.len()) {
                    place.copy_from_slice(bytes);
                    self.used += bytes.len();
                }
                Ok(())
            }
        }
    }

    /// Writes the word, in this row or the next.
    fn end_word(&mut self) -> fmt::Result {
        let word = self.word.get(..self.used).unwrap_or_default();
        let word = core::str::from_utf8(word).unwrap_or_default();
        let columns = word.chars().count();
        if columns == 0 {
            return Ok(());
        }
        if self.column == 0 {
            self.spaces = self.spaces.min(INDENT);
        } else if self.column + self.spaces + columns > WIDTH {
            self.out.write_char('\n')?;
            (self.column, self.spaces) = (0, INDENT);
        }
        write!(self.out, "{:1$}{word}", "", self.spaces)?;
        self.column += self.spaces + columns;
        (self.spaces, self.used) = (0, 0);
        Ok(())
    }
}

impl<W: Write> Write for Wrapped<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|letter| self.take(letter))
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write;
    use std::string::String;
    use std::vec::Vec;

    use super::{INDENT, PIECE, WIDTH, Wrapped};

    /// `text` in rows, given in pieces of `step` letters.
    fn wrapped(text: &str, step: usize) -> String {
        let mut rows = String::new();
        let mut out = Wrapped::new(&mut rows);
        let letters: Vec<char> = text.chars().collect();
        for piece in letters.chunks(step) {
            let piece: String = piece.iter().collect();
            out.write_str(&piece).expect("a string takes all");
        }
        rows
    }

    #[test]
    fn what_fits_is_left_alone() {
        let text = "\nstilt: a  panic\n  what   b\n\n         c\n";
        assert_eq!(wrapped(text, 1), text);
        let full = "x".repeat(40) + " " + &"y".repeat(39) + "\n";
        assert_eq!(wrapped(&full, 7), full);
    }

    #[test]
    fn a_word_that_does_not_fit_goes_to_the_next_row() {
        let text = "x".repeat(40) + "   " + &"y".repeat(38) + " z\n";
        let indent = " ".repeat(INDENT);
        let expected = "x".repeat(40) + "\n" + &indent + &"y".repeat(38) + " z\n";
        for step in [1, 3, 1000] {
            assert_eq!(wrapped(&text, step), expected);
        }
    }

    #[test]
    fn a_word_longer_than_a_row_is_broken() {
        let text = String::from("before a word ") + &"w".repeat(2 * PIECE + 1) + "\n";
        let rows = wrapped(&text, 5);
        let found: Vec<&str> = rows.lines().map(str::trim_start).collect();
        assert_eq!(
            found,
            ["before a word", &"w".repeat(PIECE), &"w".repeat(PIECE), "w"]
        );
    }

    #[test]
    fn no_row_is_too_long_and_no_letter_is_lost() {
        let mut state = 0x5717_0000_0000_00a1_u64;
        for _ in 0..500 {
            let mut text = String::new();
            for _ in 0..400 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text.push(match state >> 60 {
                    0 | 1 => ' ',
                    2 if state >> 56 & 7 == 0 => '\n',
                    3 => '\u{e9}',
                    _ if state >> 50 & 0x7f == 0 => ' ',
                    _ => 'x',
                });
            }
            text.push('\n');
            let rows = wrapped(&text, 1 + (state >> 61) as usize);
            let letters = |text: &str| {
                text.chars()
                    .filter(|x| !x.is_whitespace())
                    .collect::<String>()
            };
            assert_eq!(letters(&rows), letters(&text));
            for row in rows.lines() {
                assert!(row.chars().count() <= WIDTH, "{row:?}");
            }
        }
    }
}

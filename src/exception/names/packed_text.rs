//! Names as they stand in the table: one byte for a character or for a pair of bytes.
//!
//! The dictionary gives the first byte values to the characters that occur, the rest to pairs. Each
//! half of a pair is a smaller value than the pair's own, so that taking pairs apart ends.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

/// Characters that a text can have; whatever more there is, is not shown. The build cuts longer
/// names, so that only a damaged table has more.
pub const TEXT_MAX: usize = 255;

/// Bytes that may wait while a pair is taken apart. The build makes no pair that needs more; in a
/// damaged table a deeper one is shown as `?`.
pub const WAITING_MAX: usize = 16;

/// The dictionary: the text that each byte value stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dictionary<'a> {
    /// The character of each value from 0 on.
    pub(super) characters: &'a [u8],
    /// The two halves of each value after the characters'.
    pub(super) pairs: &'a [u8],
}

/// A text in the table; shown piece by piece, held nowhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedText<'a> {
    pub(super) dictionary: Dictionary<'a>,
    pub(super) bytes: &'a [u8],
}

impl Dictionary<'_> {
    /// The halves of the pair that `value` stands for.
    fn pair(&self, value: u8) -> Option<(u8, u8)> {
        let at = 2 * usize::from(value).checked_sub(self.characters.len())?;
        let halves = (*self.pairs.get(at)?, *self.pairs.get(at + 1)?);
        (halves.0 < value && halves.1 < value).then_some(halves)
    }

    /// A character that any terminal can show.
    fn character(&self, value: u8) -> Option<char> {
        let character = *self.characters.get(usize::from(value))?;
        (character == b' ' || character.is_ascii_graphic()).then_some(char::from(character))
    }
}

impl fmt::Display for PackedText<'_> {
    /// A text that a damaged table does not have is shown as `?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut waiting = [0; WAITING_MAX];
        let mut left = TEXT_MAX;
        for byte in self.bytes {
            waiting[0] = *byte;
            let mut count = 1;
            // A value either is shown or makes place for two smaller ones: this ends.
            while count > 0 && left > 0 {
                count -= 1;
                let value = waiting[count];
                match self.dictionary.pair(value) {
                    Some((first, second)) if count + 2 <= WAITING_MAX => {
                        waiting[count] = second;
                        waiting[count + 1] = first;
                        count += 2;
                    }
                    _ => {
                        f.write_char(self.dictionary.character(value).unwrap_or('?'))?;
                        left -= 1;
                    }
                }
            }
        }
        Ok(())
    }
}

//! A run of instruction words at an address, with branches whose target comes later.

use super::encode;

/// Code that is written word by word.
pub(crate) struct Code {
    base: u64,
    words: Vec<u32>,
}

/// A word that is written when its target is known.
#[must_use]
pub(crate) struct Held(usize);

impl Code {
    /// Code from `base` on.
    pub(crate) fn at(base: u64) -> Self {
        Self {
            base,
            words: Vec::new(),
        }
    }

    /// The address of the next word.
    pub(crate) fn here(&self) -> u64 {
        self.address_of(self.words.len())
    }

    /// The number of words.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// The words.
    pub(crate) fn words(&self) -> &[u32] {
        &self.words
    }

    fn address_of(&self, index: usize) -> u64 {
        self.base + index as u64 * 4
    }

    /// Appends a word.
    pub(crate) fn emit(&mut self, word: u32) {
        self.words.push(word);
    }

    /// Appends words.
    pub(crate) fn extend(&mut self, words: impl IntoIterator<Item = u32>) {
        self.words.extend(words);
    }

    /// Leaves a word open.
    pub(crate) fn hold(&mut self) -> Held {
        self.emit(0);
        Held(self.words.len() - 1)
    }

    /// Writes the word that was left open: `word` of the distance from it to the next word.
    pub(crate) fn target(&mut self, held: Held, word: impl FnOnce(i64) -> u32) {
        let Held(index) = held;
        self.words[index] = word((self.words.len() - index) as i64 * 4);
    }

    /// Writes a branch to an address, `word` of the distance.
    pub(crate) fn to(&mut self, address: u64, word: impl FnOnce(i64) -> u32) {
        let distance = address.wrapping_sub(self.here()).cast_signed();
        self.emit(word(distance));
    }

    /// `body`, over which a branch leads, `word` of the distance.
    pub(crate) fn over(&mut self, word: impl FnOnce(i64) -> u32, body: impl FnOnce(&mut Self)) {
        let held = self.hold();
        body(self);
        self.target(held, word);
    }

    /// Fills the words up to `address` with zeros, which are UDF.
    pub(crate) fn pad_to(&mut self, address: u64) {
        assert!(self.here() <= address, "the code is too long");
        self.words.resize(((address - self.base) / 4) as usize, 0);
    }

    /// `value` into X`rd`, in one to four words: MOVZ or MOVN, by which bits are more often those of
    /// a whole halfword, and MOVK.
    pub(crate) fn constant(&mut self, rd: u32, value: u64) {
        let parts = [0, 1, 2, 3].map(|position| (value >> (16 * position)) as u16);
        let count = |bits| parts.iter().filter(|part| **part == bits).count();
        let inverted = count(u16::MAX) > count(0);
        let usual = if inverted { u16::MAX } else { 0 };
        let first = parts.iter().position(|part| *part != usual).unwrap_or(0);
        let word = if inverted {
            encode::movn(rd, !parts[first], first as u32)
        } else {
            encode::movz(rd, parts[first], first as u32)
        };
        self.emit(word);
        for (position, part) in parts.into_iter().enumerate().skip(first + 1) {
            if part != usual {
                self.emit(encode::movk(rd, part, position as u32));
            }
        }
    }
}

//! A line of text in fixed memory: the one being typed, and those that the history keeps.

#![forbid(unsafe_code)]

use core::ops::Range;

/// The key cannot do what it stands for, because there is no room or no match: the bell says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyRefused;

/// The longest line, in characters (each is one byte). A key that would make it longer changes
/// nothing and rings the bell.
pub const LINE_CAPACITY: usize = 127;

/// Printable ASCII, at most [`LINE_CAPACITY`] of it. Positions are byte offsets, and therefore
/// columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineText {
    bytes: [u8; LINE_CAPACITY],
    len: usize,
}

impl LineText {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; LINE_CAPACITY],
        len: 0,
    };

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).expect("a line holds ASCII only")
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Inserts `new` (printable ASCII) so that it begins at `at`, which is at most `len()`.
    ///
    /// Refused if there is no room for all of it.
    pub(super) fn insert(&mut self, at: usize, new: &str) -> Result<(), KeyRefused> {
        debug_assert!(
            new.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "not printable: {new:?}"
        );
        if new.len() > LINE_CAPACITY - self.len {
            return Err(KeyRefused);
        }
        let end = at + new.len();
        self.bytes.copy_within(at..self.len, end);
        self.bytes[at..end].copy_from_slice(new.as_bytes());
        self.len += new.len();
        Ok(())
    }

    /// Takes out `range`, which lies within `0..len()`.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.bytes.copy_within(range.end..self.len, range.start);
        self.len -= range.len();
    }
}

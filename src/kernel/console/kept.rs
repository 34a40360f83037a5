//! The end of what was printed while a command ran, for who looks for something in it.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::text::script;

/// The last `N` bytes that were [written](Self::write) between [`begin`](Self::begin) and
/// [`end`](Self::end). Any bytes are a value; zeros are one that has nothing.
///
/// Without a lock: a report, which takes none, writes as well as a command. They write one after
/// the other, since each has the console's turn; if one loses it, bytes are kept in another order.
#[derive(Debug)]
pub struct KeptOutput<const N: usize> {
    /// Byte `n` since the beginning is in place `n % N`.
    bytes: [AtomicU8; N],
    written: AtomicUsize,
    /// [`ON`] while it is kept.
    state: AtomicU8,
}

const OFF: u8 = 0;
const ON: u8 = 1;

impl<const N: usize> KeptOutput<N> {
    /// Nothing, and nothing is kept.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [const { AtomicU8::new(0) }; N],
            written: AtomicUsize::new(0),
            state: AtomicU8::new(OFF),
        }
    }

    /// Forgets what is kept; from here on it is kept again.
    pub fn begin(&self) {
        self.written.store(0, Ordering::Relaxed);
        self.state.store(ON, Ordering::Relaxed);
    }

    /// Output from here on is not kept.
    pub fn end(&self) {
        self.state.store(OFF, Ordering::Relaxed);
    }

    /// Takes what is printed.
    pub fn write(&self, text: &str) {
        if self.state.load(Ordering::Relaxed) != ON {
            return;
        }
        let first = self.written.fetch_add(text.len(), Ordering::Relaxed);
        for (index, byte) in text.bytes().enumerate() {
            if let Some(place) = self.bytes.get((first + index) % N) {
                place.store(byte, Ordering::Relaxed);
            }
        }
    }

    /// Bytes at the beginning that are not kept any more.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.written.load(Ordering::Relaxed).saturating_sub(N)
    }

    /// Whether `text` is in what is kept, with blanks as [`script::contains`] has them.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        let lost = self.lost();
        let len = self.written.load(Ordering::Relaxed) - lost;
        script::contains(text, len, |index| self.byte(lost + index))
    }

    /// The last line that is not blank.
    #[must_use]
    pub const fn last_line(&self) -> LastLine<'_, N> {
        LastLine(self)
    }

    fn byte(&self, index: usize) -> u8 {
        let place = self.bytes.get(index % N);
        place.map_or(0, |byte| byte.load(Ordering::Relaxed))
    }
}

/// The last line of an output that is not blank; nothing if there is none.
#[derive(Clone, Copy, Debug)]
pub struct LastLine<'a, const N: usize>(&'a KeptOutput<N>);

impl<const N: usize> fmt::Display for LastLine<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(kept) = *self;
        let (first, end) = (kept.lost(), kept.written.load(Ordering::Relaxed));
        let is_blank = |index: &usize| kept.byte(*index).is_ascii_whitespace();
        let Some(last) = (first..end).rev().find(|index| !is_blank(index)) else {
            return Ok(());
        };
        let mut before = (first..last).rev();
        let start = before.find(|index| kept.byte(*index) == b'\n');
        let start = start.map_or(first, |index| index + 1);
        (start..=last).try_for_each(|index| f.write_char(char::from(kept.byte(index))))
    }
}

impl<const N: usize> Default for KeptOutput<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::KeptOutput;
    use std::string::{String, ToString};

    fn last_line<const N: usize>(kept: &KeptOutput<N>) -> String {
        kept.last_line().to_string()
    }

    #[test]
    fn only_what_is_written_between_begin_and_end_is_kept() {
        let kept = KeptOutput::<64>::new();
        kept.write("before");
        assert!(!kept.contains("before"));
        kept.begin();
        kept.write("one ");
        kept.write("two\n");
        kept.end();
        kept.write("after");
        assert!(kept.contains("one two") && !kept.contains("after"));
        assert_eq!((kept.lost(), last_line(&kept).as_str()), (0, "one two"));
        kept.begin();
        assert!(!kept.contains("one"));
        assert_eq!(last_line(&kept), "");
    }

    #[test]
    fn of_a_long_output_the_end_is_kept_and_the_rest_is_counted() {
        let kept = KeptOutput::<8>::new();
        kept.begin();
        kept.write("abcdefgh");
        assert!(kept.contains("abcdefgh") && kept.lost() == 0);
        kept.write("ij");
        assert_eq!(kept.lost(), 2);
        assert!(kept.contains("cdefghij") && !kept.contains("bc"));
        kept.write("klmnopqrstuvwxyz\nend\n");
        assert!(kept.contains("xyz end") && !kept.contains("wxyz"));
        assert_eq!(last_line(&kept), "end");
    }
}

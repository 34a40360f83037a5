//! [`Text`]: a string of the firmware's, made safe to print and to keep.
#![forbid(unsafe_code)]

use core::fmt;

/// Up to `N` printable ASCII characters.
///
/// # Invariants
///
/// `bytes[..len]` are all from ` ` to `~`; `len <= N`.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
    truncated: bool,
}

impl<const N: usize> Text<N> {
    /// Copies at most `N` bytes of what is before the first NUL, with `?` for each that is not
    /// printable ASCII: a loader's text cannot send a terminal its escapes.
    #[must_use]
    pub fn new(value: &[u8]) -> Self {
        let mut text = Self {
            bytes: [0; N],
            len: 0,
            truncated: false,
        };
        text.set(value);
        text
    }

    /// Becomes [`Text::new`], in its place: a command line of 1 KiB goes over no stack.
    pub fn set(&mut self, value: &[u8]) {
        let end = value.iter().position(|byte| *byte == 0);
        let value = value.get(..end.unwrap_or(value.len())).unwrap_or(value);
        for (kept, byte) in self.bytes.iter_mut().zip(value) {
            let prints = matches!(byte, b' '..=b'~');
            *kept = if prints { *byte } else { b'?' };
        }
        self.len = value.len().min(N);
        self.truncated = value.len() > N;
    }

    /// The text as a string, without a mark of where it was cut; `Display` adds `...`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }

    /// Whether there were more than `N` bytes before the NUL: the rest is lost.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() && self.truncated == other.truncated
    }
}

impl<const N: usize> Eq for Text<N> {}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        f.write_str(if self.truncated { "..." } else { "" })
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn nothing_that_a_terminal_obeys_is_kept() {
        let text = Text::<16>::new(b"a\x1b[2J\xc3\xa4~\x7f\n\0hidden");
        assert_eq!(text.as_str(), "a?[2J??~??");
        assert!(!text.is_truncated());
    }

    #[test]
    fn a_longer_text_is_cut_and_says_so() {
        assert_eq!(Text::<4>::new(b"abcd"), Text::new(b"abcd\0"));
        assert!(!Text::<4>::new(b"abcd\0").is_truncated());
        let text = Text::<4>::new(b"abcde");
        assert_eq!(text.as_str(), "abcd");
        assert!(text.is_truncated());
        assert_eq!(Text::<4>::default().as_str(), "");
    }
}

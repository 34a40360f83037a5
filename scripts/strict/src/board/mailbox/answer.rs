//! The answer to one property tag.

/// A tag's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    /// The words that are written to the value.
    pub(super) words: Vec<u32>,
    /// The length that is answered, in bytes.
    pub(super) bytes: u32,
}

impl Answer {
    pub(super) fn words(words: &[u32]) -> Self {
        Self {
            words: words.to_vec(),
            bytes: words.len() as u32 * 4,
        }
    }
}

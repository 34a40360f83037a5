//! The decoded words of one frame.

use ::a64::Instruction;

use super::page::FRAME;

/// The number of instruction words in a frame.
pub(crate) const WORDS: usize = FRAME / 4;

/// The decoded words of one frame; none for those that were not fetched yet.
pub(crate) struct Code {
    pub(super) words: [Option<Instruction>; WORDS],
}

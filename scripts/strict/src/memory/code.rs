//! The decoded words of one frame.

use ::a64::Instruction;

use super::page::FRAME;

/// The number of instruction words in a frame.
pub(crate) const WORDS: usize = FRAME / 4;

/// Words whose execution is noted: those that were not executed yet, and those that were.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) left: Vec<u64>,
    pub(super) reached: Vec<u64>,
}

impl Marks {
    /// A core decodes the word at an address, which it does right before the first execution.
    pub(super) fn decoded(&mut self, address: u64) {
        if let Some(at) = self.left.iter().position(|marked| *marked == address) {
            self.reached.push(self.left.swap_remove(at));
        }
    }
}

/// The decoded words of one frame; none for those that were not fetched yet.
pub(crate) struct Code {
    pub(super) words: [Option<Instruction>; WORDS],
}

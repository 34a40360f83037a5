//! The decoded words of frames: the instruction caches of all cores.
//!
//! They stand beside RAM, so that a core executes an instruction where it lies while it changes RAM:
//!
//! 1. a store reaches a word that is decoded: RAM notes the word as outdated;
//! 2. before the next fetch of any core the word is forgotten, and decoded anew.

use std::ops::Range;

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

/// Decoded words of a frame's copy that are forgotten before the next fetch.
pub(crate) struct Outdated {
    /// The number of the copy.
    pub(super) code: u32,
    /// Word numbers in the frame.
    pub(super) words: Range<usize>,
}

/// The decoded words of frames by the numbers that [`Memory::code`](super::Memory::code) gives; none
/// for those that were not fetched yet.
#[derive(Default)]
pub(crate) struct Codes(Vec<Box<[Option<Instruction>; WORDS]>>);

impl Codes {
    /// Makes room for a frame, if it is new.
    pub(crate) fn hold(&mut self, code: u32) {
        while self.0.len() <= code as usize {
            self.0.push(Box::new([None; WORDS]));
        }
    }

    /// The instruction at word `index`, modulo its size, of a frame that there is room for; none if
    /// it was not decoded yet.
    #[inline(always)]
    pub(crate) fn word(&mut self, code: u32, index: usize) -> &mut Option<Instruction> {
        &mut self.0[code as usize][index % WORDS]
    }

    /// Forgets words that are no longer what a fetch would get.
    pub(crate) fn forget(&mut self, outdated: Vec<Outdated>) {
        for Outdated { code, words } in outdated {
            if let Some(kept) = self.0.get_mut(code as usize) {
                kept[words].fill(None);
            }
        }
    }
}

//! What instruction fetches get from RAM, and which decoded words are outdated.

use ::a64::{Instruction, decode};

use super::code::{Outdated, WORDS};
use super::page::{FRAME, LINE};
use super::ram::{Caches, Memory, Note, View};

impl Memory {
    /// The number of the decoded frame at an address in RAM, for [`Codes`](super::Codes).
    pub(crate) fn code(&mut self, address: u64, view: View) -> u32 {
        let view = match self.caches {
            Caches::Transparent => View::Cached,
            Caches::Acting => view,
        };
        let slot = self.slot(address) as usize;
        self.watch(address);
        let page = &mut *self.pages[slot];
        if let Some(code) = page.code[view as usize] {
            return code;
        }
        let number = self.codes;
        page.code[view as usize] = Some(number);
        self.codes += 1;
        number
    }

    /// Decodes the instruction at an address in RAM as the frame's copy `view` has it.
    pub(crate) fn decode(&mut self, address: u64, view: View) -> Instruction {
        if view == View::Cached && self.caches == Caches::Acting {
            self.check_line(address);
        }
        self.marks.decoded(address);
        decode(self.read(address, 4, view) as u32)
    }

    /// Whether decoded words are to be forgotten before the next fetch.
    #[inline]
    pub(crate) fn has_outdated_words(&self) -> bool {
        !self.outdated_words.is_empty()
    }

    /// The decoded words that are to be forgotten before the next fetch.
    pub(crate) fn take_outdated_words(&mut self) -> Vec<Outdated> {
        std::mem::take(&mut self.outdated_words)
    }

    /// Notes that the line of an instruction was stored to, and not cleaned, or not followed by an
    /// invalidation of the instruction caches.
    fn check_line(&mut self, address: u64) {
        let slot = self.slot(address) as usize;
        let page = &self.pages[slot];
        let bit = 1 << (address as usize % FRAME / LINE);
        let unclean = page.unclean & bit != 0;
        let stale = page.stale_code & bit != 0 && page.invalidation == self.invalidation;
        if (unclean || stale) && page.has_stored_word(address as usize) {
            let line = address & !(LINE as u64 - 1);
            self.notes.push(Note::Fetched { line, unclean });
        }
    }

    /// Notes from here on which of these words a core executes.
    pub(crate) fn mark(&mut self, words: &[u64]) {
        self.marks.left.extend_from_slice(words);
    }

    /// The marked words that were executed, each once.
    pub(crate) fn reached(&self) -> &[u64] {
        &self.marks.reached
    }

    /// A store reached a frame with decoded words: uncached fetches see it at once, cached ones
    /// after the instruction cache has been invalidated.
    pub(super) fn code_was_written(&mut self, address: u64, size: usize, view: View) {
        let slot = self.slot(address) as usize;
        let (view, at_once) = match self.caches {
            Caches::Transparent => (View::Cached, true),
            Caches::Acting => (view, view == View::Memory),
        };
        let page = &self.pages[slot];
        if let Some(code) = page.code[view as usize]
            && at_once
        {
            let first = address as usize % FRAME;
            let words = first / 4..(first + size).div_ceil(4);
            self.outdated_words.push(Outdated { code, words });
        }
        let frame = (address / FRAME as u64) as u32;
        if page.code[View::Cached as usize].is_some() && !self.outdated.contains(&frame) {
            self.outdated.push(frame);
        }
    }

    /// The instruction caches are invalidated: words that were written since are fetched anew.
    pub(crate) fn invalidate_code(&mut self) {
        self.invalidation = self.invalidation.wrapping_add(1);
        for frame in std::mem::take(&mut self.outdated) {
            let slot = self.slot(u64::from(frame) * FRAME as u64) as usize;
            for code in self.pages[slot].code.into_iter().flatten() {
                let words = 0..WORDS;
                self.outdated_words.push(Outdated { code, words });
            }
        }
    }
}

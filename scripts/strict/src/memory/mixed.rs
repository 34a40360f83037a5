//! Lines that a core uses past the caches and by them.
//!
//! 1. core 0, caches off, writes its stack: memory has the bytes, and a cache may hold older ones;
//! 2. core 0, caches on, reads its stack by the cache: without DC IVAC in between it may get the
//!    older bytes, whether it did or not.

use super::page::{FRAME, LINE};
use super::ram::{Memory, Note};

impl Memory {
    /// A core has written to RAM past the caches.
    pub(crate) fn was_written_uncached(&mut self, address: u64, core: usize) {
        if self.caches_are_empty() {
            return;
        }
        let slot = self.slot(address) as usize;
        let line = address as usize % FRAME / LINE;
        self.pages[slot].writers.add(line, core);
    }

    /// A core uses RAM by the caches: noted if it wrote the line past them before.
    pub(crate) fn is_used_cached(&mut self, address: u64, core: usize) {
        let slot = self.slot(address) as usize;
        let line = address as usize % FRAME / LINE;
        let writers = &mut self.pages[slot].writers;
        if writers.has(line, core) {
            writers.forget(line);
            self.notes.push(Note::MixedUse(address));
        }
    }

    /// Whether a line of a page was written past the caches and not invalidated since: then each use
    /// of the page is to be told.
    pub(crate) fn is_written_uncached(&self, slot: u32) -> bool {
        !self.pages[slot as usize].writers.is_empty()
    }
}

//! The depth of a core's nested exceptions, and its spurious faults.
//!
//! The depth is 0 in the shell, 1 in the handler of an interrupt, 2 in the handler of a data abort
//! that the first handler took. It tells the code that took an exception from a handler that
//! interrupted this code: neither the stack pointer nor the masks do. Only the core itself changes
//! it, at entry to and return from an exception, with exceptions masked: loads and stores are
//! enough.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The exceptions of one core in one word: how many it took, modulo 2^32, and how many of those
/// have not returned. Only that core writes it.
#[derive(Debug)]
pub struct Nesting {
    /// Bits 63:32: exceptions taken so far; bits 31:0: the depth.
    word: AtomicU64,
}

const ENTRY: u64 = 1 << 32;

impl Nesting {
    /// None taken.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
        }
    }

    /// An exception was taken: called first in its handler, while PSTATE still masks what the
    /// exception masked.
    #[inline(always)]
    pub fn enter(&self) {
        let word = self.word.load(Ordering::Relaxed);
        self.word
            .store(word.wrapping_add(ENTRY + 1), Ordering::Relaxed);
    }

    /// The innermost exception returns: called last in its handler, with exceptions masked. One
    /// that ends the machine never gets here.
    #[inline(always)]
    pub fn leave(&self) {
        let word = self.word.load(Ordering::Relaxed);
        self.word.store(word.wrapping_sub(1), Ordering::Relaxed);
    }

    /// The depth: exceptions that have not returned. 0 outside of every handler.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.word.load(Ordering::Relaxed) as u32
    }

    /// Exceptions taken so far, modulo 2^32. The exception that follows directly has the next
    /// number, by which [`SpuriousFaults::was_the_last`] knows it.
    #[must_use]
    pub fn taken(&self) -> u32 {
        (self.word.load(Ordering::Relaxed) >> 32) as u32
    }
}

impl Default for Nesting {
    fn default() -> Self {
        Self::new()
    }
}

/// The spurious faults of one core: the MMU allowed the access when it was asked again.
#[derive(Debug)]
pub struct SpuriousFaults {
    elr: AtomicU64,
    far: AtomicU64,
    taken: AtomicU32,
    count: AtomicU64,
}

impl SpuriousFaults {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            elr: AtomicU64::new(0),
            far: AtomicU64::new(0),
            taken: AtomicU32::new(0),
            count: AtomicU64::new(0),
        }
    }

    /// Whether the access at `elr` to `far` was done again for the exception just before this one:
    /// then this fault is real, whatever the tables say. `taken` is [`Nesting::taken`] of now.
    #[must_use]
    pub fn was_the_last(&self, elr: u64, far: u64, taken: u32) -> bool {
        self.elr.load(Ordering::Relaxed) == elr
            && self.far.load(Ordering::Relaxed) == far
            && self.taken.load(Ordering::Relaxed).wrapping_add(1) == taken
    }

    /// Counts the access at `elr` (ELR_EL1) to `far` (FAR_EL1), which is done again; `taken` is
    /// [`Nesting::taken`] of its exception. For the core itself, in that exception.
    pub fn count(&self, elr: u64, far: u64, taken: u32) {
        self.elr.store(elr, Ordering::Relaxed);
        self.far.store(far, Ordering::Relaxed);
        self.taken.store(taken, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many accesses were done again, since the start. Any core may look.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Default for SpuriousFaults {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Nesting, SpuriousFaults};

    #[test]
    fn the_depth_is_what_is_under_way_and_the_count_only_grows() {
        let nesting = Nesting::default();
        for round in 0..3 {
            let before = round * 3;
            nesting.enter();
            assert_eq!((nesting.depth(), nesting.taken()), (1, before + 1));
            nesting.enter();
            assert_eq!((nesting.depth(), nesting.taken()), (2, before + 2));
            nesting.leave();
            nesting.enter();
            assert_eq!((nesting.depth(), nesting.taken()), (2, before + 3));
            nesting.leave();
            nesting.leave();
            assert_eq!((nesting.depth(), nesting.taken()), (0, before + 3));
        }
    }

    #[test]
    fn the_count_comes_round_and_the_depth_stays() {
        let nesting = Nesting::new();
        nesting
            .word
            .store(u64::MAX << 32, core::sync::atomic::Ordering::Relaxed);
        nesting.enter();
        assert_eq!((nesting.depth(), nesting.taken()), (1, 0));
        nesting.leave();
        assert_eq!((nesting.depth(), nesting.taken()), (0, 0));
    }

    #[test]
    fn one_fault_twice_in_a_row_is_real_and_no_other() {
        let looks = SpuriousFaults::default();
        looks.count(0x8_0000, 0x1000, 7);
        assert!(looks.was_the_last(0x8_0000, 0x1000, 8));
        for (elr, far, taken, why) in [
            (0x8_0004, 0x1000, 8, "another instruction"),
            (0x8_0000, 0x1008, 8, "another address"),
            (0x8_0000, 0x1000, 9, "something came between"),
            (0x8_0000, 0x1000, 7, "the count came round"),
        ] {
            assert!(!looks.was_the_last(elr, far, taken), "{why}");
        }
        looks.count(0x8_0000, 0x1000, u32::MAX);
        assert!(looks.was_the_last(0x8_0000, 0x1000, 0));
        assert_eq!(looks.counted(), 2);
    }
}

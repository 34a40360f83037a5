//! Exceptions inside exceptions, and faults that come again: what one core must remember of both.
//!
//! Every exception counts as one more that is under way, until it returns. So code that an
//! exception hits can be told from code that runs in a handler of it, which no stack pointer and no
//! mask says. Changed by its own core alone, at the beginning and at the end of an exception, where
//! nothing can come between: loads and stores are enough.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The exceptions of one core.
#[derive(Debug)]
pub struct Nesting {
    /// How many were taken, in the upper half; how many of them are under way, in the lower.
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

    /// An exception begins.
    #[inline(always)]
    pub fn enter(&self) {
        let word = self.word.load(Ordering::Relaxed);
        self.word
            .store(word.wrapping_add(ENTRY + 1), Ordering::Relaxed);
    }

    /// The innermost one returns.
    #[inline(always)]
    pub fn leave(&self) {
        let word = self.word.load(Ordering::Relaxed);
        self.word.store(word.wrapping_sub(1), Ordering::Relaxed);
    }

    /// How many are under way.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.word.load(Ordering::Relaxed) as u32
    }

    /// How many were taken so far, modulo 2^32.
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

/// The faults of one core whose access was good at a second look, and was done again.
#[derive(Debug)]
pub struct SecondLooks {
    elr: AtomicU64,
    far: AtomicU64,
    taken: AtomicU32,
    count: AtomicU64,
}

impl SecondLooks {
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

    /// Whether the access at `elr` to `far` has just been done again for a fault, and nothing else
    /// happened since: then this fault is real, whatever the tables say. `taken` is what
    /// [`Nesting::taken`] says now.
    #[must_use]
    pub fn was_the_last(&self, elr: u64, far: u64, taken: u32) -> bool {
        self.elr.load(Ordering::Relaxed) == elr
            && self.far.load(Ordering::Relaxed) == far
            && self.taken.load(Ordering::Relaxed).wrapping_add(1) == taken
    }

    /// That access is done again.
    pub fn count(&self, elr: u64, far: u64, taken: u32) {
        self.elr.store(elr, Ordering::Relaxed);
        self.far.store(far, Ordering::Relaxed);
        self.taken.store(taken, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Default for SecondLooks {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Nesting, SecondLooks};

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
        let looks = SecondLooks::default();
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

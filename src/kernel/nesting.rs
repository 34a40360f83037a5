//! Exceptions inside exceptions: how many of them are under way on one core.
//!
//! Every exception counts as one more that is under way, until it returns. So code that an exception
//! hits can be told from code that runs in a handler of it, which no stack pointer and no mask says.
//! Changed by its own core alone, at the beginning and at the end of an exception, where nothing can
//! come between: loads and stores are enough.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

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

#[cfg(test)]
mod tests {
    use super::Nesting;

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
}

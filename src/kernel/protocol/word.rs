//! A word that cores share.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};

/// A word of memory with the atomic accesses that the protocols use: an [`AtomicUsize`] in the
/// kernel, and in the tests one whose accesses a schedule puts in order.
pub trait Word {
    /// Loads the word.
    fn load(&self, order: Ordering) -> usize;
    /// Stores `value`.
    fn store(&self, value: usize, order: Ordering);
    /// Compare-and-exchange: stores `new` if the word is `old`. Sequentially consistent.
    ///
    /// # Errors
    /// The word's value, which is not `old`.
    fn exchange(&self, old: usize, new: usize) -> Result<(), usize>;
    /// Sets `bits`. Sequentially consistent.
    fn set(&self, bits: usize);
    /// Clears `bits`. Sequentially consistent.
    fn clear(&self, bits: usize);
}

impl Word for AtomicUsize {
    #[inline(always)]
    fn load(&self, order: Ordering) -> usize {
        Self::load(self, order)
    }

    #[inline(always)]
    fn store(&self, value: usize, order: Ordering) {
        Self::store(self, value, order);
    }

    #[inline(always)]
    fn exchange(&self, old: usize, new: usize) -> Result<(), usize> {
        self.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
            .map(|_| ())
    }

    #[inline(always)]
    fn set(&self, bits: usize) {
        self.fetch_or(bits, Ordering::SeqCst);
    }

    #[inline(always)]
    fn clear(&self, bits: usize) {
        self.fetch_and(!bits, Ordering::SeqCst);
    }
}

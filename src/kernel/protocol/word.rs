//! A word that cores share.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};

/// What the protocols need of a word.
pub trait Word {
    /// Its value.
    fn load(&self, order: Ordering) -> usize;
    /// Sets it.
    fn store(&self, value: usize, order: Ordering);
    /// Makes `new` of `old`, acquiring and releasing; otherwise says what it is.
    ///
    /// # Errors
    /// The value, if it is not `old`.
    fn exchange(&self, old: usize, new: usize) -> Result<(), usize>;
    /// Sets `bits`, in one order that all cores see.
    fn set(&self, bits: usize);
    /// Clears `bits`, in one order that all cores see.
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

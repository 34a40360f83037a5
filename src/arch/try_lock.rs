//! A value that is free, or somebody's; nobody ever waits for it.
//!
//! It is no spin lock: it has no loop, masks no interrupts, and so has no class among the locks
//! ([`lock_classes`](crate::arch::lock_classes)). It is for a value whose one user at a time is
//! certain for another reason, and turns a mistake in that reason into a refusal.
#![forbid(unsafe_code)]

use spin::mutex::{SpinMutex, SpinMutexGuard};

/// A value with a mark whether it is in use. A free one of zeros is all zero.
pub struct TryLock<T>(SpinMutex<T>);

impl<T> TryLock<T> {
    /// `value`, free to be taken. Taking it needs exclusives, and so the MMU and the caches of the
    /// core on.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(SpinMutex::new(value))
    }

    /// The value until what is returned is dropped; `None` if somebody uses it, on this core or
    /// another.
    #[must_use]
    pub fn try_lock(&self) -> Option<impl core::ops::DerefMut<Target = T>> {
        self.0.try_lock()
    }

    /// The value for as long as it lives: from now on it is refused. `None` if somebody uses it.
    #[must_use]
    pub fn try_keep(&self) -> Option<&mut T> {
        self.0.try_lock().map(SpinMutexGuard::leak)
    }
}

#[cfg(test)]
mod tests {
    use super::TryLock;

    #[test]
    fn a_value_in_use_is_refused_until_it_is_given_back() {
        let lock = TryLock::new(1);
        let mut used = lock.try_lock().expect("free");
        *used = 2;
        assert!(lock.try_lock().is_none());
        assert!(lock.try_keep().is_none());
        drop(used);
        assert_eq!(lock.try_lock().map(|value| *value), Some(2));
    }

    #[test]
    fn a_value_that_is_kept_is_refused_for_ever() {
        let lock = TryLock::new(1);
        *lock.try_keep().expect("free") = 2;
        assert!(lock.try_lock().is_none());
        assert!(lock.try_keep().is_none());
    }
}

//! The state of a function call from one core to another: which of the two owns its slot.
//!
//! ```text
//!             post            begin           complete
//!   FREE ---------> PENDING ---------> RUNNING ------> DONE ---> FREE
//!     ^                | release          | release        release
//!     |<---------------+                  v
//!     |<----------------------------- CANCELLED
//!               complete
//! ```
//!
//! 1. The caller waits for a limited time, and then releases the slot.
//! 2. A call that is still pending is withdrawn: the callee never sees it, however late it looks.
//! 3. A call that is running is cancelled: its result is lost, and its end frees the slot. Until
//!    then the caller finds the slot taken.
//!
//! # Invariants
//! The words of the call itself (function, argument, result) are the caller's while the state is
//! FREE or DONE, and the callee's from [`CallState::begin`] to [`CallState::complete`].
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use super::Word;

const FREE: usize = 0;
const PENDING: usize = 1;
const RUNNING: usize = 2;
const DONE: usize = 3;
const CANCELLED: usize = 4;

/// The state of a slot for calls from one core to another. The text of each method begins with the
/// core that may call it: caller or callee.
#[derive(Debug)]
pub struct CallState<W>(W);

impl<W: Word> CallState<W> {
    /// The state FREE; `word` is 0.
    #[must_use]
    pub const fn new(word: W) -> Self {
        Self(word)
    }

    /// Caller: whether it may write a call. If so, the callee of the call before writes no more
    /// (acquire).
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.0.load(Ordering::Acquire) == FREE
    }

    /// Caller: the call is written into a slot that is FREE. A callee that begins it sees all of it
    /// (release).
    pub fn post(&self) {
        self.0.store(PENDING, Ordering::Release);
    }

    /// Callee: whether there is a call, which is the callee's until [`CallState::complete`]. At
    /// most one look finds each call.
    #[must_use]
    pub fn begin(&self) -> bool {
        // A load first: most slots are free at most looks.
        self.0.load(Ordering::Relaxed) == PENDING && self.0.exchange(PENDING, RUNNING).is_ok()
    }

    /// Callee: the function has returned, and its result is written. If the caller has released the
    /// slot meanwhile, it is free, and the result is lost.
    pub fn complete(&self) {
        if self.0.exchange(RUNNING, DONE).is_err() {
            // Cancelled meanwhile.
            self.0.store(FREE, Ordering::Release);
        }
    }

    /// Caller: whether the result is there: if so it may be read (acquire), until the slot is
    /// released.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Caller: the result was taken, or is not needed any more. A pending call is withdrawn; a
    /// running one keeps the slot taken until it ends.
    pub fn release(&self) {
        if self.0.exchange(PENDING, FREE).is_ok() || self.0.exchange(RUNNING, CANCELLED).is_ok() {
            return;
        }
        // Done: the callee does not write any more.
        self.0.store(FREE, Ordering::Release);
    }
}

//! Whose a call's slot is: the caller's, or the callee's.
//!
//! ```text
//!             ask            begin            answer
//!   FREE ----------> ASKED ----------> RUNNING ------> ANSWERED ---> FREE
//!     ^                | abandon           | abandon     take, abandon
//!     |<---------------+                   v
//!     |<------------------------------ ABANDONED
//!                answer
//! ```
//!
//! 1. The caller waits for an answer for a limited time, and abandons the call then.
//! 2. A call that was not begun is withdrawn: the callee never sees it, however late it comes.
//! 3. A call that was begun is the callee's until it ends; its answer is nobody's any more, and the
//!    end frees the slot.
//!
//! # Invariants
//! The words of the call itself are the caller's while the slot is FREE or ANSWERED, and the
//! callee's from [`Slot::begin`] to [`Slot::answer`].
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use super::Word;

const FREE: usize = 0;
const ASKED: usize = 1;
const RUNNING: usize = 2;
const ANSWERED: usize = 3;
const ABANDONED: usize = 4;

/// The state of a slot for calls from one core to another.
#[derive(Debug)]
pub struct Slot<W>(W);

impl<W: Word> Slot<W> {
    /// A free one; `word` is 0.
    #[must_use]
    pub const fn new(word: W) -> Self {
        Self(word)
    }

    /// Caller: whether it may write a call.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.0.load(Ordering::Acquire) == FREE
    }

    /// Caller: the call is written.
    pub fn ask(&self) {
        self.0.store(ASKED, Ordering::Release);
    }

    /// Callee: whether there is a call, which is its own until [`Slot::answer`].
    #[must_use]
    pub fn begin(&self) -> bool {
        // A load first: most slots are free at most looks.
        self.0.load(Ordering::Relaxed) == ASKED && self.0.exchange(ASKED, RUNNING).is_ok()
    }

    /// Callee: the call has ended, and its result is written.
    pub fn answer(&self) {
        if self.0.exchange(RUNNING, ANSWERED).is_err() {
            // Abandoned meanwhile.
            self.0.store(FREE, Ordering::Release);
        }
    }

    /// Caller: whether the result is there.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.0.load(Ordering::Acquire) == ANSWERED
    }

    /// Caller: the result was taken, or nobody needs one any more.
    pub fn abandon(&self) {
        if self.0.exchange(ASKED, FREE).is_ok() || self.0.exchange(RUNNING, ABANDONED).is_ok() {
            return;
        }
        // Answered: nobody else writes.
        self.0.store(FREE, Ordering::Release);
    }
}

//! How a lock waits.
//!
//! # Decisions
//! `core::hint::spin_loop` is an `isb` on this architecture, and some emulators that count
//! instructions never leave a loop of those. `yield` is a hint everywhere.
#![expect(unsafe_code, reason = "an instruction")]

use core::arch::asm;

use spin::RelaxStrategy;

/// The way in which a lock waits: by `yield`.
pub struct Yield;

impl RelaxStrategy for Yield {
    fn relax() {
        relax();
    }
}

/// One round of a busy wait.
#[inline(always)]
pub fn relax() {
    // SAFETY: a hint.
    unsafe { asm!("yield", options(nomem, nostack, preserves_flags)) };
}

/// A value that is set once.
pub type Once<T> = spin::once::Once<T, Yield>;

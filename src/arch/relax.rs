//! How a lock waits.
//!
//! # Decisions
//! `core::hint::spin_loop` is an `isb` on this architecture, and some emulators that count
//! instructions never leave a loop of those. `yield` is a hint everywhere.
#![expect(unsafe_code, reason = "an instruction")]

use core::arch::asm;

use spin::RelaxStrategy;

/// The way in which `spin`'s locks wait: by [`relax`], a `yield` between two looks.
pub struct Yield;

impl RelaxStrategy for Yield {
    fn relax() {
        relax();
    }
}

/// One round of a busy wait: a `yield`, a hint that ends at once. The loop around it bounds the
/// time.
#[inline(always)]
pub fn relax() {
    // SAFETY: a hint.
    unsafe { asm!("yield", options(nomem, nostack, preserves_flags)) };
}

/// A value that is set once, by the first core that asks for it; one that asks meanwhile spins
/// without a limit. It takes exclusives: not before the MMU is on.
pub type Once<T> = spin::once::Once<T, Yield>;

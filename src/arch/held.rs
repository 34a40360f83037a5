//! The locks that each core holds, in debug builds: their order is checked where one is taken,
//! where one is released, where interrupts are let in, and where a core waits for something else.
//!
//! Stands below the locks and the masks, which both tell it what they do. The rules are
//! [`lock_order`](crate::arch::lock_order)'s.
#![expect(unsafe_code, reason = "one list a core, by its number")]

use core::cell::UnsafeCell;

use super::cpu;
use crate::arch::lock_order::{HeldLocks, LockClass};

/// Cores of a Cortex-A53 cluster at most (DDI 0500 2.1).
const CORES: usize = 4;

/// Each core's.
struct Held([UnsafeCell<HeldLocks>; CORES]);

// SAFETY: each core uses its own, with interrupts masked.
unsafe impl Sync for Held {}

static HELD: Held = Held([const { UnsafeCell::new(HeldLocks::new()) }; CORES]);

/// Shows `work` what the running core holds; its interrupts are masked.
fn with_held<R>(work: impl FnOnce(&mut HeldLocks) -> R) -> R {
    let held = HELD.0[cpu::number() % CORES].get();
    // SAFETY: this core's own, and its interrupts are masked: nobody else is in here.
    work(unsafe { &mut *held })
}

/// Notes that the running core waits for something of `class`, or has it: a
/// [`Lock`](crate::arch::lock::Lock), or what is exclusive without being one. In debug builds;
/// interrupts are masked.
///
/// # Panics
/// If that violates the order of locks.
#[track_caller]
pub fn note_acquired(class: &'static LockClass) {
    if let Err(violation) = with_held(|held| held.acquire(class)) {
        panic!("order of locks violated: {violation}");
    }
}

/// Notes that the running core does not have that any more. In debug builds; interrupts are masked.
///
/// # Panics
/// If it was not noted.
#[track_caller]
pub fn note_released(class: &'static LockClass) {
    if let Err(violation) = with_held(|held| held.release(class)) {
        panic!("order of locks violated: {violation}");
    }
}

/// Notes that the running core is about to let interrupts in. In debug builds; interrupts are
/// masked.
///
/// # Panics
/// If it holds a lock, for which a handler could wait.
#[track_caller]
pub(super) fn note_let_in() {
    if let Err(violation) = with_held(|held| held.let_in()) {
        panic!("order of locks violated: {violation}");
    }
}

/// How many exclusive things the running core has, locks and what else has a class, in debug
/// builds; 0 in others. Interrupts are masked.
#[must_use]
#[inline]
pub fn held_count() -> usize {
    if cfg!(debug_assertions) {
        with_held(|held| held.held().count())
    } else {
        0
    }
}

/// Panics in debug builds if the running core has anything exclusive: it is about to wait for
/// `what`, and whoever brings that may need just this.
#[track_caller]
#[inline]
pub fn assert_may_wait(what: &'static str) {
    if cfg!(debug_assertions) {
        let masks = cpu::mask_briefly();
        let allowed = with_held(|held| held.wait(what));
        cpu::restore_masks(masks);
        if let Err(violation) = allowed {
            panic!("order of locks violated: {violation}");
        }
    }
}

//! In a program without the room `kernel` there is one core.
#![forbid(unsafe_code)]

/// Nobody else runs.
#[inline(always)]
pub(super) const fn kernel_hold_others() {}

/// Nobody was held.
#[inline(always)]
pub(super) const fn kernel_let_others_go() {}

/// Nobody asks for anything: how long a lock may be held, in nanoseconds.
#[inline(always)]
pub(super) const fn kernel_hear() -> u64 {
    5_000_000_000
}

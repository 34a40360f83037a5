//! The input that was typed ahead of a command that does not read: taken out of the UART's queue
//! before that is full.
//!
//! A queue that is full takes nothing in, a Ctrl-C neither. So a command that runs moves what waits
//! to this store whenever half the queue is used, and sees a Ctrl-C in it however much was typed
//! before. The order stays: what is here is older than what the queue has, and is read first.
//!
//! # Decisions
//! - Nothing is thrown away, although a terminal driver does that when it is interrupted (Linux,
//!   `n_tty.c`, `isig`): input may be piped in, and the lines behind are its next commands. So the
//!   store has an end, 64 KiB; what comes then waits in the queue and with the sender, and a Ctrl-C
//!   behind it is not seen.
//! - A lock, though the shell is the only reader today: any core may read the console. It masks
//!   interrupts for as long as 64 bytes are copied; taking a Ctrl-C out moves up to 64 KiB by a
//!   place, which is under a millisecond on a core of 1.2 GHz. The UART's queue of 16 bytes takes
//!   1.4 ms to fill at 115200 baud.
#![expect(unsafe_code, reason = "a place that the linker is told")]

use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::drivers::ring::Ring;

/// The byte of Ctrl-C.
pub(crate) const CTRL_C: u8 = 3;

/// Bytes that fit.
const SIZE: usize = 1 << 16;

struct Ahead {
    bytes: Ring<SIZE>,
    /// How many of them are Ctrl-C, which is looked for often.
    interrupts: usize,
}

// SAFETY: cleared by `kernel_main`; an empty value is all zero, and nobody uses it before.
#[unsafe(link_section = ".late.typed_ahead")]
static AHEAD: Lock<Ahead, lock_classes::TypedAhead> = Lock::new(Ahead {
    bytes: Ring::new(),
    interrupts: 0,
});

/// Bytes that still fit.
pub(super) fn room() -> usize {
    AHEAD.lock().bytes.room()
}

/// Takes `bytes` in, for which there is room.
pub(super) fn push(bytes: &[u8]) {
    let mut ahead = AHEAD.lock();
    let taken = ahead.bytes.push_slice(bytes);
    assert!(taken == bytes.len(), "room was seen by the only writer");
    ahead.interrupts += bytes.iter().filter(|byte| **byte == CTRL_C).count();
}

/// The byte that has waited longest.
pub(super) fn read() -> Option<u8> {
    let mut ahead = AHEAD.lock();
    let byte = ahead.bytes.pop()?;
    ahead.interrupts -= usize::from(byte == CTRL_C);
    Some(byte)
}

/// Whether [`read`] has something.
pub(super) fn has_received() -> bool {
    !AHEAD.lock().bytes.is_empty()
}

/// Whether there is a Ctrl-C.
pub(super) fn is_interrupted() -> bool {
    AHEAD.lock().interrupts > 0
}

/// Takes the first Ctrl-C out, whatever waits before it. Returns whether there was one.
pub(super) fn take_interrupt() -> bool {
    let mut ahead = AHEAD.lock();
    let taken = ahead.interrupts > 0 && ahead.bytes.remove_first(CTRL_C);
    ahead.interrupts -= usize::from(taken);
    taken
}

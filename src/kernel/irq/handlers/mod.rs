//! The table of interrupt handlers: a core that takes an interrupt reads it without a lock, while
//! another core may remove the handler.
//!
//! This must not happen:
//!
//! 1. Core 0 takes interrupt 33 and reads that it calls `alarm` with the argument 7.
//! 2. Core 2 takes the handler away, and its owner gives up what 7 stands for.
//! 3. Core 0 calls `alarm(7)`.
//!
//! So a core writes into a word of its own which interrupt it serves, *before* it looks for a
//! handler. A core that removes the handler marks it first, and looks at all these words *behind*
//! that:
//!
//! ```text
//! serve(0, 33)                         retire(33), then free(33) until it is true
//!   serving[0] = 33                      phase[33] = RETIRING
//!   phase[33] is SET? then call it       is 33 in any word of serving?
//!   serving[0] = none                    if not: phase[33] = FREE
//! ```
//!
//! Either core 0 finds RETIRING and calls nothing, or the other finds 33 in its word and waits.
//! That rests on each core's store being seen before its load looks: all four are sequentially
//! consistent (STLR and LDAR: DDI 0487 B2.3.11). Linux does this in `synchronize_irq`, by a flag at
//! each interrupt.
//!
//! # Invariants
//! A handler is written by who made FREE WRITING, which one core at a time does, and only then. It
//! is read by a core that found SET with its word written. FREE comes of RETIRING when no word
//! names the interrupt, so nobody reads what is written.
#![expect(
    unsafe_code,
    reason = "a handler is given up by one core while another may call it"
)]

use core::cell::UnsafeCell;
use core::sync::atomic::Ordering;

use crate::kernel::protocol::Word;

/// The phase of an interrupt: the two lower bits of its word. The others count how often it was
/// free, so that who looked before that does not change what came behind.
const PHASE: usize = 0b11;
const FREE: usize = 0;
const WRITING: usize = 1;
const SET: usize = 2;
const RETIRING: usize = 3;

/// The outcome of an interrupt: unless its handler was called, the caller masks it, or it would
/// come again at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Served {
    /// Its handler was called.
    Called,
    /// Its handler is being taken away: it was not called.
    Retiring,
    /// It has none.
    Nobody,
}

/// Something in a cache line of its own, of 64 bytes on the Cortex-A53: a core that writes it takes
/// no other core's word away.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct CacheLine<T>(pub T);

/// The handlers of `N` interrupts, for `CORES` cores. All methods panic if there is no such core or
/// number.
#[derive(Debug)]
pub struct Handlers<H, W, const CORES: usize, const N: usize> {
    phases: [W; N],
    handlers: [UnsafeCell<Option<H>>; N],
    /// For each core the number that it serves, plus one; 0 if it serves none.
    serving: [CacheLine<W>; CORES],
}

// SAFETY: by the invariant nobody writes a handler while anybody else reads or writes it; a handler
// is copied from the core that sets it to the cores that call it.
unsafe impl<H: Copy + Send, W: Sync, const CORES: usize, const N: usize> Sync
    for Handlers<H, W, CORES, N>
{
}

impl<H: Copy, W: Word, const CORES: usize, const N: usize> Handlers<H, W, CORES, N> {
    /// No interrupt has a handler, and no core serves one; all words are 0.
    #[must_use]
    pub const fn new(phases: [W; N], serving: [CacheLine<W>; CORES]) -> Self {
        Self {
            phases,
            handlers: [const { UnsafeCell::new(None) }; N],
            serving,
        }
    }

    /// Gives interrupt `number` a handler, if it has none: a handler that is retiring is one still.
    /// Returns whether it had none. All that was stored before is visible to the core that calls
    /// the handler.
    #[must_use]
    pub fn set(&self, number: usize, handler: H) -> bool {
        let phase = &self.phases[number];
        let free = phase.load(Ordering::Acquire);
        if free & PHASE != FREE || phase.exchange(free, free | WRITING).is_err() {
            return false;
        }
        let cell = self.handlers[number].get();
        // SAFETY: this core has just made FREE WRITING, so by the invariant nobody else touches it.
        unsafe { cell.write(Some(handler)) };
        phase.store(free | SET, Ordering::SeqCst);
        true
    }

    /// Takes the handler of `number` away: nobody calls it any more, but somebody may be in it.
    /// Returns whether there was one, also if it was retiring already.
    pub fn retire(&self, number: usize) -> bool {
        let phase = &self.phases[number];
        let set = phase.load(Ordering::Acquire);
        match set & PHASE {
            SET => phase.exchange(set, set & !PHASE | RETIRING).is_ok(),
            RETIRING => true,
            _ => false,
        }
    }

    /// Frees `number`, which is retiring, unless a core serves it.
    ///
    /// # Errors
    /// The core that serves it.
    pub fn free(&self, number: usize) -> Result<(), usize> {
        let phase = &self.phases[number];
        let retiring = phase.load(Ordering::SeqCst);
        if retiring & PHASE != RETIRING {
            return Ok(());
        }
        if let Some(core) = self.server(number) {
            return Err(core);
        }
        // If that fails, another core has freed it.
        let _ = phase.exchange(retiring, (retiring | PHASE).wrapping_add(1));
        Ok(())
    }

    /// The first core that serves `number`.
    fn server(&self, number: usize) -> Option<usize> {
        let is_it = |CacheLine(word): &CacheLine<W>| word.load(Ordering::SeqCst) == number + 1;
        self.serving.iter().position(is_it)
    }

    /// Interrupt `number` came to `core`: hands its handler to `call`, if it has one.
    ///
    /// # Safety
    /// `core` is the running core's number, and its interrupts are masked until this returns: no
    /// other call with that number is under way.
    #[inline(always)]
    pub unsafe fn serve(&self, core: usize, number: usize, call: impl FnOnce(H)) -> Served {
        let CacheLine(serving) = &self.serving[core];
        serving.store(number + 1, Ordering::SeqCst);
        let served = match self.phases[number].load(Ordering::SeqCst) & PHASE {
            SET => {
                let cell = self.handlers[number].get();
                // SAFETY: SET, and found with this core's word written: by the invariant nobody
                // writes before that word is cleared.
                match unsafe { cell.read() } {
                    Some(handler) => {
                        call(handler);
                        Served::Called
                    }
                    None => Served::Nobody,
                }
            }
            RETIRING => Served::Retiring,
            _ => Served::Nobody,
        };
        serving.store(0, Ordering::Release);
        served
    }
}

#[cfg(test)]
mod tests;

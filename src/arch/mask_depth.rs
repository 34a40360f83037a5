//! How deep one core has masked its interrupts, and whether they are let in behind it.
//!
//! Code that saves the masks, masks, and restores them is right only if guards end in the reverse
//! order. Two guards that end in another order let interrupts in while the second one counts on
//! them to stay out, and keep them out for good when it ends. Here masks are counted: interrupts
//! come back when the last one ends, whichever that is, and only if the first one found them let
//! in.
//!
//! A [`MaskDepth`] is one core's; it is changed with that core's interrupts masked, so that loads
//! and stores are enough. An interrupt handler begins where nothing is masked, and so at depth 0.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

/// Whether a core takes interrupts: PSTATE.I of the core, without the masks of the controllers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interrupts {
    /// They wait.
    Masked,
    /// They come.
    LetIn,
}

/// The counts of masks of one core; all zero at first.
///
/// # Invariants
/// Twice the depth, plus 1 if interrupts were let in at depth 0. At depth 0 it is 0.
#[derive(Debug)]
pub struct MaskDepth(AtomicU32);

const ONE: u32 = 2;
const LET_IN: u32 = 1;

impl MaskDepth {
    /// Nothing masked.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Interrupts were masked once more; `before` is what they were. For each call there is one of
    /// [`MaskDepth::leave`], in any order.
    #[inline(always)]
    pub fn enter(&self, before: Interrupts) {
        let depth = self.0.load(Ordering::Relaxed);
        let depth = match before {
            // At another depth than 0 somebody let them in by hand: the end is not his to say.
            Interrupts::LetIn if depth == 0 => ONE | LET_IN,
            _ => depth + ONE,
        };
        self.0.store(depth, Ordering::Relaxed);
    }

    /// A guard ended. Returns what interrupts must be now: [`Interrupts::LetIn`] for the last guard
    /// alone, if the first one found them let in. The caller sets the core's mask; one `leave` too
    /// many says [`Interrupts::Masked`].
    #[inline(always)]
    pub fn leave(&self) -> Interrupts {
        let depth = self.0.load(Ordering::Relaxed).saturating_sub(ONE);
        if depth > LET_IN {
            self.0.store(depth, Ordering::Relaxed);
            return Interrupts::Masked;
        }
        self.0.store(0, Ordering::Relaxed);
        match depth {
            0 => Interrupts::Masked,
            _ => Interrupts::LetIn,
        }
    }
}

impl Default for MaskDepth {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Interrupts, MaskDepth};

    /// A core: what its register says, and what it has masked.
    struct Core {
        depth: MaskDepth,
        interrupts: Interrupts,
    }

    impl Core {
        fn with(interrupts: Interrupts) -> Self {
            let depth = MaskDepth::default();
            Self { depth, interrupts }
        }

        fn mask(&mut self) {
            let before = self.interrupts;
            self.interrupts = Interrupts::Masked;
            self.depth.enter(before);
        }

        fn end(&mut self) {
            self.interrupts = self.depth.leave();
        }
    }

    #[test]
    fn interrupts_come_back_with_the_last_end_and_not_before() {
        for deep in 1..20 {
            for first in [Interrupts::LetIn, Interrupts::Masked] {
                let mut core = Core::with(first);
                (0..deep).for_each(|_| core.mask());
                for _ in 1..deep {
                    core.end();
                    assert_eq!(core.interrupts, Interrupts::Masked);
                }
                core.end();
                assert_eq!(core.interrupts, first, "{deep} deep");
            }
        }
    }

    /// Guards that come and go in any order: no guard remembers anything, so the order of ends
    /// cannot matter; what must hold is that interrupts are masked exactly as long as one is alive.
    #[test]
    fn they_are_masked_exactly_as_long_as_anything_masks_them() {
        let mut state = 0x5717_0000_0000_0091_u64;
        let mut core = Core::with(Interrupts::LetIn);
        let mut alive = 0;
        let mut let_in = 0;
        for _ in 0..100_000 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            if state >> 63 == 0 && alive < 40 {
                core.mask();
                alive += 1;
            } else if alive > 0 {
                core.end();
                alive -= 1;
            }
            assert_eq!(core.interrupts == Interrupts::LetIn, alive == 0);
            let_in += usize::from(alive == 0);
        }
        assert!(let_in > 100, "let in only {let_in} times");
    }

    #[test]
    fn an_end_without_a_beginning_lets_nothing_in() {
        let mut core = Core::with(Interrupts::Masked);
        core.end();
        assert_eq!(core.interrupts, Interrupts::Masked);
        core.mask();
        core.end();
        assert_eq!(core.interrupts, Interrupts::Masked);
    }
}

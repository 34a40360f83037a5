//! Who stands still for whom.
//!
//! 1. The conductor, one at a time, takes the set of cores once, and holds just these:
//!    [`Hold::begin`] writes set and number of the hold as one word.
//! 2. A core that finds itself in the set writes that word as its own: it stands, for this hold and
//!    for no other. It looks again until it is not in the set.
//! 3. The conductor waits until each core of the set has written the word; [`Hold::end`] empties
//!    the set.
//!
//! # Decisions
//! A core's word names the hold that it stands for. So nobody has to wait until the cores have
//! left: a core that is on its way out of one hold is not taken for one that stands for the next.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use super::Word;

/// The set of cores; the number of the hold is above.
const CORES: usize = 0xff;
const NEXT: usize = CORES + 1;

/// Who is to stand still, and each core's word of what it stands for.
#[derive(Debug)]
pub struct Hold<W, const N: usize> {
    asked: W,
    standing: [W; N],
}

/// A hold that was begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Held(usize);

impl<W: Word, const N: usize> Hold<W, N> {
    /// Nobody is held; all words are 0.
    #[must_use]
    pub const fn new(asked: W, standing: [W; N]) -> Self {
        assert!(N <= CORES.count_ones() as usize);
        Self { asked, standing }
    }

    /// Conductor: asks the cores of the set `cores`, a bit each.
    pub fn begin(&self, cores: usize) -> Held {
        let number = (self.asked.load(Ordering::Relaxed) & !CORES).wrapping_add(NEXT);
        let held = number | cores & CORES;
        self.asked.store(held, Ordering::SeqCst);
        Held(held)
    }

    /// Conductor: the cores of the set that do not stand yet.
    #[must_use]
    pub fn missing(&self, held: Held) -> usize {
        let words = self.standing.iter().enumerate();
        let missing = words.filter(|(core, word)| {
            held.0 & 1 << core != 0 && word.load(Ordering::Acquire) != held.0
        });
        missing.fold(0, |cores, (core, _)| cores | 1 << core)
    }

    /// Conductor: lets them go.
    pub fn end(&self) {
        let asked = self.asked.load(Ordering::Relaxed);
        self.asked.store(asked & !CORES, Ordering::Release);
    }

    /// Whether `core` is to stand still: costs a load.
    #[inline]
    #[must_use]
    pub fn is_asked(&self, core: usize) -> bool {
        self.asked.load(Ordering::Relaxed) & 1 << core != 0
    }

    /// `core` looks, and stands if it is asked to: to be called until it returns `false`, with
    /// nothing done in between.
    #[must_use]
    pub fn stand(&self, core: usize) -> bool {
        let asked = self.asked.load(Ordering::Acquire);
        if asked & 1 << core == 0 {
            return false;
        }
        if let Some(word) = self.standing.get(core)
            && word.load(Ordering::Relaxed) != asked
        {
            word.store(asked, Ordering::Release);
        }
        true
    }
}

//! `stop_machine`: one core stops the others, changes what they use, and lets them run again.
//!
//! ```text
//!  core 0, the initiator                    core 1                      core 2
//!  begin({1, 2}): request = 0x306
//!                                           acknowledged[1] = 0x306
//!                                           spins                       acknowledged[2] = 0x306
//!  not_stopped() is empty                   spins                       spins
//!  changes the map                          spins                       spins
//!  end(): request = 0x300                   runs                        runs
//! ```
//!
//! 1. The initiator, one at a time, publishes the cores that are to stop, and a number that no
//!    earlier request had, as one word: number 3 and cores 1 and 2 (bits 0b110) are `0x306`.
//! 2. A core that finds its bit set copies the word into its own: it is stopped, for this request
//!    and for no other. It spins until its bit is clear.
//! 3. The initiator waits until each core of the set has copied the word. [`StopMachine::end`]
//!    clears the set.
//!
//! # Decisions
//! The acknowledgement is the request's word and no flag. With a flag the initiator had to wait at
//! the end until every core has cleared its own: a core that was on its way out of request 3 would
//! else count as stopped for request 4, and run while the map is changed.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use super::Word;

/// The bits of a request that are the set of cores; its number is above.
const CORES: usize = 0xff;
const NEXT: usize = CORES + 1;

/// The request, and what each of `N` cores has acknowledged. `N` is 8 at most: the set of cores is
/// bits 7:0 of a request.
#[derive(Debug)]
pub struct StopMachine<W, const N: usize> {
    request: W,
    acknowledged: [W; N],
}

/// The word of a request: its number, and the cores that it stops. `0x306` is number 3, for cores 1
/// and 2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct StopRequest(usize);

impl<W: Word, const N: usize> StopMachine<W, N> {
    /// No core is stopped; all words are 0.
    #[must_use]
    pub const fn new(request: W, acknowledged: [W; N]) -> Self {
        assert!(N <= CORES.count_ones() as usize);
        Self {
            request,
            acknowledged,
        }
    }

    /// Initiator: requests that the cores of the set `cores`, a bit each, stop. One initiator at a
    /// time, whose own bit is not in it; the caller sees to both.
    pub fn begin(&self, cores: usize) -> StopRequest {
        let number = (self.request.load(Ordering::Relaxed) & !CORES).wrapping_add(NEXT);
        let request = number | cores & CORES;
        self.request.store(request, Ordering::SeqCst);
        StopRequest(request)
    }

    /// Initiator: the cores of `request` that have not stopped yet, a bit each. 0: all spin, and
    /// what they stored before is visible (acquire).
    #[must_use]
    pub fn not_stopped(&self, request: StopRequest) -> usize {
        let words = self.acknowledged.iter().enumerate();
        let missing = words.filter(|(core, word)| {
            request.0 & 1 << core != 0 && word.load(Ordering::Acquire) != request.0
        });
        missing.fold(0, |cores, (core, _)| cores | 1 << core)
    }

    /// Initiator: the cores run again, and see what was stored meanwhile (release). Also behind a
    /// request that some core did not acknowledge.
    pub fn end(&self) {
        let request = self.request.load(Ordering::Relaxed);
        self.request.store(request & !CORES, Ordering::Release);
    }

    /// Whether `core` is to stop: costs a load, and orders nothing. [`StopMachine::acknowledge`]
    /// looks again.
    #[inline]
    #[must_use]
    pub fn is_requested(&self, core: usize) -> bool {
        self.request.load(Ordering::Relaxed) & 1 << core != 0
    }

    /// Acknowledges the request, if it has `core`. Returns whether it has: `core` calls this again
    /// until it returns `false`, and does nothing else in between.
    #[must_use]
    pub fn acknowledge(&self, core: usize) -> bool {
        let request = self.request.load(Ordering::Acquire);
        if request & 1 << core == 0 {
            return false;
        }
        if let Some(word) = self.acknowledged.get(core)
            && word.load(Ordering::Relaxed) != request
        {
            word.store(request, Ordering::Release);
        }
        true
    }
}

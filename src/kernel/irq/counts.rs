//! Counts of interrupts: handled, unhandled and spurious.
//!
//! An interrupt with nothing pending is *spurious*; one that is pending and registered by nobody is
//! *unhandled*, and is to be masked and reported, once.
//!
//! # Decisions
//! - Each count is written by one core only, in its interrupt path, which does not interrupt
//!   itself. So a load and a store are enough, without exclusives; another core that reads it sees
//!   a value that it had a moment ago.
//! - Numbers and cores come from the kernel's own decoding, so one that is too large is a broken
//!   invariant.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether an unhandled interrupt has been reported: once for each number on each core, however
/// often it comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unhandled {
    /// It is the first on this core: mask it and report it.
    First,
    /// It was reported: mask it.
    Again,
}

/// Counts of each of `N` interrupts on each of `CORES` cores since the start.
///
/// A method that counts is called by `core` alone, with its interrupts masked. All methods
/// panic if there is no such core or number.
#[derive(Debug)]
pub struct IrqCounts<const CORES: usize, const N: usize> {
    cores: [CoreCounts<N>; CORES],
}

#[derive(Debug)]
struct CoreCounts<const N: usize> {
    handled: [AtomicU64; N],
    reported: [AtomicBool; N],
    unhandled: AtomicU64,
    spurious: AtomicU64,
}

impl<const CORES: usize, const N: usize> IrqCounts<CORES, N> {
    /// All counts are 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cores: [const {
                CoreCounts {
                    handled: [const { AtomicU64::new(0) }; N],
                    reported: [const { AtomicBool::new(false) }; N],
                    unhandled: AtomicU64::new(0),
                    spurious: AtomicU64::new(0),
                }
            }; CORES],
        }
    }

    /// Counts interrupt `number` on `core`, just before its handler is called: also one whose
    /// handler does not return.
    #[inline]
    pub fn count_handled(&self, core: usize, number: usize) {
        increment(&self.cores[core].handled[number]);
    }

    /// Counts an unhandled interrupt: pending, and registered by nobody. Of each number the first
    /// on `core` is [`Unhandled::First`], for good.
    #[must_use]
    pub fn count_unhandled(&self, core: usize, number: usize) -> Unhandled {
        let counts = &self.cores[core];
        let reported = &counts.reported[number];
        increment(&counts.unhandled);
        if reported.load(Ordering::Relaxed) {
            return Unhandled::Again;
        }
        reported.store(true, Ordering::Relaxed);
        Unhandled::First
    }

    /// Counts an interrupt with nothing pending, as where its level ended between the exception and
    /// the look at the controllers.
    pub fn count_spurious(&self, core: usize) {
        increment(&self.cores[core].spurious);
    }

    /// Handled interrupts `number` of `core` since the start; to another core, as they were a
    /// moment ago.
    #[must_use]
    pub fn handled(&self, core: usize, number: usize) -> u64 {
        self.cores[core].handled[number].load(Ordering::Relaxed)
    }

    /// Unhandled interrupts of `core` since the start, all numbers together.
    #[must_use]
    pub fn unhandled(&self, core: usize) -> u64 {
        self.cores[core].unhandled.load(Ordering::Relaxed)
    }

    /// Spurious interrupts of `core` since the start: they have no number.
    #[must_use]
    pub fn spurious(&self, core: usize) -> u64 {
        self.cores[core].spurious.load(Ordering::Relaxed)
    }
}

impl<const CORES: usize, const N: usize> Default for IrqCounts<CORES, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds one; this core is the only writer.
fn increment(count: &AtomicU64) {
    let old = count.load(Ordering::Relaxed);
    count.store(old.wrapping_add(1), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::{IrqCounts, Unhandled};
    use crate::kernel::random::Random;
    use std::thread;
    use std::vec::Vec;

    const NUMBERS: usize = 76;
    const CORES: usize = 4;

    #[test]
    fn four_cores_at_once_lose_no_count() {
        let counts: IrqCounts<CORES, NUMBERS> = IrqCounts::new();
        let expected: Vec<Vec<u64>> = thread::scope(|scope| {
            let cores: Vec<_> = (0..CORES)
                .map(|core| {
                    let counts = &counts;
                    scope.spawn(move || {
                        let mut random = Random(0x5717_0000_0000_0050 + core as u64);
                        let mut seen = std::vec![0; NUMBERS + 1];
                        for _ in 0..50_000 {
                            let number = random.index(NUMBERS + 1);
                            seen[number] += 1;
                            if number < NUMBERS {
                                counts.count_handled(core, number);
                            } else {
                                counts.count_spurious(core);
                            }
                        }
                        seen
                    })
                })
                .collect();
            cores
                .into_iter()
                .map(|core| core.join().expect("no core fails"))
                .collect()
        });
        for (core, seen) in expected.iter().enumerate() {
            for (number, count) in seen[..NUMBERS].iter().enumerate() {
                assert_eq!(counts.handled(core, number), *count);
            }
            assert_eq!(counts.spurious(core), seen[NUMBERS]);
            assert_eq!(counts.unhandled(core), 0);
        }
    }

    #[test]
    fn an_unhandled_interrupt_is_reported_once_on_each_core() {
        let counts: IrqCounts<CORES, NUMBERS> = IrqCounts::default();
        for core in 0..CORES {
            for number in [0, 40, NUMBERS - 1] {
                assert_eq!(counts.count_unhandled(core, number), Unhandled::First);
                assert_eq!(counts.count_unhandled(core, number), Unhandled::Again);
                assert_eq!(counts.handled(core, number), 0);
            }
            assert_eq!(counts.unhandled(core), 6);
        }
    }
}

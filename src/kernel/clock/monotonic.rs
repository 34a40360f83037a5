//! A clock that never goes back on any core, even if the counter does.
//!
//! The architecture promises a counter that all cores share and that only goes up (DDI 0487, D12).
//! On boards of this family jumps have been reported all the same. So the latest time that anyone
//! was told is kept, and nobody is told an earlier one: after a jump back the clock stands still
//! until the counter has caught up. That it did is counted for each core.
//!
//! # Decisions
//!
//! - The latest time is one for all cores. So the clock is monotone between cores too: a core that
//!   is woken by another core does not see a time before that core's. The price is an exclusive
//!   pair for each reading.
//! - The latest time is loaded before the counter is read. An interrupt or another core between the
//!   two can only make the reading later, so a reading that is earlier is the counter's fault. Not
//!   quite: a core may read the counter while the load is still on its way. [`JUMP_NS`] is more
//!   than that takes, and less is corrected without being counted.
//! - A reading that is ahead of the latest time by more than `AHEAD_NS` is taken again, and the
//!   second one counts if it is earlier: one wrong reading, hours ahead, would make all timers due
//!   and then stop the clock for as long. A jump forward that lasts is believed: it cannot be told
//!   from time that has passed.
//! - What a core has seen is counted with exclusives: an interrupt of this core may come between a
//!   load and a store, and look at the clock itself.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A reading that is earlier than the latest time by more than this, in nanoseconds, is a jump.
pub const JUMP_NS: u64 = 1_000;

/// A reading that is later than the latest time by more than this, in nanoseconds, is taken twice.
/// A caller that looks less often than that does not mind the cost.
const AHEAD_NS: u64 = 100_000;

/// The jumps of a core's counter since the start: readings that were behind the latest time, or
/// ahead of the reading taken right after, by more than [`JUMP_NS`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Jumps {
    /// How often. From a jump until the counter has caught up counts as one.
    pub count: u64,
    /// By how much at most, in nanoseconds.
    pub largest_ns: u64,
}

/// The latest time, and what each of `CORES` cores has seen. Needs cacheable memory: not for use
/// before the MMU is on.
#[derive(Debug)]
pub struct Monotonic<const CORES: usize> {
    latest_ns: AtomicU64,
    cores: [ClockWatch; CORES],
}

/// The readings of one core; only that core and its interrupts write it.
#[derive(Debug)]
struct ClockWatch {
    /// Whether the counter has jumped back and not caught up.
    behind: AtomicBool,
    count: AtomicU64,
    largest_ns: AtomicU64,
}

impl<const CORES: usize> Monotonic<CORES> {
    /// Nothing read yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            latest_ns: AtomicU64::new(0),
            cores: [const {
                ClockWatch {
                    behind: AtomicBool::new(false),
                    count: AtomicU64::new(0),
                    largest_ns: AtomicU64::new(0),
                }
            }; CORES],
        }
    }

    /// The time in nanoseconds: what `read_ns` says, or the latest that any core was told if that
    /// is later. `core` is the one that this runs on, and whose counter is read.
    ///
    /// # Panics
    /// If there is no such core.
    pub fn now_ns(&self, core: usize, mut read_ns: impl FnMut() -> u64) -> u64 {
        let before_ns = self.latest_ns.load(Ordering::Acquire);
        let mut now_ns = read_ns();
        if now_ns > before_ns.saturating_add(AHEAD_NS) {
            let again_ns = read_ns();
            self.cores[core].saw(now_ns.saturating_sub(again_ns));
            now_ns = now_ns.min(again_ns);
        }
        self.cores[core].saw(before_ns.saturating_sub(now_ns));
        self.latest_ns
            .fetch_max(now_ns, Ordering::AcqRel)
            .max(now_ns)
    }

    /// The latest time that was returned on any core, in nanoseconds; 0 before the first. Reads no
    /// counter: a core that has just come compares its own with it.
    #[must_use]
    pub fn latest_ns(&self) -> u64 {
        self.latest_ns.load(Ordering::Acquire)
    }

    /// How often the counter of `core` went back.
    ///
    /// # Panics
    /// If there is no such core.
    #[must_use]
    pub fn jumps(&self, core: usize) -> Jumps {
        let watch = &self.cores[core];
        Jumps {
            count: watch.count.load(Ordering::Relaxed),
            largest_ns: watch.largest_ns.load(Ordering::Relaxed),
        }
    }
}

impl<const CORES: usize> Default for Monotonic<CORES> {
    fn default() -> Self {
        Self::new()
    }
}

impl ClockWatch {
    /// The counter was `behind_ns` behind the latest time.
    fn saw(&self, behind_ns: u64) {
        if behind_ns > JUMP_NS {
            self.saw_jump(behind_ns);
        } else if self.behind.load(Ordering::Relaxed) {
            self.behind.store(false, Ordering::Relaxed);
        }
    }

    #[cold]
    fn saw_jump(&self, behind_ns: u64) {
        self.largest_ns.fetch_max(behind_ns, Ordering::Relaxed);
        if !self.behind.swap(true, Ordering::Relaxed) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{JUMP_NS, Jumps, Monotonic};
    use crate::kernel::random::Random;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;

    const CORES: usize = 4;

    #[test]
    fn a_counter_that_goes_up_is_believed_and_nothing_is_counted() {
        let clock: Monotonic<CORES> = Monotonic::new();
        let mut random = Random(0x5717_0000_0000_0031);
        let mut ns = 0;
        for _ in 0..100_000 {
            ns += random.below(1_000);
            assert_eq!(clock.now_ns(random.index(CORES), || ns), ns);
        }
        let none = Jumps {
            count: 0,
            largest_ns: 0,
        };
        assert!((0..CORES).all(|core| clock.jumps(core) == none));
    }

    #[test]
    fn the_clock_stands_still_until_the_counter_has_caught_up() {
        let clock: Monotonic<1> = Monotonic::new();
        let readings = [50_000, 10_000, 11_000, 49_999, 50_000, 50_001];
        let times = readings.map(|ns| clock.now_ns(0, || ns));
        assert_eq!(times, [50_000, 50_000, 50_000, 50_000, 50_000, 50_001]);
        let once = Jumps {
            count: 1,
            largest_ns: 40_000,
        };
        assert_eq!(clock.jumps(0), once);
    }

    #[test]
    fn one_reading_that_is_ahead_is_not_believed() {
        let clock: Monotonic<1> = Monotonic::new();
        clock.now_ns(0, || 1_000_000);
        let hour_ns = 3_600_000_000_000;
        for (first_ns, second_ns, time_ns) in [
            (hour_ns, 1_000_500, 1_000_500),
            (1_100_501, 1_100_600, 1_100_501),
            // Not far enough ahead to be looked at again.
            (1_200_501, 1, 1_200_501),
            // Both: it is the time now.
            (hour_ns, hour_ns + 20, hour_ns),
        ] {
            let mut readings = [first_ns, second_ns].into_iter();
            let found_ns = clock.now_ns(0, || readings.next().expect("two looks at most"));
            assert_eq!(found_ns, time_ns);
        }
        let once = Jumps {
            count: 1,
            largest_ns: hour_ns - 1_000_500,
        };
        assert_eq!(clock.jumps(0), once);
    }

    #[test]
    fn each_jump_counts_once_and_for_the_core_that_saw_it() {
        let clock: Monotonic<CORES> = Monotonic::new();
        for jump in 1..=10 {
            let ns = (1 << 40) + jump;
            clock.now_ns(0, || ns);
            for behind in [5_000 * jump, 4_000 * jump, JUMP_NS + 1] {
                assert_eq!(clock.now_ns(2, || ns - behind), ns);
                assert_eq!(clock.now_ns(1, || ns), ns);
            }
            clock.now_ns(2, || ns + 1);
        }
        let ten = Jumps {
            count: 10,
            largest_ns: 50_000,
        };
        assert_eq!(clock.jumps(2), ten);
        assert_eq!(clock.jumps(1).count + clock.jumps(0).count, 0);
    }

    #[test]
    fn what_an_interrupt_or_another_core_read_in_between_is_no_jump() {
        let clock: Monotonic<CORES> = Monotonic::new();
        clock.now_ns(0, || 1_000);
        let outer = clock.now_ns(0, || {
            assert_eq!(clock.now_ns(1, || 900_000), 900_000);
            20_000
        });
        assert_eq!(outer, 900_000);
        assert_eq!(clock.now_ns(0, || 900_000 - JUMP_NS), 900_000);
        assert_eq!(clock.jumps(0).count, 0);
    }

    #[test]
    fn time_never_goes_back_on_or_between_cores_whatever_the_counter_does() {
        let clock: Monotonic<CORES> = Monotonic::new();
        let counter = AtomicU64::new(1 << 30);
        // The latest time that a core has told the others.
        let told = AtomicU64::new(0);
        thread::scope(|scope| {
            for core in 0..CORES {
                let (clock, counter, told) = (&clock, &counter, &told);
                scope.spawn(move || {
                    let mut random = Random(0x5717_0000_0000_0040 + core as u64);
                    let mut last = 0;
                    for _ in 0..50_000 {
                        let floor = told.load(Ordering::SeqCst).max(last);
                        let now = clock.now_ns(core, || {
                            if random.below(100) == 0 {
                                counter.fetch_sub(5_000, Ordering::SeqCst);
                            }
                            counter.fetch_add(random.below(100), Ordering::SeqCst)
                        });
                        assert!(now >= floor, "{now} after {floor} on core {core}");
                        told.fetch_max(now, Ordering::SeqCst);
                        last = now;
                    }
                });
            }
        });
        assert!((0..CORES).any(|core| clock.jumps(core).count > 0));
    }

    /// An interrupt of the core between a load and a store of its own, as a second thread has it:
    /// neither takes back what the other has counted.
    #[test]
    fn no_jump_is_lost_when_an_interrupt_counts_too() {
        let watch = super::ClockWatch {
            behind: AtomicBool::new(false),
            count: AtomicU64::new(0),
            largest_ns: AtomicU64::new(0),
        };
        thread::scope(|scope| {
            for writer in 0..2 {
                let watch = &watch;
                scope.spawn(move || {
                    let mut count = 0;
                    for jump in 0..1_000_000 {
                        let behind_ns = JUMP_NS + 1 + 2 * jump + writer;
                        watch.saw_jump(behind_ns);
                        let largest_ns = watch.largest_ns.load(Ordering::SeqCst);
                        assert!(largest_ns >= behind_ns, "{behind_ns}, then {largest_ns} ns");
                        let now = watch.count.load(Ordering::SeqCst);
                        assert!(now >= count, "{count} jumps, then {now}");
                        count = now;
                        watch.saw(0);
                    }
                });
            }
        });
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_core_that_there_is_not_has_no_clock() {
        Monotonic::<CORES>::new().now_ns(CORES, || 0);
    }
}

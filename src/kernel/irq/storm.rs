//! Storms: an interrupt that comes so often that its core does nothing else.
//!
//! Each interrupt on each core has an allowance of [`StormRate::burst`], which fills up again by
//! one each [`StormRate::interval_ns`]. Every arrival takes one; the one that finds none left is a
//! storm: the caller masks the interrupt and reports it, and may release it later. So, exactly: it
//! is a storm as soon as for any time that has passed until now, of `t` nanoseconds, more than
//! `burst + t / interval_ns` came. Steady interrupts up to the rate go on for ever; at twice the
//! rate it takes `burst * interval_ns`.
//!
//! # Decisions
//!
//! - An allowance that fills up, not a count that starts anew with each window: two bursts on both
//!   sides of a window's edge would hide from that, or half the rate would have to be refused. A
//!   window that slides needs the time of every arrival; this needs two words.
//! - What is kept is how much of the allowance is used, in nanoseconds, and the last reading of the
//!   clock: only the distance from one reading to the next counts. A reading that is ahead fills
//!   the allowance up, and the right one behind it, which goes back, is no time: neither makes a
//!   storm. (To keep when the allowance is full again, in one word, would take each arrival behind
//!   a reading that was 10 ms ahead for one too many.)
//! - Like the counts, the state of a core is written by that core alone, without exclusives.
//! - If the clock stands still, nothing fills up, and `burst` more arrivals look like a storm. That
//!   is the safe side: what is masked is reported and can be released.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How often an interrupt may come: `burst + t / interval_ns` times in any `t` nanoseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StormRate {
    /// The mean distance, in nanoseconds, that is still allowed for ever.
    pub interval_ns: u32,
    /// How many may come at once when none came for long.
    pub burst: u32,
}

/// The kernel's rate: 100,000 a second, and 1,000 at once, which is 10 ms of them. The fastest
/// that is right on this board is the UART at 115200 baud without its queues: 11,520 a second.
pub const STORM_RATE: StormRate = StormRate {
    interval_ns: 10_000,
    burst: 1_000,
};

/// The verdict on an arrival: the guard only counts, and the caller masks and reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ArrivalVerdict {
    /// Nothing out of the ordinary.
    Calm,
    /// A storm begins: mask the interrupt and report it.
    Storm,
    /// It was on its way when its interrupt was masked: mask it again, it was reported.
    Masked,
}

/// Watches each of `N` interrupts on each of `CORES` cores.
///
/// A method that changes something is called by `core` alone, with its interrupts masked.
/// All methods panic if there is no such core or number.
#[derive(Debug)]
pub struct StormGuard<const CORES: usize, const N: usize> {
    watches: [[StormWatch; N]; CORES],
}

#[derive(Debug)]
struct StormWatch {
    /// The last reading of the clock, in nanoseconds.
    last_ns: AtomicU64,
    /// How much of the allowance was used then: how long it takes to fill up again.
    used_ns: AtomicU64,
    masked: AtomicBool,
}

impl<const CORES: usize, const N: usize> StormGuard<CORES, N> {
    /// None came.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            watches: [const {
                [const {
                    StormWatch {
                        last_ns: AtomicU64::new(0),
                        used_ns: AtomicU64::new(0),
                        masked: AtomicBool::new(false),
                    }
                }; N]
            }; CORES],
        }
    }

    /// Interrupt `number` came to `core` at `now_ns`; `rate` is the same each time. A reading
    /// before the last one counts as no time: the clock may jump.
    #[inline]
    #[must_use]
    pub fn arrived(
        &self,
        rate: StormRate,
        core: usize,
        number: usize,
        now_ns: u64,
    ) -> ArrivalVerdict {
        let watch = &self.watches[core][number];
        if watch.masked.load(Ordering::Relaxed) {
            return ArrivalVerdict::Masked;
        }
        let passed_ns = now_ns.saturating_sub(watch.last_ns.load(Ordering::Relaxed));
        watch.last_ns.store(now_ns, Ordering::Relaxed);
        let used_ns = watch.used_ns.load(Ordering::Relaxed);
        let used_ns = used_ns.saturating_sub(passed_ns) + u64::from(rate.interval_ns);
        // Where nanoseconds end the clock stands: what comes there says nothing.
        let used_ns = used_ns.min(u64::MAX - now_ns);
        watch.used_ns.store(used_ns, Ordering::Relaxed);
        if used_ns <= rate.allowance_ns() {
            return ArrivalVerdict::Calm;
        }
        watch.masked.store(true, Ordering::Relaxed);
        ArrivalVerdict::Storm
    }

    /// Whether a storm of `number` on `core` was seen and not released; any core may look.
    #[must_use]
    pub fn is_masked(&self, core: usize, number: usize) -> bool {
        self.watches[core][number].masked.load(Ordering::Relaxed)
    }

    /// Gives `number` its whole allowance back; the caller, which is `core` itself, unmasks it
    /// afterwards.
    pub fn release(&self, core: usize, number: usize) {
        let watch = &self.watches[core][number];
        watch.used_ns.store(0, Ordering::Relaxed);
        watch.masked.store(false, Ordering::Relaxed);
    }
}

impl<const CORES: usize, const N: usize> Default for StormGuard<CORES, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl StormRate {
    /// How long it takes until an allowance that was used up is full again.
    const fn allowance_ns(self) -> u64 {
        self.interval_ns as u64 * self.burst as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{ArrivalVerdict, STORM_RATE, StormGuard, StormRate};
    use crate::kernel::random::Random;
    use std::vec::Vec;

    const SMALL: StormRate = StormRate {
        interval_ns: 10,
        burst: 20,
    };

    /// A guard with its rate.
    struct Rated<const CORES: usize, const N: usize> {
        guard: StormGuard<CORES, N>,
        rate: StormRate,
    }

    impl<const CORES: usize, const N: usize> Rated<CORES, N> {
        fn new(rate: StormRate) -> Self {
            let guard = StormGuard::new();
            Self { guard, rate }
        }

        fn arrived(&self, core: usize, number: usize, now_ns: u64) -> ArrivalVerdict {
            self.guard.arrived(self.rate, core, number, now_ns)
        }

        fn is_masked(&self, core: usize, number: usize) -> bool {
            self.guard.is_masked(core, number)
        }

        fn release(&self, core: usize, number: usize) {
            self.guard.release(core, number);
        }
    }

    /// Whether for any past time more came than the rate allows; `arrivals` ends with now.
    fn is_storm(arrivals: &[u64], rate: StormRate) -> bool {
        let now_ns = *arrivals.last().expect("one came");
        arrivals.iter().rev().zip(1..).any(|(then_ns, count)| {
            let more = count - i128::from(rate.burst);
            more * i128::from(rate.interval_ns) > i128::from(now_ns - then_ns)
        })
    }

    #[test]
    fn a_storm_is_when_any_past_time_had_more_than_the_rate_allows() {
        let mut random = Random(0x5717_0000_0000_0061);
        let mut storms = 0;
        for _ in 0..2_000 {
            let guard: Rated<1, 1> = Rated::new(SMALL);
            let mut now_ns = random.of_any_size() / 2;
            let mut arrivals = Vec::new();
            // From four times as often as is allowed to half as often, with and without bursts.
            let mean = 2 + random.below(16);
            for _ in 0..300 {
                now_ns += match random.below(4) {
                    0 => 0,
                    1 => random.below(4 * mean),
                    _ => random.below(2 * mean),
                };
                arrivals.push(now_ns);
                let storm = is_storm(&arrivals, SMALL);
                let verdict = guard.arrived(0, 0, now_ns);
                assert_eq!(verdict == ArrivalVerdict::Storm, storm, "{arrivals:?}");
                if storm {
                    storms += 1;
                    guard.release(0, 0);
                    arrivals.clear();
                }
            }
        }
        assert!(storms > 1_000, "only {storms} storms");
    }

    /// The arrival, from 1, at which a steady interrupt becomes a storm.
    fn storm_at(distance_ns: impl Fn(u64) -> u64, arrivals: u64) -> Option<u64> {
        let guard: Rated<1, 1> = Rated::new(STORM_RATE);
        let mut now_ns = 1 << 33;
        (1..=arrivals).find(|&count| {
            now_ns += distance_ns(count);
            guard.arrived(0, 0, now_ns) == ArrivalVerdict::Storm
        })
    }

    #[test]
    fn the_stated_rate_is_allowed_for_ever_and_more_is_not() {
        assert_eq!(storm_at(|_| 10_000, 1_000_000), None);
        // 1 % more: each arrival takes 100 ns of 10 ms.
        assert_eq!(storm_at(|_| 9_900, 1_000_000), Some(99_902));
        // Twice the rate: 10 ms. A line that nobody clears, every microsecond: 1.1 ms.
        assert_eq!(storm_at(|_| 5_000, 1_000_000), Some(2_000));
        assert_eq!(storm_at(|_| 1_000, 1_000_000), Some(1_112));
        // All at once.
        assert_eq!(storm_at(|_| 0, 1_000_000), Some(1_001));
    }

    #[test]
    fn bursts_that_fit_are_allowed_for_ever() {
        let in_bursts = |count: u64| if count % 1_000 == 1 { 10_000_000 } else { 0 };
        assert_eq!(storm_at(in_bursts, 1_000_000), None);
        let too_close = |count: u64| if count % 1_000 == 1 { 9_990_000 } else { 0 };
        assert_eq!(storm_at(too_close, 1_000_000), Some(2_000));
    }

    #[test]
    fn a_storm_is_told_once_until_it_is_released() {
        let guard: Rated<2, 3> = Rated::new(SMALL);
        for _ in 0..20 {
            assert_eq!(guard.arrived(1, 2, 500), ArrivalVerdict::Calm);
        }
        assert_eq!(guard.arrived(1, 2, 500), ArrivalVerdict::Storm);
        assert!(guard.is_masked(1, 2));
        assert_eq!(guard.arrived(1, 2, 1 << 40), ArrivalVerdict::Masked);
        guard.release(1, 2);
        assert!(!guard.is_masked(1, 2));
        for _ in 0..20 {
            assert_eq!(guard.arrived(1, 2, 500), ArrivalVerdict::Calm);
        }
        assert_eq!(guard.arrived(1, 2, 500), ArrivalVerdict::Storm);
    }

    #[test]
    fn a_reading_that_is_ahead_or_behind_makes_no_storm_and_hides_none() {
        for wrong_by_ns in [1_000_000, 10_000_000, 11_000_000, 1 << 40, i64::MAX >> 1] {
            for wrong_by_ns in [wrong_by_ns, -wrong_by_ns] {
                let guard: Rated<1, 1> = Rated::new(STORM_RATE);
                let right_ns = |count: u64| (1 << 62) + count * 20_000;
                for count in 0..50_000 {
                    let is_wrong = count % 10_000 == 5_000;
                    let wrong_ns = if is_wrong { wrong_by_ns } else { 0 };
                    let now_ns = right_ns(count).saturating_add_signed(wrong_ns);
                    let verdict = guard.arrived(0, 0, now_ns);
                    assert_eq!(
                        verdict,
                        ArrivalVerdict::Calm,
                        "{count}, wrong by {wrong_by_ns} ns"
                    );
                }
                let now_ns = right_ns(50_000);
                let mut burst = (0..1_002).map(|_| guard.arrived(0, 0, now_ns));
                assert!(burst.any(|verdict| verdict == ArrivalVerdict::Storm));
            }
        }
    }

    #[test]
    fn one_storm_is_not_another_cores_or_interrupts() {
        let guard: Rated<4, 8> = Rated::new(SMALL);
        for _ in 0..100 {
            let _ = guard.arrived(2, 5, 0);
        }
        for (core, number) in (0..4).flat_map(|core| (0..8).map(move |number| (core, number))) {
            assert_eq!(guard.is_masked(core, number), (core, number) == (2, 5));
            if (core, number) != (2, 5) {
                assert_eq!(guard.arrived(core, number, 0), ArrivalVerdict::Calm);
            }
        }
    }

    #[test]
    fn the_end_of_time_is_no_storm() {
        let guard: Rated<1, 1> = Rated::new(STORM_RATE);
        for now_ns in (u64::MAX - 2_000)..=u64::MAX {
            assert_eq!(guard.arrived(0, 0, now_ns), ArrivalVerdict::Calm);
        }
    }

    #[test]
    fn extreme_rates_do_not_overflow() {
        let most = StormRate {
            interval_ns: u32::MAX,
            burst: u32::MAX,
        };
        assert_eq!(most.allowance_ns(), 0xffff_fffe_0000_0001);
        let guard: Rated<1, 1> = Rated::new(most);
        assert_eq!(guard.arrived(0, 0, 7), ArrivalVerdict::Calm);
        let none = StormRate {
            interval_ns: 1,
            burst: 0,
        };
        let guard: Rated<1, 1> = Rated::new(none);
        assert_eq!(guard.arrived(0, 0, 7), ArrivalVerdict::Storm);
    }
}

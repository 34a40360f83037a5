//! Whether a counter runs at the rate that it is said to: compared with a second counter, of
//! microseconds, over the time between two readings of both.
//!
//! # Decisions
//! - A reading of two counters is not one moment: the core may be interrupted in between, for as
//!   long as an emulator's host pleases. So the first counter is read before and behind the second,
//!   and all that is said follows from these bounds. A difference is told only if no moment within
//!   them allows less.
#![forbid(unsafe_code)]

use super::ticks_since;

/// Both counters at about one moment: `us` was read between `before` and `after`, whose distance
/// bounds the error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// The counter's ticks just before.
    pub before: u64,
    /// The microseconds, modulo 2^32.
    pub us: u32,
    /// The counter's ticks just behind.
    pub after: u64,
}

/// The result of two readings. With less than 500 us between them it is [`Rate::Agrees`]: too short
/// to measure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rate {
    /// Nothing speaks against what the counter is said to run at.
    Agrees,
    /// It runs at this, in Hz, and not within a hundredth of what is said.
    Differs {
        /// The middle of what is possible.
        measured_hz: u64,
    },
    /// The microseconds stand still.
    NoMicroseconds,
}

const US_PER_SECOND: u128 = 1_000_000;
/// Less time than this is no measure, in microseconds.
const LEAST_US: u128 = 500;
/// A deviation below one part in so many is none.
const TOLERANCE: u128 = 100;

/// Whether the counter ran at `hz` from reading `first` to reading `last`, which are less than 71
/// minutes apart.
#[must_use]
pub fn judge(hz: u32, first: Reading, last: Reading) -> Rate {
    let hz = u128::from(hz);
    let least = u128::from(ticks_since(first.after, last.before));
    let most = u128::from(ticks_since(first.before, last.after));
    // Each reading of the microseconds is cut off.
    let us = u128::from(last.us.wrapping_sub(first.us));
    if us == 0 && least * US_PER_SECOND >= hz * LEAST_US {
        return Rate::NoMicroseconds;
    }
    if us < LEAST_US {
        return Rate::Agrees;
    }
    let slowest = least * US_PER_SECOND / (us + 1);
    let fastest = most * US_PER_SECOND / (us - 1);
    let tolerated = hz / TOLERANCE;
    if slowest > hz + tolerated || fastest < hz - tolerated {
        let measured_hz = u64::try_from((slowest + fastest) / 2).unwrap_or(u64::MAX);
        return Rate::Differs { measured_hz };
    }
    Rate::Agrees
}

#[cfg(test)]
mod tests {
    use super::{Rate, Reading, judge};

    /// A reading at `ns` of a counter that runs at `hz` from `origin`, and that took `took` ticks.
    fn reading(hz: u64, origin: u64, ns: u64, took: u64) -> Reading {
        let ticks = (u128::from(ns) * u128::from(hz) / 1_000_000_000) as u64;
        let before = origin.wrapping_add(ticks);
        Reading {
            before,
            us: (ns / 1_000) as u32,
            after: before.wrapping_add(took),
        }
    }

    fn over(said_hz: u32, real_hz: u64, origin: u64, ns: u64) -> Rate {
        let start_ns = 4_294_900_123_456;
        let first = reading(real_hz, origin, start_ns, 3);
        let last = reading(real_hz, origin, start_ns + ns, 3);
        judge(said_hz, first, last)
    }

    #[test]
    fn what_is_right_agrees_wherever_the_counters_stand() {
        for hz in [1_000_000, 19_200_000, 54_000_000, 62_500_000, 1_000_000_000] {
            for origin in [
                0,
                1 << 63,
                u64::MAX - 5_000,
                0_u64.wrapping_sub(4_294_900 * 62_500),
            ] {
                for ns in [0, 1_000, 1_500_000, 20_000_000, 60_000_000_000] {
                    assert_eq!(over(hz, hz.into(), origin, ns), Rate::Agrees, "{hz} {ns}");
                }
            }
        }
    }

    #[test]
    fn more_than_a_hundredth_is_told_and_less_is_not() {
        for (said_hz, real_hz) in [
            (19_200_000, 19_400_000),
            (19_200_000, 19_000_000),
            (62_500_000, 19_200_000),
            (19_200_000, 62_500_000),
            (50_000_000, 62_500_000),
        ] {
            match over(said_hz, real_hz, u64::MAX - 77, 30_000_000) {
                Rate::Differs { measured_hz } => {
                    assert!(
                        measured_hz.abs_diff(real_hz) < real_hz / 1_000,
                        "{measured_hz}"
                    );
                }
                other => panic!("{said_hz} for {real_hz}: {other:?}"),
            }
        }
        for real_hz in [19_390_000, 19_010_000] {
            assert_eq!(over(19_200_000, real_hz, 0, 30_000_000), Rate::Agrees);
        }
    }

    #[test]
    fn a_reading_that_took_long_makes_no_difference() {
        let first = reading(62_500_000, 0, 1_000_000, 3);
        // Another 5 ms pass before the counter is read again.
        let last = reading(62_500_000, 0, 3_000_000, 312_500);
        assert_eq!(judge(62_500_000, first, last), Rate::Agrees);
        let interrupted = Reading {
            before: first.before.wrapping_sub(312_500),
            ..first
        };
        assert_eq!(judge(62_500_000, interrupted, last), Rate::Agrees);
    }

    #[test]
    fn a_second_counter_that_stands_still_is_no_difference() {
        let first = reading(62_500_000, 0, 0, 3);
        let last = reading(62_500_000, 0, 2_000_000, 3);
        let stands = Reading {
            us: first.us,
            ..last
        };
        assert_eq!(judge(62_500_000, first, stands), Rate::NoMicroseconds);
        assert_eq!(judge(62_500_000, first, first), Rate::Agrees);
    }
}

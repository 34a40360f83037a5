//! Ticks of a counter to nanoseconds and back, exact, without a division.
//!
//! # Decisions
//!
//! - A multiplication and a shift give the quotient, as everywhere; here two more multiplications
//!   make it exact. The multiplier is a fraction of 64 bits cut off, so the quotient that it gives
//!   is at most 2 too small, whatever is multiplied; and the remainder, which is then less than
//!   three times the divisor, comes out right in wrapping arithmetic of 64 bits and says by how
//!   much. Exact means monotone, and means that both directions fit each other.
//! - Nothing is added up from one reading to the next, so there is no error that grows.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::RangeInclusive;

/// Rates in hertz that are believed. The Pi 3's counter has 19.2 MHz, QEMU's 62.5 MHz; those of
/// newer processors have 1 GHz (DDI 0487, D12).
pub const HZ_RANGE: RangeInclusive<u32> = 1_000_000..=NS_PER_SECOND;

const NS_PER_SECOND: u32 = 1_000_000_000;

/// Why there is no scale: CNTFRQ_EL0 holds what a loader wrote there, or 0. The kernel then counts
/// by the crystal's 19.2 MHz.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClockError {
    /// The counter's rate is not in [`HZ_RANGE`].
    Rate {
        /// The rate.
        hz: u32,
    },
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { hz } => write!(
                f,
                "a counter of {hz} Hz is not one of {} to {} Hz",
                HZ_RANGE.start(),
                HZ_RANGE.end()
            ),
        }
    }
}

impl core::error::Error for ClockError {}

/// The conversion of a counter's ticks to nanoseconds.
///
/// Every result is the exact quotient, rounded as said: the error is less than one nanosecond, or
/// one tick, at every reading. Nanoseconds end after 584 years, where they stay at `u64::MAX`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scale {
    ns_per_tick: Ratio,
    ticks_per_ns: Ratio,
}

impl Scale {
    /// For a counter of `hz` ticks a second.
    ///
    /// # Errors
    /// [`ClockError::Rate`] if `hz` is not in [`HZ_RANGE`]; so it is if nobody has set it.
    pub const fn new(hz: u32) -> Result<Self, ClockError> {
        if hz < *HZ_RANGE.start() || hz > *HZ_RANGE.end() {
            return Err(ClockError::Rate { hz });
        }
        Ok(Self {
            ns_per_tick: Ratio::new(NS_PER_SECOND, hz),
            ticks_per_ns: Ratio::new(hz, NS_PER_SECOND),
        })
    }

    /// The whole nanoseconds in `ticks`: 52 for one of 19.2 MHz, `u64::MAX` where 64 bits do not
    /// hold them. Never less for more ticks.
    #[must_use]
    pub const fn ns_from_ticks(self, ticks: u64) -> u64 {
        match self.ns_per_tick.times(ticks) {
            Some((ns, _)) => ns,
            None => u64::MAX,
        }
    }

    /// The least number of ticks with which `ns` nanoseconds have passed: a wait for it is never
    /// too early, and too late by less than a tick.
    #[must_use]
    pub fn ticks_from_ns(self, ns: u64) -> u64 {
        match self.ticks_per_ns.times(ns) {
            Some((ticks, 0)) => ticks,
            Some((ticks, _)) => ticks + 1,
            None => unreachable!("a tick is not less than a nanosecond"),
        }
    }
}

/// A fraction to multiply by.
///
/// # Invariants
///
/// Both parts are from 1 to [`NS_PER_SECOND`], and their quotient is from 1/1000 to 1000.
/// `multiplier` is `numerator * 2^shift / denominator`, cut off, and from 2^63 on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Ratio {
    numerator: u64,
    denominator: u64,
    multiplier: u64,
    shift: u32,
}

impl Ratio {
    const fn new(numerator: u32, denominator: u32) -> Self {
        let (wide, divisor) = (numerator as u128, denominator as u128);
        // With a and b the bits of the parts, the quotient is in 2^(a - b - 1) to 2^(a - b + 1),
        // so this shift brings it to 2^62 to 2^64, and one more is right if it is below 2^63.
        let mut shift = 63 + numerator.leading_zeros() - denominator.leading_zeros();
        if (wide << shift) / divisor < 1 << 63 {
            shift += 1;
        }
        Self {
            numerator: numerator as u64,
            denominator: denominator as u64,
            multiplier: ((wide << shift) / divisor) as u64,
            shift,
        }
    }

    /// `value * numerator / denominator`: quotient and remainder, or `None` if the quotient needs
    /// more than 64 bits.
    const fn times(self, value: u64) -> Option<(u64, u64)> {
        let product = (value as u128 * self.multiplier as u128) >> self.shift;
        if product > u64::MAX as u128 {
            return None;
        }
        let mut quotient = product as u64;
        // The multiplier is too small by less than one part in 2^63, and so is what it gives, which
        // is below 2^64: by less than 2. With the fraction cut off, at most 2 are missing.
        let all = value.wrapping_mul(self.numerator);
        let mut remainder = all.wrapping_sub(quotient.wrapping_mul(self.denominator));
        while remainder >= self.denominator {
            remainder -= self.denominator;
            quotient = match quotient.checked_add(1) {
                Some(quotient) => quotient,
                None => return None,
            };
        }
        Some((quotient, remainder))
    }
}

#[cfg(test)]
mod tests {
    use super::{ClockError, NS_PER_SECOND, Ratio, Scale};
    use crate::kernel::random::Random;
    use std::string::ToString;
    use std::vec::Vec;

    const KNOWN_HZ: [u32; 8] = [
        1_000_000,
        19_200_000,
        24_000_000,
        54_000_000,
        62_500_000,
        999_999_937,
        999_999_999,
        1_000_000_000,
    ];

    const CENTURY_NS: u64 = 100 * 31_556_952 * NS_PER_SECOND as u64;

    fn scale(hz: u32) -> Scale {
        Scale::new(hz).expect("a rate in the range")
    }

    /// The nanoseconds, with 128 bits.
    fn exact_ns(ticks: u64, hz: u32) -> u64 {
        let ns = u128::from(ticks) * u128::from(NS_PER_SECOND) / u128::from(hz);
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    fn exact_ticks(ns: u64, hz: u32) -> u64 {
        let ticks = (u128::from(ns) * u128::from(hz)).div_ceil(u128::from(NS_PER_SECOND));
        u64::try_from(ticks).expect("no more ticks than nanoseconds")
    }

    fn rates(random: &mut Random, count: usize) -> Vec<u32> {
        let mut rates = KNOWN_HZ.to_vec();
        rates.extend((0..count).map(|_| 1_000_000 + random.below(999_000_001) as u32));
        rates
    }

    #[test]
    fn every_reading_is_exact_at_every_rate() {
        let mut random = Random(0x5717_0000_0000_0021);
        for hz in rates(&mut random, 3_000) {
            let scale = scale(hz);
            // Where the nanoseconds leave 64 bits.
            let last = exact_ticks(u64::MAX, hz);
            let mut readings: Vec<u64> = (0..100).map(|_| random.of_any_size()).collect();
            readings.extend(
                (0..20).map(|step| last.saturating_sub(10) + step % (u64::MAX - last + 10)),
            );
            readings.extend((0..20).map(|_| last - random.below(last / 1_000)));
            readings.extend([0, 1, 2, u64::MAX - 1, u64::MAX]);
            for ticks in readings {
                let ns = scale.ns_from_ticks(ticks);
                assert_eq!(ns, exact_ns(ticks, hz), "{ticks} ticks at {hz} Hz");
            }
        }
    }

    #[test]
    fn every_deadline_is_the_first_tick_that_is_not_too_early() {
        let mut random = Random(0x5717_0000_0000_0022);
        for hz in rates(&mut random, 3_000) {
            let scale = scale(hz);
            let mut deadlines: Vec<u64> = (0..100).map(|_| random.of_any_size()).collect();
            deadlines.extend((0..20).map(|_| u64::MAX - random.below(1_000_000)));
            deadlines.extend([0, 1, 2, u64::MAX - 1, u64::MAX]);
            for ns in deadlines {
                let ticks = scale.ticks_from_ns(ns);
                assert_eq!(ticks, exact_ticks(ns, hz), "{ns} ns at {hz} Hz");
                assert!(
                    scale.ns_from_ticks(ticks) >= ns,
                    "{ns} ns at {hz} Hz: too early"
                );
                if let Some(before) = ticks.checked_sub(1) {
                    assert!(
                        scale.ns_from_ticks(before) < ns,
                        "{ns} ns at {hz} Hz: too late"
                    );
                }
            }
        }
    }

    #[test]
    fn no_multiplier_wastes_a_bit() {
        let mut random = Random(0x5717_0000_0000_0024);
        for hz in rates(&mut random, 3_000) {
            for (numerator, denominator) in [(NS_PER_SECOND, hz), (hz, NS_PER_SECOND)] {
                let ratio = Ratio::new(numerator, denominator);
                let exact = (u128::from(numerator) << ratio.shift) / u128::from(denominator);
                assert_eq!(u128::from(ratio.multiplier), exact);
                assert!(ratio.multiplier >= 1 << 63, "{numerator} / {denominator}");
            }
        }
    }

    #[test]
    fn more_ticks_are_never_less_time() {
        let mut random = Random(0x5717_0000_0000_0023);
        for hz in rates(&mut random, 300) {
            let scale = scale(hz);
            let mut ticks = random.of_any_size();
            let mut ns = scale.ns_from_ticks(ticks);
            for _ in 0..500 {
                ticks = ticks.saturating_add(random.below(3));
                let later = scale.ns_from_ticks(ticks);
                assert!(later >= ns, "{ticks} ticks at {hz} Hz");
                ns = later;
            }
        }
    }

    #[test]
    fn a_century_fits_at_the_rates_of_board_and_emulator() {
        for (hz, ticks) in [
            (19_200_000, 60_589_347_840_000_000),
            (62_500_000, 197_230_950_000_000_000),
        ] {
            assert_eq!(scale(hz).ns_from_ticks(ticks), CENTURY_NS);
            assert_eq!(scale(hz).ticks_from_ns(CENTURY_NS), ticks);
        }
    }

    #[test]
    fn values_worked_out_by_hand() {
        // 62.5 MHz: 16 ns a tick. 19.2 MHz: 52 1/12 ns a tick.
        assert_eq!(scale(62_500_000).ns_from_ticks(3), 48);
        assert_eq!(scale(62_500_000).ticks_from_ns(33), 3);
        assert_eq!(scale(19_200_000).ns_from_ticks(12), 625);
        assert_eq!(scale(19_200_000).ns_from_ticks(11), 572);
        assert_eq!(scale(19_200_000).ticks_from_ns(625), 12);
        assert_eq!(scale(19_200_000).ticks_from_ns(626), 13);
    }

    #[test]
    fn absurd_rates_are_refused_by_their_value() {
        for hz in [0, 1, 32_768, 999_999, 1_000_000_001, u32::MAX] {
            assert_eq!(Scale::new(hz), Err(ClockError::Rate { hz }));
        }
        assert_eq!(
            ClockError::Rate { hz: 5 }.to_string(),
            "a counter of 5 Hz is not one of 1000000 to 1000000000 Hz"
        );
    }
}

//! How long a core has waited, by a counter that may fail it.
//!
//! 1. A core may be stopped in the middle of a wait: by a debugger, by an emulator's host, by
//!    another core's `stop_machine`. When it goes on, the time that has passed says nothing about
//!    those it waits for: they have had it, and it has not looked yet. So the time between two
//!    looks counts for a slice at most.
//! 2. A reading may be wrong: hours ahead, and the next one is right again. (Counters of this kind
//!    are known: Linux, `Documentation/arch/arm64/silicon-errata.rst`, "unstable timer".) So a step
//!    counts as soon as the next reading is not before its end: one wrong reading is no time.
//! 3. The counter may stand still, or a clock above it until the counter has caught up. Then the
//!    looks are what is left to count: each takes some cycles, and the core makes `CORE_MAX_MHZ`
//!    of them a microsecond at most.
//!
//! # Decisions
//! A wait by looks ends late and never early: a look takes more cycles than its caller vouches for,
//! and most cores are slower. It is there so that the wait ends at all.
#![forbid(unsafe_code)]

/// The most cycles that a core makes in a microsecond: an overclocked Pi 3 B+; the board's own
/// limits are 1200 and 1400 MHz.
const CORE_MAX_MHZ: u64 = 1_500;

/// So many microseconds' worth of looks with one reading, and the counter stands: at the lowest
/// rate that is believed, 1 MHz, it changes once in each.
const STANDS_US: u64 = 16;

/// Cycles that a look at the counter takes at least: the ISB before it refills a pipeline of eight
/// stages (Cortex-A53; DDI 0500 2.1).
pub const LOOK_CYCLES: u64 = 8;

/// The most that counts between two looks of a core that waits for another one, in nanoseconds:
/// less than an eighth of every limit that is a second or more.
pub const SLICE_NS: u64 = 100_000_000;

/// Nanoseconds in a microsecond: the `microsecond` of a [`Waited`] that counts nanoseconds.
pub const NS_PER_US: u64 = 1_000;

/// The sum of the times between looks, in the unit of the readings. It never goes down, and stops
/// at `u64::MAX`; one core looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Waited {
    slice: u64,
    microsecond: u64,
    /// The reading up to which all is counted.
    counted: Option<u64>,
    /// The reading behind it, which the next one confirms.
    last: u64,
    /// Cycles since the reading has changed.
    still: u64,
    sum: u64,
}

impl Waited {
    /// Nothing yet. Between two looks `slice` counts at most; a microsecond is so many units.
    #[must_use]
    pub const fn new(slice: u64, microsecond: u64) -> Self {
        Self {
            slice,
            microsecond,
            counted: None,
            last: 0,
            still: 0,
            sum: 0,
        }
    }

    /// Takes the reading `now`, which comes at least `cycles` of the core behind the one before.
    /// Returns how long was waited since the first look.
    pub fn look(&mut self, now: u64, cycles: u64) -> u64 {
        let Some(counted) = self.counted else {
            (self.counted, self.last) = (Some(now), now);
            return 0;
        };
        if now == self.last {
            self.count_looks(cycles);
        } else {
            self.still = 0;
        }
        if now >= self.last {
            let passed = self.last.saturating_sub(counted).min(self.slice);
            self.sum = self.sum.saturating_add(passed);
            self.counted = Some(self.last);
        }
        self.last = now;
        self.sum
    }

    /// The reading is the one before.
    fn count_looks(&mut self, cycles: u64) {
        const STANDS: u64 = STANDS_US * CORE_MAX_MHZ;
        self.still = self.still.saturating_add(cycles);
        let us = self.still.saturating_sub(STANDS) / CORE_MAX_MHZ;
        self.still -= us * CORE_MAX_MHZ;
        let passed = us.saturating_mul(self.microsecond);
        self.sum = self.sum.saturating_add(passed);
    }
}

/// Returns after at least `duration_us` microseconds, by readings of `now_ns` in nanoseconds, or by
/// [`LOOK_CYCLES`] of each look if they stand. It spins: the core is not given up.
pub fn pass(duration_us: u64, mut now_ns: impl FnMut() -> u64) {
    let duration_ns = duration_us.saturating_mul(NS_PER_US);
    // In eight steps at least: a counter that is set to another number does not end it.
    let mut waited = Waited::new(duration_ns.div_ceil(8), NS_PER_US);
    while waited.look(now_ns(), LOOK_CYCLES) < duration_ns {}
}

#[cfg(test)]
mod tests {
    use super::{CORE_MAX_MHZ, LOOK_CYCLES, STANDS_US, Waited, pass};

    /// A look takes a cycle, for which nothing counts.
    fn sums<const N: usize>(readings: [u64; N]) -> [u64; N] {
        let mut waited = Waited::new(10, 1);
        readings.map(|now| waited.look(now, 1))
    }

    #[test]
    fn time_counts_from_the_first_look_on_as_soon_as_it_is_confirmed() {
        assert_eq!(sums([100, 103, 110, 110, 112, 112]), [0, 0, 3, 10, 10, 12]);
    }

    #[test]
    fn who_was_stopped_has_not_waited() {
        assert_eq!(
            sums([100, 105, 1_000_000, 1_000_004, 1_000_005]),
            [0, 0, 5, 15, 19]
        );
    }

    #[test]
    fn a_reading_that_is_ahead_counts_for_nothing() {
        assert_eq!(
            sums([100, 103, u64::MAX, 104, 106, 107]),
            [0, 0, 3, 3, 4, 6]
        );
        assert_eq!(sums([u64::MAX, 100, 102, 103]), [0, 0, 0, 2]);
    }

    #[test]
    fn a_clock_that_goes_back_counts_for_nothing_and_then_on() {
        assert_eq!(sums([100, 90, 95, 97, 98]), [0, 0, 0, 5, 7]);
        // One reading that is too early: a slice at most.
        assert_eq!(sums([100, 102, 5, 103, 104]), [0, 0, 0, 0, 10]);
    }

    #[test]
    fn two_readings_that_agree_are_believed_for_a_slice() {
        assert_eq!(sums([100, 5_000_000, 5_000_001]), [0, 0, 10]);
    }

    /// Looks until `limit` has passed by a counter that stands, each of `cycles`.
    fn looks_at_a_standing_counter(limit: u64, microsecond: u64, cycles: u64) -> u64 {
        let mut waited = Waited::new(1 << 40, microsecond);
        let mut looks = 0;
        while waited.look(7, cycles) < limit {
            looks += 1;
            assert!(looks < 100_000_000, "the wait does not end");
        }
        looks
    }

    #[test]
    fn a_counter_that_stands_ends_a_wait_late_and_not_early() {
        for (us, microsecond, cycles) in
            [(1, 1, 1), (1000, 62, 8), (20_000, 1000, 264), (3, 19, 9000)]
        {
            let looks = looks_at_a_standing_counter(us * microsecond, microsecond, cycles);
            let least = us * CORE_MAX_MHZ;
            let most = (us + STANDS_US + 1) * CORE_MAX_MHZ + cycles;
            let found = looks * cycles;
            assert!((least..=most).contains(&found), "{found}: {us} us");
        }
    }

    #[test]
    fn the_slowest_counter_that_is_believed_does_not_stand() {
        // 1 MHz at 1500 MHz: each reading is seen 1500 times, at a cycle each.
        let mut waited = Waited::new(10, 1);
        let looks = (0..100 * CORE_MAX_MHZ).map(|look| look / CORE_MAX_MHZ);
        let sum = looks.map(|now| waited.look(now, 1)).last();
        assert_eq!(sum, Some(99));
    }

    #[test]
    fn a_delay_ends_by_the_time_or_by_the_looks() {
        let mut now_ns = 5_000;
        pass(10, || {
            now_ns += 100;
            now_ns
        });
        assert_eq!(now_ns, 5_000 + 100 + 10_000 + 100);
        // One reading that is hours ahead.
        let mut readings = 0;
        pass(10, || {
            readings += 1;
            match readings {
                3 => u64::MAX / 2,
                _ => readings * 100,
            }
        });
        assert_eq!(readings, 102);
        // A counter that stands.
        let mut looks = 0_u64;
        pass(10, || {
            looks += 1;
            42
        });
        let least = 10 * CORE_MAX_MHZ / LOOK_CYCLES;
        assert!(looks >= least && looks < 4 * least, "{looks}");
    }

    #[test]
    fn a_delay_of_nothing_ends_at_once() {
        pass(0, || 0);
    }
}

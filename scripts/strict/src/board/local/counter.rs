//! The counter that the cores' generic timers show: CNTPCT_EL0 before any offset.
//!
//! QA7 3.1.1: the crystal's 19.2 MHz, times the prescaler through 2^31, in steps of 1 or 2. A
//! prescaler of 0x8000_0000 divides by 1; with 0 the counter stands. QEMU's runs at 62.5 MHz.

use crate::board::options::{Kind, Nanoseconds};

/// Ticks a second at a prescaler of 2^31.
const CRYSTAL_HZ: u128 = 19_200_000;
const QEMU_HZ: u128 = 62_500_000;
const UNDIVIDED: u32 = 0x8000_0000;
/// Control bit 9: the counter goes up by 2.
const CONTROL_BY_TWO: u32 = 1 << 9;
const SECOND: u128 = 1_000_000_000;

#[derive(Clone, Debug)]
pub(super) struct Counter {
    kind: Kind,
    pub(super) control: u32,
    pub(super) prescaler: u32,
    /// The count at `since`, from which on control and prescaler have been as they are.
    base: u64,
    since: Nanoseconds,
}

impl Counter {
    pub(super) fn new(kind: Kind, prescaler: u32) -> Self {
        Self {
            kind,
            control: 0,
            prescaler: match kind {
                Kind::Qemu => UNDIVIDED,
                Kind::Board => prescaler,
            },
            base: 0,
            since: 0,
        }
    }

    pub(super) fn set(&mut self, control: u32, prescaler: u32, now: Nanoseconds) {
        self.base = self.count(now);
        self.since = now;
        self.control = control;
        self.prescaler = prescaler;
    }

    pub(super) fn count(&self, now: Nanoseconds) -> u64 {
        let passed = u128::from(now.saturating_sub(self.since));
        let ticks = passed * self.scaled_hz() / (SECOND * u128::from(UNDIVIDED));
        self.base.wrapping_add(ticks as u64)
    }

    /// The first time at which the count is `count` or more; `None` if it never is, or later than
    /// [`Nanoseconds`] can say.
    pub(super) fn time_of(&self, count: u64) -> Option<Nanoseconds> {
        let Some(ahead) = count.checked_sub(self.base) else {
            return Some(self.since);
        };
        let scaled_hz = self.scaled_hz();
        if ahead > 0 && scaled_hz == 0 {
            return None;
        }
        let scaled = u128::from(ahead).checked_mul(SECOND * u128::from(UNDIVIDED));
        let passed = scaled?.div_ceil(scaled_hz.max(1));
        self.since.checked_add(u64::try_from(passed).ok()?)
    }

    /// Ticks a second, times 2^31.
    fn scaled_hz(&self) -> u128 {
        let (hz, steps) = match self.kind {
            Kind::Qemu => (QEMU_HZ, 1),
            Kind::Board if self.control & CONTROL_BY_TWO != 0 => (CRYSTAL_HZ, 2),
            Kind::Board => (CRYSTAL_HZ, 1),
        };
        hz * steps * u128::from(self.prescaler)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counter, Kind};

    #[test]
    fn the_crystal_is_counted_as_the_prescaler_says() {
        let mut counter = Counter::new(Kind::Board, 0x8000_0000);
        assert_eq!(counter.count(1_000_000), 19_200);
        // QA7 3.1.1's example: 2^31 / 19.2, for 1 MHz.
        counter.set(0, 0x06aa_aaab, 1_000_000);
        assert_eq!(counter.count(2_000_000), 19_200 + 1_000);
        counter.set(0x200, 0x8000_0000, 2_000_000);
        assert_eq!(counter.count(3_000_000), 20_200 + 38_400);
        counter.set(0, 0, 3_000_000);
        assert_eq!(counter.count(u64::MAX), 58_600);
        assert_eq!(counter.time_of(58_601), None);
        assert_eq!(Counter::new(Kind::Qemu, 0).count(1_000_000), 62_500);
    }

    #[test]
    fn the_time_of_a_count_is_the_first_at_which_it_is_read() {
        let counter = Counter::new(Kind::Board, 0x8000_0000);
        for count in [0, 1, 2, 3, 19_200, 19_201, 1 << 40] {
            let time = counter.time_of(count).expect("a time");
            assert_eq!(counter.count(time), count);
            assert!(time == 0 || counter.count(time - 1) < count);
        }
        assert_eq!(counter.time_of(u64::MAX), None);
    }
}

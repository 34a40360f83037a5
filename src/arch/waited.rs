//! How long a core has waited, as far as it looked on.
//!
//! A core may be stopped in the middle of a wait: by a debugger, by an emulator's host, or because it had
//! to stand still for another core. When it goes on, the time that has passed says nothing about those it
//! waits for: they have had it, and it has not looked yet. So the time between two looks counts for a
//! slice at most.
#![forbid(unsafe_code)]

/// The sum of the times between looks, in any unit.
#[derive(Clone, Copy, Debug)]
pub struct Waited {
    slice: u64,
    last: Option<u64>,
    sum: u64,
}

impl Waited {
    /// Nothing yet. Between two looks `slice` counts at most.
    #[must_use]
    pub const fn new(slice: u64) -> Self {
        let (last, sum) = (None, 0);
        Self { slice, last, sum }
    }

    /// Looks at the time `now`. Returns how long was waited since the first look.
    pub fn look(&mut self, now: u64) -> u64 {
        let last = self.last.replace(now).unwrap_or(now);
        let passed = now.saturating_sub(last).min(self.slice);
        self.sum = self.sum.saturating_add(passed);
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::Waited;

    #[test]
    fn time_counts_from_the_first_look_on() {
        let mut waited = Waited::new(10);
        let sums = [100, 103, 110, 110, 112].map(|now| waited.look(now));
        assert_eq!(sums, [0, 3, 10, 10, 12]);
    }

    #[test]
    fn who_was_stopped_has_not_waited() {
        let mut waited = Waited::new(10);
        let sums = [100, 105, 1_000_000, 1_000_004].map(|now| waited.look(now));
        assert_eq!(sums, [0, 5, 15, 19]);
    }

    #[test]
    fn a_clock_that_goes_back_counts_for_nothing() {
        let mut waited = Waited::new(10);
        let sums = [100, 90, 95, u64::MAX].map(|now| waited.look(now));
        assert_eq!(sums, [0, 0, 5, 15]);
    }
}

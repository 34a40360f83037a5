//! The idle share of a core: which part of its time it waits for interrupts.
//!
//! An [`IdleClock`] is one core's. It reads no clock: [`enter`](IdleClock::enter) and
//! [`leave`](IdleClock::leave) bring the time. Windows of a fixed length follow each other from the
//! start on, and the share in the last whole one says how busy the core is now. A clock with
//! windows of 100 ns:
//!
//! ```text
//!  time    0   10                  100   125                 200   [ns]
//!          |busy|idle ................... |busy ..............|
//!  window  [ 90 of 100 ns idle: 900 / 1000 ][ 25 of 100: 250   ]
//! ```
//!
//! # Decisions
//!
//! - A window is closed by the next event or query, not by a timer: an idle core stays idle.
//!   Between two events a core is all idle or all busy, so the windows that ended in between are
//!   computed, however many they are.
//! - All is `u64` nanoseconds of a clock that never goes back; an event before the one before it
//!   counts as nothing.
#![forbid(unsafe_code)]

/// The idle time of one core.
///
/// # Invariants
///
/// The window that began last has not ended at the last event.
#[derive(Clone, Copy, Debug)]
pub struct IdleClock {
    start_ns: u64,
    window_ns: u64,
    /// All idle time up to the last event.
    idle_ns: u64,
    /// When the core became idle, if it is.
    since_ns: Option<u64>,
    /// When the current window began.
    window_start_ns: u64,
    /// All idle time up to `window_start_ns`.
    idle_at_window_ns: u64,
    /// The idle time in the window before.
    last_window_ns: Option<u64>,
}

/// The part of its time that a core was idle, in thousandths, rounded down: 375 for 37.5 %.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IdleShare {
    /// Since the core's clock started.
    pub since_start: u16,
    /// In the last whole window; `None` in the first one.
    pub last_window: Option<u16>,
}

impl IdleClock {
    /// A core that is busy from `now_ns` on, with windows of `window_ns`, at least 1.
    #[must_use]
    pub const fn new(now_ns: u64, window_ns: u64) -> Self {
        Self {
            start_ns: now_ns,
            window_ns: if window_ns == 0 { 1 } else { window_ns },
            idle_ns: 0,
            since_ns: None,
            window_start_ns: now_ns,
            idle_at_window_ns: 0,
            last_window_ns: None,
        }
    }

    /// The core begins to wait: just before its WFI, with interrupts masked. Nothing changes if it
    /// does so already.
    pub fn enter(&mut self, now_ns: u64) {
        self.advance(now_ns);
        self.since_ns.get_or_insert(now_ns);
    }

    /// The core goes on: right behind its WFI, before the interrupt that ended it is let in, so
    /// that the handler counts as busy. Nothing changes if it does so already.
    pub fn leave(&mut self, now_ns: u64) {
        self.advance(now_ns);
        self.idle_ns = self.idle_at(now_ns);
        self.since_ns = None;
    }

    /// All idle time in nanoseconds, up to `now_ns`, which is not before the last event.
    #[must_use]
    pub fn idle_at(&self, now_ns: u64) -> u64 {
        let since_ns = self.since_ns.unwrap_or(now_ns);
        self.idle_ns + now_ns.saturating_sub(since_ns)
    }

    /// The idle share at `now_ns`, which is not before the last event. Closes no window and changes
    /// nothing: any core may ask for it.
    #[must_use]
    pub fn share(&self, now_ns: u64) -> IdleShare {
        let mut clock = *self;
        clock.advance(now_ns);
        let all_ns = now_ns.saturating_sub(clock.start_ns);
        IdleShare {
            since_start: thousandths(clock.idle_at(now_ns), all_ns),
            last_window: clock
                .last_window_ns
                .map(|idle_ns| thousandths(idle_ns, clock.window_ns)),
        }
    }

    /// Closes the windows that are over.
    fn advance(&mut self, now_ns: u64) {
        let whole = now_ns.saturating_sub(self.window_start_ns) / self.window_ns;
        if whole == 0 {
            return;
        }
        // The last event lies in the first of them, so the others are of one kind.
        let last_start_ns = self.window_start_ns + (whole - 1) * self.window_ns;
        let end_ns = last_start_ns + self.window_ns;
        let idle_before_ns = if whole == 1 {
            self.idle_at_window_ns
        } else {
            self.idle_at(last_start_ns)
        };
        self.idle_at_window_ns = self.idle_at(end_ns);
        self.last_window_ns = Some(self.idle_at_window_ns - idle_before_ns);
        self.window_start_ns = end_ns;
    }
}

/// `part` of `whole`, in thousandths; nothing of nothing.
fn thousandths(part: u64, whole: u64) -> u16 {
    let part = u128::from(part.min(whole)) * 1_000;
    match part.checked_div(u128::from(whole)) {
        Some(share) => share as u16,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{IdleClock, IdleShare};
    use crate::kernel::random::Random;

    fn share(since_start: u16, last_window: Option<u16>) -> IdleShare {
        IdleShare {
            since_start,
            last_window,
        }
    }

    #[test]
    fn the_share_is_that_of_the_time_since_the_start() {
        let mut clock = IdleClock::new(5_000, 100_000);
        assert_eq!(clock.share(5_000), share(0, None));
        clock.enter(5_250);
        assert_eq!(clock.share(6_000), share(750, None));
        clock.leave(6_000);
        assert_eq!(clock.share(7_000), share(375, None));
        assert_eq!(clock.idle_at(7_000), 750);
    }

    #[test]
    fn the_last_window_forgets_what_was_before() {
        let mut clock = IdleClock::new(0, 100);
        clock.enter(10);
        assert_eq!(clock.share(99), share(898, None));
        assert_eq!(clock.share(100), share(900, Some(900)));
        clock.leave(125);
        assert_eq!(clock.share(199), share(577, Some(900)));
        assert_eq!(clock.share(200), share(575, Some(250)));
        assert_eq!(clock.share(1_000), share(115, Some(0)));
        clock.enter(1_000);
        assert_eq!(clock.share(10_000), share(911, Some(1_000)));
    }

    #[test]
    fn entering_or_leaving_twice_changes_nothing() {
        let mut clock = IdleClock::new(0, 1_000);
        clock.leave(10);
        clock.enter(20);
        clock.enter(30);
        clock.leave(50);
        clock.leave(90);
        assert_eq!(clock.idle_at(100), 30);
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let mut clock = IdleClock::new(1_000, 0);
        clock.enter(500);
        clock.leave(100);
        clock.enter(2_000);
        clock.leave(1_500);
        assert_eq!(clock.share(1_000).since_start, 0);
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let mut clock = IdleClock::new(0, 1);
        clock.enter(0);
        assert_eq!(clock.share(u64::MAX), share(1_000, Some(1_000)));
        let mut clock = IdleClock::new(0, u64::MAX);
        clock.enter(u64::MAX);
        assert_eq!(clock.share(u64::MAX), share(0, Some(0)));
    }

    #[test]
    fn random_spells_add_up_as_a_count_of_every_nanosecond_does() {
        let mut random = Random(0x5717_0000_0000_0081);
        for _ in 0..300 {
            let window = 1 + random.index(60);
            let start = random.below(1_000);
            let mut clock = IdleClock::new(start, window as u64);
            let mut spells: std::vec::Vec<bool> = std::vec::Vec::new();
            let mut idle = false;
            for _ in 0..40 {
                let length = random.index(70);
                spells.resize(spells.len() + length, idle);
                let now_ns = start + spells.len() as u64;
                let count = |part: &[bool]| part.iter().filter(|idle| **idle).count();
                let all = count(&spells);
                let last = spells.chunks_exact(window).last().map(count);
                let expected = IdleShare {
                    since_start: (all * 1_000).checked_div(spells.len()).unwrap_or(0) as u16,
                    last_window: last.map(|idle| (idle * 1_000 / window) as u16),
                };
                assert_eq!(clock.idle_at(now_ns), all as u64);
                assert_eq!(clock.share(now_ns), expected);
                idle = random.below(2) == 0;
                if idle {
                    clock.enter(now_ns);
                } else {
                    clock.leave(now_ns);
                }
            }
        }
    }
}

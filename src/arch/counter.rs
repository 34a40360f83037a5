//! The arithmetic of the generic timer's counter: 64 bits that may stand anywhere, and come round.
//!
//! The counter begins at 0 with the board's power. What EL1 reads is that less CNTVOFF_EL2 (DDI
//! 0487 D12.2), which is unknown where a loader enters at EL1: the reading may be near 2^63, or a
//! second before 2^64. So no reading means anything alone; two of one core do. The comparators know
//! nothing of that: a timer's condition holds when the counter, as an unsigned number, is not below
//! CVAL (D12.2.4), and so it ends where the counter comes round to 0.
#![forbid(unsafe_code)]

/// Ticks from the reading `start` to the reading `now`, which may have come round in between. 0 if
/// `now` is before `start`: a reading that jumped back is no time, and above all not 2^64 ticks.
#[must_use]
pub const fn ticks_since(start: u64, now: u64) -> u64 {
    let ticks = now.wrapping_sub(start);
    if ticks >> 63 == 0 { ticks } else { 0 }
}

/// The last readings before the counter comes round, in which a timer that is due behind that is
/// looked at again and again. 213 us at 19.2 MHz: more than a core is masked for.
pub const ROUND_MARGIN: u64 = 1 << 12;

/// The value of CVAL for a timer that is due `deadline` ticks after the reading `origin`, `passed`
/// ticks of which have passed. As long as the counter must come round first, the timer is due
/// early, [`ROUND_MARGIN`] before that; then, whenever it is set anew, at once.
#[must_use]
pub const fn compare_value(origin: u64, passed: u64, deadline: u64) -> u64 {
    const LOOK_AGAIN: u64 = u64::MAX - ROUND_MARGIN;
    match (origin.checked_add(passed), origin.checked_add(deadline)) {
        (Some(_), Some(at)) => at,
        (None, None) => origin.wrapping_add(deadline),
        // Due before the counter came round: as an unsigned number that would be at its end.
        (None, Some(_)) => 0,
        (Some(now), None) => {
            if now > LOOK_AGAIN {
                now
            } else {
                LOOK_AGAIN
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ROUND_MARGIN, compare_value, ticks_since};

    /// Where a counter can stand at the boot: at the edges of signed and unsigned numbers too.
    const ORIGINS: [u64; 9] = [
        0,
        1,
        123_456_789,
        (1 << 63) - 1,
        1 << 63,
        (1 << 63) + 1,
        u64::MAX - 1_000_000,
        u64::MAX - 1,
        u64::MAX,
    ];
    const SPANS: [u64; 8] = [0, 1, 2, 999, 1_000_000, 62_500_000, 1 << 40, (1 << 63) - 1];

    #[test]
    fn what_has_passed_does_not_depend_on_where_the_counter_stood() {
        for origin in ORIGINS {
            for span in SPANS {
                assert_eq!(ticks_since(origin, origin.wrapping_add(span)), span);
            }
        }
    }

    #[test]
    fn a_reading_before_the_first_is_no_time() {
        for origin in ORIGINS {
            for back in [1, 2, 1_000_000, 1 << 62, 1 << 63] {
                assert_eq!(ticks_since(origin, origin.wrapping_sub(back)), 0);
            }
        }
    }

    /// The comparator, as the manual has it.
    fn fires(counter: u64, compare: u64) -> bool {
        counter >= compare
    }

    #[test]
    fn a_timer_is_never_late_and_early_only_where_the_counter_comes_round() {
        let mut rounds = 0;
        for origin in ORIGINS {
            // At so many ticks the counter is 0.
            let round = (1 << 64) - u128::from(origin);
            for deadline in SPANS {
                for set_at in [
                    0,
                    deadline / 2,
                    deadline.saturating_sub(1),
                    deadline,
                    deadline + 5,
                ] {
                    let compare = compare_value(origin, set_at, deadline);
                    let fires_at = |passed: u64| fires(origin.wrapping_add(passed), compare);
                    let what = std::format!("{deadline} after {origin:#x}, set at {set_at}");
                    if set_at >= deadline {
                        assert!(fires_at(set_at), "{what}: due, and not told");
                    } else if (u128::from(set_at) + 1..=u128::from(deadline)).contains(&round) {
                        rounds += 1;
                        let last = (round - 1) as u64;
                        assert!(fires_at(last), "{what}: lost");
                        let early = last.saturating_sub(ROUND_MARGIN);
                        assert!(early <= set_at || !fires_at(early - 1), "{what}: early");
                    } else {
                        assert!(!fires_at(deadline - 1) && fires_at(deadline), "{what}");
                    }
                }
            }
        }
        assert!(rounds > 20, "only {rounds} came round");
    }
}

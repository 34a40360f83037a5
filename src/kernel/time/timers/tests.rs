//! Timers against a sorted map of deadlines.
#![forbid(unsafe_code)]

use core::num::NonZeroU64;
use std::collections::BTreeMap;
use std::string::ToString;
use std::vec::Vec;

use super::{Due, TimerError, TimerId, Timers};
use crate::kernel::random::Random;

const CAPACITY: usize = 24;

/// The model of an armed timer.
#[derive(Clone, Copy)]
struct Known {
    id: TimerId,
    what: u32,
    period_ns: Option<u64>,
}

/// The timers, and the same ones by deadline and turn.
struct Twin {
    timers: Timers<u32, CAPACITY>,
    model: BTreeMap<(u64, u64), Known>,
    turns: u64,
    /// Ids that were given and are not armed any more.
    stale: Vec<TimerId>,
}

impl Twin {
    fn new() -> Self {
        Self {
            timers: Timers::new(),
            model: BTreeMap::new(),
            turns: 0,
            stale: Vec::new(),
        }
    }

    fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    fn arm(&mut self, deadline_ns: u64, period_ns: Option<u64>, what: u32) {
        let period = period_ns.and_then(NonZeroU64::new);
        let result = self.timers.arm(deadline_ns, period, what);
        if self.model.len() == CAPACITY {
            assert_eq!(result, Err(TimerError::Full { capacity: CAPACITY }));
            return;
        }
        let id = result.expect("there is room");
        assert!(!self.stale.contains(&id), "an id came round");
        let known = Known {
            id,
            what,
            period_ns: period.map(NonZeroU64::get),
        };
        let turn = self.turn();
        self.model.insert((deadline_ns, turn), known);
    }

    fn cancel_armed(&mut self, random: &mut Random) {
        if self.model.is_empty() {
            return;
        }
        let index = random.index(self.model.len());
        let (&key, &known) = self.model.iter().nth(index).expect("below the length");
        self.model.remove(&key);
        assert_eq!(self.timers.cancel(known.id), Some(known.what));
        self.stale.push(known.id);
    }

    fn cancel_stale(&mut self, random: &mut Random) {
        if self.stale.is_empty() {
            return;
        }
        let id = self.stale[random.index(self.stale.len())];
        assert_eq!(self.timers.deadline_of(id), None);
        assert_eq!(self.timers.cancel(id), None);
    }

    /// The timer that must be due next, moved on in the model.
    fn expected(&mut self, now_ns: u64) -> Option<Due<u32>> {
        let (&key, &known) = self.model.iter().next()?;
        if key.0 > now_ns {
            return None;
        }
        self.model.remove(&key);
        let mut next = None;
        let mut missed = 0;
        if let Some(period_ns) = known.period_ns {
            let whole = (now_ns - key.0) / period_ns;
            missed = whole;
            let next_ns = u128::from(key.0) + (u128::from(whole) + 1) * u128::from(period_ns);
            next = u64::try_from(next_ns).ok();
        }
        match next {
            Some(next_ns) => {
                let turn = self.turn();
                self.model.insert((next_ns, turn), known);
            }
            None => self.stale.push(known.id),
        }
        Some(Due {
            id: known.id,
            what: known.what,
            deadline_ns: key.0,
            missed,
            next_ns: next,
        })
    }

    fn expire_all(&mut self, now_ns: u64) {
        let mut served = Vec::new();
        loop {
            let expected = self.expected(now_ns);
            assert_eq!(self.timers.expire(now_ns), expected);
            let Some(due) = expected else { break };
            assert!(!served.contains(&due.id), "one fired twice at one time");
            served.push(due.id);
        }
    }

    fn check(&self) {
        let timers = &self.timers;
        let first = self.model.keys().next().map(|key| key.0);
        assert_eq!(timers.next_deadline(), first);
        assert_eq!(timers.armed(), self.model.len());
        for (key, known) in &self.model {
            assert_eq!(timers.deadline_of(known.id), Some(key.0));
        }
        let mut slots = timers.order[..timers.used].to_vec();
        slots.sort_unstable();
        assert!(timers.armed <= timers.used);
        assert!(timers.slots[timers.used..].iter().all(Option::is_none));
        assert!(slots.iter().enumerate().all(|(index, slot)| index == *slot));
        for place in 0..timers.used {
            let armed = timers.slots[timers.order[place]].as_ref();
            assert_eq!(armed.is_some(), place < timers.armed);
            if let Some(armed) = armed {
                assert_eq!(armed.place, place);
                let above = place.saturating_sub(1) / 2;
                assert!(timers.key(above) <= timers.key(place));
            }
        }
    }
}

/// A deadline, near `now_ns` or near the end of time.
fn deadline(random: &mut Random, now_ns: u64) -> u64 {
    match random.below(16) {
        0 => u64::MAX - random.below(4),
        1 => random.of_any_size(),
        2 => now_ns.saturating_sub(random.below(100)),
        // Few values, so that many are equal.
        _ => now_ns.saturating_add(random.below(64)),
    }
}

fn period(random: &mut Random) -> Option<u64> {
    match random.below(8) {
        0..4 => None,
        4 => Some(1 + random.of_any_size() / 2),
        _ => Some(1 + random.below(80)),
    }
}

#[test]
fn random_operations_do_what_a_sorted_map_does() {
    let mut random = Random(0x5717_0000_0000_0011);
    let mut operations = 0;
    while operations < 400_000 {
        let mut twin = Twin::new();
        let mut now_ns = match random.below(8) {
            0 => u64::MAX - random.below(20_000),
            _ => random.of_any_size(),
        };
        for what in 0..2_000 {
            match random.below(16) {
                0..7 => {
                    let deadline_ns = deadline(&mut random, now_ns);
                    let period_ns = period(&mut random);
                    twin.arm(deadline_ns, period_ns, what);
                }
                7..10 => twin.cancel_armed(&mut random),
                10 => twin.cancel_stale(&mut random),
                _ => {
                    let step = random.below(40);
                    now_ns = now_ns.saturating_add(step);
                    twin.expire_all(now_ns);
                }
            }
            twin.check();
            operations += 1;
        }
    }
}

#[test]
fn equal_deadlines_are_served_in_the_order_of_arming() {
    let mut timers: Timers<u32, 16> = Timers::new();
    let first = timers.arm(50, None, 100).expect("room");
    for what in 0..15 {
        timers.arm(50, None, what).expect("room");
    }
    timers.cancel(first);
    timers.arm(50, None, 15).expect("room");
    let served: Vec<u32> = core::iter::from_fn(|| timers.expire(50))
        .map(|due| due.what)
        .collect();
    assert_eq!(served, (0..16).collect::<Vec<u32>>());
}

#[test]
fn a_period_does_not_drift_with_late_service() {
    let mut timers: Timers<(), 1> = Timers::new();
    let id = timers.arm(1_000, NonZeroU64::new(1_000), ()).expect("room");
    let mut random = Random(0x5717_0000_0000_0012);
    for turn in 1..1_000 {
        let due = timers.expire(turn * 1_000 + random.below(1_000));
        let due = due.expect("a period has passed");
        assert_eq!((due.id, due.deadline_ns, due.missed), (id, turn * 1_000, 0));
    }
}

#[test]
fn missed_periods_are_counted_and_skipped() {
    let mut timers: Timers<char, 2> = Timers::new();
    let id = timers.arm(10, NonZeroU64::new(10), 'p').expect("room");
    let due = Due {
        id,
        what: 'p',
        deadline_ns: 10,
        missed: 4,
        next_ns: Some(60),
    };
    assert_eq!(timers.expire(59), Some(due));
    assert_eq!(timers.expire(59), None);
    let on_time = Due {
        deadline_ns: 60,
        missed: 0,
        next_ns: Some(70),
        ..due
    };
    assert_eq!(timers.expire(60), Some(on_time));
}

#[test]
fn a_year_of_missed_periods_costs_no_more_than_one() {
    let mut timers: Timers<(), 1> = Timers::new();
    timers.arm(0, NonZeroU64::new(1), ()).expect("room");
    let year_ns = 31_556_952_000_000_000;
    let due = timers.expire(year_ns).expect("due since long");
    assert_eq!((due.missed, due.next_ns), (year_ns, Some(year_ns + 1)));
}

#[test]
fn a_period_past_the_end_of_time_ends_the_timer() {
    let mut timers: Timers<(), 1> = Timers::new();
    let period = NonZeroU64::new(u64::MAX);
    timers.arm(7, period, ()).expect("room");
    let due = timers.expire(u64::MAX).expect("due");
    assert_eq!((due.missed, due.next_ns), (0, None));
    assert_eq!(timers.expire(u64::MAX), None);

    timers.arm(u64::MAX, NonZeroU64::new(1), ()).expect("room");
    assert_eq!(timers.expire(u64::MAX - 1), None);
    let due = timers.expire(u64::MAX).expect("due");
    assert_eq!((due.missed, due.next_ns), (0, None));
    assert_eq!((timers.expire(u64::MAX), timers.armed()), (None, 0));
}

#[test]
fn an_old_id_never_cancels_another_timer() {
    let mut timers: Timers<u32, 1> = Timers::new();
    let mut old = Vec::new();
    for what in 0..1_000 {
        let id = timers.arm(5, None, what).expect("room");
        for stale in &old {
            assert_eq!(timers.cancel(*stale), None);
        }
        if what % 2 == 0 {
            assert_eq!(timers.cancel(id), Some(what));
        } else {
            assert_eq!(timers.expire(5).map(|due| due.what), Some(what));
        }
        old.push(id);
    }
}

#[test]
fn the_id_of_a_periodic_timer_holds_over_its_periods() {
    let mut timers: Timers<char, 4> = Timers::new();
    let id = timers.arm(1, NonZeroU64::new(1), 'p').expect("room");
    for now_ns in 1..100 {
        assert_eq!(timers.expire(now_ns).map(|due| due.id), Some(id));
    }
    assert_eq!(timers.cancel(id), Some('p'));
    assert_eq!((timers.cancel(id), timers.next_deadline()), (None, None));
}

#[test]
fn a_full_core_says_how_many_timers_it_has() {
    let mut timers: Timers<(), 2> = Timers::new();
    timers.arm(1, None, ()).expect("room");
    timers.arm(2, None, ()).expect("room");
    let error = timers.arm(3, None, ()).expect_err("there are two");
    assert_eq!(error.to_string(), "all 2 timers of this core are armed");
    let mut none: Timers<(), 0> = Timers::default();
    assert_eq!(none.arm(0, None, ()), Err(TimerError::Full { capacity: 0 }));
    assert_eq!((none.next_deadline(), none.expire(u64::MAX)), (None, None));
}

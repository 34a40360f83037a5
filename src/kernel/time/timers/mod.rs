//! Deadlines of one core: which timer is due next, and what it was armed for.
//!
//! Owns a fixed number of timers and their order, nothing else: it reads no clock and programs no
//! hardware. Whoever owns a [`Timers`] programs the core's timer for [`Timers::next_deadline`]
//! after every change, and at an interrupt calls [`Timers::expire`] until it returns `None`.
//!
//! # Cost
//!
//! With n timers armed: `next_deadline` reads one entry; `arm` moves one up by at most log2 n
//! levels of one comparison; `cancel` and `expire` move one by at most log2 n levels of two
//! comparisons. For 64 timers that is 6 levels. No memory is allocated, and nothing grows with the
//! time that passes: missed periods are divided out, not stepped through.
//!
//! # Decisions
//!
//! - A binary heap and not a wheel. A wheel arms in constant time, but wants a tick, or a search
//!   for the next slot that is not empty; and now and then one interrupt has to move a whole level
//!   of it. Here nothing happens until something is due, and the worst case is the stated one.
//! - Each slot knows where in the heap it stands, so that cancelling needs no search.
//! - Every arming has a number of its own, which the [`TimerId`] carries: 64 bits, which do not
//!   come round (a billion armings a second last 584 years). So no old id ever means a new timer.
//! - A periodic timer that was late fires once and says how many periods it missed. A burst would
//!   make a core that is behind fall further behind.
#![forbid(unsafe_code)]

use core::fmt;
use core::num::NonZeroU64;

#[cfg(test)]
mod tests;

/// Names one arming of one timer. Means something only to the [`Timers`] that gave it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimerId {
    slot: usize,
    number: u64,
}

/// Why no timer was armed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimerError {
    /// All timers of this core are armed.
    Full {
        /// How many there are.
        capacity: usize,
    },
}

impl fmt::Display for TimerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { capacity } => write!(f, "all {capacity} timers of this core are armed"),
        }
    }
}

impl core::error::Error for TimerError {}

/// A timer that is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Due<T> {
    /// The timer's number.
    pub id: TimerId,
    /// The value it was armed with.
    pub what: T,
    /// When it was due, in nanoseconds: not after the time that was given.
    pub deadline_ns: u64,
    /// Whole periods that went by after `deadline_ns`: each would have been due, and is skipped.
    pub missed: u64,
    /// When it is due again, in nanoseconds. `None`: it is not armed any more, because it was to
    /// fire once or because its next deadline is past the last nanosecond that a `u64` holds.
    pub next_ns: Option<u64>,
}

/// Up to `N` timers of one core.
///
/// # Invariants
///
/// The first `used` places of `order` hold the slots below `used`, each once. The slots of its
/// first `armed` places are `Some`, with that place as their `place`, and no one's key is less than
/// that of the place above, `(place - 1) / 2`. The other slots are `None`.
#[derive(Debug)]
pub struct Timers<T, const N: usize> {
    slots: [Option<ArmedTimer<T>>; N],
    order: [usize; N],
    /// Slots that were ever used: an empty value is all zero.
    used: usize,
    armed: usize,
    /// The number of the next arming.
    next_number: u64,
}

#[derive(Debug)]
struct ArmedTimer<T> {
    deadline_ns: u64,
    /// Order of arming, for equal deadlines. A period that begins counts as an arming.
    turn: u64,
    /// The part of its id that no other timer has; it stays over all periods.
    number: u64,
    period_ns: Option<NonZeroU64>,
    place: usize,
    what: T,
}

impl<T: Copy, const N: usize> Timers<T, N> {
    /// A set with no timer armed.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: [const { None }; N],
            order: [0; N],
            used: 0,
            armed: 0,
            next_number: 0,
        }
    }

    /// How many are armed.
    #[must_use]
    pub const fn armed(&self) -> usize {
        self.armed
    }

    /// Arms one for `deadline_ns`, which may have passed; with a period it is then due again every
    /// `period_ns`, counted from `deadline_ns` and not from when it was served.
    ///
    /// # Errors
    /// [`TimerError::Full`] if all are armed.
    pub fn arm(
        &mut self,
        deadline_ns: u64,
        period_ns: Option<NonZeroU64>,
        what: T,
    ) -> Result<TimerId, TimerError> {
        let place = self.armed;
        let Some(entry) = self.order.get_mut(place) else {
            return Err(TimerError::Full { capacity: N });
        };
        if place == self.used {
            *entry = place;
            self.used += 1;
        }
        let slot = *entry;
        let number = self.number();
        self.slots[slot] = Some(ArmedTimer {
            deadline_ns,
            turn: number,
            number,
            period_ns,
            place,
            what,
        });
        self.armed += 1;
        self.rise(place);
        Ok(TimerId { slot, number })
    }

    /// Disarms `id` and returns what it was armed for; `None` if it is not armed any more.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        let armed = self.slots.get(id.slot)?.as_ref()?;
        if armed.number != id.number {
            return None;
        }
        Some(self.remove(armed.place).what)
    }

    /// When `id` is due next, in nanoseconds; `None` if it is not armed any more.
    #[must_use]
    pub fn deadline_of(&self, id: TimerId) -> Option<u64> {
        let armed = self.slots.get(id.slot)?.as_ref()?;
        (armed.number == id.number).then_some(armed.deadline_ns)
    }

    /// The earliest deadline in nanoseconds; `None` if none is armed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        if self.armed == 0 {
            return None;
        }
        Some(self.at(0).deadline_ns)
    }

    /// The next one that is due at `now_ns`: by deadline, and among equal ones by arming.
    ///
    /// One that fires once is disarmed, a periodic one is due again after `now_ns`. So calling
    /// this with the same time until it is `None` yields every timer at most once.
    pub fn expire(&mut self, now_ns: u64) -> Option<Due<T>> {
        let deadline_ns = self.next_deadline().filter(|&due_ns| due_ns <= now_ns)?;
        let first = self.at(0);
        let mut due = Due {
            id: TimerId {
                slot: self.order[0],
                number: first.number,
            },
            what: first.what,
            deadline_ns,
            missed: 0,
            next_ns: None,
        };
        if let Some(period_ns) = first.period_ns {
            due.missed = (now_ns - deadline_ns) / period_ns;
            let last_ns = deadline_ns + due.missed * period_ns.get();
            due.next_ns = last_ns.checked_add(period_ns.get());
        }
        if let Some(next_ns) = due.next_ns {
            let turn = self.number();
            let first = self.at_mut(0);
            first.deadline_ns = next_ns;
            first.turn = turn;
            self.sink(0);
        } else {
            self.remove(0);
        }
        Some(due)
    }

    /// The number of an arming.
    fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    /// Takes the timer at a place of the heap out.
    fn remove(&mut self, place: usize) -> ArmedTimer<T> {
        let last = self.armed - 1;
        self.swap(place, last);
        self.armed = last;
        if place < last {
            // The timer from the end may belong further up as well as further down.
            self.rise(place);
            self.sink(place);
        }
        let slot = self.order[last];
        let Some(removed) = self.slots[slot].take() else {
            unreachable!("slot {slot} stood in the heap and is not armed");
        };
        removed
    }

    /// Moves the timer at `place` up until none above is later.
    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.key(above) <= self.key(place) {
                break;
            }
            self.swap(place, above);
            place = above;
        }
    }

    /// Moves the timer at `place` down until none below is earlier.
    fn sink(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            if left >= self.armed {
                break;
            }
            let right = left + 1;
            let below = if right < self.armed && self.key(right) < self.key(left) {
                right
            } else {
                left
            };
            if self.key(place) <= self.key(below) {
                break;
            }
            self.swap(place, below);
            place = below;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.order.swap(one, other);
        self.at_mut(one).place = one;
        self.at_mut(other).place = other;
    }

    /// The key that orders the heap; no two are equal.
    fn key(&self, place: usize) -> (u64, u64) {
        let armed = self.at(place);
        (armed.deadline_ns, armed.turn)
    }

    fn at(&self, place: usize) -> &ArmedTimer<T> {
        let slot = self.order[place];
        let Some(armed) = &self.slots[slot] else {
            unreachable!("slot {slot} stands in the heap and is not armed");
        };
        armed
    }

    fn at_mut(&mut self, place: usize) -> &mut ArmedTimer<T> {
        let slot = self.order[place];
        let Some(armed) = &mut self.slots[slot] else {
            unreachable!("slot {slot} stands in the heap and is not armed");
        };
        armed
    }
}

impl<T: Copy, const N: usize> Default for Timers<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

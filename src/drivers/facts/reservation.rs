//! Reservations of memory as a loader states them, not judged yet.
//!
//! Devicetree Specification, release 0.4: 5.3, the reservation block; 3.5, `/reserved-memory`.
//!
//! # Decisions
//! - A reservation that makes no sense does not take the others with it: each is kept in its own
//!   numbers here, and judged by itself in `drivers::ram`.
//! - None is ever lost for want of room: from the first that does not fit on, the two that are
//!   nearest to each other are made one, with what lies between them. The list is sorted then, so
//!   that each more costs one look at every place.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::Deref;

use crate::drivers::range::{Full, PhysRange};

/// Reserved ranges that are kept apart: where there are more, those that are nearest to each other
/// are made one.
pub const RESERVED_RANGES: usize = 64;

/// Whether the kernel may map a place that it leaves alone. `no-map` (Devicetree Specification 3.5)
/// forbids it: then not even speculation may reach the place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// The kernel may map it.
    #[default]
    Allowed,
    /// The kernel may not map it: `no-map`.
    Forbidden,
}

/// The source of a reservation, for the report, and for a verdict: what is switched off is kept all
/// the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The tree's reservation block.
    #[default]
    Block,
    /// A node in `/reserved-memory`.
    Place,
    /// A node whose `status` switches it off.
    DisabledPlace,
    /// The initial RAM disk lies there.
    Initrd,
    /// Several, and what lies between them.
    Several,
}

/// A place that is to be left alone, in the numbers of the source: it may be empty, outside RAM, or
/// reach past the last address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reservation {
    /// Its first address, as the source names it.
    pub base: u64,
    /// Its size in bytes, as the source names it.
    pub size: u64,
    /// Whether it may be mapped.
    pub mapping: Mapping,
    /// The source that reserves it.
    pub origin: Origin,
}

impl Reservation {
    /// The place, or `None` if it is empty. One that reaches past the last address ends there: its
    /// first byte is as good as that of any other.
    #[must_use]
    pub fn range(self) -> Option<PhysRange> {
        PhysRange::from_raw(self.base, self.end() - self.base)
    }

    /// Whether it reaches past the last address of 64 bits; then [`Reservation::range`] ends there.
    #[must_use]
    pub const fn wraps(self) -> bool {
        self.base.checked_add(self.size).is_none()
    }

    const fn end(self) -> u64 {
        self.base.saturating_add(self.size)
    }

    /// Whether any byte could be meant.
    const fn is_somewhere(self) -> bool {
        self.size > 0
    }

    /// The smallest reservation that has all of both.
    fn hull(self, other: Self) -> Self {
        let base = self.base.min(other.base);
        let mapping = match (self.mapping, other.mapping) {
            (Mapping::Allowed, Mapping::Allowed) => Mapping::Allowed,
            _ => Mapping::Forbidden,
        };
        Self {
            base,
            size: self.end().max(other.end()) - base,
            mapping,
            origin: Origin::Several,
        }
    }
}

/// The range, or the numbers that are none: `0x0 bytes at 0x1000`.
impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range() {
            Some(range) if !self.wraps() => range.fmt(f),
            _ => write!(f, "{:#x} bytes at {:#x}", self.size, self.base),
        }
    }
}

/// Reservations, in the order in which they were named as long as there is room for each.
///
/// # Invariants
///
/// `len <= RESERVED_RANGES`; what is behind is [`Reservation::default`]. If `merging`, all of them
/// are somewhere, and sorted by their bases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservations {
    all: [Reservation; RESERVED_RANGES],
    len: usize,
    merging: bool,
}

impl Reservations {
    /// Adds one.
    ///
    /// # Errors
    ///
    /// [`Full`]: it is covered, but not kept apart from every other one.
    pub fn push(&mut self, reservation: Reservation) -> Result<(), Full> {
        if let Some(free) = self.all.get_mut(self.len) {
            *free = reservation;
            self.len += 1;
            return Ok(());
        }
        if !self.merging {
            self.sort();
        }
        if reservation.is_somewhere() {
            self.insert(reservation);
        }
        Err(Full {
            capacity: RESERVED_RANGES,
        })
    }

    /// Sorts the list, without those that are nowhere. In place: the boot stack has no room for a
    /// copy.
    #[inline(never)]
    fn sort(&mut self) {
        self.merging = true;
        let known = self.len;
        self.len = 0;
        for index in 0..known {
            let reservation = self.all[index];
            if reservation.is_somewhere() {
                // Not full, and never past what was looked at.
                self.insert(reservation);
            }
        }
        self.all[self.len..].fill(Reservation::default());
    }

    /// Puts one that is somewhere at its place in a sorted list; in a full one, two that are next
    /// to each other become one.
    fn insert(&mut self, reservation: Reservation) {
        let sorted = self.iter().position(|known| known.base > reservation.base);
        let at = sorted.unwrap_or(self.len);
        if self.len < RESERVED_RANGES {
            self.all[at..=self.len].rotate_right(1);
            self.all[at] = reservation;
            self.len += 1;
            return;
        }
        // The narrowest gap is between two that are in the list, or on a side of the new one.
        let gap = |low: Reservation, high: Reservation| high.base.saturating_sub(low.end());
        let inside =
            (1..RESERVED_RANGES).min_by_key(|high| gap(self.all[high - 1], self.all[*high]));
        let inside = inside.unwrap_or(1);
        let narrowest = gap(self.all[inside - 1], self.all[inside]);
        let below = at
            .checked_sub(1)
            .map(|below| gap(self.all[below], reservation));
        let above = self.all.get(at).map(|above| gap(reservation, *above));
        match (below, above) {
            (Some(below), _) if below <= narrowest && above.is_none_or(|above| below <= above) => {
                self.all[at - 1] = self.all[at - 1].hull(reservation);
            }
            (_, Some(above)) if above <= narrowest => {
                self.all[at] = self.all[at].hull(reservation);
            }
            _ => {
                self.all[inside - 1] = self.all[inside - 1].hull(self.all[inside]);
                // The place of `inside` is free, and the new one belongs before or behind it.
                if at <= inside {
                    self.all[at..=inside].rotate_right(1);
                    self.all[at] = reservation;
                } else {
                    self.all[inside..at].rotate_left(1);
                    self.all[at - 1] = reservation;
                }
            }
        }
    }
}

impl Default for Reservations {
    fn default() -> Self {
        Self {
            all: [Reservation::default(); RESERVED_RANGES],
            len: 0,
            merging: false,
        }
    }
}

impl Deref for Reservations {
    type Target = [Reservation];

    fn deref(&self) -> &[Reservation] {
        self.all.get(..self.len).unwrap_or(&self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mapping, Origin, RESERVED_RANGES, Reservation, Reservations};
    use std::vec::Vec;

    fn place(base: u64, size: u64) -> Reservation {
        Reservation {
            base,
            size,
            ..Reservation::default()
        }
    }

    fn list(places: impl IntoIterator<Item = Reservation>) -> Reservations {
        let mut list = Reservations::default();
        for place in places {
            let _ = list.push(place);
        }
        list
    }

    #[test]
    fn as_many_as_fit_are_kept_as_they_were_named() {
        let places: Vec<_> = (0..RESERVED_RANGES as u64)
            .map(|number| place(0x1000_0000 - number * 0x1000, number))
            .collect();
        let mut list = list(places.iter().copied());
        assert_eq!(*list, *places);
        assert!(list.push(place(1, 1)).is_err());
    }

    #[test]
    fn one_more_makes_the_two_nearest_one_and_loses_no_byte() {
        let apart = |number: u64| place(number * 0x10_0000, 0x1000);
        let many = RESERVED_RANGES as u64;
        // Two near ones among those that are there; near one that is there; below all; above all.
        for (last, hull) in [
            (place(0x55_5000, 0x1000), place(0x50_0000, 0x5_6000)),
            (place(0x50_1000, 0x1000), place(0x50_0000, 0x2000)),
            (place(0, 0x1000), place(0, 0x10_1000)),
        ] {
            let list = list((1..=many).map(apart).chain([last]));
            let found = list.iter().find(|known| known.origin == Origin::Several);
            let found = found.expect("one is made of two");
            assert_eq!((found.base, found.size), (hull.base, hull.size));
            assert_eq!(list.len(), RESERVED_RANGES);
        }
        let near = place(0x10_1800, 0x1000);
        let list = list((1..many).map(apart).chain([near, place(1 << 40, 1)]));
        assert_eq!((list[0].base, list[0].size), (0x10_0000, 0x2800));
        assert_eq!(list[RESERVED_RANGES - 1], place(1 << 40, 1));
    }

    #[test]
    fn those_that_are_nowhere_make_room_first() {
        let nowhere = [place(1, 0), place(u64::MAX, 0)];
        let some = (0..RESERVED_RANGES as u64 - 2).map(|number| place(number << 20, 1));
        let more = [place(1 << 40, 1), place(1 << 41, 1), place(2, 0)];
        let list = list(nowhere.into_iter().chain(some).chain(more));
        assert!(
            list.iter()
                .all(|place| place.origin == Origin::Block && place.size == 1)
        );
        assert_eq!(list.len(), RESERVED_RANGES);
    }

    /// Numbers that look random, and are the same in every run (Marsaglia, "Xorshift RNGs").
    fn below(state: &mut u64, end: u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % end
    }

    #[test]
    fn however_many_there_are_every_byte_of_every_one_is_covered() {
        let mut state = 0x5717_1157_2026_0003;
        for _ in 0..200 {
            let count = 60 + below(&mut state, 200);
            let places: Vec<_> = (0..count)
                .map(|_| {
                    let bits = below(&mut state, 64);
                    let base = below(&mut state, 1 << bits);
                    let mut place = place(base, below(&mut state, 0x1000));
                    if below(&mut state, 4) == 0 {
                        place.mapping = Mapping::Forbidden;
                    }
                    place
                })
                .collect();
            let list = list(places.iter().copied());
            for place in places.iter().filter(|place| place.is_somewhere()) {
                let covered = list.iter().any(|known| {
                    known.base <= place.base
                        && place.end() <= known.end()
                        && (place.mapping == Mapping::Allowed || known.mapping == place.mapping)
                });
                assert!(covered, "{place:?} in {list:?}");
            }
            if list.merging {
                assert!(list.is_sorted_by_key(|place| place.base));
            }
        }
    }
}

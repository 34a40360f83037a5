//! [`Cover`]: the addresses of pending invalidations that are too many for a list.
//!
//! # Why they are kept at all
//! A batch unmaps 512 pages from 0x4000_0000 on and maps 512 others from 0x8000_0000 on, page by
//! page in turn, as who moves a buffer does.
//!
//! 1. With the 33rd page that is unmapped the list is full. What is pending is one invalidation of
//!    everything now (`tlbi vmalle1is`), and it would need no addresses.
//! 2. The 33rd page is mapped, at 0x8002_0000. An entry that becomes valid must not meet an older
//!    translation of its address (`flush_before_making`). Is there one pending?
//! 3. Without addresses the answer is "perhaps": everything is invalidated now, and again with
//!    each 33 pages, 15 times instead of once.
//! 4. With the cover, 0x4000_0000..0x4002_1000, the answer is no, and the batch ends with one.
//!
//! Four separate ranges are told apart, because every tree carries room for them. A fifth closes
//! the smallest gap between two: the cover may then name addresses that nobody has unmapped, which
//! costs an invalidation too early; it never misses one.
//!
//! ```text
//! added      0x1000..0x3000   0x5000..0x6000   0x20_0000..   0x40_0000..   0x60_0000..
//! kept       0x1000........................0x6000   0x20_0000..   0x40_0000..   0x60_0000..
//! ```
#![forbid(unsafe_code)]

/// How many separate ranges are told apart. A batch works on a few places, each of which grows; and
/// every table carries room for them.
const SPANS: usize = 4;

/// Addresses from the first to the last.
#[derive(Clone, Copy)]
struct Part {
    first: usize,
    last: usize,
}

impl Part {
    /// Whether the two have an address in common, or neighbouring ones.
    const fn touches(self, other: Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }
}

/// A set of addresses that holds all that were added, and few others: where there are too many
/// ranges, the smallest gap between two of them is taken in.
///
/// # Invariants
/// The first `len` parts are in the order of addresses, and no two touch; there is room for one
/// more.
pub(crate) struct Cover {
    parts: [Part; SPANS + 1],
    len: usize,
}

impl Cover {
    pub(crate) const fn new() -> Self {
        Self {
            parts: [Part { first: 0, last: 0 }; SPANS + 1],
            len: 0,
        }
    }

    #[inline(always)]
    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    fn parts(&self) -> &[Part] {
        self.parts.get(..self.len).unwrap_or_default()
    }

    /// Adds `bytes`, not 0, from `start` on.
    pub(crate) fn add(&mut self, start: usize, bytes: usize) {
        let new = Part {
            first: start,
            last: start + (bytes - 1),
        };
        // Nearly always one operation in one place.
        let only = self.parts[0];
        match self.len {
            0 => self.parts[0] = new,
            1 if only.touches(new) => {
                self.parts[0] = Part {
                    first: only.first.min(new.first),
                    last: only.last.max(new.last),
                };
            }
            _ => return self.add_to_others(new),
        }
        self.len = 1;
    }

    #[cold]
    #[inline(never)]
    #[expect(
        clippy::indexing_slicing,
        reason = "by the invariant, there is room for one more"
    )]
    fn add_to_others(&mut self, mut new: Part) {
        // Parts that the new one touches become part of it.
        let mut kept = 0;
        for index in 0..self.len {
            let part = self.parts[index];
            if part.touches(new) {
                new.first = new.first.min(part.first);
                new.last = new.last.max(part.last);
            } else {
                self.parts[kept] = part;
                kept += 1;
            }
        }
        let at = self.parts[..kept].partition_point(|part| part.first < new.first);
        self.parts.copy_within(at..kept, at + 1);
        self.parts[at] = new;
        self.len = kept + 1;
        if self.len > SPANS {
            self.close_smallest_gap();
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a pair of parts begins before the last"
    )]
    fn close_smallest_gap(&mut self) {
        let pairs = self.parts().windows(2).enumerate();
        let gap = |(_, pair): &(usize, &[Part])| pair[1].first - pair[0].last;
        let Some((before, _)) = pairs.min_by_key(gap) else {
            return;
        };
        self.parts[before].last = self.parts[before + 1].last;
        self.parts.copy_within(before + 2..self.len, before + 1);
        self.len -= 1;
    }

    /// Whether some of `bytes`, not 0, from `start` on may have been added.
    pub(crate) fn meets(&self, start: usize, bytes: usize) -> bool {
        let last = start + (bytes - 1);
        self.parts()
            .iter()
            .any(|part| part.first <= last && start <= part.last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Cover, SPANS};

    #[test]
    fn as_many_ranges_as_there_is_room_for_are_told_apart() {
        let mut cover = Cover::new();
        for number in (0..SPANS).rev() {
            cover.add(number * 100, 10);
        }
        for at in 0..SPANS * 100 {
            assert_eq!(cover.meets(at, 1), at % 100 < 10, "{at}");
        }
        // One more, and the two that are nearest to each other are one.
        cover.add(2 * 100 + 50, 10);
        assert!(cover.meets(240, 1) && cover.meets(265, 30) != cover.meets(215, 30));
        assert!(!cover.meets(99, 1) && !cover.meets(SPANS * 100, 1));
    }

    #[test]
    fn nothing_that_was_added_is_missed() {
        let mut random = 0x5eed_u64;
        let mut next = |end: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 20) as usize % end
        };
        for _ in 0..200 {
            let mut cover = Cover::new();
            let mut added = BTreeSet::new();
            for _ in 0..next(60) {
                let (start, bytes) = (next(4000), 1 + next(40));
                cover.add(start, bytes);
                added.extend(start..start + bytes);
            }
            assert!(added.iter().all(|at| cover.meets(*at, 1)));
            assert!(cover.parts().is_sorted_by(|a, b| a.last + 1 < b.first));
            assert!(cover.parts().len() <= SPANS);
        }
    }

    #[test]
    fn the_ends_of_the_address_space_are_addresses() {
        let mut cover = Cover::new();
        cover.add(usize::MAX - 9, 10);
        cover.add(0, 1);
        assert!(cover.meets(usize::MAX, 1) && cover.meets(0, 1) && !cover.meets(1, 100));
        cover.clear();
        assert!(!cover.meets(0, 1));
    }
}

//! Physical ranges, and short lists of them that need no heap.
//!
//! The firmware describes memory by pairs of a base and a size, neither to be trusted.
//! A [`PhysRange`] is a pair that was looked at.
//!
//! # Decisions
//! A function that goes through a whole list is never inlined: a list is some hundred bytes, and
//! copies of it would fill the boot stack of whoever calls several.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::Deref;

use crate::addr::PhysAddr;

/// A range of physical addresses.
///
/// # Invariants
///
/// Not empty, and its end is an address: `base + size` does not wrap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PhysRange {
    base: usize,
    size: usize,
}

impl PhysRange {
    /// `size` bytes from `base` on, or `None` if that is nothing, or reaches past the last address.
    #[must_use]
    pub const fn new(base: PhysAddr, size: usize) -> Option<Self> {
        let base = base.as_usize();
        if size == 0 || base.checked_add(size).is_none() {
            return None;
        }
        Some(Self { base, size })
    }

    /// [`PhysRange::new`] of numbers that the firmware names. `None` as well for a number that is
    /// no address of this machine.
    #[must_use]
    pub fn from_raw(base: u64, size: u64) -> Option<Self> {
        let base = usize::try_from(base).ok()?;
        let size = usize::try_from(size).ok()?;
        Self::new(PhysAddr::new(base), size)
    }

    /// From `start` up to `end`, which is not part of it, or `None` if that is nothing.
    #[must_use]
    pub const fn between(start: PhysAddr, end: PhysAddr) -> Option<Self> {
        match end.checked_sub(start) {
            Some(size) => Self::new(start, size),
            None => None,
        }
    }

    /// The first address of the range, of any alignment: firmware names ranges that are no whole
    /// frames.
    #[must_use]
    pub const fn base(self) -> PhysAddr {
        PhysAddr::new(self.base)
    }

    /// Bytes, at least one.
    #[must_use]
    pub const fn size(self) -> usize {
        self.size
    }

    /// The address after the last. It is an address itself: the last byte of the address space is
    /// in no range.
    #[must_use]
    pub const fn end(self) -> PhysAddr {
        PhysAddr::new(self.base + self.size)
    }

    /// Whether all of `other` lies in this range: 0..10 contains 0..10 and 8..10, and not 8..11.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.base <= other.base && other.base + other.size <= self.base + self.size
    }

    /// The addresses that are in both; `None` if there is none, as for two ranges that only touch.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::between(self.base().max(other.base()), self.end().min(other.end()))
    }

    /// The parts of this range below and above `hole`: 0..10 without 3..5 is 0..3 and 5..10.
    #[must_use]
    pub fn without(self, hole: Self) -> [Option<Self>; 2] {
        [
            Self::between(self.base(), self.end().min(hole.base())),
            Self::between(self.base().max(hole.end()), self.end()),
        ]
    }

    /// The smallest range that contains both.
    fn hull(self, other: Self) -> Self {
        let base = self.base.min(other.base);
        let end = (self.base + self.size).max(other.base + other.size);
        Self {
            base,
            size: end - base,
        }
    }

    /// The units of `unit` bytes, a power of two, that this range touches; cut off at the last
    /// unit's start if its end is no address.
    #[must_use]
    pub fn aligned_outward(self, unit: usize) -> Option<Self> {
        let end = self.end().as_usize();
        let end = end.checked_next_multiple_of(unit).unwrap_or(end);
        Self::between(
            self.base().align_down(unit),
            PhysAddr::new(end).align_down(unit),
        )
    }

    /// The units of `unit` bytes, a power of two, that lie wholly in this range.
    #[must_use]
    pub fn aligned_inward(self, unit: usize) -> Option<Self> {
        let start = PhysAddr::new(self.base.checked_add(unit - 1)?).align_down(unit);
        Self::between(start, self.end().align_down(unit))
    }
}

impl fmt::Display for PhysRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.base, self.base + self.size)
    }
}

impl fmt::Debug for PhysRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A list has no room for another range. What was to be added is not in it; the others are as they
/// were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// How many ranges it holds.
    pub capacity: usize,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} ranges", self.capacity)
    }
}

impl core::error::Error for Full {}

/// Up to `N` ranges, in any order, perhaps overlapping, until [`RangeList::merge`] has sorted them.
/// Read as a slice.
///
/// # Invariants
///
/// `len <= N`.
#[derive(Clone, Copy)]
pub struct RangeList<const N: usize> {
    ranges: [PhysRange; N],
    len: usize,
}

impl<const N: usize> RangeList<N> {
    /// Fills the places that are not in use.
    const UNUSED: PhysRange = PhysRange { base: 0, size: 1 };

    /// A list without ranges.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ranges: [Self::UNUSED; N],
            len: 0,
        }
    }

    /// Adds a range after the others, as it is: neither sorted in nor merged.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn push(&mut self, range: PhysRange) -> Result<(), Full> {
        let free = self.ranges.get_mut(self.len).ok_or(Full { capacity: N })?;
        *free = range;
        self.len += 1;
        Ok(())
    }

    /// A list of `range` alone. `N` is at least 1, which is checked when it is compiled.
    #[must_use]
    pub const fn of(range: PhysRange) -> Self {
        const { assert!(N > 0) };
        Self {
            ranges: [range; N],
            len: 1,
        }
    }

    /// Sorts the ranges, and makes those that overlap or touch one: 4..8, 0..4 and 6..9 become
    /// 0..9. Quadratic in the length.
    #[inline(never)]
    pub fn merge(&mut self) {
        // By insertion: the lists are short, and `core`'s sort takes more code than all of this
        // file.
        for sorted in 1..self.len {
            let mut at = sorted;
            while at > 0 && self.ranges[at].base < self.ranges[at - 1].base {
                self.ranges.swap(at, at - 1);
                at -= 1;
            }
        }
        let mut kept: usize = 0;
        for index in 0..self.len {
            let next = self.ranges[index];
            match self.ranges[..kept].last_mut() {
                Some(last) if next.base() <= last.end() => *last = last.hull(next),
                _ => {
                    self.ranges[kept] = next;
                    kept += 1;
                }
            }
        }
        self.len = kept;
    }

    /// Leaves of each range what `part` makes of it, in the same order; a range for which it gives
    /// `None` goes. The results are not merged.
    pub fn filter_map(&mut self, part: impl Fn(PhysRange) -> Option<PhysRange>) {
        let mut kept: usize = 0;
        for index in 0..self.len {
            if let Some(range) = part(self.ranges[index]) {
                self.ranges[kept] = range;
                kept += 1;
            }
        }
        self.len = kept;
    }

    /// Leaves of each range what lies outside `hole`; the part above it goes to the end of the list
    /// if there is one below it, too.
    ///
    /// # Errors
    ///
    /// [`Full`], if parts fall in two and there is no room for them: those above the hole are left
    /// out.
    #[inline(never)]
    pub fn remove(&mut self, hole: PhysRange) -> Result<(), Full> {
        let mut result = Ok(());
        // From the end on: what is pushed was looked at.
        for index in (0..self.len).rev() {
            match self.ranges[index].without(hole) {
                [None, None] => {
                    self.ranges.copy_within(index + 1..self.len, index);
                    self.len -= 1;
                }
                [Some(part), None] | [None, Some(part)] => self.ranges[index] = part,
                [Some(below), Some(above)] => {
                    self.ranges[index] = below;
                    result = result.and(self.push(above));
                }
            }
        }
        result
    }

    /// Bytes in all ranges together, at most `usize::MAX`. Those of ranges that overlap count
    /// twice: [`RangeList::merge`] comes first.
    #[must_use]
    pub fn total_size(&self) -> usize {
        self.iter()
            .fold(0, |sum: usize, range| sum.saturating_add(range.size()))
    }
}

impl<const N: usize> Default for RangeList<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Deref for RangeList<N> {
    type Target = [PhysRange];

    fn deref(&self) -> &[PhysRange] {
        self.ranges.get(..self.len).unwrap_or(&self.ranges)
    }
}

impl<const N: usize> PartialEq for RangeList<N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<const N: usize> Eq for RangeList<N> {}

impl<const N: usize> fmt::Debug for RangeList<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
pub(crate) fn range(base: usize, size: usize) -> PhysRange {
    PhysRange::new(PhysAddr::new(base), size).expect("a range")
}

#[cfg(test)]
mod tests {
    use super::{Full, PhysRange, RangeList, range};
    use crate::addr::PhysAddr;

    #[test]
    fn nothing_and_what_wraps_are_no_ranges() {
        assert_eq!(PhysRange::new(PhysAddr::new(0x1000), 0), None);
        assert_eq!(PhysRange::new(PhysAddr::new(usize::MAX), 1), None);
        assert!(PhysRange::new(PhysAddr::new(usize::MAX - 1), 1).is_some());
        assert_eq!(PhysRange::between(PhysAddr::new(2), PhysAddr::new(1)), None);
    }

    #[test]
    fn alignment_never_gives_a_byte_that_was_not_there() {
        assert_eq!(
            range(0, 0x1000).aligned_inward(0x1000),
            Some(range(0, 0x1000))
        );
        assert_eq!(
            range(1, 0x1fff).aligned_inward(0x1000),
            Some(range(0x1000, 0x1000))
        );
        assert_eq!(range(1, 0x1ffe).aligned_inward(0x1000), None);
        assert_eq!(range(usize::MAX - 8, 8).aligned_inward(0x1000), None);
    }

    #[test]
    fn touching_ranges_have_nothing_in_common() {
        assert_eq!(range(0, 2).intersection(range(2, 2)), None);
        assert_eq!(range(0, 3).intersection(range(2, 2)), Some(range(2, 1)));
        assert!(range(0, 4).contains(range(2, 2)));
        assert!(!range(0, 3).contains(range(2, 2)));
    }

    #[test]
    fn what_a_hole_leaves_has_no_byte_of_it() {
        let whole = range(0x1000, 0x3000);
        let parts = |hole| whole.without(hole);
        assert_eq!(
            parts(range(0x2000, 0x1000)),
            [Some(range(0x1000, 0x1000)), Some(range(0x3000, 0x1000))]
        );
        assert_eq!(parts(range(0, 0x1001)), [None, Some(range(0x1001, 0x2fff))]);
        assert_eq!(
            parts(range(0x3fff, 0x9000)),
            [Some(range(0x1000, 0x2fff)), None]
        );
        assert_eq!(parts(whole), [None, None]);
        assert_eq!(parts(range(0, usize::MAX)), [None, None]);
        // Beside it: all is in one part.
        assert_eq!(parts(range(0, 0x1000)), [None, Some(whole)]);
        assert_eq!(parts(range(0x4000, 1)), [Some(whole), None]);
    }

    #[test]
    fn a_hole_in_a_full_list_is_refused_only_if_it_splits() {
        let less = |hole| {
            let mut list = RangeList::<1>::of(range(0, 8));
            (list.remove(hole), list)
        };
        assert_eq!(less(range(0, 4)), (Ok(()), RangeList::of(range(4, 4))));
        assert_eq!(less(range(0, 8)), (Ok(()), RangeList::new()));
        // Then less is left, never more.
        let full = Err(Full { capacity: 1 });
        assert_eq!(less(range(2, 4)), (full, RangeList::of(range(0, 2))));
    }

    #[test]
    fn a_hole_leaves_what_each_range_has_outside_it() {
        let mut list = RangeList::<5>::new();
        for range in [range(0, 4), range(8, 2), range(10, 10), range(30, 5)] {
            list.push(range).expect("room");
        }
        assert_eq!(list.remove(range(2, 10)), Ok(()));
        assert_eq!(*list, [range(0, 2), range(12, 8), range(30, 5)]);
        assert_eq!(list.remove(range(14, 2)), Ok(()));
        list.merge();
        let rest = [range(0, 2), range(12, 2), range(16, 4), range(30, 5)];
        assert_eq!(*list, rest);
    }

    #[test]
    fn alignment_outward_never_loses_a_byte_below_the_last_unit() {
        let aligned = |base, size| range(base, size).aligned_outward(0x1000);
        assert_eq!(aligned(0x1fff, 2), Some(range(0x1000, 0x2000)));
        assert_eq!(aligned(0x1000, 0x1000), Some(range(0x1000, 0x1000)));
        assert_eq!(
            aligned(1, usize::MAX - 1),
            Some(range(0, usize::MAX - 0xfff))
        );
        assert_eq!(aligned(usize::MAX - 8, 8), None);
    }

    #[test]
    fn a_full_list_refuses_and_stays_as_it_was() {
        let mut list = RangeList::<1>::new();
        assert_eq!(list.push(range(4, 1)), Ok(()));
        assert_eq!(list.push(range(8, 1)), Err(Full { capacity: 1 }));
        assert_eq!(*list, [range(4, 1)]);
    }

    #[test]
    fn merging_sorts_and_leaves_no_overlap_in_any_order() {
        let parts = [
            range(0, 2),
            range(4, 2),
            range(8, 2),
            range(2, 1),
            range(5, 4),
        ];
        for rotation in 0..parts.len() {
            let mut list = RangeList::<5>::new();
            for index in 0..parts.len() {
                let part = parts[(rotation + index * 2) % parts.len()];
                assert_eq!(list.push(part), Ok(()));
            }
            list.merge();
            assert_eq!(*list, [range(0, 3), range(4, 6)]);
        }
    }
}

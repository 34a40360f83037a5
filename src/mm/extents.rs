//! The mapped ranges of an address space and its own frames: a sorted list of extents.
//!
//! ```text
//! as map 0x400000 12K rw, then as unmap 0x401000 4K
//!   0x400000..0x403000 -> 0x1f2000, owned          one extent of three pages
//!   0x400000..0x401000 -> 0x1f2000, owned          two of one page each; the frame 0x1f3000
//!   0x402000..0x403000 -> 0x1f4000, owned          came out, and goes back to the allocator
//! ```
//!
//! # Decisions
//! The list needs the heap, and the tables are changed where the heap must not be asked (their lock
//! comes behind its lock). So room is [reserved](Extents::reserve) first, and what follows cannot
//! fail.
#![forbid(unsafe_code)]

use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::ops::Range;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

/// Consecutive pages that are mapped to consecutive frames: 0x400000..0x403000 to the frames from
/// 0x1f2000 on. Addresses and size are multiples of 4 KiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// The address of the first page.
    pub va: VirtAddr,
    /// The address of the first frame.
    pub pa: PhysAddr,
    /// The size in bytes: whole pages.
    pub bytes: usize,
    /// Whether the frames go back to the allocator with the last space that maps them.
    pub owned: bool,
}

impl Extent {
    /// The addresses, first to behind the last: 0x400000..0x403000 for three pages from 0x400000
    /// on.
    #[must_use]
    pub const fn pages(&self) -> Range<usize> {
        self.va.as_usize()..self.va.as_usize() + self.bytes
    }

    /// The part of it that lies in `pages`; `None` if no page does. Its frames go along: of
    /// 0x400000..0x403000 to 0x1f2000 the part in 0x401000..0x402000 leads to 0x1f3000.
    #[must_use]
    pub fn part(&self, pages: &Range<usize>) -> Option<Self> {
        let own = self.pages();
        let (start, end) = (own.start.max(pages.start), own.end.min(pages.end));
        if start >= end {
            return None;
        }
        Some(Self {
            va: VirtAddr::new(start),
            pa: PhysAddr::new(self.pa.as_usize() + (start - own.start)),
            bytes: end - start,
            owned: self.owned,
        })
    }

    /// Whether `next` goes on where this ends, with its addresses and with its frames.
    pub(super) const fn is_continued_by(&self, next: &Self) -> bool {
        self.pages().end == next.va.as_usize()
            && self.pa.as_usize() + self.bytes == next.pa.as_usize()
            && self.owned == next.owned
    }
}

/// The extents of one space, by address; no two overlap. A look-up is a binary search; a change may
/// move all that lie behind.
#[derive(Debug, Default)]
pub struct Extents(Vec<Extent>);

impl Extents {
    /// Nothing mapped: an empty list, which takes nothing from the heap before
    /// [`Extents::reserve`].
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Makes room for `more` extents: so many calls of [`Extents::insert`] ask the heap for
    /// nothing.
    ///
    /// # Errors
    /// The heap has none: the list is as it was.
    pub fn reserve(&mut self, more: usize) -> Result<(), TryReserveError> {
        self.0.try_reserve(more)
    }

    /// All of them, by address.
    #[must_use]
    pub fn as_slice(&self) -> &[Extent] {
        &self.0
    }

    /// Adds one, for which room was reserved, where nothing is mapped; to a neighbour that it
    /// continues.
    pub fn insert(&mut self, extent: Extent) {
        let index = self.0.partition_point(|other| other.va < extent.va);
        if let Some(before) = index.checked_sub(1).and_then(|index| self.0.get_mut(index))
            && before.is_continued_by(&extent)
        {
            before.bytes += extent.bytes;
            return;
        }
        debug_assert!(self.0.len() < self.0.capacity(), "no room was reserved");
        self.0.insert(index, extent);
    }

    /// Takes what lies in `bytes` from `va` on out, and hands each part to `each`. An extent that
    /// goes on at both ends becomes two: room for one more must be reserved.
    pub fn remove(&mut self, va: VirtAddr, bytes: usize, each: &mut dyn FnMut(Extent)) {
        let pages = va.as_usize()..va.as_usize() + bytes;
        let mut index = self
            .0
            .partition_point(|extent| extent.pages().end <= pages.start);
        while let Some(extent) = self.0.get(index).copied()
            && let Some(part) = extent.part(&pages)
        {
            each(part);
            let below = extent.part(&(0..pages.start));
            let above = extent.part(&(pages.end..usize::MAX));
            self.0.remove(index);
            for rest in [below, above].into_iter().flatten() {
                self.0.insert(index, rest);
                index += 1;
            }
        }
    }

    /// The lowest address in `pages` that is mapped: `pages.start` itself if it lies inside an
    /// extent. `None` if the range is free.
    #[must_use]
    pub fn first_in(&self, pages: &Range<usize>) -> Option<VirtAddr> {
        let index = self
            .0
            .partition_point(|extent| extent.pages().end <= pages.start);
        let part = self.0.get(index)?.part(pages)?;
        Some(part.va)
    }

    /// The extent in which `va` lies, which need not be the address of a page; `None` if nothing is
    /// mapped there.
    #[must_use]
    pub fn at(&self, va: VirtAddr) -> Option<&Extent> {
        let index = self
            .0
            .partition_point(|extent| extent.pages().end <= va.as_usize());
        let extent = self.0.get(index)?;
        extent.pages().contains(&va.as_usize()).then_some(extent)
    }

    /// Pages of 4 KiB in all extents, also those whose leaves were made inaccessible.
    #[must_use]
    pub fn page_count(&self) -> usize {
        self.0.iter().map(|extent| extent.bytes / PAGE_SIZE).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Extent, Extents};
    use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
    use std::collections::BTreeMap;
    use std::vec::Vec;

    fn extent(page: usize, frame: usize, pages: usize, owned: bool) -> Extent {
        Extent {
            va: VirtAddr::new(page * PAGE_SIZE),
            pa: PhysAddr::new(frame * PAGE_SIZE),
            bytes: pages * PAGE_SIZE,
            owned,
        }
    }

    fn removed(extents: &mut Extents, page: usize, pages: usize) -> Vec<Extent> {
        let mut parts = Vec::new();
        extents.reserve(1).unwrap();
        let va = VirtAddr::new(page * PAGE_SIZE);
        extents.remove(va, pages * PAGE_SIZE, &mut |part| parts.push(part));
        parts
    }

    #[test]
    fn neighbours_that_continue_each_other_are_one() {
        let mut extents = Extents::new();
        extents.reserve(4).unwrap();
        extents.insert(extent(4, 100, 1, true));
        extents.insert(extent(5, 101, 2, true));
        assert_eq!(extents.as_slice(), [extent(4, 100, 3, true)]);
        // Another frame, and a frame of somebody else.
        extents.insert(extent(7, 200, 1, true));
        extents.insert(extent(8, 201, 1, false));
        assert_eq!(extents.as_slice().len(), 3);
        assert_eq!(extents.page_count(), 5);
    }

    #[test]
    fn a_hole_in_the_middle_leaves_both_ends_with_their_frames() {
        let mut extents = Extents::new();
        extents.reserve(1).unwrap();
        extents.insert(extent(4, 100, 5, true));
        assert_eq!(removed(&mut extents, 6, 1), [extent(6, 102, 1, true)]);
        let left = [extent(4, 100, 2, true), extent(7, 103, 2, true)];
        assert_eq!(extents.as_slice(), left);
        assert_eq!(extents.at(VirtAddr::new(6 * PAGE_SIZE)), None);
        assert_eq!(extents.at(VirtAddr::new(7 * PAGE_SIZE + 5)), Some(&left[1]));
    }

    #[test]
    fn a_range_takes_the_parts_of_all_that_it_touches() {
        let mut extents = Extents::new();
        extents.reserve(3).unwrap();
        for (page, frame) in [(0, 10), (4, 20), (8, 30)] {
            extents.insert(extent(page, frame, 3, false));
        }
        let parts = removed(&mut extents, 2, 7);
        let expected = [
            extent(2, 12, 1, false),
            extent(4, 20, 3, false),
            extent(8, 30, 1, false),
        ];
        assert_eq!(parts, expected);
        let left = [extent(0, 10, 2, false), extent(9, 31, 2, false)];
        assert_eq!(extents.as_slice(), left);
    }

    /// Beside a map from each page to its frame.
    #[test]
    fn random_changes_agree_with_a_map_of_pages() {
        let mut state = 0x5eed_u64;
        let mut below = |limit: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % limit) as usize
        };
        let mut extents = Extents::new();
        let mut model = BTreeMap::new();
        for step in 0..20_000 {
            let page = below(64);
            let pages = 1 + below(8);
            if (page..page + pages).any(|page| model.contains_key(&page)) {
                for part in removed(&mut extents, page, pages) {
                    for offset in 0..part.bytes / PAGE_SIZE {
                        let frame = model.remove(&(part.va.as_usize() / PAGE_SIZE + offset));
                        let found = (part.pa.as_usize() / PAGE_SIZE + offset, part.owned);
                        assert_eq!(frame, Some(found), "step {step}");
                    }
                }
                continue;
            }
            let (frame, owned) = (below(1000), below(2) == 0);
            extents.reserve(1).unwrap();
            extents.insert(extent(page, frame, pages, owned));
            for offset in 0..pages {
                model.insert(page + offset, (frame + offset, owned));
            }
            assert_eq!(extents.page_count(), model.len());
            for (page, (frame, owned)) in &model {
                let va = VirtAddr::new(page * PAGE_SIZE);
                let found = extents.at(va).expect("mapped");
                let offset = va.as_usize() - found.va.as_usize();
                let pa = found.pa.as_usize() + offset;
                assert_eq!((pa / PAGE_SIZE, found.owned), (*frame, *owned));
            }
        }
    }
}

//! Room: the pieces of RAM that nobody has, and which of them something fits into.
//!
//! One idea of it for all who ask: the decision about RAM, which believes no list that leaves the
//! kernel too little, and the kernel, which looks for a place for the metadata of its frames.
//!
//! # Decisions
//! The ranges in use come in any order and may overlap: it is a few dozen ranges, and no list of
//! them has to be sorted or copied for this.
#![forbid(unsafe_code)]

use crate::addr::PAGE_SIZE;
use crate::drivers::range::PhysRange;

/// Bytes of RAM in one piece beside the image, without which no list of RAM is believed: metadata
/// of frames, page tables, stacks, the heap, and something to work with. The kernel, which knows
/// their sizes, checks that it is enough.
pub const ROOM_BYTES: usize = 8 << 20;

/// The free parts of each range of `ram`, in whole frames; `ram` is whole frames itself.
pub(super) struct Pieces<'a, F> {
    ram: core::slice::Iter<'a, PhysRange>,
    /// The part of the current range that was not looked at yet.
    rest: Option<PhysRange>,
    in_use: F,
}

impl<'a, F, I> Pieces<'a, F>
where
    F: Fn() -> I,
    I: Iterator<Item = PhysRange>,
{
    /// `in_use` gives everything that somebody has; a frame that it touches is not free.
    pub(super) fn new(ram: &'a [PhysRange], in_use: F) -> Self {
        Self {
            ram: ram.iter(),
            rest: None,
            in_use,
        }
    }

    /// Bytes of the largest.
    pub(super) fn largest(self) -> usize {
        self.map(PhysRange::size).max().unwrap_or(0)
    }

    /// The first `bytes` bytes in one piece, whole frames: behind `image` if there are so many in
    /// one piece, or else below it.
    pub(super) fn place(self, bytes: usize, image: PhysRange) -> Option<PhysRange> {
        let size = bytes.checked_next_multiple_of(PAGE_SIZE)?;
        let mut below = None;
        for piece in self.filter(|piece| piece.size() >= size) {
            let place = PhysRange::new(piece.base(), size);
            if piece.base() >= image.end() {
                return place;
            }
            below = below.or(place);
        }
        below
    }
}

impl<F, I> Iterator for Pieces<'_, F>
where
    F: Fn() -> I,
    I: Iterator<Item = PhysRange>,
{
    type Item = PhysRange;

    fn next(&mut self) -> Option<PhysRange> {
        loop {
            let rest = match self.rest.take() {
                Some(rest) => rest,
                None => *self.ram.next()?,
            };
            let [below, above] = match first_in(rest, (self.in_use)()) {
                Some(hole) => rest.without(hole),
                None => [Some(rest), None],
            };
            self.rest = above;
            if below.is_some() {
                return below;
            }
        }
    }
}

/// The frames of the first range that touches `rest`, of those that begin lowest.
fn first_in(rest: PhysRange, in_use: impl Iterator<Item = PhysRange>) -> Option<PhysRange> {
    in_use
        .filter_map(|range| range.aligned_outward(PAGE_SIZE))
        .filter(|hole| hole.intersection(rest).is_some())
        .min_by_key(|hole| hole.base())
}

#[cfg(test)]
mod tests {
    use super::Pieces;
    use crate::drivers::range::{PhysRange, range};
    use std::vec::Vec;

    const FRAME: usize = 0x1000;

    fn frames(first: usize, count: usize) -> PhysRange {
        range(first * FRAME, count * FRAME)
    }

    fn pieces(ram: &[PhysRange], in_use: &[PhysRange]) -> Vec<PhysRange> {
        Pieces::new(ram, || in_use.iter().copied()).collect()
    }

    #[test]
    fn a_piece_is_what_nobody_touches_in_any_order_and_with_overlaps() {
        let ram = [frames(0, 10), frames(20, 10)];
        assert_eq!(pieces(&ram, &[]), ram);
        let in_use = [frames(25, 1), frames(4, 3), frames(5, 4), frames(0, 1)];
        let free = [frames(1, 3), frames(9, 1), frames(20, 5), frames(26, 4)];
        assert_eq!(pieces(&ram, &in_use), free);
        // A byte takes its frame; all of RAM is none.
        assert_eq!(pieces(&[frames(0, 2)], &[range(1, 1)]), [frames(1, 1)]);
        assert_eq!(pieces(&ram, &[frames(0, 30)]), []);
    }

    #[test]
    fn the_largest_piece_and_a_place_are_found_wherever_they_are() {
        let image = frames(8, 4);
        let place = |ram: &[PhysRange], count: usize| {
            let pieces = || Pieces::new(ram, || [image].into_iter());
            assert!(
                pieces().largest() >= count * FRAME
                    || pieces().place(count * FRAME, image).is_none()
            );
            pieces().place(count * FRAME, image)
        };
        // Behind the image, in the range that holds it or in another.
        assert_eq!(place(&[frames(0, 100)], 5), Some(frames(12, 5)));
        assert_eq!(
            place(&[frames(0, 14), frames(40, 9)], 5),
            Some(frames(40, 5))
        );
        // Below it, if nothing behind is large enough.
        assert_eq!(
            place(&[frames(1, 13), frames(40, 4)], 5),
            Some(frames(1, 5))
        );
        assert_eq!(place(&[frames(1, 13), frames(40, 4)], 8), None);
        // Part of a frame takes a frame.
        let ram = [frames(0, 100)];
        let pieces = Pieces::new(&ram, || [image].into_iter());
        assert_eq!(pieces.place(1, image), Some(frames(12, 1)));
    }
}

//! The lists of free blocks, one for each order: a block is split when it is taken for a smaller
//! request, and merged with its buddy when both are free.
//!
//! The buddy of the block of order k at frame f is the one at `f ^ (1 << k)`: of frame 12 those of
//! orders 0 to 2 are at 13, 14 and 8.
//!
//! 1. `take(0)`, where only a block of order 3 at frame 8 is free: it is taken off its list. Its
//!    upper halves, frame 12 (order 2), 10 (order 1) and 9 (order 0), become the first blocks of
//!    their lists, which were empty. Frame 8 is returned.
//! 2. `release(8, 0)`: frame 9 is free and of order 0, so both become a block of order 1 at 8; its
//!    buddy at 10 is free and of order 1, so order 2; then 12, so order 3. The block of order 3 is
//!    put on its list.
//!
//! # Invariants
//! * A block of order k begins at a multiple of 2^k frames and lies within the metadata.
//! * No two buddies are free, below the largest order.
//! * Every frame number on a list is below the metadata's length: an index of the slice panics
//!   otherwise.
#![forbid(unsafe_code)]

use core::ops::Range;

use super::Order;
use super::state::{BlockKind, FrameState, NIL};

/// A block: where it begins and what it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) order: Order,
    pub(super) kind: BlockKind,
}

impl Block {
    /// The frame behind it.
    pub(super) const fn end(self) -> usize {
        self.first + self.order.frames()
    }
}

/// All frames' metadata, and the lists of free blocks in it.
#[derive(Debug)]
pub(super) struct Buddies<'memory> {
    pub(super) states: &'memory mut [FrameState],
    /// The first block of each list that is not empty.
    lists: [u32; Order::COUNT],
    /// Bit k: the list of order k is not empty.
    filled: usize,
    /// The lengths of the lists as differences: entry k is the length of list k less that of list
    /// k - 1. Lengths 2, 0, 1 are 2, -2, 1, -1.
    ///
    /// A split changes the lengths of all lists from one order to another, but three differences at
    /// most: lengths 0, 0, 0, 1 become 1, 1, 1, 0, and the differences 0, 0, 0, 1, -1 become 1, 0,
    /// 0, -1, 0.
    steps: [i32; Order::COUNT + 1],
    /// Blocks that were halved.
    pub(super) splits: u64,
    /// Pairs that became one block.
    pub(super) merges: u64,
}

impl<'memory> Buddies<'memory> {
    /// No block, over metadata that is all zero.
    pub(super) const fn new(states: &'memory mut [FrameState]) -> Self {
        Self {
            states,
            lists: [0; Order::COUNT],
            filled: 0,
            steps: [0; Order::COUNT + 1],
            splits: 0,
            merges: 0,
        }
    }

    /// Frames in the blocks on the lists.
    pub(super) fn frames(&self) -> usize {
        Order::all()
            .map(|order| self.len(order) << order.index())
            .sum()
    }

    /// The length of the list of `order`.
    pub(super) fn len(&self, order: Order) -> usize {
        let steps = &self.steps[..=order.index()];
        // Wraps if the counts were overwritten from outside, which a check has to survive.
        steps
            .iter()
            .fold(0, |sum: i32, step| sum.wrapping_add(*step)) as usize
    }

    /// The first block on the list of `order`, or [`NIL`].
    pub(super) const fn first(&self, order: usize) -> u32 {
        match self.filled >> order & 1 {
            0 => NIL,
            _ => self.lists[order],
        }
    }

    /// The block that `frame` is in: free, cached or in use. `None` for a frame that was never
    /// added, or is reserved.
    pub(super) fn block_of(&self, frame: usize) -> Option<Block> {
        Order::all().find_map(|order| {
            let first = frame & !(order.frames() - 1);
            let (kind, order) = self.states.get(first)?.block()?;
            let block = Block { first, order, kind };
            (frame < block.end()).then_some(block)
        })
    }

    /// Takes a block of `order` off the lists, or splits the smallest larger one. Returns its first
    /// frame, whose state the caller writes.
    #[inline]
    pub(super) fn take(&mut self, order: usize) -> Option<usize> {
        let states = &mut *self.states;
        let above = match self.filled >> order {
            0 => return None,
            filled => filled.trailing_zeros() as usize,
        };
        let (list, lists) = self
            .lists
            .get_mut(order..=order + above)?
            .split_last_mut()?;
        let frame = *list as usize;
        let next = states[frame].next();
        let mut half = 1 << (order + above);
        match states.get_mut(next as usize) {
            Some(second) => {
                second.set_previous(NIL);
                *list = next;
            }
            None => self.filled ^= half,
        }
        // The lists from `order` up to the one found were empty, and get one block each.
        self.filled |= half - (1 << order);
        let mut only_free = FrameState::only_free(order + above);
        for list in lists.iter_mut().rev() {
            half >>= 1;
            only_free = only_free.smaller();
            states[frame + half] = only_free;
            *list = (frame + half) as u32;
        }
        self.splits += above as u64;
        self.steps[order] += 1;
        let [own, next_larger] = &mut self.steps[order + above..][..2] else {
            unreachable!("two differences from order {}", order + above);
        };
        *own -= 2;
        *next_larger += 1;
        Some(frame)
    }

    /// Frees the block of `order` at `frame`: merged with its buddy, as long as that is free and of
    /// the merged block's order.
    #[inline(never)]
    pub(super) fn release(&mut self, frame: usize, order: usize) {
        self.release_inline(frame, order);
    }

    /// The body of [`release`](Self::release), inlined where the order is a constant: single frames
    /// are freed in the fewest instructions.
    #[inline(always)]
    pub(super) fn release_inline(&mut self, frame: usize, order: usize) {
        self.states[frame] = FrameState::NONE;
        let (mut first, mut half) = (frame, 1 << order);
        let mut only_free = FrameState::only_free(order);
        // The usual case: memory was split for this block, and each buddy is the only block on its
        // list. One comparison tells that it is free, of this order, and without links to mend.
        while half < Order::MAX.frames() {
            match self.states.get_mut(first ^ half) {
                Some(state) if *state == only_free => *state = FrameState::NONE,
                _ => break,
            }
            first &= !half;
            half <<= 1;
            only_free = only_free.larger();
        }
        let mut filled = self.filled & !(half - (1 << order));
        while half < Order::MAX.frames() {
            let list = half.trailing_zeros() as usize;
            match self.states.get_mut(first ^ half) {
                Some(state) if state.is_free(list) => {
                    let gone = core::mem::take(state);
                    if self.unlink(gone, list) {
                        filled &= !half;
                    }
                }
                _ => break,
            }
            first &= !half;
            half <<= 1;
        }
        let merged = half.trailing_zeros() as usize;
        self.merges += (merged - order) as u64;
        self.steps[order] -= 1;
        let [own, next_larger] = &mut self.steps[merged..][..2] else {
            unreachable!("two differences from order {merged}");
        };
        *own += 2;
        *next_larger -= 1;
        let next = match filled & half {
            0 => NIL,
            _ => self.lists[merged],
        };
        self.filled = filled | half;
        self.lists[merged] = first as u32;
        self.states[first] = FrameState::first_free(merged, next);
        if let Some(next) = self.states.get_mut(next as usize) {
            next.set_previous(first as u32);
        }
    }

    /// Frees `frames`, which no block has, in the largest blocks that fit: 5..16 as 5, 6..8 and
    /// 8..16.
    pub(super) fn release_range(&mut self, frames: Range<usize>) {
        let mut first = frames.start;
        while first < frames.end {
            let fits = (frames.end - first).ilog2();
            let order = first.trailing_zeros().min(fits) as usize;
            let order = order.min(Order::MAX.index());
            self.release(first, order);
            first += 1 << order;
        }
    }

    /// Removes the frames `part` of a free block for good; the rest of the block stays free.
    pub(super) fn carve(&mut self, block: Block, part: Range<usize>) {
        let gone = core::mem::take(&mut self.states[block.first]);
        let order = block.order.index();
        if self.unlink(gone, order) {
            self.filled &= !(1 << order);
        }
        self.steps[order] -= 1;
        self.steps[order + 1] += 1;
        self.release_range(block.first..part.start);
        self.release_range(part.end..block.end());
    }

    /// Takes the block whose state was `gone` off its list. Returns whether the list is empty now;
    /// the caller updates `filled` and `steps`.
    #[inline]
    fn unlink(&mut self, gone: FrameState, order: usize) -> bool {
        let is_first = match self.states.get_mut(gone.previous() as usize) {
            Some(previous) => {
                previous.set_next(gone.next());
                false
            }
            None => {
                self.lists[order] = gone.next();
                true
            }
        };
        match self.states.get_mut(gone.next() as usize) {
            Some(next) => {
                next.set_previous(gone.previous());
                false
            }
            None => is_first,
        }
    }
}

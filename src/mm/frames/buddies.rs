//! The free blocks: one list for each order, split and merged.
//!
//! # Invariants
//! A block of order k begins at a multiple of 2^k frames and lies within the metadata. Two free
//! blocks whose union would be a block (buddies) are one block. Every index that a list holds is
//! below the metadata's length; a violation is a panic of the slice.
#![forbid(unsafe_code)]

use core::ops::Range;

use super::Order;
use super::state::{FrameState, Kind, NIL};

/// A block: where it begins and what it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) order: Order,
    pub(super) kind: Kind,
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
    /// How many blocks a list has more than the one of the next smaller order. Splitting and
    /// merging change the lengths of neighbouring lists by one; so two numbers change here.
    rises: [i32; Order::COUNT + 1],
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
            rises: [0; Order::COUNT + 1],
            splits: 0,
            merges: 0,
        }
    }

    /// Free frames on the lists.
    pub(super) fn frames(&self) -> usize {
        Order::all()
            .map(|order| self.len(order) << order.index())
            .sum()
    }

    /// Free blocks of that order.
    pub(super) fn len(&self, order: Order) -> usize {
        let rises = &self.rises[..=order.index()];
        // Wraps where the counts were written over, which a check has to survive.
        rises
            .iter()
            .fold(0, |sum: i32, rise| sum.wrapping_add(*rise)) as usize
    }

    /// The first free block of that order, or [`NIL`].
    pub(super) const fn first(&self, order: usize) -> u32 {
        match self.filled >> order & 1 {
            0 => NIL,
            _ => self.lists[order],
        }
    }

    /// The block that has `frame`.
    pub(super) fn block_of(&self, frame: usize) -> Option<Block> {
        Order::all().find_map(|order| {
            let first = frame & !(order.frames() - 1);
            let (kind, order) = self.states.get(first)?.block()?;
            let block = Block { first, order, kind };
            (frame < block.end()).then_some(block)
        })
    }

    /// Takes a block off the lists, out of the smallest that has it. Its state is the caller's to
    /// write.
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
        // No list below the one found has a block.
        self.filled |= half - (1 << order);
        let mut alone = FrameState::alone(order + above);
        for list in lists.iter_mut().rev() {
            half >>= 1;
            alone = alone.smaller();
            states[frame + half] = alone;
            *list = (frame + half) as u32;
        }
        self.splits += above as u64;
        self.rises[order] += 1;
        self.rises[order + above] -= 2;
        self.rises[order + above + 1] += 1;
        Some(frame)
    }

    /// Makes a block free, merged with its buddy as often as that is free too.
    #[inline(never)]
    pub(super) fn release(&mut self, frame: usize, order: usize) {
        self.release_inline(frame, order);
    }

    /// The same, where the order is known at compile time.
    #[inline(always)]
    pub(super) fn release_inline(&mut self, frame: usize, order: usize) {
        self.states[frame] = FrameState::NONE;
        let (mut first, mut half) = (frame, 1 << order);
        let mut alone = FrameState::alone(order);
        // The usual case when memory was split for this block alone: each buddy is alone on its
        // list.
        for _ in order..Order::MAX.index() {
            match self.states.get_mut(first ^ half) {
                Some(state) if *state == alone => *state = FrameState::NONE,
                _ => break,
            }
            first &= !half;
            half <<= 1;
            alone = alone.larger();
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
        self.rises[order] -= 1;
        self.rises[merged] += 2;
        self.rises[merged + 1] -= 1;
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

    /// Makes frames free that no block has, in the largest blocks that fit.
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

    /// Takes the frames `part` of a free block out for good; the rest of it stays free.
    pub(super) fn carve(&mut self, block: Block, part: Range<usize>) {
        let gone = core::mem::take(&mut self.states[block.first]);
        let order = block.order.index();
        if self.unlink(gone, order) {
            self.filled &= !(1 << order);
        }
        self.rises[order] -= 1;
        self.rises[order + 1] += 1;
        self.release_range(block.first..part.start);
        self.release_range(part.end..block.end());
    }

    /// Takes a block that had the state `gone` off its list. Returns whether the list is empty now;
    /// to write that down, and the length, is the caller's.
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

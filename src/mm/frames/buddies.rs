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
    /// The first block of each list, or [`NIL`].
    pub(super) lists: [u32; Order::COUNT],
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
    pub(super) fn new(states: &'memory mut [FrameState]) -> Self {
        Self {
            states,
            lists: [NIL; Order::COUNT],
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
        rises.iter().sum::<i32>() as usize
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
        let lists = self.lists.get_mut(order..)?;
        let above = lists.iter().position(|first| *first != NIL)?;
        let frame = lists[above] as usize;
        let next = states[frame].next();
        lists[above] = next;
        if let Some(next) = states.get_mut(next as usize) {
            next.set_previous(NIL);
        }
        // No list below the one found has a block.
        let mut half = 1 << (order + above);
        let mut alone = FrameState::alone(order + above);
        for list in lists[..above].iter_mut().rev() {
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
    #[inline]
    pub(super) fn release(&mut self, frame: usize, order: usize) {
        self.states[frame] = FrameState::NONE;
        let (mut first, mut merged) = (frame, order);
        let mut alone = FrameState::alone(order);
        while merged < Order::MAX.index() {
            let buddy = first ^ (1 << merged);
            match self.states.get_mut(buddy) {
                // The usual case when memory was split for this block alone.
                Some(state) if *state == alone => {
                    *state = FrameState::NONE;
                    self.lists[merged] = NIL;
                }
                Some(state) if state.is_free(merged) => {
                    let gone = core::mem::take(state);
                    self.unlink(gone, merged);
                }
                _ => break,
            }
            first &= buddy;
            merged += 1;
            alone = alone.larger();
        }
        self.merges += (merged - order) as u64;
        self.rises[order] -= 1;
        self.rises[merged] += 2;
        self.rises[merged + 1] -= 1;
        let next = core::mem::replace(&mut self.lists[merged], first as u32);
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
        self.unlink(gone, order);
        self.rises[order] -= 1;
        self.rises[order + 1] += 1;
        self.release_range(block.first..part.start);
        self.release_range(part.end..block.end());
    }

    /// Takes a block that had the state `gone` off its list. The length is the caller's to change.
    #[inline]
    fn unlink(&mut self, gone: FrameState, order: usize) {
        match self.states.get_mut(gone.previous() as usize) {
            Some(previous) => previous.set_next(gone.next()),
            None => self.lists[order] = gone.next(),
        }
        if let Some(next) = self.states.get_mut(gone.next() as usize) {
            next.set_previous(gone.previous());
        }
    }
}

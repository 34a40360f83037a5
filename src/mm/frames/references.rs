//! Single frames with several owners, frames at a given address, rows of blocks, and blocks that
//! become single frames.
//!
//! An address space is cloned: both map frame 0x1f2000.
//!
//! 1. [`share`](FrameAllocator::share) of the frame: two references. Linux: `get_page`.
//! 2. One space is dropped, and [frees](FrameAllocator::free) it: one reference, and nothing else
//!    happens. Linux: `put_page`.
//! 3. The other frees it: now it is free.
//!
//! The fast path of freeing knows frames with one reference alone: the others come to the slow one.
#![forbid(unsafe_code)]

use super::buddies::Block;
use super::state::{BlockKind, FrameState};
use super::{FrameAllocator, FrameError, Order, address, frame_number};
use crate::addr::PhysAddr;

impl FrameAllocator<'_> {
    /// One more reference to the single frame at `pa`, which is in use: it is free when it was
    /// [freed](Self::free) once for each.
    ///
    /// # Errors
    /// [`FrameError`], with nothing changed: the frame is free, foreign, or part of a larger block.
    pub fn share(&mut self, pa: PhysAddr) -> Result<(), FrameError> {
        let state = self.buddies.states.get_mut(frame_number(pa));
        let single = state.filter(|state| state.references().is_some());
        if let Some(state) = single
            && let Some(shared) = state.with_one_more()
        {
            *state = shared;
            return Ok(());
        }
        self.refuse(pa, Order::FRAME)
    }

    /// Takes one of several references to the single frame at `pa` back.
    #[cold]
    #[inline(never)]
    pub(super) fn free_shared(&mut self, pa: PhysAddr) -> Result<(), FrameError> {
        match self.buddies.states.get_mut(frame_number(pa)) {
            Some(state) if state.references().is_some() => {
                *state = state.with_one_less();
                Ok(())
            }
            _ => self.refuse(pa, Order::FRAME),
        }
    }

    /// The references to the single frame at `pa`; `None` if it is not one in use.
    #[must_use]
    pub fn references(&self, pa: PhysAddr) -> Option<u32> {
        self.buddies.states.get(frame_number(pa))?.references()
    }

    /// The frame at `pa`, if it is free; its contents are unknown. Returns whether it was. Linux:
    /// `alloc_contig_range` of one page.
    pub fn allocate_at(&mut self, pa: PhysAddr) -> bool {
        let frame = frame_number(pa);
        let is_free = |block: &Block| block.kind != BlockKind::Allocated;
        if self
            .buddies
            .block_of(frame)
            .is_none_or(|block| !is_free(&block))
        {
            return false;
        }
        // A cached frame goes to the lists, and what is free there is merged.
        self.drain_cache();
        let Some(block) = self.buddies.block_of(frame) else {
            return false;
        };
        self.buddies.carve(block, frame..frame + 1);
        self.buddies.states[frame] = FrameState::allocated(Order::FRAME);
        self.cache.refill();
        true
    }

    /// `count` blocks of [`Order::MAX`] in a row, at a multiple of their size all together: 16 of
    /// them are 32 MiB at 0x200_0000 or 0x400_0000. `count` is a power of two. Each block is freed by
    /// itself; their contents are unknown. Looks at each multiple of that size, and takes the first
    /// where all blocks are free. Linux: `alloc_contig_pages`.
    pub fn allocate_row(&mut self, count: usize) -> Option<PhysAddr> {
        // Cached frames go to the lists, where they are merged.
        self.drain_cache();
        let frames = count.checked_mul(Order::MAX.frames())?;
        let mut rows = (0..self.hull.end).step_by(frames);
        let row = rows.find(|row| self.is_free_row(*row, frames))?;
        for first in (row..row + frames).step_by(Order::MAX.frames()) {
            let block = Block {
                first,
                order: Order::MAX,
                kind: BlockKind::Free,
            };
            self.buddies.carve(block, first..block.end());
            self.buddies.states[first] = FrameState::allocated(Order::MAX);
        }
        self.larger[Order::MAX.index()].in_use += count;
        self.cache.block_taken(frames);
        Some(address(row))
    }

    /// Whether the `frames` frames from `row` on are free blocks of the largest order.
    fn is_free_row(&self, row: usize, frames: usize) -> bool {
        let mut blocks = (row..row + frames).step_by(Order::MAX.frames());
        blocks.all(|first| {
            let state = self.buddies.states.get(first);
            state.is_some_and(|state| state.is_free(Order::MAX.index()))
        })
    }

    /// Makes single frames in use of the block of `order` at `pa`, which is in use: each is freed
    /// by itself. Linux: `split_page`.
    ///
    /// # Errors
    /// [`FrameError`], with nothing changed: no block of that order is in use there.
    pub fn split_block(&mut self, pa: PhysAddr, order: Order) -> Result<(), FrameError> {
        let first = frame_number(pa);
        if self.buddies.states.get(first) != Some(&FrameState::allocated(order)) {
            return self.refuse(pa, order);
        }
        if order == Order::FRAME {
            return Ok(());
        }
        let block = Block {
            first,
            order,
            kind: BlockKind::Allocated,
        };
        self.drain_cache();
        self.buddies.states[first..block.end()].fill(FrameState::allocated(Order::FRAME));
        let larger = &mut self.larger[order.index()];
        larger.in_use -= 1;
        larger.frees += 1;
        self.cache.block_split(order.frames());
        Ok(())
    }
}

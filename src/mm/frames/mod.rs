//! Physical frames: which are free, in blocks of 4 KiB to 2 MiB.
//!
//! A buddy allocator. A block of order k is 2^k frames at a multiple of its size; one that is free
//! is split in halves as long as that is needed, and merged with its other half (its buddy) as
//! soon as both are free. Single frames that are freed stay aside first, a few of them, and go out
//! again in the reverse order. Frame numbers count from physical 0. Pure: knows neither where RAM
//! is nor who reserved what.
//!
//! | cost | allocate | free |
//! |---|---|---|
//! | a frame freed lately | constant | constant |
//! | any other block | one step for each order | one step for each order |
//!
//! Only a request that no free block can serve costs more: the frames put aside are merged first.
//!
//! # Decisions
//! Lists and states are in metadata that the caller gives, one word a frame, and nothing is in the
//! frames: they need not be mapped, a stray write into a free one hurts nobody here, and what is
//! freed twice, in part or by a stranger is seen.
#![forbid(unsafe_code)]

mod buddies;
mod check;
mod error;
mod hot;
mod order;
mod state;
mod statistics;
mod violation;

#[cfg(test)]
mod tests;

use core::ops::Range;

pub use check::{Check, Checked};
pub use error::FrameError;
pub use order::Order;
pub use state::FrameState;
pub use statistics::{Fragmentation, FrameCount, OrderStatistics, Statistics};
pub use violation::{Counted, Violation};

use buddies::{Block, Buddies};
use hot::Hot;
use state::{Kind, NIL};

use crate::addr::{PAGE_SIZE, PhysAddr};

/// The free frames below a limit.
#[derive(Debug)]
pub struct FrameAllocator<'memory> {
    buddies: Buddies<'memory>,
    hot: Hot,
    /// Of the orders above 0.
    larger: [Larger; Order::COUNT],
    /// Frames that can be free at all.
    usable: usize,
    /// No frame outside was ever added.
    hull: Range<usize>,
}

/// What became of the blocks of one order.
#[derive(Clone, Copy, Debug)]
struct Larger {
    in_use: usize,
    frees: u64,
}

impl<'memory> FrameAllocator<'memory> {
    /// Entries of metadata for `bytes` of address space.
    #[must_use]
    pub const fn metadata_for(bytes: usize) -> usize {
        bytes.div_ceil(PAGE_SIZE)
    }

    /// An allocator without a frame. The metadata must be all zero ([`FrameState::default`]): it
    /// is large, and is not written here. What lies past 64 GiB of address space is not used.
    #[must_use]
    pub fn new(metadata: &'memory mut [FrameState]) -> Self {
        let covered = metadata.len().min(NIL as usize);
        let metadata = &mut metadata[..covered];
        debug_assert!(
            metadata.iter().all(|state| *state == FrameState::NONE),
            "the metadata is not all zero"
        );
        Self {
            hull: covered..0,
            buddies: Buddies::new(metadata),
            ..Self::empty()
        }
    }

    /// An allocator that never has a frame, to begin with.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            hull: 0..0,
            buddies: Buddies::new(&mut []),
            hot: Hot::new(),
            larger: [Larger {
                in_use: 0,
                frees: 0,
            }; Order::COUNT],
            usable: 0,
        }
    }

    /// Adds the whole frames of `[start, end)` that the metadata covers. Returns how many were new.
    ///
    /// Costs a step for each block, and a look at each frame only where frames were added before.
    pub fn add(&mut self, start: PhysAddr, end: PhysAddr) -> usize {
        let past = (end.as_usize() / PAGE_SIZE).min(self.buddies.states.len());
        let mut next = start.as_usize().div_ceil(PAGE_SIZE);
        let mut added = 0;
        while let Some(gap) = self.gap(next, past) {
            next = gap.end;
            added += gap.len();
            self.hull.start = self.hull.start.min(gap.start);
            self.hull.end = self.hull.end.max(gap.end);
            self.buddies.release_range(gap);
        }
        self.usable += added;
        added
    }

    /// Takes every free frame that `[start, end)` touches out for good. Returns how many those are.
    ///
    /// Frames that are allocated stay with their users, and come back when they are freed.
    pub fn reserve(&mut self, start: PhysAddr, end: PhysAddr) -> usize {
        if start >= end {
            return 0;
        }
        self.release_hot();
        let past = end.as_usize().div_ceil(PAGE_SIZE).min(self.hull.end);
        let mut next = start.as_usize() / PAGE_SIZE;
        let mut taken = 0;
        while next < past {
            let Some(block) = self.buddies.block_of(next) else {
                next = self.unowned_until(next, past);
                continue;
            };
            let part = next..block.end().min(past);
            next = block.end();
            if block.kind == Kind::Free {
                taken += part.len();
                self.buddies.carve(block, part);
            }
        }
        self.usable -= taken;
        taken
    }

    /// One free frame, the last one freed if it can be; its contents are unknown.
    #[inline]
    pub fn allocate(&mut self) -> Option<PhysAddr> {
        self.allocate_hot().or_else(|| self.allocate_cold())
    }

    /// One free frame, if that is a few steps: [`allocate`](Self::allocate) may have one when this
    /// has none. Calls nothing.
    #[inline(always)]
    pub fn allocate_hot(&mut self) -> Option<PhysAddr> {
        let (frame, is_hot) = self.hot.top();
        // One branch for both: the other is never taken.
        if !is_hot | (frame >= self.buddies.states.len()) {
            return None;
        }
        self.buddies.states[frame] = FrameState::allocated(Order::FRAME);
        self.hot.pop();
        Some(address(frame))
    }

    /// One free block; its contents are unknown. Its address is a multiple of its size.
    pub fn allocate_block(&mut self, order: Order) -> Option<PhysAddr> {
        if order == Order::FRAME {
            return self.allocate();
        }
        let index = order.index();
        let frame = match self.buddies.take(index) {
            Some(frame) => frame,
            None => {
                self.release_hot();
                self.buddies.take(index)?
            }
        };
        self.buddies.states[frame] = FrameState::allocated(order);
        self.larger[index].in_use += 1;
        self.hot.block_taken(order.frames());
        Some(address(frame))
    }

    /// Takes a single frame back.
    ///
    /// # Errors
    /// [`FrameError`], with nothing changed: the frame is free, foreign, or part of a larger block.
    #[inline]
    pub fn free(&mut self, pa: PhysAddr) -> Result<(), FrameError> {
        if self.free_hot(pa) {
            return Ok(());
        }
        self.free_cold(pa)
    }

    /// What [`free`](Self::free) does where [`free_hot`](Self::free_hot) has done nothing.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn free_cold(&mut self, pa: PhysAddr) -> Result<(), FrameError> {
        let frame = frame_number(pa);
        match self.buddies.states.get_mut(frame) {
            Some(state) if *state == FrameState::allocated(Order::FRAME) => {
                *state = FrameState::HOT;
            }
            _ => return self.refuse(pa, Order::FRAME),
        }
        let oldest = self.hot.exchange(frame);
        self.buddies.release_inline(oldest, Order::FRAME.index());
        Ok(())
    }

    /// Takes a single frame back, if that is a few steps; [`free`](Self::free) says what there is
    /// to do when it is not, with nothing changed yet. Calls nothing.
    #[inline(always)]
    pub fn free_hot(&mut self, pa: PhysAddr) -> bool {
        let frame = frame_number(pa);
        match self.buddies.states.get_mut(frame) {
            Some(state)
                if (*state == FrameState::allocated(Order::FRAME)) & self.hot.has_room() =>
            {
                *state = FrameState::HOT;
                self.hot.push(frame);
                true
            }
            _ => false,
        }
    }

    /// Takes a block back; `order` is that with which it was allocated.
    ///
    /// # Errors
    /// [`FrameError`], with nothing changed: the block is free, foreign, of another order, or only
    /// a part of one.
    pub fn free_block(&mut self, pa: PhysAddr, order: Order) -> Result<(), FrameError> {
        if order == Order::FRAME {
            return self.free(pa);
        }
        let frame = frame_number(pa);
        if self.buddies.states.get(frame) != Some(&FrameState::allocated(order)) {
            return self.refuse(pa, order);
        }
        let index = order.index();
        self.buddies.release(frame, index);
        self.larger[index].in_use -= 1;
        self.larger[index].frees += 1;
        self.hot.block_returned(order.frames());
        Ok(())
    }

    /// How many frames there are.
    #[must_use]
    pub fn count(&self) -> FrameCount {
        FrameCount {
            usable: self.usable,
            free: self.buddies.frames() + self.hot.len(),
        }
    }

    /// Whether the frame at `pa` is one of these: free, or with a user. A reserved one is not.
    #[must_use]
    pub fn has(&self, pa: PhysAddr) -> bool {
        self.buddies.block_of(frame_number(pa)).is_some()
    }

    /// Whether `pa` is a single frame that is in use.
    #[must_use]
    pub fn is_single(&self, pa: PhysAddr) -> bool {
        let state = self.buddies.states.get(frame_number(pa));
        state == Some(&FrameState::allocated(Order::FRAME))
    }

    /// The first block, free or in use, that begins among the `looks` frames from `from` on; an
    /// empty range behind them if none does. `None` when there are no more.
    #[must_use]
    pub fn next_block(&self, from: PhysAddr, looks: usize) -> Option<Range<PhysAddr>> {
        let first = from.as_usize().div_ceil(PAGE_SIZE).max(self.hull.start);
        let past = first.saturating_add(looks).min(self.hull.end);
        if first >= past {
            return None;
        }
        let looked_at = first..past;
        let block = looked_at.into_iter().find_map(|first| {
            let (_, order) = self.buddies.states.get(first)?.block()?;
            Some(first..first + order.frames())
        });
        let block = block.unwrap_or(past..past);
        Some(address(block.start)..address(block.end))
    }

    /// Where the states of the frames are, for people who look at them.
    #[must_use]
    pub const fn states(&self) -> (*const FrameState, usize) {
        (self.buddies.states.as_ptr(), self.buddies.states.len())
    }

    /// What [`allocate`](Self::allocate) does where [`allocate_hot`](Self::allocate_hot) has no
    /// frame: none is hot, or it makes a new peak.
    #[inline(always)]
    pub fn allocate_cold(&mut self) -> Option<PhysAddr> {
        let frame = match self.hot.pop_to_new_peak() {
            Some(frame) => frame,
            None => {
                let frame = self.buddies.take(Order::FRAME.index())?;
                self.hot.draw();
                frame
            }
        };
        self.buddies.states[frame] = FrameState::allocated(Order::FRAME);
        Some(address(frame))
    }

    /// Puts the hot frames back on the lists.
    fn release_hot(&mut self) {
        while let Some(frame) = self.hot.pop_oldest() {
            self.buddies.release(frame, Order::FRAME.index());
        }
    }

    /// Why no block of `order` that begins at `pa` can be freed.
    #[cold]
    #[inline(never)]
    fn refuse(&self, pa: PhysAddr, order: Order) -> Result<(), FrameError> {
        let frame = frame_number(pa);
        Err(match self.buddies.block_of(frame) {
            None => FrameError::Foreign { pa },
            Some(Block {
                kind: Kind::Free | Kind::Hot,
                ..
            }) => FrameError::DoubleFree { pa },
            Some(block) if block.first == frame => FrameError::WrongOrder {
                pa,
                allocated: block.order,
                freed: order,
            },
            Some(block) => FrameError::Inside {
                pa,
                block: address(block.first),
                order: block.order,
            },
        })
    }

    /// The first run of frames from `next` on, below `past`, that were never added or are reserved.
    fn gap(&self, mut next: usize, past: usize) -> Option<Range<usize>> {
        while next < past {
            match self.buddies.block_of(next) {
                Some(block) => next = block.end(),
                None => return Some(next..self.unowned_until(next, past)),
            }
        }
        None
    }

    /// Where the run of frames without a block that begins at `next` ends, at `past` at the latest.
    fn unowned_until(&self, next: usize, past: usize) -> usize {
        // Behind a frame without a block the next block begins with a state.
        let looked_at = next.max(self.hull.start)..past.min(self.hull.end);
        let skipped = looked_at.start;
        self.buddies
            .states
            .get(looked_at)
            .and_then(|states| states.iter().position(|state| *state != FrameState::NONE))
            .map_or(past, |distance| skipped + distance)
    }
}

/// The number of the frame at `pa`: past every frame's unless `pa` is a multiple of the size.
const fn frame_number(pa: PhysAddr) -> usize {
    pa.as_usize().rotate_right(PAGE_SIZE.trailing_zeros())
}

/// Where a frame is.
const fn address(frame: usize) -> PhysAddr {
    PhysAddr::new(frame * PAGE_SIZE)
}

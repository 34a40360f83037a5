//! The allocator of physical frames: a buddy allocator of blocks of 4 KiB to 2 MiB, and a cache of
//! single frames in front of it.
//!
//! A block of order k is 2^k frames at a multiple of its size, and its buddy is the other half of
//! the block of order k + 1 that both are in. Frame numbers count from physical 0: frame 12 is
//! at 0xc000. Pure: knows neither where RAM is nor who reserved what.
//!
//! 1. [`add`](FrameAllocator::add) of frames 0 to 15 makes one free block, of order 4.
//! 2. A first [`allocate`](FrameAllocator::allocate) finds no smaller block and splits this one:
//!    frame 0 goes into use, and an upper half of each order goes to its list.
//!
//!    ```text
//!     frame  0     1   2       4               8                             16
//!            +-----+---+-------+---------------+------------------------------+
//!            | use | 0 |   1   |       2       |              3               |  order
//!            +-----+---+-------+---------------+------------------------------+
//!     lists: order 0 -> frame 1, order 1 -> 2, order 2 -> 4, order 3 -> 8
//!    ```
//!
//! 3. [`free`](FrameAllocator::free) of frame 0 puts it into the cache (`frame_cache.rs`), and the
//!    next allocation takes it out again. Nothing is merged.
//! 4. A frame that the cache has no room for goes to the buddy lists (`buddies.rs`): with frame 1,
//!    then with the blocks at 2, 4 and 8 it becomes the block of order 4 again.
//! 5. A request for a larger block that finds none empties the cache to the lists, where its frames
//!    are merged, and is tried again.
//!
//! | cost | allocate | free |
//! |---|---|---|
//! | a single frame through the cache | constant | constant |
//! | any other block | one step for each order | one step for each order |
//! | [blocks in a row](FrameAllocator::allocate_row) | a look at each multiple of their size | as each |
//!
//! Step 5, which a row begins with as well, costs more: at most 16 frames are merged.
//!
//! # Decisions
//! Lists and states are in metadata that the caller gives, a word of 64 bits for each frame, and
//! nothing is in the frames: they need not be mapped, a stray write into a free one harms no list,
//! and a block that is freed twice, in part or at a foreign address is seen.
#![forbid(unsafe_code)]

mod buddies;
mod check;
mod error;
mod frame_cache;
mod order;
mod references;
mod state;
mod statistics;
mod violation;

#[cfg(test)]
mod tests;

use core::ops::Range;

pub use check::{Check, CheckedFrames};
pub use error::FrameError;
pub use order::Order;
pub use state::FrameState;
pub use statistics::{Fragmentation, FrameCount, OrderStatistics, Statistics};
pub use violation::{Counted, FrameViolation};

use buddies::{Block, Buddies};
use frame_cache::FrameCache;
use state::{BlockKind, NIL};

use crate::addr::{PAGE_SIZE, PhysAddr};

/// The free frames below a limit.
#[derive(Debug)]
pub struct FrameAllocator<'memory> {
    buddies: Buddies<'memory>,
    cache: FrameCache,
    /// By order; entry 0 is unused, for `cache` counts single frames.
    larger: [Larger; Order::COUNT],
    /// Frames that were added and not reserved: free, cached or in use.
    usable: usize,
    /// From the first frame ever added to the one behind the last.
    hull: Range<usize>,
}

/// Counts of the blocks of one order above 0.
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

    /// An allocator without metadata: it never has a frame. A static begins with it.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            hull: 0..0,
            buddies: Buddies::new(&mut []),
            cache: FrameCache::new(),
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
        self.drain_cache();
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
            if block.kind == BlockKind::Free {
                taken += part.len();
                self.buddies.carve(block, part);
            }
        }
        self.usable -= taken;
        taken
    }

    /// One free frame, the last one freed if it can be; its contents are unknown.
    // Inline, with a call where it is slow: page tables ask for a frame in the middle of a walk.
    #[inline(always)]
    pub fn allocate(&mut self) -> Option<PhysAddr> {
        self.allocate_cached().or_else(|| self.allocate_slow())
    }

    /// The fast path of [`allocate`](Self::allocate): a cached frame. `None` if none is cached or
    /// if it makes a new peak. Calls no function.
    #[inline(always)]
    fn allocate_cached(&mut self) -> Option<PhysAddr> {
        let (frame, is_cached) = self.cache.top();
        // One branch for both conditions: the second is false unless the slot was overwritten.
        if !is_cached | (frame >= self.buddies.states.len()) {
            return None;
        }
        self.buddies.states[frame] = FrameState::allocated(Order::FRAME);
        self.cache.pop();
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
                self.drain_cache();
                self.buddies.take(index)?
            }
        };
        self.buddies.states[frame] = FrameState::allocated(order);
        self.larger[index].in_use += 1;
        self.cache.block_taken(order.frames());
        Some(address(frame))
    }

    /// Takes a single frame back; of one that is [shared](Self::share), one reference.
    ///
    /// # Errors
    /// [`FrameError`], with nothing changed: the frame is free, foreign, or part of a larger block.
    // Inline: as `allocate`.
    #[inline(always)]
    pub fn free(&mut self, pa: PhysAddr) -> Result<(), FrameError> {
        if self.free_to_cache(pa) {
            return Ok(());
        }
        self.free_slow(pa)
    }

    /// The slow path of [`free`](Self::free), after [`free_to_cache`](Self::free_to_cache) has
    /// returned `false`: the cache is full, or `pa` cannot be freed.
    ///
    /// # Errors
    /// The errors of [`free`](Self::free).
    // Not inline: see `allocate`.
    #[cold]
    #[inline(never)]
    fn free_slow(&mut self, pa: PhysAddr) -> Result<(), FrameError> {
        let frame = frame_number(pa);
        match self.buddies.states.get_mut(frame) {
            Some(state) if *state == FrameState::allocated(Order::FRAME) => {
                *state = FrameState::CACHED;
            }
            _ => return self.free_shared(pa),
        }
        let oldest = self.cache.replace_oldest(frame);
        self.buddies.release_inline(oldest, Order::FRAME.index());
        Ok(())
    }

    /// The fast path of [`free`](Self::free): caches the frame. Returns `false`, with nothing
    /// changed, if the cache is full or `pa` is no single frame in use. Calls no function.
    #[inline(always)]
    fn free_to_cache(&mut self, pa: PhysAddr) -> bool {
        let frame = frame_number(pa);
        match self.buddies.states.get_mut(frame) {
            Some(state)
                if (*state == FrameState::allocated(Order::FRAME)) & self.cache.has_room() =>
            {
                *state = FrameState::CACHED;
                self.cache.push(frame);
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
        self.cache.block_returned(order.frames());
        Ok(())
    }

    /// The numbers of usable and of free frames; cached ones are free.
    #[must_use]
    pub fn count(&self) -> FrameCount {
        FrameCount {
            usable: self.usable,
            free: self.buddies.frames() + self.cache.len(),
        }
    }

    /// Whether the frame at `pa` was added and is not reserved: it is free, or in use.
    #[must_use]
    pub fn has(&self, pa: PhysAddr) -> bool {
        self.buddies.block_of(frame_number(pa)).is_some()
    }

    /// Whether `pa` is a single frame that is in use.
    #[must_use]
    pub fn is_single(&self, pa: PhysAddr) -> bool {
        self.references(pa).is_some()
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

    /// Address and number of the frames' states, for a debugger.
    #[must_use]
    pub const fn states(&self) -> (*const FrameState, usize) {
        (self.buddies.states.as_ptr(), self.buddies.states.len())
    }

    /// The slow path of [`allocate`](Self::allocate), after
    /// [`allocate_cached`](Self::allocate_cached) had no frame: takes one from the buddy lists, or
    /// a cached one that makes a new peak.
    // Not inline: see `allocate`.
    #[cold]
    #[inline(never)]
    fn allocate_slow(&mut self) -> Option<PhysAddr> {
        let frame = match self.cache.pop_to_new_peak() {
            Some(frame) => frame,
            None => {
                let frame = self.buddies.take(Order::FRAME.index())?;
                self.cache.refill();
                frame
            }
        };
        self.buddies.states[frame] = FrameState::allocated(Order::FRAME);
        Some(address(frame))
    }

    /// Gives all cached frames back to the buddy lists, where they are merged.
    fn drain_cache(&mut self) {
        while let Some(frame) = self.cache.pop_oldest() {
            self.buddies.release(frame, Order::FRAME.index());
        }
    }

    /// The error of a block of `order` at `pa` that cannot be freed.
    #[cold]
    #[inline(never)]
    fn refuse(&self, pa: PhysAddr, order: Order) -> Result<(), FrameError> {
        let frame = frame_number(pa);
        Err(match self.buddies.block_of(frame) {
            None => FrameError::Foreign { pa },
            Some(Block {
                kind: BlockKind::Free | BlockKind::Cached,
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

    /// The first run of frames in `next..past` that no block has: never added, or reserved.
    fn gap(&self, mut next: usize, past: usize) -> Option<Range<usize>> {
        while next < past {
            match self.buddies.block_of(next) {
                Some(block) => next = block.end(),
                None => return Some(next..self.unowned_until(next, past)),
            }
        }
        None
    }

    /// The end of the run of frames without a block that begins at `next`; `past` at the latest.
    fn unowned_until(&self, next: usize, past: usize) -> usize {
        // No block has `next`: so the first state behind it is where the next block begins.
        let looked_at = next.max(self.hull.start)..past.min(self.hull.end);
        let skipped = looked_at.start;
        self.buddies
            .states
            .get(looked_at)
            .and_then(|states| states.iter().position(|state| *state != FrameState::NONE))
            .map_or(past, |distance| skipped + distance)
    }
}

/// The number of the frame at `pa`: 0xc000 is 12. An address inside a frame, such as 0xc008, gets a
/// number past every frame's (its low bits are rotated to the top), which no slice has.
const fn frame_number(pa: PhysAddr) -> usize {
    pa.as_usize().rotate_right(PAGE_SIZE.trailing_zeros())
}

/// The physical address of frame number `frame`.
const fn address(frame: usize) -> PhysAddr {
    PhysAddr::new(frame * PAGE_SIZE)
}

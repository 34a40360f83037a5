//! The check of the allocator's invariants: every state, list and count.
//!
//! A check of all memory takes milliseconds, for which interrupts may not be masked. So it goes in
//! steps, between which the allocator's lock is released:
//!
//! 1. The states of all frames, by address: each block is whole, at a multiple of its size, has no
//!    state inside, and no free buddy if it is free. Blocks are counted by order. A free block of
//!    order 2 at frame 12 (0xc000): 12 is a multiple of 4, frames 13 to 15 have no state, and its
//!    buddy, frame 8, is not free with order 2.
//! 2. The list of each order, link by link: each block is free and of that order, and links back.
//!    The length is compared with the one kept.
//! 3. The cached frames, and all counts of step 1.
//!
//! A [`Check`] has the place of the next step and the allocator's version (allocations and frees so
//! far). If the version is another at the next step, the check begins again.
#![forbid(unsafe_code)]

use core::fmt;

use super::buddies::Block;
use super::frame_cache::CAPACITY;
use super::state::{BlockKind, FrameState, NIL};
use super::violation::{Counted, FrameViolation};
use super::{FrameAllocator, Order, address};

/// Blocks found, of each order.
#[derive(Clone, Debug, Default)]
struct Found {
    free: [usize; Order::COUNT],
    allocated: [usize; Order::COUNT],
    cached: usize,
    frames: usize,
}

/// The counts of a finished check, all of one moment: the allocator did not change between its
/// steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckedFrames {
    /// Blocks that are free.
    pub free: usize,
    /// Blocks that are in use.
    pub allocated: usize,
    /// Single free frames in the cache.
    pub cached: usize,
    /// Frames in all of them.
    pub frames: usize,
}

impl fmt::Display for CheckedFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            free,
            allocated,
            cached,
            frames,
        } = self;
        write!(
            f,
            "{frames} frames in {free} free and {allocated} allocated blocks, {cached} cached"
        )
    }
}

/// Where a check is.
#[derive(Clone, Copy, Debug)]
enum Position {
    /// At a frame: blocks are looked at in the order of addresses.
    Frame(usize),
    /// On the list of an order, behind a block: how many blocks were met, and what the last one
    /// says is next.
    List {
        order: Order,
        previous: u32,
        next: u32,
        met: usize,
    },
}

/// How far a check has come: the place of the next step, the counts so far, and the allocator's
/// version when it began. It borrows nothing, so the allocator's lock may be released between two
/// calls of [`FrameAllocator::check_step`].
#[derive(Clone, Debug)]
pub struct Check {
    place: Position,
    found: Found,
    /// The allocator's version when the check began.
    version: Option<Version>,
    /// How often it began again.
    restarts: usize,
}

impl Check {
    /// A check that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self {
            place: Position::Frame(0),
            found: Found::default(),
            version: None,
            restarts: 0,
        }
    }

    /// How often it began again, because frames came or went between two steps. The caller puts an
    /// end to it: with four cores that allocate, a check may never come through.
    #[must_use]
    pub const fn restarts(&self) -> usize {
        self.restarts
    }
}

impl Default for Check {
    fn default() -> Self {
        Self::new()
    }
}

/// Differs after every change of the structure: frames taken and given back so far, and those that
/// there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Version {
    taken: u64,
    returned: u64,
    usable: usize,
}

impl FrameAllocator<'_> {
    /// Checks everything. Costs a look at each entry of the metadata.
    ///
    /// # Errors
    /// The first [`FrameViolation`]: a bug here, or a write into the metadata.
    pub fn check(&self) -> Result<CheckedFrames, FrameViolation> {
        let mut check = Check::new();
        loop {
            if let Some(checked) = self.check_step(&mut check, usize::MAX)? {
                return Ok(checked);
            }
        }
    }

    /// Goes on with a check for at most `looks` looks at entries, and the rest of a block. Returns
    /// what was counted when all of it was looked at.
    ///
    /// # Errors
    /// The first [`FrameViolation`].
    pub fn check_step(
        &self,
        check: &mut Check,
        looks: usize,
    ) -> Result<Option<CheckedFrames>, FrameViolation> {
        let version = self.version();
        // After a change the counts so far may be wrong, and the place may lie inside a block that
        // was merged.
        if check.version != Some(version) {
            let restarts = check.restarts + usize::from(check.version.is_some());
            *check = Check {
                version: Some(version),
                restarts,
                ..Check::new()
            };
        }
        match check.place {
            Position::Frame(first) => {
                check.place = match self.check_blocks(first, looks, &mut check.found)? {
                    Some(next) => Position::Frame(next),
                    None => self.list(Order::FRAME),
                };
                Ok(None)
            }
            Position::List { .. } => self.check_lists(check, looks),
        }
    }

    /// The sums of all orders. An allocation changes `taken`, a free `returned`: both together,
    /// which leave the blocks in use as many as before, are seen as well.
    fn version(&self) -> Version {
        let larger = || self.larger.iter();
        let returned = larger().fold(self.cache.frees(), |sum, larger| {
            sum.wrapping_add(larger.frees)
        });
        let in_use = larger().fold(self.cache.in_use(), |sum, larger| {
            sum.wrapping_add(larger.in_use)
        });
        Version {
            taken: returned.wrapping_add(in_use as u64),
            returned,
            usable: self.usable,
        }
    }

    /// Looks at the blocks from frame `first` on. Returns where to go on, or `None` at the end.
    fn check_blocks(
        &self,
        mut first: usize,
        looks: usize,
        found: &mut Found,
    ) -> Result<Option<usize>, FrameViolation> {
        let states = &*self.buddies.states;
        let past = first.saturating_add(looks);
        while let Some(state) = states.get(first) {
            if first >= past {
                return Ok(Some(first));
            }
            // Blocks are passed as a whole: a frame without a state here is in none.
            if *state == FrameState::NONE {
                first += 1;
                continue;
            }
            let pa = address(first);
            let whole = state.block().filter(|_| state.is_whole());
            let (kind, order) = whole.ok_or(FrameViolation::State { pa })?;
            let block = Block { first, order, kind };
            self.check_block(block)?;
            match kind {
                BlockKind::Free => found.free[order.index()] += 1,
                BlockKind::Allocated => found.allocated[order.index()] += 1,
                BlockKind::Cached => found.cached += 1,
            }
            found.frames += order.frames();
            first = block.end();
        }
        Ok(None)
    }

    /// That the block is in its place, alone, and has no free buddy if it is free.
    fn check_block(&self, block: Block) -> Result<(), FrameViolation> {
        let Block { first, order, kind } = block;
        let states = &*self.buddies.states;
        let pa = address(first);
        // `None` also if the block reaches past the metadata, as a wrong order may say.
        let inside = states
            .get(first + 1..block.end())
            .filter(|_| first.is_multiple_of(order.frames()))
            .ok_or(FrameViolation::Place { pa, order })?;
        let covered = self.hull.contains(&first) && block.end() <= self.hull.end;
        if !covered || (kind == BlockKind::Cached && order != Order::FRAME) {
            return Err(FrameViolation::State { pa });
        }
        if let Some(distance) = inside.iter().position(|state| *state != FrameState::NONE) {
            let other = address(first + 1 + distance);
            return Err(FrameViolation::Overlap { pa, other });
        }
        // The buddy differs in one bit: 12 ^ 4 is 8. Free with another order, it cannot be merged.
        let buddy = states.get(first ^ order.frames());
        let buddy_is_free = buddy.is_some_and(|state| state.is_free(order.index()));
        if kind == BlockKind::Free && buddy_is_free && order < Order::MAX {
            return Err(FrameViolation::Unmerged { pa, order });
        }
        Ok(())
    }

    /// The beginning of a list.
    const fn list(&self, order: Order) -> Position {
        Position::List {
            order,
            previous: NIL,
            next: self.buddies.first(order.index()),
            met: 0,
        }
    }

    /// Follows the lists, and compares the counts behind the last one.
    fn check_lists(
        &self,
        check: &mut Check,
        looks: usize,
    ) -> Result<Option<CheckedFrames>, FrameViolation> {
        for _ in 0..looks {
            let Position::List {
                order,
                previous,
                next,
                met,
            } = check.place
            else {
                break;
            };
            if next != NIL {
                let link = self.check_link(order, previous, next)?;
                check.place = Position::List {
                    order,
                    previous: next,
                    next: link,
                    met: met + 1,
                };
                continue;
            }
            same(Counted::Listed, order, self.buddies.len(order), met)?;
            let following = Order::new(order.index() + 1);
            let Some(following) = following else {
                self.check_cache()?;
                return self.check_counts(&check.found).map(Some);
            };
            check.place = self.list(following);
        }
        Ok(None)
    }

    /// The block `frame` on the list of `order`, behind `previous`. Returns what it says is next.
    ///
    /// Each block links back to the one before it, so that no list runs in a circle: the first
    /// block that came a second time would have two predecessors.
    fn check_link(&self, order: Order, previous: u32, frame: u32) -> Result<u32, FrameViolation> {
        let state = self.buddies.states.get(frame as usize);
        let state = state.filter(|s| s.is_free(order.index()) && s.previous() == previous);
        let pa = address(frame as usize);
        let from = (previous != NIL).then(|| address(previous as usize));
        state
            .map(|state| state.next())
            .ok_or(FrameViolation::List { order, from, pa })
    }

    /// That the cache holds single frames that are marked as cached, each once.
    fn check_cache(&self) -> Result<(), FrameViolation> {
        if self.cache.len() > CAPACITY {
            return same(Counted::Cached, Order::FRAME, self.cache.len(), CAPACITY);
        }
        for (position, frame) in self.cache.iter().enumerate() {
            let cached = self.buddies.states.get(frame) == Some(&FrameState::CACHED);
            if !cached || self.cache.iter().take(position).any(|other| other == frame) {
                return Err(FrameViolation::Cached { pa: address(frame) });
            }
        }
        Ok(())
    }

    /// That the counts kept are those that step 1 found.
    ///
    /// A list has as many blocks as is kept, all different and free: if as many were found by their
    /// states, no free block is missing on it. The same holds for the cache.
    fn check_counts(&self, found: &Found) -> Result<CheckedFrames, FrameViolation> {
        for order in Order::all() {
            let index = order.index();
            let in_use = match order {
                Order::FRAME => self.cache.in_use(),
                _ => self.larger[index].in_use,
            };
            let free = self.buddies.len(order);
            same(Counted::Free, order, free, found.free[index])?;
            same(Counted::Allocated, order, in_use, found.allocated[index])?;
        }
        same(
            Counted::Cached,
            Order::FRAME,
            self.cache.len(),
            found.cached,
        )?;
        same(Counted::Usable, Order::FRAME, self.usable, found.frames)?;
        Ok(CheckedFrames {
            free: found.free.iter().sum(),
            allocated: found.allocated.iter().sum(),
            cached: found.cached,
            frames: found.frames,
        })
    }
}

fn same(what: Counted, order: Order, kept: usize, found: usize) -> Result<(), FrameViolation> {
    if kept == found {
        return Ok(());
    }
    Err(FrameViolation::Count {
        what,
        order,
        kept,
        found,
    })
}

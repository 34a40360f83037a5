//! Whether the allocator's structure is what it should be: every state, list and count.
#![forbid(unsafe_code)]

use core::fmt;

use super::buddies::Block;
use super::state::{FrameState, Kind, NIL};
use super::{FrameAllocator, Order, address};
use crate::addr::PhysAddr;

/// The first thing found that must not be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Violation {
    /// A frame's state is no state.
    State {
        /// The frame.
        pa: PhysAddr,
    },
    /// A block is not at a multiple of its size, or reaches past the metadata.
    Place {
        /// Where it begins.
        pa: PhysAddr,
        /// Its order.
        order: Order,
    },
    /// Blocks overlap.
    Overlap {
        /// Where the first one begins.
        pa: PhysAddr,
        /// Where the second one begins, inside the first.
        other: PhysAddr,
    },
    /// Two free blocks should be one.
    Unmerged {
        /// One of them.
        pa: PhysAddr,
        /// The order of both.
        order: Order,
    },
    /// A list has a block that is not a free one of its order, or whose link back is wrong.
    List {
        /// The list's order.
        order: Order,
        /// The block.
        pa: PhysAddr,
    },
    /// A frame on the stack of hot ones is not hot, or is on it twice.
    Hot {
        /// The frame.
        pa: PhysAddr,
    },
    /// A count is wrong.
    Count {
        /// What is counted.
        what: Counted,
        /// The blocks' order; [`Order::FRAME`] for frames.
        order: Order,
        /// The count kept.
        kept: usize,
        /// How many were found.
        found: usize,
    },
}

/// What the allocator keeps a count of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counted {
    /// Free blocks of an order.
    Free,
    /// Blocks on the list of an order.
    Listed,
    /// Allocated blocks of an order.
    Allocated,
    /// Hot frames.
    Hot,
    /// Frames that can be free at all.
    Usable,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State { pa } => write!(f, "frame {pa} has no valid state"),
            Self::Place { pa, order } => write!(f, "a block of {order} at {pa}"),
            Self::Overlap { pa, other } => write!(f, "block {pa} overlaps block {other}"),
            Self::Unmerged { pa, order } => {
                write!(f, "free block {pa} of {order} and its buddy are not merged")
            }
            Self::List { order, pa } => write!(f, "the list of {order} is wrong at {pa}"),
            Self::Hot { pa } => write!(f, "hot frame {pa} is not hot, or is twice"),
            Self::Count {
                what,
                order,
                kept,
                found,
            } => write!(f, "{what:?} of {order}: {kept} counted, {found} found"),
        }
    }
}

impl core::error::Error for Violation {}

/// Blocks found, of each order.
#[derive(Default)]
struct Found {
    free: [usize; Order::COUNT],
    allocated: [usize; Order::COUNT],
    hot: usize,
    frames: usize,
}

impl FrameAllocator<'_> {
    /// Checks everything. Costs a look at each entry of the metadata.
    ///
    /// # Errors
    /// The first [`Violation`]: a bug here, or a write into the metadata.
    pub fn check(&self) -> Result<(), Violation> {
        let found = self.check_blocks()?;
        for order in Order::all() {
            self.check_list(order)?;
        }
        self.check_hot()?;
        self.check_counts(&found)
    }

    fn check_blocks(&self) -> Result<Found, Violation> {
        let states = &*self.buddies.states;
        let mut found = Found::default();
        let mut first = 0;
        while let Some(state) = states.get(first) {
            if *state == FrameState::NONE {
                first += 1;
                continue;
            }
            let pa = address(first);
            let (kind, order) = state.block().ok_or(Violation::State { pa })?;
            let block = Block { first, order, kind };
            self.check_block(block)?;
            match kind {
                Kind::Free => found.free[order.index()] += 1,
                Kind::Allocated => found.allocated[order.index()] += 1,
                Kind::Hot => found.hot += 1,
            }
            found.frames += order.frames();
            first = block.end();
        }
        Ok(found)
    }

    /// That the block is in its place, alone, and has no free buddy if it is free.
    fn check_block(&self, block: Block) -> Result<(), Violation> {
        let Block { first, order, kind } = block;
        let states = &*self.buddies.states;
        let pa = address(first);
        let inside = states
            .get(first + 1..block.end())
            .filter(|_| first.is_multiple_of(order.frames()))
            .ok_or(Violation::Place { pa, order })?;
        let covered = self.hull.contains(&first) && block.end() <= self.hull.end;
        if !covered || (kind == Kind::Hot && order != Order::FRAME) {
            return Err(Violation::State { pa });
        }
        if let Some(distance) = inside.iter().position(|state| *state != FrameState::NONE) {
            let other = address(first + 1 + distance);
            return Err(Violation::Overlap { pa, other });
        }
        let buddy = states.get(first ^ order.frames());
        let buddy_is_free = buddy.is_some_and(|state| state.is_free(order.index()));
        if kind == Kind::Free && buddy_is_free && order < Order::MAX {
            return Err(Violation::Unmerged { pa, order });
        }
        Ok(())
    }

    fn check_list(&self, order: Order) -> Result<(), Violation> {
        let kept = self.buddies.len(order);
        let (mut previous, mut next) = (NIL, self.buddies.first(order.index()));
        let mut found = 0;
        while next != NIL && found <= kept {
            let state = self.buddies.states.get(next as usize);
            let state = state
                .filter(|state| state.is_free(order.index()) && state.previous() == previous)
                .ok_or(Violation::List {
                    order,
                    pa: address(next as usize),
                })?;
            (previous, next) = (next, state.next());
            found += 1;
        }
        same(Counted::Listed, order, kept, found)
    }

    fn check_hot(&self) -> Result<(), Violation> {
        for (position, frame) in self.hot.iter().enumerate() {
            let hot = self.buddies.states.get(frame) == Some(&FrameState::HOT);
            if !hot || self.hot.iter().take(position).any(|other| other == frame) {
                return Err(Violation::Hot { pa: address(frame) });
            }
        }
        Ok(())
    }

    fn check_counts(&self, found: &Found) -> Result<(), Violation> {
        for order in Order::all() {
            let index = order.index();
            let in_use = match order {
                Order::FRAME => self.hot.in_use(),
                _ => self.larger[index].in_use,
            };
            let free = self.buddies.len(order);
            same(Counted::Free, order, free, found.free[index])?;
            same(Counted::Allocated, order, in_use, found.allocated[index])?;
        }
        same(Counted::Hot, Order::FRAME, self.hot.len(), found.hot)?;
        same(Counted::Usable, Order::FRAME, self.usable, found.frames)
    }
}

fn same(what: Counted, order: Order, kept: usize, found: usize) -> Result<(), Violation> {
    if kept == found {
        return Ok(());
    }
    Err(Violation::Count {
        what,
        order,
        kept,
        found,
    })
}

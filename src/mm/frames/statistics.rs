//! Statistics of the allocator, and the fragmentation of its free frames.
#![forbid(unsafe_code)]

use core::fmt;

use super::{FrameAllocator, Order};

/// The numbers of frames of 4 KiB, usable and free, of one moment: the difference is in use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FrameCount {
    /// Frames that can be free at all: RAM that nobody reserved for good.
    pub usable: usize,
    /// Frames that are free now.
    pub free: usize,
}

/// The blocks of one order. A block in use counts at the order that was asked for, whatever larger
/// block it was split from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OrderStatistics {
    /// Free blocks; at order 0 with the cached frames.
    pub free: usize,
    /// Blocks that are allocated now.
    pub in_use: usize,
    /// Allocations so far.
    pub allocations: u64,
    /// Frees so far.
    pub frees: u64,
}

/// Statistics of the allocator at one moment. Events, such as splits, are counted since the
/// allocator was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Statistics {
    /// The blocks of each order, smallest first.
    pub orders: [OrderStatistics; Order::COUNT],
    /// Cached frames: the single frames freed last, allocated again first, not merged.
    pub cached: usize,
    /// Blocks halved so far.
    pub splits: u64,
    /// Pairs of free halves that became one block so far, when frames were added too.
    pub merges: u64,
    /// The most frames that were in use at a time.
    pub peak: usize,
}

impl Statistics {
    /// The order of the largest free block; `None` if nothing is free. A request for a larger one
    /// may succeed all the same, since it merges the cached frames first.
    #[must_use]
    pub fn largest_free(&self) -> Option<Order> {
        Order::all()
            .rev()
            .find(|order| self.orders[order.index()].free > 0)
    }

    /// The fragmentation of the free frames at that moment, with each cached frame as a block of 4
    /// KiB.
    #[must_use]
    pub fn fragmentation(&self) -> Fragmentation {
        Fragmentation {
            free: self.orders.map(|order| order.free),
        }
    }
}

/// The fragmentation of the free frames.
///
/// Its text is a line for each order: size, free blocks, and the part of the free memory that a
/// request of that size cannot use, because it lies in smaller blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragmentation {
    /// Free blocks of each order.
    free: [usize; Order::COUNT],
}

impl Fragmentation {
    /// The part of the free memory, in thousandths, that lies in blocks below `order`: 0 where
    /// every free frame serves such a request or none is free, 1000 where none does. Rounded down.
    #[must_use]
    pub fn unusable(&self, order: Order) -> usize {
        let frames = |order: Order| self.free[order.index()] * order.frames();
        let total: usize = Order::all().map(frames).sum();
        let below: usize = Order::all().take(order.index()).map(frames).sum();
        (below * 1000).checked_div(total).unwrap_or(0)
    }
}

impl fmt::Display for Fragmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for order in Order::all() {
            if order > Order::FRAME {
                writeln!(f)?;
            }
            let (number, unit) = order.quantity();
            let blocks = self.free[order.index()];
            let part = self.unusable(order);
            let (percent, tenth) = (part / 10, part % 10);
            write!(
                f,
                "{number:>5} {unit} {blocks:>7} free {percent:>4}.{tenth} % in smaller"
            )?;
        }
        Ok(())
    }
}

impl FrameAllocator<'_> {
    /// The statistics so far. Costs a few steps for each order and none for a frame, so that the
    /// allocator's lock may be held for it.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut orders = [OrderStatistics::default(); Order::COUNT];
        let mut peak = self.cache.peak();
        for order in Order::all() {
            let index = order.index();
            let (mut free, mut in_use) = (self.buddies.len(order), self.larger[index].in_use);
            let mut frees = self.larger[index].frees;
            peak += in_use * order.frames();
            if order == Order::FRAME {
                (in_use, frees) = (self.cache.in_use(), self.cache.frees());
                free += self.cache.len();
            }
            orders[index] = OrderStatistics {
                free,
                in_use,
                allocations: frees + in_use as u64,
                frees,
            };
        }
        Statistics {
            orders,
            cached: self.cache.len(),
            splits: self.buddies.splits,
            merges: self.buddies.merges,
            peak,
        }
    }
}

//! The allocator as a table of frames that is looked through: slow, and nothing like the real one.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use super::super::{FrameAllocator, FrameError, FrameState, Order};
use crate::addr::{PAGE_SIZE, PhysAddr};

/// Marsaglia's xorshift with 64 bits of state, shifts 13, 7, 17.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    /// Small orders more often than large ones.
    pub(super) fn order(&mut self, largest: usize) -> Order {
        let limit = 1 + self.below(largest + 1);
        Order::new(self.below(limit)).expect("an order")
    }
}

pub(super) fn frame(number: usize) -> PhysAddr {
    PhysAddr::new(number * PAGE_SIZE)
}

pub(super) fn metadata(frames: usize) -> Vec<FrameState> {
    vec![FrameState::default(); frames]
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Owner {
    Nobody,
    Allocator,
    Block { first: usize, order: Order },
}

/// The allocator and the table; every call is made on both and compared.
pub(super) struct Pair<'memory> {
    pub(super) real: FrameAllocator<'memory>,
    table: Vec<Owner>,
    pub(super) blocks: BTreeMap<usize, Order>,
    allocations: [u64; Order::COUNT],
    peak: usize,
}

impl<'memory> Pair<'memory> {
    pub(super) fn new(metadata: &'memory mut [FrameState]) -> Self {
        Self {
            table: vec![Owner::Nobody; metadata.len()],
            real: FrameAllocator::new(metadata),
            blocks: BTreeMap::new(),
            allocations: [0; Order::COUNT],
            peak: 0,
        }
    }

    pub(super) fn add(&mut self, start: PhysAddr, end: PhysAddr) {
        let mut new = 0;
        for (number, owner) in self.table.iter_mut().enumerate() {
            let whole = start <= frame(number) && frame(number + 1) <= end;
            if whole && *owner == Owner::Nobody {
                *owner = Owner::Allocator;
                new += 1;
            }
        }
        assert_eq!(self.real.add(start, end), new, "add {start} {end}");
    }

    pub(super) fn reserve(&mut self, start: PhysAddr, end: PhysAddr) {
        let mut taken = 0;
        for (number, owner) in self.table.iter_mut().enumerate() {
            let touched = start < end && start < frame(number + 1) && frame(number) < end;
            if touched && *owner == Owner::Allocator {
                *owner = Owner::Nobody;
                taken += 1;
            }
        }
        assert_eq!(
            self.real.reserve(start, end),
            taken,
            "reserve {start} {end}"
        );
    }

    pub(super) fn allocate(&mut self, order: Order) -> Option<PhysAddr> {
        let given = self.real.allocate_block(order);
        let Some(pa) = given else {
            let whole = |frames: &[Owner]| {
                frames.len() == order.frames() && frames.iter().all(|o| *o == Owner::Allocator)
            };
            let possible = self.table.chunks(order.frames()).any(whole);
            assert!(!possible, "a block of {order} is free and not found");
            return None;
        };
        assert!(pa.is_aligned(order.bytes()), "{pa} as a block of {order}");
        let first = pa.as_usize() / PAGE_SIZE;
        for owner in &mut self.table[first..first + order.frames()] {
            assert_eq!(*owner, Owner::Allocator, "in block {pa} of {order}");
            *owner = Owner::Block { first, order };
        }
        self.blocks.insert(first, order);
        self.allocations[order.index()] += 1;
        self.peak = self.peak.max(self.in_use());
        given
    }

    pub(super) fn free(&mut self, pa: PhysAddr, order: Order) {
        let number = pa.as_usize() / PAGE_SIZE;
        let owner = match self.table.get(number) {
            Some(owner) if pa.is_aligned(PAGE_SIZE) => *owner,
            _ => Owner::Nobody,
        };
        let expected = match owner {
            Owner::Nobody => Err(FrameError::Foreign { pa }),
            Owner::Allocator => Err(FrameError::DoubleFree { pa }),
            Owner::Block { first, order } if first != number => Err(FrameError::Inside {
                pa,
                block: frame(first),
                order,
            }),
            Owner::Block { order: is, .. } if is != order => Err(FrameError::WrongOrder {
                pa,
                allocated: is,
                freed: order,
            }),
            Owner::Block { .. } => Ok(()),
        };
        assert_eq!(self.real.free_block(pa, order), expected);
        if expected.is_ok() {
            self.table[number..number + order.frames()].fill(Owner::Allocator);
            self.blocks.remove(&number);
        }
    }

    /// A block in use, any.
    pub(super) fn any_block(&self, random: &mut Random) -> Option<(PhysAddr, Order)> {
        let from = random.below(self.table.len());
        let after = self.blocks.range(from..).next();
        let (first, order) = after.or_else(|| self.blocks.iter().next())?;
        Some((frame(*first), *order))
    }

    pub(super) fn in_use(&self) -> usize {
        self.blocks.values().map(|order| order.frames()).sum()
    }

    /// Compares every count, and has the structure checked.
    pub(super) fn compare(&self) {
        self.real
            .check()
            .unwrap_or_else(|violation| panic!("{violation}"));
        let owned = |owner: &&Owner| **owner != Owner::Nobody;
        let count = self.real.count();
        assert_eq!(count.usable, self.table.iter().filter(owned).count());
        assert_eq!(count.free, count.usable - self.in_use());
        let statistics = self.real.statistics();
        assert_eq!(statistics.peak, self.peak);
        let mut free = 0;
        for order in Order::all() {
            let row = statistics.orders[order.index()];
            let in_use = self.blocks.values().filter(|is| **is == order).count();
            assert_eq!(row.in_use, in_use, "blocks of {order}");
            assert_eq!(row.allocations, self.allocations[order.index()]);
            assert_eq!(row.frees, row.allocations - in_use as u64);
            free += row.free * order.frames();
        }
        assert_eq!(free, count.free);
    }
}

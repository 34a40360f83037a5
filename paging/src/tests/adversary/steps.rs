//! Random steps, where translations meet: few tables, leaves of every size, edges of pages, blocks,
//! contiguous groups and tables, and frames with equal offsets, so that leaves can merge.
#![forbid(unsafe_code)]

use std::vec::Vec;

use crate::tests::model::operation::{Operation, Random, Rule};
use crate::tests::{A, D, G, G1, K4, M2, N, NONE, R, U, W, X};
use crate::{MappingFlags, PageSize, RegionOptions, SoftwareBits};

/// Bytes of a contiguous group of pages, and of blocks.
const PAGES: usize = 16 * K4;
const BLOCKS: usize = 16 * M2;
/// Bytes that an entry of the root translates.
pub(super) const ROOT: usize = 1 << 39;

/// Whose tree it is: where it translates, and what is mapped there.
pub(super) struct Owner {
    pub(super) name: &'static str,
    pub(super) base: usize,
    pub(super) asid: Option<u16>,
    /// Nearly all flags are among the first few, so that neighbours are often equal.
    flags: &'static [MappingFlags],
}

/// A user's: nothing in it is global.
pub(super) const USER: Owner = Owner {
    name: "user",
    base: 0,
    asid: Some(0x51),
    flags: &[
        R.union(W).union(U).union(A),
        R.union(U).union(A),
        NONE,
        R.union(X).union(U).union(A),
        R.union(W).union(A),
        R.union(W).union(U),
        R.union(W).union(U).union(A).union(N),
        R.union(W).union(A).union(D),
        U.union(A),
    ],
};

/// A user's in which the kernel maps what all users share.
pub(super) const MIXED: Owner = Owner {
    name: "mixed",
    flags: &[
        R.union(W).union(U).union(A),
        R.union(W).union(G).union(A),
        R.union(G).union(A),
        NONE,
        G.union(A),
        R.union(W).union(A),
    ],
    ..USER
};

/// One whose tables others share.
pub(super) const SHARING: Owner = Owner {
    name: "sharing",
    ..MIXED
};

/// The kernel's.
pub(super) const KERNEL: Owner = Owner {
    name: "kernel",
    base: 0xffff_0000_0000_0000,
    asid: None,
    flags: &[
        R.union(W).union(G).union(A),
        R.union(G).union(A),
        NONE,
        R.union(X).union(G).union(A),
        R.union(W).union(A),
        R.union(W).union(G),
        R.union(W).union(G).union(A).union(D),
        R.union(W).union(A).union(N),
        R.union(W).union(U).union(A),
        G.union(A),
    ],
};

/// The kernel's on a machine that caches invalid entries.
pub(super) const CACHING: Owner = Owner {
    name: "caching",
    ..KERNEL
};

/// What is done with a receipt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Receipt {
    Flush,
    Drop,
    /// Leaked: its invalidations stay pending; the caller issues the barrier that publishes.
    Forget,
    /// Leaked, and the table handed to another core, which flushes.
    HandOver,
}

/// What is done to a table.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// With so many frames to be had.
    One(Operation, Receipt, usize),
    Batch(Vec<Operation>),
    /// Says which ASID the tree has, or that all may have it.
    SetAsid(Option<u16>),
}

/// Makes steps.
pub(super) struct Steps {
    random: Random,
    owner: &'static Owner,
    /// Where the step before was.
    last: usize,
}

impl Steps {
    pub(super) fn new(owner: &'static Owner, seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            owner,
            last: owner.base,
        }
    }

    fn address(&mut self) -> usize {
        let windows = [0, 0, 0, G1, ROOT - G1, ROOT, 2 * ROOT - G1];
        let blocks = [
            0,
            0,
            0,
            M2,
            2 * M2,
            BLOCKS,
            BLOCKS + M2,
            G1 - BLOCKS,
            G1 - M2,
        ];
        let pages = [
            0,
            0,
            0,
            0,
            K4,
            PAGES,
            PAGES + K4,
            M2 / 2,
            M2 - PAGES,
            M2 - K4,
        ];
        let random = &mut self.random;
        let offset = random.pick(&windows) + random.pick(&blocks) + random.pick(&pages);
        self.owner.base + offset
    }

    /// A frame for `at`, most often one that large leaves can lead to as well.
    fn frame(&mut self, at: usize) -> usize {
        let unit = self.random.pick(&[G1, G1, G1, BLOCKS, M2, PAGES, K4]);
        let base = self.random.pick(&[0, 0, 0, G1, 5 * G1, (1 << 40) - 4 * G1]);
        base + at % unit
    }

    fn flags(&mut self) -> MappingFlags {
        let few = self.random.pick(&[1, 1, 2, 3, self.owner.flags.len()]);
        self.random
            .pick(self.owner.flags.get(..few).unwrap_or_default())
    }

    /// A size of a region.
    fn bytes(&mut self) -> usize {
        let group = [K4, K4, 2 * K4, 7 * K4, PAGES, PAGES, PAGES + K4, 33 * K4];
        let table = [M2 - K4, M2, M2 + K4, 2 * M2];
        if self.random.one_in(5) {
            self.random.pick(&table)
        } else {
            self.random.pick(&group)
        }
    }

    /// A size of a region that holds blocks.
    fn many_bytes(&mut self) -> usize {
        let sizes = [
            M2,
            BLOCKS,
            BLOCKS + M2,
            40 * M2,
            G1 - M2,
            G1,
            G1 + K4,
            2 * G1,
        ];
        if self.random.one_in(2) {
            self.bytes()
        } else {
            self.random.pick(&sizes)
        }
    }

    fn map_region(&mut self, at: usize) -> Operation {
        let options = self.random.pick(&[
            RegionOptions::empty(),
            RegionOptions::CONTIGUOUS,
            RegionOptions::HUGE,
            RegionOptions::all(),
        ]);
        let frame = self.frame(at);
        let blocks = options.contains(RegionOptions::HUGE) && at % M2 == frame % M2;
        let bytes = if blocks {
            self.many_bytes()
        } else {
            self.bytes()
        };
        Operation::MapRegion(at, frame, bytes, self.flags(), options)
    }

    /// Pages of a whole block, ready to be merged.
    fn fill_block(&mut self, at: usize) -> Operation {
        let at = at & !(M2 - 1);
        let frame = at % G1;
        Operation::MapRegion(at, frame, M2, self.flags(), RegionOptions::CONTIGUOUS)
    }

    fn operation(&mut self) -> Operation {
        let at = match self.random.below(8) {
            0..3 => self.last,
            3 => self.last & !(M2 - 1) | self.address() & (M2 - 1),
            _ => self.address(),
        };
        self.last = at;
        match self.random.below(31) {
            0..4 => {
                let (page, block, big) = (PageSize::Size4K, PageSize::Size2M, PageSize::Size1G);
                let size = self.random.pick(&[page, page, page, block, big]);
                Operation::Map(at, self.frame(at), size, self.flags())
            }
            4..8 => Operation::Unmap(at),
            8..11 => Operation::Update(at, None, Some(self.flags())),
            11 => Operation::Update(at, Some(self.frame(at)), None),
            12 => Operation::Update(at, Some(self.frame(at)), Some(self.flags())),
            13..16 => self.map_region(at),
            16 if self.random.one_in(2) => self.fill_block(at),
            16 => {
                let size = self.random.pick(&[PageSize::Size4K, PageSize::Size2M]);
                let count = self.random.pick(&[1, 3, 16, 40]);
                let frame = self.frame(at) + 64 * size.bytes();
                Operation::MapFrames(at, frame, count, size, self.flags())
            }
            17..19 => Operation::UnmapRegion(at, self.many_bytes()),
            19 => Operation::UnmapRegionWith(at, self.many_bytes()),
            20..23 => self.protect_region(at),
            23..25 => {
                let rule = self.random.pick(&Rule::ALL);
                Operation::UpdateRegionWith(at, self.many_bytes(), rule)
            }
            25 => Operation::TestAndClearAccessed(at, self.many_bytes()),
            27 => Operation::SwapOut(at, 7),
            28 => Operation::SwapIn(at, self.frame(at), self.flags()),
            29 => Operation::SetSwap(at, 8),
            26 => Operation::SetSoftware(at, SoftwareBits::SOFTW1),
            _ => Operation::Compact(at & !(G1 - 1), G1),
        }
    }

    /// Of a part, or of all that could be one block.
    fn protect_region(&mut self, at: usize) -> Operation {
        if self.random.one_in(3) {
            Operation::ProtectRegion(at & !(G1 - 1), G1, self.flags())
        } else {
            Operation::ProtectRegion(at, self.many_bytes(), self.flags())
        }
    }

    pub(super) fn next(&mut self) -> Step {
        match self.random.below(40) {
            0 => {
                let asid = self.owner.asid.filter(|_| !self.random.one_in(3));
                Step::SetAsid(asid)
            }
            1..4 => {
                let count = 2 + self.random.below(5);
                let operations = (0..count).map(|_| self.operation());
                let operations = operations.filter(|operation| operation.can_be_batched());
                Step::Batch(operations.collect())
            }
            _ => {
                let receipt = match self.random.below(12) {
                    0..2 => Receipt::Forget,
                    2 => Receipt::Drop,
                    3 => Receipt::HandOver,
                    _ => Receipt::Flush,
                };
                let frames = if self.random.one_in(16) {
                    self.random.below(3)
                } else {
                    usize::MAX
                };
                Step::One(self.operation(), receipt, frames)
            }
        }
    }
}

//! Random operations, at addresses where mistakes are made: edges of pages, blocks, tables, halves.

use core::marker::PhantomData;
use std::vec::Vec;

use crate::addr::PhysAddr;
use crate::tests::formats::Format;
use crate::tests::{G1, K4, M2, pa};
use crate::{Attributes, MappingFlags, PageSize, RegionOptions, SoftwareBits};

/// xorshift64*.
pub(in crate::tests) struct Random(u64);

impl Random {
    pub(in crate::tests) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(in crate::tests) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        (high as usize * limit) >> 32
    }

    pub(in crate::tests) fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    pub(in crate::tests) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A function of attributes, for a region's change by one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::tests) enum Rule {
    /// `WRITE` goes, and an exception to W^X that is not needed without it: copy on write.
    ReadOnly,
    /// What can be written becomes device memory: a break for some of the leaves, and refused
    /// where a format has no memory types.
    WritableIsDevice,
    /// The accessed flag is the reverse.
    FlipAccessed,
    /// What is not the user's becomes global: a break.
    KernelIsGlobal,
    /// What is inaccessible can be read.
    Revive,
    /// `WRITE` goes, and the first software bit says so: copy on write.
    Share,
    /// What has the first software bit gives it up, and has the second.
    Shift,
    /// What can be written has the second software bit, and no other.
    MarkWritable,
}

impl Rule {
    pub(in crate::tests) const ALL: [Self; 8] = [
        Self::ReadOnly,
        Self::WritableIsDevice,
        Self::FlipAccessed,
        Self::KernelIsGlobal,
        Self::Revive,
        Self::Share,
        Self::Shift,
        Self::MarkWritable,
    ];

    /// What becomes of a leaf with `old`.
    pub(in crate::tests) fn of(self, old: Attributes) -> Attributes {
        let (first, second) = (SoftwareBits::SOFTW1, SoftwareBits::SOFTW2);
        let writable = old.flags.contains(MappingFlags::WRITE);
        let software = match self {
            Self::Share if writable => old.software | first,
            Self::Shift if old.software.contains(first) => second,
            Self::MarkWritable if writable => second,
            _ => old.software,
        };
        let flags = self.flags(old.flags);
        Attributes { flags, software }
    }

    /// The flags that it makes of `flags`.
    fn flags(self, flags: MappingFlags) -> MappingFlags {
        match self {
            Self::ReadOnly | Self::Share => {
                let new = flags.difference(MappingFlags::WRITE | MappingFlags::EXECUTE_ANYWAY);
                if new.breaks_wx() {
                    new | MappingFlags::EXECUTE_ANYWAY
                } else {
                    new
                }
            }
            Self::WritableIsDevice if flags.contains(MappingFlags::WRITE) => {
                flags.difference(MappingFlags::UNCACHED) | MappingFlags::DEVICE
            }
            Self::FlipAccessed => flags ^ MappingFlags::ACCESSED,
            Self::KernelIsGlobal if !flags.contains(MappingFlags::USER) => {
                flags | MappingFlags::GLOBAL
            }
            Self::Revive if !flags.intersects(MappingFlags::RIGHTS) => flags | MappingFlags::READ,
            _ => flags,
        }
    }
}

/// What is asked of a table. Addresses and frames are what they are, valid or not.
#[derive(Clone, Copy, Debug)]
pub(in crate::tests) enum Operation {
    Map(usize, usize, PageSize, MappingFlags),
    Unmap(usize),
    Update(usize, Option<usize>, Option<MappingFlags>),
    SetSoftware(usize, SoftwareBits),
    SetSwap(usize, u32),
    SwapOut(usize, u32),
    SwapIn(usize, usize, MappingFlags),
    MapRegion(usize, usize, usize, MappingFlags, RegionOptions),
    /// So many leaves of a size, to the frames before the one given, backwards.
    MapFrames(usize, usize, usize, PageSize, MappingFlags),
    UnmapRegion(usize, usize),
    UnmapRegionWith(usize, usize),
    ProtectRegion(usize, usize, MappingFlags),
    UpdateRegionWith(usize, usize, Rule),
    TestAndClearAccessed(usize, usize),
    Compact(usize, usize),
}

impl Operation {
    /// Whether a batch has it, too.
    pub(in crate::tests) const fn can_be_batched(self) -> bool {
        !matches!(
            self,
            Self::Compact(..)
                | Self::UnmapRegionWith(..)
                | Self::SetSwap(..)
                | Self::SwapOut(..)
                | Self::SwapIn(..)
        )
    }

    /// The first address that it touches, and a bound of how many bytes.
    pub(in crate::tests) fn touched(self) -> (usize, usize) {
        match self {
            Self::Map(at, _, size, _) => (at & !(size.bytes() - 1), size.bytes()),
            Self::MapFrames(at, _, count, size, _) => (at, count * size.bytes()),
            Self::Unmap(at)
            | Self::Update(at, ..)
            | Self::SetSoftware(at, _)
            | Self::SetSwap(at, _)
            | Self::SwapOut(at, _)
            | Self::SwapIn(at, ..) => (at & !(M2 - 1), M2),
            Self::MapRegion(at, _, bytes, ..)
            | Self::UnmapRegion(at, bytes)
            | Self::UnmapRegionWith(at, bytes)
            | Self::ProtectRegion(at, bytes, _)
            | Self::UpdateRegionWith(at, bytes, _)
            | Self::TestAndClearAccessed(at, bytes)
            | Self::Compact(at, bytes) => (at, bytes),
        }
    }
}

/// The frames of [`Operation::MapFrames`]: each the one before that of the leaf before.
pub(in crate::tests) fn scattered(frame: usize, count: usize, size: PageSize) -> Vec<PhysAddr> {
    let below = |number: usize| frame.wrapping_sub((number + 1) * size.bytes());
    (0..count).map(|number| pa(below(number))).collect()
}

/// Makes operations on a table of format `F`.
pub(in crate::tests) struct Operations<F> {
    pub(in crate::tests) random: Random,
    /// Where the operation before was.
    last: usize,
    format: PhantomData<F>,
}

impl<F: Format> Operations<F> {
    pub(in crate::tests) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            last: 0,
            format: PhantomData,
        }
    }

    /// An address near an edge of a page, a block, a half or the space.
    pub(in crate::tests) fn address(&mut self) -> usize {
        let half = F::space() / 2;
        let windows = [
            0,
            G1,
            2 * G1,
            half - 2 * G1,
            half - G1,
            half,
            1 << 38,
            F::space() - G1,
            F::space(),
        ];
        let blocks = [0, 0, M2, 2 * M2, 5 * M2, G1 / 2, G1 - M2];
        let pages = [0, 0, 0, K4, 2 * K4, 16 * K4, M2 - K4, M2 - 2 * K4, M2 / 2];
        let random = &mut self.random;
        let stray = if random.one_in(40) {
            random.pick(&[0x123, 1 << 48, 1 << 63])
        } else {
            0
        };
        let offset = random.pick(&windows) + random.pick(&blocks) + random.pick(&pages);
        F::address(offset / K4).wrapping_add(stray)
    }

    /// A frame for `address`, often with the same offset in a block.
    fn frame(&mut self, address: usize) -> usize {
        let limit = 1 << F::PA_BITS;
        let random = &mut self.random;
        let unit = random.pick(&[G1, G1, G1, M2, 16 * K4, K4]);
        let base = random.pick(&[0, 0, 0, G1, 5 * G1, limit - 2 * G1, limit - G1]);
        let stray = if random.one_in(60) {
            random.pick(&[0x234, limit])
        } else {
            0
        };
        base + address % unit + stray
    }

    fn flags(&mut self) -> MappingFlags {
        if self.random.one_in(12) {
            return MappingFlags::from_bits_retain(self.random.below(MappingFlags::SETS));
        }
        // Few sets, so that neighbours are often equal.
        let few = if self.random.one_in(3) {
            F::FLAGS.len()
        } else {
            3
        };
        F::FLAGS[self.random.below(few)]
    }

    /// A size of a region: small unless blocks can be used for it.
    fn bytes(&mut self, blocks: bool) -> usize {
        let random = &mut self.random;
        let stray = if random.one_in(50) { 0x100 } else { 0 };
        let small = [
            0,
            K4,
            K4,
            2 * K4,
            7 * K4,
            16 * K4,
            35 * K4,
            M2 - K4,
            M2,
            M2 + K4,
        ];
        let large = [
            G1,
            G1 - M2,
            G1 + K4,
            G1 + M2,
            2 * G1,
            G1 / 2 + 3 * K4,
            2 * M2 - K4,
            8 * M2,
            40 * M2,
        ];
        let sizes: &[usize] = if blocks && random.one_in(3) {
            &large
        } else {
            &small
        };
        stray + random.pick(sizes)
    }

    /// An operation that maps nothing new: a range of it can be as long as it likes.
    fn change(&mut self, at: usize) -> Operation {
        let bytes = self.bytes(true);
        match self.random.below(11) {
            0..3 => Operation::UnmapRegion(at, bytes),
            3 => Operation::UnmapRegionWith(at, bytes),
            4..6 => Operation::ProtectRegion(at, bytes, self.flags()),
            6 => Operation::UpdateRegionWith(at, bytes, self.random.pick(&Rule::ALL)),
            7 => Operation::TestAndClearAccessed(at, bytes),
            _ => Operation::Compact(at & !(G1 - 1), 2 * G1),
        }
    }

    /// An operation on swap entries.
    fn swap(&mut self, at: usize) -> Operation {
        let value = self.random.below(1 << 20) as u32;
        match self.random.below(3) {
            0 => Operation::SetSwap(at, value),
            1 => Operation::SwapOut(at, value),
            _ => Operation::SwapIn(at, self.frame(at), self.flags()),
        }
    }

    pub(in crate::tests) fn next(&mut self) -> Operation {
        let at = if self.random.one_in(3) {
            self.last
        } else {
            self.address()
        };
        self.last = at;
        match self.random.below(22) {
            21 => self.swap(at),
            20 => {
                let software = self.random.below(4) as u8;
                Operation::SetSoftware(at, SoftwareBits::from_bits_truncate(software))
            }
            0..4 => {
                let (page, block, big) = (PageSize::Size4K, PageSize::Size2M, PageSize::Size1G);
                let size = self.random.pick(&[page, page, page, block, big]);
                Operation::Map(at, self.frame(at), size, self.flags())
            }
            4..7 => Operation::Unmap(at),
            7..10 => {
                let frame = self.random.one_in(2).then(|| self.frame(at));
                let flags = (!self.random.one_in(3)).then(|| self.flags());
                Operation::Update(at, frame, flags)
            }
            10 => {
                let size = self.random.pick(&[PageSize::Size4K, PageSize::Size2M]);
                let count = self.random.pick(&[0, 1, 2, 20, 512, 514]) >> (size.levels_below() * 4);
                let frame = self.frame(at);
                Operation::MapFrames(at, frame, count, size, self.flags())
            }
            // Pages of a whole block, ready to be folded.
            11 if self.random.one_in(3) => {
                let (at, frame) = (at & !(M2 - 1), (at % G1) & !(M2 - 1));
                let options = RegionOptions::CONTIGUOUS;
                Operation::MapRegion(at, frame, M2, self.flags(), options)
            }
            11..14 => {
                let frame = self.frame(at);
                let options = RegionOptions::from_bits_truncate(self.random.below(4) as u8);
                let blocks = options.contains(RegionOptions::HUGE) && at % M2 == frame % M2;
                let bytes = self.bytes(blocks);
                Operation::MapRegion(at, frame, bytes, self.flags(), options)
            }
            _ => self.change(at),
        }
    }
}

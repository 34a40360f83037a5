//! Random operations, at addresses where mistakes are made: edges of pages, blocks and the half.

use super::{FRAME_LIMIT, G1, K4, M2, SPACE};
use crate::paging::{LeafSizes, MappingFlags, PageSize};

/// xorshift64*.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        (high as usize * limit) >> 32
    }

    pub(super) fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Map(usize, usize, PageSize, MappingFlags),
    Unmap(usize),
    Update(usize, Option<usize>, Option<MappingFlags>),
    MapRegion(usize, usize, usize, MappingFlags, LeafSizes),
    UnmapRegion(usize, usize),
    ProtectRegion(usize, usize, MappingFlags),
}

impl Operation {
    /// An address near an edge of a page, a block or the half.
    fn address(random: &mut Random, base: usize) -> usize {
        let windows = [
            0,
            G1,
            2 * G1,
            (1 << 39) - G1,
            1 << 39,
            SPACE - 2 * G1,
            SPACE - G1,
            SPACE,
        ];
        let blocks = [0, 0, M2, 2 * M2, 5 * M2, G1 / 2, G1 - M2];
        let pages = [0, 0, 0, K4, 2 * K4, M2 - K4, M2 - 2 * K4, M2 / 2];
        let stray = if random.one_in(40) {
            random.pick(&[0x123, 1 << 48, 1 << 63])
        } else {
            0
        };
        let offset = random.pick(&windows) + random.pick(&blocks) + random.pick(&pages);
        base.wrapping_add(stray).wrapping_add(offset)
    }

    fn frame(random: &mut Random, address: usize) -> usize {
        let unit = random.pick(&[G1, G1, M2, K4]);
        let base = random.pick(&[0, 0, G1, 5 * G1, FRAME_LIMIT - 2 * G1, FRAME_LIMIT - G1]);
        let stray = if random.one_in(60) {
            random.pick(&[0x234, FRAME_LIMIT])
        } else {
            0
        };
        base + address % unit + stray
    }

    fn flags(random: &mut Random) -> MappingFlags {
        if random.one_in(12) {
            return MappingFlags::from_bits_truncate(random.below(256));
        }
        let kernel = MappingFlags::READ | MappingFlags::ACCESSED | MappingFlags::GLOBAL;
        let user = MappingFlags::READ | MappingFlags::ACCESSED | MappingFlags::USER;
        random.pick(&[
            kernel,
            kernel | MappingFlags::WRITE,
            kernel | MappingFlags::EXECUTE,
            kernel | MappingFlags::WRITE | MappingFlags::DEVICE,
            user,
            user | MappingFlags::WRITE,
            user | MappingFlags::WRITE | MappingFlags::UNCACHED,
            user.difference(MappingFlags::READ) | MappingFlags::EXECUTE,
            user.difference(MappingFlags::ACCESSED),
            MappingFlags::empty(),
            MappingFlags::GLOBAL,
        ])
    }

    /// A size of a region: small unless blocks can be used for it.
    fn bytes(random: &mut Random, blocks: bool) -> usize {
        let stray = if random.one_in(50) { 0x100 } else { 0 };
        let small = [
            0,
            K4,
            K4,
            2 * K4,
            7 * K4,
            M2 - K4,
            M2,
            M2 + K4,
            2 * M2,
            2 * M2 - K4,
        ];
        let large = [
            G1,
            G1 - M2,
            G1 + K4,
            G1 + M2,
            2 * G1,
            G1 / 2 + 3 * K4,
            8 * M2,
        ];
        stray
            + if blocks && random.one_in(2) {
                random.pick(&large)
            } else {
                random.pick(&small)
            }
    }

    pub(super) fn random(random: &mut Random, base: usize) -> Self {
        let at = Self::address(random, base);
        let frame = Self::frame(random, at);
        let flags = Self::flags(random);
        let sizes = random.pick(&[LeafSizes::Largest, LeafSizes::Largest, LeafSizes::PagesOnly]);
        let blocks = sizes == LeafSizes::Largest && at % M2 == frame % M2;
        match random.below(20) {
            0..5 => {
                let sizes = [
                    PageSize::Size4K,
                    PageSize::Size4K,
                    PageSize::Size2M,
                    PageSize::Size1G,
                ];
                Self::Map(at, frame, random.pick(&sizes), flags)
            }
            5..8 => Self::Unmap(at),
            8..12 => {
                let pa = random.one_in(2).then_some(frame);
                Self::Update(at, pa, (!random.one_in(3)).then_some(flags))
            }
            12..15 => Self::MapRegion(at, frame, Self::bytes(random, blocks), flags, sizes),
            15..18 => Self::UnmapRegion(at, Self::bytes(random, true)),
            _ => Self::ProtectRegion(at, Self::bytes(random, true), flags),
        }
    }
}

//! Tables made by hand, in a memory of their own, for tests.

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::map::Map;
use crate::memory::{PhysicalMemory, Table};
use crate::places::Places;
use crate::registers::Registers;

/// Bits by hand from Arm DDI 0487 D8.3: valid, page; AttrIndx 4; SH inner; AF; PXN, UXN.
pub(crate) const NORMAL_PAGE: u64 = 0x0060_0000_0000_0713;
pub(crate) const NORMAL_BLOCK: u64 = 0x0060_0000_0000_0711;
pub(crate) const READ_ONLY: u64 = 1 << 7;
pub(crate) const PXN: u64 = 1 << 53;
pub(crate) const NON_GLOBAL: u64 = 1 << 11;
pub(crate) const DEVICE: u64 = 1 << 2;
pub(crate) const NORMAL: u64 = 4 << 2;
pub(crate) const CONTIGUOUS: u64 = 1 << 52;
pub(crate) const TABLE: u64 = 0b11;
/// The root of the high half.
pub(crate) const ROOT: u64 = 0x10_0000;
/// The root of the low half, which is empty.
pub(crate) const LOW_ROOT: u64 = 0x20_0000;
pub(crate) const HIGH: u64 = 0xffff << 48;

/// The registers as Stilt sets them, with 40 bits of physical address.
pub(crate) const REGISTERS: Registers = Registers {
    ttbr0: LOW_ROOT,
    ttbr1: ROOT,
    tcr: 0x12_b510_3510,
    mair: 0xff_4400_0400,
    sctlr: 0x30d8_181f,
};

/// Frames with tables in them.
#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) frames: BTreeMap<u64, [u64; 512]>,
}

impl Memory {
    /// Two empty roots.
    pub(crate) fn with_roots() -> Self {
        Self {
            frames: [(ROOT, [0; 512]), (LOW_ROOT, [0; 512])].into(),
        }
    }

    /// The map with [`REGISTERS`].
    pub(crate) fn map(&mut self) -> Map {
        let places = Places::default();
        let read = Map::read("test", "made by hand", REGISTERS, self, &places);
        let Ok(map) = read;
        map
    }

    /// Puts a descriptor of level 3 at `va`.
    pub(crate) fn page(&mut self, va: u64, bits: u64) {
        self.put(va, 3, bits);
    }

    /// Puts a descriptor into the table of `level` for `va`, with the tables above it.
    pub(crate) fn put(&mut self, va: u64, level: usize, bits: u64) {
        let mut table = if va >> 63 == 0 { LOW_ROOT } else { ROOT };
        for above in 0..level {
            let slot = self.slot(table, va, above);
            if *slot == 0 {
                let new = 0x40_0000 + 0x1000 * self.frames.len() as u64;
                *self.slot(table, va, above) = new | TABLE;
                self.frames.insert(new, [0; 512]);
            }
            table = *self.slot(table, va, above) & 0xffff_ffff_f000;
        }
        *self.slot(table, va, level) = bits;
    }

    fn slot(&mut self, table: u64, va: u64, level: usize) -> &mut u64 {
        let index = va >> (39 - 9 * level) & 0x1ff;
        &mut self.frames.get_mut(&table).unwrap()[index as usize]
    }
}

impl PhysicalMemory for Memory {
    type Error = Infallible;

    fn read_table(&mut self, pa: u64) -> Result<Option<Table>, Infallible> {
        Ok(self.frames.get(&pa).map(|table| Box::new(*table)))
    }
}

/// A memory whose tables hold random numbers in a quarter of their entries, from this seed.
pub(crate) struct Noise(pub(crate) u64);

impl PhysicalMemory for Noise {
    type Error = Infallible;

    fn read_table(&mut self, pa: u64) -> Result<Option<Table>, Infallible> {
        let mut state = self.0 ^ pa | 1;
        let mut next = |_| {
            // xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if state >> 60 < 4 { state } else { 0 }
        };
        Ok((!pa.is_multiple_of(7)).then(|| Box::new(std::array::from_fn(&mut next))))
    }
}

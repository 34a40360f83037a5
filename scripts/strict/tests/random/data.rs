//! Data processing: DDI 0487 C4.1 "Data Processing -- Immediate" and "-- Register".

use a64::{Instruction, decode};

use super::block::Writer;
use super::encode;

/// The classes: a mask of the bits that tell the class, and their value. Those that are listed
/// twice have most of their words unallocated, or more operations than others.
const CLASSES: [(u32, u32); 26] = [
    (0x1f00_0000, 0x1000_0000), // PC-relative
    (0x1f80_0000, 0x1100_0000), // add, immediate
    (0x1f80_0000, 0x1200_0000), // logical, immediate
    (0x1f80_0000, 0x1280_0000), // move wide
    (0x9fe0_8000, 0x1300_0000), // bitfield, 32 bits
    (0x9fc0_0000, 0x9340_0000), // bitfield, 64 bits
    (0xffe0_8000, 0x1380_0000), // extract, 32 bits
    (0xffe0_0000, 0x93c0_0000), // extract, 64 bits
    (0x1f00_0000, 0x0a00_0000), // logical, shifted
    (0x1f00_0000, 0x0a00_0000),
    (0x1f20_0000, 0x0b00_0000), // add, shifted
    (0x1f20_0000, 0x0b00_0000),
    (0x1fe0_0000, 0x0b20_0000), // add, extended
    (0x1fe0_fc00, 0x1a00_0000), // with carry
    (0x3fe0_0410, 0x3a40_0000), // conditional compare
    (0x3fe0_0410, 0x3a40_0000),
    (0x3fe0_0800, 0x1a80_0000), // conditional select
    (0x7fff_f000, 0x5ac0_0000), // one source: bits and bytes reversed
    (0x7fff_f800, 0x5ac0_1000), // one source: bits counted
    (0x7fe0_f800, 0x1ac0_0800), // two sources: division
    (0x7fe0_f000, 0x1ac0_2000), // two sources: shifts
    (0xffe0_e000, 0x1ac0_4000), // two sources: CRC of up to four bytes
    (0xffe0_ec00, 0x9ac0_4c00), // two sources: CRC of eight bytes
    (0x7fe0_0000, 0x1b00_0000), // three sources
    (0xff60_0000, 0x9b20_0000), // three sources, long
    (0xff60_8000, 0x9b40_0000), // three sources, upper half
];

/// The ends of the ranges of numbers of 32 and of 64 bits: -2^63 / -1, for one, is found by chance
/// too seldom.
const EXTREMES: [u64; 8] = [
    0,
    1,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

impl Writer {
    /// A data-processing instruction; now and then with extreme values in its registers.
    pub(crate) fn data(&mut self) {
        if self.random.once_in(8) {
            return self.extreme();
        }
        let word = self.data_word();
        self.code.emit(word);
    }

    /// A data-processing instruction that leaves `register` alone.
    pub(crate) fn data_but(&mut self, register: u32) {
        loop {
            let word = self.data_word();
            if word & 31 != register {
                return self.code.emit(word);
            }
        }
    }

    /// An instruction of "Data Processing -- Register" on two of [`EXTREMES`].
    fn extreme(&mut self) {
        let rn = self.general();
        let rm = self.other_than(&[rn, encode::ZERO]);
        for register in [rn, rm] {
            let value = self.random.pick(&EXTREMES);
            self.code.constant(register, value);
        }
        loop {
            let word = self.data_word() & !(31 << 16 | 31 << 5) | rm << 16 | rn << 5;
            let is_register = word >> 25 & 7 == 0b101;
            if is_register && matches!(decode(word), Instruction::Data(_)) {
                return self.code.emit(word);
            }
        }
    }

    fn data_word(&mut self) -> u32 {
        loop {
            let (mask, value) = self.random.pick(&CLASSES);
            let word = self.random.bits() & !mask | value;
            if matches!(decode(word), Instruction::Data(_)) {
                return word;
            }
        }
    }
}

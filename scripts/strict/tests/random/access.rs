//! Loads and stores: DDI 0487 C4.1 "Loads and Stores".
//!
//! A base register is made of any register: 14 of its bits choose a place among the bases, so that
//! addresses are aligned or not as it comes. What the architecture leaves open (CONSTRAINED
//! UNPREDICTABLE: a register that is loaded twice, a written-back base that is also transferred) is
//! not generated.

use a64::{Instruction, decode};

use super::block::Writer;
use super::encode;
use super::layout::{ABSENT, BASES, NOT_ACCESSED, PRIVILEGED, READ_ONLY};

/// A load or store of one register, without its addressing: size in bits 31:30, opc in 23:22, Rt.
const SINGLE: u32 = 0x3800_0000;
/// The class of exclusive loads and stores: size in bits 31:30, L in 22, o1 (a pair) in 21.
const EXCLUSIVE: u32 = 0x0800_0000;
/// XZR, SP as a base, and the registers that an instruction does not use (Rs, Rt2).
const R31: u32 = 31;

impl Writer {
    /// An access to the window, a literal, or a prefetch.
    pub(crate) fn access(&mut self) {
        match self.random.below(8) {
            0..=3 => self.single(),
            4 => self.indexed(),
            5 | 6 => self.pair(),
            _ => match self.random.below(4) {
                0 => self.ordered(),
                1 => self.literal(),
                2 => self.prefetch(),
                _ => self.single(),
            },
        }
    }

    /// A base register that is none of `others`, 31 for SP, with its low `aligned` bits zero.
    pub(crate) fn base(&mut self, aligned: u32, others: &[u32]) -> u32 {
        let (rn, from) = (self.other_than(others), self.any());
        self.code
            .emit(encode::and_run(rn, from, aligned, 14 - aligned));
        self.code
            .emit(encode::add_pages(rn, rn, (BASES >> 12) as u32));
        rn
    }

    /// Size and opc of a load or store: no prefetch, nothing that is unallocated.
    fn transfer(&mut self) -> u32 {
        let (size, opc) = (self.random.below(4), self.random.below(4));
        match (size, opc) {
            (3, 2 | 3) | (2, 3) => 3 << 30 | (opc & 1) << 22,
            _ => size << 30 | opc << 22,
        }
    }

    /// LDR, STR and their like with an immediate: scaled, unscaled, with writeback, unprivileged.
    fn single(&mut self) {
        let (word, rt) = (SINGLE | self.transfer(), self.any());
        if self.random.once_in(4) {
            let rn = self.base(0, &[]);
            let offset = self.random.below(1 << 12) << 10;
            return self.code.emit(word | 1 << 24 | offset | rn << 5 | rt);
        }
        // Bits 11:10: unscaled, post-index, unprivileged, pre-index.
        let class = self.random.below(4);
        let transferred = [rt];
        let others: &[u32] = if class & 1 == 1 { &transferred } else { &[] };
        let rn = self.base(0, others);
        let offset = self.random.below(1 << 9) << 12;
        self.code.emit(word | offset | class << 10 | rn << 5 | rt);
    }

    /// LDR, STR and their like with an index register: 12 bits of any register with their sign, or
    /// without it and under an upper half that UXTW and SXTW (2 and 6) must not look at.
    fn indexed(&mut self) {
        let (word, rt, rm) = (SINGLE | 1 << 21 | self.transfer(), self.any(), self.any());
        let option = self.random.pick(&[2, 3, 6, 7]);
        if rm != R31 {
            let (from, unsigned) = (self.any(), self.random.once_in(2));
            self.code.emit(match option {
                2 => encode::and_run(rm, from, 32, 32 + 12),
                6 if unsigned => encode::and_run(rm, from, 32, 32 + 12),
                _ => encode::signed_low(rm, from, 12),
            });
        }
        let rn = self.base(0, &[rm]);
        let shift = self.random.below(2) << 12;
        self.code
            .emit(word | rm << 16 | option << 13 | shift | 2 << 10 | rn << 5 | rt);
    }

    /// LDP, LDPSW, STP, LDNP, STNP.
    fn pair(&mut self) {
        // Bits 24:23: non-temporal, post-index, offset, pre-index.
        let (mode, load) = (self.random.below(4), self.random.below(2));
        let opc = match (self.random.below(3), load, mode) {
            (1, 0, _) | (1, _, 0) => 0,
            (opc, ..) => opc,
        };
        let rt = self.any();
        let rt2 = if load == 1 {
            self.other_than(&[rt])
        } else {
            self.any()
        };
        let transferred = [rt, rt2];
        let others: &[u32] = if mode & 1 == 1 { &transferred } else { &[] };
        let rn = self.base(0, others);
        let offset = self.random.below(1 << 7) << 15;
        self.code.emit(
            0x2800_0000 | opc << 30 | mode << 23 | load << 22 | offset | rt2 << 10 | rn << 5 | rt,
        );
    }

    /// LDAR, STLR and their forms for bytes and halfwords; now and then at an address that is not
    /// aligned, which is a fault.
    fn ordered(&mut self) {
        let (size, load, rt) = (self.random.below(4), self.random.below(2), self.any());
        let aligned = if self.random.once_in(8) { 0 } else { size };
        let rn = self.base(aligned, &[]);
        self.code
            .emit(0x089f_fc00 | size << 30 | load << 22 | rn << 5 | rt);
    }

    /// LDR and LDRSW of a word of the code that is near.
    fn literal(&mut self) {
        let (opc, rt) = (self.random.below(3), self.any());
        let back = self.code.len().min(64) as u32;
        let distance = i64::from(self.random.below(back + 64)) - i64::from(back);
        self.code
            .emit(0x1800_0000 | opc << 30 | (distance as u32 & 0x7_ffff) << 5 | rt);
    }

    /// PRFM and PRFUM, of any address: a prefetch is no access.
    fn prefetch(&mut self) {
        const CLASSES: [(u32, u32); 4] = [
            (0xffc0_0000, 0xf980_0000), // scaled
            (0xffe0_0c00, 0xf880_0000), // unscaled
            (0xffe0_4c00, 0xf8a0_4800), // index register
            (0xff00_0000, 0xd800_0000), // literal
        ];
        let (mask, value) = self.random.pick(&CLASSES);
        let word = self.random.bits() & !mask | value;
        assert!(matches!(decode(word), Instruction::Access(_)));
        self.code.emit(word);
    }

    /// LDXR ... STXR: bytes to pairs, with acquire and release or not. Between them data
    /// processing, and now and then what clears the monitor.
    pub(crate) fn exclusive(&mut self) {
        // Pairs are of four or eight bytes each.
        let pair = self.random.below(2);
        let size = if pair == 1 {
            2 + self.random.below(2)
        } else {
            self.random.below(4)
        };
        if self.random.once_in(16) {
            return self.unaligned_exclusive(pair, size);
        }
        let rn = self.base(size + pair, &[]);
        let word = EXCLUSIVE | size << 30 | pair << 21 | rn << 5;
        let rt = self.other_than(&[rn]);
        let rt2 = if pair == 1 {
            self.other_than(&[rn, rt])
        } else {
            R31
        };
        self.exclusive_load(word, rt, rt2);
        for _ in 0..self.random.below(3) {
            self.data_but(rn);
        }
        match self.random.below(8) {
            0 => self.clear_exclusive(),
            1 => self.exception(),
            _ => {}
        }
        for _ in 0..=u32::from(self.random.once_in(4)) {
            let (rt, rt2) = (self.any(), if pair == 1 { self.any() } else { R31 });
            let rs = self.other_than(&[rn, rt, rt2]);
            let release = self.random.below(2) << 15;
            self.code.emit(word | rs << 16 | release | rt2 << 10 | rt);
        }
    }

    fn exclusive_load(&mut self, word: u32, rt: u32, rt2: u32) {
        let acquire = self.random.below(2) << 15;
        self.code
            .emit(word | 1 << 22 | R31 << 16 | acquire | rt2 << 10 | rt);
    }

    fn clear_exclusive(&mut self) {
        let ignored = self.random.below(16) << 8;
        self.code.emit(0xd503_305f | ignored);
    }

    /// An exclusive load at any address, which is a fault unless it is aligned.
    fn unaligned_exclusive(&mut self, pair: u32, size: u32) {
        let rn = self.base(0, &[]);
        let rt = self.any();
        let rt2 = if pair == 1 {
            self.other_than(&[rt])
        } else {
            R31
        };
        self.exclusive_load(EXCLUSIVE | size << 30 | pair << 21 | rn << 5, rt, rt2);
    }

    /// An address that only some may access, or nobody: a constant.
    pub(crate) fn refused_address(&mut self) -> u64 {
        let page = self.random.pick(&[
            READ_ONLY,
            PRIVILEGED,
            ABSENT,
            NOT_ACCESSED,
            // No entry at level 2, at level 1; too many bits; addresses that TBI makes good.
            0x3000_0000,
            0x1_4000_0000,
            0x80_0000_0000,
            0xffff_ff80_0000_0000,
            0x5a00_0000_0011_0000,
            0x5a00_0000_0011_2000,
        ]);
        page + u64::from(self.random.below(32)) * 64
    }

    /// A load or store of an address that is refused to EL0, for stores, or to all.
    pub(crate) fn refused_access(&mut self) {
        let (word, rt, rn) = (SINGLE | self.transfer(), self.any(), self.general());
        let address = self.refused_address();
        self.code.constant(rn, address);
        // Unscaled and unprivileged at the base, or with writeback (which a fault undoes).
        let class = self.random.below(4);
        let offset = match class {
            1 => self.random.below(1 << 9) << 12,
            _ => 0,
        };
        let rt = if class & 1 == 1 && rt == rn { R31 } else { rt };
        self.code.emit(word | offset | class << 10 | rn << 5 | rt);
    }
}

//! Branches and exceptions: DDI 0487 C4.1 "Branches, Exception Generating and System instructions".

use super::block::Writer;
use super::encode;
use super::layout::{ABSENT, BLOCKS, Level, NOT_ACCESSED, WINDOW};
use super::state::END_OF_BLOCK;

/// BR, BLR and RET, without their register.
const TO_REGISTER: [u32; 3] = [0xd61f_0000, 0xd63f_0000, 0xd65f_0000];
/// DRPS.
const DRPS: u32 = 0xd6bf_03e0;
/// BLR.
const BLR: u32 = TO_REGISTER[1];

impl Writer {
    /// A branch, over items or back to one.
    pub(crate) fn branch(&mut self) {
        match self.random.below(8) {
            0..=3 => {
                let branch = self.direct();
                let held = self.code.hold();
                self.skipped_items();
                self.code.target(held, branch);
            }
            4 => self.by_register(),
            5 => self.back(),
            6 => self.exception_return(),
            _ => self.refused_branch(),
        }
    }

    /// A branch by its distance: B, BL, B.cond, CBZ, CBNZ, TBZ or TBNZ.
    fn direct(&mut self) -> impl FnOnce(i64) -> u32 + use<> {
        let (bits, rt, bit) = (self.random.bits(), self.any(), self.random.below(64));
        let kind = self.random.below(8);
        let narrow = (bits >> 8 & 1) << 31;
        move |distance| match kind {
            0 => encode::b(distance),
            1 => encode::bl(distance),
            2 | 3 => encode::b_if(bits & 15, distance),
            4 => encode::cbz(rt, distance) ^ narrow,
            5 => encode::cbnz(rt, distance) ^ narrow,
            6 => encode::tbz(rt, bit, distance),
            _ => encode::tbnz(rt, bit, distance),
        }
    }

    /// BR, BLR or RET over items, to an address that ADR has made.
    fn by_register(&mut self) {
        let (rn, word) = (self.general(), self.random.pick(&TO_REGISTER));
        let held = self.code.hold();
        self.code.emit(word | rn << 5);
        self.skipped_items();
        self.code.target(held, |distance| encode::adr(rn, distance));
    }

    /// A branch back: `b 1f; 2: item; b 3f; 1: branch to 2; 3:`.
    fn back(&mut self) {
        let over = self.code.hold();
        let top = self.code.here();
        self.skipped_items();
        let end = self.code.hold();
        self.code.target(over, encode::b);
        let branch = self.direct();
        self.code.to(top, branch);
        self.code.target(end, encode::b);
    }

    /// ERET to the next instruction, at this exception level or below it, or illegally.
    fn exception_return(&mut self) {
        // M[4:0]: the levels and stack pointers that are there, and reserved or higher ones.
        let (legal, illegal): (&[u32], &[u32]) = match self.level {
            Level::El1 => (&[0, 4, 5, 5], &[1, 2, 6, 8, 9, 12, 13]),
            Level::El2 => (&[8, 9, 9], &[1, 10, 11, 12, 13]),
        };
        let modes = if self.random.once_in(8) {
            illegal
        } else {
            legal
        };
        let mode = self.random.pick(modes);
        let illegal_state = u32::from(self.random.once_in(16)) << 20;
        let flags = self.random.bits() & 0xf000_03c0;
        let (target, state) = (self.general(), self.general());
        let held = self.code.hold();
        let (elr, spsr) = (self.level.of("elr"), self.level.of("spsr"));
        self.code.emit(encode::msr(&elr, target));
        self.code
            .constant(state, u64::from(flags | illegal_state | mode));
        self.code.emit(encode::msr(&spsr, state));
        self.code.emit(encode::ERET);
        self.code
            .target(held, |distance| encode::adr(target, distance));
    }

    /// BLR to an address that cannot be fetched: unaligned, without permission, unmapped. The
    /// handler goes on at the link register. The unaligned ones could be fetched otherwise: QEMU
    /// looks for other faults first, against DDI 0487 D1.3 (prioritization of exceptions).
    fn refused_branch(&mut self) {
        let address = self.random.pick(&[
            BLOCKS + 1,
            BLOCKS + 2,
            WINDOW,
            ABSENT,
            NOT_ACCESSED,
            0x3000_0000,
        ]);
        let rn = self.general();
        self.code.constant(rn, address);
        self.code.emit(BLR | rn << 5);
    }

    /// SVC, BRK, HLT, HVC, or SMC where it is trapped; DCPS1 to DCPS3 and DRPS, which are
    /// UNDEFINED outside of Debug state.
    pub(crate) fn exception(&mut self) {
        let number = self.random.bits() as u16;
        let number = if number == END_OF_BLOCK { 0 } else { number };
        let smc = match self.level {
            Level::El1 => 0xd400_0003,
            Level::El2 => 0xd400_0002,
        };
        if self.random.once_in(16) {
            return self.code.emit(DRPS);
        }
        let kind = self.random.pick(&[
            0xd400_0001,
            0xd400_0001,
            0xd400_0002,
            smc,
            0xd420_0000,
            0xd440_0000,
            0xd4a0_0001,
            0xd4a0_0002,
            0xd4a0_0003,
        ]);
        self.code.emit(kind | u32::from(number) << 5);
    }
}

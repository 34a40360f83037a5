//! System registers, hints, barriers and maintenance: DDI 0487 C4.1 "System instructions".

use super::block::Writer;
use super::encode::{self, ISB, SEVL, WFE};
use super::layout::Level;

/// Registers that are read: those that a block may write, and those that stay as they are.
const READ: [&str; 44] = [
    "nzcv",
    "nzcv",
    "nzcv",
    "daif",
    "spsel",
    "currentel",
    "sp_el0",
    "elr_el1",
    "spsr_el1",
    "esr_el1",
    "far_el1",
    "par_el1",
    "tpidr_el0",
    "tpidrro_el0",
    "tpidr_el1",
    "contextidr_el1",
    "csselr_el1",
    "afsr0_el1",
    "afsr1_el1",
    "amair_el1",
    "sctlr_el1",
    "cpacr_el1",
    "ttbr0_el1",
    "tcr_el1",
    "mair_el1",
    "vbar_el1",
    "cntkctl_el1",
    "isr_el1",
    "midr_el1",
    "mpidr_el1",
    "revidr_el1",
    "aidr_el1",
    "ctr_el0",
    "dczid_el0",
    "fpcr",
    "fpsr",
    "elr_el2",
    "spsr_el2",
    "esr_el2",
    "far_el2",
    "sctlr_el2",
    "hcr_el2",
    "sp_el1",
    "scr_el3",
];

/// Registers that are written, and the bits that are not RES0.
const WRITTEN: [(&str, u64); 20] = [
    ("nzcv", u64::MAX),
    ("nzcv", u64::MAX),
    ("daif", 0x3c0),
    ("spsel", 1),
    ("sp_el0", u64::MAX),
    ("tpidr_el0", u64::MAX),
    ("tpidrro_el0", u64::MAX),
    ("contextidr_el1", 0xffff_ffff),
    ("csselr_el1", 3),
    ("cntkctl_el1", 0x303),
    ("elr_el1", u64::MAX),
    ("spsr_el1", SPSR),
    ("esr_el1", 0xffff_ffff),
    ("far_el1", u64::MAX),
    ("afsr0_el1", u64::MAX),
    ("amair_el1", u64::MAX),
    ("elr_el2", u64::MAX),
    ("far_el2", u64::MAX),
    ("midr_el1", u64::MAX),
    ("currentel", u64::MAX),
];
/// N, Z, C, V, SS, IL, D, A, I, F, M.
const SPSR: u64 = 0xf030_03df;

impl Writer {
    /// MRS or MSR, also of registers that are read-only or of a higher level; MSR (immediate).
    pub(crate) fn register(&mut self) {
        let rt = self.any();
        match self.random.below(16) {
            0 => {
                // The identification registers, of which the undefined ones read as zero. The
                // two with what the board has not, and QEMU has (AES, SHA), are left out.
                let fields = [1 + self.random.below(7), self.random.below(8)];
                if fields != [2, 5] && fields != [6, 0] {
                    let [crm, op2] = fields.map(|field| field as u16);
                    self.code.emit(encode::mrs_of(rt, [3, 0, 0, crm, op2]));
                }
            }
            1..=3 => self.pstate(),
            4..=8 => {
                let name = self.random.pick(&READ);
                self.code.emit(encode::mrs(rt, name));
            }
            _ => self.write(),
        }
    }

    /// MSR of a value that has no RES0 bit set.
    fn write(&mut self) {
        let (name, mask) = self.random.pick(&WRITTEN);
        let rt = if mask == u64::MAX {
            self.any()
        } else {
            self.general()
        };
        if mask != u64::MAX {
            let value = self.random.next() & mask;
            self.code.constant(rt, value);
        }
        self.code.emit(encode::msr(name, rt));
    }

    /// MSR (immediate): SPSel, DAIFSet, DAIFClr. Where EL1 traps the last two, QEMU 7.2 tells op1
    /// and op2 in each other's place in ESR_EL1.
    fn pstate(&mut self) {
        let fields = if self.el0_may { 3 } else { 1 };
        let word = match self.random.below(fields) {
            0 => 0xd500_40bf | self.random.below(16) << 8,
            1 => 0xd503_40df | self.random.below(16) << 8,
            _ => 0xd503_40ff | self.random.below(16) << 8,
        };
        self.code.emit(word);
    }

    /// A hint or a barrier. WFI would wait for ever; WFE comes behind SEVL.
    pub(crate) fn hint(&mut self) {
        let number = self.random.below(128);
        match self.random.below(3) {
            0 => self.code.extend([SEVL, WFE]),
            1 if number != 2 && number != 3 => self.code.emit(0xd503_201f | number << 5),
            _ => {
                // CLREX, DSB, DMB, ISB.
                let operation = self.random.pick(&[2, 4, 5, 6]);
                let domain = self.random.below(16);
                self.code.emit(0xd503_301f | domain << 8 | operation << 5);
            }
        }
    }

    /// DC, IC, AT or TLBI.
    pub(crate) fn maintenance(&mut self) {
        match self.random.below(8) {
            0..=2 => self.cache(),
            3 => self.tlb(),
            _ => self.translate(),
        }
    }

    /// DC and IC of an address in the window. DC ZVA writes it; DC IVAC may lose what is only in the
    /// cache, so the line is cleaned before.
    fn cache(&mut self) {
        let name = self.random.pick(&[
            "dc zva",
            "dc zva",
            "dc cvac",
            "dc cvau",
            "dc civac",
            "dc ivac",
            "ic ivau",
            "ic iallu",
            "ic ialluis",
        ]);
        // SP would be the base otherwise, and the operand XZR.
        let rt = self.base(0, &[encode::ZERO]);
        match name {
            "ic iallu" | "ic ialluis" => self.code.emit(encode::sys(name, encode::ZERO)),
            "dc ivac" => self.code.extend([
                encode::sys("dc cvac", rt),
                encode::DSB,
                encode::sys(name, rt),
                encode::DSB,
            ]),
            _ => self.code.emit(encode::sys(name, rt)),
        }
    }

    /// TLBI of this level, which changes nothing that can be seen.
    fn tlb(&mut self) {
        let (all, one) = match self.level {
            Level::El1 => ("tlbi vmalle1is", "tlbi vaae1is"),
            Level::El2 => ("tlbi alle2is", "tlbi vae2is"),
        };
        let word = if self.random.once_in(4) {
            encode::sys(all, encode::ZERO)
        } else {
            encode::sys(one, self.any())
        };
        self.code.extend([encode::DSB, word, encode::DSB, ISB]);
    }

    /// AT, and PAR_EL1: of the window or of an address that is refused to some.
    fn translate(&mut self) {
        let operations: &[&str] = match self.level {
            Level::El1 => &["at s1e1r", "at s1e1w", "at s1e0r", "at s1e0w"],
            Level::El2 => &["at s1e2r", "at s1e2w"],
        };
        let name = self.random.pick(operations);
        let rt = if self.random.once_in(2) {
            self.base(0, &[encode::ZERO])
        } else {
            let (rt, address) = (self.general(), self.refused_address());
            self.code.constant(rt, address);
            rt
        };
        let result = self.any();
        self.code
            .extend([encode::sys(name, rt), ISB, encode::mrs(result, "par_el1")]);
    }
}

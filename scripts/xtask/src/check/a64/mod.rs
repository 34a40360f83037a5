//! What an A64 instruction word is, as far as the checks ask.
//!
//! Owns every mask that tells one class of instructions from another. The masks are worked out from
//! the encoding tables of the Arm Architecture Reference Manual for A-profile (DDI 0487), section
//! C4.1 "A64 instruction set encoding"; each function names the table (encoding class) it stands
//! on. `memory` holds loads and stores, `flow` branches and PC-relative addresses, `system` barriers,
//! system registers and maintenance, this file the rest.
//!
//! # Decisions
//!
//! No disassembler crate: the checks ask a few dozen yes-or-no questions, each of which is one line
//! in a table of the manual, and a wrong answer has to be traceable to that line.

#![forbid(unsafe_code)]

mod flow;
mod memory;
mod system;

pub(super) use flow::Flow;
pub(super) use system::{System, SystemRegister};

/// One A64 instruction word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction(pub(super) u32);

/// Number of a general-purpose register, 0 to 31; 31 is the zero register or the stack pointer.
pub(super) type Register = u32;

/// The register number that means the zero register (or SP) and never holds an address of ours.
pub(super) const ZERO: Register = 31;

/// One step of building a constant: "Move wide (immediate)".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MoveWide {
    /// MOVZ or MOVN: the register now holds this value.
    Set(u64),
    /// MOVK: sixteen bits are replaced, the rest stays.
    Keep {
        /// The sixteen bits in place.
        bits: u64,
        /// Ones where the register is replaced.
        mask: u64,
    },
}

impl Instruction {
    /// Bits `high..=low` of the word.
    const fn field(self, high: u32, low: u32) -> u32 {
        (self.0 >> low) & (u32::MAX >> (31 - (high - low)))
    }

    /// Whether the bits under `mask` are `value`.
    const fn matches(self, mask: u32, value: u32) -> bool {
        self.0 & mask == value
    }

    /// Rd or Rt: the register in bits 4:0.
    pub(super) const fn rd(self) -> Register {
        self.field(4, 0)
    }

    /// Rn: the register in bits 9:5, the base of a load or store.
    pub(super) const fn rn(self) -> Register {
        self.field(9, 5)
    }

    /// Rm or Rs: the register in bits 20:16.
    pub(super) const fn rm(self) -> Register {
        self.field(20, 16)
    }

    /// Ra or Rt2: the register in bits 14:10.
    pub(super) const fn ra(self) -> Register {
        self.field(14, 10)
    }

    /// Whether the instruction needs the SIMD and floating-point unit (or SVE, or SME): C4.1 op0
    /// x111 "Data processing - scalar floating-point and Advanced SIMD", 0010 "SVE", 1xxx0000
    /// "SME", loads and stores with V = 1, and MRS or MSR of FPCR and FPSR (C5.2: op0 3, op1 3, CRn
    /// 4, CRm 4).
    pub(super) const fn is_simd_or_fp(self) -> bool {
        self.matches(0x0e00_0000, 0x0e00_0000)
            || self.matches(0x1e00_0000, 0x0400_0000)
            || self.matches(0x9e00_0000, 0x8000_0000)
            || self.is_vector_access()
            || self.matches(0xffdf_ffc0, 0xd51b_4400)
    }

    /// "Data-processing (3 source)", the 64-bit multiply-accumulates that really add: MADD, MSUB,
    /// SMADDL, SMSUBL, UMADDL, UMSUBL with Ra other than the zero register (sf = 1, op31 000, 001
    /// or 101; op31 x10 is SMULH and UMULH, which do not accumulate).
    pub(super) const fn is_wide_multiply_accumulate(self) -> bool {
        let class = self.matches(0xff00_0000, 0x9b00_0000);
        class && matches!(self.field(23, 21), 0b000 | 0b001 | 0b101) && self.ra() != ZERO
    }

    /// "Move wide (immediate)": what MOVN, MOVZ or MOVK does to its register.
    pub(super) const fn move_wide(self) -> Option<MoveWide> {
        if !self.matches(0x1f80_0000, 0x1280_0000) {
            return None;
        }
        let shift = self.field(22, 21) * 16;
        let bits = (self.field(20, 5) as u64) << shift;
        let width = if self.field(31, 31) == 1 {
            u64::MAX
        } else {
            u32::MAX as u64
        };
        match self.field(30, 29) {
            0b00 => Some(MoveWide::Set(!bits & width)),
            0b10 => Some(MoveWide::Set(bits & width)),
            0b11 => Some(MoveWide::Keep {
                bits,
                mask: 0xffff << shift,
            }),
            _ => None,
        }
    }

    /// "Barriers": ISB, whatever its CRm.
    pub(super) const fn is_isb(self) -> bool {
        self.matches(0xffff_f0ff, 0xd503_30df)
    }

    /// "Barriers": DSB, whatever its CRm.
    pub(super) const fn is_dsb(self) -> bool {
        self.matches(0xffff_f0ff, 0xd503_309f)
    }

    /// Whether an ISB beside this instruction has a purpose: MSR to a register or to PSTATE, SYS
    /// (TLBI, IC, DC, AT: "System instructions", L = 0), and MRS of the counters CNTPCT_EL0 and
    /// CNTVCT_EL0.
    pub(super) const fn gives_isb_a_purpose(self) -> bool {
        let msr_register = self.matches(0xfff0_0000, 0xd510_0000);
        let msr_pstate = self.matches(0xfff8_f01f, 0xd500_401f);
        let sys = self.matches(0xfff8_0000, 0xd508_0000);
        let counter =
            self.matches(0xffff_ffe0, 0xd53b_e020) || self.matches(0xffff_ffe0, 0xd53b_e040);
        msr_register || msr_pstate || sys || counter
    }

    /// "System instructions", the cache maintenance that must not run with the MMU off: DC ZVA (op1
    /// 3, CRm 4, op2 1) faults on Device memory, and DC ISW, CSW, CISW (op1 0, CRm 6, 10, 14, op2
    /// 2) reach only the caches of this core.
    pub(super) const fn forbidden_cache_operation(self) -> Option<&'static str> {
        match self.0 & 0xffff_ffe0 {
            0xd50b_7420 => Some("dc zva"),
            0xd508_7640 => Some("dc isw"),
            0xd508_7a40 => Some("dc csw"),
            0xd508_7e40 => Some("dc cisw"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Instruction, MoveWide};

    #[test]
    fn simd_and_floating_point_are_seen_in_every_class() {
        let words = [
            (0x9e67_0000, "fmov d0, x0"),
            (0x6f00_e400, "movi v0.2d, #0"),
            (0x1e22_2820, "fadd s0, s1, s2"),
            (0x3dc0_0020, "ldr q0, [x1]"),
            (0x6d00_27e8, "stp d8, d9, [sp]"),
            (0x5c00_0040, "ldr d0, .+8"),
            (0x4c40_7000, "ld1 {v0.16b}, [x0]"),
            (0xd53b_4400, "mrs x0, fpcr"),
            (0xd51b_4420, "msr fpsr, x0"),
        ];
        for (word, text) in words {
            assert!(Instruction(word).is_simd_or_fp(), "{text}");
        }
    }

    #[test]
    fn integer_code_is_not_simd() {
        let words = [
            (0xf940_0420, "ldr x0, [x1, #8]"),
            (0xa941_07e0, "ldp x0, x1, [sp, #16]"),
            (0x9b02_0c20, "madd x0, x1, x2, x3"),
            (0xd538_4240, "mrs x0, currentel"),
            (0xd51b_4220, "msr daif, x0"),
            (0x5800_0040, "ldr x0, .+8"),
            (0xd503_201f, "nop"),
            (0x1400_0002, "b .+8"),
            (0xd2ff_ffe0, "mov x0, #0xffff000000000000"),
            (0x9250_6c00, "and x0, x0, #0xffff000000000fff"),
            (0x0000_0000, "udf #0"),
        ];
        for (word, text) in words {
            assert!(!Instruction(word).is_simd_or_fp(), "{text}");
        }
    }

    #[test]
    fn only_64_bit_sums_of_products_are_multiply_accumulates() {
        let yes = [
            (0x9b02_0c20, "madd x0, x1, x2, x3"),
            (0x9b02_8c20, "msub x0, x1, x2, x3"),
            (0x9b22_0c20, "smaddl x0, w1, w2, x3"),
            (0x9ba2_8c20, "umsubl x0, w1, w2, x3"),
        ];
        let no = [
            (0x9b02_7c20, "mul x0, x1, x2"),
            (0x1b02_0c20, "madd w0, w1, w2, w3"),
            (0x9ba2_7c20, "umull x0, w1, w2"),
            (0x9b42_7c20, "smulh x0, x1, x2"),
            (0x9100_4000, "add x0, x0, #16"),
        ];
        for (word, text) in yes {
            assert!(Instruction(word).is_wide_multiply_accumulate(), "{text}");
        }
        for (word, text) in no {
            assert!(!Instruction(word).is_wide_multiply_accumulate(), "{text}");
        }
    }

    #[test]
    fn move_wide_gives_the_value_it_builds() {
        let set = |word| Instruction(word).move_wide();
        assert_eq!(set(0xd2ff_ffe0), Some(MoveWide::Set(0xffff_0000_0000_0000)));
        assert_eq!(
            set(0x9280_0000),
            Some(MoveWide::Set(u64::MAX)),
            "movn x0, #0"
        );
        assert_eq!(
            set(0x1280_0000),
            Some(MoveWide::Set(0xffff_ffff)),
            "movn w0, #0"
        );
        assert_eq!(set(0x5280_00a0), Some(MoveWide::Set(5)), "movz w0, #5");
        let keep = MoveWide::Keep {
            bits: 0x8_0000,
            mask: 0xffff_0000,
        };
        assert_eq!(set(0xf2a0_0100), Some(keep), "movk x0, #8, lsl #16");
        assert_eq!(set(0x9100_4000), None, "add x0, x0, #16");
    }

    #[test]
    fn barriers_are_told_apart() {
        assert!(Instruction(0xd503_3fdf).is_isb());
        assert!(Instruction(0xd503_3f9f).is_dsb());
        for (word, text) in [
            (0xd503_3bbf, "dmb ish"),
            (0xd503_3f5f, "clrex"),
            (0xd503_203f, "yield"),
        ] {
            assert!(
                !Instruction(word).is_isb() && !Instruction(word).is_dsb(),
                "{text}"
            );
        }
    }

    #[test]
    fn an_isb_serves_writes_maintenance_and_counters_only() {
        let yes = [
            (0xd518_1000, "msr sctlr_el1, x0"),
            (0xd503_42df, "msr daifset, #2"),
            (0xd508_871f, "tlbi vmalle1"),
            (0xd508_751f, "ic iallu"),
            (0xd50b_7e20, "dc civac, x0"),
            (0xd508_7800, "at s1e1r, x0"),
            (0xd53b_e020, "mrs x0, cntpct_el0"),
            (0xd53b_e040, "mrs x0, cntvct_el0"),
        ];
        let no = [
            (0xd538_00a0, "mrs x0, mpidr_el1"),
            (0xd503_3f9f, "dsb sy"),
            (0xd503_3fdf, "isb"),
            (0xd503_201f, "nop"),
            (0xd503_205f, "wfe"),
        ];
        for (word, text) in yes {
            assert!(Instruction(word).gives_isb_a_purpose(), "{text}");
        }
        for (word, text) in no {
            assert!(!Instruction(word).gives_isb_a_purpose(), "{text}");
        }
    }

    #[test]
    fn set_way_and_zeroing_are_the_forbidden_cache_operations() {
        let name = |word| Instruction(word).forbidden_cache_operation();
        assert_eq!(name(0xd50b_7420), Some("dc zva"));
        assert_eq!(name(0xd508_7640), Some("dc isw"));
        assert_eq!(name(0xd508_7a41), Some("dc csw"));
        assert_eq!(name(0xd508_7e5e), Some("dc cisw"));
        assert_eq!(name(0xd50b_7e20), None, "dc civac, x0");
        assert_eq!(name(0xd508_7620), None, "dc ivac, x0");
    }
}

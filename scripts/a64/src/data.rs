//! Data processing: DDI 0487 C4.1 "Data Processing -- Immediate" and "Data Processing -- Register".

use crate::operand::{Condition, Register, Width};

/// An instruction that works on general registers and the flags alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Data {
    /// ADR: the instruction's own address and an offset.
    Adr {
        /// The result.
        rd: Register,
        /// In bytes, ±1 MiB.
        offset: i64,
    },
    /// ADRP: the 4 KiB page of the instruction's own address and an offset.
    Adrp {
        /// The result.
        rd: Register,
        /// In bytes, a multiple of 4096, ±4 GiB.
        offset: i64,
    },
    /// ADD, ADDS, SUB, SUBS.
    Arithmetic {
        /// Which sum.
        sum: Sum,
        /// Whether the flags N, Z, C, V are set.
        flags: Flags,
        /// Of all registers but an extended one.
        width: Width,
        /// The result. SP with an immediate or an extended register, unless the flags are set.
        rd: Register,
        /// The first operand. SP with an immediate or an extended register.
        rn: Register,
        /// The second operand.
        operand: Operand,
    },
    /// AND, ORR, EOR, ANDS, and with a register also BIC, ORN, EON, BICS.
    Logical {
        /// Which.
        operation: Logical,
        /// Of all registers.
        width: Width,
        /// The result. SP with an immediate, but for ANDS.
        rd: Register,
        /// The first operand.
        rn: Register,
        /// The second operand.
        operand: LogicalOperand,
    },
    /// MOVN, MOVZ, MOVK.
    Move {
        /// Which.
        kind: Move,
        /// Of the register.
        width: Width,
        /// The result.
        rd: Register,
        /// Sixteen bits.
        bits: u16,
        /// Where they go: 0, 16, 32 or 48.
        shift: u8,
    },
    /// SBFM, BFM, UBFM.
    Bitfield {
        /// Which.
        kind: Bitfield,
        /// Of both registers.
        width: Width,
        /// The result.
        rd: Register,
        /// The source.
        rn: Register,
        /// immr: how far the source is rotated to the right.
        rotate: u8,
        /// imms: the leftmost bit of the source that is moved.
        last: u8,
    },
    /// EXTR: a word out of two.
    Extract {
        /// Of all registers.
        width: Width,
        /// The result.
        rd: Register,
        /// The upper half.
        rn: Register,
        /// The lower half.
        rm: Register,
        /// The lowest bit of the result in both.
        low: u8,
    },
    /// ADC, ADCS, SBC, SBCS.
    Carry {
        /// Which sum.
        sum: Sum,
        /// Whether the flags are set.
        flags: Flags,
        /// Of all registers.
        width: Width,
        /// The result.
        rd: Register,
        /// The first operand.
        rn: Register,
        /// The second operand.
        rm: Register,
    },
    /// CCMP (a difference) and CCMN (a sum): compares if a condition holds.
    ConditionalCompare {
        /// A difference or a sum.
        sum: Sum,
        /// Of the registers.
        width: Width,
        /// The first operand.
        rn: Register,
        /// The second operand.
        operand: CompareOperand,
        /// N, Z, C, V in bits 3 to 0 if the condition does not hold.
        otherwise: u8,
        /// When it compares.
        condition: Condition,
    },
    /// CSEL, CSINC, CSINV, CSNEG: Rn if a condition holds, else Rm as it is or changed.
    ConditionalSelect {
        /// What is made of Rm.
        change: Change,
        /// Of all registers.
        width: Width,
        /// The result.
        rd: Register,
        /// The value if the condition holds.
        rn: Register,
        /// The value if not, before the change.
        rm: Register,
        /// When Rn is taken.
        condition: Condition,
    },
    /// "Data-processing (1 source)".
    One {
        /// Which.
        operation: One,
        /// Of both registers.
        width: Width,
        /// The result.
        rd: Register,
        /// The operand.
        rn: Register,
    },
    /// "Data-processing (2 source)".
    Two {
        /// Which.
        operation: Two,
        /// Of all registers; for the CRC instructions of Rm alone, and the others are 32 bits wide.
        width: Width,
        /// The result.
        rd: Register,
        /// The first operand.
        rn: Register,
        /// The second operand.
        rm: Register,
    },
    /// "Data-processing (3 source)".
    Three {
        /// Which.
        operation: Three,
        /// Of all registers, but the factors of the long forms are 32 bits wide.
        width: Width,
        /// The result.
        rd: Register,
        /// The first factor.
        rn: Register,
        /// The second factor.
        rm: Register,
        /// What the product is added to or taken from; nothing for SMULH and UMULH.
        ra: Register,
    },
}

/// The second operand of a sum.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operand {
    /// imm12, shifted by 12 if `sh` is set.
    Immediate {
        /// 0 to 4095.
        bits: u16,
        /// 0 or 12.
        shift: u8,
    },
    /// A register, shifted.
    Shifted(Shifted),
    /// A register, extended and then shifted left.
    Extended {
        /// The register.
        rm: Register,
        /// How.
        extend: Extend,
        /// By how many bits, 0 to 4.
        shift: u8,
    },
}

/// The second operand of a logical operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogicalOperand {
    /// A repeated run of ones (DecodeBitMasks in the manual's shared pseudocode), as wide as the
    /// registers.
    Immediate(u64),
    /// A register, shifted.
    Plain(Shifted),
    /// A register, shifted and inverted.
    Inverted(Shifted),
}

/// The second operand of a conditional comparison.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CompareOperand {
    /// 0 to 31.
    Immediate(u8),
    /// A register.
    Register(Register),
}

/// A register with a shift.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shifted {
    /// The register.
    pub rm: Register,
    /// How.
    pub shift: Shift,
    /// By how many bits, less than the width.
    pub amount: u8,
}

/// Bits 23:22 of the shifted-register classes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shift {
    /// Logical, to the left.
    Lsl,
    /// Logical, to the right.
    Lsr,
    /// Arithmetic, to the right.
    Asr,
    /// Rotated to the right: in logical operations only.
    Ror,
}

/// `option`, bits 15:13 of the classes with an extended register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extend {
    /// Zeros above a byte.
    Uxtb,
    /// Zeros above a halfword.
    Uxth,
    /// Zeros above a word.
    Uxtw,
    /// The whole register: for an index of memory, LSL.
    Uxtx,
    /// The sign of a byte.
    Sxtb,
    /// The sign of a halfword.
    Sxth,
    /// The sign of a word.
    Sxtw,
    /// The whole register.
    Sxtx,
}

/// Sum or difference.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sum {
    /// Rn + operand.
    Add,
    /// Rn - operand.
    Sub,
}

/// Whether an instruction sets N, Z, C and V.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flags {
    /// They stay.
    Keep,
    /// They are set by the result.
    Set,
}

/// opc of the logical classes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Logical {
    /// AND, BIC.
    And,
    /// ORR, ORN.
    Orr,
    /// EOR, EON.
    Eor,
    /// ANDS, BICS: sets the flags.
    Ands,
}

/// opc of "Move wide (immediate)".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Move {
    /// MOVN: the inverse of the bits in place.
    Inverted,
    /// MOVZ: the bits in place and zeros.
    Zeros,
    /// MOVK: the bits in place, and the rest of the register stays.
    Keep,
}

/// opc of "Bitfield".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bitfield {
    /// SBFM: the sign above, zeros below.
    Signed,
    /// BFM: the destination's own bits stay around.
    Insert,
    /// UBFM: zeros around.
    Unsigned,
}

/// What a conditional select makes of Rm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// CSEL: nothing.
    None,
    /// CSINC: one more.
    Increment,
    /// CSINV: the inverse.
    Invert,
    /// CSNEG: the negative.
    Negate,
}

/// Operations on one register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum One {
    /// RBIT: the bits in the opposite order.
    Rbit,
    /// REV16: the bytes of each halfword.
    Rev16,
    /// REV32: the bytes of each word of 64 bits.
    Rev32,
    /// REV: all bytes.
    Rev,
    /// CLZ: how many zeros above the highest one.
    Clz,
    /// CLS: how many bits below the sign are like it.
    Cls,
}

/// Operations on two registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Two {
    /// UDIV.
    Udiv,
    /// SDIV.
    Sdiv,
    /// LSLV.
    Lslv,
    /// LSRV.
    Lsrv,
    /// ASRV.
    Asrv,
    /// RORV.
    Rorv,
    /// CRC32B, H, W, X: the log2 of how many bytes of Rm.
    Crc32(u8),
    /// CRC32CB, H, W, X: the log2 of how many bytes of Rm.
    Crc32c(u8),
}

/// Operations on three registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Three {
    /// MADD: Ra + Rn × Rm.
    Madd,
    /// MSUB: Ra - Rn × Rm.
    Msub,
    /// SMADDL: Ra + Rn × Rm, factors of 32 bits with a sign.
    Smaddl,
    /// SMSUBL.
    Smsubl,
    /// SMULH: the upper half of Rn × Rm, with a sign.
    Smulh,
    /// UMADDL: Ra + Rn × Rm, factors of 32 bits.
    Umaddl,
    /// UMSUBL.
    Umsubl,
    /// UMULH: the upper half of Rn × Rm.
    Umulh,
}

/// What an instruction leaves in a register, if that depends on nothing but the register itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Constant {
    /// MOVZ, MOVN: this value.
    Set(u64),
    /// MOVK: sixteen bits are replaced, the rest stays.
    Keep {
        /// The sixteen bits in place.
        bits: u64,
        /// Ones where the register is replaced.
        mask: u64,
    },
}

impl Data {
    /// The register that gets the result; none for a comparison of the flags alone.
    #[must_use]
    pub const fn rd(self) -> Option<Register> {
        match self {
            Self::Adr { rd, .. }
            | Self::Adrp { rd, .. }
            | Self::Arithmetic { rd, .. }
            | Self::Logical { rd, .. }
            | Self::Move { rd, .. }
            | Self::Bitfield { rd, .. }
            | Self::Extract { rd, .. }
            | Self::Carry { rd, .. }
            | Self::ConditionalSelect { rd, .. }
            | Self::One { rd, .. }
            | Self::Two { rd, .. }
            | Self::Three { rd, .. } => Some(rd),
            Self::ConditionalCompare { .. } => None,
        }
    }

    /// What MOVN, MOVZ or MOVK does to its register.
    #[must_use]
    pub const fn constant(self) -> Option<Constant> {
        let Self::Move {
            kind,
            width,
            bits,
            shift,
            ..
        } = self
        else {
            return None;
        };
        let bits = (bits as u64) << shift;
        Some(match kind {
            Move::Inverted => Constant::Set(!bits & width.mask()),
            Move::Zeros => Constant::Set(bits),
            Move::Keep => Constant::Keep {
                bits,
                mask: 0xffff << shift,
            },
        })
    }
}

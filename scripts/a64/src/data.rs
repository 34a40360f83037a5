//! Data processing: DDI 0487 C4.1 "Data Processing -- Immediate" and "Data Processing -- Register".

use crate::operand::{Condition, Register, Width};

/// An instruction that works on general registers and the flags alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Data {
    /// ADR: the instruction's own address and an offset.
    Adr {
        /// Rd, the register that gets the result.
        rd: Register,
        /// In bytes, ±1 MiB.
        offset: i64,
    },
    /// ADRP: the 4 KiB page of the instruction's own address and an offset.
    Adrp {
        /// Rd, the register that gets the result.
        rd: Register,
        /// In bytes, a multiple of 4096, ±4 GiB.
        offset: i64,
    },
    /// ADD, ADDS, SUB, SUBS.
    Arithmetic {
        /// ADD and ADDS, or SUB and SUBS.
        sum: Sum,
        /// ADDS and SUBS set N, Z, C and V.
        flags: Flags,
        /// The width of all registers but an extended second operand (see [`Extend`]).
        width: Width,
        /// The result. SP with an immediate or an extended register, unless the flags are set.
        rd: Register,
        /// The first operand. SP with an immediate or an extended register.
        rn: Register,
        /// The second operand, with its shift or extension.
        operand: Operand,
    },
    /// AND, ORR, EOR, ANDS, and with a register also BIC, ORN, EON, BICS.
    Logical {
        /// The operation, by opc and N.
        operation: Logical,
        /// The width of all registers.
        width: Width,
        /// The result. SP with an immediate, but for ANDS.
        rd: Register,
        /// Rn, the first operand.
        rn: Register,
        /// The second operand, with its shift or extension.
        operand: LogicalOperand,
    },
    /// MOVN, MOVZ, MOVK: sixteen bits at a position in the register.
    Move {
        /// MOVN, MOVZ or MOVK.
        kind: Move,
        /// The width of the register.
        width: Width,
        /// Rd, the register that gets the result.
        rd: Register,
        /// imm16, the sixteen bits.
        bits: u16,
        /// The position of the sixteen bits in the register: 0, 16, 32 or 48 (hw × 16).
        shift: u8,
    },
    /// SBFM, BFM, UBFM: a copy of a bit field, of which shifts and extensions are aliases.
    Bitfield {
        /// SBFM, BFM or UBFM.
        kind: Bitfield,
        /// The width of both registers.
        width: Width,
        /// Rd, the register that gets the result.
        rd: Register,
        /// Rn, the source.
        rn: Register,
        /// immr: the number of bits by which the source is rotated to the right.
        rotate: u8,
        /// imms: the number of the leftmost bit of the source that is copied.
        last: u8,
    },
    /// EXTR: one register's width of bits out of the pair Rn:Rm.
    Extract {
        /// The width of all registers.
        width: Width,
        /// Rd, the register that gets the result.
        rd: Register,
        /// The upper half of the pair.
        rn: Register,
        /// The lower half of the pair.
        rm: Register,
        /// imms: the number of the pair's bit that becomes bit 0 of the result.
        low: u8,
    },
    /// ADC, ADCS, SBC, SBCS: a sum or difference with the carry flag C.
    Carry {
        /// ADC and ADCS, or SBC and SBCS.
        sum: Sum,
        /// ADCS and SBCS set N, Z, C and V.
        flags: Flags,
        /// The width of all registers.
        width: Width,
        /// Rd, the register that gets the result.
        rd: Register,
        /// Rn, the first operand.
        rn: Register,
        /// Rm, the second operand.
        rm: Register,
    },
    /// CCMP (Rn - operand) and CCMN (Rn + operand): sets N, Z, C and V by a comparison if a
    /// condition holds.
    ConditionalCompare {
        /// Add is CCMN, Sub is CCMP.
        sum: Sum,
        /// The width of the registers.
        width: Width,
        /// Rn, the first operand.
        rn: Register,
        /// The second operand: an immediate or Rm.
        operand: CompareOperand,
        /// nzcv: the flags N, Z, C, V (bits 3 to 0) if the condition does not hold.
        otherwise: u8,
        /// The condition under which the comparison is made.
        condition: Condition,
    },
    /// CSEL, CSINC, CSINV, CSNEG: Rn if a condition holds, else Rm, as it is or changed.
    ConditionalSelect {
        /// The change that is made to Rm.
        change: Change,
        /// The width of all registers.
        width: Width,
        /// Rd, the register that gets the result.
        rd: Register,
        /// The value if the condition holds.
        rn: Register,
        /// The value if not, before the change.
        rm: Register,
        /// The condition under which the result is Rn.
        condition: Condition,
    },
    /// "Data-processing (1 source)": bits or bytes reversed, bits counted.
    One {
        /// The operation, by opcode.
        operation: One,
        /// The width of both registers.
        width: Width,
        /// Rd, the register that gets the result.
        rd: Register,
        /// Rn, the operand.
        rn: Register,
    },
    /// "Data-processing (2 source)": division, shift by a register, CRC-32.
    Two {
        /// The operation, by opcode.
        operation: Two,
        /// The width of all registers. In the CRC instructions it is the width of Rm; Rd and Rn
        /// have 32 bits.
        width: Width,
        /// Rd, the register that gets the result.
        rd: Register,
        /// Rn, the first operand.
        rn: Register,
        /// Rm, the second operand.
        rm: Register,
    },
    /// "Data-processing (3 source)": multiplication, with a third register added.
    Three {
        /// The operation, by op31 and o0.
        operation: Three,
        /// The width of all registers, but the factors of the long forms (SMADDL and so on) have 32
        /// bits.
        width: Width,
        /// Rd, the register that gets the result.
        rd: Register,
        /// Rn, the first factor.
        rn: Register,
        /// Rm, the second factor.
        rm: Register,
        /// The addend, or for a difference the minuend; not used by SMULH and UMULH, whose Ra is
        /// 11111.
        ra: Register,
    },
}

/// The second operand of ADD, ADDS, SUB and SUBS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operand {
    /// imm12, shifted left by 12 bits if `sh` is set.
    Immediate {
        /// imm12: 0 to 4095.
        bits: u16,
        /// The shift to the left in bits: 0 or 12.
        shift: u8,
    },
    /// A register, shifted.
    Shifted(Shifted),
    /// A register, extended and then shifted left.
    Extended {
        /// Rm, the number of the register.
        rm: Register,
        /// The part of the register that is used, and how it is extended.
        extend: Extend,
        /// The shift to the left in bits, 0 to 4.
        shift: u8,
    },
}

/// The second operand of a logical operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogicalOperand {
    /// A run of ones, rotated and repeated through the whole register (DecodeBitMasks in the
    /// manual's shared pseudocode): the value, as wide as the registers.
    Immediate(u64),
    /// A register, shifted.
    Plain(Shifted),
    /// A register, shifted and then inverted: BIC, ORN, EON, BICS.
    Inverted(Shifted),
}

/// The second operand of CCMP and CCMN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CompareOperand {
    /// imm5: 0 to 31.
    Immediate(u8),
    /// Rm.
    Register(Register),
}

/// A register with a shift.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shifted {
    /// Rm, the number of the register.
    pub rm: Register,
    /// The kind of shift.
    pub shift: Shift,
    /// The distance in bits, less than the width of the register.
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
    /// Rotated to the right: in logical operations alone.
    Ror,
}

/// `option`, bits 15:13 of the classes with an extended register: the part of Rm that is used, and
/// how it becomes 64 bits (or 32).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extend {
    /// Bits 7:0, with zeros above.
    Uxtb,
    /// Bits 15:0, with zeros above.
    Uxth,
    /// Bits 31:0, with zeros above.
    Uxtw,
    /// The whole register; in a load or store this is `LSL`.
    Uxtx,
    /// Bits 7:0, with bit 7 repeated above.
    Sxtb,
    /// Bits 15:0, with bit 15 repeated above.
    Sxth,
    /// Bits 31:0, with bit 31 repeated above.
    Sxtw,
    /// The whole register: bits 63:0, as [`Extend::Uxtx`].
    Sxtx,
}

/// `op` of the add and subtract classes, bit 30.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sum {
    /// Rn + operand.
    Add,
    /// Rn - operand.
    Sub,
}

/// `S` of the add and subtract classes, bit 29: whether the instruction sets N, Z, C and V.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flags {
    /// 0: the flags stay.
    Keep,
    /// 1: the flags are set by the result.
    Set,
}

/// opc of the logical classes, bits 30:29.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Logical {
    /// 00: AND, or BIC with an inverted operand.
    And,
    /// 01: ORR, or ORN.
    Orr,
    /// 10: EOR, or EON.
    Eor,
    /// 11: ANDS, or BICS, which set the flags.
    Ands,
}

/// opc of "Move wide (immediate)", bits 30:29.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Move {
    /// 00, MOVN: the inverse of the sixteen bits in place, so ones around them.
    Inverted,
    /// 10, MOVZ: the sixteen bits in place, zeros around them.
    Zeros,
    /// 11, MOVK: the sixteen bits in place; the rest of the register stays.
    Keep,
}

/// opc of "Bitfield", bits 30:29.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bitfield {
    /// 00, SBFM: above the field copies of its top bit, below it zeros.
    Signed,
    /// 01, BFM: around the field the destination's own bits stay.
    Insert,
    /// 10, UBFM: zeros around the field.
    Unsigned,
}

/// op and op2 of "Conditional select": the change that is made to Rm if the condition does not
/// hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// CSEL: Rm as it is.
    None,
    /// CSINC: Rm + 1.
    Increment,
    /// CSINV: the bits of Rm inverted.
    Invert,
    /// CSNEG: -Rm.
    Negate,
}

/// opcode of "Data-processing (1 source)".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum One {
    /// RBIT: the bits in reverse order.
    Rbit,
    /// REV16: the bytes of each halfword in reverse order.
    Rev16,
    /// REV32: the bytes of each 32-bit word of an X register in reverse order.
    Rev32,
    /// REV: all bytes of the register in reverse order.
    Rev,
    /// CLZ: the number of zeros above the highest one.
    Clz,
    /// CLS: the number of bits directly below the sign bit that equal it.
    Cls,
}

/// opcode of "Data-processing (2 source)".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Two {
    /// UDIV: Rn / Rm, unsigned; 0 if Rm is 0.
    Udiv,
    /// SDIV: Rn / Rm, signed; 0 if Rm is 0.
    Sdiv,
    /// LSLV: Rn shifted left by Rm modulo the width.
    Lslv,
    /// LSRV: Rn shifted right by Rm modulo the width, with zeros above.
    Lsrv,
    /// ASRV: Rn shifted right by Rm modulo the width, with the sign bit above.
    Asrv,
    /// RORV: Rn rotated right by Rm modulo the width.
    Rorv,
    /// CRC32B, CRC32H, CRC32W, CRC32X: the base-2 logarithm of the number of bytes of Rm, 0 to 3.
    Crc32(u8),
    /// CRC32CB, CRC32CH, CRC32CW, CRC32CX: the base-2 logarithm of the number of bytes of Rm, 0 to
    /// 3.
    Crc32c(u8),
}

/// op31 and o0 of "Data-processing (3 source)".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Three {
    /// MADD: Ra + Rn × Rm.
    Madd,
    /// MSUB: Ra - Rn × Rm.
    Msub,
    /// SMADDL: Ra + Rn × Rm, signed 32-bit factors and a 64-bit result.
    Smaddl,
    /// SMSUBL: Ra - Rn × Rm, signed 32-bit factors and a 64-bit result.
    Smsubl,
    /// SMULH: bits 127:64 of Rn × Rm, signed.
    Smulh,
    /// UMADDL: Ra + Rn × Rm, unsigned 32-bit factors and a 64-bit result.
    Umaddl,
    /// UMSUBL: Ra - Rn × Rm, unsigned 32-bit factors and a 64-bit result.
    Umsubl,
    /// UMULH: bits 127:64 of Rn × Rm, unsigned.
    Umulh,
}

/// The effect of MOVZ, MOVN or MOVK on its register: a sequence of them builds one constant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Constant {
    /// MOVZ, MOVN: the register's new value.
    Set(u64),
    /// MOVK: sixteen bits are replaced, the other 48 stay.
    Keep {
        /// The sixteen bits, shifted to their position.
        bits: u64,
        /// Ones at the bits that are replaced, 0xffff shifted to the position.
        mask: u64,
    },
}

impl Data {
    /// The register that gets the result; none for CCMP and CCMN, which write the flags alone.
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

    /// The effect on the register if the instruction is MOVN, MOVZ or MOVK.
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

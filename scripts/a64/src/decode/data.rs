//! Decoding of the data processing groups: one function for each class of DDI 0487 C4.1.

use super::word::Word;
use crate::data::{
    Bitfield, Change, CompareOperand, Data, Extend, Flags, Logical, LogicalOperand, Move, One,
    Operand, Shift, Shifted, Sum, Three, Two,
};
use crate::instruction::Instruction;
use crate::operand::{Condition, Width};

const fn told(data: Option<Data>) -> Option<Instruction> {
    match data {
        Some(data) => Some(Instruction::Data(data)),
        None => None,
    }
}

/// "Data Processing -- Immediate", by op0 (25:23).
pub(crate) const fn immediate(word: Word) -> Option<Instruction> {
    told(match word.field(25, 23) {
        0b000 | 0b001 => Some(pc_relative(word)),
        0b010 => Some(sum_of_immediate(word)),
        0b100 => logical_immediate(word),
        0b101 => move_wide(word),
        0b110 => bitfield(word),
        0b111 => extract(word),
        _ => None,
    })
}

/// "PC-rel. addressing": immhi:immlo.
const fn pc_relative(word: Word) -> Data {
    let rd = word.register(0);
    let offset = (word.signed(23, 5) as i64) << 2 | word.field(30, 29) as i64;
    match word.bit(31) {
        false => Data::Adr { rd, offset },
        true => Data::Adrp {
            rd,
            offset: offset << 12,
        },
    }
}

const fn sum(word: Word) -> Sum {
    match word.bit(30) {
        false => Sum::Add,
        true => Sum::Sub,
    }
}

const fn flags(word: Word) -> Flags {
    match word.bit(29) {
        false => Flags::Keep,
        true => Flags::Set,
    }
}

const fn arithmetic(word: Word, operand: Operand) -> Data {
    Data::Arithmetic {
        sum: sum(word),
        flags: flags(word),
        width: word.width(),
        rd: word.register(0),
        rn: word.register(5),
        operand,
    }
}

/// "Add/subtract (immediate)".
const fn sum_of_immediate(word: Word) -> Data {
    let bits = word.field(21, 10) as u16;
    let shift = word.field(22, 22) as u8 * 12;
    arithmetic(word, Operand::Immediate { bits, shift })
}

const fn logical(word: Word, operand: LogicalOperand) -> Data {
    Data::Logical {
        operation: match word.field(30, 29) {
            0b00 => Logical::And,
            0b01 => Logical::Orr,
            0b10 => Logical::Eor,
            _ => Logical::Ands,
        },
        width: word.width(),
        rd: word.register(0),
        rn: word.register(5),
        operand,
    }
}

/// "Logical (immediate)".
const fn logical_immediate(word: Word) -> Option<Data> {
    match bit_mask(word) {
        Some(mask) => Some(logical(
            word,
            LogicalOperand::Immediate(mask & word.width().mask()),
        )),
        None => None,
    }
}

/// DecodeBitMasks: the position of the highest one in N:NOT(imms) is the base-2 logarithm of an
/// element's width. Each element has one more ones than the low bits of imms say, rotated right by
/// immr. An element of ones alone is not allocated.
const fn bit_mask(word: Word) -> Option<u64> {
    let (n, rotate, ones) = (word.field(22, 22), word.field(21, 16), word.field(15, 10));
    let size = (n << 6 | (!ones & 0x3f)).checked_ilog2();
    let Some(size) = size else { return None };
    if size == 0 || (n == 1 && !word.bit(31)) {
        return None;
    }
    let bits = 1_u32 << size;
    let (ones, rotate) = (ones & (bits - 1), rotate & (bits - 1));
    if ones == bits - 1 {
        return None;
    }
    let element = (1_u64 << (ones + 1)) - 1;
    let wide = u64::MAX >> (64 - bits);
    let mut mask = (element >> rotate | element << ((bits - rotate) & 63)) & wide;
    let mut filled = bits;
    while filled < 64 {
        mask |= mask << filled;
        filled *= 2;
    }
    Some(mask)
}

/// "Move wide (immediate)": hw (22:21) is the position in halfwords of the register.
const fn move_wide(word: Word) -> Option<Data> {
    let kind = match word.field(30, 29) {
        0b00 => Move::Inverted,
        0b10 => Move::Zeros,
        0b11 => Move::Keep,
        _ => return None,
    };
    let shift = word.field(22, 21) * 16;
    if shift >= word.width().bits() {
        return None;
    }
    Some(Data::Move {
        kind,
        width: word.width(),
        rd: word.register(0),
        bits: word.field(20, 5) as u16,
        shift: shift as u8,
    })
}

/// Whether N equals sf, and a bit number of six bits lies within the register.
const fn fits(word: Word, position: u32) -> bool {
    word.bit(22) == word.bit(31) && position < word.width().bits()
}

/// "Bitfield".
const fn bitfield(word: Word) -> Option<Data> {
    let kind = match word.field(30, 29) {
        0b00 => Bitfield::Signed,
        0b01 => Bitfield::Insert,
        0b10 => Bitfield::Unsigned,
        _ => return None,
    };
    let (rotate, last) = (word.field(21, 16), word.field(15, 10));
    if !fits(word, rotate) || !fits(word, last) {
        return None;
    }
    Some(Data::Bitfield {
        kind,
        width: word.width(),
        rd: word.register(0),
        rn: word.register(5),
        rotate: rotate as u8,
        last: last as u8,
    })
}

/// "Extract": op21 and o0 are 0.
const fn extract(word: Word) -> Option<Data> {
    let low = word.field(15, 10);
    if word.field(30, 29) != 0 || word.bit(21) || !fits(word, low) {
        return None;
    }
    Some(Data::Extract {
        width: word.width(),
        rd: word.register(0),
        rn: word.register(5),
        rm: word.register(16),
        low: low as u8,
    })
}

/// "Data Processing -- Register", by op1 (28) and op2 (24:21).
pub(crate) const fn register(word: Word) -> Option<Instruction> {
    told(match (word.bit(28), word.field(24, 21)) {
        (false, 0b0000..=0b0111) => logical_register(word),
        (false, 0b1000 | 0b1010 | 0b1100 | 0b1110) => sum_of_shifted(word),
        (false, _) => sum_of_extended(word),
        (true, 0b0000) => carry(word),
        (true, 0b0010) => conditional_compare(word),
        (true, 0b0100) => conditional_select(word),
        (true, 0b0110) if word.bit(30) => one_source(word),
        (true, 0b0110) => two_sources(word),
        (true, 0b1000..) => three_sources(word),
        _ => None,
    })
}

const fn shifted(word: Word) -> Option<Shifted> {
    let amount = word.field(15, 10);
    if amount >= word.width().bits() {
        return None;
    }
    Some(Shifted {
        rm: word.register(16),
        shift: match word.field(23, 22) {
            0b00 => Shift::Lsl,
            0b01 => Shift::Lsr,
            0b10 => Shift::Asr,
            _ => Shift::Ror,
        },
        amount: amount as u8,
    })
}

/// "Logical (shifted register)": N (21) inverts.
const fn logical_register(word: Word) -> Option<Data> {
    let Some(operand) = shifted(word) else {
        return None;
    };
    Some(match word.bit(21) {
        false => logical(word, LogicalOperand::Plain(operand)),
        true => logical(word, LogicalOperand::Inverted(operand)),
    })
}

/// "Add/subtract (shifted register)": no rotation.
const fn sum_of_shifted(word: Word) -> Option<Data> {
    match shifted(word) {
        Some(operand) if !matches!(operand.shift, Shift::Ror) => {
            Some(arithmetic(word, Operand::Shifted(operand)))
        }
        _ => None,
    }
}

pub(crate) const fn extend(word: Word) -> Extend {
    match word.field(15, 13) {
        0b000 => Extend::Uxtb,
        0b001 => Extend::Uxth,
        0b010 => Extend::Uxtw,
        0b011 => Extend::Uxtx,
        0b100 => Extend::Sxtb,
        0b101 => Extend::Sxth,
        0b110 => Extend::Sxtw,
        _ => Extend::Sxtx,
    }
}

/// "Add/subtract (extended register)": opt (23:22) is 00.
const fn sum_of_extended(word: Word) -> Option<Data> {
    let shift = word.field(12, 10);
    if word.field(23, 22) != 0 || shift > 4 {
        return None;
    }
    let operand = Operand::Extended {
        rm: word.register(16),
        extend: extend(word),
        shift: shift as u8,
    };
    Some(arithmetic(word, operand))
}

/// "Add/subtract (with carry)": bits 15:10 are 0.
const fn carry(word: Word) -> Option<Data> {
    if word.field(15, 10) != 0 {
        return None;
    }
    Some(Data::Carry {
        sum: sum(word),
        flags: flags(word),
        width: word.width(),
        rd: word.register(0),
        rn: word.register(5),
        rm: word.register(16),
    })
}

/// "Conditional compare (register)" and "(immediate)", by bit 11; S is 1, o2 and o3 are 0.
const fn conditional_compare(word: Word) -> Option<Data> {
    if !word.bit(29) || word.bit(10) || word.bit(4) {
        return None;
    }
    let operand = match word.bit(11) {
        false => CompareOperand::Register(word.register(16)),
        true => CompareOperand::Immediate(word.field(20, 16) as u8),
    };
    Some(Data::ConditionalCompare {
        sum: sum(word),
        width: word.width(),
        rn: word.register(5),
        operand,
        otherwise: word.field(3, 0) as u8,
        condition: Condition(word.field(15, 12) as u8),
    })
}

/// "Conditional select": S is 0.
const fn conditional_select(word: Word) -> Option<Data> {
    let change = match (word.bit(29), word.bit(30), word.field(11, 10)) {
        (false, false, 0b00) => Change::None,
        (false, false, 0b01) => Change::Increment,
        (false, true, 0b00) => Change::Invert,
        (false, true, 0b01) => Change::Negate,
        _ => return None,
    };
    Some(Data::ConditionalSelect {
        change,
        width: word.width(),
        rd: word.register(0),
        rn: word.register(5),
        rm: word.register(16),
        condition: Condition(word.field(15, 12) as u8),
    })
}

/// "Data-processing (1 source)": S and opcode2 are 0.
const fn one_source(word: Word) -> Option<Data> {
    if word.bit(29) || word.field(20, 16) != 0 {
        return None;
    }
    let operation = match (word.field(15, 10), word.width()) {
        (0, _) => One::Rbit,
        (1, _) => One::Rev16,
        (2, Width::W) | (3, Width::X) => One::Rev,
        (2, Width::X) => One::Rev32,
        (4, _) => One::Clz,
        (5, _) => One::Cls,
        _ => return None,
    };
    Some(Data::One {
        operation,
        width: word.width(),
        rd: word.register(0),
        rn: word.register(5),
    })
}

/// "Data-processing (2 source)": S is 0; sf says whether a CRC takes eight bytes.
const fn two_sources(word: Word) -> Option<Data> {
    let opcode = word.field(15, 10);
    let size = opcode as u8 & 3;
    let operation = match opcode {
        _ if word.bit(29) => return None,
        0b00_0010 => Two::Udiv,
        0b00_0011 => Two::Sdiv,
        0b00_1000 => Two::Lslv,
        0b00_1001 => Two::Lsrv,
        0b00_1010 => Two::Asrv,
        0b00_1011 => Two::Rorv,
        0b01_0000..=0b01_0111 if word.bit(31) != (size == 3) => return None,
        0b01_0000..=0b01_0011 => Two::Crc32(size),
        0b01_0100..=0b01_0111 => Two::Crc32c(size),
        _ => return None,
    };
    Some(Data::Two {
        operation,
        width: word.width(),
        rd: word.register(0),
        rn: word.register(5),
        rm: word.register(16),
    })
}

/// "Data-processing (3 source)": op54 (30:29) is 00; the long forms have sf = 1.
const fn three_sources(word: Word) -> Option<Data> {
    if word.field(30, 29) != 0 {
        return None;
    }
    let operation = match (word.width(), word.field(23, 21), word.bit(15)) {
        (_, 0b000, false) => Three::Madd,
        (_, 0b000, true) => Three::Msub,
        (Width::X, 0b001, false) => Three::Smaddl,
        (Width::X, 0b001, true) => Three::Smsubl,
        (Width::X, 0b010, false) => Three::Smulh,
        (Width::X, 0b101, false) => Three::Umaddl,
        (Width::X, 0b101, true) => Three::Umsubl,
        (Width::X, 0b110, false) => Three::Umulh,
        _ => return None,
    };
    Some(Data::Three {
        operation,
        width: word.width(),
        rd: word.register(0),
        rn: word.register(5),
        rm: word.register(16),
        ra: word.register(10),
    })
}

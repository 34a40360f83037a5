//! Decoding: DDI 0487 C4.1, "Loads and Stores" with V = 1, and "Data Processing -- Scalar
//! Floating-Point and Advanced SIMD".

use super::data::extend;
use super::word::Word;
use crate::memory::{Address, Offset, PairMode, Scaled};
use crate::operand::Width;
use crate::vector::{Vector, VectorRegister, VectorTransfer};

/// Decodes the word of an [`Instruction::Vector`](crate::Instruction::Vector); none if it is no load,
/// store or move.
#[must_use]
pub const fn decode_vector(word: u32) -> Option<Vector> {
    let word = Word(word);
    match word.field(28, 25) {
        0b0110 | 0b1110 => access(word),
        0b0111 | 0b1111 => moves(word),
        _ => None,
    }
}

const fn vector(word: Word, lowest: u32) -> VectorRegister {
    VectorRegister(word.field(lowest + 4, lowest) as u8)
}

const fn access(word: Word) -> Option<Vector> {
    match (word.field(29, 28), word.bit(24)) {
        (0b01, false) => literal(word),
        (0b10, _) => pair(word),
        (0b11, _) => single(word),
        _ => None,
    }
}

/// "Load register (literal)", by opc (31:30).
const fn literal(word: Word) -> Option<Vector> {
    let size = match word.field(31, 30) {
        0b11 => return None,
        opc => 2 + opc as u8,
    };
    Some(Vector::Literal {
        transfer: VectorTransfer { store: false, size },
        rt: vector(word, 0),
        offset: word.signed(23, 5) as i64 * 4,
    })
}

/// The classes of pairs, by opc (31:30), bits 24:23 and L (22).
const fn pair(word: Word) -> Option<Vector> {
    let size = match word.field(31, 30) {
        0b11 => return None,
        opc => 2 + opc as u8,
    };
    let mode = match word.field(24, 23) {
        0b00 => PairMode::NonTemporal,
        0b01 => PairMode::Post,
        0b10 => PairMode::Offset,
        _ => PairMode::Pre,
    };
    let store = !word.bit(22);
    Some(Vector::Pair {
        transfer: VectorTransfer { store, size },
        registers: [vector(word, 0), vector(word, 10)],
        rn: word.register(5),
        offset: word.signed(21, 15) as i16 * (1 << size),
        mode,
    })
}

/// One register: the size is opc<1>:size, of bits 23 and 31:30.
const fn single(word: Word) -> Option<Vector> {
    let size = match (word.bit(23), word.field(31, 30)) {
        (false, size) => size as u8,
        (true, 0) => 4,
        (true, _) => return None,
    };
    let bytes = word.signed(20, 12) as i16;
    let offset = match (word.bit(24), word.bit(21), word.field(11, 10)) {
        (true, ..) => Offset::Scaled((word.field(21, 10) << size) as u16),
        (false, false, 0b00) => Offset::Unscaled(bytes),
        (false, false, 0b01) => Offset::Post(bytes),
        (false, false, 0b11) => Offset::Pre(bytes),
        (false, true, 0b10) if word.bit(14) => {
            let (shift, scaled) = match word.bit(12) {
                false => (0, Scaled::No),
                true => (size, Scaled::Yes),
            };
            Offset::Register {
                rm: word.register(16),
                extend: extend(word),
                shift,
                scaled,
            }
        }
        _ => return None,
    };
    Some(Vector::Single {
        transfer: VectorTransfer {
            store: !word.bit(22),
            size,
        },
        rt: vector(word, 0),
        address: Address {
            rn: word.register(5),
            offset,
        },
    })
}

const fn moves(word: Word) -> Option<Vector> {
    let Word(bits) = word;
    let whole = word.bit(30);
    // "Advanced SIMD modified immediate".
    if bits & 0x9ff8_0c00 == 0x0f00_0400 {
        return constant(word);
    }
    // FMOV (general): the same width on both sides, opcode 110 or 111.
    let width = match bits & 0xfffe_fc00 {
        0x1e26_0000 => Some(Width::W),
        0x9e66_0000 => Some(Width::X),
        _ => None,
    };
    if let Some(width) = width {
        return Some(match word.bit(16) {
            true => Vector::FromGeneral {
                rd: vector(word, 0),
                rn: word.register(5),
                width,
            },
            false => Vector::ToGeneral {
                rd: word.register(0),
                rn: vector(word, 5),
                width,
            },
        });
    }
    // DUP (general): the lowest one of imm5 gives the size.
    if bits & 0xbfe0_fc00 == 0x0e00_0c00 {
        let size = word.field(20, 16).trailing_zeros() as u8;
        if size > 3 || size == 3 && !whole {
            return None;
        }
        return Some(Vector::Duplicate {
            rd: vector(word, 0),
            rn: word.register(5),
            size,
            whole,
        });
    }
    // ORR (vector, register).
    if bits & 0xbfe0_fc00 == 0x0ea0_1c00 {
        return Some(Vector::Or {
            rd: vector(word, 0),
            operands: [vector(word, 5), vector(word, 16)],
            whole,
        });
    }
    None
}

/// MOVI and MVNI; ORR, BIC and FMOV of an immediate are none of them (cmode 0xx1, 10x1, 1111).
const fn constant(word: Word) -> Option<Vector> {
    let byte = (word.field(18, 16) << 5 | word.field(9, 5)) as u64;
    let (inverted, cmode) = (word.bit(29), word.field(15, 12));
    let half = match cmode {
        0b0000 | 0b0010 | 0b0100 | 0b0110 => (byte << (4 * cmode)) * 0x1_0000_0001,
        0b1000 | 0b1010 => (byte << (4 * (cmode - 8))) * 0x0001_0001_0001_0001,
        0b1100 => (byte << 8 | 0xff) * 0x1_0000_0001,
        0b1101 => (byte << 16 | 0xffff) * 0x1_0000_0001,
        0b1110 if inverted => bytes_of_bits(byte),
        0b1110 => byte * 0x0101_0101_0101_0101,
        _ => return None,
    };
    let half = match inverted && cmode != 0b1110 {
        true => !half,
        false => half,
    };
    let above = match word.bit(30) {
        true => (half as u128) << 64,
        false => 0,
    };
    Some(Vector::Constant {
        rd: vector(word, 0),
        value: above | half as u128,
    })
}

/// A byte of ones for each bit that is one.
const fn bytes_of_bits(byte: u64) -> u64 {
    let mut value = 0;
    let mut bit = 0;
    while bit < 8 {
        if byte >> bit & 1 != 0 {
            value |= 0xff << (8 * bit);
        }
        bit += 1;
    }
    value
}

//! Decoding of an instruction word: DDI 0487 C4.1, by op0 (28:25), then by group and class.

mod data;
mod flow;
mod memory;
mod system;
mod vector;
mod word;

use crate::instruction::Instruction;
pub use vector::decode_vector;
use word::Word;

/// Decodes an instruction word; bits that no instruction of Armv8.0 has give [`Instruction::Later`]
/// or [`Instruction::Unallocated`].
#[must_use]
pub const fn decode(word: u32) -> Instruction {
    let found = match Word(word).field(28, 25) {
        0b0000 if Word(word).bit(31) => return Instruction::Vector(word),
        0b0000 if word >> 16 == 0 => Some(Instruction::Undefined(word as u16)),
        0b0010 => return Instruction::Vector(word),
        0b1000 | 0b1001 => data::immediate(Word(word)),
        0b0101 | 0b1101 => data::register(Word(word)),
        0b1010 | 0b1011 => flow::decode(Word(word)),
        0b0100 | 0b0110 | 0b1100 | 0b1110 => memory::decode(Word(word)),
        0b0111 | 0b1111 => return Instruction::Vector(word),
        _ => None,
    };
    match found {
        Some(found) => found,
        None => Instruction::Unallocated(word),
    }
}

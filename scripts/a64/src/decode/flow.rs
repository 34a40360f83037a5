//! Decoding of branches and exceptions; `system` has the system instructions of the group.

use super::system;
use super::word::Word;
use crate::flow::{Bit, Branch, Exception};
use crate::instruction::{Instruction, Later};
use crate::operand::Condition;

/// The whole group: op0 101x.
pub(crate) const fn decode(word: Word) -> Option<Instruction> {
    let branch = match word.field(31, 29) {
        0b000 | 0b100 => Some(immediate(word)),
        0b001 | 0b101 if word.bit(25) => Some(test(word)),
        0b001 | 0b101 => Some(compare(word)),
        0b010 if word.matches(0xff00_0010, 0x5400_0000) => Some(Branch::Conditional {
            condition: Condition(word.field(3, 0) as u8),
            offset: word.signed(23, 5) as i64 * 4,
        }),
        0b110 if word.field(28, 24) == 0b10100 => return exception(word),
        0b110 if word.field(28, 22) == 0b101_0100 => return system::decode(word),
        0b110 if word.field(28, 25) == 0b1011 => return to_register(word),
        _ => None,
    };
    match branch {
        Some(branch) => Some(Instruction::Branch(branch)),
        None => None,
    }
}

/// "Unconditional branch (immediate)".
const fn immediate(word: Word) -> Branch {
    let offset = word.signed(25, 0) as i64 * 4;
    match word.bit(31) {
        false => Branch::Jump { offset },
        true => Branch::Call { offset },
    }
}

const fn bit_24(word: Word) -> Bit {
    match word.bit(24) {
        false => Bit::Clear,
        true => Bit::Set,
    }
}

/// "Compare and branch (immediate)".
const fn compare(word: Word) -> Branch {
    Branch::Compare {
        width: word.width(),
        on: bit_24(word),
        rt: word.register(0),
        offset: word.signed(23, 5) as i64 * 4,
    }
}

/// "Test and branch (immediate)": the bit's number is b5:b40.
const fn test(word: Word) -> Branch {
    Branch::Test {
        bit: (word.field(31, 31) << 5 | word.field(23, 19)) as u8,
        on: bit_24(word),
        rt: word.register(0),
        offset: word.signed(18, 5) as i64 * 4,
    }
}

/// "Unconditional branch (register)": op2 is 11111; op3 and op4 are 0 but for pointer
/// authentication, which also has the opcodes 1xxx.
const fn to_register(word: Word) -> Option<Instruction> {
    if word.field(20, 16) != 0b11111 {
        return None;
    }
    let (opc, rn) = (word.field(24, 21), word.register(5));
    if opc >= 0b1000 || word.field(15, 10) != 0 {
        return match opc & 0b0111 {
            0b000..=0b010 | 0b100 => Some(Instruction::Later(Later::Branch(word.0))),
            _ => None,
        };
    }
    if word.field(4, 0) != 0 {
        return None;
    }
    let branch = match opc {
        0b0000 => Branch::JumpTo { rn },
        0b0001 => Branch::CallTo { rn },
        0b0010 => Branch::Return { rn },
        0b0100 if rn.0 == 31 => Branch::ExceptionReturn,
        0b0101 if rn.0 == 31 => Branch::DebugReturn,
        _ => return None,
    };
    Some(Instruction::Branch(branch))
}

/// "Exception generation": op2 is 000.
const fn exception(word: Word) -> Option<Instruction> {
    if word.field(4, 2) != 0 {
        return None;
    }
    let immediate = word.field(20, 5) as u16;
    let exception = match (word.field(23, 21), word.field(1, 0)) {
        (0b000, 0b01) => Exception::Supervisor(immediate),
        (0b000, 0b10) => Exception::Hypervisor(immediate),
        (0b000, 0b11) => Exception::SecureMonitor(immediate),
        (0b001, 0b00) => Exception::Breakpoint(immediate),
        (0b010, 0b00) => Exception::Halt(immediate),
        (0b101, level @ 1..=3) => Exception::DebugSwitch {
            level: level as u8,
            immediate,
        },
        _ => return None,
    };
    Some(Instruction::Exception(exception))
}

//! Decoding of loads and stores: one function for each class of DDI 0487 C4.1.

use super::data::extend;
use super::word::Word;
use crate::instruction::{Instruction, Later};
use crate::memory::{Access, Address, Kind, Offset, Order, PairMode, Scaled, Transfer};
use crate::operand::Width;

const fn plain(load: bool, size: u32) -> Transfer {
    let kind = if load { Kind::Load } else { Kind::Store };
    Transfer {
        kind,
        size: size as u8,
    }
}

const fn signed(width: Width, size: u32) -> Transfer {
    Transfer {
        kind: Kind::LoadSigned(width),
        size: size as u8,
    }
}

/// The group "Loads and Stores": op0 is x1x0. In every class V (bit 26) means SIMD and
/// floating-point registers.
pub(crate) const fn decode(word: Word) -> Option<Instruction> {
    if word.bit(26) {
        return Some(Instruction::Vector(word.0));
    }
    let access = match (word.field(29, 28), word.bit(24)) {
        (0b00, false) => return exclusive(word),
        (0b01, false) => Some(literal(word)),
        (0b01, true) if !word.bit(21) => return Some(Instruction::Later(Later::Access(word.0))),
        (0b10, _) => pair(word),
        (0b11, true) => scaled(word),
        (0b11, false) if word.bit(21) => return by_register(word),
        (0b11, false) => by_bytes(word),
        _ => None,
    };
    told(access)
}

const fn told(access: Option<Access>) -> Option<Instruction> {
    match access {
        Some(access) => Some(Instruction::Access(access)),
        None => None,
    }
}

/// "Load/store exclusive register", "... pair", "Load/store ordered", "Compare and swap", by o2
/// (23) and o1 (21).
const fn exclusive(word: Word) -> Option<Instruction> {
    let (size, load, o0) = (word.field(31, 30), word.bit(22), word.bit(15));
    let (rt, rn) = (word.register(0), word.register(5));
    let transfer = plain(load, size);
    let rt2 = match (word.bit(23), word.bit(21)) {
        (false, false) => None,
        (false, true) if size >= 2 => Some(word.register(10)),
        (true, false) if o0 => return told(Some(Access::Ordered { transfer, rt, rn })),
        (true, false) => return Some(Instruction::Later(Later::Access(word.0))),
        _ => return Some(Instruction::Later(Later::Atomic(word.0))),
    };
    told(Some(Access::Exclusive {
        transfer,
        order: if o0 { Order::Ordered } else { Order::Relaxed },
        rs: word.register(16),
        rt,
        rt2,
        rn,
    }))
}

/// "Load register (literal)", by opc (31:30).
const fn literal(word: Word) -> Access {
    let rt = word.register(0);
    let offset = word.signed(23, 5) as i64 * 4;
    let transfer = match word.field(31, 30) {
        0b00 => plain(true, 2),
        0b01 => plain(true, 3),
        0b10 => signed(Width::X, 2),
        _ => {
            let operation = rt.0;
            return Access::PrefetchLiteral { operation, offset };
        }
    };
    Access::Literal {
        transfer,
        rt,
        offset,
    }
}

/// The classes of pairs, by opc (31:30), bits 24:23 and L (22).
const fn pair(word: Word) -> Option<Access> {
    let mode = match word.field(24, 23) {
        0b00 => PairMode::NonTemporal,
        0b01 => PairMode::Post,
        0b10 => PairMode::Offset,
        _ => PairMode::Pre,
    };
    let load = word.bit(22);
    let transfer = match word.field(31, 30) {
        0b00 => plain(load, 2),
        0b01 if load && !matches!(mode, PairMode::NonTemporal) => signed(Width::X, 2),
        0b10 => plain(load, 3),
        _ => return None,
    };
    Some(Access::Pair {
        transfer,
        rt: word.register(0),
        rt2: word.register(10),
        rn: word.register(5),
        offset: word.signed(21, 15) as i16 * transfer.bytes() as i16,
        mode,
    })
}

/// "Load/store register (unsigned immediate)".
const fn scaled(word: Word) -> Option<Access> {
    let bytes = 1 << word.field(31, 30);
    single(word, Offset::Scaled((word.field(21, 10) * bytes) as u16))
}

/// The four classes with a 9-bit immediate, by bits 11:10.
const fn by_bytes(word: Word) -> Option<Access> {
    let bytes = word.signed(20, 12) as i16;
    let offset = match word.field(11, 10) {
        0b00 => Offset::Unscaled(bytes),
        0b01 => Offset::Post(bytes),
        0b10 => Offset::Unprivileged(bytes),
        _ => Offset::Pre(bytes),
    };
    single(word, offset)
}

/// "Load/store register (register offset)" (bits 11:10 are 10, option, 15:13, is x1x), and the
/// later classes beside it: atomics (00), loads with pointer authentication (x1).
const fn by_register(word: Word) -> Option<Instruction> {
    match word.field(11, 10) {
        0b10 if word.bit(14) => {}
        0b10 => return None,
        0b00 => return Some(Instruction::Later(Later::Atomic(word.0))),
        _ => return Some(Instruction::Later(Later::Access(word.0))),
    }
    let (shift, scaled) = match word.bit(12) {
        false => (0, Scaled::No),
        true => (word.field(31, 30) as u8, Scaled::Yes),
    };
    told(single(
        word,
        Offset::Register {
            rm: word.register(16),
            extend: extend(word),
            shift,
            scaled,
        },
    ))
}

/// A load or store of one register, by size (31:30) and opc (23:22). Size 11 with opc 10 is a
/// prefetch in the classes without writeback.
const fn single(word: Word, offset: Offset) -> Option<Access> {
    let (size, rt) = (word.field(31, 30), word.register(0));
    let address = Address {
        rn: word.register(5),
        offset,
    };
    let transfer = match (word.field(23, 22), size) {
        (0b00, _) => plain(false, size),
        (0b01, _) => plain(true, size),
        (0b10, 3) => {
            let operation = rt.0;
            return match offset {
                Offset::Scaled(_) | Offset::Unscaled(_) | Offset::Register { .. } => {
                    Some(Access::Prefetch { operation, address })
                }
                Offset::Unprivileged(_) | Offset::Post(_) | Offset::Pre(_) => None,
            };
        }
        (0b10, _) => signed(Width::X, size),
        (_, 0 | 1) => signed(Width::W, size),
        _ => return None,
    };
    Some(Access::Single {
        transfer,
        rt,
        address,
    })
}

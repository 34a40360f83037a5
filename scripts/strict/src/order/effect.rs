//! The registers that an instruction needs and changes, as far as addresses depend on them.
//!
//! A set has a bit for each register: 0 to 30 for X0 to X30, 31 for the stack pointer, 32 for the
//! flags. The zero register is in no set.

use ::a64::data::{CompareOperand, Data, Flags, Logical, LogicalOperand, Move, Operand};
use ::a64::flow::Branch;
use ::a64::memory::{Access, Offset, Order};
use ::a64::system::System;
use ::a64::{Instruction, Register};

/// Registers, a bit each.
pub(super) type Set = u64;

const FLAGS: Set = 1 << 32;
const LINK: Set = 1 << 30;
/// WFE and WFI, by CRm:op2.
const WAITS: [u8; 2] = [2, 3];

/// What an instruction does to the registers from which addresses are made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Effect {
    /// No later load is performed before it.
    pub(super) orders: bool,
    /// Registers that get values from memory.
    pub(super) loaded: Set,
    /// Registers that get results.
    pub(super) computed: Set,
    /// Registers that the results depend on.
    pub(super) sources: Set,
}

impl Effect {
    const ORDERS: Self = Self {
        orders: true,
        loaded: 0,
        computed: 0,
        sources: 0,
    };

    fn computes(computed: Set, sources: Set) -> Self {
        Self {
            computed,
            sources,
            ..Self::default()
        }
    }

    pub(super) fn of(instruction: Instruction) -> Self {
        match instruction {
            Instruction::Data(data) => of_data(data),
            Instruction::Access(access) => of_access(access),
            Instruction::Branch(Branch::Call { .. } | Branch::CallTo { .. }) => {
                Self::computes(LINK, 0)
            }
            Instruction::Branch(Branch::ExceptionReturn | Branch::DebugReturn) => Self::ORDERS,
            Instruction::Branch(_) => Self::default(),
            Instruction::System(system) => of_system(system),
            _ => Self::ORDERS,
        }
    }
}

/// The registers from which the address of a load is made; none if they are not known, as those of
/// SIMD loads.
pub(super) fn address(instruction: Instruction) -> Option<Set> {
    let Instruction::Access(access) = instruction else {
        return None;
    };
    let index = match access {
        Access::Single { address, .. } => match address.offset {
            Offset::Register { rm, .. } => plain(rm),
            _ => 0,
        },
        _ => 0,
    };
    Some(access.base().map_or(0, or_stack) | index)
}

fn plain(register: Register) -> Set {
    match register {
        Register::ZERO => 0,
        register => 1 << register.index(),
    }
}

fn or_stack(register: Register) -> Set {
    1 << register.index()
}

fn of_data(data: Data) -> Effect {
    match data {
        Data::Adr { rd, .. } | Data::Adrp { rd, .. } => Effect::computes(plain(rd), 0),
        Data::Arithmetic {
            flags,
            rd,
            rn,
            operand,
            ..
        } => {
            let (rd, rn) = match operand {
                Operand::Shifted(_) => (plain(rd), plain(rn)),
                _ if flags == Flags::Set => (plain(rd), or_stack(rn)),
                _ => (or_stack(rd), or_stack(rn)),
            };
            let second = match operand {
                Operand::Immediate { .. } => 0,
                Operand::Shifted(shifted) => plain(shifted.rm),
                Operand::Extended { rm, .. } => plain(rm),
            };
            Effect::computes(rd | set_flags(flags), rn | second)
        }
        Data::Logical {
            operation,
            rd,
            rn,
            operand,
            ..
        } => {
            let (to, second) = match operand {
                LogicalOperand::Immediate(_) if operation != Logical::Ands => (or_stack(rd), 0),
                LogicalOperand::Immediate(_) => (plain(rd), 0),
                LogicalOperand::Plain(shifted) | LogicalOperand::Inverted(shifted) => {
                    (plain(rd), plain(shifted.rm))
                }
            };
            let flags = match operation {
                Logical::Ands => FLAGS,
                _ => 0,
            };
            Effect::computes(to | flags, plain(rn) | second)
        }
        Data::Move { kind, rd, .. } => {
            let sources = match kind {
                Move::Keep => plain(rd),
                Move::Zeros | Move::Inverted => 0,
            };
            Effect::computes(plain(rd), sources)
        }
        Data::Bitfield { rd, rn, .. } => Effect::computes(plain(rd), plain(rn) | plain(rd)),
        Data::One { rd, rn, .. } => Effect::computes(plain(rd), plain(rn)),
        Data::Extract { rd, rn, rm, .. } | Data::Two { rd, rn, rm, .. } => {
            Effect::computes(plain(rd), plain(rn) | plain(rm))
        }
        Data::Carry {
            flags, rd, rn, rm, ..
        } => {
            let sources = plain(rn) | plain(rm) | FLAGS;
            Effect::computes(plain(rd) | set_flags(flags), sources)
        }
        Data::ConditionalSelect { rd, rn, rm, .. } => {
            Effect::computes(plain(rd), plain(rn) | plain(rm) | FLAGS)
        }
        Data::ConditionalCompare { rn, operand, .. } => {
            let second = match operand {
                CompareOperand::Immediate(_) => 0,
                CompareOperand::Register(rm) => plain(rm),
            };
            Effect::computes(FLAGS, plain(rn) | second | FLAGS)
        }
        Data::Three { rd, rn, rm, ra, .. } => {
            Effect::computes(plain(rd), plain(rn) | plain(rm) | plain(ra))
        }
    }
}

fn set_flags(flags: Flags) -> Set {
    match flags {
        Flags::Set => FLAGS,
        Flags::Keep => 0,
    }
}

fn of_access(access: Access) -> Effect {
    let is_acquire = match access {
        Access::Ordered { transfer, .. }
        | Access::Exclusive {
            transfer,
            order: Order::Ordered,
            ..
        } => !transfer.is_store(),
        _ => false,
    };
    if is_acquire {
        return Effect::ORDERS;
    }
    let base = access.written_base().map_or(0, or_stack);
    let loaded = access.filled().into_iter().flatten().map(plain);
    Effect {
        orders: false,
        loaded: loaded.fold(0, |all, one| all | one),
        computed: base,
        sources: base,
    }
}

fn of_system(system: System) -> Effect {
    match system {
        System::Hint(number) if WAITS.contains(&number) => Effect::ORDERS,
        // Stores alone, XX10, leave loads as they are.
        System::DataMemory(option) if option & 0b11 == 0b10 => Effect::default(),
        System::Hint(_) | System::ClearExclusive(_) | System::WritePstate { .. } => {
            Effect::default()
        }
        System::Read { rt, .. } => Effect::computes(plain(rt), 0),
        _ => Effect::ORDERS,
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, FLAGS, Set, address};

    const STACK: Set = 1 << 31;

    fn effect(word: u32) -> Effect {
        Effect::of(::a64::decode(word))
    }

    #[test]
    fn operands_are_sources_and_number_31_is_what_the_class_says() {
        // add x0, x1, x2
        assert_eq!(effect(0x8b02_0020), Effect::computes(1, 0b110));
        // add sp, sp, #16
        assert_eq!(effect(0x9100_43ff), Effect::computes(STACK, STACK));
        // cmp x1, x2: SUBS to XZR
        assert_eq!(effect(0xeb02_003f), Effect::computes(FLAGS, 0b110));
        // mov x0, x1: ORR with XZR
        assert_eq!(effect(0xaa01_03e0), Effect::computes(1, 0b10));
        // csel x0, x1, x2, eq
        assert_eq!(effect(0x9a82_0020), Effect::computes(1, 0b110 | FLAGS));
        // movz x0, #1; movk x0, #1, lsl #16
        assert_eq!(effect(0xd280_0020), Effect::computes(1, 0));
        assert_eq!(effect(0xf2a0_0020), Effect::computes(1, 1));
    }

    #[test]
    fn loads_fill_and_acquires_order() {
        // ldr x0, [x1], #8
        let post = effect(0xf840_8420);
        assert_eq!((post.loaded, post.computed, post.sources), (1, 2, 2));
        // ldar x0, [x1]; ldaxr x0, [x1]; dmb ish; dmb ishld; dsb sy; wfe
        for word in [
            0xc8df_fc20,
            0xc85f_fc20,
            0xd503_3bbf,
            0xd503_39bf,
            0xd503_3f9f,
            0xd503_205f,
        ] {
            assert!(effect(word).orders, "{word:#x}");
        }
        // ldxr x0, [x1]; stlr x0, [x1]; dmb ishst; nop; b .
        for word in [
            0xc85f_7c20,
            0xc89f_fc20,
            0xd503_3abf,
            0xd503_201f,
            0x1400_0000,
        ] {
            assert!(!effect(word).orders, "{word:#x}");
        }
    }

    #[test]
    fn an_address_is_made_of_base_and_index() {
        // ldr x0, [x1, x2]; ldr x0, [sp, #8]; ldp x0, x1, [x2]
        assert_eq!(address(::a64::decode(0xf862_6820)), Some(0b110));
        assert_eq!(address(::a64::decode(0xf940_07e0)), Some(STACK));
        assert_eq!(address(::a64::decode(0xa940_0440)), Some(0b100));
        // ldr q0, [x1]
        assert_eq!(address(::a64::decode(0x3dc0_0020)), None);
    }
}

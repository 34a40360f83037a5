//! The decoded instruction, and what is asked of it whatever its class.

use crate::data::{Constant, Data};
use crate::flow::{Branch, Exception, Flow};
use crate::memory::Access;
use crate::system::System;

/// One decoded instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Instruction {
    /// "Data Processing -- Immediate" and "Data Processing -- Register".
    Data(Data),
    /// Branches and returns.
    Branch(Branch),
    /// "Exception generation".
    Exception(Exception),
    /// Hints, barriers, PSTATE, system instructions and system registers.
    System(System),
    /// "Loads and Stores" of general registers, prefetches too.
    Access(Access),
    /// UDF, with its immediate: permanently undefined.
    Undefined(u16),
    /// SIMD and floating point, SVE, SME: the word.
    Vector(u32),
    /// A class of instructions that came after Armv8.0: the word.
    Later(Later),
    /// Not allocated in Armv8.0: the word.
    Unallocated(u32),
}

/// What came after Armv8.0 and is told by its class.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Later {
    /// Compare and swap, atomic read-modify-write (FEAT_LSE): the word.
    Atomic(u32),
    /// LDLAR, STLLR (FEAT_LOR), LDAPUR and its like (FEAT_LRCPC2), loads with authentication: the
    /// word.
    Access(u32),
    /// Branches and returns with pointer authentication (FEAT_PAuth): the word.
    Branch(u32),
}

impl Later {
    /// Whether it is a branch or call to the address in a register: bits 23:21 are 000 or 001, not
    /// RET's or ERET's.
    #[must_use]
    pub const fn branches_to_register(self) -> bool {
        matches!(self, Self::Branch(word) if word >> 21 & 7 <= 1)
    }
}

impl Instruction {
    /// The target of a direct branch at `address`, calls included.
    #[must_use]
    pub const fn branch_target(self, address: u64) -> Option<u64> {
        match self {
            Self::Branch(
                Branch::Jump { offset }
                | Branch::Call { offset }
                | Branch::Conditional { offset, .. }
                | Branch::Compare { offset, .. }
                | Branch::Test { offset, .. },
            ) => Some(address.wrapping_add_signed(offset)),
            _ => None,
        }
    }

    /// Where control can go from `address` within the same function.
    #[must_use]
    pub const fn flow(self, address: u64) -> Flow {
        let Self::Branch(branch) = self else {
            return match self {
                Self::Later(Later::Branch(_)) => Flow::Leave,
                _ => Flow::Next,
            };
        };
        match branch {
            Branch::Call { .. } | Branch::CallTo { .. } => Flow::Next,
            Branch::Jump { offset } => Flow::Jump(address.wrapping_add_signed(offset)),
            Branch::Conditional { offset, .. }
            | Branch::Compare { offset, .. }
            | Branch::Test { offset, .. } => Flow::Either(address.wrapping_add_signed(offset)),
            Branch::JumpTo { .. }
            | Branch::Return { .. }
            | Branch::ExceptionReturn
            | Branch::DebugReturn => Flow::Leave,
        }
    }

    /// Whether the instruction may change the flow, calls included; exceptions do not count.
    #[must_use]
    pub const fn is_branch(self) -> bool {
        matches!(self, Self::Branch(_) | Self::Later(Later::Branch(_)))
    }

    /// BL: a call of a fixed target.
    #[must_use]
    pub const fn is_call(self) -> bool {
        matches!(self, Self::Branch(Branch::Call { .. }))
    }

    /// RET.
    #[must_use]
    pub const fn is_return(self) -> bool {
        matches!(self, Self::Branch(Branch::Return { .. }))
    }

    /// ISB.
    #[must_use]
    pub const fn is_isb(self) -> bool {
        matches!(self, Self::System(System::InstructionSynchronization(_)))
    }

    /// DSB, of whatever domain and kind.
    #[must_use]
    pub const fn is_dsb(self) -> bool {
        matches!(self, Self::System(System::DataSynchronization(_)))
    }

    /// Whether the instruction is in the group "Loads and Stores". Prefetches count, and what came
    /// after Armv8.0.
    #[must_use]
    pub const fn is_load_store(self) -> bool {
        match self {
            Self::Access(_) | Self::Later(Later::Atomic(_) | Later::Access(_)) => true,
            Self::Vector(word) | Self::Unallocated(word) => word & 0x0a00_0000 == 0x0800_0000,
            _ => false,
        }
    }

    /// Exclusives, and what came later: compare and swap, atomic read-modify-write.
    #[must_use]
    pub const fn is_exclusive_or_atomic(self) -> bool {
        matches!(
            self,
            Self::Access(Access::Exclusive { .. }) | Self::Later(Later::Atomic(_))
        )
    }

    /// What MOVN, MOVZ or MOVK does to its register.
    #[must_use]
    pub const fn constant(self) -> Option<Constant> {
        match self {
            Self::Data(data) => data.constant(),
            _ => None,
        }
    }

    /// ADR at `address`: the address that it forms.
    #[must_use]
    pub const fn adr_target(self, address: u64) -> Option<u64> {
        match self {
            Self::Data(Data::Adr { offset, .. }) => Some(address.wrapping_add_signed(offset)),
            _ => None,
        }
    }

    /// A literal load at `address`, prefetches included: the address that it loads from.
    #[must_use]
    pub const fn literal_target(self, address: u64) -> Option<u64> {
        match self {
            Self::Access(
                Access::Literal { offset, .. } | Access::PrefetchLiteral { offset, .. },
            ) => Some(address.wrapping_add_signed(offset)),
            _ => None,
        }
    }
}

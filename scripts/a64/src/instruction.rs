//! The decoded instruction, and questions that are answered for every class.

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
    /// UDF, permanently undefined; the number is imm16.
    Undefined(u16),
    /// SIMD and floating point, SVE, SME; the number is the word, undecoded.
    Vector(u32),
    /// An instruction of a class that came after Armv8.0, undecoded.
    Later(Later),
    /// A word that is not allocated in Armv8.0.
    Unallocated(u32),
}

/// An instruction that came after Armv8.0, told by its class. The number is the word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Later {
    /// Compare and swap, atomic read-modify-write (FEAT_LSE).
    Atomic(u32),
    /// LDLAR, STLLR (FEAT_LOR), LDAPUR, STLUR and their other sizes (FEAT_LRCPC2), loads with
    /// pointer authentication (FEAT_PAuth).
    Access(u32),
    /// Branches and returns with pointer authentication (FEAT_PAuth).
    Branch(u32),
}

impl Later {
    /// Whether the instruction is BRAA, BLRAA or another branch or call to the address in a
    /// register, no RETAA or ERETAA: bits 23:21 are 000 or 001.
    #[must_use]
    pub const fn branches_to_register(self) -> bool {
        matches!(self, Self::Branch(word) if word >> 21 & 7 <= 1)
    }
}

impl Instruction {
    /// The target's address, if the instruction at `address` is a direct branch or call (B, BL,
    /// B.cond, CBZ, TBZ).
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

    /// The instruction that is executed next within the function, after the one at `address`.
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

    /// Whether the instruction is a branch, call or return; one that takes an exception (SVC) is
    /// not.
    #[must_use]
    pub const fn is_branch(self) -> bool {
        matches!(self, Self::Branch(_) | Self::Later(Later::Branch(_)))
    }

    /// Whether the instruction is BL, a call of a fixed target.
    #[must_use]
    pub const fn is_call(self) -> bool {
        matches!(self, Self::Branch(Branch::Call { .. }))
    }

    /// Whether the instruction is RET.
    #[must_use]
    pub const fn is_return(self) -> bool {
        matches!(self, Self::Branch(Branch::Return { .. }))
    }

    /// Whether the instruction is ISB.
    #[must_use]
    pub const fn is_isb(self) -> bool {
        matches!(self, Self::System(System::InstructionSynchronization(_)))
    }

    /// Whether the instruction is DSB, with any CRm.
    #[must_use]
    pub const fn is_dsb(self) -> bool {
        matches!(self, Self::System(System::DataSynchronization(_)))
    }

    /// Whether the instruction is in the group "Loads and Stores": prefetches, SIMD and floating
    /// point, and instructions later than Armv8.0 are, too.
    #[must_use]
    pub const fn is_load_store(self) -> bool {
        match self {
            Self::Access(_) | Self::Later(Later::Atomic(_) | Later::Access(_)) => true,
            Self::Vector(word) | Self::Unallocated(word) => word & 0x0a00_0000 == 0x0800_0000,
            _ => false,
        }
    }

    /// Whether the instruction is an exclusive load or store or, later than Armv8.0, a compare and
    /// swap or another atomic read-modify-write.
    #[must_use]
    pub const fn is_exclusive_or_atomic(self) -> bool {
        matches!(
            self,
            Self::Access(Access::Exclusive { .. }) | Self::Later(Later::Atomic(_))
        )
    }

    /// The effect on the register if the instruction is MOVN, MOVZ or MOVK.
    #[must_use]
    pub const fn constant(self) -> Option<Constant> {
        match self {
            Self::Data(data) => data.constant(),
            _ => None,
        }
    }

    /// The address that is formed, if the instruction at `address` is ADR.
    #[must_use]
    pub const fn adr_target(self, address: u64) -> Option<u64> {
        match self {
            Self::Data(Data::Adr { offset, .. }) => Some(address.wrapping_add_signed(offset)),
            _ => None,
        }
    }

    /// The literal's address, if the instruction at `address` is a load or prefetch of a literal.
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

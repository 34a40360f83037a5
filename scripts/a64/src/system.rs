//! Hints, barriers, PSTATE, system instructions and system registers: DDI 0487 C4.1, the classes of
//! its group "Branches, Exception Generating and System instructions" whose bits 31:22 are
//! 1101010100.

use crate::operand::Register;

/// A system instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum System {
    /// "Hints": CRm:op2, 0 to 127. 0 is NOP, 1 YIELD, 2 WFE, 3 WFI, 4 SEV, 5 SEVL; any other does
    /// nothing.
    Hint(u8),
    /// CLREX, with its CRm.
    ClearExclusive(u8),
    /// DSB, with its CRm: domain in bits 3:2, kinds of access in 1:0.
    DataSynchronization(u8),
    /// DMB, with its CRm.
    DataMemory(u8),
    /// ISB, with its CRm.
    InstructionSynchronization(u8),
    /// MSR (immediate) to a field of PSTATE.
    WritePstate {
        /// Which.
        field: Pstate,
        /// CRm.
        immediate: u8,
    },
    /// SYS: TLBI, IC, DC, AT and other maintenance.
    Maintain {
        /// op1, CRn, CRm, op2 say which.
        operation: Operation,
        /// The operand; the zero register where there is none.
        rt: Register,
    },
    /// SYSL: SYS with a result.
    MaintainAndRead {
        /// Which.
        operation: Operation,
        /// The result.
        rt: Register,
    },
    /// MSR (register).
    Write {
        /// Which.
        register: SystemRegister,
        /// The value.
        rt: Register,
    },
    /// MRS.
    Read {
        /// Which.
        register: SystemRegister,
        /// Where its value goes.
        rt: Register,
    },
}

impl System {
    /// Rt, if there is one.
    #[must_use]
    pub const fn rt(self) -> Option<Register> {
        match self {
            Self::Maintain { rt, .. }
            | Self::MaintainAndRead { rt, .. }
            | Self::Write { rt, .. }
            | Self::Read { rt, .. } => Some(rt),
            _ => None,
        }
    }
}

/// The hint SEV.
pub const SEV: System = System::Hint(4);

/// The fields of PSTATE that Armv8.0 writes by an immediate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pstate {
    /// SPSel.
    StackPointer,
    /// DAIFSet.
    Mask,
    /// DAIFClr.
    Unmask,
}

/// A system register by its fields op0, op1, CRn, CRm, op2, as they stand in bits 19:5 of MRS and
/// MSR.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SystemRegister(pub(crate) u16);

impl SystemRegister {
    /// A register; `op0` is 2 or 3.
    #[must_use]
    pub const fn new(op0: u16, op1: u16, crn: u16, crm: u16, op2: u16) -> Self {
        Self((op0 & 1) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)
    }

    /// op0, op1, CRn, CRm and op2.
    #[must_use]
    pub const fn fields(self) -> [u16; 5] {
        let Self(bits) = self;
        [
            2 + (bits >> 14),
            bits >> 11 & 7,
            bits >> 7 & 15,
            bits >> 3 & 15,
            bits & 7,
        ]
    }
}

/// An operation of SYS by its fields op1, CRn, CRm, op2.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Operation(pub(crate) u16);

impl Operation {
    /// An operation.
    #[must_use]
    pub const fn new(op1: u16, crn: u16, crm: u16, op2: u16) -> Self {
        Self(op1 << 11 | crn << 7 | crm << 3 | op2)
    }

    /// op1, CRn, CRm and op2.
    #[must_use]
    pub const fn fields(self) -> [u16; 4] {
        let Self(bits) = self;
        [bits >> 11 & 7, bits >> 7 & 15, bits >> 3 & 15, bits & 7]
    }
}

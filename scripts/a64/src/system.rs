//! Hints, barriers, PSTATE, system instructions and system registers: DDI 0487 C4.1, the classes of
//! its group "Branches, Exception Generating and System instructions" whose bits 31:22 are
//! 1101010100.

use crate::operand::Register;

/// A system instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum System {
    /// "Hints": CRm:op2, 0 to 127. 0 is NOP, 1 YIELD, 2 WFE, 3 WFI, 4 SEV, 5 SEVL; any other number
    /// does nothing in Armv8.0.
    Hint(u8),
    /// CLREX; the number is CRm.
    ClearExclusive(u8),
    /// DSB; the number is CRm: the domain in bits 3:2, the kinds of access in 1:0 (1011 is ISH).
    DataSynchronization(u8),
    /// DMB; the number is CRm, as of DSB.
    DataMemory(u8),
    /// ISB; the number is CRm, of which 1111 is the only one that the manual names (SY).
    InstructionSynchronization(u8),
    /// MSR (immediate) to a field of PSTATE.
    WritePstate {
        /// The field that is written, by op1:op2.
        field: Pstate,
        /// CRm: the value for SPSel, the mask of D, A, I, F (bits 3 to 0) for DAIFSet and DAIFClr.
        immediate: u8,
    },
    /// SYS: TLBI, IC, DC, AT and other maintenance.
    Maintain {
        /// The operation, by its encoding op1:CRn:CRm:op2.
        operation: Operation,
        /// Xt, the operand; 31 (XZR) where the operation takes none.
        rt: Register,
    },
    /// SYSL: a system instruction with a result.
    MaintainAndRead {
        /// The operation, by its encoding op1:CRn:CRm:op2.
        operation: Operation,
        /// Xt, the register that gets the result.
        rt: Register,
    },
    /// MSR (register): a write of a system register.
    Write {
        /// The system register that is written, by its encoding op0:op1:CRn:CRm:op2.
        register: SystemRegister,
        /// Xt, the register with the value.
        rt: Register,
    },
    /// MRS: a read of a system register.
    Read {
        /// The system register that is read, by its encoding op0:op1:CRn:CRm:op2.
        register: SystemRegister,
        /// Xt, the register that gets the value.
        rt: Register,
    },
}

impl System {
    /// Rt, the general register of SYS, SYSL, MSR (register) and MRS.
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

/// SEV, the hint that sends an event to every core: it ends the other cores' WFE.
pub const SEV: System = System::Hint(4);

/// The fields of PSTATE that Armv8.0 writes by an immediate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pstate {
    /// SPSel: SP_EL0 or SP_ELx is the stack pointer.
    StackPointer,
    /// DAIFSet: masks the exceptions D, A, I, F whose bits are ones.
    Mask,
    /// DAIFClr: unmasks the exceptions D, A, I, F whose bits are ones.
    Unmask,
}

/// A system register by its fields op0, op1, CRn, CRm, op2, as they stand in bits 19:5 of MRS and
/// MSR.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SystemRegister(pub(crate) u16);

impl SystemRegister {
    /// The register with this encoding; `op0` is 2 or 3, `op1` and `op2` have three bits, `crn` and
    /// `crm` four.
    #[must_use]
    pub const fn new(op0: u16, op1: u16, crn: u16, crm: u16, op2: u16) -> Self {
        Self((op0 & 1) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)
    }

    /// The encoding: op0, op1, CRn, CRm and op2.
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

/// An operation of SYS or SYSL by its fields op1, CRn, CRm, op2, as they stand in bits 18:5.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Operation(pub(crate) u16);

impl Operation {
    /// The operation with this encoding; `op1` and `op2` have three bits, `crn` and `crm` four.
    #[must_use]
    pub const fn new(op1: u16, crn: u16, crm: u16, op2: u16) -> Self {
        Self(op1 << 11 | crn << 7 | crm << 3 | op2)
    }

    /// The encoding: op1, CRn, CRm and op2.
    #[must_use]
    pub const fn fields(self) -> [u16; 4] {
        let Self(bits) = self;
        [bits >> 11 & 7, bits >> 7 & 15, bits >> 3 & 15, bits & 7]
    }
}

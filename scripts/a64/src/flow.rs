//! Branches, returns and exceptions: DDI 0487 C4.1 "Branches, Exception Generating and System
//! instructions".

use crate::operand::{Condition, Register, Width};

/// A branch. Offsets are in bytes, from the instruction's own address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Branch {
    /// B, an unconditional branch.
    Jump {
        /// The distance in bytes, ±128 MiB.
        offset: i64,
    },
    /// BL: a branch that puts the address of the next instruction into X30.
    Call {
        /// The distance in bytes, ±128 MiB.
        offset: i64,
    },
    /// B.cond: a branch by the condition flags N, Z, C, V.
    Conditional {
        /// The condition under which the branch is taken.
        condition: Condition,
        /// The distance in bytes, ±1 MiB.
        offset: i64,
    },
    /// CBZ and CBNZ: a branch by whether a register is zero.
    Compare {
        /// The width of the register.
        width: Width,
        /// [`Bit::Clear`] for CBZ, taken if the register is zero; [`Bit::Set`] for CBNZ.
        on: Bit,
        /// The register that is compared with zero.
        rt: Register,
        /// The distance in bytes, ±1 MiB.
        offset: i64,
    },
    /// TBZ and TBNZ: a branch by one bit of a register.
    Test {
        /// The number of the bit, 0 to 63.
        bit: u8,
        /// The value of the bit with which the branch is taken: clear for TBZ, set for TBNZ.
        on: Bit,
        /// The register whose bit is tested.
        rt: Register,
        /// The distance in bytes, ±32 KiB.
        offset: i64,
    },
    /// BR, to the address in a register.
    JumpTo {
        /// The register with the target's address.
        rn: Register,
    },
    /// BLR: a call of the address in a register.
    CallTo {
        /// The register with the target's address.
        rn: Register,
    },
    /// RET: a return to the address in a register.
    Return {
        /// The register with the address: X30 unless the instruction names another.
        rn: Register,
    },
    /// ERET: PSTATE from SPSR_ELx, the address from ELR_ELx.
    ExceptionReturn,
    /// DRPS: ERET's counterpart in Debug state.
    DebugReturn,
}

/// op, bit 24 of "Compare and branch" and of "Test and branch": the value with which the branch is
/// taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bit {
    /// Zero: CBZ, TBZ.
    Clear,
    /// Not zero: CBNZ, TBNZ.
    Set,
}

/// An instruction that takes an exception: "Exception generation". The number is imm16, which the
/// handler may read (in ESR_ELx.ISS).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exception {
    /// SVC: a supervisor call, to EL1.
    Supervisor(u16),
    /// HVC: a hypervisor call, to EL2.
    Hypervisor(u16),
    /// SMC: a secure monitor call, to EL3.
    SecureMonitor(u16),
    /// BRK: a software breakpoint.
    Breakpoint(u16),
    /// HLT: a halt for an external debugger, or semihosting.
    Halt(u16),
    /// DCPS1 to DCPS3: a change of exception level in Debug state.
    DebugSwitch {
        /// The exception level that is entered, 1 to 3.
        level: u8,
        /// imm16.
        immediate: u16,
    },
}

/// The instruction that is executed next within the function; a call is taken to return.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// The next one: no branch at all, or a call.
    Next,
    /// The one at this address, or the next one: B.cond, CBZ, CBNZ, TBZ, TBNZ.
    Either(u64),
    /// The one at this address: B.
    Jump(u64),
    /// One that the word does not tell: BR, RET, ERET.
    Leave,
}

//! Branches, returns and exceptions: DDI 0487 C4.1 "Branches, Exception Generating and System
//! instructions".

use crate::operand::{Condition, Register, Width};

/// A branch. Offsets are in bytes, from the instruction's own address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Branch {
    /// B.
    Jump {
        /// ±128 MiB.
        offset: i64,
    },
    /// BL: the address of the next instruction goes to X30.
    Call {
        /// ±128 MiB.
        offset: i64,
    },
    /// B.cond.
    Conditional {
        /// When the branch is taken.
        condition: Condition,
        /// ±1 MiB.
        offset: i64,
    },
    /// CBZ and CBNZ.
    Compare {
        /// Of the register.
        width: Width,
        /// Whether the branch is taken on zero.
        on: Bit,
        /// What is compared with zero.
        rt: Register,
        /// ±1 MiB.
        offset: i64,
    },
    /// TBZ and TBNZ.
    Test {
        /// The number of the bit, 0 to 63.
        bit: u8,
        /// Which value of the bit takes the branch.
        on: Bit,
        /// What is tested.
        rt: Register,
        /// ±32 KiB.
        offset: i64,
    },
    /// BR, to the address in a register.
    JumpTo {
        /// The address.
        rn: Register,
    },
    /// BLR: a call of the address in a register.
    CallTo {
        /// The address.
        rn: Register,
    },
    /// RET.
    Return {
        /// The address; X30 unless the instruction names another register.
        rn: Register,
    },
    /// ERET: PSTATE from SPSR_ELx, the address from ELR_ELx.
    ExceptionReturn,
    /// DRPS: ERET's counterpart in Debug state.
    DebugReturn,
}

/// What takes a CBZ or TBZ (zero), a CBNZ or TBNZ (one, or anything but zero).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bit {
    /// Zero.
    Clear,
    /// Not zero.
    Set,
}

/// An instruction that is an exception: "Exception generation". Each has an immediate that the
/// handler may read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exception {
    /// SVC, to EL1.
    Supervisor(u16),
    /// HVC, to EL2.
    Hypervisor(u16),
    /// SMC, to EL3.
    SecureMonitor(u16),
    /// BRK.
    Breakpoint(u16),
    /// HLT: to an external debugger, or semihosting.
    Halt(u16),
    /// DCPS1 to DCPS3: to a level in Debug state.
    DebugSwitch {
        /// 1 to 3.
        level: u8,
        /// The immediate.
        immediate: u16,
    },
}

/// Where control can go from an instruction within the same function; calls come back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// On with the next instruction: no branch at all, or a call that comes back.
    Next,
    /// To the target or on: B.cond, CBZ, CBNZ, TBZ, TBNZ.
    Either(u64),
    /// To the target: B.
    Jump(u64),
    /// Somewhere that the word does not tell: BR, RET, ERET.
    Leave,
}

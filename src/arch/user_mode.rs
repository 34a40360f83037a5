//! EL0: how a core enters it, and how it comes back.
//!
//! 1. [`run`] puts the registers of a [`UserContext`] in place and returns to EL0 (`eret`).
//! 2. EL0 goes on until an exception: its own, or an interrupt.
//! 3. The vectors for a lower level save its registers in the same context, and [`run`] returns
//!    with the vector. What the exception means, and whether EL0 goes on, is the caller's to say.
//!
//! So a program at EL0 is a call that returns, on the caller's stack: no exception from EL0 nests,
//! and the caller may hold any value across the call.
//!
//! # Decisions
//! * Of a context's processor state only the condition flags reach SPSR_EL1. A context with any
//!   contents enters EL0 in AArch64 with nothing masked, or not at all: none can raise its level.
//! * No register is EL0's by accident. TPIDRRO_EL0, which the vectors of EL1 use, is cleared; the
//!   floating point registers, the counters and the debug channel trap (CPACR_EL1, CNTKCTL_EL1,
//!   PMUSERENR_EL0, MDSCR_EL1.TDCC: boot/start.S).
#![expect(unsafe_code, reason = "runs EL0")]

/// The registers of a program at EL0, and what the core said of the exception that left it.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct UserContext {
    /// The general registers x0 to x30.
    pub x: [u64; 31],
    /// SP_EL0: the stack pointer.
    pub sp: u64,
    /// ELR_EL1: where it goes on.
    pub pc: u64,
    /// SPSR_EL1: N, Z, C and V count when it is entered.
    pub pstate: u64,
    /// TPIDR_EL0, the program's own.
    pub tls: u64,
    /// ESR_EL1 of the last exception.
    pub esr: u64,
    /// FAR_EL1 of the last exception, for aborts and alignment faults.
    pub far: u64,
}

impl UserContext {
    /// A program that begins at `pc` with the stack pointer `sp`, all other registers 0.
    #[must_use]
    pub const fn new(pc: u64, sp: u64) -> Self {
        Self {
            x: [0; 31],
            sp,
            pc,
            pstate: 0,
            tls: 0,
            esr: 0,
            far: 0,
        }
    }
}

unsafe extern "C" {
    /// arch/exception.S.
    fn __run_user(context: *mut UserContext) -> u64;
}

/// Runs EL0 with the registers of `context` until an exception, and returns the index of its
/// vector: 8 to 11, a synchronous exception, an IRQ, an FIQ or an SError (DDI 0487 D1.3.1). Low
/// addresses are what TTBR0_EL1 says.
///
/// IRQs must be masked: at EL0 they are not, and one that was pending is the first exception.
///
/// # Safety
/// No code at EL1 relies on memory that EL0 may write through the live tables.
pub unsafe fn run(context: &mut UserContext) -> u64 {
    debug_assert!(super::cpu::interrupts_are_masked());
    // SAFETY: the caller vouches for the memory; the registers of EL1 are kept, by the assembly.
    unsafe { __run_user(context) }
}

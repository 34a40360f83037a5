//! Taking an exception: the vector table and the frame it builds.
//!
//! What an exception means is `exception`'s business, what is done about it `kernel`'s: the
//! assembly calls the symbol `kernel_exception`, which that room defines.

use core::arch::global_asm;
use core::mem::offset_of;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{TPIDR_EL1, VBAR_EL1, Writeable};

/// Bytes of an exception stack: a power of two, so that one shift tells whether one is on it.
pub const EXCEPTION_STACK_SIZE: usize = 1 << EXCEPTION_STACK_LOG2;
const EXCEPTION_STACK_LOG2: usize = 14;

/// The registers of the interrupted code, and what the core says about the exception.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct TrapFrame {
    /// x0 to x30.
    pub x: [u64; 31],
    /// The stack pointer.
    pub sp: u64,
    /// ELR_EL1: where it happened, or where it would have gone on.
    pub elr: u64,
    /// SPSR_EL1: the processor state.
    pub spsr: u64,
    /// ESR_EL1: the syndrome.
    pub esr: u64,
    /// FAR_EL1: the address, for aborts and alignment faults.
    pub far: u64,
}

global_asm!(
    include_str!("exception.S"),
    STACK_SIZE = const EXCEPTION_STACK_SIZE,
    STACK_SIZE_LOG2 = const EXCEPTION_STACK_LOG2,
    FRAME_SIZE = const size_of::<TrapFrame>(),
    X = const offset_of!(TrapFrame, x),
    SP = const offset_of!(TrapFrame, sp),
    ELR = const offset_of!(TrapFrame, elr),
    SPSR = const offset_of!(TrapFrame, spsr),
    ESR = const offset_of!(TrapFrame, esr),
    FAR = const offset_of!(TrapFrame, far),
);

unsafe extern "C" {
    static __vectors: [u8; 0];
}

/// Makes this core take its exceptions through the kernel's vectors, on the stack that ends at
/// `stack_top`.
///
/// # Safety
/// [`EXCEPTION_STACK_SIZE`] bytes below `stack_top` are mapped and used by nothing else.
pub unsafe fn install(stack_top: usize) {
    TPIDR_EL1.set(stack_top as u64);
    VBAR_EL1.set((&raw const __vectors).addr() as u64);
    barrier::isb(barrier::SY);
}

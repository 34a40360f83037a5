//! Taking an exception: the vector table and the frame it builds.
//!
//! The room `exception` decodes it and the room `kernel` decides what to do about it: the
//! assembly calls the symbols `kernel_exception` and `kernel_stacks_exhausted`, which that room
//! defines.
#![expect(unsafe_code, reason = "the vectors, which are assembly")]

use core::arch::global_asm;
use core::mem::offset_of;

use super::user_mode::UserContext;
use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{TPIDR_EL1, VBAR_EL1, Writeable};

/// The alignment of a vector table in bytes: VBAR_ELx bits 10:0 are RES0 (DDI 0487
/// D24.2). linker.ld asserts it of every table.
pub const VECTOR_ALIGNMENT: usize = 2048;
/// Bytes of an exception stack, one a core. Nested exceptions go on there as long as 4 KiB of it
/// are left.
pub const EXCEPTION_STACK_SIZE: usize = 0x4000;
/// Bytes of an emergency stack, one a core, on which an exception is reported that finds too little
/// of the exception stack left.
pub const EMERGENCY_STACK_SIZE: usize = 0x2000;
/// Bytes between the two, the emergency stack below, and what follows it: a page that the kernel's
/// map leaves out, so that a stack that runs over takes a translation fault.
pub const STACK_GUARD_SIZE: usize = 0x1000;
/// Bytes of both stacks and the guards below each, downwards from the top that TPIDR_EL1 holds: 32
/// KiB.
pub const STACKS_SIZE: usize = EXCEPTION_STACK_SIZE + EMERGENCY_STACK_SIZE + 2 * STACK_GUARD_SIZE;
/// An exception is handled on the exception stack if so many bytes of that are left: a report's
/// need.
const ROOM: usize = 0x1000;
/// The emergency stack goes on with this much left: a report of one line.
const EMERGENCY_ROOM: usize = 0x1000;

/// The registers of the interrupted code, and what the core says about the exception: 304 bytes on
/// the stack of the handler. The code goes on with `x`, `sp`, `elr` and `spsr` as they are when the
/// handler returns; changes of the rest have no effect.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct TrapFrame {
    /// The general registers x0 to x30.
    pub x: [u64; 31],
    /// The stack pointer of the interrupted code.
    pub sp: u64,
    /// ELR_EL1: where it happened, or where it would have gone on.
    pub elr: u64,
    /// SPSR_EL1: the processor state.
    pub spsr: u64,
    /// ESR_EL1: the syndrome.
    pub esr: u64,
    /// FAR_EL1: the address, for aborts and alignment faults.
    pub far: u64,
    /// A frame record (AAPCS64): x29 and ELR_EL1, as if the interrupted code had made a call.
    pub link: [u64; 2],
}

global_asm!(
    include_str!(concat!(env!("OUT_DIR"), "/exception.S")),
    VECTOR_ALIGNMENT = const VECTOR_ALIGNMENT,
    EXCEPTION_SIZE = const EXCEPTION_STACK_SIZE,
    EMERGENCY_SIZE = const EMERGENCY_STACK_SIZE,
    GUARD_SIZE = const STACK_GUARD_SIZE,
    ROOM = const ROOM,
    EMERGENCY_ROOM = const EMERGENCY_ROOM,
    FRAME_SIZE = const size_of::<TrapFrame>(),
    X = const offset_of!(TrapFrame, x),
    SP = const offset_of!(TrapFrame, sp),
    ELR = const offset_of!(TrapFrame, elr),
    SPSR = const offset_of!(TrapFrame, spsr),
    ESR = const offset_of!(TrapFrame, esr),
    FAR = const offset_of!(TrapFrame, far),
    LINK = const offset_of!(TrapFrame, link),
    USER_X = const offset_of!(UserContext, x),
    USER_SP = const offset_of!(UserContext, sp),
    USER_PC = const offset_of!(UserContext, pc),
    USER_PSTATE = const offset_of!(UserContext, pstate),
    USER_TLS = const offset_of!(UserContext, tls),
    USER_ESR = const offset_of!(UserContext, esr),
    USER_FAR = const offset_of!(UserContext, far),
);

unsafe extern "C" {
    static __vectors: [u8; 0];
}

/// Makes this core take its exceptions through the kernel's vectors, on the exception stack that
/// ends at `stack_top` and the emergency stack below it.
///
/// # Safety
/// [`EXCEPTION_STACK_SIZE`] bytes below `stack_top`, and [`EMERGENCY_STACK_SIZE`] bytes
/// [`STACK_GUARD_SIZE`] below those, are mapped and used by nothing else.
pub unsafe fn install(stack_top: usize) {
    TPIDR_EL1.set(stack_top as u64);
    VBAR_EL1.set((&raw const __vectors).addr() as u64);
    barrier::isb(barrier::SY);
}

//! Loads and stores that may fail: an abort becomes an error.
//!
//! The exception handler asks [`recover`] about every synchronous exception; if the instruction is
//! one of those below, the access ends with [`Aborted`]. Only the access itself is a single
//! instruction here, so that the place is exact.

use core::arch::global_asm;

use super::exception::TrapFrame;
use crate::addr::VirtAddr;

/// How wide an access is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum Width {
    /// 8 bits.
    Byte = 1,
    /// 16 bits.
    Half = 2,
    /// 32 bits.
    Word = 4,
    /// 64 bits.
    Double = 8,
}

/// The access took an exception; ESR_EL1 tells which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Aborted {
    /// ESR_EL1 at the exception.
    pub syndrome: u64,
}

// In: x0 address, x1 value. Out: x0 value, x1 = 0; or x1 = 1 and x0 = ESR_EL1 after an abort.
global_asm!(
    ".section .text.probe, \"ax\", @progbits",
    ".macro probe name, access",
    ".global \\name",
    ".type \\name, @function",
    "\\name:",
    "    \\access",
    "    mov x1, xzr",
    "    ret",
    ".size \\name, . - \\name",
    ".endm",
    ".global __probe_start, __probe_end",
    "__probe_start:",
    "probe __probe_read_1, \"ldrb w0, [x0]\"",
    "probe __probe_read_2, \"ldrh w0, [x0]\"",
    "probe __probe_read_4, \"ldr w0, [x0]\"",
    "probe __probe_read_8, \"ldr x0, [x0]\"",
    "probe __probe_write_1, \"strb w1, [x0]\"",
    "probe __probe_write_2, \"strh w1, [x0]\"",
    "probe __probe_write_4, \"str w1, [x0]\"",
    "probe __probe_write_8, \"str x1, [x0]\"",
    "probe __probe_brk, \"brk #0x5742\"",
    "__probe_end:",
);

#[repr(C)]
struct Outcome {
    value: u64,
    aborted: u64,
}

type Routine = unsafe extern "C" fn(usize, u64) -> Outcome;

unsafe extern "C" {
    static __probe_start: [u8; 0];
    static __probe_end: [u8; 0];
    fn __probe_read_1(address: usize, value: u64) -> Outcome;
    fn __probe_read_2(address: usize, value: u64) -> Outcome;
    fn __probe_read_4(address: usize, value: u64) -> Outcome;
    fn __probe_read_8(address: usize, value: u64) -> Outcome;
    fn __probe_write_1(address: usize, value: u64) -> Outcome;
    fn __probe_write_2(address: usize, value: u64) -> Outcome;
    fn __probe_write_4(address: usize, value: u64) -> Outcome;
    fn __probe_write_8(address: usize, value: u64) -> Outcome;
    fn __probe_brk(address: usize, value: u64) -> Outcome;
}

/// Loads from `va`.
///
/// # Errors
/// [`Aborted`] if the load took a synchronous exception.
///
/// # Safety
/// If `va` is a device register, reading it does no harm.
pub unsafe fn read(va: VirtAddr, width: Width) -> Result<u64, Aborted> {
    let routine: Routine = match width {
        Width::Byte => __probe_read_1,
        Width::Half => __probe_read_2,
        Width::Word => __probe_read_4,
        Width::Double => __probe_read_8,
    };
    // SAFETY: an abort is recovered from; the caller vouches for the rest.
    outcome(unsafe { routine(va.as_usize(), 0) })
}

/// Stores to `va`.
///
/// # Errors
/// [`Aborted`] if the store took a synchronous exception.
///
/// # Safety
/// Nothing that the kernel relies on is at `va`.
pub unsafe fn write(va: VirtAddr, width: Width, value: u64) -> Result<(), Aborted> {
    let routine: Routine = match width {
        Width::Byte => __probe_write_1,
        Width::Half => __probe_write_2,
        Width::Word => __probe_write_4,
        Width::Double => __probe_write_8,
    };
    // SAFETY: an abort is recovered from; the caller vouches for the rest.
    outcome(unsafe { routine(va.as_usize(), value) }).map(|_| ())
}

/// Takes a breakpoint's exception and comes back: the shortest way into the handler of exceptions.
///
/// # Errors
/// [`Aborted`] with the breakpoint's syndrome, always: a breakpoint that is none returns 0.
pub fn breakpoint() -> Result<u64, Aborted> {
    // SAFETY: the exception is recovered from; nothing is accessed.
    outcome(unsafe { __probe_brk(0, 0) })
}

fn outcome(outcome: Outcome) -> Result<u64, Aborted> {
    match outcome {
        Outcome { value, aborted: 0 } => Ok(value),
        Outcome { value, .. } => Err(Aborted { syndrome: value }),
    }
}

/// If the exception in `frame` is an access of this module, makes it return [`Aborted`].
pub fn recover(frame: &mut TrapFrame) -> bool {
    let probes = (&raw const __probe_start).addr() as u64..(&raw const __probe_end).addr() as u64;
    if !probes.contains(&frame.elr) {
        return false;
    }
    frame.x[0] = frame.esr;
    frame.x[1] = 1;
    frame.elr = frame.x[30];
    true
}

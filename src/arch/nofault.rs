//! Loads and stores of addresses that may not be mapped: an abort becomes an error, as by Linux's
//! `copy_from_kernel_nofault` and its table of exception fixups.
//!
//! A load of the unmapped address 0xffff_0000_dead_0000:
//!
//! 1. [`read`] calls `__nofault_read_8`, whose first instruction is `ldr x0, [x0]`. It takes a data
//!    abort.
//! 2. The exception handler passes the frame of every synchronous exception to [`fixup`], which
//!    compares ELR_EL1 with the addresses from `__nofault_start` to `__nofault_end`: that range is
//!    the whole table of fixups.
//! 3. `fixup` makes the function return to its caller, with ESR_EL1 in x0 and 1 in x1.
//! 4. `read` returns [`Aborted`], with that syndrome.
//!
//! Each function has one instruction that can fault, before it changes anything: so step 3 needs no
//! table of what to undo.
#![expect(unsafe_code, reason = "calls into assembly")]

use core::arch::global_asm;

use super::exception::TrapFrame;
use crate::addr::VirtAddr;

/// How wide an access is; as a number its bytes. An address that is no multiple of them takes an
/// alignment fault, since SCTLR_EL1.A is set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum AccessWidth {
    /// 8 bits.
    Byte = 1,
    /// 16 bits.
    Half = 2,
    /// 32 bits.
    Word = 4,
    /// 64 bits.
    Double = 8,
}

/// The access took a synchronous exception, and changed nothing. An SError, which comes later, is
/// not among these errors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Aborted {
    /// ESR_EL1 at the exception.
    pub syndrome: u64,
}

// In: x0 address, x1 value. Out: x0 value, x1 = 0; or x1 = 1 and x0 = ESR_EL1 after an abort.
global_asm!(
    ".section .text.nofault, \"ax\", @progbits",
    ".macro nofault name, access",
    ".global \\name",
    ".type \\name, @function",
    "\\name:",
    "    \\access",
    "    mov x1, xzr",
    "    ret",
    ".size \\name, . - \\name",
    ".endm",
    ".global __nofault_start, __nofault_end",
    "__nofault_start:",
    "nofault __nofault_read_1, \"ldrb w0, [x0]\"",
    "nofault __nofault_read_2, \"ldrh w0, [x0]\"",
    "nofault __nofault_read_4, \"ldr w0, [x0]\"",
    "nofault __nofault_read_8, \"ldr x0, [x0]\"",
    "nofault __nofault_write_1, \"strb w1, [x0]\"",
    "nofault __nofault_write_2, \"strh w1, [x0]\"",
    "nofault __nofault_write_4, \"str w1, [x0]\"",
    "nofault __nofault_write_8, \"str x1, [x0]\"",
    "nofault __nofault_brk, \"brk #0x5742\"",
    "__nofault_end:",
);

#[repr(C)]
struct Outcome {
    value: u64,
    aborted: u64,
}

type AccessRoutine = unsafe extern "C" fn(usize, u64) -> Outcome;

unsafe extern "C" {
    static __nofault_start: [u8; 0];
    static __nofault_end: [u8; 0];
    fn __nofault_read_1(address: usize, value: u64) -> Outcome;
    fn __nofault_read_2(address: usize, value: u64) -> Outcome;
    fn __nofault_read_4(address: usize, value: u64) -> Outcome;
    fn __nofault_read_8(address: usize, value: u64) -> Outcome;
    fn __nofault_write_1(address: usize, value: u64) -> Outcome;
    fn __nofault_write_2(address: usize, value: u64) -> Outcome;
    fn __nofault_write_4(address: usize, value: u64) -> Outcome;
    fn __nofault_write_8(address: usize, value: u64) -> Outcome;
    fn __nofault_brk(address: usize, value: u64) -> Outcome;
}

/// Loads from `va`.
///
/// # Errors
/// [`Aborted`] if the load took a synchronous exception.
///
/// # Safety
/// If `va` is a device register, reading it does no harm.
pub unsafe fn read(va: VirtAddr, width: AccessWidth) -> Result<u64, Aborted> {
    let routine: AccessRoutine = match width {
        AccessWidth::Byte => __nofault_read_1,
        AccessWidth::Half => __nofault_read_2,
        AccessWidth::Word => __nofault_read_4,
        AccessWidth::Double => __nofault_read_8,
    };
    // SAFETY: an abort is fixed up; the caller vouches for the rest.
    outcome(unsafe { routine(va.as_usize(), 0) })
}

/// Stores to `va`.
///
/// # Errors
/// [`Aborted`] if the store took a synchronous exception.
///
/// # Safety
/// Nothing that the kernel relies on is at `va`.
pub unsafe fn write(va: VirtAddr, width: AccessWidth, value: u64) -> Result<(), Aborted> {
    let routine: AccessRoutine = match width {
        AccessWidth::Byte => __nofault_write_1,
        AccessWidth::Half => __nofault_write_2,
        AccessWidth::Word => __nofault_write_4,
        AccessWidth::Double => __nofault_write_8,
    };
    // SAFETY: an abort is fixed up; the caller vouches for the rest.
    outcome(unsafe { routine(va.as_usize(), value) }).map(|_| ())
}

/// Executes a BRK and returns: the shortest way into the exception handler and back.
///
/// # Errors
/// [`Aborted`] with the syndrome of the BRK, always. `Ok(0)` means that it took no exception.
pub fn breakpoint() -> Result<u64, Aborted> {
    // SAFETY: the exception is fixed up; nothing is accessed.
    outcome(unsafe { __nofault_brk(0, 0) })
}

fn outcome(outcome: Outcome) -> Result<u64, Aborted> {
    match outcome {
        Outcome { value, aborted: 0 } => Ok(value),
        Outcome { value, .. } => Err(Aborted { syndrome: value }),
    }
}

/// Makes an access of this file that took the exception of `frame` return [`Aborted`]. Returns
/// `false`, with nothing changed, for an exception of any other instruction.
pub fn fixup(frame: &mut TrapFrame) -> bool {
    let accesses =
        (&raw const __nofault_start).addr() as u64..(&raw const __nofault_end).addr() as u64;
    if !accesses.contains(&frame.elr) {
        return false;
    }
    frame.x[0] = frame.esr;
    frame.x[1] = 1;
    frame.elr = frame.x[30];
    true
}

//! Recovery from any synchronous exception in a call: `setjmp` and `longjmp` for faults, as BSD's
//! `pcb_onfault`.
//!
//! `fault null-read` on core 0:
//!
//! 1. [`call`] saves the registers that a function preserves (AAPCS64: x19 to x30, SP) on the
//!    stack, stores the stack pointer in the core's [`OnFault`], and calls the function.
//! 2. The function loads from address 0 and takes a data abort.
//! 3. The exception handler reports it and calls [`recover`]: SP and ELR_EL1 of the frame become
//!    those of step 1.
//! 4. The exception returns into `call`, which restores the registers and returns [`Faulted`].
//!
//! The function's own stack frames are lost, and no value in them is dropped: it must own nothing.
//!
//! An interrupt's handler that interrupts the function is not the function: it may hold locks, and
//! its exceptions must not be recovered from here. They are told by the depth of exceptions, which
//! is one more than when the function was called, or by the stack.
#![expect(unsafe_code, reason = "calls into assembly")]

use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::exception::TrapFrame;

/// The function took an exception, which was reported, and did not return. No trace of the cause is
/// left but the report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Faulted;

/// A function that may fault. It owns nothing that would have to be dropped, and holds no lock: a
/// fault ends it at any instruction.
pub type FaultableFunction = unsafe extern "C" fn(usize);

// In: x0 = function, x1 = its argument, x2 = the word for the stack pointer.
// Out: x0 = 0, or 1 if it took an exception; the word as before.
global_asm!(
    ".section .text.onfault, \"ax\", @progbits",
    ".global __onfault_call, __onfault_return",
    ".type __onfault_call, @function",
    "__onfault_call:",
    "    stp x29, x30, [sp, #-112]!",
    "    mov x29, sp",
    "    stp x19, x20, [sp, #16]",
    "    stp x21, x22, [sp, #32]",
    "    stp x23, x24, [sp, #48]",
    "    stp x25, x26, [sp, #64]",
    "    stp x27, x28, [sp, #80]",
    "    ldr x3, [x2]",
    "    stp x2, x3, [sp, #96]",
    "    mov x4, sp",
    "    str x4, [x2]",
    "    mov x3, x0",
    "    mov x0, x1",
    "    blr x3",
    "    mov x0, xzr",
    "1:  ldp x2, x3, [sp, #96]",
    "    str x3, [x2]",
    "    ldp x19, x20, [sp, #16]",
    "    ldp x21, x22, [sp, #32]",
    "    ldp x23, x24, [sp, #48]",
    "    ldp x25, x26, [sp, #64]",
    "    ldp x27, x28, [sp, #80]",
    "    ldp x29, x30, [sp], #112",
    "    ret",
    "__onfault_return:",
    "    mov x0, #1",
    "    b 1b",
    ".size __onfault_call, . - __onfault_call",
);

unsafe extern "C" {
    fn __onfault_call(
        function: FaultableFunction,
        argument: usize,
        onfault: *const AtomicUsize,
    ) -> u64;
    static __onfault_return: [u8; 0];
}

/// A core's innermost call by [`call`]; one a core. A nested call saves the outer one's stack
/// pointer, and gives it back when it returns.
#[derive(Debug)]
pub struct OnFault {
    /// The stack pointer, or 0 if there is none.
    sp: AtomicUsize,
    /// Depth of exceptions when it began: 0 at the prompt, 1 in an interrupt's handler.
    depth: AtomicU32,
}

impl OnFault {
    /// No call: [`recover`] refuses every exception, and a report ends the machine.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sp: AtomicUsize::new(0),
            depth: AtomicU32::new(0),
        }
    }
}

impl Default for OnFault {
    fn default() -> Self {
        Self::new()
    }
}

/// Calls `function` with `argument`, at a depth of `depth` exceptions on this core.
///
/// # Errors
/// [`Faulted`] if it took an exception, which was reported.
///
/// # Safety
/// `onfault` is this core's. Ending `function` at any instruction leaves nothing undone that
/// others rely on.
pub unsafe fn call(
    onfault: &'static OnFault,
    depth: u32,
    function: FaultableFunction,
    argument: usize,
) -> Result<(), Faulted> {
    let outer = onfault.depth.load(Ordering::Relaxed);
    onfault.depth.store(depth, Ordering::Relaxed);
    // SAFETY: the function behaves as it must, and the word is this core's, by the caller's
    // promise.
    let ended = unsafe { __onfault_call(function, argument, &raw const onfault.sp) };
    onfault.depth.store(outer, Ordering::Relaxed);
    match ended {
        0 => Ok(()),
        _ => Err(Faulted),
    }
}

/// Makes the function of the core's innermost [`call`] return [`Faulted`], if it is the code that
/// took the exception of `frame`. Returns whether it is.
///
/// It is, if `depth`, the depth of exceptions with this one, is one more than when the function was
/// called, and if the interrupted stack pointer is in the function's stack, from the address that
/// `bottom` returns for an address in it up.
pub fn recover(
    onfault: &OnFault,
    depth: u32,
    bottom: impl FnOnce(usize) -> Option<usize>,
    frame: &mut TrapFrame,
) -> bool {
    let sp = onfault.sp.load(Ordering::Relaxed);
    let own_depth = onfault.depth.load(Ordering::Relaxed).wrapping_add(1);
    if sp == 0 || depth != own_depth {
        return false;
    }
    let own_stack = bottom(sp).is_some_and(|bottom| (bottom..=sp).contains(&(frame.sp as usize)));
    if own_stack {
        frame.sp = sp as u64;
        frame.elr = (&raw const __onfault_return).addr() as u64;
    }
    own_stack
}

//! Calls that may fail with an exception: the handler can end them instead of the machine.
//!
//! [`attempt`] keeps the registers that a call preserves (AAPCS64) on its stack and remembers where
//! in a word of this core's. [`abandon`] makes the interrupted code return there. What the called
//! code had on the stack is lost, and none of it is dropped: it must own nothing.
//!
//! An interrupt's handler that comes meanwhile is not the called code. It owns what it pleases,
//! locks among them, and its exceptions end no attempt: they are taken one exception deeper than
//! the attempt was begun, or on another stack.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::exception::TrapFrame;

/// The call ended with an exception, which was reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Abandoned;

/// What may be attempted: it must own nothing when it fails.
pub type Routine = unsafe extern "C" fn(usize);

// In: x0 = routine, x1 = its argument, x2 = the word for the stack pointer.
// Out: x0 = 0, or 1 if it was abandoned; the word as before.
global_asm!(
    ".section .text.attempt, \"ax\", @progbits",
    ".global __attempt, __attempt_abandoned",
    ".type __attempt, @function",
    "__attempt:",
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
    "__attempt_abandoned:",
    "    mov x0, #1",
    "    b 1b",
    ".size __attempt, . - __attempt",
);

unsafe extern "C" {
    fn __attempt(routine: Routine, argument: usize, under_way: *const AtomicUsize) -> u64;
    static __attempt_abandoned: [u8; 0];
}

/// Where a core remembers its innermost attempt.
#[derive(Debug)]
pub struct UnderWay {
    /// The stack pointer, or 0 if there is none.
    sp: AtomicUsize,
    /// How many exceptions were under way when it began.
    depth: AtomicU32,
}

impl UnderWay {
    /// No attempt.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sp: AtomicUsize::new(0),
            depth: AtomicU32::new(0),
        }
    }
}

impl Default for UnderWay {
    fn default() -> Self {
        Self::new()
    }
}

/// Calls `routine` with `argument`; `depth` exceptions are under way on this core.
///
/// # Errors
/// [`Abandoned`] if it took an exception that was reported.
///
/// # Safety
/// `under_way` is this core's. Ending `routine` at any instruction leaves nothing undone that
/// others rely on.
pub unsafe fn attempt(
    under_way: &'static UnderWay,
    depth: u32,
    routine: Routine,
    argument: usize,
) -> Result<(), Abandoned> {
    let outer = under_way.depth.load(Ordering::Relaxed);
    under_way.depth.store(depth, Ordering::Relaxed);
    // SAFETY: the routine behaves as it must, and the word is this core's, by the caller's promise.
    let ended = unsafe { __attempt(routine, argument, &raw const under_way.sp) };
    under_way.depth.store(outer, Ordering::Relaxed);
    match ended {
        0 => Ok(()),
        _ => Err(Abandoned),
    }
}

/// Makes the interrupted code of `frame` end its attempt, if it is the attempt's own: `depth`
/// exceptions are under way, this one included, one more than when the attempt began; and the stack
/// pointer is in the attempt's stack, of which `bottom` has the first address. Returns whether it
/// was.
pub fn abandon(
    under_way: &UnderWay,
    depth: u32,
    bottom: impl FnOnce(usize) -> Option<usize>,
    frame: &mut TrapFrame,
) -> bool {
    let sp = under_way.sp.load(Ordering::Relaxed);
    let own_depth = under_way.depth.load(Ordering::Relaxed).wrapping_add(1);
    if sp == 0 || depth != own_depth {
        return false;
    }
    let own_stack = bottom(sp).is_some_and(|bottom| (bottom..=sp).contains(&(frame.sp as usize)));
    if own_stack {
        frame.sp = sp as u64;
        frame.elr = (&raw const __attempt_abandoned).addr() as u64;
    }
    own_stack
}

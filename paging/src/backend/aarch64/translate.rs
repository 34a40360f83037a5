//! The MMU's own answer for an address: the `AT` instructions.
//!
//! Source: DDI 0487 C5.5 (AT), D24.2.121 (PAR_EL1).
#![expect(unsafe_code, reason = "instructions")]

use core::arch::asm;

use crate::addr::VirtAddr;

/// The access that a translation is asked for: one of the four stage 1 forms of `AT` (DDI 0487
/// C5.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// A load at EL1: `at s1e1r`, what an `ldr` of the kernel would meet.
    KernelRead,
    /// A store at EL1: `at s1e1w`; a page that is read-only fails it.
    KernelWrite,
    /// A load at EL0: `at s1e0r`, also what an unprivileged `ldtr` would meet.
    UserRead,
    /// A store at EL0: `at s1e0w`, also what an unprivileged `sttr` would meet.
    UserWrite,
}

/// The result of this core's own translation of `va`: PAR_EL1, for
/// [`TranslationResult`](crate::format::par::TranslationResult) to read.
///
/// The translation is that of the trees that are in use now, with what the TLB holds of them.
#[must_use]
pub fn address_translate(va: VirtAddr, access: Access) -> u64 {
    let va = va.as_usize();
    macro_rules! at {
        ($operation:literal) => {
            // SAFETY: AT changes nothing but PAR_EL1.
            unsafe { asm!(concat!("at ", $operation, ", {}"), in(reg) va, options(nostack)) }
        };
    }
    match access {
        Access::KernelRead => at!("s1e1r"),
        Access::KernelWrite => at!("s1e1w"),
        Access::UserRead => at!("s1e0r"),
        Access::UserWrite => at!("s1e0w"),
    }
    let par;
    // SAFETY: the `isb` makes the result of AT visible, and reading it changes nothing.
    unsafe { asm!("isb", "mrs {}, par_el1", out(reg) par, options(nostack, preserves_flags)) };
    par
}

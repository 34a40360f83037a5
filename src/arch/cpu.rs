//! The core itself: its number, its waits, its masks.
#![expect(unsafe_code, reason = "instructions and system registers")]

use core::arch::asm;

use aarch64_cpu::asm::{barrier, sev, wfe, wfi};
use aarch64_cpu::registers::{DAIF, MIDR_EL1, MPIDR_EL1, Readable};

use crate::arch::mask_depth::Interrupts;

/// This core's number, 0 to 3: MPIDR_EL1.Aff0 alone, since the BCM2837 has one cluster. It stays
/// true as long as the caller runs: nothing moves from one core to another.
#[must_use]
pub fn number() -> usize {
    (MPIDR_EL1.get() & 0xff) as usize
}

/// This core's MIDR_EL1: implementer in bits 31:24, variant in 23:20, part in 15:4, revision in
/// 3:0. 0x410f_d034 is a Cortex-A53 r0p4.
#[must_use]
pub fn main_id() -> u64 {
    MIDR_EL1.get()
}

/// Where this is executed, and x29 there: always inlined, so both are the calling function's. A
/// backtrace of running code begins with them.
#[inline(always)]
#[must_use]
pub fn here() -> (u64, u64) {
    let (pc, fp);
    // SAFETY: reads two registers.
    unsafe {
        asm!("adr {pc}, .", "mov {fp}, x29", pc = out(reg) pc, fp = out(reg) fp,
            options(nomem, nostack, preserves_flags));
    }
    (pc, fp)
}

/// Keeps accesses to one device from being mixed up with those to another: the BCM2835 may
/// answer reads of two devices out of order (BCM2835 ARM Peripherals, 1.3).
pub fn device_barrier() {
    barrier::dmb(barrier::SY);
}

/// Wakes the cores that wait in `wfe`. What this core has written is visible to them then (`dsb sy`
/// before the `sev`).
pub fn send_event() {
    barrier::dsb(barrier::SY);
    sev();
}

/// Waits for ever, by `wfe`; interrupts are taken unless they are masked, and an event only makes
/// it wait anew. The caller masks first, if it is the core's end.
pub fn halt() -> ! {
    loop {
        wfe();
    }
}

/// Masks debug exceptions, SError, IRQ and FIQ on this core (DAIF). Synchronous exceptions are
/// taken all the same. Nothing counts this mask: for a while only, there is
/// [`ExceptionsMasked`](super::masks::ExceptionsMasked).
pub fn mask_exceptions() {
    // SAFETY: masking breaks nothing; what comes in waits.
    unsafe { asm!("msr daifset, #0b1111", options(nostack, preserves_flags)) };
}

/// Masks IRQs. Returns whether they were masked. Code that restores the mask uses
/// [`masks`](super::masks), which counts.
#[inline(always)]
pub fn mask_interrupts() -> Interrupts {
    let masks = DAIF.get();
    // SAFETY: masking breaks nothing; what comes in waits. No `nomem`: what follows stays behind.
    unsafe { asm!("msr daifset, #0b0010", options(nostack, preserves_flags)) };
    if let_interrupts_in(masks) {
        Interrupts::LetIn
    } else {
        Interrupts::Masked
    }
}

/// Whether `masks`, a value of DAIF, lets IRQs in: I, bit 7, is clear. D, A and F are not looked
/// at.
#[inline(always)]
#[must_use]
pub const fn let_interrupts_in(masks: u64) -> bool {
    masks & 1 << 7 == 0
}

/// Masks IRQs, uncounted. Returns DAIF as it was, for [`restore_masks`], which comes behind the end
/// of every [`Masked`](super::masks::Masked) that began since, and before the end of those that
/// were there.
#[inline(always)]
pub fn mask_briefly() -> u64 {
    let masks = DAIF.get();
    // SAFETY: as above.
    unsafe { asm!("msr daifset, #0b0010", options(nostack, preserves_flags)) };
    masks
}

/// DAIF as it is, with I set: [`restore_masks`] of this value gives back D, A and F, and leaves
/// IRQs masked for a guard that ends later.
#[inline(always)]
#[must_use]
pub fn masks_but_for_interrupts() -> u64 {
    DAIF.get() | 1 << 7
}

/// Sets DAIF to `masks`, whoever else has masked interrupts since: only for the mask that ends
/// last. Where masks may end in another order, [`masks`](super::masks) counts them.
#[inline(always)]
pub fn restore_masks(masks: u64) {
    // SAFETY: a value of the register, read by one of the two above. No `nomem`: what came before
    // stays before.
    unsafe { asm!("msr daif, {}", in(reg) masks, options(nostack, preserves_flags)) };
}

/// Whether IRQs are masked on this core now (DAIF.I), by whomever: a guard, a handler's entry, or
/// boot.
#[must_use]
pub fn interrupts_are_masked() -> bool {
    DAIF.is_set(DAIF::I)
}

/// Waits until an interrupt is pending, masked or not (`wfi`). The core may also go on without one:
/// the caller looks at what it waits for, and waits again.
pub fn wait_for_interrupt() {
    barrier::dsb(barrier::SY);
    wfi();
}

/// Waits until this core's loads and stores so far are complete (`dsb sy`): before another core is
/// told by a mailbox or an event. A store to a device counts as complete when it is acknowledged,
/// which for nGnRE memory may be before the device has it.
pub fn wait_for_stores() {
    barrier::dsb(barrier::SY);
}

/// Makes earlier changes of system registers count for the next instruction (`isb`), and discards
/// what was fetched before. A change of a table needs the `dsb` of its maintenance before this.
pub fn synchronise() {
    barrier::isb(barrier::SY);
}

/// Lets IRQs in on this core (clears DAIF.I), uncounted: for a core that begins to take them, and
/// for the last [`Masked`](super::masks::Masked) that ends. One that is pending is taken at once.
#[inline(always)]
pub fn unmask_interrupts() {
    // SAFETY: the vectors handle them. No `nomem`: what came before stays before.
    unsafe { asm!("msr daifclr, #0b0010", options(nostack, preserves_flags)) };
}

/// Lets SError and debug exceptions in, so that a failed write to a device is reported.
pub fn unmask_errors() {
    // SAFETY: the vectors report both.
    unsafe { asm!("msr daifclr, #0b1100", options(nostack, preserves_flags)) };
}

/// Goes on in `next`, on the stack that ends at `top`; what is on the present stack is lost.
///
/// # Safety
/// `top` is 16-byte-aligned and the upper end of mapped memory that nobody else uses.
pub unsafe fn continue_on_stack(top: usize, next: extern "C" fn() -> !) -> ! {
    // SAFETY: the caller gives a stack; nothing of this frame is used again.
    unsafe {
        asm!(
            "mov sp, {top}",
            "mov x29, xzr",
            "mov x30, xzr",
            "br {next}",
            top = in(reg) top,
            next = in(reg) next,
            options(noreturn),
        )
    }
}

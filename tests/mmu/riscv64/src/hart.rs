//! The hart: one access at a time in either mode, `satp`, and what a trap says.
//!
//! Source: The RISC-V Instruction Set Manual, volume II: `sstatus`, `scause`, `satp`.

use core::arch::{asm, global_asm};

use mmu_scenario::{Access, Fault, FaultKind, Privilege, first_instruction};
use stilt_paging::addr::VirtAddr;

use crate::firmware::{Verdict, exit};

/// sstatus.SPP: `sret` goes to supervisor mode.
const SPP: usize = 1 << 8;
/// sstatus.SUM: supervisor mode may load and store through user pages.
const SUM: usize = 1 << 18;

const CAUSE_BREAKPOINT: usize = 3;
const CAUSE_FETCH_PAGE_FAULT: usize = 12;
const CAUSE_LOAD_PAGE_FAULT: usize = 13;
const CAUSE_STORE_PAGE_FAULT: usize = 15;

global_asm!(include_str!("enter.S"));

unsafe extern "C" {
    fn enter(pc: usize, first: usize, second: usize, sstatus: usize) -> usize;
    fn trap();
}

/// Makes `trap` the handler of all traps to supervisor mode.
pub(crate) fn take_traps() {
    // SAFETY: sscratch = 0 says that no access is under way; the handler ends the run then.
    unsafe { asm!("csrw sscratch, zero", options(nostack)) };
    // SAFETY: `trap` is a handler as the manual asks for, aligned to 4.
    unsafe { asm!("csrw stvec, {}", in(reg) trap as *const () as usize, options(nostack)) };
}

/// Makes one access at `va`; `value` is what is stored. A load gives the value, a jump what the
/// routine leaves in a0.
///
/// # Safety
/// If `va` is mapped, nobody else uses what a store changes, and a routine stands where a jump
/// goes.
pub(crate) unsafe fn access(
    access: Access,
    va: VirtAddr,
    value: u64,
    who: Privilege,
) -> Result<u64, Fault> {
    if access == Access::Jump && who == Privilege::KernelForUser {
        change_sum_twice();
    }
    // User code does not care for SUM, and QEMU forgets all translations when that changes, which
    // would hide a missing fence: so it stays as the last access of the kernel left it.
    let sstatus = match who {
        Privilege::Kernel => sstatus() & !SUM | SPP,
        Privilege::KernelForUser => sstatus() | SUM | SPP,
        Privilege::User => sstatus() & !SPP,
    };
    let pc = first_instruction(access, va, who);
    // SAFETY: the caller's promise; `enter` keeps all that a call must keep.
    let result = unsafe { enter(pc, va.as_usize(), value as usize, sstatus) };
    let (cause, address): (usize, usize);
    // SAFETY: reading the registers changes nothing; no trap came since.
    unsafe { asm!("csrr {}, scause", out(reg) cause, options(nostack)) };
    // SAFETY: as above.
    unsafe { asm!("csrr {}, stval", out(reg) address, options(nostack)) };
    let kind = match cause {
        CAUSE_BREAKPOINT => return Ok(result as u64),
        CAUSE_FETCH_PAGE_FAULT => FaultKind::Page(Access::Jump),
        CAUSE_LOAD_PAGE_FAULT => FaultKind::Page(Access::Load),
        CAUSE_STORE_PAGE_FAULT => FaultKind::Page(Access::Store),
        other => FaultKind::Other(other as u64),
    };
    Err(Fault {
        kind,
        va: Some(VirtAddr::new(address)),
    })
}

/// A routine that leaves `number`, below 2^31, in a0 and ends by `ebreak`: two instructions for the
/// number, upper 20 bits and lower 12, whose sign the second extends.
pub(crate) const fn routine(number: u32) -> [u32; 3] {
    const A0: u32 = 10;
    let upper = number.wrapping_add(0x800) & 0xffff_f000;
    let lower = number & 0xfff;
    let lui = 0x37 | A0 << 7 | upper;
    let addiw = 0x1b | A0 << 7 | A0 << 15 | lower << 20;
    let ebreak = 0x0010_0073;
    [lui, addiw, ebreak]
}

/// Makes QEMU forget all translations: in version 7.2 the translation of a load that SUM allowed
/// serves fetches, too, which SUM never allows.
fn change_sum_twice() {
    // SAFETY: the program itself uses no user page.
    unsafe { asm!("csrc sstatus, {}", in(reg) SUM, options(nostack)) };
    // SAFETY: as above.
    unsafe { asm!("csrs sstatus, {}", in(reg) SUM, options(nostack)) };
}

fn sstatus() -> usize {
    let sstatus: usize;
    // SAFETY: reading the register changes nothing.
    unsafe { asm!("csrr {}, sstatus", out(reg) sstatus, options(nostack)) };
    sstatus
}

/// Makes fetches see what was stored.
pub(crate) fn synchronise_instructions() {
    // SAFETY: a fence only orders.
    unsafe { asm!("fence.i", options(nostack)) };
}

/// The value of `satp`.
pub(crate) fn satp() -> usize {
    let satp: usize;
    // SAFETY: reading the register changes nothing.
    unsafe { asm!("csrr {}, satp", out(reg) satp, options(nostack)) };
    satp
}

/// Translates as `satp` says from here on.
///
/// # Safety
/// The new translation holds all that the program stands on, where it is.
pub(crate) unsafe fn set_satp(satp: usize) {
    // SAFETY: the caller's promise.
    unsafe { asm!("csrw satp, {}", in(reg) satp, options(nostack)) };
}

/// A trap while no access was under way: the program itself is wrong.
#[unsafe(no_mangle)]
extern "C" fn stray_trap(cause: usize, address: usize, pc: usize) -> ! {
    // SAFETY: the program runs where it lies, translated or not.
    unsafe { set_satp(0) };
    crate::program::say(format_args!(
        "trap in the program: cause {cause}, address {address:#x}, pc {pc:#x}\n"
    ));
    exit(Verdict::Fail)
}

//! The core: one access at a time at either exception level, the roots, and what an exception says.
//!
//! Source: Arm DDI 0487, D24.2: ESR_EL1 (EC, DFSC, IFSC), SCTLR_EL1, TTBR0_EL1, TTBR1_EL1.

use core::arch::{asm, global_asm};

use mmu_scenario::{Access, Fault, FaultKind, Privilege, first_instruction};
use stilt_paging::Asid;
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::format::aarch64_registers::{
    MAIR_EL1, SCTLR_EL1_MMU_OFF, SCTLR_EL1_MMU_ON, tcr_el1,
};

use crate::board::{Verdict, exit};

/// SCTLR_EL1.WXN.
const SCTLR_WXN: u64 = 1 << 19;
/// TTBR0_EL1.ASID.
const TTBR_ASID_SHIFT: u32 = 48;
/// TTBR0_EL1.BADDR, of a root that is aligned to 4 KiB.
const TTBR_BADDR: usize = 0xffff_ffff_f000;

/// SPSR_EL1 of EL1 on its own stack, and of EL0: AArch64, exceptions masked.
const SPSR_EL1H: u64 = 0x3c5;
const SPSR_EL0T: u64 = 0x3c0;

/// ESR_EL1.EC: `brk`; fetches and data accesses, from EL0 and from EL1.
const EC_SHIFT: u32 = 26;
const EC_BREAKPOINT: u64 = 0x3c;
const EC_FETCH_EL0: u64 = 0x20;
const EC_FETCH_EL1: u64 = 0x21;
const EC_DATA_EL0: u64 = 0x24;
const EC_DATA_EL1: u64 = 0x25;
/// ESR_EL1.WnR of a data abort: a store.
const ESR_STORE: u64 = 1 << 6;
/// The fault status without its level: translation, access flag, permission.
const STATUS: u64 = 0b11_1100;
const STATUS_TRANSLATION: u64 = 0b00_0100;
const STATUS_ACCESS_FLAG: u64 = 0b00_1000;
const STATUS_PERMISSION: u64 = 0b00_1100;

global_asm!(include_str!("enter.S"), STRAY_EXCEPTION = sym stray_exception);

unsafe extern "C" {
    fn enter(pc: usize, first: usize, second: u64, spsr: u64, outcome: &mut Outcome);
    fn vectors();
}

/// What was at the exception: see `enter`.
#[repr(C)]
#[derive(Default)]
struct Outcome {
    x0: u64,
    esr: u64,
    far: u64,
}

/// The roots for both halves.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Trees {
    /// For TTBR0_EL1.
    pub(crate) low: PhysAddr,
    /// For TTBR1_EL1.
    pub(crate) high: PhysAddr,
}

/// Whether what is writable can be executed, whatever its descriptor says.
#[derive(Clone, Copy, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Wxn {
    /// As the descriptor says.
    Off,
    /// Never: as the kernel has it.
    On,
}

/// Makes `vectors` the entries of all exceptions to EL1.
pub(crate) fn take_exceptions() {
    // SAFETY: tpidr_el1 = 0 says that no access is under way; the handler ends the run then.
    unsafe { asm!("msr tpidr_el1, xzr", options(nostack, preserves_flags)) };
    // SAFETY: `vectors` are entries as the manual asks for, aligned to 2 KiB.
    unsafe {
        asm!(
            "msr vbar_el1, {}",
            "isb",
            in(reg) (vectors as *const ()).addr(),
            options(nostack, preserves_flags),
        );
    }
}

/// Turns the MMU on.
///
/// # Safety
/// It was off; `trees` hold the program where it lies, and stay as long as they are used.
pub(crate) unsafe fn enable(trees: Trees) {
    let pa_ranges: u64;
    // SAFETY: reading the register changes nothing.
    unsafe {
        asm!("mrs {}, id_aa64mmfr0_el1", out(reg) pa_ranges, options(nostack, preserves_flags));
    }
    // SAFETY: with the MMU off the registers mean nothing yet.
    unsafe {
        asm!(
            "msr mair_el1, {mair}",
            "msr tcr_el1, {tcr}",
            mair = in(reg) MAIR_EL1,
            tcr = in(reg) tcr_el1(pa_ranges),
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: the caller's promise.
    unsafe { replace(trees, Asid::KERNEL, Wxn::Off) };
}

/// Translates by `trees`, with `asid` and `wxn`, and forgets everything else: with the MMU off in
/// between, so that entries of two trees for one address are never used at once.
///
/// # Safety
/// `trees` hold the program where it lies, and stay as long as they are used.
pub(crate) unsafe fn replace(trees: Trees, asid: Asid, wxn: Wxn) {
    let on = match wxn {
        Wxn::On => SCTLR_EL1_MMU_ON | SCTLR_WXN,
        Wxn::Off => SCTLR_EL1_MMU_ON & !SCTLR_WXN,
    };
    // SAFETY: the code is where it lies whether it is translated or not, by the caller; no memory
    // is accessed while the MMU is off.
    unsafe {
        asm!(
            "dsb sy",
            "msr sctlr_el1, {off}",
            "isb",
            "msr ttbr0_el1, {low}",
            "msr ttbr1_el1, {high}",
            "isb",
            "tlbi vmalle1",
            "dsb nsh",
            "isb",
            "msr sctlr_el1, {on}",
            "isb",
            off = in(reg) SCTLR_EL1_MMU_OFF,
            low = in(reg) ttbr0(trees, asid),
            high = in(reg) trees.high.as_usize(),
            on = in(reg) on,
            options(nostack, preserves_flags),
        );
    }
}

/// Translates by `trees`, as the address space `asid`. Invalidates nothing.
///
/// # Safety
/// Both these trees and those so far hold the program, in the same leaves, and stay.
pub(crate) unsafe fn switch(trees: Trees, asid: Asid, empty: PhysAddr) {
    // The tree of the high half is never used with the ASID of another one: in between there is
    // none.
    // SAFETY: the program is in the low half, by the caller in both trees.
    unsafe {
        asm!(
            "msr ttbr1_el1, {empty}",
            "isb",
            "msr ttbr0_el1, {low}",
            "isb",
            "msr ttbr1_el1, {high}",
            "isb",
            empty = in(reg) empty.as_usize(),
            low = in(reg) ttbr0(trees, asid),
            high = in(reg) trees.high.as_usize(),
            options(nostack, preserves_flags),
        );
    }
}

fn ttbr0(trees: Trees, asid: Asid) -> u64 {
    trees.low.as_usize() as u64 | u64::from(asid.as_u16()) << TTBR_ASID_SHIFT
}

/// The roots that are in use.
pub(crate) fn trees() -> Trees {
    let (low, high): (usize, usize);
    // SAFETY: reading the registers changes nothing.
    unsafe {
        asm!(
            "mrs {low}, ttbr0_el1",
            "mrs {high}, ttbr1_el1",
            low = out(reg) low,
            high = out(reg) high,
            options(nostack, preserves_flags),
        );
    }
    Trees {
        low: PhysAddr::new(low & TTBR_BADDR),
        high: PhysAddr::new(high & TTBR_BADDR),
    }
}

/// Makes one access at `va`; `value` is what is stored. A load gives the value, a jump what the
/// routine leaves in x0.
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
    let spsr = match who {
        Privilege::Kernel | Privilege::KernelForUser => SPSR_EL1H,
        Privilege::User => SPSR_EL0T,
    };
    let pc = first_instruction(access, va, who);
    let mut outcome = Outcome::default();
    // SAFETY: the caller's promise; `enter` keeps all that a call must keep.
    unsafe { enter(pc, va.as_usize(), value, spsr, &mut outcome) };
    if outcome.esr >> EC_SHIFT == EC_BREAKPOINT {
        return Ok(outcome.x0);
    }
    Err(Fault {
        kind: fault(outcome.esr, who),
        va: Some(VirtAddr::new(outcome.far as usize)),
    })
}

/// A routine that leaves `number` in x0 and ends by `brk`: `movz` and `movk` with 16 bits each.
pub(crate) const fn routine(number: u32) -> [u32; 3] {
    let movz = 0xd280_0000 | (number & 0xffff) << 5;
    let movk = 0xf2a0_0000 | (number >> 16) << 5;
    let brk = 0xd420_0000;
    [movz, movk, brk]
}

/// What ESR_EL1 says; anything but that the translation does not allow an access by `who` is
/// another fault.
fn fault(esr: u64, who: Privilege) -> FaultKind {
    let status = esr & STATUS;
    let by_translation = matches!(
        status,
        STATUS_TRANSLATION | STATUS_ACCESS_FLAG | STATUS_PERMISSION
    );
    let (fetch, data) = match who {
        Privilege::User => (EC_FETCH_EL0, EC_DATA_EL0),
        Privilege::Kernel | Privilege::KernelForUser => (EC_FETCH_EL1, EC_DATA_EL1),
    };
    let class = esr >> EC_SHIFT;
    if by_translation && class == fetch {
        return FaultKind::Page(Access::Jump);
    }
    if by_translation && class == data {
        return FaultKind::Page(match esr & ESR_STORE {
            0 => Access::Load,
            _ => Access::Store,
        });
    }
    FaultKind::Other(esr)
}

/// Makes fetches see what was stored. The data caches of the emulator need no cleaning.
pub(crate) fn synchronise_instructions() {
    // SAFETY: caches of instructions hold nothing that memory lacks.
    unsafe {
        asm!(
            "dsb ish",
            "ic ialluis",
            "dsb ish",
            "isb",
            options(nostack, preserves_flags)
        )
    };
}

/// An exception while no access was under way: the program itself is wrong.
extern "C" fn stray_exception(esr: u64, far: u64, elr: u64) -> ! {
    crate::program::say(format_args!(
        "exception in the program: ESR_EL1 {esr:#x}, FAR_EL1 {far:#x}, ELR_EL1 {elr:#x}\n"
    ));
    exit(Verdict::Fail)
}

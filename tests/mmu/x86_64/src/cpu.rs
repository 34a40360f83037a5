//! The CPU: one access at a time at either privilege level, CR3, and what an exception says.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3, "Control
//! Registers", "Page-Fault Exceptions".

use core::arch::asm;

use mmu_scenario::{Access, Fault, FaultKind, Privilege, first_instruction};
use stilt_paging::addr::{PhysAddr, VirtAddr};

use crate::ports::{Verdict, exit};
use crate::segments::{KERNEL_CODE, KERNEL_DATA, USER_CODE, USER_DATA};

/// CR0: paging, write protection of the kernel too, and what 64-bit mode has always set.
pub(crate) const CR0: u32 = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1;
/// CR4: PAE, global pages, SMEP, SMAP.
pub(crate) const CR4: u32 = 1 << 5 | 1 << 7 | 1 << 20 | 1 << 21;
/// The number of the register EFER.
pub(crate) const IA32_EFER: u32 = 0xc000_0080;
/// EFER: 64-bit mode, execute-disable bits.
pub(crate) const EFER: u32 = 1 << 8 | 1 << 11;

/// RFLAGS: bit 1 is always set.
const RFLAGS: u64 = 1 << 1;
/// RFLAGS.AC: with SMAP, the kernel may load and store through user pages.
const RFLAGS_AC: u64 = 1 << 18;

const VECTOR_BREAKPOINT: u64 = 3;
const VECTOR_PROTECTION: u64 = 13;
const VECTOR_PAGE_FAULT: u64 = 14;

/// Error code of a page fault: a store, user code, a fetch; and what none of ours is.
const ERROR_WRITE: u64 = 1 << 1;
const ERROR_USER: u64 = 1 << 2;
const ERROR_FETCH: u64 = 1 << 4;
const ERROR_KNOWN: u64 = 1 | ERROR_WRITE | ERROR_USER | ERROR_FETCH;

/// How execution begins: see `enter`.
#[repr(C)]
struct Frame {
    rip: u64,
    cs: u64,
    rflags: u64,
    ss: u64,
}

/// What was at the exception: see `enter`.
#[repr(C)]
#[derive(Default)]
struct Outcome {
    rax: u64,
    vector: u64,
    error: u64,
    cr2: u64,
}

unsafe extern "C" {
    fn enter(frame: &Frame, first: usize, second: u64, outcome: &mut Outcome);
    static boot_root: u8;
}

/// Makes one access at `va`; `value` is what is stored. A load gives the value, a jump what the
/// routine leaves in rax.
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
    let (cs, ss, rflags) = match who {
        Privilege::Kernel => (KERNEL_CODE, KERNEL_DATA, RFLAGS),
        Privilege::KernelForUser => (KERNEL_CODE, KERNEL_DATA, RFLAGS | RFLAGS_AC),
        Privilege::User => (USER_CODE, USER_DATA, RFLAGS),
    };
    let frame = Frame {
        rip: first_instruction(access, va, who) as u64,
        cs: u64::from(cs),
        rflags,
        ss: u64::from(ss),
    };
    let mut outcome = Outcome::default();
    // SAFETY: the caller's promise; `enter` keeps all that a call must keep.
    unsafe { enter(&frame, va.as_usize(), value, &mut outcome) };
    match outcome.vector {
        VECTOR_BREAKPOINT => Ok(outcome.rax),
        VECTOR_PROTECTION => Err(Fault {
            kind: FaultKind::Address,
            va: None,
        }),
        VECTOR_PAGE_FAULT => Err(Fault {
            kind: page_fault(outcome.error, who),
            va: Some(VirtAddr::new(outcome.cr2 as usize)),
        }),
        other => Err(Fault {
            kind: FaultKind::Other(other),
            va: None,
        }),
    }
}

/// A routine that leaves `number` in rax and ends by `int3`: `mov eax, number` clears the rest.
pub(crate) const fn routine(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_le_bytes();
    [0xb8, a, b, c, d, 0xcc]
}

/// What the error code of a page fault says; anything but an access by `who` is another fault.
fn page_fault(error: u64, who: Privilege) -> FaultKind {
    let by_user = error & ERROR_USER != 0;
    if by_user != (who == Privilege::User) || error & !ERROR_KNOWN != 0 {
        return FaultKind::Other(error);
    }
    FaultKind::Page(match (error & ERROR_FETCH != 0, error & ERROR_WRITE != 0) {
        (true, _) => Access::Jump,
        (false, true) => Access::Store,
        (false, false) => Access::Load,
    })
}

/// The root of the tree that `start.S` made.
pub(crate) fn boot_root_paddr() -> PhysAddr {
    PhysAddr::new((&raw const boot_root).addr())
}

/// Translates by the tree whose root is at `root` from here on; invalidates what is not global.
///
/// # Safety
/// The tree holds all that the program stands on, where it is, and stays.
pub(crate) unsafe fn set_root(root: PhysAddr) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov cr3, {}", in(reg) root.as_usize(), options(nostack, preserves_flags)) };
}

/// An exception while no access was under way: the program itself is wrong.
pub(crate) extern "C" fn stray_exception(vector: u64, rip: u64, error: u64, cr2: u64) -> ! {
    crate::program::say(format_args!(
        "exception in the program: vector {vector}, rip {rip:#x}, error code {error:#x}, \
         cr2 {cr2:#x}\n"
    ));
    exit(Verdict::Fail)
}

//! Spurious faults: the live map allows the access that was refused. Linux's
//! `is_spurious_el1_translation_fault` looks for them, too.
//!
//! 1. Core A stores a descriptor for the page at 0xffff_8000_8000_0000, publishes it (`dsb ishst`)
//!    and releases a lock.
//! 2. Core B takes the lock and uses the page. Its walk may have begun before it saw the lock free:
//!    without FEAT_ETS2, which a Cortex-A53 has not, only an ISB on B would order the two.
//! 3. The walk finds the old, invalid descriptor: B faults on a page that is mapped.
//! 4. Taking the exception synchronises B's context. AT S1E1R translates the address: PAR_EL1.F is
//!    0, and the access is done again.
//!
//! An ISB behind every lock would make every acquisition slower, for a fault that hardly ever
//! happens. So each translation, access flag or permission fault at EL1 is looked at here first.
//! Rights that were widened are such a case as well: the old entry may have been in the TLB until
//! just now.
//!
//! # Decisions
//! - One access is done again once: a second fault with the same ELR_EL1 and FAR_EL1, and no
//!   exception in between, is real.
//! - Loads and stores are judged by AT, by which the MMU itself translates without an access. There
//!   is no AT for fetches: where a load is allowed, the tables are read for the right to execute.
//! - PAR_EL1 is restored: the interrupted code may be about to read it.
#![forbid(unsafe_code)]

use super::walk::map_allows;
use crate::addr::VirtAddr;
use crate::arch::exception::TrapFrame;
use crate::arch::mmu::{self, Access};
use crate::exception::syndrome::{ExceptionClass, Syndrome};
use crate::kernel::cores::per_core;
use crate::paging::format::aarch64_refusal::Attempt;

/// Whether the exception of `frame` is a spurious fault, whose access is to be done again.
#[inline]
pub(crate) fn is_spurious(frame: &TrapFrame) -> bool {
    let syndrome = Syndrome::new(frame.esr);
    syndrome.is_refused_by_map() && syndrome.has_address() && look(frame, syndrome)
}

#[inline(never)]
fn look(frame: &TrapFrame, syndrome: Syndrome) -> bool {
    let core = per_core::this();
    let taken = core.nesting.taken();
    let faults = &core.spurious_faults;
    let va = VirtAddr::new(frame.far as usize);
    if faults.was_the_last(frame.elr, frame.far, taken) || !allows(va, attempt_of(syndrome)) {
        return false;
    }
    faults.count(frame.elr, frame.far, taken);
    true
}

fn attempt_of(syndrome: Syndrome) -> Attempt {
    match syndrome.class() {
        ExceptionClass::InstructionAbort => Attempt::Execute,
        // Cache maintenance counts as a store; all that the kernel does by address needs to read.
        _ if syndrome.is_write() && !syndrome.is_cache_maintenance() => Attempt::Write,
        _ => Attempt::Read,
    }
}

fn allows(va: VirtAddr, attempt: Attempt) -> bool {
    match attempt {
        Attempt::Read => mmu::translates(va, Access::KernelRead),
        Attempt::Write => mmu::translates(va, Access::KernelWrite),
        Attempt::Execute => mmu::translates(va, Access::KernelRead) && map_allows(va, attempt),
    }
}

//! Faults that are none: the map has what was refused, and this core looked too early.
//!
//! 1. Core A writes a descriptor, publishes it (`dsb ishst`) and releases a lock.
//! 2. Core B takes the lock and uses the page. Its walk may have begun before it saw the lock free:
//!    without FEAT_ETS2, which a Cortex-A53 has not, only an ISB on B would order the two.
//! 3. The walk finds the old, invalid descriptor: B faults on a page that is mapped.
//!
//! An ISB behind every lock would cost all for what hardly ever happens. The exception itself is
//! one: what the walk finds behind it is what memory has. So each translation, access flag or
//! permission fault at EL1 asks the MMU once more, before anything else becomes of it, and if the
//! access is good now it is simply done again. The same holds for rights that were widened, where
//! the old entry may have been in the TLB until just now.
//!
//! # Decisions
//! - One access is done again once: a fault with the same ELR and FAR, and nothing in between, is
//!   real.
//! - Loads and stores are judged by AT, which is the MMU's own word and touches no memory. There is
//!   no AT for fetches: where a load is good, the tables are read for the right to execute.
//! - PAR_EL1 stays as it was: who was interrupted may be about to read it.
#![forbid(unsafe_code)]

use super::walk::map_allows;
use crate::addr::VirtAddr;
use crate::arch::exception::TrapFrame;
use crate::arch::mmu::{self, Access};
use crate::exception::syndrome::{Class, Syndrome};
use crate::kernel::cores::per_core;
use crate::paging::format::aarch64_refusal::Attempt;

/// Whether what was refused in `frame` is to be done again, because it is allowed now.
#[inline]
pub(crate) fn is_good_now(frame: &TrapFrame) -> bool {
    let syndrome = Syndrome::new(frame.esr);
    syndrome.is_refused_by_map() && syndrome.has_address() && look(frame, syndrome)
}

#[inline(never)]
fn look(frame: &TrapFrame, syndrome: Syndrome) -> bool {
    let core = per_core::this();
    let taken = core.nesting.taken();
    let looks = &core.second_looks;
    let va = VirtAddr::new(frame.far as usize);
    if looks.was_the_last(frame.elr, frame.far, taken) || !allows(va, attempt_of(syndrome)) {
        return false;
    }
    looks.count(frame.elr, frame.far, taken);
    true
}

fn attempt_of(syndrome: Syndrome) -> Attempt {
    match syndrome.class() {
        Class::InstructionAbort => Attempt::Execute,
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

//! Address-translation fences: [`Instructions`] for the maintenance of a RISC-V kernel's page
//! tables.
//!
//! Source: The RISC-V Instruction Set Manual, volume II, "Supervisor Memory-Management Fence
//! Instruction". `sfence.vma` orders the stores before it with the walks after it, on this hart
//! alone, and its operands say for what:
//!
//! | rs1 | rs2 | reaches |
//! |---|---|---|
//! | `x0` | `x0` | everything: all levels, every ASID, global entries |
//! | address | `x0` | the leaf of that address, every ASID, global entries |
//! | `x0` | ASID | all levels of that ASID, but no global entry |
//! | address | ASID | the leaf of that address and ASID, but no global one |
//!
//! # Decisions
//! * A fence by address is for leaves alone: whenever a pointer to a table may be cached, it is one
//!   without an address.
//! * A hart may remember that an entry was invalid (without Svvptc), so publishing is a fence, too.
#![expect(unsafe_code, reason = "instructions")]

use core::arch::asm;

use super::{Invalidation, LocalInstructions, Shootdown, Uniprocessor};
use crate::addr::VirtAddr;
use crate::format::riscv::Sv39PageTable;
use crate::{AddressSpace, InvalidateScope};

/// Maintenance of tables that this hart uses, and others that `O` reaches, as by the SBI's remote
/// fences.
pub type Tlb<O = Uniprocessor> = Shootdown<Instructions, O>;

/// The table of `satp` in Sv39, which every hart with an MMU for 64 bits has: both canonical
/// halves.
pub type Native<H, O = Uniprocessor> = Sv39PageTable<Tlb<O>, H>;

/// The table of a process: one root translates both halves, so it holds the kernel too, whose
/// top-level tables a [`SharedTop`](crate::SharedTop) lends it.
pub type NativeUser<H, O = Uniprocessor> = Native<H, O>;

/// The fences of the executing hart: `fence`, and `sfence.vma` with the operands of the table in
/// the head of this file.
pub struct Instructions;

// SAFETY: the fences order stores before walks and before other fences, and `execute` fences what
// the table above says; publishing is a fence, too.
unsafe impl LocalInstructions for Instructions {
    const TO_PUBLISH: Option<Invalidation> = Some(Invalidation::Everything(AddressSpace::All));

    #[inline(always)]
    fn order_stores() {
        // SAFETY: a fence only orders.
        unsafe { asm!("fence w, w", options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn complete_stores() {
        // This hart's `sfence.vma` needs it not; those of others must find the stores.
        // SAFETY: a fence only orders.
        unsafe { asm!("fence rw, rw", options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn execute(invalidation: Invalidation) {
        execute(invalidation);
    }
}

/// Executes `invalidation` on this hart alone: also what a hart's handler calls when another one
/// has asked for it ([`RemoteCores::ask`](super::RemoteCores::ask)).
#[inline(always)]
pub fn execute(invalidation: Invalidation) {
    match invalidation {
        Invalidation::Leaf {
            va,
            space,
            scope: InvalidateScope::LastLevel,
        } => fence_leaf(va, space),
        Invalidation::Leaf { space, .. } | Invalidation::Everything(space) => fence_all(space),
    }
}

#[inline(always)]
fn fence_leaf(va: VirtAddr, space: AddressSpace) {
    let va = va.as_usize();
    match space {
        // SAFETY: forgetting translations loses nothing but time.
        AddressSpace::All => unsafe {
            asm!("sfence.vma {}, x0", in(reg) va, options(nostack, preserves_flags));
        },
        AddressSpace::Asid(asid) => {
            let asid = usize::from(asid.as_u16());
            // SAFETY: as above.
            unsafe {
                asm!(
                    "sfence.vma {}, {}",
                    in(reg) va,
                    in(reg) asid,
                    options(nostack, preserves_flags),
                );
            }
        }
    }
}

#[inline(always)]
fn fence_all(space: AddressSpace) {
    match space {
        // SAFETY: forgetting translations loses nothing but time.
        AddressSpace::All => unsafe {
            asm!("sfence.vma x0, x0", options(nostack, preserves_flags));
        },
        AddressSpace::Asid(asid) => {
            let asid = usize::from(asid.as_u16());
            // SAFETY: as above.
            unsafe {
                asm!("sfence.vma x0, {}", in(reg) asid, options(nostack, preserves_flags));
            }
        }
    }
}

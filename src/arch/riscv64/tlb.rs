//! Address-translation fences: the [`Maintenance`] of a RISC-V kernel's page tables.
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

use core::arch::asm;
use core::marker::PhantomData;

use crate::addr::VirtAddr;
use crate::arch::remote::{Invalidation, NoOthers, OtherCores};
use crate::paging::{AddressSpace, InvalidateScope, Maintenance};

/// Maintenance of tables that this hart uses, and others that `O` reaches, as by the SBI's remote
/// fences.
pub struct Tlb<O = NoOthers>(PhantomData<O>);

impl<O: OtherCores> Tlb<O> {
    /// Executes an invalidation on this hart, and asks the others to.
    #[inline(always)]
    fn everywhere(invalidation: Invalidation) {
        execute(invalidation);
        O::ask(invalidation);
    }
}

impl<O: OtherCores> Maintenance for Tlb<O> {
    #[inline(always)]
    fn order_table() {
        // SAFETY: a fence only orders.
        unsafe { asm!("fence w, w", options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn publish() {
        Self::begin_invalidation();
        Self::everywhere(Invalidation::Everything(AddressSpace::All));
        Self::end_invalidation();
    }

    #[inline(always)]
    fn begin_invalidation() {
        // This hart's `sfence.vma` needs it not; those of others must find the stores.
        // SAFETY: a fence only orders.
        unsafe { asm!("fence rw, rw", options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn invalidate(va: VirtAddr, space: AddressSpace, scope: InvalidateScope) {
        Self::everywhere(Invalidation::Leaf { va, space, scope });
    }

    #[inline(always)]
    fn invalidate_all(space: AddressSpace) {
        Self::everywhere(Invalidation::Everything(space));
    }

    #[inline(always)]
    fn end_invalidation() {
        O::wait();
    }
}

/// Executes `invalidation` on this hart: also what a hart does that was asked to.
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
                asm!("sfence.vma {}, {}", in(reg) va, in(reg) asid, options(nostack, preserves_flags));
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

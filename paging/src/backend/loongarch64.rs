//! TLB invalidation: [`Instructions`] for the maintenance of a LoongArch kernel's page tables.
//!
//! Source: LoongArch Reference Manual, volume 1: 2.2.8 (DBAR, IBAR), 4.2.4 (INVTLB), 5.4 (TLB). The
//! TLB is filled by software, and nothing else holds translations: no pointer to a table is
//! cached. It holds pairs of leaves, also invalid ones, and a pair is global if both are.
//! `invtlb` works on the executing core alone, and its first operand says what goes:
//!
//! | operation | reaches |
//! |---|---|
//! | 0 | everything: every ASID, global pairs |
//! | 4 | every pair of an ASID that is not global |
//! | 5 | the pair with an address, of an ASID, that is not global |
//! | 6 | the pair with an address, global or of an ASID |
//!
//! # Decisions
//! * No operation reaches an address under all ASIDs: then everything goes. Operation 6 is not
//!   enough, because a global leaf beside one that is not is held once for each ASID.
//! * What the refill handler finds unused, it fills in as an invalid pair *of the size that the
//!   entry has at its level* (below Dir3: 1 GiB). Then one invalidation by address makes room for a
//!   leaf of that size. Only where a table goes do invalid pairs stay that are smaller than the
//!   leaf that may come: so an invalidation at [`InvalidateScope::AnyLevel`] is one of the space.
#![expect(unsafe_code, reason = "instructions")]

use core::arch::asm;

use super::{Invalidation, LocalInstructions, Shootdown, Uniprocessor};
use crate::format::loongarch::LA64PageTable;
use crate::{AddressSpace, InvalidateScope};

/// Every memory access before it is complete before any behind it.
const COMPLETE: u32 = 0;
/// Stores before it are seen before those behind it. Cores that do not know it take it for
/// [`COMPLETE`].
const ORDER_STORES: u32 = 0b1_1010;

const INVTLB_EVERYTHING: u32 = 0;
const INVTLB_ASID: u32 = 4;
const INVTLB_ASID_AND_ADDRESS: u32 = 5;

/// Maintenance of tables that this core uses, and others that `O` reaches, as by interrupts.
pub type Tlb<O = Uniprocessor> = Shootdown<Instructions, O>;

/// The table that the refill handler walks: both canonical halves.
pub type Native<H, O = Uniprocessor> = LA64PageTable<Tlb<O>, H>;

/// The table of a process: one root translates both halves, so it holds the kernel too, whose
/// top-level tables a [`SharedTop`](crate::SharedTop) lends it.
pub type NativeUser<H, O = Uniprocessor> = Native<H, O>;

/// The instructions of the executing core: `dbar`, and `invtlb` with the operations of the table in
/// the head of this file.
pub struct Instructions;

// SAFETY: `dbar` completes stores, and `execute` reaches at least what the table above says; what
// the TLB holds of invalid entries is why those formats ask for an invalidation.
unsafe impl LocalInstructions for Instructions {
    #[inline(always)]
    fn order_stores() {
        barrier::<ORDER_STORES>();
    }

    #[inline(always)]
    fn complete_stores() {
        barrier::<COMPLETE>();
    }

    #[inline(always)]
    fn execute(invalidation: Invalidation) {
        execute(invalidation);
    }

    #[inline(always)]
    fn drop_fetched() {
        // SAFETY: a barrier only orders.
        unsafe { asm!("ibar 0", options(nostack, preserves_flags)) };
    }
}

/// Executes `invalidation` on this core alone: also what a core's handler calls when another one
/// has asked for it ([`RemoteCores::ask`](super::RemoteCores::ask)).
#[inline(always)]
pub fn execute(invalidation: Invalidation) {
    match invalidation {
        Invalidation::Leaf {
            va,
            space: AddressSpace::Asid(asid),
            scope: InvalidateScope::LastLevel,
        } => invtlb::<INVTLB_ASID_AND_ADDRESS>(usize::from(asid.as_u16()), va.as_usize()),
        Invalidation::Leaf {
            space: AddressSpace::Asid(asid),
            ..
        }
        | Invalidation::Everything(AddressSpace::Asid(asid)) => {
            invtlb::<INVTLB_ASID>(usize::from(asid.as_u16()), 0);
        }
        Invalidation::Leaf {
            space: AddressSpace::All,
            ..
        }
        | Invalidation::Everything(AddressSpace::All) => invtlb::<INVTLB_EVERYTHING>(0, 0),
    }
}

#[inline(always)]
fn invtlb<const OPERATION: u32>(asid: usize, address: usize) {
    // SAFETY: forgetting translations loses nothing but time.
    unsafe {
        asm!(
            "invtlb {}, {}, {}",
            const OPERATION,
            in(reg) asid,
            in(reg) address,
            options(nostack, preserves_flags),
        );
    }
}

#[inline(always)]
fn barrier<const HINT: u32>() {
    // SAFETY: a barrier only orders.
    unsafe { asm!("dbar {}", const HINT, options(nostack, preserves_flags)) };
}

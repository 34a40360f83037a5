//! The maintenance of VMSAv8-64 tables as instructions: which, in which order, with which operand.
//!
//! Pure: an [`Instructions`] executes them, on a machine or into a test's record. Sources: DDI
//! 0487 C5.5 (TLBI operands), D8.16 (TLB maintenance), B2.3 (ordering of walks).

use core::marker::PhantomData;

use crate::addr::VirtAddr;
use crate::{AddressSpace, InvalidateScope, Maintenance};

/// A TLB invalidation at EL1. All but the last reach every core of the inner shareable domain.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Tlbi {
    /// By address, every ASID, every level.
    Vaae1is,
    /// By address, every ASID, last level only.
    Vaale1is,
    /// By address and ASID, every level.
    Vae1is,
    /// By address and ASID, last level only.
    Vale1is,
    /// All of an ASID that is not global.
    Aside1is,
    /// Everything.
    Vmalle1is,
    /// Everything, on this core only.
    Vmalle1,
}

/// A barrier.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Barrier {
    /// Stores before it are seen before stores after it, by every core and its walker.
    DmbIshst,
    /// Stores before it are seen by every walker before anything after it happens.
    DsbIshst,
    /// Everything before it has completed on every core.
    DsbIsh,
    /// Everything before it has completed on this core.
    DsbNsh,
    /// What follows is fetched and translated anew.
    Isb,
}

/// Who executes barriers and invalidations.
///
/// # Safety
/// [`Instructions::barrier`] and [`Instructions::tlbi`] execute the instruction of that name, in
/// the order in which they are called, on a machine whose cores walk the tables; the rest is as in
/// [`Maintenance`].
pub unsafe trait Instructions: Send + Sync + 'static {
    /// Executes a barrier.
    fn barrier(barrier: Barrier);
    /// Executes an invalidation; `operand` counts for those that have one.
    fn tlbi(tlbi: Tlbi, operand: u64);
    /// See [`Maintenance::store`].
    #[inline(always)]
    fn store(slot: &core::sync::atomic::AtomicU64, bits: u64) {
        slot.store(bits, core::sync::atomic::Ordering::Relaxed);
    }
    /// See [`Maintenance::stop_machine`].
    #[inline(always)]
    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        let _ = (start, bytes);
    }
}

/// The maintenance of a tree in one half, in terms of instructions that `I` executes.
pub struct A64Maintenance<I>(PhantomData<fn() -> I>);

/// What a TLBI by address takes: VA\[55:12\] in bits 43:0; 47:44, a hint about the level in later
/// architectures, zero; the ASID, zero for the all-ASID forms, in 63:48.
#[must_use]
pub const fn tlbi_operand(va: VirtAddr, asid: u16) -> u64 {
    (va.as_usize() as u64 >> 12) & ((1 << 44) - 1) | (asid as u64) << 48
}

// SAFETY: the sequences of DDI 0487 D8.16 and B2.3, of instructions that `I` executes as it
// promises.
unsafe impl<I: Instructions> Maintenance for A64Maintenance<I> {
    #[inline(always)]
    fn store(slot: &core::sync::atomic::AtomicU64, bits: u64) {
        I::store(slot, bits);
    }

    #[inline(always)]
    fn order_table() {
        I::barrier(Barrier::DmbIshst);
    }

    #[inline(always)]
    fn publish() {
        I::barrier(Barrier::DsbIshst);
        I::barrier(Barrier::Isb);
    }

    /// `dsb ish`, which completes loads too: what such a load has seen of another core, and all
    /// that this core ordered before it, comes before what follows (DDI 0487 B2.3).
    #[inline(always)]
    fn adopt() {
        I::barrier(Barrier::DsbIsh);
    }

    #[inline(always)]
    fn begin_invalidation() {
        I::barrier(Barrier::DsbIshst);
    }

    #[inline(always)]
    fn invalidate(va: VirtAddr, space: AddressSpace, scope: InvalidateScope) {
        let (form, asid) = match (space, scope) {
            (AddressSpace::All, InvalidateScope::LastLevel) => (Tlbi::Vaale1is, 0),
            (AddressSpace::All, InvalidateScope::AnyLevel) => (Tlbi::Vaae1is, 0),
            (AddressSpace::Asid(asid), InvalidateScope::LastLevel) => {
                (Tlbi::Vale1is, asid.as_u16())
            }
            (AddressSpace::Asid(asid), InvalidateScope::AnyLevel) => (Tlbi::Vae1is, asid.as_u16()),
        };
        I::tlbi(form, tlbi_operand(va, asid));
    }

    #[inline(always)]
    fn invalidate_all(space: AddressSpace) {
        match space {
            AddressSpace::All => I::tlbi(Tlbi::Vmalle1is, 0),
            AddressSpace::Asid(asid) => I::tlbi(Tlbi::Aside1is, u64::from(asid.as_u16()) << 48),
        }
    }

    #[inline(always)]
    fn end_invalidation() {
        I::barrier(Barrier::DsbIsh);
        I::barrier(Barrier::Isb);
    }

    /// No `isb`: the stores that make the entries anew come after the `dsb` in program order, and
    /// that completes before they do (DDI 0487 B2.3, D8.17.1). What an `isb` adds is that this
    /// core's later instructions use the new translations, and the one behind the last barrier
    /// does that.
    #[inline(always)]
    fn end_invalidation_of_broken() {
        I::barrier(Barrier::DsbIsh);
    }

    #[inline(always)]
    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        I::stop_machine(start, bytes)
    }
}

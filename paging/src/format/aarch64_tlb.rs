//! The maintenance of VMSAv8-64 tables as instructions: which, in which order, with which operand.
//!
//! Pure: an [`Instructions`] executes them, on a machine or into a test's record. Sources: DDI
//! 0487 C5.5 (TLBI forms and operands), D8.16 (TLB maintenance), B2.3 (ordering of walks).
//!
//! # Which form
//! All are of the EL1&0 translation regime, stage 1, and leave EL2's and EL3's entries alone. `IS`:
//! broadcast to every core of the inner shareable domain; without it, the executing core.
//!
//! | what must go | under which ASIDs | from which levels | form | operand |
//! |---|---|---|---|---|
//! | the leaf of one address | all | the last: page or block | `VAALE1IS` | address |
//! | that, and pointers to tables on the way to it | all | any | `VAAE1IS` | address |
//! | the leaf of one address | one, and the global entry | the last | `VALE1IS` | ASID, address |
//! | that, and pointers to tables on the way to it | one, and the global leaf | any | `VAE1IS` | ASID, address |
//! | all that is not global | one | any | `ASIDE1IS` | ASID |
//! | everything | all | any | `VMALLE1IS` | none |
//! | everything, on this core | all | any | `VMALLE1` | none |
//!
//! A form by address removes every entry that would translate that address: of a 2 MiB block any of
//! its addresses is enough, and of a table any address that it leads to. A contiguous group may
//! have been cached as 16 entries: each page is named (D8.7.1).
//!
//! # The operand
//!
//! ```text
//!  63           48 47     44 43                                   0
//! +---------------+---------+--------------------------------------+
//! | ASID          | TTL     | VA[55:12]                            |
//! +---------------+---------+--------------------------------------+
//! ```
//!
//! TTL, from Armv8.4 on a hint at which level the leaf is, is 0 here: any level. In the forms for
//! all ASIDs 63:48 are 0. The page 0xffff_0000_0040_3000 is `VAALE1IS` of 0x0000_0ff0_0000_0403;
//! the page 0x40_3000 of ASID 5 is `VALE1IS` of 0x0005_0000_0000_0403.
//!
//! # Which order
//!
//! | after | until | sequence |
//! |---|---|---|
//! | a new table was filled | it is linked | `dmb ishst` |
//! | an invalid entry became valid | it is used | `dsb ishst; isb` |
//! | a valid entry was changed or cleared | its frame has its next owner | `dsb ishst; tlbi …is; dsb ish; isb` |
//! | a valid entry was broken | it is made anew | `dsb ishst; tlbi …is; dsb ish` |
//! | another core did any of this, and handed the table over | this core invalidates | `dsb ish`, before |
#![expect(unsafe_code, reason = "an unsafe trait, and its users")]

use core::marker::PhantomData;

use crate::addr::VirtAddr;
use crate::{AddressSpace, InvalidateScope, Maintenance};

/// A TLB invalidation of the EL1&0 regime, by the manual's names (DDI 0487 C5.5). All but the last
/// reach every core of the inner shareable domain. The head of this file has what each removes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Tlbi {
    /// By address: the leaf and the pointers to tables on the way to it, under every ASID.
    Vaae1is,
    /// By address: the leaf, page or block, under every ASID.
    Vaale1is,
    /// By address and ASID: the leaf and the pointers to tables on the way to it.
    Vae1is,
    /// By address and ASID: the leaf, page or block.
    Vale1is,
    /// By ASID: all of its translations that are not global, and its pointers to tables.
    Aside1is,
    /// Everything, under every ASID, global or not.
    Vmalle1is,
    /// Everything, under every ASID, on the executing core alone.
    Vmalle1,
}

/// A barrier: which instruction, and what is certain behind it (DDI 0487 B2.3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Barrier {
    /// Stores before it are seen before stores after it, by every core and its walker.
    DmbIshst,
    /// Stores before it are seen by every walker before anything after it happens.
    DsbIshst,
    /// Everything before it has completed, invalidations on every core of the inner shareable
    /// domain included.
    DsbIsh,
    /// Everything before it has completed on this core.
    DsbNsh,
    /// All that follows is fetched and translated anew, on this core: a context synchronization.
    Isb,
}

/// The code that executes barriers and invalidations: a machine's instructions, in
/// [`backend::aarch64`](crate::backend), or a test that records them.
///
/// # Safety
/// [`Instructions::barrier`] and [`Instructions::tlbi`] execute the instruction of that name, in
/// the order in which they are called, on a machine whose cores walk the tables; the rest is as in
/// [`Maintenance`].
pub unsafe trait Instructions: Send + Sync + 'static {
    /// Executes `barrier`, and keeps the compiler from moving accesses to memory across it.
    fn barrier(barrier: Barrier);
    /// Executes `tlbi` with `operand`, as [`tlbi_operand`] makes it; ignored by the two forms
    /// without one. Need not have completed when it returns.
    fn tlbi(tlbi: Tlbi, operand: u64);
    /// Stores `bits` to `entry`, by one 64-bit store: [`Maintenance::store`].
    #[inline(always)]
    fn store(entry: &core::sync::atomic::AtomicU64, bits: u64) {
        entry.store(bits, core::sync::atomic::Ordering::Relaxed);
    }
    /// Keeps other cores off `bytes` from `start` on until the result is dropped:
    /// [`Maintenance::stop_machine`].
    #[inline(always)]
    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        let _ = (start, bytes);
    }
}

/// The maintenance of VMSAv8-64 tables, in terms of instructions that `I` executes: the two tables
/// in the head of this file, as code.
pub struct A64Maintenance<I>(PhantomData<fn() -> I>);

/// The operand of a TLBI by address, for the page at `va`: VA\[55:12\] in bits 43:0; TTL, 47:44, 0;
/// the ASID, 0 in the forms for all, in 63:48 (DDI 0487 C5.5).
#[must_use]
pub const fn tlbi_operand(va: VirtAddr, asid: u16) -> u64 {
    (va.as_usize() as u64 >> 12) & ((1 << 44) - 1) | (asid as u64) << 48
}

// SAFETY: the sequences of DDI 0487 D8.16 and B2.3, of instructions that `I` executes as it
// promises.
unsafe impl<I: Instructions> Maintenance for A64Maintenance<I> {
    #[inline(always)]
    fn store(entry: &core::sync::atomic::AtomicU64, bits: u64) {
        I::store(entry, bits);
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

//! The MMU's registers: boot values, the switch of TTBR1, giving up TTBR0, address translation.
//!
//! The numbers are `paging::format::aarch64_registers`'s; here they are written. Source: DDI 0487
//! D8, D24.2.
#![expect(unsafe_code, reason = "system registers")]

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    ID_AA64MMFR0_EL1, MAIR_EL1, PAR_EL1, Readable, SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1,
    Writeable,
};

use super::tlb;
use crate::addr::{PhysAddr, VirtAddr};
use crate::paging::Asid;
pub use crate::paging::backend::aarch64::{Access, address_translate};
use crate::paging::format::aarch64_registers::{
    MAIR_EL1 as MAIR, SCTLR_EL1_MMU_OFF as SCTLR_EL1_RES1, SCTLR_EL1_MMU_ON, TCR_EL1_EPD0, tcr_el1,
};

/// Where a TTBR has the ASID (DDI 0487 D24.2, TTBR0_EL1).
const TTBR_ASID_SHIFT: u32 = 48;

/// The routine that switches TTBR1 (boot/start.S), at its low address, since no high address is
/// translated meanwhile: to the empty table at physical `empty`, and on to the tree at physical
/// `root`.
pub type SwitchRoutine = unsafe extern "C" fn(root: u64, empty: u64);

/// Sets MAIR, TCR and both TTBRs; the MMU is off. The caller synchronises (`isb`).
///
/// # Safety
/// `low` and `high` are roots of trees that map what runs when the MMU is turned on.
#[inline(always)]
pub unsafe fn install(low: PhysAddr, high: PhysAddr) {
    let TranslationRegisters { mair, tcr } = translation_registers();
    MAIR_EL1.set(mair);
    TCR_EL1.set(tcr);
    TTBR0_EL1.set(low.as_usize() as u64);
    TTBR1_EL1.set(high.as_usize() as u64);
}

/// Switches TTBR1 to the tree at `root`, by way of the table without entries at `empty`, in the
/// routine at physical `routine`.
///
/// # Safety
/// `routine` is a [`SwitchRoutine`], executable at this address in the low half. The tree at
/// `root` maps everything that this core uses in the high half, as the live tree does; its
/// descriptors have been published. No other core has its MMU on. DAIF is masked.
pub unsafe fn switch_high_tree(routine: PhysAddr, root: PhysAddr, empty: PhysAddr) {
    let low = core::ptr::with_exposed_provenance::<()>(routine.as_usize());
    // SAFETY: the caller vouches for the routine.
    let switch = unsafe { core::mem::transmute::<*const (), SwitchRoutine>(low) };
    // SAFETY: the caller vouches for both trees.
    unsafe { switch(root.as_usize() as u64, empty.as_usize() as u64) };
}

/// Ends translation by TTBR0 on this core: from here on every low address faults, by TCR_EL1.EPD0
/// and because the table at `empty` has no entries. One of the two would do: but who looks at TTBR0
/// alone, as debuggers do, takes what it names for a table.
///
/// # Safety
/// This core uses nothing at a low address. The table at `empty` is never written.
pub unsafe fn give_up_low_half(empty: PhysAddr) {
    TTBR0_EL1.set(empty.as_usize() as u64);
    TCR_EL1.set(tcr_el1(ID_AA64MMFR0_EL1.get()) | TCR_EL1_EPD0);
    barrier::isb(barrier::SY);
    tlb::invalidate_this_core();
}

/// The value of TTBR0_EL1 while the tree at `root` is in use under `asid`: ASID in bits 63:48, the
/// root's physical address below. ASID 5 and 0x20_3000 give 0x0005_0000_0020_3000.
#[must_use]
pub const fn low_tree(root: PhysAddr, asid: Asid) -> u64 {
    (asid.as_u16() as u64) << TTBR_ASID_SHIFT | root.as_usize() as u64
}

/// Lets this core translate low addresses by the tree at `root`, whose translations it caches under
/// `asid`.
///
/// Root and ASID change in one write (TCR_EL1.A1 is 0): no translation of one tree is ever cached
/// under the ASID of another, and nothing is to be invalidated. Walks are let in behind that, where
/// they were off: a set EPD0 is not cached in a TLB (DDI 0487 D24.2, TCR_EL1).
///
/// # Safety
/// The tree at `root` is there until this core has left it, and its descriptors are published. No
/// TLB of this core holds a translation of another tree under `asid`.
pub unsafe fn enter_low_tree(root: PhysAddr, asid: Asid) {
    TTBR0_EL1.set(low_tree(root, asid));
    barrier::isb(barrier::SY);
    let tcr = TCR_EL1.get();
    if tcr & TCR_EL1_EPD0 != 0 {
        TCR_EL1.set(tcr & !TCR_EL1_EPD0);
        barrier::isb(barrier::SY);
    }
}

/// Ends what [`enter_low_tree`] began: low addresses fault. What is cached under the tree's ASID
/// stays, and is used again when the tree is.
///
/// # Safety
/// This core uses nothing at a low address. The table at `empty` is never written.
pub unsafe fn leave_low_tree(empty: PhysAddr) {
    TTBR0_EL1.set(empty.as_usize() as u64);
    barrier::isb(barrier::SY);
    TCR_EL1.set(TCR_EL1.get() | TCR_EL1_EPD0);
    barrier::isb(barrier::SY);
}

/// The values of MAIR_EL1 and TCR_EL1 that go together: the memory types that AttrIndx in the
/// descriptors names, and how tables are walked. They are equal on all cores, which share their
/// tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TranslationRegisters {
    /// MAIR_EL1.
    pub mair: u64,
    /// TCR_EL1.
    pub tcr: u64,
}

/// The translation registers that a core sets before it turns its MMU on: walks from both TTBRs.
#[must_use]
#[inline(always)]
pub fn translation_registers() -> TranslationRegisters {
    TranslationRegisters {
        mair: MAIR,
        tcr: tcr_el1(ID_AA64MMFR0_EL1.get()),
    }
}

/// The physical address of the root of the tree that translates the high half, read from TTBR1_EL1
/// of this core; all cores have one tree.
#[must_use]
pub fn high_root() -> PhysAddr {
    PhysAddr::new(TTBR1_EL1.get_baddr() as usize)
}

/// The root of the tree that translates the low half, or `None` if walks from it are off.
#[must_use]
pub fn low_root() -> Option<PhysAddr> {
    let walks = TCR_EL1.get() & TCR_EL1_EPD0 == 0;
    walks.then(low_table)
}

/// The physical address of the table that TTBR0_EL1 names, whether walks from it are on or off.
/// After boot it is the empty table while this core is in no address space.
#[must_use]
pub fn low_table() -> PhysAddr {
    PhysAddr::new(TTBR0_EL1.get_baddr() as usize)
}

/// A register that decides what addresses mean to a core. A core's values are compared with those
/// that it should have: [`Register::settled`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Register {
    /// SCTLR_EL1 without its RES1 bits: what a core reads there is not said.
    Sctlr,
    /// TCR_EL1.
    Tcr,
    /// MAIR_EL1.
    Mair,
    /// TTBR0_EL1.
    Ttbr0,
    /// TTBR1_EL1.
    Ttbr1,
}

impl Register {
    /// All of these registers, in the order in which a report lists them.
    pub const ALL: [Self; 5] = [Self::Sctlr, Self::Tcr, Self::Mair, Self::Ttbr0, Self::Ttbr1];

    /// Its name in Arm's manual, as in `SCTLR_EL1`, for a report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sctlr => "SCTLR_EL1",
            Self::Tcr => "TCR_EL1",
            Self::Mair => "MAIR_EL1",
            Self::Ttbr0 => "TTBR0_EL1",
            Self::Ttbr1 => "TTBR1_EL1",
        }
    }

    /// The register's value on this core; of SCTLR_EL1 without the bits that are always 1.
    #[must_use]
    pub fn read(self) -> u64 {
        match self {
            Self::Sctlr => SCTLR_EL1.get() & !SCTLR_EL1_RES1,
            Self::Tcr => TCR_EL1.get(),
            Self::Mair => MAIR_EL1.get(),
            Self::Ttbr0 => TTBR0_EL1.get(),
            Self::Ttbr1 => TTBR1_EL1.get(),
        }
    }

    /// The register's value on a core with the tree at `high`. `low` is TTBR0_EL1's of the address
    /// space that the core is in; in none, TTBR0_EL1 names the table at `empty`, and walks are off.
    #[must_use]
    pub fn settled(self, low: Option<u64>, empty: PhysAddr, high: PhysAddr) -> u64 {
        let TranslationRegisters { mair, tcr } = translation_registers();
        match self {
            Self::Sctlr => SCTLR_EL1_MMU_ON & !SCTLR_EL1_RES1,
            Self::Tcr if low.is_some() => tcr,
            Self::Tcr => tcr | TCR_EL1_EPD0,
            Self::Mair => mair,
            Self::Ttbr0 => low.unwrap_or(empty.as_usize() as u64),
            Self::Ttbr1 => high.as_usize() as u64,
        }
    }
}

/// Whether the MMU allows `access` to `va` now, by its own translation (AT), from the TLB or by a
/// walk. PAR_EL1 stays as it was: the interrupted code may just be about to read it.
#[must_use]
pub fn translates(va: VirtAddr, access: Access) -> bool {
    const PAR_F: u64 = 1;
    let before = PAR_EL1.get();
    let par = address_translate(va, access);
    PAR_EL1.set(before);
    par & PAR_F == 0
}

//! AArch64 at EL1: barriers, TLB invalidations and `AT`.
//!
//! Source: DDI 0487 D8.16. Which instruction is needed when, and with which operand, is said in
//! [`format::aarch64_tlb`](crate::format::aarch64_tlb); here they are executed. The invalidations
//! reach every core of the inner shareable domain, so a kernel with several cores has to say only
//! how it keeps them off a range that is broken ([`OtherCores`]).
#![expect(unsafe_code, reason = "instructions")]

mod linear_map;
mod translate;

use core::arch::asm;
use core::marker::PhantomData;

use super::{OtherCores, Uniprocessor};
use crate::addr::VirtAddr;
use crate::format::aarch64::{A64PageTable, HighHalf, LowHalf};
use crate::format::aarch64_tlb::{A64Maintenance, Barrier, Instructions, Tlbi};
use crate::{AddressSpace, Maintenance};

pub use linear_map::reached_at;
pub use translate::{Access, address_translate};

/// Maintenance of tables that this machine's cores walk: invalidations reach all of them. `O` keeps
/// the others off a range that is broken for a moment.
pub type Tlb<O = Uniprocessor> = A64Maintenance<Machine<O>>;

/// The table of TTBR1_EL1: the kernel, at the top of the address space.
pub type Native<H, O = Uniprocessor> = A64PageTable<HighHalf, Tlb<O>, H>;

/// The table of TTBR0_EL1: a process, from address 0 on.
pub type NativeUser<H, O = Uniprocessor> = A64PageTable<LowHalf, Tlb<O>, H>;

/// The barriers and invalidations of the executing core, at EL1, with `O` to stop the others where
/// a range is broken.
pub struct Machine<O>(PhantomData<fn() -> O>);

macro_rules! execute {
    ($instruction:literal $(, $operand:expr)?) => {
        // SAFETY: a barrier orders and an invalidation forgets; neither loses anything but time.
        // The compiler moves no access to memory across, because nothing says `nomem`.
        unsafe {
            asm!(
                concat!($instruction $(, ", {}", execute!(@discard $operand))?),
                $(in(reg) $operand,)?
                options(nostack, preserves_flags),
            );
        }
    };
    (@discard $operand:expr) => { "" };
}

// SAFETY: each barrier and each invalidation is the instruction of that name, and `O` keeps others
// off.
unsafe impl<O: OtherCores> Instructions for Machine<O> {
    #[inline(always)]
    fn barrier(barrier: Barrier) {
        match barrier {
            Barrier::DmbIshst => execute!("dmb ishst"),
            Barrier::DsbIshst => execute!("dsb ishst"),
            Barrier::DsbIsh => execute!("dsb ish"),
            Barrier::DsbNsh => execute!("dsb nsh"),
            Barrier::Isb => execute!("isb"),
        }
    }

    #[inline(always)]
    fn tlbi(tlbi: Tlbi, operand: u64) {
        match tlbi {
            Tlbi::Vaae1is => execute!("tlbi vaae1is", operand),
            Tlbi::Vaale1is => execute!("tlbi vaale1is", operand),
            Tlbi::Vae1is => execute!("tlbi vae1is", operand),
            Tlbi::Vale1is => execute!("tlbi vale1is", operand),
            Tlbi::Aside1is => execute!("tlbi aside1is", operand),
            Tlbi::Vmalle1is => execute!("tlbi vmalle1is"),
            Tlbi::Vmalle1 => execute!("tlbi vmalle1"),
        }
    }

    #[inline]
    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        O::stop_machine(start, bytes)
    }
}

/// Invalidates everything that any core of the inner shareable domain holds, and waits: `dsb
/// ishst`, `tlbi vmalle1is`, `dsb ish`, `isb`.
pub fn invalidate_every_core() {
    Tlb::<Uniprocessor>::begin_invalidation();
    Tlb::<Uniprocessor>::invalidate_all(AddressSpace::All);
    Tlb::<Uniprocessor>::end_invalidation();
}

/// Invalidates everything that this core holds, and waits: `tlbi vmalle1`, `dsb nsh`, `isb`. Only
/// for a tree that this core alone gives up.
pub fn invalidate_this_core() {
    Machine::<Uniprocessor>::tlbi(Tlbi::Vmalle1, 0);
    Machine::<Uniprocessor>::barrier(Barrier::DsbNsh);
    Machine::<Uniprocessor>::barrier(Barrier::Isb);
}

//! TLB maintenance with its barriers: the instructions that keep the kernel's page tables.
//!
//! Source: DDI 0487 D8.16. Which instruction is due when, and with which operand, is
//! `paging::format::aarch64_tlb`'s; here they are executed.

use core::arch::asm;

use aarch64_cpu::asm::barrier;

use super::cores::{kernel_hold_others, kernel_let_others_go};
use super::masks::ExceptionsMasked;
use crate::addr::VirtAddr;
use crate::paging::Maintenance;
use crate::paging::format::aarch64_tlb::{A64Maintenance, Barrier, Instructions, Tlbi};

/// This machine's instructions.
pub struct Machine;

/// Maintenance of tables that this machine's cores walk.
pub type KernelTlb = A64Maintenance<Machine>;

macro_rules! tlbi {
    ($operation:literal $(, $operand:expr)?) => {
        // SAFETY: invalidation loses nothing but time.
        unsafe {
            asm!(
                concat!("tlbi ", $operation $(, ", {}", tlbi!(@discard $operand))?),
                $(in(reg) $operand,)?
                options(nostack, preserves_flags),
            );
        }
    };
    (@discard $operand:expr) => { "" };
}

/// The other cores stand still, and nothing interrupts this one, until this is dropped. A core that has
/// not looked up for seconds is not waited for: should it go on just now, it finds the range invalid.
struct OthersHeld {
    _masked: ExceptionsMasked,
}

impl OthersHeld {
    #[inline]
    fn new() -> Self {
        let _masked = ExceptionsMasked::begin();
        kernel_hold_others();
        Self { _masked }
    }
}

impl Drop for OthersHeld {
    /// Lets the others go first: the masks are restored when the fields are dropped.
    #[inline]
    fn drop(&mut self) {
        kernel_let_others_go();
    }
}

// SAFETY: each barrier and each invalidation is the instruction of that name, and no other core and
// no handler runs before what `hold_others` returns is dropped.
unsafe impl Instructions for Machine {
    #[inline(always)]
    fn barrier(barrier: Barrier) {
        match barrier {
            Barrier::DmbIshst => barrier::dmb(barrier::ISHST),
            Barrier::DsbIshst => barrier::dsb(barrier::ISHST),
            Barrier::DsbIsh => barrier::dsb(barrier::ISH),
            Barrier::DsbNsh => barrier::dsb(barrier::NSH),
            Barrier::Isb => barrier::isb(barrier::SY),
        }
    }

    #[inline(always)]
    fn tlbi(tlbi: Tlbi, operand: u64) {
        match tlbi {
            Tlbi::Vaae1is => tlbi!("vaae1is", operand),
            Tlbi::Vaale1is => tlbi!("vaale1is", operand),
            Tlbi::Vae1is => tlbi!("vae1is", operand),
            Tlbi::Vale1is => tlbi!("vale1is", operand),
            Tlbi::Aside1is => tlbi!("aside1is", operand),
            Tlbi::Vmalle1is => tlbi!("vmalle1is"),
            Tlbi::Vmalle1 => tlbi!("vmalle1"),
        }
    }

    /// Other cores may use the range at any moment, and so may an interrupt: all wait until it is
    /// whole again.
    #[inline]
    fn hold_others(_: VirtAddr, _: usize) -> impl Sized {
        OthersHeld::new()
    }
}

/// Invalidates everything that any core holds, and waits.
pub fn invalidate_every_core() {
    KernelTlb::begin_invalidation();
    KernelTlb::invalidate_all(crate::paging::AddressSpace::All);
    KernelTlb::end_invalidation();
}

/// Invalidates everything that this core holds, and waits. Only for a tree that this core alone
/// gives up.
pub fn invalidate_this_core() {
    Machine::tlbi(Tlbi::Vmalle1, 0);
    Machine::barrier(Barrier::DsbNsh);
    Machine::barrier(Barrier::Isb);
}

//! TLB maintenance with its barriers: the [`Maintenance`] of the kernel's page tables.
//!
//! Source: DDI 0487 D8.16.

use core::arch::asm;

use aarch64_cpu::asm::barrier;

use crate::addr::VirtAddr;
use crate::paging::format::aarch64::tlbi_operand;
use crate::paging::{InvalidateScope, Maintenance};

/// Maintenance of the kernel's half: every core, every ASID.
pub struct KernelTlb;

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

impl Maintenance for KernelTlb {
    fn order_table() {
        barrier::dmb(barrier::ISHST);
    }

    fn publish() {
        barrier::dsb(barrier::ISHST);
        barrier::isb(barrier::SY);
    }

    fn begin_invalidation() {
        barrier::dsb(barrier::ISHST);
    }

    fn invalidate(va: VirtAddr, scope: InvalidateScope) {
        let operand = tlbi_operand(va);
        match scope {
            InvalidateScope::LastLevel => tlbi!("vaale1is", operand),
            InvalidateScope::AnyLevel => tlbi!("vaae1is", operand),
        }
    }

    fn invalidate_all() {
        tlbi!("vmalle1is");
    }

    fn end_invalidation() {
        barrier::dsb(barrier::ISH);
        barrier::isb(barrier::SY);
    }
}

/// Invalidates everything that any core holds, and waits.
pub fn invalidate_every_core() {
    KernelTlb::begin_invalidation();
    KernelTlb::invalidate_all();
    KernelTlb::end_invalidation();
}

/// Invalidates everything that this core holds, and waits. Only for a tree that this core alone
/// gives up.
pub fn invalidate_this_core() {
    tlbi!("vmalle1");
    barrier::dsb(barrier::NSH);
    barrier::isb(barrier::SY);
}

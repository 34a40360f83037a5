//! Maintenance of the kernel's page tables: the library's instructions, counted
//! ([`maintenance`]), and how the other cores are kept off a range that is broken.
#![expect(unsafe_code, reason = "calls upwards, by symbol; unsafe traits")]

use super::maintenance::{self, Complete, Sequence};
use super::masks::ExceptionsMasked;
use crate::addr::VirtAddr;
use crate::paging::backend::OtherCores;
use crate::paging::backend::aarch64::Machine;
use crate::paging::format::aarch64_tlb::{A64Maintenance, Barrier, Instructions, Tlbi};
use crate::paging::{AddressSpace, InvalidateScope, Maintenance};

pub use crate::paging::backend::aarch64::{invalidate_every_core, invalidate_this_core};

unsafe extern "C" {
    /// Stops the other cores, until [`kernel_stop_machine_end`]. The room `kernel` defines it.
    safe fn kernel_stop_machine_begin();
    /// The other cores run again. The room `kernel` defines it.
    safe fn kernel_stop_machine_end();
}

/// Maintenance of tables that this machine's cores walk: TLBI that all of them obey (Inner
/// Shareable), and a halt of the others where a descriptor is invalid for a moment.
pub struct KernelTlb;

/// Its sequences of instructions.
type Sequences = A64Maintenance<CountedInstructions>;

// SAFETY: those of `A64Maintenance`.
unsafe impl Maintenance for KernelTlb {
    #[inline(always)]
    fn count_stores(count: usize) {
        maintenance::note_stores(count);
    }

    #[inline(always)]
    fn order_table() {
        maintenance::note_barriers(Sequence::Order);
        Sequences::order_table();
    }

    #[inline(always)]
    fn publish() {
        maintenance::note_barriers(Sequence::Publish);
        Sequences::publish();
    }

    #[inline(always)]
    fn adopt() {
        maintenance::note_barriers(Sequence::Complete);
        Sequences::adopt();
    }

    #[inline(always)]
    fn begin_invalidation() {
        maintenance::note_barriers(Sequence::Begin);
        Sequences::begin_invalidation();
    }

    #[inline(always)]
    fn invalidate(va: VirtAddr, space: AddressSpace, scope: InvalidateScope) {
        Sequences::invalidate(va, space, scope);
    }

    #[inline(always)]
    fn invalidate_all(space: AddressSpace) {
        Sequences::invalidate_all(space);
    }

    #[inline(always)]
    fn end_invalidation() {
        maintenance::note_barriers(Sequence::End);
        Sequences::end_invalidation();
    }

    #[inline(always)]
    fn end_invalidation_of_broken() {
        maintenance::note_barriers(Sequence::Complete);
        Sequences::end_invalidation_of_broken();
    }

    #[inline]
    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        (Complete::begin(), KernelCores::stop_machine(start, bytes))
    }
}

/// The cores that run this kernel: while one of them has a range broken, to make it anew, the
/// others are stopped (`stop_machine`).
pub struct KernelCores;

/// Until this is dropped the other cores are stopped, and nothing interrupts this one. A core that
/// has answered no interrupt for seconds is not waited for: if it runs on just now and uses the
/// range, it takes a translation fault.
struct MachineStopped {
    _masked: ExceptionsMasked,
}

impl MachineStopped {
    #[inline]
    fn new() -> Self {
        let _masked = ExceptionsMasked::begin();
        kernel_stop_machine_begin();
        Self { _masked }
    }
}

impl Drop for MachineStopped {
    /// The other cores run again first: the masks are restored when the fields are dropped.
    #[inline]
    fn drop(&mut self) {
        kernel_stop_machine_end();
    }
}

// SAFETY: no other core and no handler runs before what `stop_machine` returns is dropped; cores
// that were stopped execute an ISB before they run on.
unsafe impl OtherCores for KernelCores {
    /// Other cores may use the range at any moment, and so may an interrupt's handler: all wait
    /// until its descriptors are valid again.
    #[inline]
    fn stop_machine(_: VirtAddr, _: usize) -> impl Sized {
        MachineStopped::new()
    }
}

/// The barriers and invalidations of the executing core; invalidations are counted.
pub struct CountedInstructions;

// SAFETY: each barrier is the instruction of that name, and so is each invalidation, but for those
// that are left out on purpose: then no frame gets another owner before everything was invalidated.
unsafe impl Instructions for CountedInstructions {
    #[inline(always)]
    fn barrier(barrier: Barrier) {
        Machine::<KernelCores>::barrier(barrier);
    }

    #[inline(always)]
    fn tlbi(form: Tlbi, operand: u64) {
        let is_left_out = maintenance::note_tlbi(form, operand);
        if !is_left_out {
            Machine::<KernelCores>::tlbi(form, operand);
        }
    }
}

//! Maintenance of the kernel's page tables: the library's instructions, and how the other cores are
//! kept off a range that is broken.
#![expect(unsafe_code, reason = "calls upwards, by symbol")]

use super::masks::ExceptionsMasked;
use crate::addr::VirtAddr;
use crate::paging::backend::OtherCores;
use crate::paging::backend::aarch64::Tlb;

pub use crate::paging::backend::aarch64::{invalidate_every_core, invalidate_this_core};

unsafe extern "C" {
    /// Stops the other cores, until [`kernel_stop_machine_end`]. The room `kernel` defines it.
    safe fn kernel_stop_machine_begin();
    /// The other cores run again. The room `kernel` defines it.
    safe fn kernel_stop_machine_end();
}

/// Maintenance of tables that this machine's cores walk: TLBI that all of them obey (Inner
/// Shareable), and a halt of the others where a descriptor is invalid for a moment.
pub type KernelTlb = Tlb<KernelCores>;

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

//! Maintenance of the kernel's page tables: the library's instructions, and how the other cores are
//! kept off a range that is broken.

use super::masks::ExceptionsMasked;
use crate::addr::VirtAddr;
use crate::paging::backend::OtherCores;
use crate::paging::backend::aarch64::Tlb;

pub use crate::paging::backend::aarch64::{invalidate_every_core, invalidate_this_core};

unsafe extern "C" {
    /// The other cores stand still when this returns, until [`kernel_let_others_go`]. The room
    /// `kernel` defines it.
    safe fn kernel_hold_others();
    /// They go on. The room `kernel` defines it.
    safe fn kernel_let_others_go();
}

/// Maintenance of tables that this machine's cores walk.
pub type KernelTlb = Tlb<KernelCores>;

/// The cores that run this kernel.
pub struct KernelCores;

/// The other cores stand still, and nothing interrupts this one, until this is dropped. A core that
/// has not looked up for seconds is not waited for: should it go on just now, it finds the range
/// invalid.
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

// SAFETY: no other core and no handler runs before what `stop_machine` returns is dropped; those
// that stood still execute an `isb` before they go on.
unsafe impl OtherCores for KernelCores {
    /// Other cores may use the range at any moment, and so may an interrupt: all wait until it is
    /// whole again.
    #[inline]
    fn stop_machine(_: VirtAddr, _: usize) -> impl Sized {
        OthersHeld::new()
    }
}

//! The registers of this board's devices.
#![expect(unsafe_code, reason = "addresses of the board's manual")]

use crate::addr::PhysAddr;
use crate::drivers::mmio::Mmio;
use crate::mm::layout::phys_to_virt;

/// The registers at `base`, a device's address from the board's manual, through the linear map.
pub(crate) const fn registers<T>(base: PhysAddr) -> Mmio<T> {
    // SAFETY: `base` is a device's address from the board's manual, aligned for its registers;
    // the boot map and the final map have the device at `linear`.
    unsafe { Mmio::new(phys_to_virt(base)) }
}

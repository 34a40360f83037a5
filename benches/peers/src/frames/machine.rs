//! The pool's memory on a Raspberry Pi 3: what is left above the program, through the linear map.

use core::arch::asm;

use super::FRAME;

/// The first frame: above the program, which linker.ld keeps below.
pub const FIRST: usize = 0x100_0000;
/// The end of what the firmware leaves to the Arm cores by default.
pub const LAST: usize = 0x3b40_0000;

/// The kernel's linear map (entry.S makes it).
const LINEAR_MAP: usize = 0xffff_0000_0000_0000;

/// Bytes that one DC ZVA zeroes on a Cortex-A53 (DCZID_EL0.BS = 4).
const LINE: usize = 64;

/// Where the frame at `pa` is in the identity map, through which the program runs.
#[inline(always)]
#[must_use]
pub const fn same(pa: usize) -> usize {
    pa
}

/// Where the frame at `pa` is in the kernel's linear map.
#[inline(always)]
#[must_use]
pub const fn to_virt(pa: usize) -> usize {
    pa + LINEAR_MAP
}

/// Zeroes the frame at `pa`, which nobody else uses, in the cheapest way there is.
#[inline(always)]
pub fn zero(pa: usize) {
    let start = to_virt(pa);
    for line in (0..FRAME).step_by(LINE) {
        // SAFETY: the frame is cacheable memory of the pool, and whoever zeroes it owns it.
        unsafe { asm!("dc zva, {}", in(reg) start + line, options(nostack, preserves_flags)) };
    }
}

//! The pool's memory on a Raspberry Pi 3: what is left above the program, through the linear map.

use core::arch::asm;

use stilt_paging::backend::aarch64::reached_at;

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

/// Where the frame at `pa` is in the kernel's linear map: as the kernel's own handler works it out.
#[inline(always)]
#[must_use]
pub fn to_virt(pa: usize) -> usize {
    reached_at::<LINEAR_MAP>(pa)
}

/// Zeroes the frame at `pa`, which nobody else uses, in the cheapest way there is.
///
/// The loop is assembly, because a compiler unrolls it here and not there: what is taken out of the
/// figures for a table would not be what it cost.
#[inline(always)]
pub fn zero(pa: usize) {
    let start = to_virt(pa);
    // SAFETY: the frame is cacheable memory of the pool, and whoever zeroes it owns it.
    unsafe {
        asm!(
            "2:",
            ".rept 4",
            "dc zva, {at}",
            "add {at}, {at}, {line}",
            ".endr",
            "tst {at}, {in_frame}",
            "b.ne 2b",
            at = inout(reg) start => _,
            line = const LINE,
            in_frame = const FRAME - 1,
            options(nostack),
        );
    }
}

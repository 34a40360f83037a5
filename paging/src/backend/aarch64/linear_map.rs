//! The address of a frame in a linear map whose offset is all ones above the frames.
//!
//! # Decisions
//! One instruction that the compiler does not look into. It would see that the low bits of a
//! table's address are clear and those of an index all that is added to it, make one chain of masks
//! and ORs of both, and so lose the load that shifts its index: two instructions more at each level
//! of a walk (`query` of a page: 54 in all instead of 48).
#![expect(unsafe_code, reason = "an instruction")]

use core::arch::asm;

/// Where a linear map at `OFFSET` has the frame at `pa`, which has no bit of the offset.
#[inline(always)]
#[must_use]
pub fn reached_at<const OFFSET: usize>(pa: usize) -> usize {
    let va;
    // SAFETY: arithmetic.
    unsafe {
        asm!(
            "orr {}, {}, {offset}",
            lateout(reg) va,
            in(reg) pa,
            offset = const OFFSET,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    va
}

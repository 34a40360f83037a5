//! The frames of page tables: those of [`KernelFrames`], counted, and kept where a stale pointer may
//! lead to them.
#![expect(unsafe_code, reason = "an unsafe trait")]

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::maintenance;
use crate::mm::kernel_frames::KernelFrames;
use crate::mm::left_out;
use crate::paging::PagingHandler;

/// Frames for the tables of the kernel and of users' address spaces.
pub struct TableFrames;

// SAFETY: those of `KernelFrames`.
unsafe impl PagingHandler for TableFrames {
    // Not inline, as `KernelFrames` is: tables come and go rarely.
    #[inline(never)]
    fn alloc_frame() -> Option<PhysAddr> {
        let frame = KernelFrames::alloc_frame()?;
        maintenance::note_table_taken();
        Some(frame)
    }

    #[inline(never)]
    fn dealloc_frame(pa: PhysAddr) {
        maintenance::note_table_freed();
        if !left_out::keep_table(pa) {
            KernelFrames::dealloc_frame(pa);
        }
    }

    #[inline(always)]
    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        KernelFrames::phys_to_virt(pa)
    }

    #[inline(never)]
    fn zero_frame(pa: PhysAddr) {
        KernelFrames::zero_frame(pa);
    }
}

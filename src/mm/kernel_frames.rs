//! The kernel's frame allocator: one [`FrameAllocator`] behind one lock, for page tables and
//! everything else.
//!
//! 1. Fast path, inlined: the lock is free, and the allocator's cache of single frames has one (or
//!    room for one).
//! 2. Slow path, a function of its own that is called last and takes the lock with it: the frame
//!    comes from the buddy lists, or goes there. So the fast path keeps nothing across a call, and
//!    saves no register.
//! 3. Contended path: another core has the lock, and this one waits for it.
#![expect(unsafe_code, reason = "frames are memory that is handed out once")]

use core::arch::asm;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::lock::{Brief, Guard, Lock};
use crate::arch::lock_classes;
use crate::arch::zero::zero;
use crate::board::raspi3::KERNEL_VA_OFFSET;
use crate::mm::frames::{FrameAllocator, FrameCount, FrameError, Statistics};
use crate::mm::layout::phys_to_virt;
use crate::paging::PagingHandler;
use crate::paging::backend::aarch64::reached_at;

/// The allocator; without a frame until RAM is known.
static FRAMES: Lock<FrameAllocator<'static>, lock_classes::Frames> =
    Lock::new(FrameAllocator::empty());

/// [`FRAMES`], by an address that the compiler does not look through: all fields are reached from
/// one register, which one instruction sets. It would make an address of its own for most of them,
/// which costs a split and merge of 2 MiB 24 instructions.
#[inline(always)]
fn frames() -> &'static Lock<FrameAllocator<'static>, lock_classes::Frames> {
    let frames: *const Lock<FrameAllocator<'static>, lock_classes::Frames>;
    // SAFETY: computes an address. The image is smaller than the megabyte that ADR reaches.
    unsafe {
        asm!("adr {}, {}", out(reg) frames, sym FRAMES,
            options(pure, nomem, nostack, preserves_flags));
    }
    // SAFETY: it is the static's.
    unsafe { &*frames }
}

/// Frames of the one allocator, reached through the linear map.
pub struct KernelFrames;

// SAFETY: the allocator gives a frame once until it is freed, and only RAM; the boot map and the
// final map have all RAM at `phys_to_virt`, Normal write-back.
unsafe impl PagingHandler for KernelFrames {
    // Inline: page tables ask for a frame in the middle of a walk, whose registers a call would
    // save.
    #[inline(always)]
    fn alloc_frame() -> Option<PhysAddr> {
        match frames().lock_if_free() {
            Some(mut frames) => match frames.allocate_cached() {
                Some(pa) => Some(pa),
                None => allocate_slow(frames),
            },
            None => allocate_contended(),
        }
    }

    #[inline(always)]
    fn dealloc_frame(pa: PhysAddr) {
        match frames().lock_if_free() {
            Some(mut frames) => {
                if !frames.free_to_cache(pa) {
                    free_slow(pa, frames);
                }
            }
            None => free_contended(pa),
        }
    }

    #[inline(always)]
    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        VirtAddr::new(reached_at::<KERNEL_VA_OFFSET>(pa.as_usize()))
    }

    fn zero_frame(pa: PhysAddr) {
        let start = core::ptr::with_exposed_provenance_mut(phys_to_virt(pa).as_usize());
        // SAFETY: nobody else uses the frame, a whole number of blocks of RAM.
        unsafe { zero(start, PAGE_SIZE) };
    }
}

type LockedFrames = Guard<'static, FrameAllocator<'static>, lock_classes::Frames, Brief>;

#[cold]
#[inline(never)]
fn allocate_slow(mut frames: LockedFrames) -> Option<PhysAddr> {
    frames.allocate_slow()
}

#[cold]
#[inline(never)]
fn allocate_contended() -> Option<PhysAddr> {
    FRAMES.lock().allocate()
}

#[cold]
#[inline(never)]
fn free_slow(pa: PhysAddr, mut frames: LockedFrames) {
    if let Err(error) = frames.free_slow(pa) {
        refused(error);
    }
}

#[cold]
#[inline(never)]
fn free_contended(pa: PhysAddr) {
    if let Err(error) = FRAMES.lock().free(pa) {
        refused(error);
    }
}

/// Panics: a caller that frees a frame which is not in use has lost count of its frames.
#[cold]
#[inline(never)]
fn refused(error: FrameError) -> ! {
    panic!("{error}");
}

/// Makes `frames` the kernel's allocator. Once, at boot, when RAM is known.
pub fn set_frames(frames: FrameAllocator<'static>) {
    *FRAMES.lock() = frames;
}

/// The numbers of usable and of free frames; 0 before RAM is known.
#[must_use]
pub fn frame_count() -> FrameCount {
    FRAMES.lock().count()
}

/// The allocator's statistics; `None` before RAM is known.
#[must_use]
pub fn frame_statistics() -> Option<Statistics> {
    let frames = FRAMES.lock();
    (frames.count().usable > 0).then(|| frames.statistics())
}

/// Whether the frame at `pa` is the allocator's: free, or in use.
#[must_use]
pub fn is_allocatable(pa: PhysAddr) -> bool {
    FRAMES.lock().has(pa)
}

/// Calls `look` with the allocator, locked.
pub(super) fn look_at_frames<R>(look: impl FnOnce(&FrameAllocator<'static>) -> R) -> R {
    look(&FRAMES.lock())
}

/// Adds `[start, end)` to the free frames. Returns how many frames that is.
pub fn add_frames(start: PhysAddr, end: PhysAddr) -> usize {
    FRAMES.lock().add(start, end)
}

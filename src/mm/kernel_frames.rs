//! The kernel's frame allocator: one [`FrameAllocator`] behind one lock, for page tables and
//! everything else.
//!
//! 1. The lock is free: the allocator's cache of single frames has one, or room for one. Inlined.
//! 2. The lock is free, and the frame comes from the buddy lists, or goes there: a call.
//! 3. Another core has the lock, and this one waits for it: a call.
#![expect(unsafe_code, reason = "frames are memory that is handed out once")]

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::arch::try_lock::TryLock;
use crate::arch::zero::zero;
use crate::board::raspi3::KERNEL_VA_OFFSET;
use crate::mm::frames::{FrameAllocator, FrameCount, FrameError, Order, Statistics};
use crate::mm::layout::phys_to_virt;
use crate::paging::PagingHandler;
use crate::paging::backend::aarch64::reached_at;

/// The allocator, kept for good when RAM is known.
static ALLOCATOR: TryLock<FrameAllocator<'static>> = TryLock::new(FrameAllocator::empty());

/// [`ALLOCATOR`], once RAM is known. By reference: its fields are then at offsets from one
/// register, and the code for a static would make an address for each (21 instructions more of a
/// split and merge of 2 MiB).
static FRAMES: Lock<Option<&'static mut FrameAllocator<'static>>, lock_classes::Frames> =
    Lock::new(None);

/// Frames of the one allocator, reached through the linear map. On any core, in handlers too: the
/// allocator's lock masks interrupts, and is the last of those that mm takes. To free a frame that
/// is not in use is a panic.
pub struct KernelFrames;

// SAFETY: the allocator gives a frame once until it is freed, and only RAM; the boot map and the
// final map have all RAM at `phys_to_virt`, Normal write-back.
unsafe impl PagingHandler for KernelFrames {
    // Inline: page tables ask for a frame in the middle of a walk, whose registers a call would
    // save.
    #[inline(always)]
    fn alloc_frame() -> Option<PhysAddr> {
        match FRAMES.lock_if_free() {
            Some(mut frames) => frames.as_mut()?.allocate(),
            None => allocate_contended(),
        }
    }

    // Inline: as above.
    #[inline(always)]
    fn dealloc_frame(pa: PhysAddr) {
        let freed = match FRAMES.lock_if_free() {
            Some(mut frames) => free(&mut frames, pa),
            None => free_contended(pa),
        };
        if let Err(error) = freed {
            refused(error);
        }
    }

    // Not `layout::phys_to_virt`: with an addition that the compiler sees, each level of a walk
    // takes two instructions more (`reached_at`).
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

// Not inline, like what follows: the walk that asks has the fast path alone in its middle.
#[cold]
#[inline(never)]
fn allocate_contended() -> Option<PhysAddr> {
    FRAMES.lock().as_mut()?.allocate()
}

#[cold]
#[inline(never)]
fn free_contended(pa: PhysAddr) -> Result<(), FrameError> {
    free(&mut FRAMES.lock(), pa)
}

/// Gives the frame at `pa` back to `frames`, which there are: it came from there.
#[inline(always)]
fn free(
    frames: &mut Option<&'static mut FrameAllocator<'static>>,
    pa: PhysAddr,
) -> Result<(), FrameError> {
    match frames {
        Some(frames) => frames.free(pa),
        None => Err(FrameError::Foreign { pa }),
    }
}

/// Panics: a caller that frees a frame which is not in use has lost count of its frames.
#[cold]
#[inline(never)]
fn refused(error: FrameError) -> ! {
    panic!("{error}");
}

/// Makes `frames` the kernel's allocator. Once, at boot, when RAM is known.
///
/// # Panics
/// If it is called again.
pub fn set_frames(frames: FrameAllocator<'static>) {
    let kept = ALLOCATOR.try_keep().expect("RAM becomes known once");
    *kept = frames;
    *FRAMES.lock() = Some(kept);
}

/// Calls `work` with the allocator, locked; `None` before RAM is known.
fn with_frames<R>(work: impl FnOnce(&mut FrameAllocator<'static>) -> R) -> Option<R> {
    FRAMES.lock().as_mut().map(|frames| work(frames))
}

/// The numbers of usable and of free frames, cached ones included; 0 before RAM is known. Other
/// cores may change both right behind the look.
#[must_use]
pub fn frame_count() -> FrameCount {
    with_frames(|frames| frames.count()).unwrap_or_default()
}

/// The allocator's statistics, of one moment under its lock; `None` before RAM is known.
#[must_use]
pub fn frame_statistics() -> Option<Statistics> {
    with_frames(|frames| frames.statistics())
}

/// Whether the frame at `pa` is the allocator's: free, or in use. `false` for reserved RAM, for
/// what is no RAM, for an address inside of a frame, and before RAM is known.
#[must_use]
pub fn is_allocatable(pa: PhysAddr) -> bool {
    with_frames(|frames| frames.has(pa)).unwrap_or(false)
}

/// Single frames in a row, `bytes` of them, at a multiple of that: a power of two from 4 KiB on.
/// Their contents are unknown. Each is freed by itself.
pub(super) fn allocate_run(bytes: usize) -> Option<PhysAddr> {
    let Some(order) = Order::for_bytes(bytes) else {
        return allocate_long_run(bytes);
    };
    with_frames(|frames| {
        let pa = frames.allocate_block(order)?;
        let split = frames.split_block(pa, order);
        split.is_ok().then_some(pa)
    })?
}

/// As [`allocate_run`], of more than the allocator's largest block.
fn allocate_long_run(bytes: usize) -> Option<PhysAddr> {
    let blocks = bytes / Order::MAX.bytes();
    let start = with_frames(|frames| frames.allocate_row(blocks))??;
    // Block by block: interrupts are masked meanwhile.
    for offset in (0..bytes).step_by(Order::MAX.bytes()) {
        let pa = PhysAddr::new(start.as_usize() + offset);
        let split = with_frames(|frames| frames.split_block(pa, Order::MAX));
        debug_assert_eq!(split, Some(Ok(())), "allocated just now");
    }
    Some(start)
}

/// The frame at `pa`, if it is free; its contents are unknown. Returns whether it was.
pub(super) fn allocate_at(pa: PhysAddr) -> bool {
    with_frames(|frames| frames.allocate_at(pa)).unwrap_or(false)
}

/// One more owner of the frame at `pa`. Returns whether it is a single one in use.
pub(super) fn share(pa: PhysAddr) -> bool {
    with_frames(|frames| frames.share(pa).is_ok()).unwrap_or(false)
}

/// The owners of the single frame at `pa`; `None` if it is not in use.
#[must_use]
pub fn references(pa: PhysAddr) -> Option<u32> {
    with_frames(|frames| frames.references(pa))?
}

/// Calls `look` with the allocator, locked; `None` before RAM is known.
pub(super) fn look_at_frames<R>(look: impl FnOnce(&FrameAllocator<'static>) -> R) -> Option<R> {
    with_frames(|frames| look(frames))
}

/// Adds `[start, end)` to the free frames. Returns how many frames that is: 0 before RAM is known.
/// The linear map must have all of them, read-write; a frame that is cut by an end, or was added
/// before, is left out.
pub fn add_frames(start: PhysAddr, end: PhysAddr) -> usize {
    with_frames(|frames| frames.add(start, end)).unwrap_or(0)
}

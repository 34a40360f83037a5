//! The frames that every implementation makes its tables of: one pool, the same frames in the same
//! order.
//!
//! Freed frames form a list through their first words; when it is empty, the next frame that was
//! never given out is taken. [`dealloc`] is one load and two stores, [`alloc`] two loads, a test
//! and a store, and both count: eight to ten instructions, the same for everybody. One core, no
//! interrupts: relaxed atomics are plain loads and stores.
//!
//! # Decisions
//! Two windows onto the same frames. This project's handler adds the kernel's offset ([`to_virt`]),
//! because a kernel has to. The other libraries' add nothing ([`same`]): that favours them by an
//! instruction or two a level, and no figure of theirs is worse for our handlers.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

#[cfg(not(target_os = "none"))]
#[path = "host.rs"]
mod window;
#[cfg(target_os = "none")]
#[path = "machine.rs"]
mod window;

pub use window::{FIRST, LAST, same, to_virt, zero};

#[cfg(not(target_os = "none"))]
pub use window::provide;

/// Bytes of a frame.
pub const FRAME: usize = 4096;

struct Pool {
    /// The first frame of the list of free ones; 0 if there is none.
    free: AtomicUsize,
    /// The first frame that was never given out.
    fresh: AtomicUsize,
    in_use: AtomicUsize,
    zeroed: AtomicUsize,
}

/// One struct, so that one address reaches all of it.
static POOL: Pool = Pool {
    free: AtomicUsize::new(0),
    fresh: AtomicUsize::new(FIRST),
    in_use: AtomicUsize::new(0),
    zeroed: AtomicUsize::new(0),
};

/// Makes every frame free again, in the order of their addresses. Nobody may own one.
pub fn reset() {
    POOL.free.store(0, Ordering::Relaxed);
    POOL.fresh.store(FIRST, Ordering::Relaxed);
    POOL.in_use.store(0, Ordering::Relaxed);
    POOL.zeroed.store(0, Ordering::Relaxed);
}

/// The word of a free frame that names the next one.
#[inline(always)]
fn link(pa: usize) -> *mut usize {
    ptr::with_exposed_provenance_mut(same(pa))
}

/// A frame with unknown contents.
#[inline(always)]
#[must_use]
pub fn alloc() -> Option<usize> {
    let head = POOL.free.load(Ordering::Relaxed);
    let frame = if head == 0 {
        fresh()?
    } else {
        // SAFETY: a frame of the list belongs to the pool, and its first word is the link.
        POOL.free
            .store(unsafe { link(head).read() }, Ordering::Relaxed);
        head
    };
    POOL.in_use.store(in_use() + 1, Ordering::Relaxed);
    Some(frame)
}

/// A frame that was never given out.
#[inline(always)]
fn fresh() -> Option<usize> {
    let frame = POOL.fresh.load(Ordering::Relaxed);
    if frame == LAST {
        return None;
    }
    POOL.fresh.store(frame + FRAME, Ordering::Relaxed);
    Some(frame)
}

/// Takes the frame at `pa` back.
///
/// # Safety
/// It came from [`alloc`], and nobody uses it any more.
#[inline(always)]
pub unsafe fn dealloc(pa: usize) {
    // SAFETY: the frame is the pool's again.
    unsafe { link(pa).write(POOL.free.load(Ordering::Relaxed)) };
    POOL.free.store(pa, Ordering::Relaxed);
    POOL.in_use.store(in_use() - 1, Ordering::Relaxed);
}

/// Frames that are given out.
#[inline(always)]
#[must_use]
pub fn in_use() -> usize {
    POOL.in_use.load(Ordering::Relaxed)
}

/// Counts one frame that was zeroed by code of ours: a load, an addition, a store.
#[inline(always)]
pub fn count_zeroed() {
    POOL.zeroed
        .store(POOL.zeroed.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// How many were counted.
#[must_use]
pub fn zeroed() -> usize {
    POOL.zeroed.load(Ordering::Relaxed)
}

//! The pool's memory in a process: one piece that [`provide`] hands in before anything else.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::FRAME;

/// The first frame's address; any that is not 0 would do.
pub const FIRST: usize = 0x100_0000;
/// The end: as many frames as a Raspberry Pi 3 has.
pub const LAST: usize = 0x3b40_0000;

/// What is added to a physical address.
static OFFSET: AtomicUsize = AtomicUsize::new(0);

/// Gives the pool its memory: `LAST - FIRST` bytes from the address `base`, 4 KiB-aligned.
///
/// # Safety
/// They are readable and writable from now on, and used by nothing but the pool's users.
pub unsafe fn provide(base: usize) {
    OFFSET.store(base - FIRST, Ordering::Relaxed);
}

/// Where the frame at `pa` is: a process has one window only.
#[inline(always)]
#[must_use]
pub fn same(pa: usize) -> usize {
    to_virt(pa)
}

/// Where the frame at `pa` is.
#[inline(always)]
#[must_use]
pub fn to_virt(pa: usize) -> usize {
    pa + OFFSET.load(Ordering::Relaxed)
}

/// Zeroes the frame at `pa`, which nobody else uses.
#[inline(always)]
pub fn zero(pa: usize) {
    let frame = ptr::with_exposed_provenance_mut::<u8>(to_virt(pa));
    // SAFETY: the frame is memory of the pool, and whoever zeroes it owns it.
    unsafe { frame.write_bytes(0, FRAME) };
}

//! A frame of 4 KiB as 512 words of 64 bits: the one place where an address becomes memory.
//!
//! Each word is accessed as one 64-bit atomic, because a hardware walker or another core's walk may
//! be there at the same time.
#![expect(unsafe_code, reason = "a frame is reached by its address")]

use core::sync::atomic::{AtomicU64, Ordering};

use crate::addr::VirtAddr;
use crate::entry::ENTRIES;

/// The entries of the frame that is reached at `at`, for the duration of `work`.
#[inline(always)]
pub(crate) fn with_frame<R>(at: VirtAddr, work: impl FnOnce(&[AtomicU64; ENTRIES]) -> R) -> R {
    let frame = at.as_usize() as *const [AtomicU64; ENTRIES];
    // SAFETY: `at` is where a `PagingHandler` reaches a table of a live tree, or a frame that this
    // crate owns, so its 512 words are readable and writable. The reference ends with `work`, and
    // every access to the words is atomic.
    work(unsafe { &*frame })
}

/// Makes every word zero of the frame that is reached at `at`. Nobody else sees the frame yet.
pub(crate) fn zero(at: VirtAddr) {
    with_frame(at, |words| {
        for word in words {
            word.store(0, Ordering::Relaxed);
        }
    });
}

//! The kernel's heap: `linked_list_allocator` behind a lock, in the kernel window.
//!
//! Out of memory is a null pointer, which collections turn into an error for callers who ask for
//! one (`try_reserve`). The kernel does.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use linked_list_allocator::Heap;

use crate::arch::aarch64::lock::Lock;
use crate::lock_class;
use crate::mm::layout::Pages;

/// The heap behind the kernel's lock.
struct LockedHeap(Lock<Heap, HeapLock>);

lock_class!(HeapLock = "heap", 10);

#[global_allocator]
static HEAP: LockedHeap = LockedHeap(Lock::new(Heap::empty()));

// SAFETY: `Heap` gives each block to one owner until it is freed, aligned and sized as asked; the
// lock keeps its list whole.
unsafe impl GlobalAlloc for LockedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0
            .lock()
            .allocate_first_fit(layout)
            .map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else {
            return;
        };
        // SAFETY: the caller got `block` from `alloc` with this layout.
        unsafe { self.0.lock().deallocate(block, layout) };
    }
}

/// Bytes of the heap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeapUse {
    /// In all.
    pub size: usize,
    /// Given out.
    pub used: usize,
}

/// Gives the heap its memory.
///
/// # Safety
/// `pages` are mapped, writable, and used by nothing else; this is called once.
pub unsafe fn init(pages: Pages) {
    let bottom = ptr::with_exposed_provenance_mut(pages.start.as_usize());
    // SAFETY: the caller's promise is the allocator's condition.
    unsafe { HEAP.0.lock().init(bottom, pages.size) };
}

/// How much of the heap is in use.
#[must_use]
pub fn usage() -> HeapUse {
    let heap = HEAP.0.lock();
    HeapUse {
        size: heap.size(),
        used: heap.used(),
    }
}

//! The kernel's heap: `linked_list_allocator` behind a lock, in the kernel window.
//!
//! It grows when it has no room: frames are mapped behind its end. What it has it keeps. The page
//! behind its end is never mapped.
//!
//! Out of memory is a null pointer, which collections turn into an error for callers who ask for
//! one (`try_reserve`). The kernel does.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use linked_list_allocator::Heap;

use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::arch::aarch64::lock::Lock;
use crate::lock_class;
use crate::mm::kernel_space;
use crate::mm::layout::{self, Pages};

/// The heap behind the kernel's lock.
struct LockedHeap(Lock<Heap, HeapLock>);

lock_class!(HeapLock = "heap", 10);

#[global_allocator]
static HEAP: LockedHeap = LockedHeap(Lock::new(Heap::empty()));

// SAFETY: `Heap` gives each block to one owner until it is freed, aligned and sized as asked; the
// lock keeps its list whole.
unsafe impl GlobalAlloc for LockedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut heap = self.0.lock();
        let block = heap.allocate_first_fit(layout).or_else(|()| {
            grow(&mut heap, layout)?;
            heap.allocate_first_fit(layout)
        });
        block.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else {
            return;
        };
        // SAFETY: the caller got `block` from `alloc` with this layout.
        unsafe { self.0.lock().deallocate(block, layout) };
    }
}

/// The heap grows by this much at least.
const STEP: usize = 1 << 18;

/// Makes room for `layout` behind the end, if there is a heap, address space and memory for it.
fn grow(heap: &mut Heap, layout: Layout) -> Result<(), ()> {
    // Aligned inside of what is new, whatever is left at the end of the old.
    let needed = layout.size().checked_add(layout.align()).ok_or(())?;
    let bytes = needed
        .max(STEP)
        .checked_next_multiple_of(PAGE_SIZE)
        .ok_or(())?;
    let end = heap.top() as usize;
    let limit = layout::heap().start.as_usize() + layout::HEAP_MAX;
    if heap.size() == 0 || bytes > limit - end {
        return Err(());
    }
    let pages = Pages {
        name: "heap",
        start: VirtAddr::new(end),
        size: bytes,
    };
    let mapped = kernel_space::with_table(|table| kernel_space::map_window(table, pages));
    match mapped {
        Some(Ok(())) => {
            // SAFETY: the pages behind the heap's end are mapped now, and nobody else's.
            unsafe { heap.extend(bytes) };
            Ok(())
        }
        Some(Err(_)) | None => Err(()),
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

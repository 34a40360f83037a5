//! The kernel's heap: `linked_list_allocator` behind a lock, in the kernel window.
//!
//! It grows when it has no room: frames are mapped behind its end. What it has it keeps. The page
//! behind its end is never mapped.
//!
//! [`check`] walks the list of what is free and believes none of it ([`holes`](super::holes)).
//!
//! # Decisions
//! The allocator hides where its list begins, and a check has to know. Its value is a struct of a
//! few words; [`init`] finds which of them is the link to the first hole: the one that moves when
//! the first bytes are given out.
//!
//! Out of memory is a null pointer, which collections turn into an error for callers who ask for
//! one (`try_reserve`). The kernel does.
#![expect(unsafe_code, reason = "`GlobalAlloc`")]

use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use core::ptr::{self, NonNull};

use linked_list_allocator::Heap;

use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::arch::nofault::{self, AccessWidth};
use crate::mm::holes::{HeapViolation, HoleWalk, List};
use crate::mm::kernel_space;
use crate::mm::layout::{self, Pages};

/// The heap, and what its check has to know.
struct Kept {
    heap: Heap,
    /// How often something was given out or came back: a check that was interrupted sees whether it
    /// may go on.
    changes: u64,
    /// The index of the word of `heap` that is the link to the first hole.
    head: usize,
}

/// The heap behind the kernel's lock.
struct LockedHeap(Lock<Kept, lock_classes::Heap>);

#[global_allocator]
static HEAP: LockedHeap = LockedHeap(Lock::new(Kept {
    heap: Heap::empty(),
    changes: 0,
    head: 0,
}));

// SAFETY: `Heap` gives each block to one owner until it is freed, aligned and sized as asked; the
// lock keeps its list whole.
unsafe impl GlobalAlloc for LockedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut kept = self.0.lock();
        kept.changes += 1;
        let heap = &mut kept.heap;
        let block = heap.allocate_first_fit(layout).or_else(|()| {
            grow(heap, layout)?;
            heap.allocate_first_fit(layout)
        });
        block.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else {
            return;
        };
        let mut kept = self.0.lock();
        kept.changes += 1;
        // SAFETY: the caller got `block` from `alloc` with this layout.
        unsafe { kept.heap.deallocate(block, layout) };
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

/// Bytes of the heap, of one moment. An allocation counts as the allocator rounds it: 16 bytes at
/// least, in steps of 8.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeapUse {
    /// Bytes of the heap in all.
    pub size: usize,
    /// Bytes that are given out.
    pub used: usize,
}

/// Gives the heap its memory.
///
/// # Safety
/// `pages` are mapped, writable, and used by nothing else; this is called once.
pub unsafe fn init(pages: Pages) {
    let bottom = ptr::with_exposed_provenance_mut(pages.start.as_usize());
    let mut kept = HEAP.0.lock();
    // SAFETY: the caller's promise is the allocator's condition.
    unsafe { kept.heap.init(bottom, pages.size) };
    kept.head = find_head(&mut kept.heap);
}

/// The index of the word of a new heap that is the link to its first hole: the one that holds the
/// address behind the first allocation.
fn find_head(heap: &mut Heap) -> usize {
    let layout = Layout::new::<[usize; 2]>();
    let Ok(block) = heap.allocate_first_fit(layout) else {
        panic!("a heap of {} bytes has no room", heap.size());
    };
    let behind = block.as_ptr().addr() + layout.size();
    let mut places = (0..WORDS).filter(|&index| word(heap, index) == behind);
    let (Some(head), None) = (places.next(), places.next()) else {
        panic!("the heap's first hole is not where it can be found");
    };
    // SAFETY: allocated above, with this layout.
    unsafe { heap.deallocate(block, layout) };
    head
}

/// Words of the allocator's value.
const WORDS: usize = size_of::<Heap>() / size_of::<usize>();

/// Where a word of the allocator's value is.
fn word_at(heap: &Heap, index: usize) -> VirtAddr {
    VirtAddr::new((&raw const *heap).addr() + index * size_of::<usize>())
}

/// A word of the allocator's value, by a load in assembly: it may be padding, which Rust must not
/// read.
fn word(heap: &Heap, index: usize) -> usize {
    read(word_at(heap, index)).unwrap_or_default()
}

/// How much of the heap is in use; zeros before [`init`]. Takes the heap's lock.
#[must_use]
pub fn usage() -> HeapUse {
    let heap = &HEAP.0.lock().heap;
    HeapUse {
        size: heap.size(),
        used: heap.used(),
    }
}

/// The mapped pages of the heap: [`layout::HEAP_SIZE`] bytes at first, more once an allocation has
/// made it grow. It never shrinks.
#[must_use]
pub fn pages() -> Pages {
    Pages {
        size: usage().size,
        ..layout::heap()
    }
}

/// The counts of a check of the heap, all of one moment: nothing was given out or came back between
/// its steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckedHeap {
    /// The number of holes.
    pub holes: usize,
    /// Bytes in all holes.
    pub free: usize,
    /// Bytes of the heap.
    pub size: usize,
    /// Where the first hole is; 0 if there is none.
    pub first: VirtAddr,
}

impl fmt::Display for CheckedHeap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            holes,
            free,
            size,
            first,
        } = self;
        write!(
            f,
            "{free} of {size} bytes free, holes {holes}, the first at {first}"
        )
    }
}

/// Holes that are looked at with the lock held, and so with interrupts masked.
const STEPS: usize = 256;
/// How often a check begins again because the heap was used in between.
const ATTEMPTS: usize = 1000;

/// Checks the list of free memory, 256 holes at a time with interrupts masked. `None` if others
/// never leave the heap alone for long enough: after 1000 attempts.
///
/// # Errors
/// The first [`HeapViolation`].
pub fn check() -> Result<Option<CheckedHeap>, HeapViolation> {
    for _ in 0..ATTEMPTS {
        let (changes, mut walk) = {
            let kept = HEAP.0.lock();
            (kept.changes, HoleWalk::new(&list_of(&kept)))
        };
        // Ends: the walk goes upwards only.
        loop {
            let kept = HEAP.0.lock();
            if kept.changes != changes {
                break;
            }
            let list = list_of(&kept);
            if walk.go_on(&list, STEPS, read)? {
                return Ok(Some(CheckedHeap {
                    holes: walk.holes,
                    free: walk.bytes,
                    first: VirtAddr::new(list.head),
                    size: list.bounds.len(),
                }));
            }
        }
    }
    Ok(None)
}

fn list_of(kept: &Kept) -> List {
    let heap = &kept.heap;
    List {
        bounds: heap.bottom().addr()..heap.top().addr(),
        // Not the allocator's own difference: what was written over may be more than there is.
        free: heap.size().wrapping_sub(heap.used()),
        head_at: word_at(heap, kept.head).as_usize(),
        head: word(heap, kept.head),
    }
}

/// A word of the heap or of its value.
fn read(at: VirtAddr) -> Option<usize> {
    // SAFETY: neither is a device.
    let word = unsafe { nofault::read(at, AccessWidth::Double) };
    word.ok().map(|word| word as usize)
}

//! The fuzzer's frames, each thread's own, and a machine that does nothing.

use std::cell::RefCell;

use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::{AddressSpace, ENTRIES, InvalidateScope, Maintenance, PagingHandler};

/// How many frames there are: few enough that they run out.
const FRAMES: usize = 48;

#[repr(align(4096))]
struct Frame([u64; ENTRIES]);

struct Memory {
    frames: Box<[Frame; FRAMES]>,
    used: [bool; FRAMES],
    /// How many more can be had.
    budget: usize,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory {
        frames: Box::new([const { Frame([0; ENTRIES]) }; FRAMES]),
        used: [false; FRAMES],
        budget: usize::MAX,
    });
}

/// How many frames are in use.
pub fn in_use() -> usize {
    MEMORY.with_borrow(|memory| memory.used.iter().filter(|used| **used).count())
}

/// Lets `budget` more frames be had.
pub fn set_budget(budget: usize) {
    MEMORY.with_borrow_mut(|memory| memory.budget = budget);
}

/// The handler.
pub struct Frames;

// SAFETY: a frame is given out when its flag is false, and again only after it was given back; its
// memory lives as long as the thread.
unsafe impl PagingHandler for Frames {
    fn alloc_frame() -> Option<PhysAddr> {
        MEMORY.with_borrow_mut(|memory| {
            memory.budget = memory.budget.checked_sub(1)?;
            let number = memory.used.iter().position(|used| !used)?;
            memory.used[number] = true;
            Some(PhysAddr::new(number * PAGE_SIZE))
        })
    }

    fn dealloc_frame(pa: PhysAddr) {
        MEMORY.with_borrow_mut(|memory| {
            let number = pa.as_usize() / PAGE_SIZE;
            assert!(memory.used[number], "{pa} is freed twice");
            memory.used[number] = false;
            // Garbage that looks like a table of some format.
            memory.frames[number].0.fill(0x0000_dead_beef_f003);
        });
    }

    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        MEMORY.with_borrow_mut(|memory| {
            let number = pa.as_usize() / PAGE_SIZE;
            assert!(memory.used[number], "{pa} is nobody's table");
            let frame = &raw mut memory.frames[number];
            VirtAddr::new(frame.expose_provenance())
        })
    }
}

/// Maintenance of a machine that never looks.
pub struct Idle;

// SAFETY: no hardware walks these tables.
unsafe impl Maintenance for Idle {
    fn order_table() {}
    fn publish() {}
    fn begin_invalidation() {}
    fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
    fn invalidate_all(_: AddressSpace) {}
    fn end_invalidation() {}
}

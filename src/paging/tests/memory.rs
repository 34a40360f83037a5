//! Memory and MMU of the tests: a thread's own frames from physical 0 on, and a log of what page
//! tables do to them.
//!
//! Strict: a frame that is not owned cannot be read, written or freed. A fresh frame holds
//! garbage that looks like a table descriptor; a freed one holds it again.

use core::array;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU64, Ordering};
use std::boxed::Box;
use std::thread_local;
use std::vec::Vec;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::paging::{ENTRIES, InvalidateScope, Maintenance, PagingHandler};

/// Frames of a thread.
pub(super) const FRAMES: usize = 1024;
/// A table descriptor that leads nowhere.
const GARBAGE: u64 = 0x0000_dead_beef_f003;

/// What a page table did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// A store to a table that is older than the operation.
    Store {
        table: usize,
        index: usize,
        bits: u64,
    },
    /// A store to a frame that the operation allocated.
    Fill {
        table: usize,
    },
    OrderTable,
    Publish,
    Begin,
    Invalidate(usize, InvalidateScope),
    InvalidateAll,
    End,
    Free(usize),
}

#[repr(align(4096))]
struct Frame([AtomicU64; ENTRIES]);

struct Memory {
    frames: Box<[Frame]>,
    /// For each frame: the operation that allocated it.
    owner: RefCell<Vec<Option<usize>>>,
    /// The free frames; the last comes out next.
    free: RefCell<Vec<usize>>,
    operation: Cell<usize>,
    /// Allocations that still succeed.
    budget: Cell<usize>,
    allocations: Cell<usize>,
    old_stores: Cell<usize>,
    log: RefCell<Option<Vec<Event>>>,
}

thread_local! {
    static MEMORY: Memory = Memory::new();
}

impl Memory {
    fn new() -> Self {
        let garbage = || Frame(array::from_fn(|_| AtomicU64::new(GARBAGE)));
        Self {
            frames: (0..FRAMES).map(|_| garbage()).collect(),
            owner: RefCell::new((0..FRAMES).map(|_| None).collect()),
            free: RefCell::new((0..FRAMES).rev().collect()),
            operation: Cell::new(0),
            budget: Cell::new(usize::MAX),
            allocations: Cell::new(0),
            old_stores: Cell::new(0),
            log: RefCell::new(None),
        }
    }

    fn record(&self, event: Event) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(event);
        }
    }

    /// The number of the owned frame at `pa`, and the operation that allocated it.
    fn owned(&self, pa: usize) -> (usize, usize) {
        let frame = pa / PAGE_SIZE;
        assert!(
            pa.is_multiple_of(PAGE_SIZE) && frame < FRAMES,
            "{pa:#x} is foreign"
        );
        match self.owner.borrow()[frame] {
            Some(operation) => (frame, operation),
            None => panic!("frame {pa:#x} is not owned"),
        }
    }

    fn spoil(&self, frame: usize) {
        for word in &self.frames[frame].0 {
            word.store(GARBAGE, Ordering::Relaxed);
        }
    }

    fn allocate(&self) -> Option<usize> {
        self.budget.set(self.budget.get().checked_sub(1)?);
        let frame = self.free.borrow_mut().pop()?;
        self.owner.borrow_mut()[frame] = Some(self.operation.get());
        self.allocations.set(self.allocations.get() + 1);
        Some(frame * PAGE_SIZE)
    }

    fn free(&self, pa: usize) {
        let (frame, _) = self.owned(pa);
        self.owner.borrow_mut()[frame] = None;
        self.spoil(frame);
        self.free.borrow_mut().push(frame);
        self.record(Event::Free(pa));
    }

    /// Notes a store of `bits` to the word at `address`.
    fn store(&self, address: usize, bits: u64) {
        let offset = address - self.frames.as_ptr() as usize;
        let table = offset & !(PAGE_SIZE - 1);
        let index = (offset - table) / size_of::<u64>();
        if self.owned(table).1 == self.operation.get() {
            self.record(Event::Fill { table });
        } else {
            self.old_stores.set(self.old_stores.get() + 1);
            self.record(Event::Store { table, index, bits });
        }
    }
}

/// The handler: frames of [`MEMORY`].
pub(super) struct Frames;

// SAFETY: a frame that is owned is not handed out again; its memory is there as long as its
// thread, which the tests do not leave.
unsafe impl PagingHandler for Frames {
    fn alloc_frame() -> Option<PhysAddr> {
        MEMORY.with(Memory::allocate).map(PhysAddr::new)
    }

    fn dealloc_frame(pa: PhysAddr) {
        MEMORY.with(|memory| memory.free(pa.as_usize()));
    }

    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        MEMORY.with(|memory| {
            let (frame, _) = memory.owned(pa.as_usize());
            let base = memory.frames.as_ptr() as usize;
            VirtAddr::new(base + frame * PAGE_SIZE)
        })
    }
}

/// The maintenance: notes everything in the log of [`MEMORY`].
pub(super) struct Recorder;

fn record(event: Event) {
    MEMORY.with(|memory| memory.record(event));
}

impl Maintenance for Recorder {
    fn store(slot: &AtomicU64, bits: u64) {
        MEMORY.with(|memory| memory.store(slot.as_ptr() as usize, bits));
        slot.store(bits, Ordering::Relaxed);
    }

    fn order_table() {
        record(Event::OrderTable);
    }

    fn publish() {
        record(Event::Publish);
    }

    fn begin_invalidation() {
        record(Event::Begin);
    }

    fn invalidate(va: VirtAddr, scope: InvalidateScope) {
        record(Event::Invalidate(va.as_usize(), scope));
    }

    fn invalidate_all() {
        record(Event::InvalidateAll);
    }

    fn end_invalidation() {
        record(Event::End);
    }
}

/// Begins an operation in which `budget` allocations succeed.
pub(super) fn begin_operation(budget: usize) {
    MEMORY.with(|memory| {
        memory.operation.set(memory.operation.get() + 1);
        memory.budget.set(budget);
        memory.allocations.set(0);
        memory.old_stores.set(0);
    });
}

/// Frames allocated in this operation.
pub(super) fn allocations() -> usize {
    MEMORY.with(|memory| memory.allocations.get())
}

/// Stores to frames that are older than this operation.
pub(super) fn old_stores() -> usize {
    MEMORY.with(|memory| memory.old_stores.get())
}

/// Frames in use.
pub(super) fn live_frames() -> usize {
    FRAMES - free_frames()
}

/// Frames not in use.
pub(super) fn free_frames() -> usize {
    MEMORY.with(|memory| memory.free.borrow().len())
}

/// What `operation` does, event by event.
pub(super) fn record_all<R>(operation: impl FnOnce() -> R) -> (R, Vec<Event>) {
    begin_operation(usize::MAX);
    MEMORY.with(|memory| memory.log.replace(Some(Vec::new())));
    let result = operation();
    let log = MEMORY.with(|memory| memory.log.take());
    (result, log.unwrap_or_default())
}

/// What `operation` does to tables that were there before, and to the TLB.
pub(super) fn recorded(operation: impl FnOnce()) -> Vec<Event> {
    let ((), mut log) = record_all(operation);
    log.retain(|event| !matches!(event, Event::Fill { .. }));
    log
}

/// Word `index` of the frame at `pa`.
pub(super) fn word(pa: usize, index: usize) -> u64 {
    MEMORY.with(|memory| {
        let (frame, _) = memory.owned(pa);
        memory.frames[frame].0[index].load(Ordering::Relaxed)
    })
}

/// All owned frames with their contents.
pub(super) fn snapshot() -> Vec<(usize, Vec<u64>)> {
    MEMORY.with(|memory| {
        let owner = memory.owner.borrow();
        let owned = (0..FRAMES).filter(|frame| owner[*frame].is_some());
        let words = |frame: usize| {
            memory.frames[frame]
                .0
                .iter()
                .map(|word| word.load(Ordering::Relaxed))
        };
        owned
            .map(|frame| (frame * PAGE_SIZE, words(frame).collect()))
            .collect()
    })
}

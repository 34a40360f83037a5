//! Memory and machine of the tests: a thread's own frames from physical 0 on, and a record of what
//! page tables do to them.
//!
//! Strict: a frame that is not owned cannot be read, written or freed. A frame that is handed out
//! holds garbage that looks like descriptors of tables, whether it is fresh or was freed before.

use core::cell::{Cell, RefCell};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::boxed::Box;
use std::collections::BTreeSet;
use std::thread_local;
use std::vec::Vec;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::format::aarch64_tlb::{Barrier, Instructions, Tlbi};
use crate::{AddressSpace, ENTRIES, InvalidateScope, Maintenance, PagingHandler, PagingMetaData};

/// Frames of a thread.
pub(super) const FRAMES: usize = 2048;
/// Descriptors of AArch64 tables that lead nowhere: what frames hold unless a test says otherwise.
const GARBAGE: u64 = 0x0000_dead_beef_f003;

/// What a page table did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// A store to a word of a frame.
    Store {
        table: usize,
        index: usize,
        bits: u64,
    },
    /// Every word of a frame was made zero.
    Zero(usize),
    Alloc(usize),
    Free(usize),
    /// What A64 executes.
    Barrier(Barrier),
    Tlbi(Tlbi, u64),
    /// What the other formats ask for.
    OrderTable,
    Publish,
    Begin,
    Invalidate(usize, AddressSpace, InvalidateScope),
    InvalidateAll(AddressSpace),
    End,
    /// What follows is done by another core.
    HandOver,
    /// A frame that was mapped, and its bytes, are the caller's.
    Released(usize, usize),
    /// The range is kept from others.
    BeginBreak {
        start: usize,
        bytes: usize,
    },
    EndBreak,
}

/// The bytes of all frames.
///
/// # Invariants
/// `base` is an allocation of `LAYOUT` that belongs to this value.
struct Ram {
    base: *mut u64,
}

impl Ram {
    const LAYOUT: Layout = match Layout::from_size_align(FRAMES * PAGE_SIZE, PAGE_SIZE) {
        Ok(layout) => layout,
        Err(_) => panic!("no such layout"),
    };

    fn new() -> Self {
        // SAFETY: the size is not zero.
        let base = unsafe { alloc_zeroed(Self::LAYOUT) };
        if base.is_null() {
            handle_alloc_error(Self::LAYOUT);
        }
        Self { base: base.cast() }
    }

    fn frame(&self, frame: usize) -> &[AtomicU64; ENTRIES] {
        assert!(frame < FRAMES, "frame {frame} does not exist");
        let frame = self.base.wrapping_add(frame * ENTRIES);
        // SAFETY: by the invariant these words are there as long as `self`, and everybody
        // accesses them as atomics.
        unsafe { &*frame.cast() }
    }
}

impl Drop for Ram {
    fn drop(&mut self) {
        // SAFETY: by the invariant.
        unsafe { dealloc(self.base.cast(), Self::LAYOUT) };
    }
}

struct TestFrames {
    ram: Ram,
    owned: Box<[Cell<bool>]>,
    /// The free frames; the last comes out next.
    free: RefCell<Vec<usize>>,
    /// Allocations that still succeed.
    budget: Cell<usize>,
    /// Calls of the handler until one panics, before it has done anything.
    calls_until_panic: Cell<usize>,
    allocations: Cell<usize>,
    zeroed: Cell<usize>,
    garbage: Cell<u64>,
    log: RefCell<Vec<Event>>,
}

thread_local! {
    static MEMORY: TestFrames = TestFrames::new();
    static RECORDING: Cell<bool> = const { Cell::new(false) };
    /// Tables that are reached until something else is done in between.
    static STEPS: Cell<Option<usize>> = const { Cell::new(None) };
    static MEANWHILE: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

impl TestFrames {
    fn new() -> Self {
        Self {
            ram: Ram::new(),
            owned: (0..FRAMES).map(|_| Cell::new(false)).collect(),
            free: RefCell::new((0..FRAMES).rev().collect()),
            budget: Cell::new(usize::MAX),
            calls_until_panic: Cell::new(usize::MAX),
            allocations: Cell::new(0),
            zeroed: Cell::new(0),
            garbage: Cell::new(GARBAGE),
            log: RefCell::new(Vec::new()),
        }
    }

    /// The words of the owned frame at `pa`.
    #[inline]
    fn owned(&self, pa: usize) -> &[AtomicU64; ENTRIES] {
        let frame = pa / PAGE_SIZE;
        let owned = self.owned.get(frame).is_some_and(Cell::get);
        assert!(
            owned && pa.is_multiple_of(PAGE_SIZE),
            "frame {pa:#x} is not owned"
        );
        self.ram.frame(frame)
    }

    /// Panics if it is time to.
    fn tick(&self) {
        let left = self.calls_until_panic.get();
        self.calls_until_panic.set(left.wrapping_sub(1));
        assert!(left > 0, "the handler panics");
    }

    fn allocate(&self) -> Option<usize> {
        self.tick();
        self.budget.set(self.budget.get().checked_sub(1)?);
        let frame = self.free.borrow_mut().pop()?;
        self.owned[frame].set(true);
        self.allocations.set(self.allocations.get() + 1);
        let garbage = self.garbage.get();
        for word in self.ram.frame(frame) {
            word.store(garbage, Ordering::Relaxed);
        }
        Some(frame * PAGE_SIZE)
    }

    fn free(&self, pa: usize) {
        self.tick();
        self.owned(pa);
        self.owned[pa / PAGE_SIZE].set(false);
        self.free.borrow_mut().push(pa / PAGE_SIZE);
    }

    /// The frame and the index of the word at `address`.
    fn place(&self, address: usize) -> (usize, usize) {
        let offset = address - self.ram.base as usize;
        let table = offset & !(PAGE_SIZE - 1);
        self.owned(table);
        (table, (offset - table) / size_of::<u64>())
    }
}

fn memory<R>(work: impl FnOnce(&TestFrames) -> R) -> R {
    MEMORY.with(work)
}

/// Notes what `event` makes, if anybody wants to know.
#[inline]
fn record(event: impl FnOnce() -> Event) {
    if RECORDING.get() {
        let event = event();
        memory(|memory| memory.log.borrow_mut().push(event));
    }
}

/// The handler: frames of [`MEMORY`].
pub(super) struct Frames;

// SAFETY: a frame that is owned is not handed out again; its memory is there as long as its
// thread, which the tests do not leave.
unsafe impl PagingHandler for Frames {
    fn alloc_frame() -> Option<PhysAddr> {
        let frame = memory(TestFrames::allocate)?;
        record(|| Event::Alloc(frame));
        Some(PhysAddr::new(frame))
    }

    fn dealloc_frame(pa: PhysAddr) {
        memory(|memory| memory.free(pa.as_usize()));
        record(|| Event::Free(pa.as_usize()));
    }

    #[inline]
    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        count_step();
        memory(|memory| VirtAddr::new(memory.owned(pa.as_usize()).as_ptr() as usize))
    }

    fn zero_frame(pa: PhysAddr) {
        memory(|memory| {
            memory.zeroed.set(memory.zeroed.get() + 1);
            for word in memory.owned(pa.as_usize()) {
                word.store(0, Ordering::Relaxed);
            }
        });
        record(|| Event::Zero(pa.as_usize()));
    }
}

/// Stores `bits` and notes it.
#[inline]
fn store(entry: &AtomicU64, bits: u64) {
    record(|| {
        let (table, index) = memory(|memory| memory.place(entry.as_ptr() as usize));
        Event::Store { table, index, bits }
    });
    entry.store(bits, Ordering::Relaxed);
}

/// Notes when others are let in again.
struct Held;

impl Held {
    fn new(start: VirtAddr, bytes: usize) -> Self {
        let start = start.as_usize();
        record(|| Event::BeginBreak { start, bytes });
        Self
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        record(|| Event::EndBreak);
    }
}

/// Executes, that is notes, the instructions of A64.
pub(super) struct Recorder;

// SAFETY: no hardware walks these tables; what would be executed is noted.
unsafe impl Instructions for Recorder {
    fn barrier(barrier: Barrier) {
        record(|| Event::Barrier(barrier));
    }

    fn tlbi(tlbi: Tlbi, operand: u64) {
        record(|| Event::Tlbi(tlbi, operand));
    }

    #[inline]
    fn store(entry: &AtomicU64, bits: u64) {
        store(entry, bits);
    }

    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        Held::new(start, bytes)
    }
}

/// The maintenance of the other formats: notes what it is asked for.
pub(super) struct PlainRecorder;

// SAFETY: as above.
unsafe impl Maintenance for PlainRecorder {
    #[inline]
    fn store(entry: &AtomicU64, bits: u64) {
        store(entry, bits);
    }

    fn order_table() {
        record(|| Event::OrderTable);
    }

    fn publish() {
        record(|| Event::Publish);
    }

    fn begin_invalidation() {
        record(|| Event::Begin);
    }

    fn invalidate(va: VirtAddr, space: AddressSpace, scope: InvalidateScope) {
        record(|| Event::Invalidate(va.as_usize(), space, scope));
    }

    fn invalidate_all(space: AddressSpace) {
        record(|| Event::InvalidateAll(space));
    }

    fn end_invalidation() {
        record(|| Event::End);
    }

    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        Held::new(start, bytes)
    }
}

/// Has `work` done before the table number `steps` is reached from now on: in the middle of
/// whatever reaches it.
pub(super) fn after_steps(steps: usize, work: Box<dyn FnOnce()>) {
    MEANWHILE.set(Some(work));
    STEPS.set(Some(steps));
}

/// Has it not done any more. Returns whether it was not done.
pub(super) fn stop_counting() -> bool {
    MEANWHILE.set(None);
    STEPS.take().is_some()
}

#[inline]
fn count_step() {
    if let Some(steps) = STEPS.get() {
        STEPS.set(steps.checked_sub(1));
        if steps == 0
            && let Some(work) = MEANWHILE.take()
        {
            work();
        }
    }
}

/// Notes that another core goes on.
pub(super) fn hand_over() {
    record(|| Event::HandOver);
}

/// Notes that `bytes` from `frame` on, which were mapped, are the caller's now.
pub(super) fn release(frame: usize, bytes: usize) {
    record(|| Event::Released(frame, bytes));
}

/// The geometry of `M`, on a machine that caches invalid entries.
pub(super) struct CachesInvalid<M>(PhantomData<M>);

// SAFETY: all is `M`'s, and it does nothing besides.
unsafe impl<M: PagingMetaData> PagingMetaData for CachesInvalid<M> {
    const LEVELS: usize = M::LEVELS;
    const INDEX_BITS: usize = M::INDEX_BITS;
    const PA_MAX_BITS: usize = M::PA_MAX_BITS;
    const VA_MAX_BITS: usize = M::VA_MAX_BITS;
    const CACHES_INVALID: bool = true;
    type Maintenance = M::Maintenance;

    fn vaddr_is_valid(va: VirtAddr) -> bool {
        M::vaddr_is_valid(va)
    }

    fn vaddr_at(offset: usize) -> VirtAddr {
        M::vaddr_at(offset)
    }

    fn paddr_is_valid(pa: PhysAddr) -> bool {
        M::paddr_is_valid(pa)
    }
}

/// What frames hold from now on when they are handed out.
pub(super) fn set_garbage(bits: u64) {
    memory(|memory| memory.garbage.set(bits));
}

/// From now on `budget` allocations succeed, and events are counted anew.
pub(super) fn begin_operation(budget: usize) {
    memory(|memory| {
        memory.budget.set(budget);
        memory.allocations.set(0);
        memory.zeroed.set(0);
    });
}

/// From now on `calls` of the handler to take or give a frame return, and the next one panics.
pub(super) fn set_calls_until_panic(calls: usize) {
    memory(|memory| memory.calls_until_panic.set(calls));
}

/// Forgets which frames are in use.
pub(super) fn reset_frames() {
    memory(|memory| {
        memory.owned.iter().for_each(|owned| owned.set(false));
        *memory.free.borrow_mut() = (0..FRAMES).rev().collect();
    });
}

/// Frames allocated since [`begin_operation`].
pub(super) fn allocations() -> usize {
    memory(|memory| memory.allocations.get())
}

/// Frames zeroed since [`begin_operation`].
pub(super) fn zeroed() -> usize {
    memory(|memory| memory.zeroed.get())
}

/// Frames in use.
pub(super) fn live_frames() -> usize {
    FRAMES - free_frames()
}

/// Frames not in use.
pub(super) fn free_frames() -> usize {
    memory(|memory| memory.free.borrow().len())
}

/// What `operation` does, event by event.
pub(super) fn record_all<R>(operation: impl FnOnce() -> R) -> (R, Vec<Event>) {
    begin_operation(usize::MAX);
    memory(|memory| memory.log.borrow_mut().clear());
    RECORDING.set(true);
    let result = operation();
    RECORDING.set(false);
    (result, memory(|memory| memory.log.take()))
}

/// What `operation` does to tables that were there before, and to the TLB.
pub(super) fn recorded(operation: impl FnOnce()) -> Vec<Event> {
    let ((), mut log) = record_all(operation);
    let mut new = BTreeSet::new();
    log.retain(|event| match event {
        Event::Alloc(frame) => !new.insert(*frame),
        Event::Store { table, .. } | Event::Zero(table) => !new.contains(table),
        _ => true,
    });
    log
}

/// Word `index` of the frame at `pa`.
pub(super) fn word(pa: usize, index: usize) -> u64 {
    memory(|memory| memory.owned(pa)[index].load(Ordering::Relaxed))
}

/// Changes word `index` of the frame at `pa` behind everybody's back.
pub(super) fn put_word(pa: usize, index: usize, bits: u64) {
    memory(|memory| memory.owned(pa)[index].store(bits, Ordering::Relaxed));
}

/// All owned frames, and what is in them.
#[derive(Eq, PartialEq)]
pub(super) struct Snapshot {
    frames: Vec<usize>,
    words: Vec<u64>,
}

pub(super) fn snapshot() -> Snapshot {
    memory(|memory| {
        let owned = |frame: &usize| memory.owned[*frame].get();
        let frames: Vec<_> = (0..FRAMES).filter(owned).collect();
        let words = frames.iter().flat_map(|frame| memory.ram.frame(*frame));
        let words = words.map(|word| word.load(Ordering::Relaxed)).collect();
        Snapshot { frames, words }
    })
}

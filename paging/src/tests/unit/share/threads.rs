//! Readers of shared tables on threads of their own, beside a writer that takes tables away and has
//! others put in their frames.

use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::Mutex;
use std::vec::Vec;
use std::{println, thread};

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::format::riscv::{Rv64PTE, Sv39MetaData};
use crate::format::x86_64::{X64MetaData, X64PTE};
use crate::tests::{K4, M2, RO, RW, pa, va};
use crate::{
    AddressSpace, ENTRIES, GenericPTE, InvalidateScope, Maintenance, MappingFlags, PageSize,
    PageTable64, PagingError, PagingHandler, PagingMetaData, PagingResult, RegionOptions,
    SharedReader, SharedTop, SharedWriter,
};

const FRAMES: usize = 128;
/// What is in a frame that is free: no entry of a format that leads anywhere.
const POISON: u64 = 0x5b5b_5b5b_5b5b_5b5b;
const ROUNDS: usize = 1500;
const READERS: usize = 2;
/// The first shared address, in Sv39 and in 4-level paging.
const SV39_START: usize = 0xffff_ffc0_0000_0000;
const X64_START: usize = 0xffff_8000_0000_0000;

#[repr(align(4096))]
struct Frame([AtomicU64; ENTRIES]);

static RAM: [Frame; FRAMES] =
    [const { Frame([const { AtomicU64::new(POISON) }; ENTRIES]) }; FRAMES];
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Frames for any thread.
struct Ram;

// SAFETY: the list has each free frame once; the memory lives for ever and is of atomics.
unsafe impl PagingHandler for Ram {
    fn alloc_frame() -> Option<PhysAddr> {
        let frame = FREE.lock().unwrap().pop()?;
        Some(pa(frame * PAGE_SIZE))
    }

    fn dealloc_frame(pa: PhysAddr) {
        let frame = pa.as_usize() / PAGE_SIZE;
        for word in &RAM[frame].0 {
            word.store(POISON, Ordering::Relaxed);
        }
        FREE.lock().unwrap().push(frame);
    }

    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        va(RAM[pa.as_usize() / PAGE_SIZE]
            .0
            .as_ptr()
            .expose_provenance())
    }
}

/// Nothing but threads walks these tables.
struct Threads;

// SAFETY: no hardware walks these tables.
unsafe impl Maintenance for Threads {
    fn order_table() {
        core::sync::atomic::fence(Ordering::Release);
    }
    fn publish() {}
    fn begin_invalidation() {}
    fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
    fn invalidate_all(_: AddressSpace) {}
    fn end_invalidation() {}
}

type Reader<'top, M, P> = PageTable64<M, P, Ram, SharedReader<'top, M, P, Ram>>;
type Writer<'top, M, P> = PageTable64<M, P, Ram, SharedWriter<'top, M, P, Ram>>;

/// Does `work` when there are frames for it: readers that are slow keep those of tables that wait.
fn insist<M: PagingMetaData, P: GenericPTE>(
    kernel: &mut Writer<'_, M, P>,
    mut work: impl FnMut(&mut Writer<'_, M, P>) -> PagingResult,
) {
    loop {
        match work(kernel) {
            Err(PagingError::NoMemory) => _ = kernel.reclaim(),
            result => return result.unwrap(),
        }
        thread::yield_now();
    }
}

/// Maps, changes and unmaps, always the frame that is as far from 0 as the page from the start.
fn write<M: PagingMetaData, P: GenericPTE>(kernel: &mut Writer<'_, M, P>, start: usize) {
    for round in 0..ROUNDS {
        let offset = round % 7 * M2;
        let at = va(start + offset);
        let options = match round % 3 {
            0 => RegionOptions::HUGE,
            _ => RegionOptions::empty(),
        };
        let bytes = if round % 5 == 0 { M2 } else { 3 * K4 };
        insist(kernel, |kernel| {
            let region = kernel.map_region(at, pa(offset), bytes, RO, options);
            region.map(drop)
        });
        insist(kernel, |kernel| kernel.protect_region(at, K4, RW).map(drop));
        if round % 5 == 0 {
            kernel.protect_region(at, M2, RO).unwrap().flush();
            kernel.compact(at, M2).unwrap().flush();
        }
        let _ = kernel.unmap(at).unwrap().flush();
        kernel.unmap_region(at, M2).unwrap().flush();
    }
}

/// Reads in every way until the writer is done. Returns how many leaves were seen.
fn read<M: PagingMetaData, P: GenericPTE>(
    user: &Reader<'_, M, P>,
    start: usize,
    done: &AtomicBool,
) -> usize {
    let mut seen = 0;
    let mut check = |at: VirtAddr, frame: PhysAddr, flags: MappingFlags| {
        assert_eq!(at.as_usize() - start, frame.as_usize(), "{at}");
        assert!([RO, RW].contains(&flags), "{flags} at {at}");
        seen += 1;
    };
    while !done.load(Ordering::Relaxed) {
        for at in (0..7).map(|block| va(start + block * M2)) {
            if let Ok((frame, flags, _)) = user.query(at) {
                check(at, frame, flags);
            }
        }
        user.iter(..)
            .for_each(|run| check(run.va, run.pa, run.flags));
        user.iter(..)
            .rev()
            .for_each(|run| check(run.va, run.pa, run.flags));
        let _ = user.leaves(|leaf| {
            check(leaf.va, leaf.paddr(), leaf.flags());
            ControlFlow::<()>::Continue(())
        });
        let mut cursor = user.cursor(va(start)).unwrap();
        let first = cursor.leaf();
        for leaf in first
            .into_iter()
            .chain(core::iter::from_fn(|| cursor.next_leaf()))
        {
            check(leaf.va, leaf.paddr(), leaf.flags());
        }
        let view = user.view();
        for at in (0..7).map(|block| va(start + block * M2 + K4)) {
            if let Ok(leaf) = view.leaf(at) {
                check(leaf.va, leaf.paddr(), leaf.flags());
            }
        }
    }
    seen
}

/// Says that the writer is done, however it ends.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn beside<M: PagingMetaData, P: GenericPTE>(start: usize, bytes: usize) {
    let free = FREE.lock().unwrap().len();
    let top = SharedTop::<M, P, Ram>::try_new(va(start), bytes).unwrap();
    let (done, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    // As long as there are frames for them.
    let users = [(); READERS].map(|()| Reader::<M, P>::copy_from(top.reader()).unwrap());
    let (done, seen) = (&done, &seen);
    thread::scope(|scope| {
        for user in &users {
            scope.spawn(move || seen.fetch_add(read(user, start, done), Ordering::Relaxed));
        }
        let _done = Done(done);
        let mut kernel = Writer::<M, P>::copy_from(top.writer().unwrap()).unwrap();
        write(&mut kernel, start);
    });
    drop(users);
    println!("{} leaves were seen", seen.load(Ordering::Relaxed));
    let mut kernel = Writer::<M, P>::copy_from(top.writer().unwrap()).unwrap();
    assert_eq!(kernel.reclaim(), 0);
    let size = PageSize::Size4K;
    kernel.map(va(start), pa(0), size, RW).unwrap().flush();
    drop(kernel);
    drop(top);
    assert_eq!(FREE.lock().unwrap().len(), free);
}

#[test]
fn no_thread_reads_a_table_that_another_has_freed() {
    FREE.lock().unwrap().extend((0..FRAMES).rev());
    beside::<Sv39MetaData<Threads>, Rv64PTE>(SV39_START, 1 << 30);
    beside::<X64MetaData<Threads>, X64PTE>(X64_START, 1 << 39);
}

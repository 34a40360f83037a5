//! `soak`: all cores use everything at once, for as long as one likes.
//!
//! Each core, at random: takes and frees frames, takes and frees heap, maps, moves, protects and
//! unmaps pages of its own, asks other cores, prints; a timer interrupts it a thousand times a
//! second. What is taken is filled with a pattern and checked before it is given back. In the end
//! nothing may be lost, and nothing may have grown.
#![expect(unsafe_code, reason = "memory that is unmapped while it is used")]

use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering};

use super::arguments::number_from;
use super::begun_jobs::BegunJobs;
use super::error::CommandError;
use super::progress::Progress;
use super::ticks::TickTimer;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::cpu;
use crate::arch::nofault::{self, AccessWidth};
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::console;
use crate::kernel::cores::ipi;
use crate::kernel::cores::jobs;
use crate::mm::kernel_frames;
use crate::mm::kernel_frames::KernelFrames;
use crate::mm::kernel_space::{self, READ_ONLY, READ_WRITE};
use crate::mm::layout::phys_to_virt;
use crate::mm::{heap, layout};
use crate::paging::PagingHandler;

/// Eleven days.
const SECONDS_MAX: u64 = 1_000_000;
/// Frames that a core holds at most.
const FRAMES: usize = 16;
/// Bytes of heap that a core takes at once, at most.
const HEAP_BYTES: usize = 16 << 10;
/// Between one core's pages and another's: tables of their own.
const AREA: usize = 2 << 20;
/// Pages that a core maps at once, at most.
const PAGES: usize = 4;
/// One in so many times a page is moved, for which this core stops all others. If more cores did
/// so, they would do little else on an emulator: each waits until the host has run all four.
const MOVES: usize = 8;
const MOVER: usize = 3;
const PRINT_NS: u64 = 2_000_000_000;

/// Counts of the actions of one core.
struct ActionTally {
    actions: AtomicU64,
    calls: AtomicU64,
    /// Calls that it answered.
    answered: AtomicU64,
    ticks: AtomicU64,
    /// Periods without a tick, since the one before was late.
    late: AtomicU64,
    maps: AtomicU64,
    errors: AtomicU64,
}

impl ActionTally {
    const fn new() -> Self {
        Self {
            actions: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            late: AtomicU64::new(0),
            maps: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        }
    }

    fn counts(&self) -> [&AtomicU64; 7] {
        let Self {
            actions,
            calls,
            answered,
            ticks,
            late,
            maps,
            errors,
        } = self;
        [actions, calls, answered, ticks, late, maps, errors]
    }
}

static TALLIES: [ActionTally; CORES] = [const { ActionTally::new() }; CORES];

fn tally(core: usize) -> &'static ActionTally {
    &TALLIES[core % CORES]
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The memory in use, which must be the same afterwards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct MemoryInUse {
    free_frames: usize,
    tables: usize,
    heap_size: usize,
    heap_used: usize,
}

impl MemoryInUse {
    fn now() -> Self {
        let heap = heap::usage();
        Self {
            free_frames: kernel_frames::frame_count().free,
            tables: kernel_space::live_view().count_tables(),
            heap_size: heap.size,
            heap_used: heap.used,
        }
    }
}

impl fmt::Display for MemoryInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames free, {} tables, heap {} of {}",
            self.free_frames, self.tables, self.heap_used, self.heap_size
        )
    }
}

/// The paragraphs that `help soak` shows below the usage.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "  Timers, calls, frames, heap, the map and the console; nothing may be lost."
    )?;
    writeln!(
        out,
        "  SECONDS is from 1 to {SECONDS_MAX}. Ctrl-C ends it, with the same report."
    )
}

/// `soak SECONDS`
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let [word] = arguments else {
        return Err(CommandError::wrong_count());
    };
    let seconds = number_from(1, SECONDS_MAX, word)?;
    grow_heap();
    for counter in TALLIES.iter().flat_map(ActionTally::counts) {
        counter.store(0, Ordering::Relaxed);
    }
    let before = MemoryInUse::now();
    let jobs = BegunJobs::on_all_others(work)?;
    let interrupted = work_here(seconds, out);
    let ended = jobs.end();
    report(out, before)?;
    ended?;
    interrupted
}

/// Core 0: works for so long, and says how long it has.
fn work_here(seconds: u64, out: &mut dyn Write) -> Result<(), CommandError> {
    let start_ns = clock::now_ns();
    let mut progress = Progress::new("soak", seconds, "s");
    let mut result = Ok(());
    work_while(0, || {
        let done = clock::now_ns().saturating_sub(start_ns) / 1_000_000_000;
        if done < seconds {
            result = progress.at(done, out);
        }
        done < seconds && result.is_ok()
    });
    result
}

/// Once as much heap at a time as all cores will have: afterwards it must not grow.
fn grow_heap() {
    let mut blocks = Vec::<u8>::new();
    let _ = blocks.try_reserve_exact(4 * CORES * HEAP_BYTES + (2 << 20));
}

fn report(out: &mut dyn Write, before: MemoryInUse) -> Result<(), CommandError> {
    let mut errors = 0;
    let (mut asked, mut answered) = (0, 0);
    for (core, tally) in TALLIES.iter().enumerate() {
        let [actions, calls, answers, ticks, late, maps, wrong] =
            tally.counts().map(|count| count.load(Ordering::Relaxed));
        writeln!(
            out,
            "core {core}: {actions} actions, {calls} calls, {answers} answers, {maps} maps, \
             {ticks} ticks and {late} late, {wrong} errors"
        )?;
        errors += wrong;
        asked += calls;
        answered += answers;
    }
    let after = MemoryInUse::now();
    writeln!(out, "before: {before}")?;
    writeln!(out, "after:  {after}")?;
    errors += u64::from(asked != answered) + u64::from(before != after);
    writeln!(out, "soak: {errors} errors")?;
    Ok(())
}

/// The numbers of the xorshift family: which action comes next is all that depends on them.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize % limit
    }
}

/// The job of cores 1 to 3.
fn work(core: usize) {
    work_while(core, jobs::may_go_on);
}

/// The actions of one core, as long as `may_go_on`.
fn work_while(core: usize, mut may_go_on: impl FnMut() -> bool) {
    let tally = tally(core);
    let ticks = TickTimer::begin(tick, core);
    let mut random = Xorshift(0x5717_0000_0000_0001 + core as u64);
    let mut frames = [None; FRAMES];
    let mut next_print_ns = clock::now_ns() + PRINT_NS;
    while may_go_on() {
        count(&tally.actions);
        let is_good = match random.below(8) {
            0..=2 => use_frame(&mut frames, random.below(FRAMES), core),
            3 | 4 => use_heap(1 + random.below(HEAP_BYTES), core as u8),
            5 => use_pages(
                1 + random.below(PAGES),
                core == MOVER && random.below(MOVES) == 0,
                core,
            ),
            _ => ask(random.below(CORES), core),
        };
        if !is_good {
            count(&tally.errors);
        }
        if clock::now_ns() >= next_print_ns {
            next_print_ns += PRINT_NS;
            let actions = tally.actions.load(Ordering::Relaxed);
            console::print(format_args!("soak: core {core} has done {actions}\n"));
        }
    }
    for index in 0..FRAMES {
        if frames.get(index).is_some_and(Option::is_some) && !use_frame(&mut frames, index, core) {
            count(&tally.errors);
        }
    }
    let periods = ticks.map(|ticks| ticks.end(&tally.ticks));
    if let Ok(periods) = periods {
        tally.late.store(periods.late, Ordering::Relaxed);
    }
    if !periods.is_ok_and(|periods| periods.are_whole) {
        count(&tally.errors);
    }
}

fn tick(core: usize) {
    count(&tally(core).ticks);
}

/// Takes a frame, or gives back the one at `index`.
fn use_frame(frames: &mut [Option<PhysAddr>; FRAMES], index: usize, core: usize) -> bool {
    let Some(slot) = frames.get_mut(index) else {
        return false;
    };
    let word = |frame: PhysAddr| phys_to_virt(frame).as_usize() as *mut u64;
    let pattern = |frame: PhysAddr| (frame.as_usize() | core) as u64;
    match slot.take() {
        Some(frame) => {
            // SAFETY: the frame is this core's until it is freed.
            let found = unsafe { word(frame).read_volatile() };
            KernelFrames::dealloc_frame(frame);
            found == pattern(frame)
        }
        None => {
            let Some(frame) = KernelFrames::alloc_frame() else {
                return false;
            };
            // SAFETY: as above.
            unsafe { word(frame).write_volatile(pattern(frame)) };
            *slot = Some(frame);
            true
        }
    }
}

/// Takes heap, fills it, checks it and gives it back.
fn use_heap(bytes: usize, pattern: u8) -> bool {
    let mut block = Vec::new();
    if block.try_reserve_exact(bytes).is_err() {
        return false;
    }
    block.resize(bytes, pattern);
    core::hint::black_box(&mut block);
    block.iter().all(|byte| *byte == pattern)
}

/// Maps pages of this core's own, moves the first to another frame if `moves`, writes, protects
/// them, finds that they cannot be written, unmaps them, and finds that they cannot be read.
fn use_pages(pages: usize, moves: bool, core: usize) -> bool {
    let area = layout::SCRATCH.as_usize() + AREA * (1 + core);
    let page = |index: usize| VirtAddr::new(area + index * PAGE_SIZE);
    let write = |index: usize| {
        // SAFETY: an abort is an answer; the pages are this core's.
        unsafe { nofault::write(page(index), AccessWidth::Double, index as u64) }.is_ok()
    };
    // SAFETY: as above.
    let read = |index: usize| unsafe { nofault::read(page(index), AccessWidth::Double) }.ok();
    count(&tally(core).maps);
    let mapped =
        (0..pages).take_while(|index| kernel_space::map_page(page(*index), READ_WRITE).is_ok());
    let mapped = mapped.count();
    let moved = !moves || kernel_space::renew_page(page(0), READ_WRITE).is_ok();
    let mut is_good = mapped == pages && moved && (0..mapped).all(write);
    let bytes = mapped * PAGE_SIZE;
    is_good &= kernel_space::protect(page(0), bytes, READ_ONLY).is_ok();
    is_good &= (0..mapped).all(|index| !write(index) && read(index) == Some(index as u64));
    for index in 0..mapped {
        is_good &= kernel_space::unmap_page(page(index)).is_ok();
        is_good &= read(index).is_none();
    }
    is_good
}

/// Asks another core, or this one.
fn ask(callee: usize, caller: usize) -> bool {
    let argument = caller << 8 | callee;
    let answer = ipi::call_function(callee, answer, argument);
    count(&tally(caller).calls);
    answer == Ok(argument + 1)
}

fn answer(argument: usize) -> usize {
    count(&tally(cpu::number()).answered);
    argument + 1
}

//! `shootdown`: cores 1 to 3 use a page while core 0 maps, moves, protects and unmaps it.
//!
//! No core may see what the page was once the call that changed it has returned: that is what the
//! broadcast TLBI of the architecture, and its barriers, are for. The page's frames carry a number;
//! core 0 says which state the page is in after each call, and the others judge what they find if
//! the state was the same before and after they looked: it must be that of the state, or of the
//! next one, whose call may be under way.
#![expect(unsafe_code, reason = "memory that is unmapped while it is used")]

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering};

use super::arguments::number_from;
use super::begun_jobs::BegunJobs;
use super::error::CommandError;
use super::progress::Progress;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::nofault::{self, AccessWidth};
use crate::arch::relax::relax;
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::cores::jobs;
use crate::mm::kernel_frames::KernelFrames;
use crate::mm::kernel_space::{self, KernelTable, READ_ONLY, READ_WRITE};
use crate::mm::layout;
use crate::mm::layout::phys_to_virt;
use crate::paging::{PageSize, PagingError, PagingHandler, PagingResult};

/// The most rounds that one may ask for.
const ROUNDS_MAX: u64 = 100_000_000;
/// If none are asked for: so many rounds or so long, whichever ends first. On an emulator that runs
/// its cores at once a round takes a tenth of a second, on the board some microseconds.
const DEFAULT_ROUNDS: u64 = 10_000;
const DEFAULT_NS: u64 = 5_000_000_000;

/// The state into which core 0 has put the page: the round times [`STATES`], plus one of these.
const STATES: u64 = 4;
const WRITABLE: u64 = 0;
const MOVED: u64 = 1;
const READ_ONLY_NOW: u64 = 2;
const UNMAPPED: u64 = 3;

/// The state that the last call has left.
static STATE: AtomicU64 = AtomicU64::new(UNMAPPED);

/// Counts of the looks of one core.
struct LookTally {
    looks: AtomicU64,
    /// Looks at which the state was the same before and after.
    judged: AtomicU64,
    wrong: AtomicU64,
}

static TALLIES: [LookTally; CORES] = [const {
    LookTally {
        looks: AtomicU64::new(0),
        judged: AtomicU64::new(0),
        wrong: AtomicU64::new(0),
    }
}; CORES];

/// The number in the frame that the page is mapped to in `state`.
const fn number(state: u64) -> u64 {
    match state % STATES {
        WRITABLE => state / STATES * 2,
        _ => state / STATES * 2 + 1,
    }
}

/// When to stop.
#[derive(Clone, Copy)]
struct Limit {
    rounds: u64,
    ns: u64,
}

/// The rounds of core 0, and why it stopped before its limit, if it did.
struct Changes {
    rounds: u64,
    result: Result<(), CommandError>,
}

/// The paragraphs that `help shootdown` shows below the usage.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    let seconds = DEFAULT_NS / 1_000_000_000;
    writeln!(
        out,
        "  Core 0 maps, moves, protects and unmaps the page; cores 1 to 3 must never"
    )?;
    writeln!(out, "  see what it was. ROUNDS is from 1 to {ROUNDS_MAX}.")?;
    writeln!(
        out,
        "  Without: {DEFAULT_ROUNDS} rounds or {seconds} s. Ctrl-C ends it."
    )
}

/// `shootdown [ROUNDS]`
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let limit = match arguments {
        [] => Limit {
            rounds: DEFAULT_ROUNDS,
            ns: DEFAULT_NS,
        },
        [word] => Limit {
            rounds: number_from(1, ROUNDS_MAX, word)?,
            ns: u64::MAX,
        },
        _ => return Err(CommandError::wrong_count()),
    };
    STATE.store(UNMAPPED, Ordering::SeqCst);
    for tally in &TALLIES {
        tally.looks.store(0, Ordering::Relaxed);
        tally.judged.store(0, Ordering::Relaxed);
        tally.wrong.store(0, Ordering::Relaxed);
    }
    let jobs = BegunJobs::on_all_others(look)?;
    let start_ns = clock::now_ns();
    let Changes { rounds, result } = change(limit, out)?;
    let took_ms = clock::now_ns().saturating_sub(start_ns) / 1_000_000;
    jobs.end()?;
    let mut wrong = 0;
    for (core, tally) in TALLIES.iter().enumerate().skip(1) {
        let [looks, judged] =
            [&tally.looks, &tally.judged].map(|count| count.load(Ordering::Relaxed));
        writeln!(out, "core {core}: {looks} looks, {judged} judged")?;
        wrong += tally.wrong.load(Ordering::Relaxed);
    }
    writeln!(out, "{rounds} rounds in {took_ms} ms, {wrong} stale")?;
    if result.is_ok() && rounds < limit.rounds {
        let (all, seconds) = (limit.rounds, limit.ns / 1_000_000_000);
        writeln!(
            out,
            "ended after {seconds} s; `shootdown {all}` takes as long as it takes"
        )?;
    }
    result
}

/// Core 0: rounds of map, move, protect, unmap.
fn change(limit: Limit, out: &mut dyn Write) -> PagingResult<Changes> {
    let frames = [Frame::new()?, Frame::new()?];
    let page = Page(layout::SCRATCH);
    let [first, second] = frames.each_ref().map(|frame| frame.0);
    let mut progress = Progress::new("shootdown", limit.rounds, "rounds");
    let end_ns = clock::now_ns().saturating_add(limit.ns);
    for rounds in 0..limit.rounds {
        let mut result = progress.at(rounds, out);
        if result.is_ok() {
            result = round(page.0, [first, second], rounds + 1).map_err(CommandError::from);
        }
        if result.is_err() || clock::now_ns() >= end_ns {
            let rounds = rounds + u64::from(result.is_ok());
            return Ok(Changes { rounds, result });
        }
    }
    Ok(Changes {
        rounds: limit.rounds,
        result: Ok(()),
    })
}

/// A frame, until it is dropped.
struct Frame(PhysAddr);

impl Frame {
    fn new() -> PagingResult<Self> {
        let frame = KernelFrames::alloc_frame().ok_or(PagingError::NoMemory)?;
        Ok(Self(frame))
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        KernelFrames::dealloc_frame(self.0);
    }
}

/// The page that is changed; unmapped when it is dropped, in the middle of a round too.
struct Page(VirtAddr);

impl Drop for Page {
    fn drop(&mut self) {
        let _ = kernel_space::with_table(|table| {
            let unmapped = table.unmap(self.0);
            unmapped.map(|unmapped| unmapped.flush())
        });
    }
}

fn round(page: VirtAddr, [first, second]: [PhysAddr; 2], round: u64) -> PagingResult {
    let state = round * STATES;
    for (frame, state) in [(first, state + WRITABLE), (second, state + MOVED)] {
        let word = phys_to_virt(frame).as_usize() as *mut u64;
        // SAFETY: the frame is this function's, and no core may see it yet.
        unsafe { word.write_volatile(number(state)) };
    }
    // The others may look the moment that the leaf is there: not at what the frame held before.
    KernelTable::order_contents();
    let change = |state: u64, work: &mut dyn FnMut(&mut KernelTable) -> PagingResult| {
        let done = kernel_space::with_table(work);
        done.unwrap_or(Err(PagingError::NotMapped { va: page }))?;
        STATE.store(state, Ordering::SeqCst);
        Ok(())
    };
    change(state + WRITABLE, &mut |table| {
        table
            .map(page, first, PageSize::Size4K, READ_WRITE)?
            .flush();
        Ok(())
    })?;
    change(state + MOVED, &mut |table| {
        table.remap(page, second, READ_WRITE)?.1.flush();
        Ok(())
    })?;
    change(state + READ_ONLY_NOW, &mut |table| {
        table.protect(page, READ_ONLY)?.1.flush();
        Ok(())
    })?;
    change(state + UNMAPPED, &mut |table| {
        let _: PhysAddr = table.unmap(page)?.flush();
        Ok(())
    })
}

/// Cores 1 to 3: look at the page until the end.
fn look(core: usize) {
    let Some(tally) = TALLIES.get(core) else {
        return;
    };
    // Where only this core writes.
    let own = VirtAddr::new(layout::SCRATCH.as_usize() + PAGE_SIZE / CORES * core);
    while jobs::may_go_on() {
        relax();
        let before = STATE.load(Ordering::SeqCst);
        // SAFETY: an abort is an answer; the page is nobody else's.
        let read = unsafe { nofault::read(layout::SCRATCH, AccessWidth::Double) };
        // SAFETY: as above; the words at `own` are this core's, and mean nothing.
        let written = unsafe { nofault::write(own, AccessWidth::Double, before) };
        let after = STATE.load(Ordering::SeqCst);
        tally.looks.fetch_add(1, Ordering::Relaxed);
        if before != after {
            continue;
        }
        tally.judged.fetch_add(1, Ordering::Relaxed);
        // The next call may be under way, but what was before the last must be gone.
        let states = [before, before + 1];
        let read_is_right = states.iter().any(|state| read.ok() == readable(*state));
        let write_is_right = states
            .iter()
            .any(|state| written.is_ok() == is_writable(*state));
        if !read_is_right || !write_is_right {
            tally.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The value that a load in `state` gives; `None` if it faults.
fn readable(state: u64) -> Option<u64> {
    (state % STATES != UNMAPPED).then_some(number(state))
}

const fn is_writable(state: u64) -> bool {
    matches!(state % STATES, WRITABLE | MOVED)
}

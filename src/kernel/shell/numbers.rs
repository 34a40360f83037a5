//! `numbers`: what the kernel's most frequent steps cost.
//!
//! Each step is done once to warm up, once alone between two calls of [`mark`], and then many times
//! by the clock; a map of 64 MiB once, by both. A trace of the instructions shows exactly what lies between two marks, and two
//! marks with nothing between show what the marks themselves add. On an emulator whose clock counts
//! instructions both ways give the same number; on the board the clock's is nanoseconds.
#![expect(unsafe_code, reason = "instructions that are counted")]

use alloc::sync::Arc;
use core::arch::asm;
use core::error::Error;
use core::fmt::{self, Write};
use core::hint::black_box;

use super::arguments::number_from;
use super::error::CommandError;
use super::progress::Progress;
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::nofault::{self, Aborted};
use crate::exception::syndrome::{ExceptionClass, Syndrome};
use crate::kernel::clock;
use crate::kernel::cores::idle;
use crate::kernel::cores::ipi;
use crate::kernel::user::access::{self, Touch, Touched, UserAccess, touch};
use crate::mm::current_space;
use crate::mm::frames::Order;
use crate::mm::kernel_frames;
use crate::mm::kernel_frames::KernelFrames;
use crate::mm::layout::{self, phys_to_virt};
use crate::mm::map_request::MapRequest;
use crate::mm::user_space::UserSpace;
use crate::paging::format::aarch64_refusal::Privilege;
use crate::paging::{MappingFlags, PagingError, PagingHandler};

/// Rounds if none are given, and at most.
const ROUNDS: u64 = 1000;
const ROUNDS_MAX: u64 = 1_000_000;
/// Rounds that are timed without a look at anything else.
const BATCH: u64 = 1000;

/// The first address of the map that is measured.
const MAPPED: VirtAddr = VirtAddr::new(0x1000_0000);
/// Frames that the allocator puts aside before one leaves, which is then merged.
const PUT_ASIDE: usize = 16;
/// A free block of the largest order is halved so often for a frame.
const HALVINGS: u64 = Order::COUNT as u64 - 1;
/// More small blocks than this are not worked through, in frames.
const DRAIN_MAX: usize = 1 << 14;

/// The paragraphs that `help numbers` shows below the usage.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "  ROUNDS is from 1 to {ROUNDS_MAX}; without: {ROUNDS}. Ctrl-C ends it."
    )
}

/// Does `$step` between marks. A macro: the call of a closure would be counted too.
macro_rules! marked {
    ($step:expr) => {{
        mark();
        mark();
        let result = $step;
        mark();
        result
    }};
}

/// `numbers [ROUNDS]`
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let rounds = match arguments {
        [] => ROUNDS,
        [word] => number_from(1, ROUNDS_MAX, word)?,
        _ => return Err(CommandError::wrong_count()),
    };
    // For the trace: a timer's interrupt.
    idle::sleep_ns(1000)?;
    let mut bench = Bench {
        rounds,
        measured: 0,
        progress: Progress::new("numbers", STEPS * rounds, "rounds"),
        out,
    };
    let alone = breakpoint() && marked!(breakpoint());
    let exception = bench.measure("exception", alone, breakpoint)?;
    let mut calls = 0;
    let alone = one_call(&mut calls) && marked!(one_call(&mut calls));
    let call = bench.measure("call", alone, || one_call(&mut calls))?;
    let alone = frame_pair() && marked!(frame_pair());
    let pair = bench.measure("frames", alone, frame_pair)?;
    let spaces = [access::new_space()?, access::new_space()?];
    let before = current_space::active();
    let mut turn = 0;
    // Each space gets its ASID when a core first enters it.
    let has_asids = switch(&spaces, &mut turn) && switch(&spaces, &mut turn);
    let alone = has_asids && marked!(switch(&spaces, &mut turn));
    let switched = bench.measure("space switch", alone, || switch(&spaces, &mut turn));
    let [space, _] = &spaces;
    current_space::activate(space);
    let touched = switched.and_then(|switched| {
        let alone = touched_from_el0(space) && marked!(touched_from_el0(space));
        let touched = bench.measure("EL0 touch", alone, || touched_from_el0(space))?;
        Ok((switched, touched))
    });
    current_space::enter(before.as_ref());
    let (switched, touched) = touched?;
    let mapped = map_pages(space)?;
    drop(spaces);
    let spare = Spare::drain()?;
    let worst = spare.measure(&mut bench, pair)?;
    drop(spare);
    let out = bench.out;
    for (name, ns) in [
        ("exception and back", exception),
        ("call of core 1", call),
        ("frame pair", pair),
        ("space switch", switched),
        ("EL0 and back", touched),
        ("map of 64 MiB", mapped),
        ("split and merge", worst),
    ] {
        writeln!(out, "{name:<20} {ns:>8} ns")?;
    }
    Ok(())
}

/// Where a trace begins or ends to count.
#[inline(never)]
fn mark() {
    // SAFETY: nothing, but it is not left out.
    unsafe { asm!("nop", options(nomem, nostack, preserves_flags)) };
}

/// Steps that are measured, each for all rounds.
const STEPS: u64 = 7;

/// A measurement in steps.
struct Bench<'a> {
    /// Of each step.
    rounds: u64,
    /// Of the steps before.
    measured: u64,
    progress: Progress,
    out: &'a mut dyn Write,
}

impl Bench<'_> {
    /// Nanoseconds that `step` takes, which says each time whether it did what it is for, as
    /// `alone` says of the times before.
    #[inline(always)]
    fn measure(
        &mut self,
        name: &'static str,
        alone: bool,
        mut step: impl FnMut() -> bool,
    ) -> Result<u64, CommandError> {
        let mut good = alone;
        let mut took_ns = 0;
        let mut done = 0;
        while good && done < self.rounds {
            let batch = BATCH.min(self.rounds - done);
            let start_ns = clock::now_ns();
            // The first that fails is the last: each may have waited for a core that is silent.
            good = (0..batch).all(|_| step());
            took_ns += clock::now_ns().saturating_sub(start_ns);
            done += batch;
            self.progress.at(self.measured + done, self.out)?;
        }
        self.measured += done;
        if !good {
            return Err(StepFailed { name }.into());
        }
        Ok(took_ns / self.rounds)
    }
}

/// Whether a breakpoint was taken and left again.
fn breakpoint() -> bool {
    match nofault::breakpoint() {
        Ok(_) => false,
        Err(Aborted { syndrome }) => Syndrome::new(syndrome).class() == ExceptionClass::Brk,
    }
}

/// Whether core 1 was called, and has done its part as often as it was called.
fn one_call(calls: &mut usize) -> bool {
    let answer = ipi::call_function(black_box(1), |calls| calls + 1, black_box(*calls));
    *calls += 1;
    black_box(answer) == Ok(*calls)
}

/// Whether this core came from one of two spaces to the other.
#[inline(always)]
fn switch(spaces: &[Arc<UserSpace>; 2], turn: &mut usize) -> bool {
    *turn ^= 1;
    current_space::activate(&spaces[*turn]);
    true
}

/// Whether EL0 loaded a byte of its stack in `space`, which this core is in already.
fn touched_from_el0(space: &Arc<UserSpace>) -> bool {
    let load = Touch {
        access: UserAccess::Load,
        va: black_box(layout::USER_STACK),
        value: 1,
        privilege: Privilege::El0,
    };
    matches!(touch(Some(space), load), Ok(Touched::Done(0)))
}

/// Nanoseconds that a map of 64 MiB in pages takes in `space`, once: its tables, barriers and list,
/// not the frames, which are there and cleared. The space keeps it.
fn map_pages(space: &UserSpace) -> Result<u64, CommandError> {
    let data = MappingFlags::READ | MappingFlags::WRITE;
    let request = MapRequest::pages(MAPPED, 64 << 20, data);
    let frames = space.frames_for(black_box(&request), &mut |_| true)?;
    let start_ns = clock::now_ns();
    let mapped = marked!(space.map_extents(frames, black_box(&request)));
    let took_ns = clock::now_ns().saturating_sub(start_ns);
    mapped?;
    Ok(took_ns)
}

/// Whether a frame was to be had.
#[inline(always)]
fn frame_pair() -> bool {
    let Some(frame) = KernelFrames::alloc_frame() else {
        return false;
    };
    KernelFrames::dealloc_frame(hidden(frame));
    true
}

/// `frame`, of which the compiler knows nothing any more, so that what is measured is not made for
/// the one that it knows. [`black_box`] does that by way of memory, which would be counted too: a
/// tenth of what giving a frame back takes.
#[inline(always)]
fn hidden(frame: PhysAddr) -> PhysAddr {
    let mut address = frame.as_usize();
    // SAFETY: there is no instruction; the address is said to have changed, and has not.
    unsafe {
        asm!(
            "/* {} */",
            inout(reg) address,
            options(nomem, nostack, preserves_flags),
        );
    }
    PhysAddr::new(address)
}

/// All frames of the allocator that are not in blocks of the largest order, until it is dropped.
struct Spare {
    /// Frames that are ready, the first `taken` of which were taken.
    ready: [PhysAddr; PUT_ASIDE],
    taken: usize,
    /// The first of the others; each but the last has the address of the next in its first word.
    first: Option<PhysAddr>,
}

impl Spare {
    fn drain() -> Result<Self, CommandError> {
        let mut spare = Self {
            ready: [PhysAddr::new(0); PUT_ASIDE],
            taken: 0,
            first: None,
        };
        for slot in &mut spare.ready {
            *slot = KernelFrames::alloc_frame().ok_or(PagingError::NoMemory)?;
            spare.taken += 1;
        }
        for _ in 0..DRAIN_MAX {
            if !has_small_blocks() {
                return Ok(spare);
            }
            let frame = KernelFrames::alloc_frame().ok_or(PagingError::NoMemory)?;
            spare.keep(frame);
        }
        Err(StepFailed { name: "drain" }.into())
    }

    fn keep(&mut self, frame: PhysAddr) {
        let next = self.first.map_or(0, PhysAddr::as_usize);
        // SAFETY: the frame is this function's; the linear map has all RAM.
        unsafe { word(frame).write_volatile(next) };
        self.first = Some(frame);
    }

    /// Nanoseconds of the worst allocation and the worst free together: of a round with them, less
    /// those of a round without and of the pair that is one more.
    #[inline(always)]
    fn measure(&self, bench: &mut Bench<'_>, pair_ns: u64) -> Result<u64, CommandError> {
        let before = halvings();
        let good = self.round::<false>() && self.round::<true>();
        let round_ns = bench.measure("frames", good, || self.round::<false>())?;
        if halvings() != before + (bench.rounds + 2) * HALVINGS {
            return Err(StepFailed { name: "frames" }.into());
        }
        let pairs_ns = bench.measure("frames", true, || self.others_out_and_back())?;
        Ok(round_ns.saturating_sub(pairs_ns + pair_ns))
    }

    /// Halves a block of the largest order down to a frame, and lets that frame be merged up again:
    /// it is the first to be put aside, and leaves for the last.
    #[inline(always)]
    fn round<const MARKED: bool>(&self) -> bool {
        let split = if MARKED {
            marked!(KernelFrames::alloc_frame())
        } else {
            KernelFrames::alloc_frame()
        };
        let Some(frame) = split else {
            return false;
        };
        KernelFrames::dealloc_frame(hidden(frame));
        let [first, others @ ..] = &self.ready;
        for frame in others {
            KernelFrames::dealloc_frame(hidden(*frame));
        }
        if MARKED {
            marked!(KernelFrames::dealloc_frame(hidden(*first)));
        } else {
            KernelFrames::dealloc_frame(hidden(*first));
        }
        let mut again = self.ready.iter().rev();
        again.all(|_| KernelFrames::alloc_frame().is_some())
    }

    /// The part of a round that is not measured: the frames but the first, which the allocator puts
    /// aside and gives out again.
    #[inline(always)]
    fn others_out_and_back(&self) -> bool {
        let [_, others @ ..] = &self.ready;
        for frame in others {
            KernelFrames::dealloc_frame(hidden(*frame));
        }
        let mut again = others.iter().rev();
        again.all(|_| KernelFrames::alloc_frame().is_some())
    }
}

impl Drop for Spare {
    /// Gives all back.
    fn drop(&mut self) {
        for frame in self.ready.into_iter().take(self.taken) {
            KernelFrames::dealloc_frame(frame);
        }
        while let Some(frame) = self.first {
            // SAFETY: `keep` has written it.
            let next = unsafe { word(frame).read_volatile() };
            self.first = (next != 0).then_some(PhysAddr::new(next));
            KernelFrames::dealloc_frame(frame);
        }
    }
}

/// The first word of a frame.
fn word(frame: PhysAddr) -> *mut usize {
    core::ptr::with_exposed_provenance_mut(phys_to_virt(frame).as_usize())
}

/// Whether there is a free block below the largest order.
fn has_small_blocks() -> bool {
    let Some(statistics) = kernel_frames::frame_statistics() else {
        return false;
    };
    let orders = statistics.orders.iter().take(Order::MAX.index());
    orders.map(|order| order.free).any(|free| free > 0)
}

/// How often blocks were halved so far.
fn halvings() -> u64 {
    kernel_frames::frame_statistics().map_or(0, |statistics| statistics.splits)
}

/// A step that was measured did not do what it is for.
#[derive(Debug)]
struct StepFailed {
    name: &'static str,
}

impl fmt::Display for StepFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not what it should do", self.name)
    }
}

impl Error for StepFailed {}

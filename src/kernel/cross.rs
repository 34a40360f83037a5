//! What cores ask of each other: calls with results, and to stand still.
//!
//! A core is asked by a bit in its mailbox, which interrupts it. Who waits for an answer serves what
//! the others ask of it meanwhile, so that two cores may ask each other.
//!
//! # Decisions
//! * A slot for each pair of caller and callee: no lock, and nobody's request is lost behind another's.
//! * A callee that does not answer within five seconds never will: the caller is told, and does not
//!   wait on. The slot stays taken until the answer comes after all.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::{interrupts, per_core, time};
use crate::arch::aarch64::relax::relax;
use crate::arch::aarch64::{cpu, masks};
use crate::board::interrupts::IrqNumber;
use crate::board::raspi3::CORES;

/// What is called on another core, in its interrupt, with interrupts masked.
pub(super) type Routine = fn(usize) -> usize;

/// Mailbox bits: a call from core n is bit n; these come after.
const STAND_STILL: u32 = 1 << CORES;
const STOP: u32 = 1 << (CORES + 1);
const WAKE: u32 = 1 << (CORES + 2);
const CALLS: u32 = (1 << CORES) - 1;

/// How long an answer may take.
const PATIENCE_NS: u64 = 5_000_000_000;

/// Why a call has no result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CallError {
    /// There is no such core, or it does not run.
    Offline { core: usize },
    /// This core's last call to that core is still under way.
    Busy { core: usize },
    /// It did not answer in time.
    NoAnswer { core: usize },
    /// It has a job already.
    Working { core: usize },
    /// It was asked to end its job, and goes on.
    Endless { core: usize },
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline { core } => write!(f, "core {core} does not run"),
            Self::Busy { core } => write!(f, "a call to core {core} is under way"),
            Self::NoAnswer { core } => write!(f, "core {core} does not answer"),
            Self::Working { core } => write!(f, "core {core} has a job already"),
            Self::Endless { core } => write!(f, "core {core} does not end its job"),
        }
    }
}

impl core::error::Error for CallError {}

const FREE: u32 = 0;
const ASKED: u32 = 1;
const RUNNING: u32 = 2;
const ANSWERED: u32 = 3;

/// A call from one core to another.
///
/// # Invariants
/// `call` is the caller's while `state` is FREE or ANSWERED, and the callee's while it is ASKED or
/// RUNNING.
#[repr(align(64))]
struct Slot {
    state: AtomicU32,
    call: UnsafeCell<Call>,
}

#[derive(Clone, Copy)]
struct Call {
    routine: Routine,
    argument: usize,
    result: usize,
}

// SAFETY: by the invariant one core at a time touches `call`, and `state` orders them.
unsafe impl Sync for Slot {}

impl Slot {
    const fn new() -> Self {
        Self {
            state: AtomicU32::new(FREE),
            call: UnsafeCell::new(Call {
                routine: |argument| argument,
                argument: 0,
                result: 0,
            }),
        }
    }
}

/// By callee, then by caller.
static SLOTS: [[Slot; CORES]; CORES] = [const { [const { Slot::new() }; CORES] }; CORES];

/// Calls `routine` with `argument` on core `core`, and returns what it returns. On this core itself
/// it is called at once.
///
/// # Errors
/// See [`CallError`].
pub(super) fn call(core: usize, routine: Routine, argument: usize) -> Result<usize, CallError> {
    let pending = begin_call(core, routine, argument)?;
    finish_call(pending)
}

/// A call that was asked for and not yet answered.
#[must_use]
pub(super) struct Pending {
    core: usize,
    /// Of a call to this core itself.
    result: Option<usize>,
}

/// Asks core `core` to call `routine` with `argument`, and does not wait.
///
/// # Errors
/// [`CallError::Offline`], [`CallError::Busy`].
pub(super) fn begin_call(
    core: usize,
    routine: Routine,
    argument: usize,
) -> Result<Pending, CallError> {
    let _masked = masks::mask();
    ask(cpu::number(), core, routine, argument)
}

fn ask(here: usize, core: usize, routine: Routine, argument: usize) -> Result<Pending, CallError> {
    if core == here {
        let result = Some(routine(argument));
        return Ok(Pending { core, result });
    }
    if core >= CORES || !per_core::of(core).is_online() {
        return Err(CallError::Offline { core });
    }
    let slot = &SLOTS[core][here];
    if slot.state.load(Ordering::Acquire) != FREE {
        return Err(CallError::Busy { core });
    }
    let call = Call {
        routine,
        argument,
        result: 0,
    };
    // SAFETY: the slot is free, so it is the caller's, and this is the only caller: interrupts are
    // masked on this core.
    unsafe { slot.call.get().write(call) };
    slot.state.store(ASKED, Ordering::Release);
    interrupts::send(core, 1 << here);
    let result = None;
    Ok(Pending { core, result })
}

/// Waits for the answer of a call.
///
/// # Errors
/// [`CallError::NoAnswer`].
pub(super) fn finish_call(pending: Pending) -> Result<usize, CallError> {
    let Pending { core, result } = pending;
    if let Some(result) = result {
        return Ok(result);
    }
    let slot = &SLOTS[core][cpu::number()];
    if !wait_until(|| slot.state.load(Ordering::Acquire) == ANSWERED) {
        return Err(CallError::NoAnswer { core });
    }
    // SAFETY: answered, so it is the caller's again.
    let call = unsafe { slot.call.get().read() };
    slot.state.store(FREE, Ordering::Release);
    Ok(call.result)
}

/// Serves what others ask until `done` says so. Returns whether it did in time.
fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let mut looks = 0_u32;
    let mut start_ns = None;
    while !done() {
        serve_waiting();
        relax();
        // The clock costs more than a look.
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(64) {
            let now_ns = time::raw_ns();
            let start_ns = *start_ns.get_or_insert(now_ns);
            if now_ns.saturating_sub(start_ns) > PATIENCE_NS {
                return done();
            }
        }
    }
    true
}

/// Serves what is asked of this core while its interrupts may be masked.
fn serve_waiting() {
    if cpu::interrupts_are_masked() {
        serve();
    }
}

/// The mailbox's interrupt.
pub(super) fn interrupt(_: IrqNumber) {
    serve();
}

fn serve() {
    let bits = interrupts::take();
    stop_if_asked(bits);
    if bits & CALLS != 0 {
        let here = cpu::number();
        for slot in &SLOTS[here] {
            answer(slot);
        }
    }
    if bits & STAND_STILL != 0 {
        stand_still();
    }
}

fn stop_if_asked(bits: u32) {
    if bits & STOP != 0 {
        cpu::mask_exceptions();
        per_core::this().set_stopped();
        cpu::stop();
    }
}

/// Wakes core `core`, so that it looks what there is to do.
pub(super) fn wake(core: usize) {
    interrupts::send(core, WAKE);
}

fn answer(slot: &Slot) {
    if slot.state.load(Ordering::Acquire) != ASKED {
        return;
    }
    // What it calls may serve in its turn, and must not begin this anew.
    slot.state.store(RUNNING, Ordering::Relaxed);
    let call = slot.call.get();
    // SAFETY: asked, so it is this core's, the callee's.
    let mut answered = unsafe { call.read() };
    answered.result = (answered.routine)(answered.argument);
    // SAFETY: as above; running, it still is.
    unsafe { call.write(answered) };
    slot.state.store(ANSWERED, Ordering::Release);
}

/// Who makes the others stand still, plus one; 0 if nobody does.
static CONDUCTOR: AtomicUsize = AtomicUsize::new(0);
/// Cores that stand still.
static STANDING: AtomicUsize = AtomicUsize::new(0);
/// Counts how often they were let go.
static RELEASES: AtomicUsize = AtomicUsize::new(0);

/// Makes every other core that runs stand still with its interrupts masked, in code and on stacks
/// that are pinned, until [`kernel_let_others_go`]. Called by the maintenance of the kernel's tables
/// (arch/aarch64/tlb.rs) with this core's interrupts masked.
///
/// # Panics
/// If a core does not come to a stand: the kernel map is about to be broken under it.
#[unsafe(no_mangle)]
extern "C" fn kernel_hold_others() {
    let here = cpu::number();
    let mine = || {
        let taken = CONDUCTOR.compare_exchange(0, here + 1, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    };
    assert!(
        wait_until(mine),
        "core {} does not let the others go",
        CONDUCTOR.load(Ordering::Relaxed).wrapping_sub(1)
    );
    let others = || (0..CORES).filter(|core| *core != here && per_core::of(*core).is_online());
    let count = others().count();
    for core in others() {
        interrupts::send(core, STAND_STILL);
    }
    let standing = || STANDING.load(Ordering::Acquire);
    assert!(
        wait_until(|| standing() == count),
        "{} of {count} cores do not stand still",
        count - standing()
    );
}

/// Lets them go on; each of them synchronises its context first.
#[unsafe(no_mangle)]
extern "C" fn kernel_let_others_go() {
    RELEASES.fetch_add(1, Ordering::Release);
    let none_stands = || STANDING.load(Ordering::Acquire) == 0;
    assert!(wait_until(none_stands), "a core stands on");
    CONDUCTOR.store(0, Ordering::Release);
}

/// Called by who waits for a lock or for the console, interrupts masked: stands still if that is
/// asked, and leaves calls for later. What holds the lock may be waiting for just this core to stand.
#[unsafe(no_mangle)]
pub(super) extern "C" fn kernel_serve_in_lock() {
    if CONDUCTOR.load(Ordering::Relaxed) == 0 {
        return;
    }
    let bits = interrupts::take();
    stop_if_asked(bits);
    if bits & STAND_STILL != 0 {
        stand_still();
    }
    if bits & CALLS != 0 {
        interrupts::send(cpu::number(), bits & CALLS);
    }
}

/// Waits to be let go.
fn stand_still() {
    let releases = RELEASES.load(Ordering::Acquire);
    STANDING.fetch_add(1, Ordering::AcqRel);
    while RELEASES.load(Ordering::Acquire) == releases {
        relax();
    }
    cpu::synchronise();
    STANDING.fetch_sub(1, Ordering::AcqRel);
}

/// Stops every other core for good: for the end of the machine.
pub(super) fn stop_others() {
    let here = cpu::number();
    for core in (0..CORES).filter(|core| *core != here) {
        if per_core::of(core).is_online() {
            interrupts::send(core, STOP);
        }
    }
}

//! Inter-processor interrupts (IPI), and function calls by them: one core has another call a
//! function, and takes its result, as by Linux's `smp_call_function_single`.
//!
//! Core 0 has core 2 call `f(5)`:
//!
//! ```text
//!  core 0: call_function(2, f, 5)             core 2
//!  CALLS[2][0].call = { f, 5, _ }             runs anything
//!  CALLS[2][0].state: FREE -> PENDING
//!  dsb; mailbox 0 of core 2 |= 1      ----->  IRQ: interrupt()
//!  waits with its interrupts let in           empties its mailbox; dsb
//!                                             CALLS[2][0].state: PENDING -> RUNNING
//!                                             call.result = f(5)
//!  takes the result; DONE -> FREE     <-----  RUNNING -> DONE
//! ```
//!
//! 1. The caller writes function and argument into its slot of the callee, marks it pending and
//!    writes to the callee's mailbox. The DSB in front makes the slot visible before the interrupt.
//! 2. The callee's handler empties the mailbox first and looks at its slots behind that: a call
//!    that is posted meanwhile interrupts it once more, and none is lost.
//! 3. The caller waits with its interrupts let in. So two cores may call each other at the same
//!    time: each serves the other's call while it waits for its own.
//!
//! # What a function may do
//! It runs in the callee's interrupt, with interrupts masked and no lock held. It may take locks
//! and print. It must not wait for anything that another core does in an interrupt: no calls, no
//! jobs, no sleep. It returns with its locks released. All of that is asserted, the expensive part
//! in debug builds.
//!
//! # Decisions
//! * A slot for each pair of caller and callee: no lock, and no queue in which one caller's call is
//!   behind another's.
//! * A [`PendingCall`] that is dropped releases its slot, and so does a caller whose time is up:
//!   a call that the callee has not begun is withdrawn, and one that it has begun frees the slot
//!   when it ends ([`CallState`]).
//! * A core that holds a lock or serves an interrupt must not call: it would wait for a core that
//!   may be waiting for it, masked as well. To serve calls in that wait would run a function below
//!   that lock.
#![expect(
    unsafe_code,
    reason = "a call's argument lives on another core's stack"
)]

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::AtomicUsize;

use super::per_core;
use crate::arch::held::{assert_may_wait, held_count};
use crate::arch::{cpu, masks};
use crate::board::irq_numbers::IrqNumber;
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::irq;
use crate::kernel::protocol::CallState;
use crate::kernel::time::wait::{self, numbers, poll_requests};
use crate::kernel::time::{silence, timeouts};

/// A function that another core calls; the file's head says what it may do.
pub(crate) type CallFunction = fn(usize) -> usize;

/// Why a call has no result.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum CallError {
    /// There is no such core, or it is not online.
    Offline { core: usize },
    /// An earlier call of this core has not ended there.
    Busy { core: usize },
    /// The call did not complete in time.
    NoAnswer { core: usize },
}

/// As [`Display`](fmt::Display) has it: less of the image than a derive takes.
impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline { core } => write!(f, "core {core} does not run"),
            Self::Busy { core } => write!(f, "a call to core {core} is under way"),
            Self::NoAnswer { core } => write!(f, "core {core} does not answer a call"),
        }
    }
}

impl core::error::Error for CallError {}

/// The calls of one core to one other.
///
/// # Invariants
/// `call` is the caller's or the callee's as `state` says.
#[repr(align(64))]
struct CallSlot {
    state: CallState<AtomicUsize>,
    call: UnsafeCell<Call>,
}

#[derive(Clone, Copy)]
struct Call {
    function: CallFunction,
    argument: usize,
    result: usize,
}

// SAFETY: by the invariant one core at a time touches `call`, and `state` orders them.
unsafe impl Sync for CallSlot {}

impl CallSlot {
    const fn new() -> Self {
        Self {
            state: CallState::new(AtomicUsize::new(0)),
            call: UnsafeCell::new(Call {
                function: |argument| argument,
                argument: 0,
                result: 0,
            }),
        }
    }
}

/// `CALLS[callee][caller]`.
static CALLS: [[CallSlot; CORES]; CORES] = [const { [const { CallSlot::new() }; CORES] }; CORES];

/// Has core `core` call `function` with `argument`, and returns the result. This core itself calls
/// it at once.
///
/// # Errors
/// See [`CallError`].
pub(crate) fn call_function(
    core: usize,
    function: CallFunction,
    argument: usize,
) -> Result<usize, CallError> {
    call_function_async(core, function, argument)?.finish()
}

/// A call whose result was not taken yet. Dropped, it is withdrawn or cancelled.
#[must_use]
pub(crate) struct PendingCall {
    core: usize,
    posted_ns: u64,
    progress: CallProgress,
}

enum CallProgress {
    Posted(&'static CallSlot),
    /// This core called the function itself.
    Done(usize),
}

/// Has core `core` call `function` with `argument`, and does not wait for it.
///
/// # Errors
/// [`CallError::Offline`], [`CallError::Busy`].
///
/// # Panics
/// If interrupts are masked: a core that masks them must not wait for another.
pub(crate) fn call_function_async(
    core: usize,
    function: CallFunction,
    argument: usize,
) -> Result<PendingCall, CallError> {
    assert!(
        !cpu::interrupts_are_masked(),
        "core {core} is called with interrupts masked"
    );
    assert_may_wait("an answer");
    let _masked = masks::mask();
    post(cpu::number(), core, function, argument)
}

fn post(
    here: usize,
    core: usize,
    function: CallFunction,
    argument: usize,
) -> Result<PendingCall, CallError> {
    if core == here {
        return Ok(PendingCall {
            core,
            posted_ns: 0,
            progress: CallProgress::Done(function(argument)),
        });
    }
    if core >= CORES || !per_core::of(core).is_online() {
        return Err(CallError::Offline { core });
    }
    let slot = &CALLS[core][here];
    if !slot.state.is_free() {
        return Err(CallError::Busy { core });
    }
    let call = Call {
        function,
        argument,
        result: 0,
    };
    // SAFETY: the slot is free, so it is the caller's, and this is the only caller: interrupts are
    // masked on this core.
    unsafe { slot.call.get().write(call) };
    slot.state.post();
    send(1 << core);
    Ok(PendingCall {
        core,
        posted_ns: clock::now_ns(),
        progress: CallProgress::Posted(slot),
    })
}

impl PendingCall {
    /// How long [`PendingCall::finish`] waits at most, in nanoseconds: 4 s, or half a second for a
    /// core that is known to be silent. Longer while a core reports.
    pub(crate) fn timeout_ns(&self) -> u64 {
        match silence::lasts_ns(self.core) {
            None => timeouts::ANSWER_NS,
            Some(_) => timeouts::SILENT_NS,
        }
    }

    /// Whether the result is there: then [`PendingCall::finish_now`] takes it without a wait.
    pub(crate) fn is_complete(&self) -> bool {
        match self.progress {
            CallProgress::Done(_) => true,
            CallProgress::Posted(slot) => slot.state.is_complete(),
        }
    }

    /// Takes the result, if it is there.
    ///
    /// # Errors
    /// [`CallError::NoAnswer`]: the call is withdrawn or cancelled.
    pub(crate) fn finish_now(self) -> Result<usize, CallError> {
        self.finish_within(0)
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// [`CallError::NoAnswer`]: the call is withdrawn or cancelled.
    pub(crate) fn finish(self) -> Result<usize, CallError> {
        self.finish_within(timeouts::ANSWER_NS)
    }

    fn finish_within(self, timeout_ns: u64) -> Result<usize, CallError> {
        let core = self.core;
        let slot = match self.progress {
            CallProgress::Done(result) => return Ok(result),
            CallProgress::Posted(slot) => slot,
        };
        let timeout_ns = match silence::lasts_ns(core) {
            None => timeout_ns,
            Some(_) => timeout_ns.min(timeouts::SILENT_NS),
        };
        if !wait::until(timeout_ns, || slot.state.is_complete()) {
            silence::note(core, self.posted_ns);
            // The call may complete between the last look and the note: the callee's handler ended
            // the silence before the note began it, and would never end it again.
            if !slot.state.is_complete() {
                return Err(CallError::NoAnswer { core });
            }
            silence::end(core);
        }
        // SAFETY: complete, so it is the caller's again.
        let call = unsafe { slot.call.get().read() };
        Ok(call.result)
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        if let CallProgress::Posted(slot) = self.progress {
            slot.state.release();
        }
    }
}

/// Calls every other core: [`silence`] knows the cores that did not answer.
pub(crate) fn ping_others() {
    let calls: [Option<PendingCall>; CORES] = core::array::from_fn(|core| {
        let is_there = core != cpu::number() && per_core::of(core).is_online();
        if is_there {
            call_function_async(core, |argument| argument, 0).ok()
        } else {
            None
        }
    });
    for call in calls.into_iter().flatten() {
        // The wait notes a silent core; the result has no meaning.
        let _ = call.finish_within(timeouts::SIGN_NS);
    }
}

/// The handler of the IPI, which is the interrupt of this core's mailbox.
pub(crate) fn interrupt(_: IrqNumber, _: usize) {
    // First, so that a call that is posted behind the look at its slot interrupts once more.
    irq::take();
    silence::end_here();
    poll_requests();
    for slot in &CALLS[cpu::number()] {
        if slot.state.begin() {
            execute(slot);
            // The function may have run for long.
            poll_requests();
        }
    }
}

fn execute(slot: &CallSlot) {
    let call = slot.call.get();
    // SAFETY: begun, so it is this core's, the callee's, until it is complete.
    let mut executed = unsafe { call.read() };
    let held = held_count();
    executed.result = (executed.function)(executed.argument);
    assert!(
        held_count() == held && cpu::interrupts_are_masked(),
        "a call left a lock held, or interrupts let in"
    );
    // SAFETY: as above.
    unsafe { call.write(executed) };
    slot.state.complete();
}

/// Sends an IPI to each core of the set `cores`, a bit each.
pub(crate) fn send(cores: usize) {
    for core in numbers(cores) {
        irq::send(core, 1);
    }
}

/// Wakes core `core`, which looks for a job then.
pub(crate) fn wake(core: usize) {
    send(1 << core);
}

//! Calls: one core lets another do something, and takes the result.
//!
//! 1. The caller writes routine and argument into its slot of the callee, and interrupts it.
//! 2. The callee's interrupt does what is asked in its slots, and writes the results.
//! 3. The caller waits with its interrupts let in: so two cores may call each other at the same
//!    time.
//!
//! # What a routine may do
//! It runs in the callee's interrupt, with interrupts masked and no lock held. It may take locks
//! and print. It must not wait for what another core does in an interrupt: no calls, no jobs, no
//! sleep. It returns with its locks released. All of that is asserted, what costs time in debug
//! builds.
//!
//! # Decisions
//! * A slot for each pair of caller and callee: no lock, and nobody's request is lost behind
//!   another's.
//! * A [`Pending`] that is dropped abandons its call, and so does who loses patience: what the
//!   callee has not begun it will not do, and what it has begun frees the slot when it ends
//!   ([`Slot`](crate::kernel::protocol::Slot)).
//! * Who holds a lock or serves an interrupt must not call: it would wait for a core that may be
//!   waiting for it, masked as well. To serve calls in that wait would run a routine below that
//!   lock.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::AtomicUsize;

use super::per_core;
use crate::arch::held::{assert_may_wait, held_count};
use crate::arch::{cpu, masks};
use crate::board::interrupts::IrqNumber;
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::irq;
use crate::kernel::protocol::Slot;
use crate::kernel::time::wait::{self, hear, numbers};
use crate::kernel::time::{patience, silence};

/// What is called on another core; see above what it may do.
pub(crate) type Routine = fn(usize) -> usize;

/// Why a core does not do what it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CallError {
    /// There is no such core, or it does not run.
    Offline { core: usize },
    /// This core's last call to that core is still being done.
    Busy { core: usize },
    /// It did not answer a call in time.
    NoAnswer { core: usize },
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

/// A call from one core to another.
///
/// # Invariants
/// `call` is the caller's or the callee's as `state` says.
#[repr(align(64))]
struct CallSlot {
    state: Slot<AtomicUsize>,
    call: UnsafeCell<Call>,
}

#[derive(Clone, Copy)]
struct Call {
    routine: Routine,
    argument: usize,
    result: usize,
}

// SAFETY: by the invariant one core at a time touches `call`, and `state` orders them.
unsafe impl Sync for CallSlot {}

impl CallSlot {
    const fn new() -> Self {
        Self {
            state: Slot::new(AtomicUsize::new(0)),
            call: UnsafeCell::new(Call {
                routine: |argument| argument,
                argument: 0,
                result: 0,
            }),
        }
    }
}

/// By callee, then by caller.
static SLOTS: [[CallSlot; CORES]; CORES] = [const { [const { CallSlot::new() }; CORES] }; CORES];

/// Calls `routine` with `argument` on core `core`, and returns what it returns. On this core itself
/// it is called at once.
///
/// # Errors
/// See [`CallError`].
pub(crate) fn call(core: usize, routine: Routine, argument: usize) -> Result<usize, CallError> {
    begin_call(core, routine, argument)?.finish()
}

/// A call that was asked for. Dropped, it is abandoned.
#[must_use]
pub(crate) struct Pending {
    core: usize,
    asked_ns: u64,
    /// The slot, or the result of a call to this core itself.
    state: PendingState,
}

enum PendingState {
    Asked(&'static CallSlot),
    Done(usize),
}

/// Asks core `core` to call `routine` with `argument`, and does not wait.
///
/// # Errors
/// [`CallError::Offline`], [`CallError::Busy`].
///
/// # Panics
/// If interrupts are masked: whoever masks them must not wait for another core.
pub(crate) fn begin_call(
    core: usize,
    routine: Routine,
    argument: usize,
) -> Result<Pending, CallError> {
    assert!(
        !cpu::interrupts_are_masked(),
        "core {core} is called with interrupts masked"
    );
    assert_may_wait("an answer");
    let _masked = masks::mask();
    ask(cpu::number(), core, routine, argument)
}

fn ask(here: usize, core: usize, routine: Routine, argument: usize) -> Result<Pending, CallError> {
    if core == here {
        let state = PendingState::Done(routine(argument));
        let asked_ns = 0;
        return Ok(Pending {
            core,
            asked_ns,
            state,
        });
    }
    if core >= CORES || !per_core::of(core).is_online() {
        return Err(CallError::Offline { core });
    }
    let slot = &SLOTS[core][here];
    if !slot.state.is_free() {
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
    slot.state.ask();
    ring(1 << core);
    Ok(Pending {
        core,
        asked_ns: clock::now_ns(),
        state: PendingState::Asked(slot),
    })
}

impl Pending {
    /// How long its answer is waited for.
    pub(crate) fn patience_ns(&self) -> u64 {
        match silence::lasts_ns(self.core) {
            None => patience::ANSWER_NS,
            Some(_) => patience::SILENT_NS,
        }
    }

    /// Whether [`Pending::finish`] would return at once.
    pub(crate) fn is_answered(&self) -> bool {
        match self.state {
            PendingState::Done(_) => true,
            PendingState::Asked(slot) => slot.state.is_answered(),
        }
    }

    /// Takes the answer, if it is there.
    ///
    /// # Errors
    /// [`CallError::NoAnswer`]: the call is abandoned.
    pub(crate) fn finish_now(self) -> Result<usize, CallError> {
        self.finish_within(0)
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// [`CallError::NoAnswer`]: the call is abandoned.
    pub(crate) fn finish(self) -> Result<usize, CallError> {
        self.finish_within(patience::ANSWER_NS)
    }

    fn finish_within(self, patience_ns: u64) -> Result<usize, CallError> {
        let core = self.core;
        let slot = match self.state {
            PendingState::Done(result) => return Ok(result),
            PendingState::Asked(slot) => slot,
        };
        let patience_ns = match silence::lasts_ns(core) {
            None => patience_ns,
            Some(_) => patience_ns.min(patience::SILENT_NS),
        };
        if !wait::until(patience_ns, || slot.state.is_answered()) {
            silence::note(core, self.asked_ns);
            // It may have answered between the look and the note, which nobody would take back.
            if !slot.state.is_answered() {
                return Err(CallError::NoAnswer { core });
            }
            silence::end(core);
        }
        // SAFETY: answered, so it is the caller's again.
        let call = unsafe { slot.call.get().read() };
        Ok(call.result)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let PendingState::Asked(slot) = self.state {
            slot.state.abandon();
        }
    }
}

/// Asks every other core for a sign of life; who gives none is known to be silent afterwards.
pub(crate) fn ask_for_signs() {
    let calls: [Option<Pending>; CORES] = core::array::from_fn(|core| {
        let is_there = core != cpu::number() && per_core::of(core).is_online();
        match is_there {
            true => begin_call(core, |argument| argument, 0).ok(),
            false => None,
        }
    });
    for call in calls.into_iter().flatten() {
        // What matters is noted.
        let _ = call.finish_within(patience::SIGN_NS);
    }
}

/// The mailbox's interrupt: this core was asked something.
pub(crate) fn interrupt(_: IrqNumber, _: usize) {
    irq::take();
    silence::end_here();
    hear();
    for slot in &SLOTS[cpu::number()] {
        if slot.state.begin() {
            answer(slot);
            // It may have taken its time.
            hear();
        }
    }
}

fn answer(slot: &CallSlot) {
    let call = slot.call.get();
    // SAFETY: begun, so it is this core's, the callee's, until it is answered.
    let mut answered = unsafe { call.read() };
    let held = held_count();
    answered.result = (answered.routine)(answered.argument);
    assert!(
        held_count() == held && cpu::interrupts_are_masked(),
        "a call left a lock held, or interrupts let in"
    );
    // SAFETY: as above.
    unsafe { call.write(answered) };
    slot.state.answer();
}

/// Interrupts each of `cores`, so that it looks what was asked.
pub(crate) fn ring(cores: usize) {
    for core in numbers(cores) {
        irq::send(core, 1);
    }
}

/// Wakes core `core`, so that it looks what there is to do.
pub(crate) fn wake(core: usize) {
    ring(1 << core);
}

//! Deadlines: what is to be done on a core when so much time has passed.
//!
//! Each core has its own timers, which interrupt it when something is due and at no other time. A
//! deadline costs a few steps in a heap ([`timers`](super::timers)); nothing ticks.
//!
//! Core 0, whose counter runs at 19.2 MHz and was at 1,000,000 at `_start`:
//!
//! 1. At 2.0 s `arm(500_000_000, None, f, 7)`: due at 2.5 s, 48,000,000 ticks from `_start`. It is
//!    the first of the heap, so CNTV_CVAL_EL0 becomes 49,000,000 (`program`).
//! 2. At 2.1 s `arm(100_000_000, Some(100_000_000), g, 0)`: due at 2.2 s, and first now:
//!    CNTV_CVAL_EL0 becomes 43,240,000.
//! 3. The counter gets there, and the core takes [`interrupt`]: `g` is taken from the heap, which
//!    puts it back for 2.3 s, and is called with the lock released, so that it may arm and cancel.
//!    Nothing else is due: CNTV_CVAL_EL0 becomes 45,160,000. An interrupt that is early, as where
//!    the counter comes round, finds nothing due and ends in this way.
//! 4. Interrupts are masked from then until 2.56 s. `g` of 2.3 s is due first. It is called once:
//!    2.4 s and 2.5 s have passed as well, which [`missed`] counts, and its next is 2.6 s.
//! 5. The time is read again, and `f(7)` is called, some 60 ms late; it is not armed any more. `g`
//!    is left: CNTV_CVAL_EL0 becomes 50,920,000.
#![expect(unsafe_code, reason = "a place that the linker is told")]

use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering};

use super::second_timer;
use super::timers::{TimerError, TimerId, Timers};
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::arch::{cpu, timer};
use crate::board::irq_numbers::IrqNumber;
use crate::board::raspi3;
use crate::kernel::clock::{self, now_ns};

/// Timers that a core can have armed.
const CAPACITY: usize = 32;

/// The function that is called when a timer is due, in the interrupt, with the argument it was
/// armed with.
pub(crate) type TimerFunction = fn(usize);

#[derive(Clone, Copy, Debug)]
struct TimerAction {
    function: TimerFunction,
    argument: usize,
}

/// The timers of a core.
#[derive(Debug)]
struct CoreTimers(Timers<TimerAction, CAPACITY>);

/// Each core's timers.
// SAFETY: cleared by `kernel_main`; an empty value is all zero, and nobody uses it before.
#[unsafe(link_section = ".late.timers")]
static TIMERS: [Lock<CoreTimers, lock_classes::Timers>; raspi3::CORES] =
    [const { Lock::new(CoreTimers(Timers::new())) }; raspi3::CORES];

/// The timers of core `core`.
fn timers_of(core: usize) -> &'static Lock<CoreTimers, lock_classes::Timers> {
    &TIMERS[core % raspi3::CORES]
}

impl CoreTimers {
    /// Sets the hardware to the next deadline.
    fn program(&self) {
        match self.0.next_deadline() {
            Some(deadline_ns) => {
                let deadline = clock::ticks_in(deadline_ns);
                timer::interrupt_at(clock::origin(cpu::number()), deadline);
                second_timer::deadline_in(deadline.saturating_sub(clock::ticks()));
            }
            None => {
                timer::stop();
                second_timer::no_deadline();
            }
        }
    }
}

/// Calls `function` with `argument` on this core in `after_ns`, and every `period_ns` from then on
/// if there is one.
///
/// # Errors
/// [`TimerError::Full`].
pub(crate) fn arm(
    after_ns: u64,
    period_ns: Option<NonZeroU64>,
    function: TimerFunction,
    argument: usize,
) -> Result<TimerId, TimerError> {
    let deadline_ns = now_ns().saturating_add(after_ns);
    arm_at(deadline_ns, period_ns, function, argument)
}

/// Calls `function` with `argument` on this core at `deadline_ns`, and every `period_ns` from then
/// on if there is one.
///
/// # Errors
/// [`TimerError::Full`].
pub(crate) fn arm_at(
    deadline_ns: u64,
    period_ns: Option<NonZeroU64>,
    function: TimerFunction,
    argument: usize,
) -> Result<TimerId, TimerError> {
    let mut timers = timers_of(cpu::number()).lock();
    let id = timers
        .0
        .arm(deadline_ns, period_ns, TimerAction { function, argument })?;
    timers.program();
    Ok(id)
}

/// Takes a timer of this core back. Returns whether it was armed.
pub(crate) fn cancel(id: TimerId) -> bool {
    let mut timers = timers_of(cpu::number()).lock();
    let cancelled = timers.0.cancel(id).is_some();
    timers.program();
    cancelled
}

/// When a timer of this core is due next, in nanoseconds; `None` if it is not armed any more.
pub(crate) fn deadline_of(id: TimerId) -> Option<u64> {
    timers_of(cpu::number()).lock().0.deadline_of(id)
}

static MISSED: [AtomicU64; raspi3::CORES] = [const { AtomicU64::new(0) }; raspi3::CORES];

fn missed_by(core: usize) -> &'static AtomicU64 {
    &MISSED[core % raspi3::CORES]
}

/// Periods of core `core`'s timers that had passed before the one before them was served.
pub(crate) fn missed(core: usize) -> u64 {
    missed_by(core).load(Ordering::Relaxed)
}

/// Sets this core's timer again, if one is armed: what it was set to may have been lost, as where
/// the counter comes round. With interrupts masked, before a wait for one.
pub(crate) fn set_again() {
    let timers = timers_of(cpu::number()).lock();
    if timers.0.armed() > 0 {
        timers.program();
    }
}

/// How many timers core `core` has armed, of 32.
pub(crate) fn armed(core: usize) -> usize {
    timers_of(core).lock().0.armed()
}

/// The timer's interrupt: does what is due, by deadline, each with the lock released; then sets the
/// timer to the next deadline.
pub(crate) fn interrupt(_: IrqNumber, _: usize) {
    let timers = timers_of(cpu::number());
    loop {
        let now_ns = now_ns();
        let due = {
            let mut timers = timers.lock();
            let due = timers.0.expire(now_ns);
            if due.is_none() {
                timers.program();
            }
            due
        };
        let Some(due) = due else {
            return;
        };
        if due.missed > 0 {
            let missed = missed_by(cpu::number());
            missed.fetch_add(due.missed, Ordering::Relaxed);
        }
        (due.what.function)(due.what.argument);
    }
}

//! Time: nanoseconds that never go back, and what is to be done when they have passed.
//!
//! Each core has its own timers, which interrupt it when something is due and at no other time. A
//! deadline costs a few steps in a heap ([`timers`](super::timers)); nothing ticks.
//!
//! # Decisions
//! - All time is since `_start`: ticks of the counter since the boot record's, which is a number
//!   that means nothing alone ([`counter`](crate::arch::counter)).
//! - The offset of what a core reads (CNTVOFF_EL2) is a register of each core. A core that a loader
//!   dropped to EL1 and one that came from EL2, where the kernel cleared it, may read numbers that
//!   have nothing to do with each other. So each core has an origin of its own, which [`join`]
//!   moves if it must.

use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering};

use super::clock::{Jumps, Monotonic, Scale};
use super::record::boot_record;
use super::timers::{TimerError, TimerId, Timers};
use super::{per_core, second_timer, watchdog};
use crate::arch::aarch64::lock::Lock;
use crate::arch::aarch64::relax::{Once, relax};
use crate::arch::aarch64::{cpu, timer};
use crate::arch::counter::ticks_since as ticks_between;
use crate::board::interrupts::IrqNumber;
use crate::board::raspi3;
use crate::text::Timestamp;
use crate::{lock_class, log};

/// Timers that a core can have armed.
const CAPACITY: usize = 32;

/// What is called when a timer is due, in the interrupt, with the argument it was armed with.
pub(crate) type Routine = fn(usize);

#[derive(Clone, Copy, Debug)]
struct Action {
    routine: Routine,
    argument: usize,
}

/// The timers of a core.
#[derive(Debug)]
struct CoreTimers(Timers<Action, CAPACITY>);

lock_class!(TimersLock = "timers", 40);

/// Each core's timers.
// SAFETY: cleared by `kernel_main`; an empty value is all zero, and nobody uses it before.
#[unsafe(link_section = ".late.timers")]
static TIMERS: [Lock<CoreTimers, TimersLock>; raspi3::CORES] =
    [const { Lock::new(CoreTimers(Timers::new())) }; raspi3::CORES];

/// Those of core `core`.
fn timers_of(core: usize) -> &'static Lock<CoreTimers, TimersLock> {
    &TIMERS[core % raspi3::CORES]
}

impl CoreTimers {
    /// Sets the hardware to the next deadline.
    fn program(&self) {
        match self.0.next_deadline() {
            Some(deadline_ns) => {
                let deadline = scale().ticks_from_ns(deadline_ns);
                timer::interrupt_at(origin(cpu::number()), deadline);
                second_timer::deadline_in(deadline.saturating_sub(ticks()));
            }
            None => {
                timer::stop();
                second_timer::no_deadline();
            }
        }
    }
}

/// What a core's counter is ahead of core 0's.
static AHEAD: [AtomicU64; raspi3::CORES] = [const { AtomicU64::new(0) }; raspi3::CORES];

/// What the counter of core `core` was, or would have been, at `_start`.
fn origin(core: usize) -> u64 {
    let ahead = AHEAD[core % raspi3::CORES].load(Ordering::Relaxed);
    boot_record().counter.wrapping_add(ahead)
}

/// Ticks since `_start` by this core's counter.
#[inline]
fn ticks() -> u64 {
    timer::ticks_since(origin(cpu::number()))
}

/// A counter that differs by more than this was set to another number; less is a core that came late.
const JOIN_TOLERANCE_NS: u64 = 60_000_000_000;

/// Takes this core, which has just come, into the common time. Before its first look at the time.
pub(crate) fn join() {
    let here = cpu::number();
    let first = ahead_of(MONOTONIC.latest_ns());
    if first.min(first.wrapping_neg()) > ticks_in(JOIN_TOLERANCE_NS) {
        let ahead = first.wrapping_sub(lateness(first));
        AHEAD[here % raspi3::CORES].store(ahead, Ordering::Relaxed);
        log!(
            "time",
            "the counter of core {here} has another offset: set right"
        );
    }
}

/// What this core's counter stands ahead of core 0's, modulo 2^64, if `latest_ns` is the time just now;
/// more by as much as it is over.
fn ahead_of(latest_ns: u64) -> u64 {
    let began = timer::counter().wrapping_sub(ticks_in(latest_ns));
    began.wrapping_sub(boot_record().counter)
}

/// How many ticks a value of [`ahead_of`] is too large. Core 0 looks at the time again and again while
/// it waits for this core: of the times that this core sees appear, one is the youngest.
fn lateness(first: u64) -> u64 {
    const TIMES: usize = 64;
    const LOOKS: usize = 1 << 16;
    let mut seen_ns = MONOTONIC.latest_ns();
    let mut times = 0;
    let mut late = 0;
    for _ in 0..LOOKS {
        let latest_ns = MONOTONIC.latest_ns();
        if latest_ns != seen_ns {
            seen_ns = latest_ns;
            late = late.max(ticks_between(ahead_of(latest_ns), first));
            times += 1;
        }
        if times == TIMES {
            break;
        }
        relax();
    }
    late
}

static MONOTONIC: Monotonic<{ raspi3::CORES }> = Monotonic::new();
static SCALE: Once<Scale> = Once::new();

/// What the counter runs at, in Hz: the crystal's frequency if CNTFRQ_EL0 is not believable.
pub(crate) fn counter_hz() -> u32 {
    let hz = timer::frequency_hz();
    match Scale::new(hz) {
        Ok(_) => hz,
        Err(_) => raspi3::COUNTER_HZ,
    }
}

fn scale() -> Scale {
    *SCALE.call_once(|| match Scale::new(counter_hz()) {
        Ok(scale) => scale,
        Err(error) => unreachable!("the rate was seen to be good: {error}"),
    })
}

/// Nanoseconds since `_start`; never less than on any core before.
pub(crate) fn now_ns() -> u64 {
    let scale = scale();
    MONOTONIC.now_ns(cpu::number(), || scale.ns_from_ticks(ticks()))
}

/// Nanoseconds of the counter, which may jump back: for what counts in passing.
#[inline]
pub(crate) fn raw_ns() -> u64 {
    scale().ns_from_ticks(ticks())
}

/// How often the counter of core `core` was seen to go back.
pub(crate) fn jumps(core: usize) -> Jumps {
    MONOTONIC.jumps(core)
}

/// The ticks of the counter in `duration_ns`.
pub(crate) fn ticks_in(duration_ns: u64) -> u64 {
    scale().ticks_from_ns(duration_ns)
}

/// Microseconds since `_start`.
pub(crate) fn now_us() -> u64 {
    now_ns() / 1000
}

/// The time since `_start`, for the log.
pub(crate) fn since_start() -> Timestamp {
    Timestamp {
        ticks: ticks(),
        hz: counter_hz(),
    }
}

/// Returns after at least `duration_us` microseconds, without giving the core up.
pub(crate) fn delay_us(duration_us: u64) {
    let deadline_ns = now_ns().saturating_add(duration_us.saturating_mul(1000));
    while now_ns() < deadline_ns {
        relax();
    }
}

/// Returns after at least `duration_ns`; meanwhile the core is idle, or does what interrupts want.
///
/// # Errors
/// [`TimerError::Full`].
pub(crate) fn sleep_ns(duration_ns: u64) -> Result<(), TimerError> {
    sleep_unless(now_ns().saturating_add(duration_ns), || false)
}

/// Returns at `deadline_ns`, or at the first interrupt after which `done` is true; idle meanwhile, as [`sleep_ns`].
///
/// # Errors
/// [`TimerError::Full`].
pub(crate) fn sleep_unless(deadline_ns: u64, done: impl Fn() -> bool) -> Result<(), TimerError> {
    let wake = arm_at(deadline_ns, None, |_| {}, 0)?;
    while now_ns() < deadline_ns && !done() {
        watchdog::feed_if_armed();
        per_core::idle_unless(|| now_ns() >= deadline_ns || done());
    }
    cancel(wake);
    Ok(())
}

/// Calls `routine` with `argument` on this core in `after_ns`, and every `period_ns` from then on if
/// there is one.
///
/// # Errors
/// [`TimerError::Full`].
pub(crate) fn arm(
    after_ns: u64,
    period_ns: Option<NonZeroU64>,
    routine: Routine,
    argument: usize,
) -> Result<TimerId, TimerError> {
    let deadline_ns = now_ns().saturating_add(after_ns);
    arm_at(deadline_ns, period_ns, routine, argument)
}

fn arm_at(
    deadline_ns: u64,
    period_ns: Option<NonZeroU64>,
    routine: Routine,
    argument: usize,
) -> Result<TimerId, TimerError> {
    let mut timers = timers_of(cpu::number()).lock();
    let id = timers
        .0
        .arm(deadline_ns, period_ns, Action { routine, argument })?;
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

/// Sets this core's timer again, if one is armed: what it was set to may have been lost, as where the
/// counter comes round. With interrupts masked, before a wait for one.
pub(crate) fn set_again() {
    let timers = timers_of(cpu::number()).lock();
    if timers.0.armed() > 0 {
        timers.program();
    }
}

/// How many timers core `core` has armed.
pub(crate) fn armed(core: usize) -> usize {
    timers_of(core).lock().0.armed()
}

/// The timer's interrupt: does what is due.
pub(crate) fn interrupt(_: IrqNumber) {
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
        (due.what.routine)(due.what.argument);
    }
}

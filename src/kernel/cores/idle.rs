//! A core with nothing to do: it waits for an interrupt, and counts for how long.
//!
//! Only this: who waits for input or for a deadline in a loop decides itself what it does each time
//! that it wakes, such as feeding the watchdog.
#![forbid(unsafe_code)]

use super::idle_clock::{IdleClock, IdleShare};
use crate::arch::held::assert_may_wait;
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::arch::{cpu, masks};
use crate::board::raspi3::CORES;
use crate::kernel::clock::now_ns;
use crate::kernel::time::timers::TimerError;
use crate::kernel::time::{self, arm_at, cancel};

/// How long the idle share of the last while looks back.
const IDLE_WINDOW_NS: u64 = 1_000_000_000;

/// A core's clock, in cache lines of its own.
#[repr(align(64))]
struct CoreClock(Lock<IdleClock, lock_classes::IdleClock>);

static CLOCKS: [CoreClock; CORES] =
    [const { CoreClock(Lock::new(IdleClock::new(0, IDLE_WINDOW_NS))) }; CORES];

fn clock_of(core: usize) -> &'static Lock<IdleClock, lock_classes::IdleClock> {
    let CoreClock(clock) = &CLOCKS[core % CORES];
    clock
}

/// This core's shares count from now on.
pub(crate) fn begin() {
    *clock_of(cpu::number()).lock() = IdleClock::new(now_ns(), IDLE_WINDOW_NS);
}

/// Which part of its time core `core` does nothing.
pub(crate) fn share(core: usize) -> IdleShare {
    clock_of(core).lock().share(now_ns())
}

/// Waits for an interrupt, unless `done`; serves it before it returns.
pub(crate) fn idle_unless(done: impl FnOnce() -> bool) {
    // Masked, so that what makes it done cannot come between the look and the wait: a pending
    // interrupt ends the wait all the same.
    assert_may_wait("an interrupt");
    let _masked = masks::mask();
    if !done() {
        let clock = clock_of(cpu::number());
        clock.lock().enter(now_ns());
        time::set_again();
        cpu::wait_for_interrupt();
        clock.lock().leave(now_ns());
    }
}

/// Returns after at least `duration_ns`; meanwhile the core is idle, or does what interrupts ask
/// for.
///
/// # Errors
/// [`TimerError::Full`].
pub(crate) fn sleep_ns(duration_ns: u64) -> Result<(), TimerError> {
    sleep_unless(now_ns().saturating_add(duration_ns), || false)
}

/// Returns at `deadline_ns`, or at the first interrupt after which `done` is true; idle meanwhile,
/// as [`sleep_ns`].
///
/// # Errors
/// [`TimerError::Full`].
pub(crate) fn sleep_unless(deadline_ns: u64, done: impl Fn() -> bool) -> Result<(), TimerError> {
    let wake = arm_at(deadline_ns, None, |_| {}, 0)?;
    while now_ns() < deadline_ns && !done() {
        idle_unless(|| now_ns() >= deadline_ns || done());
    }
    cancel(wake);
    Ok(())
}

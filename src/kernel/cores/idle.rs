//! The idle loop's step: a core waits for an interrupt by WFI, and its clock counts for how long.
//!
//! The shell waits for a key:
//!
//! 1. Interrupts are masked, and the condition (a byte was received) is looked at.
//! 2. It is false: WFI. A pending interrupt ends it although it is masked (DDI 0487, WFI
//!    wake-up events), so one that comes between the look and the WFI is not lost.
//! 3. Interrupts are let in when the mask is dropped: the handler of the UART runs.
//! 4. The caller looks at its condition again, and decides what else it does each time it wakes,
//!    such as feeding the watchdog.
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

/// Length of the windows whose idle share `cpus` shows.
const IDLE_WINDOW_NS: u64 = 1_000_000_000;

/// A core's idle clock, in cache lines of its own.
#[repr(align(64))]
struct CoreClock(Lock<IdleClock, lock_classes::IdleClock>);

static CLOCKS: [CoreClock; CORES] =
    [const { CoreClock(Lock::new(IdleClock::new(0, IDLE_WINDOW_NS))) }; CORES];

fn clock_of(core: usize) -> &'static Lock<IdleClock, lock_classes::IdleClock> {
    let CoreClock(clock) = &CLOCKS[core % CORES];
    clock
}

/// Begins the count of this core's idle time.
pub(crate) fn begin() {
    *clock_of(cpu::number()).lock() = IdleClock::new(now_ns(), IDLE_WINDOW_NS);
}

/// The idle share of core `core`.
pub(crate) fn share(core: usize) -> IdleShare {
    clock_of(core).lock().share(now_ns())
}

/// Waits for an interrupt, unless `done`; serves it before it returns.
pub(crate) fn idle_unless(done: impl FnOnce() -> bool) {
    // Masked before the look: an interrupt that makes `done` true stays pending, and ends the WFI.
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

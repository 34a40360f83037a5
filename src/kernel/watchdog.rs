//! The watchdog of this machine: who arms it, and who keeps it from biting.
//!
//! Armed by the shell's command, fed by the core that runs the shell: when that core hangs, or
//! panics, or a fault ends it, the board resets after the time that was asked for.
//!
//! # Decisions
//! No lock: [`feed_if_armed`] is called where no lock may be waited for. The one word says whether the
//! watchdog is armed, and that one core is writing to its registers now. Who feeds while another
//! writes returns at once. So a core that feeds late can not arm what was disarmed meanwhile.
#![forbid(unsafe_code)]

use core::num::NonZeroU64;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::console::registers;
use super::time;
use crate::arch::aarch64::cpu;
use crate::arch::aarch64::relax::relax;
use crate::board::raspi3;
use crate::drivers::watchdog::{BadTime, Ticks, Watchdog};
use crate::log;

/// The time to the reset in ticks, or [`OFF`]; with [`WRITING`], somebody is at the registers.
static STATE: AtomicU32 = AtomicU32::new(OFF);
/// Not armed.
const OFF: u32 = 0;
/// How often an idle shell feeds: half of the shortest time to a reset.
const WAKE_NS: NonZeroU64 = NonZeroU64::new(500_000_000).unwrap();
/// More than any time.
const WRITING: u32 = 1 << 31;

/// What the watchdog is set to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Armed {
    /// The time from one feed to the reset.
    pub(super) period: Ticks,
    /// How much of it is left; `None` if the registers say that nothing will happen.
    pub(super) left: Option<Ticks>,
}

/// The registers; accesses to other devices came before.
pub(super) fn device() -> Watchdog {
    cpu::device_barrier();
    Watchdog::new(registers(raspi3::POWER_MANAGEMENT))
}

/// Resets the board after `seconds` without a feed. Not for interrupt handlers.
///
/// # Errors
/// [`BadTime`], with nothing changed.
pub(super) fn arm(seconds: u64) -> Result<(), BadTime> {
    let ticks = Ticks::from_seconds(seconds)?;
    claim();
    device().arm(ticks);
    cpu::device_barrier();
    STATE.store(ticks.count(), Ordering::Release);
    wake_the_shell();
    Ok(())
}

/// Makes the shell look up from its wait often enough, once and for all: a shell that hangs does
/// not look up.
fn wake_the_shell() {
    static WOKEN: AtomicBool = AtomicBool::new(false);
    if !WOKEN.swap(true, Ordering::Relaxed) {
        let armed = time::arm(WAKE_NS.get(), Some(WAKE_NS), |_| {}, 0);
        if let Err(error) = armed {
            log!("dog", "warning: the shell is not woken: {error}");
        }
    }
}

/// Never resets the board any more. Not for interrupt handlers.
pub(super) fn disarm() {
    claim();
    device().disarm();
    cpu::device_barrier();
    STATE.store(OFF, Ordering::Release);
}

/// What the watchdog is set to; `None` if it is off.
pub(super) fn state() -> Option<Armed> {
    match STATE.load(Ordering::Acquire) & !WRITING {
        OFF => None,
        ticks => Some(Armed {
            period: Ticks::saturating(ticks),
            left: device().remaining(),
        }),
    }
}

/// Begins the time anew if the watchdog is armed. Costs one load if it is not.
pub(crate) fn feed_if_armed() {
    let ticks = STATE.load(Ordering::Relaxed);
    if ticks == OFF || ticks & WRITING != 0 {
        return;
    }
    let claimed =
        STATE.compare_exchange(ticks, ticks | WRITING, Ordering::Acquire, Ordering::Relaxed);
    if claimed.is_ok() {
        device().arm(Ticks::saturating(ticks));
        cpu::device_barrier();
        STATE.store(ticks, Ordering::Release);
    }
}

/// Waits until nobody is at the registers, and keeps others away.
fn claim() {
    loop {
        let state = STATE.load(Ordering::Relaxed);
        let free = state & WRITING == 0;
        let claimed = free
            && STATE
                .compare_exchange_weak(state, state | WRITING, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if claimed {
            return;
        }
        relax();
    }
}

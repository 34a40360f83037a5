//! The watchdog of this machine: who arms it, and who feeds it in time.
//!
//! Armed by the shell's command, fed by the core that runs the shell: when that core hangs, or
//! panics, or a fault ends it, the board resets after the time that was asked for.
//!
//! # Decisions
//! [`feed_if_armed`] waits for nobody: who feeds while another writes to the registers returns at
//! once. Whether the watchdog is armed is looked at again with the lock held: so a core that feeds
//! late cannot arm what was disarmed meanwhile.
#![forbid(unsafe_code)]

use core::num::NonZeroU64;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::arch::cpu;
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::board::raspi3;
use crate::drivers::watchdog::{BadTime, Ticks, Watchdog};
use crate::kernel::devices::registers;
use crate::kernel::time;
use crate::warning;

/// The time to the reset in ticks, or [`OFF`]; written with [`REGISTERS`] held.
static STATE: AtomicU32 = AtomicU32::new(OFF);
/// The right to write to the registers.
static REGISTERS: Lock<(), lock_classes::Watchdog> = Lock::new(());
/// Not armed.
const OFF: u32 = 0;
/// How often an idle shell feeds: half of the shortest time to a reset.
const WAKE_NS: NonZeroU64 = NonZeroU64::new(500_000_000).unwrap();

/// The time-out that the watchdog is set to, in its ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Armed {
    /// The time from one feed to the reset.
    pub(crate) period: Ticks,
    /// How much of it is left; `None` if the registers say that nothing will happen.
    pub(crate) left: Option<Ticks>,
}

/// The registers; accesses to other devices came before.
pub(crate) fn device() -> Watchdog {
    cpu::device_barrier();
    Watchdog::new(registers(raspi3::POWER_MANAGEMENT))
}

/// Resets the board after `seconds` without a feed. Not for interrupt handlers.
///
/// # Errors
/// [`BadTime`], with nothing changed.
pub(crate) fn arm(seconds: u64) -> Result<(), BadTime> {
    let ticks = Ticks::from_seconds(seconds)?;
    {
        let _registers = REGISTERS.lock();
        device().arm(ticks);
        cpu::device_barrier();
        STATE.store(ticks.count(), Ordering::Relaxed);
    }
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
            warning!("dog", "the shell is not woken: {error}");
        }
    }
}

/// Never resets the board any more. Not for interrupt handlers.
pub(crate) fn disarm() {
    let _registers = REGISTERS.lock();
    device().disarm();
    cpu::device_barrier();
    STATE.store(OFF, Ordering::Relaxed);
}

/// The time-out of the watchdog; `None` if it is off.
pub(crate) fn state() -> Option<Armed> {
    match STATE.load(Ordering::Relaxed) {
        OFF => None,
        ticks => Some(Armed {
            period: Ticks::saturating(ticks),
            left: device().remaining(),
        }),
    }
}

/// Begins the time anew if the watchdog is armed. Costs one load if it is not.
pub(crate) fn feed_if_armed() {
    if STATE.load(Ordering::Relaxed) == OFF {
        return;
    }
    let Some(_registers) = REGISTERS.lock_if_free() else {
        return;
    };
    let ticks = STATE.load(Ordering::Relaxed);
    if ticks != OFF {
        device().arm(Ticks::saturating(ticks));
        cpu::device_barrier();
    }
}

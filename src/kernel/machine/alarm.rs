//! An alarm of the system timer: a driver with an interrupt, as small as one is.
//!
//! 1. [`Alarm::begin`] takes the interrupt of channel 1, sets the channel, and lets the interrupt
//!    in.
//! 2. The handler acknowledges the interrupt and notes the time.
//! 3. The waiting code reads [`Alarm::rang_ns`]; the interrupt has woken its core.
//! 4. However the alarm ends, by `?` or Ctrl-C too, its drop stops the channel's interrupt and
//!    gives it up: behind that no handler runs, and the next alarm may begin.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use crate::arch::{cpu, masks};
use crate::board::irq_numbers::IrqNumber;
use crate::board::raspi3;
use crate::drivers::system_timer::{Channel, SystemTimer};
use crate::kernel::clock;
use crate::kernel::devices::registers;
use crate::kernel::irq;
use crate::kernel::irq::owners::IrqError;
use crate::warning;

const OWNER: &str = "alarm";
const NUMBER: IrqNumber = IrqNumber::SYSTEM_TIMER_1;
const CHANNEL: Channel = Channel::One;
const TIMER: SystemTimer = SystemTimer::new(registers(raspi3::SYSTEM_TIMER));

/// When it rang, in nanoseconds; 0 if it has not. Written by the handler alone while there is an
/// alarm.
static RANG_NS: AtomicU64 = AtomicU64::new(0);

/// An alarm that was set. There is one at a time.
#[derive(Debug)]
#[must_use]
pub(crate) struct Alarm(());

impl Alarm {
    /// Sets it to `delay_us` from now, at least [`SystemTimer::LEAST_US`].
    ///
    /// # Errors
    /// [`IrqError::Taken`] if there is one already.
    pub(crate) fn begin(delay_us: u32) -> Result<Self, IrqError> {
        irq::register(OWNER, NUMBER, rings, 0)?;
        let alarm = Self(());
        RANG_NS.store(0, Ordering::Relaxed);
        {
            let _masked = masks::mask();
            cpu::device_barrier();
            TIMER.set_alarm(CHANNEL, delay_us);
            cpu::device_barrier();
        }
        irq::unmask(NUMBER);
        Ok(alarm)
    }

    /// When it rang, in nanoseconds since `_start`.
    pub(crate) fn rang_ns(&self) -> Option<u64> {
        match RANG_NS.load(Ordering::Acquire) {
            0 => None,
            rang_ns => Some(rang_ns),
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Err(error) = irq::unregister(OWNER, NUMBER) {
            warning!("alarm", "{error}");
        }
    }
}

/// The channel's interrupt. Barriers stand where another device's registers were used before or are
/// used behind (BCM2835 ARM Peripherals 1.3): those of the interrupt controllers.
fn rings(_: IrqNumber, _: usize) {
    cpu::device_barrier();
    TIMER.acknowledge(CHANNEL);
    cpu::device_barrier();
    RANG_NS.store(clock::now_ns().max(1), Ordering::Release);
}

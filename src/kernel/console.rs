//! The console: the PL011, to be written line by line under a lock or, in a report, without one.

use core::fmt::{self, Write};

use super::time::delay_us;
use crate::addr::PhysAddr;
use crate::arch::aarch64::cpu::device_barrier;
use crate::arch::aarch64::relax::{Mutex, relax};
use crate::board::raspi3;
use crate::drivers::gpio::Gpio;
use crate::drivers::mmio::Mmio;
use crate::drivers::pl011::{Divisor, Pl011};
use crate::mm::kernel_space::linear;

/// More than 150 cycles of any clock that the GPIO block runs at.
const PULL_SETUP_US: u64 = 10;

/// Registers at `base`, through the linear map.
pub(super) const fn registers<T>(base: PhysAddr) -> Mmio<T> {
    // SAFETY: `base` is a device's address from the board's manual, aligned for its registers;
    // the boot map and the final map have the device at `linear`.
    unsafe { Mmio::new(linear(base)) }
}

const UART: Pl011 = Pl011::new(registers(raspi3::UART0));

/// The lock of everything but reports.
static CONSOLE: Mutex<Raw> = Mutex::new(Raw);

/// The console without a lock: for reports from panics and exceptions.
pub struct Raw;

impl Write for Raw {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        device_barrier();
        for byte in text.bytes() {
            if byte == b'\n' {
                let _ = UART.write_blocking(b'\r');
            }
            let _ = UART.write_blocking(byte);
        }
        Ok(())
    }
}

/// Connects the pins and sets the speed.
pub fn init(divisor: Divisor) {
    Gpio::new(registers(raspi3::GPIO)).route_pl011(|| delay_us(PULL_SETUP_US));
    device_barrier();
    UART.init(divisor);
}

/// Prints under the lock.
pub fn print(text: fmt::Arguments<'_>) {
    let _ = CONSOLE.lock().write_fmt(text);
}

/// Waits for the next byte; a byte that arrived damaged is skipped.
///
/// Never inlined: the benchmark sees by it that the prompt is reached.
#[inline(never)]
pub fn read_byte() -> u8 {
    device_barrier();
    loop {
        match UART.try_read() {
            Some(Ok(byte)) => return byte,
            Some(Err(_)) => {}
            None => relax(),
        }
    }
}

/// Waits until everything printed has left.
pub fn flush() {
    UART.wait_idle();
}

/// Writes to the console under its lock.
pub struct Out;

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        CONSOLE.lock().write_str(text)
    }
}

//! Console and end: devices of QEMU's `virt`, reached through a window of their own.

use core::fmt;

use crate::program::{DEVICE_WINDOW, window};

/// The transmit register of the first UART, a 16550.
const UART: usize = 0x1fe0_01e0;
/// The sleep control register of the power management (ACPI's hardware-reduced "generic event
/// device").
const SLEEP_CONTROL: usize = 0x100e_001c;
/// Sleep type 5 (off), and the bit that enters it. There is no way to give an exit code.
const POWER_OFF: u8 = 5 << 2 | 1 << 5;

/// The console.
pub(crate) struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            store(UART, byte);
        }
        Ok(())
    }
}

/// Ends QEMU.
pub(crate) fn power_off() -> ! {
    store(SLEEP_CONTROL, POWER_OFF);
    loop {
        core::hint::spin_loop();
    }
}

/// Writes a device's register.
fn store(register: usize, value: u8) {
    let register = window(DEVICE_WINDOW, register) as *mut u8;
    // SAFETY: a register of a device that the program alone uses, in the uncached window.
    unsafe { register.write_volatile(value) };
}

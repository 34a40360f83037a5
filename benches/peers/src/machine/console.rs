//! The PL011 UART as QEMU leaves it: it sends what is written to it.

use core::fmt;
use core::ptr;

/// The PL011 of a BCM2837 (DDI 0183: UARTDR at 0, UARTFR at 0x18), in the identity map.
const DATA: usize = 0x3f20_1000;
const FLAGS: usize = DATA + 0x18;
/// UARTFR.TXFF: no room.
const FULL: u32 = 1 << 5;

/// Where lines go.
pub(crate) struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: the address is mapped as the device that it is.
            while unsafe { ptr::with_exposed_provenance::<u32>(FLAGS).read_volatile() } & FULL != 0
            {
            }
            // SAFETY: as above.
            unsafe { ptr::with_exposed_provenance_mut::<u32>(DATA).write_volatile(byte.into()) };
        }
        Ok(())
    }
}

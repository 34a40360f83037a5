//! Bytes for whoever reads the console: the prompt, and a command that takes bytes.
#![forbid(unsafe_code)]

use crate::kernel::console;
use crate::kernel::machine::watchdog;

/// Waits for the next byte. A shell that waits does not hang: the watchdog is fed.
///
/// Never inlined: the benchmark sees by it that the prompt is reached.
#[inline(never)]
pub(super) fn read_byte() -> u8 {
    loop {
        if let Some(byte) = console::try_read() {
            return byte;
        }
        watchdog::feed_if_armed();
        console::wait_for_input();
    }
}

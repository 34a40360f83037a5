//! The end of a run: codes that an emulator passes on.
#![forbid(unsafe_code)]

use crate::arch::semihosting;

/// Why the kernel stopped, as the exit code of an emulator that listens to semihosting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u64)]
pub enum ExitCode {
    /// A panic.
    Panic = 101,
    /// An exception that nothing was prepared for.
    Exception = 102,
    /// The audit of the live tables found a violation.
    Audit = 103,
    /// An exception before the kernel's vectors, or an image at the wrong address.
    EarlyException = 104,
    /// The reservations leave the kernel too little memory.
    NoRoom = 105,
}

/// Stops this core for good, exceptions masked; ends the emulator with `code` if it listens. Stops
/// no other core: the caller has told them to halt.
pub fn stop(code: ExitCode) -> ! {
    semihosting::exit(code as u64)
}

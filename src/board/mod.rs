//! Numbers from the board's manuals. Nothing here executes anything.
#![forbid(unsafe_code)]

pub mod interrupts;
pub mod raspi3;
pub mod revision;

//! Numbers from the board's manuals. Nothing here executes anything.
#![forbid(unsafe_code)]

pub mod irq_numbers;
pub mod raspi3;
pub mod revision;

//! What this kernel does: the order of boot, the console and its shell, what becomes of exceptions.

pub mod console;
mod exceptions;
pub mod exit;
mod init;
mod live_audit;
pub mod log;
mod machine;
mod panic;
mod per_core;
pub mod record;
mod report;
mod shell;
pub(crate) mod smp;
mod time;

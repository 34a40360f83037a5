//! What this kernel does: the order of boot, the console and its shell, what becomes of exceptions.

pub mod console;
mod exceptions;
pub mod exit;
mod init;
mod live_audit;
pub mod log;
mod machine;
mod panic;
pub mod record;
mod shell;
mod time;

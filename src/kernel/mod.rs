//! What this kernel does: the order of boot, interrupts, time, cores, the console and its shell, what
//! becomes of exceptions.
//!
//! Pure: the deadlines of a core ([`time`]), counter ticks as nanoseconds ([`clock`]), who has
//! which interrupt and which comes too often ([`irq`]), the idle share
//! ([`idle`]), how long one core waits for another ([`patience`]), how cores agree ([`protocol`]).
//! The rest needs the machine.

pub mod clock;
pub mod cores;
pub mod irq;
pub mod time;

#[cfg(target_os = "none")]
mod address_map;
#[cfg(target_os = "none")]
pub mod console;
#[cfg(target_os = "none")]
mod core_audit;
#[cfg(target_os = "none")]
mod ending;
#[cfg(target_os = "none")]
mod exceptions;
#[cfg(target_os = "none")]
pub mod exit;
#[cfg(target_os = "none")]
mod init;
#[cfg(target_os = "none")]
mod live_audit;
#[cfg(target_os = "none")]
pub mod log;
#[cfg(target_os = "none")]
mod look_again;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod panic;
#[cfg(target_os = "none")]
pub mod record;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod shell;
#[cfg(target_os = "none")]
mod watchdog;

#[cfg(test)]
mod random;

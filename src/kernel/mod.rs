//! The kernel's policy: the order of boot, interrupts, time, cores, the console and its shell,
//! what becomes of exceptions.
//!
//! Rooms, each of which imports only what stands before it:
//!
//! | room | what it knows |
//! |---|---|
//! | `record` `exit` `devices` | how the kernel was entered, and how it tells an emulator that it ends; where registers are |
//! | [`protocol`] | the words by which cores agree |
//! | [`clock`] | the time since `_start` |
//! | `log` | the lines of the boot log |
//! | [`time`] | what is to be done when time has passed, and how long one waits for another |
//! | [`irq`] | whom an interrupt is for, which is let in, which comes too often |
//! | [`cores`] | how cores come, call, hold and wait for each other |
//! | [`console`] | the PL011 as a terminal, and as a stream of bytes |
//! | `machine` | what this board is, its firmware, its watchdog |
//! | `report` | exceptions, panics, audits, and the one end of the machine |
//! | `user` | programs at EL0, run until they come back |
//! | `shell` | the prompt and its commands |
//! | `boot` | the order of everything |
//!
//! The pure files of the first rooms are compiled and tested on any host; the rest needs the
//! machine.

pub mod clock;
pub mod console;
pub mod cores;
pub mod irq;
pub mod log;
pub mod protocol;
pub mod time;

#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
mod devices;
#[cfg(target_os = "none")]
pub mod exit;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
pub mod record;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod shell;
#[cfg(target_os = "none")]
mod user;

#[cfg(test)]
mod random;

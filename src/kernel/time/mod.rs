//! Timers, waits and their timeouts.
//!
//! Pure: the heap of a core's deadlines ([`timers`]), every limit of a wait ([`timeouts`]). The
//! rest needs the machine.

pub mod timeouts;
pub mod timers;

#[cfg(target_os = "none")]
mod deadlines;
#[cfg(target_os = "none")]
pub(crate) mod rate_check;
#[cfg(target_os = "none")]
pub(crate) mod second_timer;
#[cfg(target_os = "none")]
pub(crate) mod silence;
#[cfg(target_os = "none")]
pub(crate) mod wait;

#[cfg(target_os = "none")]
pub(crate) use deadlines::{arm, arm_at, armed, cancel, deadline_of, interrupt, missed, set_again};

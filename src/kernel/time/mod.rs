//! What is to be done when time has passed.
//!
//! Pure: the heap of a core's deadlines ([`timers`]). The rest sets this machine's timers.

pub mod timers;

#[cfg(target_os = "none")]
mod deadlines;
#[cfg(target_os = "none")]
pub(crate) mod rate_check;
#[cfg(target_os = "none")]
pub(crate) mod second_timer;

#[cfg(target_os = "none")]
pub(crate) use deadlines::{arm, arm_at, armed, cancel, deadline_of, interrupt, missed, set_again};

//! The cores: how they come, what each has for itself, and how they ask each other for things.
//!
//! Pure: exceptions inside exceptions ([`nesting`]), the idle share ([`idle_clock`]). The rest
//! needs the machine.

pub mod idle_clock;
pub mod nesting;

#[cfg(target_os = "none")]
pub(crate) mod door;
#[cfg(target_os = "none")]
pub(crate) mod exclusive;
#[cfg(target_os = "none")]
pub(crate) mod idle;
#[cfg(target_os = "none")]
pub(crate) mod ipi;
#[cfg(target_os = "none")]
pub(crate) mod jobs;
#[cfg(target_os = "none")]
pub(crate) mod per_core;
#[cfg(target_os = "none")]
pub(crate) mod smp;
#[cfg(target_os = "none")]
pub(crate) mod stop_machine;

//! The cores: how they come online, the data of each, function calls by IPI, `stop_machine`, and
//! the jobs of cores 1 to 3.
//!
//! Pure: exceptions inside exceptions ([`nesting`]), the idle share ([`idle_clock`]). The rest
//! needs the machine.

pub mod idle_clock;
pub mod nesting;

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
pub(crate) mod secondary_boot;
#[cfg(target_os = "none")]
pub(crate) mod smp;
#[cfg(target_os = "none")]
pub(crate) mod stop_machine;

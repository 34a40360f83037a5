//! The CPU, in assembly and registers: instructions and system registers of AArch64 at EL1, on a
//! Cortex-A53 (Armv8.0-A).
//!
//! Pure: the classes of locks ([`lock_classes`]) and their order ([`lock_order`]), the depth of
//! masks ([`mask_depth`]), what a wait counts ([`waited`]), values that nobody waits for
//! ([`try_lock`]), what ticks mean ([`counter`]).

pub mod counter;
pub mod lock_classes;
pub mod lock_order;
pub mod mask_depth;
pub mod try_lock;
pub mod waited;

#[cfg(target_os = "none")]
pub mod cache;
#[cfg(target_os = "none")]
pub mod cpu;
#[cfg(target_os = "none")]
pub mod exception;
#[cfg(target_os = "none")]
pub mod held;
#[cfg(target_os = "none")]
pub mod lock;
#[cfg(target_os = "none")]
pub mod maintenance;
#[cfg(target_os = "none")]
pub mod masks;
#[cfg(target_os = "none")]
pub mod mmu;
#[cfg(target_os = "none")]
pub mod nofault;
#[cfg(target_os = "none")]
pub mod onfault;
#[cfg(target_os = "none")]
pub mod relax;
#[cfg(target_os = "none")]
pub mod semihosting;
#[cfg(target_os = "none")]
pub mod timer;
#[cfg(target_os = "none")]
pub mod tlb;
#[cfg(target_os = "none")]
pub mod user_mode;
#[cfg(target_os = "none")]
pub mod zero;

//! AArch64, EL1, on a Cortex-A53 (Armv8.0-A).

#[cfg(not(feature = "kernel"))]
mod alone;
pub mod attempt;
pub mod cache;
pub mod cpu;
pub mod exception;
pub mod linear_map;
pub mod lock;
pub mod masks;
pub mod mmu;
#[cfg(feature = "kernel")]
mod others;
pub mod probe;
pub mod relax;
pub mod semihosting;
pub mod timer;
pub mod tlb;
pub mod zero;

#[cfg(not(feature = "kernel"))]
use alone as cores;
#[cfg(feature = "kernel")]
use others as cores;

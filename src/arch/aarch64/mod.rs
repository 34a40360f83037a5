//! AArch64, EL1, on a Cortex-A53 (Armv8.0-A).

pub mod attempt;
pub mod cache;
pub mod cpu;
pub mod exception;
pub mod lock;
pub mod masks;
pub mod mmu;
pub mod probe;
pub mod relax;
pub mod semihosting;
pub mod timer;
pub mod tlb;
pub mod zero;

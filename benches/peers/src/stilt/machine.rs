//! On the machine: the kernel's own maintenance, which is instructions.
#![forbid(unsafe_code)]

pub use ::stilt::arch::aarch64::tlb::KernelTlb as Tlb;

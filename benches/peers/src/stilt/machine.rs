//! On the machine: the kernel's own maintenance, which is instructions.
#![forbid(unsafe_code)]

pub use stilt_paging::backend::aarch64::Tlb;

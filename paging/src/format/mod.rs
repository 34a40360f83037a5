//! Entry formats. All compile and are tested on every host; none is gated.

pub mod aarch64;
mod aarch64_bits;
pub mod aarch64_refusal;
pub mod aarch64_registers;
pub mod aarch64_tlb;
pub mod aarch64_verdict;
mod encoding;
pub mod fields;
pub mod loongarch;
pub mod par;
pub mod riscv;
pub mod x86_64;

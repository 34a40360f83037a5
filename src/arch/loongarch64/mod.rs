//! LoongArch, 64 bits: the maintenance of 4-level page tables.

pub mod tlb;

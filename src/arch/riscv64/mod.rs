//! RISC-V, 64 bits: the maintenance of page tables in formats Sv39 and Sv48.

pub mod tlb;

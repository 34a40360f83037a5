//! x86-64: the maintenance of 4-level page tables.

pub mod tlb;

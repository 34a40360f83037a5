//! The instructions that keep page tables and TLBs in step: one file an architecture, each with the
//! same names, so that portable code writes `backend::native`.
//!
//! | name | what it is |
//! |---|---|
//! | `Tlb<O>` | the [`Maintenance`](crate::Maintenance) of tables that this machine's cores walk |
//! | `Native<H, O>` | the table that holds the kernel: on AArch64 that of TTBR1_EL1, elsewhere the only one |
//! | `NativeUser<H, O>` | the table that holds a process: on AArch64 that of TTBR0_EL1, elsewhere `Native` |
//!
//! `O` says how the kernel reaches its other cores ([`OtherCores`], [`RemoteCores`]);
//! [`Uniprocessor`], the default, says that there are none. `H` is the kernel's
//! [`PagingHandler`](crate::PagingHandler).
//!
//! Each file is compiled for its own architecture, and documented on every one.

mod shootdown;

#[cfg(any(target_arch = "aarch64", doc))]
pub mod aarch64;
#[cfg(any(target_arch = "loongarch64", doc))]
pub mod loongarch64;
#[cfg(any(target_arch = "riscv64", doc))]
pub mod riscv64;
#[cfg(any(target_arch = "x86_64", doc))]
pub mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64 as native;
#[cfg(target_arch = "loongarch64")]
pub use loongarch64 as native;
#[cfg(target_arch = "riscv64")]
pub use riscv64 as native;
#[cfg(target_arch = "x86_64")]
pub use x86_64 as native;

pub use shootdown::{
    Invalidation, LocalInstructions, OtherCores, RemoteCores, Shootdown, Uniprocessor,
};

//! What Rust cannot say: instructions and system registers. One folder an architecture.
//!
//! The kernel runs on AArch64. Of the others there is what a kernel needs to use the page tables:
//! the maintenance that [`paging`](crate::paging) asks for.

pub mod counter;
pub mod lock_order;
pub mod mask_depth;
pub mod remote;
pub mod waited;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
pub mod aarch64;
#[cfg(all(target_os = "none", target_arch = "loongarch64"))]
pub mod loongarch64;
#[cfg(all(target_os = "none", target_arch = "riscv64"))]
pub mod riscv64;
#[cfg(all(target_os = "none", target_arch = "x86_64"))]
pub mod x86_64;

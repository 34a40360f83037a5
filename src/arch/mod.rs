//! What Rust cannot say: instructions and system registers of AArch64.

pub mod counter;
pub mod lock_order;
pub mod mask_depth;
pub mod waited;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
pub mod aarch64;

//! What Rust cannot say: instructions and system registers. One folder an architecture.

#[cfg(target_arch = "aarch64")]
pub mod aarch64;

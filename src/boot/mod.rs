//! The Rust half of `/boot`: what runs before the MMU is on.
//!
//! One core, MMU and caches off: all memory is Device. So no lock, no atomic read-modify-write
//! (exclusives need cacheable memory), no formatting, no trait object, no static that holds a
//! pointer, nothing that calls through a table, no unaligned access.

pub mod early_map;
#[cfg(target_os = "none")]
pub mod entry;

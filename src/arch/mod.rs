//! What Rust cannot say: instructions and system registers. One folder an architecture.

pub mod aarch64;

//! A Raspberry Pi 3 that executes a kernel's image on the host.
#![forbid(unsafe_code)]

pub mod board;

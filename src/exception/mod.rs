//! The meaning of exceptions: bits to words. Nothing here is executed on an exception's behalf.
#![forbid(unsafe_code)]

pub mod state;
pub mod syndrome;
pub mod vector;

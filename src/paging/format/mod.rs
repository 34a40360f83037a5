//! Entry formats. All compile and are tested on every host; none is gated.
#![forbid(unsafe_code)]

pub mod aarch64;
pub mod par;

//! The meaning of exceptions: bits to words, addresses to names, a stack to the calls on it.
//! Nothing here is executed on an exception's behalf.
#![forbid(unsafe_code)]

pub mod backtrace;
pub mod folded;
pub mod names;
pub mod state;
pub mod syndrome;
pub mod vector;

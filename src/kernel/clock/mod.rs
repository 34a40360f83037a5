//! Counter ticks as nanoseconds, and a clock that never goes back.
//!
//! Reads no counter: [`Scale`] turns what the counter says into nanoseconds and deadlines into what
//! the counter will say, [`Monotonic`] looks at every reading before it becomes the time, [`rate`]
//! compares it with another counter.
#![forbid(unsafe_code)]

mod monotonic;
pub mod rate;
mod scale;

use crate::arch::counter::ticks_since;

pub use monotonic::{JUMP_NS, Jumps, Monotonic};
pub use scale::{ClockError, HZ_RANGE, Scale};

//! Counter ticks as nanoseconds, and a clock that never goes back.
//!
//! Pure, and reading no counter: [`Scale`] turns what the counter says into nanoseconds and
//! deadlines into what the counter will say, [`Monotonic`] looks at every reading before it becomes
//! the time, [`rate`] compares it with another counter. What this machine's counters say, as the
//! time since `_start`, is `reading`'s.
#![forbid(unsafe_code)]

mod monotonic;
pub mod rate;
#[cfg(target_os = "none")]
mod reading;
mod scale;

use crate::arch::counter::ticks_since;

pub use monotonic::{JUMP_NS, Jumps, Monotonic};
#[cfg(target_os = "none")]
pub(crate) use reading::{
    Joined, counter_hz, delay_us, join, jumps, now_ns, now_us, origin, raw_ns, since_start, ticks,
    ticks_in,
};
pub use scale::{ClockError, HZ_RANGE, Scale};

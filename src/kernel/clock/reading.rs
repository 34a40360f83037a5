//! The time since `_start`, by this core's counter.
//!
//! # Decisions
//! - All time is since `_start`: ticks of the counter since the boot record's, which is a number
//!   that means nothing alone ([`counter`](crate::arch::counter)).
//! - The offset of what a core reads (CNTVOFF_EL2) is a register of each core. A core that a loader
//!   dropped to EL1 and one that came from EL2, where the kernel cleared it, may read numbers that
//!   have nothing to do with each other. So each core has an origin of its own, which [`join`]
//!   moves if it must.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use super::{Jumps, Monotonic, Scale};
use crate::arch::counter::ticks_since as ticks_between;
use crate::arch::relax::{Once, relax};
use crate::arch::waited::pass;
use crate::arch::{cpu, timer};
use crate::board::raspi3;
use crate::kernel::record::boot_record;
use crate::text::Timestamp;

/// Ticks by which a core's counter is ahead of core 0's, modulo 2^64.
static AHEAD: [AtomicU64; raspi3::CORES] = [const { AtomicU64::new(0) }; raspi3::CORES];

/// The reading of core `core`'s counter at `_start`, or the one that it would have had.
pub(crate) fn origin(core: usize) -> u64 {
    let ahead = AHEAD[core % raspi3::CORES].load(Ordering::Relaxed);
    boot_record().counter.wrapping_add(ahead)
}

/// Ticks since `_start` by this core's counter as it is: they go back where the counter does, and
/// are 0 where it stands before `_start`.
#[inline]
pub(crate) fn ticks() -> u64 {
    timer::ticks_since(origin(cpu::number()))
}

/// A counter that differs by more than this was set to another number; less is a core that came
/// late.
const JOIN_TOLERANCE_NS: u64 = 60_000_000_000;

/// How the counter of a core that came stands to core 0's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Joined {
    /// As near as the time between two looks.
    InStep,
    /// It had another offset, and its origin was moved by the difference.
    SetRight,
}

/// Takes this core, which has just come, into the common time. Before its first look at the time.
pub(crate) fn join() -> Joined {
    let here = cpu::number();
    let first = ahead_of(MONOTONIC.latest_ns());
    if first.min(first.wrapping_neg()) > ticks_in(JOIN_TOLERANCE_NS) {
        let ahead = first.wrapping_sub(lateness(first));
        AHEAD[here % raspi3::CORES].store(ahead, Ordering::Relaxed);
        return Joined::SetRight;
    }
    Joined::InStep
}

/// Ticks by which this core's counter is ahead of core 0's, modulo 2^64, if `latest_ns` is the time
/// just now; more by as much as it is over.
fn ahead_of(latest_ns: u64) -> u64 {
    let began = timer::counter().wrapping_sub(ticks_in(latest_ns));
    began.wrapping_sub(boot_record().counter)
}

/// How many ticks a value of [`ahead_of`] is too large. Core 0 looks at the time again and again
/// while it waits for this core: of the times that this core sees appear, one is the youngest.
fn lateness(first: u64) -> u64 {
    const TIMES: usize = 64;
    const LOOKS: usize = 1 << 16;
    let mut seen_ns = MONOTONIC.latest_ns();
    let mut times = 0;
    let mut late = 0;
    for _ in 0..LOOKS {
        let latest_ns = MONOTONIC.latest_ns();
        if latest_ns != seen_ns {
            seen_ns = latest_ns;
            late = late.max(ticks_between(ahead_of(latest_ns), first));
            times += 1;
        }
        if times == TIMES {
            break;
        }
        relax();
    }
    late
}

static MONOTONIC: Monotonic<{ raspi3::CORES }> = Monotonic::new();
static SCALE: Once<Scale> = Once::new();

/// The counter's frequency in Hz: the crystal's frequency if CNTFRQ_EL0 is not believable.
pub(crate) fn counter_hz() -> u32 {
    let hz = timer::frequency_hz();
    match Scale::new(hz) {
        Ok(_) => hz,
        Err(_) => raspi3::COUNTER_HZ,
    }
}

fn scale() -> Scale {
    *SCALE.call_once(|| match Scale::new(counter_hz()) {
        Ok(scale) => scale,
        Err(error) => unreachable!("the rate was seen to be good: {error}"),
    })
}

/// Nanoseconds since `_start`; never less than on any core before.
pub(crate) fn now_ns() -> u64 {
    let scale = scale();
    MONOTONIC.now_ns(cpu::number(), || scale.ns_from_ticks(ticks()))
}

/// Nanoseconds of the counter, which may jump back: for what counts in passing.
#[inline]
pub(crate) fn raw_ns() -> u64 {
    scale().ns_from_ticks(ticks())
}

/// How often the counter of core `core` was seen to go back.
pub(crate) fn jumps(core: usize) -> Jumps {
    MONOTONIC.jumps(core)
}

/// The ticks of the counter in `duration_ns`, rounded up: 19,200 for a millisecond at 19.2 MHz.
pub(crate) fn ticks_in(duration_ns: u64) -> u64 {
    scale().ticks_from_ns(duration_ns)
}

/// Microseconds since `_start`, rounded down; never less than on any core before.
pub(crate) fn now_us() -> u64 {
    now_ns() / 1000
}

/// The time since `_start`, for the log: of this core's counter as it is, so that a jump shows.
pub(crate) fn since_start() -> Timestamp {
    Timestamp {
        ticks: ticks(),
        hz: counter_hz(),
    }
}

/// Returns after at least `duration_us` microseconds, without giving the core up; also if the
/// counter stands still.
pub(crate) fn delay_us(duration_us: u64) {
    pass(duration_us, || {
        relax();
        raw_ns()
    });
}

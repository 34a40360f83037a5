//! Time: what the counter says in units, and how long ago the first instruction was.
#![forbid(unsafe_code)]

use super::record::boot_record;
use crate::arch::aarch64::relax::relax;
use crate::arch::aarch64::timer;
use crate::board::raspi3;
use crate::console::Timestamp;

/// What the counter runs at, in Hz: the crystal's frequency if nobody has set CNTFRQ_EL0.
pub(super) fn counter_hz() -> u32 {
    match timer::frequency_hz() {
        0 => raspi3::COUNTER_HZ,
        hz => hz,
    }
}

/// Microseconds since the counter began.
pub(super) fn now_us() -> u64 {
    let hz = u128::from(counter_hz());
    (u128::from(timer::counter()) * 1_000_000 / hz) as u64
}

/// The time since `_start`.
pub(super) fn since_start() -> Timestamp {
    Timestamp {
        ticks: timer::counter().saturating_sub(boot_record().counter),
        hz: counter_hz(),
    }
}

/// Returns after at least `duration_us` microseconds.
pub(super) fn delay_us(duration_us: u64) {
    let start = timer::counter();
    let ticks = u64::from(counter_hz()) * duration_us / 1_000_000 + 1;
    while timer::counter().saturating_sub(start) < ticks {
        relax();
    }
}

//! CNTFRQ_EL0 cross-checked with the system timer, once: it is what a loader wrote, not a
//! measurement.
//!
//! Boot takes the first reading early and the second when it is done, so that the check costs no
//! time of its own. All that the kernel counts in seconds goes by CNTFRQ_EL0 all the same: which of
//! the two is wrong nobody knows here, and who reads the line does.
#![forbid(unsafe_code)]

use crate::arch::relax::Once;
use crate::arch::{cpu, timer};
use crate::board::raspi3;
use crate::drivers::system_timer::SystemTimer;
use crate::kernel::clock;
use crate::kernel::clock::rate::{Rate, Reading, judge};
use crate::kernel::devices::registers;
use crate::text::Hertz;
use crate::{log, warning};

static FIRST: Once<Reading> = Once::new();
/// A reading that took longer is taken anew, a few times.
const SHORT_US: u64 = 10;
const TRIES: usize = 4;

/// The first reading.
pub(crate) fn begin() {
    FIRST.call_once(read);
}

/// The second reading, and what both say.
pub(crate) fn finish() {
    let Some(first) = FIRST.get() else {
        return;
    };
    let hz = clock::counter_hz();
    match judge(hz, *first, read()) {
        Rate::Agrees => {}
        Rate::Differs { measured_hz } => warning!(
            "time",
            "the counter runs at {measured_hz} Hz by the system timer, not at {}: times are wrong",
            Hertz(hz.into())
        ),
        Rate::NoMicroseconds => {
            log!(
                "time",
                "the system timer stands still: the counter's rate is not checked"
            );
        }
    }
}

fn read() -> Reading {
    let timer = SystemTimer::new(registers(raspi3::SYSTEM_TIMER));
    let short = u64::from(clock::counter_hz()) * SHORT_US / 1_000_000;
    let mut reading = read_once(timer);
    for _ in 1..TRIES {
        if reading.after.wrapping_sub(reading.before) <= short {
            break;
        }
        reading = read_once(timer);
    }
    reading
}

fn read_once(system_timer: SystemTimer) -> Reading {
    cpu::device_barrier();
    let before = timer::counter();
    let us = system_timer.count_us();
    // The load is done when its value is used, or a barrier waits for it.
    cpu::wait_for_stores();
    let after = timer::counter();
    Reading { before, us, after }
}

//! Ticks: a timer of this core that is due a thousand times a second, and whether a period was
//! lost.
//!
//! A host that runs this kernel as a guest may give a core no time for as long as it likes, and
//! raise an interrupt as late as it likes. So no count is compared with the time that has passed,
//! but with the timer's own deadlines:
//!
//! 1. When the ticks end, all that is due by then is waited for: an interrupt that is late comes,
//!    one that is lost does not.
//! 2. From the first deadline to the next one, so many periods were served. Each of them was a
//!    tick, or passed while the one before was late, which the kernel has counted.
#![forbid(unsafe_code)]

use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::arch::relax::relax;
use crate::arch::waited::LOOK_CYCLES;
use crate::arch::{cpu, masks};
use crate::kernel::clock;
use crate::kernel::time;
use crate::kernel::time::timeouts;
use crate::kernel::time::timers::{TimerError, TimerId};

const PERIOD_NS: NonZeroU64 = NonZeroU64::new(1_000_000).unwrap();

/// This core's ticks.
#[derive(Debug)]
#[must_use]
pub(super) struct TickTimer {
    timer: TimerId,
    first_ns: u64,
    missed_before: u64,
}

/// The periods of a timer that came late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Periods {
    /// Periods that ended while an earlier tick was late: they have no tick of their own.
    pub(super) late: u64,
    /// Whether each was a tick or late, and none was more than one tick.
    pub(super) are_whole: bool,
}

impl TickTimer {
    /// Calls `tick` with `argument` each period.
    ///
    /// # Errors
    /// [`TimerError::Full`].
    pub(super) fn begin(tick: fn(usize), argument: usize) -> Result<Self, TimerError> {
        // Before the first tick, so that its deadline is the first.
        let _masked = masks::mask();
        let missed_before = time::missed(cpu::number());
        let timer = time::arm(PERIOD_NS.get(), Some(PERIOD_NS), tick, argument)?;
        Ok(Self {
            timer,
            first_ns: time::deadline_of(timer).unwrap_or_default(),
            missed_before,
        })
    }

    /// Ends them, of which `counted` have come.
    pub(super) fn end(self, counted: &AtomicU64) -> Periods {
        let all_served = self.await_those_due_by(clock::now_ns());
        // No tick between the looks.
        let _masked = masks::mask();
        let next_ns = time::deadline_of(self.timer);
        let cancelled = time::cancel(self.timer);
        let ticks = counted.load(Ordering::Relaxed);
        let late = time::missed(cpu::number()).saturating_sub(self.missed_before);
        let since_first_ns = next_ns.map_or(0, |next_ns| next_ns.saturating_sub(self.first_ns));
        let served = since_first_ns / PERIOD_NS;
        Periods {
            late,
            are_whole: cancelled && all_served && (ticks..=ticks + late).contains(&served),
        }
    }

    /// Whether they were served, or are after a wait in which this core runs.
    fn await_those_due_by(&self, end_ns: u64) -> bool {
        let is_served = || time::deadline_of(self.timer).is_some_and(|next_ns| next_ns > end_ns);
        let mut waited = timeouts::wait_for(timeouts::TICK_NS);
        while !is_served() {
            if waited.look(clock::raw_ns(), LOOK_CYCLES) > timeouts::TICK_NS {
                return false;
            }
            relax();
        }
        true
    }
}

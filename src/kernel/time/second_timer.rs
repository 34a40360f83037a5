//! The physical timer of each core: it ends storms, and stands in for the virtual timer.
//!
//! The virtual timer is due when CNTPCT_EL0 - CNTVOFF_EL2, modulo 2^64, is not below CVAL (DDI 0487
//! D12.2.4). Where a loader that enters at EL1 has left an offset that puts CNTVCT_EL0 ahead of
//! CNTPCT_EL0, that offset is a number near 2^64, and an emulator that adds it to CVAL instead
//! finds a sum of more than 64 bits: QEMU takes that for never, from 8.1.4 on. The physical timer
//! has no offset. So on such a core it is set to each deadline beside the virtual timer, and the
//! first to interrupt serves what is due.
//!
//! # Decisions
//! - The end of a storm goes first: until then no deadline sets this timer. So a storm of deadlines
//!   ends on this timer without a mask, and neither timer waits masked for the other.
//! - Which cores need it is found once, when they come: CNTVCT_EL0 can fall behind CNTPCT_EL0
//!   later, where it comes round, and then the second interrupt is spurious; it cannot get
//!   ahead.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};

use crate::arch::{cpu, timer};
use crate::board::raspi3::CORES;
use crate::kernel::clock;

/// The uses of a core's physical timer; only that core, with interrupts masked, reads and writes
/// it.
struct Use {
    /// The virtual timer may be never due.
    stands_in: AtomicBool,
    /// A storm is on, whose end it is set to.
    ends_storm: AtomicBool,
}

static USES: [Use; CORES] = [const {
    Use {
        stands_in: AtomicBool::new(false),
        ends_storm: AtomicBool::new(false),
    }
}; CORES];

fn here() -> &'static Use {
    &USES[cpu::number() % CORES]
}

fn takes_deadlines() -> bool {
    let here = here();
    here.stands_in.load(Ordering::Relaxed) && !here.ends_storm.load(Ordering::Relaxed)
}

/// Finds whether this core needs it for its deadlines, before there is one.
pub(crate) fn init_core() {
    let is_ahead = timer::is_ahead_of_physical();
    here().stands_in.store(is_ahead, Ordering::Relaxed);
}

/// The next deadline of this core is `ticks` from now.
pub(crate) fn deadline_in(ticks: u64) {
    if takes_deadlines() {
        timer::physical_interrupt_in(ticks);
    }
}

/// This core has no deadline.
pub(crate) fn no_deadline() {
    if takes_deadlines() {
        timer::physical_stop();
    }
}

/// Interrupts in `duration_ns`, when a storm is to be over, or earlier.
pub(crate) fn end_storm_in(duration_ns: u64) {
    here().ends_storm.store(true, Ordering::Relaxed);
    timer::physical_interrupt_in(clock::ticks_in(duration_ns));
}

/// It has interrupted: it does no more. Returns whether a storm is to be over.
pub(crate) fn take() -> bool {
    // Not if the interrupt was of a deadline, and another one served just before it began a storm's
    // pause.
    if !timer::physical_is_due() {
        return false;
    }
    timer::physical_stop();
    here().ends_storm.swap(false, Ordering::Relaxed)
}

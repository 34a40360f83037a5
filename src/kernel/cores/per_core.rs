//! What each core has for itself.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::nesting::{Nesting, SecondLooks};
use crate::arch::attempt::UnderWay;
use crate::arch::cpu;
use crate::board::raspi3;
use crate::kernel::clock::now_ns;

/// A core's own data, in cache lines of its own.
#[repr(align(64))]
pub(crate) struct PerCore {
    /// The exceptions that are under way here.
    pub(crate) nesting: Nesting,
    /// The faults that were none.
    pub(crate) second_looks: SecondLooks,
    /// The call that an exception may end.
    pub(crate) attempt: UnderWay,
    /// Reports under way: more than one is a failure inside a report.
    pub(crate) reports: AtomicUsize,
    /// Since when it has not done what it was asked, in nanoseconds; 0 if it has.
    silent_since_ns: AtomicU64,
    /// Whether it runs on the final map alone.
    online: AtomicBool,
}

impl PerCore {
    const fn new() -> Self {
        Self {
            nesting: Nesting::new(),
            second_looks: SecondLooks::new(),
            attempt: UnderWay::new(),
            reports: AtomicUsize::new(0),
            silent_since_ns: AtomicU64::new(0),
            online: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Acquire)
    }

    /// From here on other cores ask it for things.
    pub(crate) fn set_online(&self) {
        self.online.store(true, Ordering::Release);
    }

    /// It was asked something at `asked_ns`, and did not do it in time.
    pub(crate) fn set_silent(&self, asked_ns: u64) {
        let since_ns = asked_ns.max(1);
        // Only the first question that it left open counts.
        let _ = self.silent_since_ns.compare_exchange(
            0,
            since_ns,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// It looks what it was asked.
    pub(crate) fn give_a_sign(&self) {
        // A store only where something changes: the line is looked at by others.
        if self.silent_since_ns.load(Ordering::Relaxed) != 0 {
            self.silent_since_ns.store(0, Ordering::Relaxed);
        }
    }

    /// How long it has left something open that it was asked, in nanoseconds.
    pub(crate) fn silent_for_ns(&self) -> Option<u64> {
        match self.silent_since_ns.load(Ordering::Relaxed) {
            0 => None,
            since_ns => Some(now_ns().saturating_sub(since_ns)),
        }
    }
}

static ALL: [PerCore; raspi3::CORES] = [const { PerCore::new() }; raspi3::CORES];

/// The running core's.
pub(crate) fn this() -> &'static PerCore {
    &ALL[cpu::number() % raspi3::CORES]
}

/// Core `core`'s, which is less than [`raspi3::CORES`].
pub(crate) fn of(core: usize) -> &'static PerCore {
    &ALL[core % raspi3::CORES]
}

/// The cores that left open what they were asked: a bit each.
pub(crate) fn silent() -> usize {
    let silent = |core: &usize| of(*core).silent_for_ns().is_some();
    let cores = (0..raspi3::CORES).filter(silent);
    cores.fold(0, |cores, core| cores | 1 << core)
}

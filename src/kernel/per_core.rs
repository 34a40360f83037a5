//! What each core has for itself.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::arch::aarch64::attempt::UnderWay;
use crate::arch::aarch64::cpu;
use crate::board::raspi3;

/// A core's own data, in cache lines of its own.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct PerCore {
    /// The call that an exception may end.
    pub(super) attempt: UnderWay,
    /// Reports under way: more than one is a failure inside a report.
    pub(super) reports: AtomicUsize,
    /// Whether it has come when it was called.
    claimed: AtomicBool,
    /// Whether it runs on the final map alone.
    online: AtomicBool,
}

impl PerCore {
    const fn new() -> Self {
        Self {
            attempt: UnderWay::new(),
            reports: AtomicUsize::new(0),
            claimed: AtomicBool::new(false),
            online: AtomicBool::new(false),
        }
    }

    pub(super) fn was_claimed(&self) -> bool {
        self.claimed.load(Ordering::Relaxed)
    }

    pub(super) fn set_claimed(&self) {
        self.claimed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_online(&self) -> bool {
        self.online.load(Ordering::Acquire)
    }

    pub(super) fn set_online(&self) {
        self.online.store(true, Ordering::Release);
    }
}

static ALL: [PerCore; raspi3::CORES] = [const { PerCore::new() }; raspi3::CORES];

/// The running core's.
pub(super) fn this() -> &'static PerCore {
    &ALL[cpu::number() % raspi3::CORES]
}

/// Core `core`'s, which is less than [`raspi3::CORES`].
pub(super) fn of(core: usize) -> &'static PerCore {
    &ALL[core % raspi3::CORES]
}

//! The per-CPU data: one [`PerCore`] for each core, in cache lines of its own, indexed by
//! MPIDR_EL1.Aff0.
//!
//! Core 2 comes online, and fails:
//!
//! 1. Its MPIDR_EL1 is 0x8000_0002: [`this`] is `ALL[2]`, where no other core stores anything, and
//!    which others read as `of(2)`. Relaxed accesses are enough, but for step 2.
//! 2. It stores `online` with release, behind its vectors, its clock and its interrupts. Core 0
//!    loads that with acquire before it posts a call: until then the answer is
//!    `CallError::Offline`.
//! 3. Its timer interrupts: the depth of `nesting` is 1. The handler loads from
//!    0xffff_8000_0008_3000, a guard: the depth is 2. A call in `onfault` that was begun at depth 0
//!    does not recover from that: the exception is the handler's, and not its function's.
//! 4. Nothing recovers: `reports` goes from 0 to 1. A fault inside that report finds 1: it says so
//!    in two lines and ends the machine. A fault in that finds 2, and ends it without a word.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::nesting::{Nesting, SpuriousFaults};
use crate::arch::cpu;
use crate::arch::onfault::OnFault;
use crate::board::raspi3;

/// A core's own data, in cache lines of its own.
#[repr(align(64))]
pub(crate) struct PerCore {
    /// Depth and number of this core's exceptions.
    pub(crate) nesting: Nesting,
    /// Its spurious faults.
    pub(crate) spurious_faults: SpuriousFaults,
    /// The call that recovers from its exceptions, if one runs.
    pub(crate) onfault: OnFault,
    /// Reports under way: more than one is a failure inside a report.
    pub(crate) reports: AtomicUsize,
    /// Whether it runs on the final map and takes IPIs.
    online: AtomicBool,
}

impl PerCore {
    const fn new() -> Self {
        Self {
            nesting: Nesting::new(),
            spurious_faults: SpuriousFaults::new(),
            onfault: OnFault::new(),
            reports: AtomicUsize::new(0),
            online: AtomicBool::new(false),
        }
    }

    /// Whether IPIs may be sent to it: an acquire, behind which all that its handlers use is there.
    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Acquire)
    }

    /// From here on other cores send it IPIs: a release, behind all that its handlers use.
    pub(crate) fn set_online(&self) {
        self.online.store(true, Ordering::Release);
    }
}

static ALL: [PerCore; raspi3::CORES] = [const { PerCore::new() }; raspi3::CORES];

/// The data of the running core.
pub(crate) fn this() -> &'static PerCore {
    &ALL[cpu::number() % raspi3::CORES]
}

/// The data of core `core`, which is less than [`raspi3::CORES`].
pub(crate) fn of(core: usize) -> &'static PerCore {
    &ALL[core % raspi3::CORES]
}

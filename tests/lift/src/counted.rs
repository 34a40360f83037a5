//! The machine of this kernel: one core, and a count of what it was told.
#![expect(unsafe_code, reason = "implements unsafe traits")]

use core::sync::atomic::{AtomicUsize, Ordering};

use stilt_paging::addr::VirtAddr;
use stilt_paging::{AddressSpace, InvalidateScope, Maintenance};

static BARRIERS: AtomicUsize = AtomicUsize::new(0);
static INVALIDATIONS: AtomicUsize = AtomicUsize::new(0);

/// Maintenance that counts.
pub struct Counted;

/// How often what was issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Issued {
    /// Barriers of any kind.
    pub barriers: usize,
    /// Invalidations of any reach.
    pub invalidations: usize,
}

impl Counted {
    /// What was issued since the start.
    #[must_use]
    pub fn issued() -> Issued {
        Issued {
            barriers: BARRIERS.load(Ordering::Relaxed),
            invalidations: INVALIDATIONS.load(Ordering::Relaxed),
        }
    }

    fn barrier() {
        BARRIERS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: no hardware walks these tables.
unsafe impl Maintenance for Counted {
    fn order_table() {
        Self::barrier();
    }

    fn publish() {
        Self::barrier();
    }

    fn begin_invalidation() {
        Self::barrier();
    }

    fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {
        INVALIDATIONS.fetch_add(1, Ordering::Relaxed);
    }

    fn invalidate_all(_: AddressSpace) {
        INVALIDATIONS.fetch_add(1, Ordering::Relaxed);
    }

    fn end_invalidation() {
        Self::barrier();
    }
}

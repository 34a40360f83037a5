//! Maintenance for the examples that run on no machine: what would be executed is counted and
//! noted.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use stilt_paging::addr::VirtAddr;
use stilt_paging::{AddressSpace, InvalidateScope, Maintenance};

/// What one operation did, or several.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Cost {
    /// Descriptors stored.
    pub(crate) stores: usize,
    /// Barriers, and waits for invalidations.
    pub(crate) barriers: usize,
    /// Invalidations, in words, in the order in which they were issued.
    pub(crate) invalidations: Vec<String>,
}

thread_local! {
    static COST: RefCell<Cost> = RefCell::default();
}

/// What `operation` returns, and what it cost.
pub(crate) fn cost_of<R>(operation: impl FnOnce() -> R) -> (R, Cost) {
    COST.take();
    let result = operation();
    (result, COST.take())
}

/// The maintenance.
pub(crate) struct Counting;

impl Counting {
    fn barrier() {
        COST.with_borrow_mut(|cost| cost.barriers += 1);
    }

    fn note(invalidation: String) {
        COST.with_borrow_mut(|cost| cost.invalidations.push(invalidation));
    }
}

// SAFETY: no hardware walks these tables.
unsafe impl Maintenance for Counting {
    fn store(entry: &AtomicU64, bits: u64) {
        COST.with_borrow_mut(|cost| cost.stores += 1);
        entry.store(bits, Ordering::Relaxed);
    }

    fn order_table() {
        Self::barrier();
    }

    fn publish() {
        Self::barrier();
    }

    fn begin_invalidation() {
        Self::barrier();
    }

    fn invalidate(va: VirtAddr, space: AddressSpace, scope: InvalidateScope) {
        Self::note(format!("{va} of {space:?}, {scope:?}"));
    }

    fn invalidate_all(space: AddressSpace) {
        Self::note(format!("all of {space:?}"));
    }

    fn end_invalidation() {
        Self::barrier();
    }
}

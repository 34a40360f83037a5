//! Pointers to tables that a walk to a global leaf may have cached.
//!
//! By the manual, what a walk caches of the levels above its leaf belongs to the ASID of the walk
//! (DDI 0487 C5.5: entries "from a level of lookup before the final level"). Here it may be held as
//! the leaf is, as on RISC-V, where a fence for an ASID orders no access "to global mappings" at
//! any level: then no form for one ASID reaches it. It stops being so when no walk finds a global
//! leaf behind it any more, and a form for all ASIDs that reaches pointers has completed since.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::descriptor::{Translation, level_bytes};
use super::tlb::{Time, Tlb};

/// What walks find behind a pointer.
#[derive(Clone, Copy, Default)]
struct Behind {
    /// Global leaves.
    leaves: usize,
    /// When the last of them stopped being found.
    since: Time,
}

/// By level and first address of the pointer.
#[derive(Clone, Default)]
pub(super) struct Globals(BTreeMap<(usize, usize), Behind>);

/// Where the pointers stand that lead to `leaf`.
fn above(leaf: Translation) -> impl Iterator<Item = (usize, usize)> {
    let levels = (0..3).filter(move |level| level_bytes(*level) > leaf.bytes);
    levels.map(move |level| (level, leaf.va & !(level_bytes(level) - 1)))
}

impl Globals {
    /// Walks find `leaf`.
    pub(super) fn appear(&mut self, leaf: Translation) {
        for place in above(leaf).filter(|_| leaf.is_global()) {
            self.0.entry(place).or_default().leaves += 1;
        }
    }

    /// No walk finds `leaf` since `since`.
    pub(super) fn vanish(&mut self, leaf: Translation, since: Time) {
        for place in above(leaf).filter(|_| leaf.is_global()) {
            let behind = self.0.entry(place).or_default();
            behind.leaves -= 1;
            behind.since = behind.since.max(since);
        }
    }

    /// Whether a pointer of `level` for `va` may be held as a global one.
    pub(super) fn may_hold(&self, level: usize, va: usize) -> bool {
        self.0.contains_key(&(level, va))
    }

    /// Forgets where nothing global is found, and nothing global is held after what completes.
    pub(super) fn sweep(&mut self, tlb: &Tlb) {
        self.0.retain(|(level, va), behind| {
            behind.leaves > 0 || !tlb.reaches_all(*va, level_bytes(*level), behind.since)
        });
    }
}

//! Changes of tables and invalidations that wait for their next barrier, and those that wait long.
//!
//! Between the store of a descriptor and its use stand a DSB and an ISB; behind a TLBI, a DSB. What
//! is missing there is seldom seen to matter: an interrupt, or a lock, has the barrier. So it is
//! judged by time: nothing that a kernel does between two of these steps takes 1,000 instructions.

use super::old::CoreSet;
use super::scope::Scope;
use crate::board::Nanoseconds;
use crate::translate::walk::VALID;
use crate::watch::{Event, Missing};

/// The virtual time of 1,000 instructions.
const PATIENCE: Nanoseconds = 20_000;

/// A store to a table that no DSB has followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unseen {
    pub(super) place: u64,
    pub(super) before: u64,
    pub(super) storer: usize,
    /// The cores whose walkers may see the old descriptor.
    pub(super) cores: CoreSet,
    /// A DSB has followed, and no context synchronisation event of the storer: what stands behind the
    /// DSB may have been translated before it.
    pub(super) settling: bool,
    /// The first address that it translates.
    pub(super) first: u64,
    /// The address of the store, and the virtual time of it, or of the DSB behind it.
    pub(super) at: u64,
    pub(super) since: Nanoseconds,
    /// It is global, and was not told.
    pub(super) global: bool,
}

impl Unseen {
    pub(super) fn concerns(&self, core: usize) -> bool {
        self.cores.has(core) || (self.settling && self.storer == core)
    }
}

/// An invalidation that no DSB has completed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) issuer: usize,
    pub(super) scope: Scope,
    pub(super) number: u64,
    /// The address of the instruction, and its virtual time.
    pub(super) at: u64,
    pub(super) since: Nanoseconds,
    pub(super) told: bool,
}

/// Whether a change concerns a translation that no return to EL0 synchronises: it is not tagged with
/// an ASID. `first` is its first address.
pub(super) fn is_global(first: u64, leaf: bool, (before, now): (u64, u64)) -> bool {
    let descriptor = if now & VALID != 0 { now } else { before };
    match (descriptor & VALID, leaf) {
        (0, _) => false,
        (_, true) => descriptor >> 11 & 1 == 0,
        (_, false) => first >> 55 & 1 != 0,
    }
}

/// Stores to tables, each told once: with a core's last one the wait for its barrier begins.
pub(super) fn stores(unseen: &mut [Unseen], now: Nanoseconds, overdue: &mut Vec<(usize, Event)>) {
    for core in 0..crate::board::CORES {
        let own = || unseen.iter().filter(|unseen| unseen.storer == core);
        let Some(last) = own().map(|unseen| unseen.since).max() else {
            continue;
        };
        if now.saturating_sub(last) <= PATIENCE {
            continue;
        }
        for unseen in unseen.iter_mut().filter(|unseen| unseen.storer == core) {
            if std::mem::take(&mut unseen.global) {
                let missing = match unseen.settling {
                    true => Missing::Isb,
                    false => Missing::Dsb,
                };
                let event = Event::Unfinished {
                    address: unseen.first,
                    because: unseen.at,
                    missing,
                };
                overdue.push((core, event));
            }
        }
    }
}

/// Invalidations, each told once.
pub(super) fn invalidations(
    pending: &mut [Pending],
    now: Nanoseconds,
    overdue: &mut Vec<(usize, Event)>,
) {
    for pending in pending {
        if !pending.told && now.saturating_sub(pending.since) > PATIENCE {
            pending.told = true;
            let event = Event::Unfinished {
                address: 0,
                because: pending.at,
                missing: Missing::DsbOfTlbi,
            };
            overdue.push((pending.issuer, event));
        }
    }
}

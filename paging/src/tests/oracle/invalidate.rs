//! What walks can no longer find, and what TLBs no longer hold.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::descriptor::{Cached, Descriptor, ENTRIES, decode, level_bytes};
use super::memory::{Place, Whose, Word};
use super::tlb::{StalePointer, Target, Time};
use super::{Checked, Machine, TlbiForm, Violation};

/// Bits 43:0 of the operand of an invalidation by address: bits 55:12 of the address.
const PAGE: u64 = (1 << 44) - 1;

impl Machine {
    /// Makes stores so far visible to every walker.
    pub(super) fn publish(&mut self, whose: Whose) {
        let now = self.now;
        for (word, older) in self.memory.publish(whose) {
            for place in self.memory.places(word.table) {
                let latest = self.memory.latest(word, place.level);
                let was_absent = |bits: &u64| decode(*bits, place.level) == Descriptor::Invalid;
                if self.caches_absence && latest.is_valid() && older.iter().any(was_absent) {
                    self.end_absence(latest, place.slot(word.index), place.level);
                }
                let mut known = Vec::from([latest]);
                for bits in &older {
                    let old = decode(*bits, place.level);
                    if !known.contains(&old) {
                        known.push(old);
                        self.retire(old, place.slot(word.index), place.level, now);
                    }
                }
                self.unsynchronised = true;
            }
        }
    }

    /// Walks find `new` where nothing was: that there was nothing is stale from now on, for the
    /// entry itself and for each address that it makes valid.
    fn end_absence(&mut self, new: Descriptor, va: usize, level: usize) {
        if matches!(new, Descriptor::Table(_)) {
            self.tlb.keep_absence(Target {
                first: va,
                bytes: level_bytes(level),
                since: self.now,
                is_leaf: false,
                is_global: false,
            });
        }
        self.end_absence_of_leaves(new, va, level);
    }

    /// Makes absence stale for `new`, if it is a leaf, and otherwise for the leaves below it.
    fn end_absence_of_leaves(&mut self, new: Descriptor, va: usize, level: usize) {
        let Descriptor::Table(table) = new else {
            if let Some(leaf) = new.translation(va) {
                self.tlb.keep_absence(Target {
                    first: va,
                    bytes: level_bytes(level),
                    since: self.now,
                    is_leaf: true,
                    is_global: leaf.is_global(),
                });
            }
            return;
        };
        for index in 0..ENTRIES {
            let below = self.memory.latest(Word { table, index }, level + 1);
            if below.is_valid() {
                let va = va + index * level_bytes(level + 1);
                self.end_absence_of_leaves(below, va, level + 1);
            }
        }
    }

    /// No walk finds `old` since `since`; it may be cached. A pointer leads to its table as the
    /// link did.
    fn retire(&mut self, old: Descriptor, va: usize, level: usize, since: Time) {
        match old.cached(va, level) {
            Some(Cached::Leaf(leaf)) => {
                self.globals.vanish(leaf, since);
                self.tlb.keep_leaf(leaf, since);
            }
            Some(Cached::Pointer(pointer)) => {
                let is_global = self.globals.may_hold(pointer.level, pointer.va);
                self.tlb.keep_pointer(pointer, since, is_global);
            }
            None => {}
        }
    }

    /// Issues an invalidation.
    pub(super) fn invalidate(&mut self, form: TlbiForm, operand: u64) -> Checked {
        let reach = form.reach();
        let asid = (operand >> 48) as u16;
        let reserved = match (reach.by_address, reach.one_space) {
            (true, true) => 0xf << 44,
            (true, false) => !PAGE,
            (false, true) => (1 << 48) - 1,
            (false, false) => 0,
        };
        if operand & reserved != 0 {
            return Err(Violation::Operand { operand });
        }
        if reach.core_local || reach.one_space && self.asid != Some(asid) {
            return Ok(());
        }
        match (reach.by_address, reach.one_space) {
            (true, one_space) => {
                // Bit 55 says which half; the bits above it are its copies.
                let va = (((operand & PAGE) << 20) as i64 >> 8) as usize;
                self.tlb.issue(self.now, va, reach.leaves_only, one_space);
            }
            (false, true) => self.tlb.issue_space(self.now),
            (false, false) => self.tlb.issue_everything(self.now),
        }
        Ok(())
    }

    /// The invalidations that were issued have completed on every core.
    ///
    /// Levels in order: a pointer that goes leaves those below it as stale as it was, and they
    /// are swept next.
    pub(super) fn complete(&mut self) {
        if !self.tlb.is_busy() {
            return;
        }
        self.unsynchronised = true;
        self.tlb.sweep_absences();
        for leaf in self.tlb.sweep_leaves() {
            self.lost.push((leaf.output, leaf.bytes));
        }
        for level in 0..3 {
            for gone in self.tlb.sweep_pointers(level) {
                self.leave(gone);
            }
        }
        self.globals.sweep(&self.tlb);
        self.tlb.finish();
    }

    /// A cached pointer is gone: if it was the last way to its table, what is in there goes the
    /// way of everything that walks no longer find.
    fn leave(&mut self, gone: StalePointer) {
        let StalePointer { pointer, since, .. } = gone;
        let place = Place {
            va: pointer.va,
            level: pointer.level + 1,
        };
        if !self.memory.release(pointer.table, place) {
            return;
        }
        self.lost.push((pointer.table, ENTRIES * size_of::<u64>()));
        for index in 0..ENTRIES {
            let word = Word {
                table: pointer.table,
                index,
            };
            for old in self.memory.visible(word, place.level) {
                self.retire_behind(old, place.slot(index), place.level, since);
            }
        }
    }

    /// No walk finds `old` any more, because a pointer on the way that was stale since `since`
    /// is gone.
    fn retire_behind(&mut self, old: Descriptor, va: usize, level: usize, since: Time) {
        let leaf = match old.cached(va, level) {
            Some(Cached::Leaf(leaf)) => leaf,
            Some(Cached::Pointer(child)) => {
                let is_global = self.globals.may_hold(child.level, child.va);
                return self.tlb.keep_pointer(child, since, is_global);
            }
            None => return,
        };
        self.globals.vanish(leaf, since);
        if !self.tlb.keep_leaf_behind(leaf, since) {
            self.lost.push((leaf.output, leaf.bytes));
        }
    }
}

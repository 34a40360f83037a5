//! What must hold when an operation is done, and when a frame changes hands.
#![forbid(unsafe_code)]

use super::descriptor::{Cached, Descriptor, ENTRIES, GROUP, decode};
use super::memory::{Place, Word};
use super::{Checked, Machine, Violation};

impl Machine {
    /// The operation is done: nothing old is left anywhere, everything new is seen.
    pub(super) fn finish(&mut self) -> Checked {
        self.check_groups()?;
        self.check_published()?;
        if let Some((va, leaf)) = self.tlb.stale_leaves().next() {
            let frame = leaf.output + (va - leaf.va);
            return Err(Violation::StaleLeaf { va, frame });
        }
        if let Some(pointer) = self.tlb.stale_pointers().next() {
            return Err(Violation::StalePointer {
                va: pointer.va,
                table: pointer.table,
            });
        }
        if let Some(va) = self.tlb.stale_absence() {
            return Err(Violation::StaleAbsence { va });
        }
        if self.unsynchronised {
            return Err(Violation::NotSynchronised);
        }
        self.groups.clear();
        Ok(())
    }

    /// Every contiguous group that was touched is whole, or is none.
    fn check_groups(&self) -> Checked {
        for (table, group) in &self.groups {
            for place in self.memory.places(*table) {
                if self.is_linked(*table, place) {
                    self.check_whole(*table, place, group * GROUP)?;
                }
            }
        }
        Ok(())
    }

    fn check_whole(&self, table: usize, place: Place, first: usize) -> Checked {
        let is_member = |index: &usize| {
            let word = Word {
                table,
                index: *index,
            };
            self.memory.latest(word, place.level).is_contiguous()
        };
        let mut members = first..first + GROUP;
        let missing = members.clone().find(|index| !is_member(index));
        match missing {
            Some(missing) if members.any(|index| is_member(&index)) => {
                let va = place.slot(missing);
                Err(Violation::Contiguous { va })
            }
            _ => Ok(()),
        }
    }

    /// No walk finds a value that is not the last.
    fn check_published(&self) -> Checked {
        for (word, place, old) in self.overwritten() {
            let va = place.slot(word.index);
            match old.cached(va, place.level) {
                Some(Cached::Leaf(leaf)) => {
                    let frame = leaf.output + (va - leaf.va);
                    return Err(Violation::StaleLeaf { va, frame });
                }
                Some(Cached::Pointer(pointer)) => {
                    let table = pointer.table;
                    return Err(Violation::StalePointer { va, table });
                }
                None if self.memory.latest(word, place.level).is_valid() => {
                    return Err(Violation::NotPublished { va });
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The values that walks may find although others were stored since.
    fn overwritten(&self) -> impl Iterator<Item = (Word, Place, Descriptor)> {
        self.memory.older().flat_map(move |(word, older)| {
            let places = self.memory.places(word.table);
            places.into_iter().flat_map(move |place| {
                let latest = self.memory.latest(*word, place.level);
                let older = older.iter().map(move |bits| decode(*bits, place.level));
                older
                    .filter(move |old| *old != latest)
                    .map(move |old| (*word, place, old))
            })
        })
    }

    /// A table goes back to the allocator.
    pub(super) fn free(&mut self, frame: usize) -> Checked {
        if !self.memory.is_owned(frame) {
            return Err(Violation::Foreign { address: frame });
        }
        if self
            .readers
            .iter()
            .any(|(_, tables)| tables.contains(&frame))
        {
            return Err(Violation::ReadTableFreed { frame });
        }
        if let Some(place) = self.memory.places(frame).first() {
            let va = place.va;
            return Err(Violation::TableFreed { va, frame });
        }
        self.check_noticed(frame, 1)?;
        self.memory.free(frame);
        Ok(())
    }

    /// `bytes` from `frame` on, which were mapped, go back to the caller.
    ///
    /// Mappings of the same frame that are in the tree are the caller's own affair.
    pub(super) fn release(&self, frame: usize, bytes: usize) -> Checked {
        self.check_groups()?;
        let freed = |va| Violation::FrameFreed { va, frame };
        for (va, leaf) in self.tlb.stale_leaves() {
            if leaf.reaches(frame, bytes) {
                return Err(freed(va));
            }
        }
        let old = self.overwritten().filter_map(|(word, place, old)| {
            let va = place.slot(word.index);
            old.cached(va, place.level)
        });
        let stale = self.tlb.stale_pointers().map(Cached::Pointer);
        for cached in old.chain(stale) {
            if let Some(va) = self.leads_to(cached, frame, bytes) {
                return Err(freed(va));
            }
        }
        self.check_noticed(frame, bytes)
    }

    /// The first address that `cached` translates to any of `bytes` bytes from `frame` on.
    fn leads_to(&self, cached: Cached, frame: usize, bytes: usize) -> Option<usize> {
        let pointer = match cached {
            Cached::Leaf(leaf) => return leaf.reaches(frame, bytes).then_some(leaf.va),
            Cached::Pointer(pointer) => pointer,
        };
        let place = Place {
            va: pointer.va,
            level: pointer.level + 1,
        };
        (0..ENTRIES).find_map(|index| {
            let word = Word {
                table: pointer.table,
                index,
            };
            let visible = self.memory.visible(word, place.level);
            visible.into_iter().find_map(|descriptor| {
                let cached = descriptor.cached(place.slot(index), place.level)?;
                self.leads_to(cached, frame, bytes)
            })
        })
    }

    /// The writer itself has noticed that no translation leads there any more.
    fn check_noticed(&self, frame: usize, bytes: usize) -> Checked {
        let leads = |&(lost, size): &(usize, usize)| lost < frame + bytes && frame < lost + size;
        if self.lost.iter().any(leads) {
            return Err(Violation::NotSynchronised);
        }
        Ok(())
    }
}

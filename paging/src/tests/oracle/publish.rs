//! What walks can find from now on: a store to a table that they reach, and a table that is
//! linked there.

use super::descriptor::{Cached, Descriptor, GROUP, decode, index_of};
use super::memory::{Place, Unfit, Word};
use super::{Checked, Machine, Violation};

impl Machine {
    /// A store of `bits` to the word at `address`.
    pub(super) fn store(&mut self, address: usize, bits: u64) -> Checked {
        let word = self.memory.locate(address);
        let word = word.ok_or(Violation::Foreign { address })?;
        let places = self.memory.places(word.table);
        if places.is_empty() {
            self.memory.fill(word, bits);
            return Ok(());
        }
        let is_same =
            |place: &Place| self.memory.latest(word, place.level) == decode(bits, place.level);
        if places.iter().all(is_same) {
            self.memory.replace(word, bits);
            return Ok(());
        }
        for place in places {
            self.change(word, place, bits)?;
        }
        self.memory.put(word, bits);
        Ok(())
    }

    /// Walks that meet the table of `word` at `place` can find `bits` there, too.
    fn change(&mut self, word: Word, place: Place, bits: u64) -> Checked {
        let (va, level) = (place.slot(word.index), place.level);
        let new = decode(bits, level);
        if new.is_contiguous() || self.memory.latest(word, level).is_contiguous() {
            self.groups.insert((word.table, word.index / GROUP));
        }
        match new {
            Descriptor::Invalid => return Ok(()),
            Descriptor::Reserved => return Err(Violation::Reserved { va, level, bits }),
            _ => {}
        }
        if !self.is_linked(word.table, place) {
            let address = word.address();
            return Err(Violation::BehindStalePointer { va, address });
        }
        let visible = self.memory.visible(word, level);
        for old in &visible {
            check_broken(*old, va, new, va, level)?;
        }
        self.check_group(word, place, new)?;
        if visible.contains(&new) {
            return Ok(());
        }
        self.appear(new, va, level)
    }

    /// Whether the tables as they were stored last lead from the root to `table` at `place`.
    pub(super) fn is_linked(&self, table: usize, place: Place) -> bool {
        let mut at = self.root;
        for level in 0..place.level {
            let word = Word {
                table: at,
                index: index_of(place.va, level),
            };
            match self.memory.latest(word, level) {
                Descriptor::Table(next) => at = next,
                _ => return false,
            }
        }
        at == table
    }

    /// Checks `new` against the other members of its group, if one of them is contiguous.
    fn check_group(&self, word: Word, place: Place, new: Descriptor) -> Checked {
        let va = place.slot(word.index);
        let translation = new.translation(va);
        if new.is_contiguous() && !translation.is_some_and(|group| group.is_aligned()) {
            return Err(Violation::Contiguous { va });
        }
        let first = word.index / GROUP * GROUP;
        for index in (first..first + GROUP).filter(|index| *index != word.index) {
            let member = Word { index, ..word };
            let member_va = place.slot(index);
            for old in self.memory.visible(member, place.level) {
                let alike = old.translation(member_va) == translation;
                if alike || !old.is_contiguous() && !new.is_contiguous() {
                    continue;
                }
                if old == self.memory.latest(member, place.level) {
                    return Err(Violation::Contiguous { va });
                }
                check_broken(old, member_va, new, va, place.level)?;
            }
        }
        Ok(())
    }

    /// A walk finds `new`, in the entry for `va` of a table of `level`, that none found before.
    fn appear(&mut self, new: Descriptor, va: usize, level: usize) -> Checked {
        let Some(cached) = new.cached(va, level) else {
            return Ok(());
        };
        if let Some(old) = self.tlb.rival(cached) {
            let new = cached;
            return Err(Violation::NotBroken { va, old, new });
        }
        let pointer = match cached {
            Cached::Pointer(pointer) => pointer,
            Cached::Leaf(leaf) => {
                self.globals.appear(leaf);
                self.tlb.forget(cached);
                return Ok(());
            }
        };
        let place = Place {
            va,
            level: level + 1,
        };
        self.reach(pointer.table, place)?;
        if self.tlb.forget(cached) {
            self.memory.release(pointer.table, place);
        }
        Ok(())
    }

    /// Walks come to `table` at `place`.
    fn reach(&mut self, table: usize, place: Place) -> Checked {
        let va = place.va;
        let at = |index| Word { table, index }.address();
        let is_first = self
            .memory
            .refer(table, place)
            .map_err(|unfit| match unfit {
                Unfit::Foreign => Violation::NoTable { va, frame: table },
                Unfit::Unknown(index) => Violation::Unfilled {
                    va: place.slot(index),
                    address: at(index),
                },
                Unfit::Unordered(index) => Violation::Unordered {
                    va: place.slot(index),
                    address: at(index),
                },
            })?;
        if !is_first {
            return Ok(());
        }
        self.meet_readers(table, place);
        for (index, bits) in self.memory.words(table).into_iter().enumerate() {
            let (word, level) = (Word { table, index }, place.level);
            match decode(bits, level) {
                Descriptor::Invalid if !self.memory.is_older_seen(word) => {}
                Descriptor::Reserved => {
                    let va = place.slot(index);
                    return Err(Violation::Reserved { va, level, bits });
                }
                _ => self.find(word, place)?,
            }
        }
        Ok(())
    }

    /// Walks find what is in `word` of a table that they have come to.
    fn find(&mut self, word: Word, place: Place) -> Checked {
        for descriptor in self.memory.visible(word, place.level) {
            if descriptor.is_contiguous() {
                self.groups.insert((word.table, word.index / GROUP));
                self.check_group(word, place, descriptor)?;
            }
            self.appear(descriptor, place.slot(word.index), place.level)?;
        }
        Ok(())
    }
}

/// Checks that `old`, for `old_va`, may be cached while `new`, for `va`, is made.
fn check_broken(
    old: Descriptor,
    old_va: usize,
    new: Descriptor,
    va: usize,
    level: usize,
) -> Checked {
    match (old.cached(old_va, level), new.cached(va, level)) {
        (Some(old), Some(new)) if old.needs_break(new) => {
            Err(Violation::NotBroken { va, old, new })
        }
        _ => Ok(()),
    }
}

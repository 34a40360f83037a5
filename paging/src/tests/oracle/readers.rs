//! Software that walks tables which others share with the writer.
//!
//! A walk that has begun may stand in any table that could be reached since: it goes on from what
//! it has read, however long ago that was. It caches nothing beyond its end.
#![forbid(unsafe_code)]

use core::ops::Range;
use std::collections::BTreeSet;

use super::Machine;
use super::memory::Place;

/// A walk, and the tables that it may stand in.
pub(super) type Reader = (usize, BTreeSet<usize>);

impl Machine {
    /// Lets other spaces translate `lent` by this machine's tables, and others walk them.
    pub(in super::super) fn lending(mut self, lent: Range<usize>) -> Self {
        self.lent = lent.clone();
        self.tlb.lend(lent);
        self
    }

    /// The walk `reader` begins.
    pub(super) fn begin_walk(&mut self, reader: usize) {
        let tables = self.memory.tables_at(|place| self.lent.contains(&place.va));
        self.readers.push((reader, tables));
    }

    /// The walk `reader` ends.
    pub(super) fn end_walk(&mut self, reader: usize) {
        self.readers.retain(|(other, _)| *other != reader);
    }

    /// Walks can come to `table`, at `place`, from now on.
    pub(super) fn meet_readers(&mut self, table: usize, place: Place) {
        if self.lent.contains(&place.va) {
            for (_, tables) in &mut self.readers {
                tables.insert(table);
            }
        }
    }
}

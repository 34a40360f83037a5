//! The frames that walkers can reach: the trees of live roots.
//!
//! A frame is a table while a root reaches it that a core uses or may still use. What is linked is
//! added at once; when a table was unlinked, the map is made anew, from the roots down, at the next
//! store to a table.

use std::collections::BTreeMap;

use super::old::Root;
use crate::memory::{FRAME, Memory};
use crate::translate::walk::{ADDRESS, TABLE_OR_PAGE, VALID, shift};

/// The place of a table in a tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// The level of its entries, 0 to 3.
    pub(super) level: u8,
    /// The first address that it translates.
    pub(super) first: u64,
    /// The tree's root.
    pub(super) root: Root,
}

/// Tables by their frames; a shared one has several places.
#[derive(Default)]
pub(super) struct Tables {
    places: BTreeMap<u64, Vec<Place>>,
    outdated: bool,
}

impl Tables {
    /// A table was unlinked, or a root went.
    pub(super) fn outdate(&mut self) {
        self.outdated = true;
    }

    /// Makes the map anew if a table was unlinked, or a root went.
    pub(super) fn refresh(&mut self, roots: &[Root], level: u8, memory: &mut Memory) {
        if std::mem::take(&mut self.outdated) {
            self.places.clear();
            for root in roots {
                self.add_root(*root, level, memory);
            }
        }
    }

    /// Adds a tree; `level` is its root's.
    pub(super) fn add_root(&mut self, root: Root, level: u8, memory: &mut Memory) {
        let first = match root.high {
            true => u64::MAX << (64 - bits_above(level)),
            false => 0,
        };
        self.add(root.address, Place { level, first, root }, memory);
    }

    /// The places of the table at an address; none if no walker reaches it.
    pub(super) fn places(&self, address: u64) -> &[Place] {
        let frame = address & !(FRAME as u64 - 1);
        self.places.get(&frame).map_or(&[], Vec::as_slice)
    }

    /// Adds a table and what it leads to.
    pub(super) fn add(&mut self, table: u64, place: Place, memory: &mut Memory) {
        let frame = table & !(FRAME as u64 - 1);
        if !memory.holds(frame) {
            return;
        }
        let places = self.places.entry(frame).or_default();
        if places.contains(&place) {
            return;
        }
        places.push(place);
        memory.watch(frame);
        if place.level == 3 {
            return;
        }
        for index in 0..FRAME as u64 / 8 {
            let descriptor = memory.descriptor(frame + index * 8);
            if descriptor & (VALID | TABLE_OR_PAGE) == VALID | TABLE_OR_PAGE {
                let first = place.first | index << shift(u32::from(place.level));
                let below = Place {
                    level: place.level + 1,
                    first,
                    ..place
                };
                self.add(descriptor & ADDRESS, below, memory);
            }
        }
    }
}

/// The number of address bits above a root's table of 512 entries.
fn bits_above(level: u8) -> u32 {
    16 + 9 * u32::from(level)
}

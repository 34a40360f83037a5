//! Questions about whole trees of tables.

use super::descriptor::{conflicts, is_kept, is_table};
use crate::memory::{FRAME, Memory};
use crate::translate::walk::{ADDRESS, VALID, shift};

/// The entries of a table.
const ENTRIES: u64 = FRAME as u64 / 8;

fn entry(memory: &mut Memory, table: u64, index: u64) -> u64 {
    let place = (table & !(FRAME as u64 - 1)) + index * 8;
    match memory.holds(place) {
        true => memory.descriptor(place),
        false => 0,
    }
}

/// Whether the table at an address has no valid entry.
pub(super) fn is_empty(memory: &mut Memory, table: u64) -> bool {
    (0..ENTRIES).all(|index| entry(memory, table, index) & VALID == 0)
}

/// The leaves that are looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// Those that apply under every ASID.
    Global,
    /// All.
    Tagged,
}

/// Whether a tree has a leaf that a TLB may hold.
pub(super) fn has_leaf(memory: &mut Memory, table: u64, level: u8, reach: Reach) -> bool {
    (0..ENTRIES).any(|index| {
        let descriptor = entry(memory, table, index);
        match is_table(level, descriptor) {
            true => has_leaf(memory, descriptor & ADDRESS, level + 1, reach),
            false => {
                let global = descriptor >> 11 & 1 == 0;
                is_kept(level, descriptor) && (global || reach == Reach::Tagged)
            }
        }
    })
}

/// Whether two trees translate an address by entries that may not stand side by side in a TLB.
pub(super) fn clash(memory: &mut Memory, tables: [u64; 2], level: u8) -> bool {
    if tables[0] & ADDRESS == tables[1] & ADDRESS {
        return false;
    }
    (0..ENTRIES).any(|index| {
        let [one, other] = tables.map(|table| entry(memory, table, index));
        if !is_kept(level, one) || !is_kept(level, other) {
            return false;
        }
        if is_table(level, one) && is_table(level, other) {
            return clash(memory, [one & ADDRESS, other & ADDRESS], level + 1);
        }
        let first = index << shift(u32::from(level));
        conflicts((level, one, first), (level, other, first))
    })
}

//! What must happen between the old tree and the new one. Reads descriptors by itself: DDI 0487
//! D8.3 for their bits, D8.17.1 for what needs break-before-make.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::memory::{Event, word};
use crate::paging::{ENTRIES, InvalidateScope};

/// An entry that is not zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    bits: u64,
    va: usize,
    bytes: usize,
    is_table: bool,
}

impl Entry {
    const fn is_valid(self) -> bool {
        self.bits & 1 == 1
    }

    const fn output(self) -> usize {
        (self.bits & 0x0000_ffff_ffff_f000) as usize
    }

    /// Whether the hardware must not see `new` while it may still hold this entry.
    fn needs_break(self, new: Self) -> bool {
        // AttrIndx 4:2, SH 9:8, output address 47:12, and bit 1; nG is bit 11.
        let changed = (self.bits ^ new.bits) & (0x0000_ffff_ffff_f000 | 0x1c | 0x300 | 2) != 0;
        changed || self.bits >> 11 & 1 > new.bits >> 11 & 1
    }

    fn holds(self, va: usize) -> bool {
        va.wrapping_sub(self.va) < self.bytes
    }
}

/// The entries of a tree by table and index.
pub(super) type Entries = BTreeMap<(usize, usize), Entry>;

/// All entries below the root table at `root`, which translates from `base` on.
pub(super) fn entries(root: usize, base: usize) -> Entries {
    let mut found = Entries::new();
    collect(root, 0, base, &mut found);
    found
}

fn collect(table: usize, level: usize, base: usize, found: &mut Entries) {
    let bytes = 1 << (39 - 9 * level);
    for index in 0..ENTRIES {
        let bits = word(table, index);
        let is_table = level < 3 && bits & 0b11 == 0b11;
        let va = base + index * bytes;
        let entry = Entry {
            bits,
            va,
            bytes,
            is_table,
        };
        if bits != 0 {
            found.insert((table, index), entry);
        }
        if is_table {
            collect(entry.output(), level + 1, va, found);
        }
    }
}

/// Panics unless `log` leads from `before` to `after` safely and without waste. Returns whether
/// anything had to be invalidated.
pub(super) fn check(before: &Entries, after: &Entries, log: &[Event]) -> bool {
    let mut owed = false;
    for (slot, old) in before {
        let new = after.get(slot);
        if new.is_some_and(|new| new.bits == old.bits) || !old.is_valid() {
            continue;
        }
        owed = true;
        check_replaced(*slot, *old, new.copied(), log);
    }
    for (slot, new) in after {
        if new.is_valid() && before.get(slot).is_none_or(|old| old.bits != new.bits) {
            check_published(*slot, *new, log);
        }
    }
    check_unlinked_tables(before, after, log);
    assert_eq!(owed, log.contains(&Event::Begin), "{log:x?}");
    owed
}

/// The places in `log` of the stores to `slot`.
fn stores(slot: (usize, usize), log: &[Event]) -> impl Iterator<Item = (usize, u64)> {
    log.iter()
        .enumerate()
        .filter_map(move |(place, event)| match *event {
            Event::Store { table, index, bits } if (table, index) == slot => Some((place, bits)),
            _ => None,
        })
}

/// The place in `log` at which an invalidation of `old` that began after `store` has ended.
fn invalidated(old: Entry, store: usize, log: &[Event]) -> usize {
    let mut begun = false;
    let mut halves = BTreeSet::new();
    for (place, event) in log.iter().enumerate().skip(store) {
        match *event {
            Event::Begin => begun = true,
            Event::InvalidateAll if begun => halves.extend([0, 1]),
            Event::Invalidate(va, scope) if begun && old.holds(va) => {
                let half = (va - old.va) / (old.bytes / 2).max(0x2000_0000);
                if !old.is_table {
                    halves.insert(half);
                } else if scope == InvalidateScope::AnyLevel {
                    halves.extend([0, 1]);
                }
            }
            Event::End => {
                // The core's TLB holds a 1 GiB block as two entries.
                let pieces = if old.bytes == 1 << 30 { 2 } else { 1 };
                if halves.len() >= pieces {
                    return place;
                }
                begun = false;
            }
            _ => {}
        }
    }
    panic!("{old:x?} is not invalidated after it was replaced: {log:x?}");
}

/// A valid entry was changed: it is invalidated; broken first where that is needed.
fn check_replaced(slot: (usize, usize), old: Entry, new: Option<Entry>, log: &[Event]) {
    let (first, bits) = stores(slot, log)
        .next()
        .expect("an entry that changed by itself");
    let done = invalidated(old, first, log);
    if let Some(new) = new
        && new.is_valid()
        && old.needs_break(new)
    {
        assert_eq!(bits & 1, 0, "{old:x?} meets {new:x?}: {log:x?}");
        let (made, _) = stores(slot, log).last().unwrap();
        assert!(
            done < made,
            "{new:x?} is made before {old:x?} is gone: {log:x?}"
        );
    }
    if old.is_table {
        let freed = log
            .iter()
            .position(|event| *event == Event::Free(old.output()));
        assert!(
            freed.is_some_and(|freed| done < freed),
            "{old:x?}: {log:x?}"
        );
    }
}

/// An entry became valid in a table that was there before: what it leads to was ordered before
/// it, and a barrier follows.
fn check_published(slot: (usize, usize), new: Entry, log: &[Event]) {
    let Some((made, _)) = stores(slot, log).last() else {
        return;
    };
    let (past, rest) = log.split_at(made);
    let mut events = past.iter().rev();
    let last = events.find(|event| matches!(event, Event::Fill { .. } | Event::OrderTable));
    assert!(
        !new.is_table || last == Some(&Event::OrderTable),
        "linked before it was ordered: {log:x?}"
    );
    assert!(
        rest.iter()
            .any(|event| matches!(event, Event::Publish | Event::End)),
        "{log:x?}"
    );
}

/// Nothing valid is written into a table that is not part of the tree any more.
fn check_unlinked_tables(before: &Entries, after: &Entries, log: &[Event]) {
    let tables = |entries: &Entries| -> BTreeSet<usize> {
        entries
            .values()
            .filter(|entry| entry.is_table)
            .map(|entry| entry.output())
            .collect()
    };
    let linked = tables(after);
    for gone in tables(before).difference(&linked) {
        for event in log {
            if let Event::Store { table, bits, .. } = event
                && table == gone
            {
                assert_eq!(bits & 1, 0, "{log:x?}");
            }
        }
    }
}

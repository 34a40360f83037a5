//! Merging many tables: some at a time, so that one invalidation serves all of those.
#![forbid(unsafe_code)]

use std::vec::Vec;

use crate::tests::formats::{A64High, Format, Table};
use crate::tests::memory::{Event, record_all};
use crate::tests::{G1, K4, M2, NONE, RO, RW, pa, va};
use crate::{PageSize, RegionOptions};

const HIGH: usize = 0xffff_0000_0000_0000;

/// What is kept from others, in which order, while `bytes` from `start` are mapped as pages, of
/// consecutive frames from `frame` on, and then merged.
fn broken_to_merge(start: usize, frame: usize, bytes: usize) -> Vec<Event> {
    let mut table: Table<A64High> = A64High::table();
    let region = table.map_region(va(start), pa(frame), bytes, RW, RegionOptions::empty());
    region.unwrap().flush();
    let (pages, log) = record_all(|| {
        let merged = table.compact(va(start), bytes).unwrap();
        let pages = merged.pages();
        merged.flush();
        pages
    });
    assert_eq!(pages, bytes / K4);
    let runs: Vec<_> = table
        .view()
        .iter(..)
        .map(|run| (run.va, run.bytes))
        .collect();
    assert_eq!(runs, [(va(start), bytes)]);
    let breaks = log.into_iter();
    breaks
        .filter(|event| matches!(event, Event::BeginBreak { .. }))
        .collect()
}

/// The frames from 2 MiB on, so that no blocks become a contiguous group.
#[test]
fn tables_are_merged_thirty_two_at_a_time() {
    let start = HIGH + 3 * M2;
    let first = Event::BeginBreak {
        start,
        bytes: 32 * M2,
    };
    let rest = Event::BeginBreak {
        start: start + 32 * M2,
        bytes: 8 * M2,
    };
    assert_eq!(broken_to_merge(start, M2, 40 * M2), [first, rest]);
    assert_eq!(broken_to_merge(start, M2, 32 * M2), [first]);
}

#[test]
fn tables_below_different_ones_are_merged_together() {
    let (start, bytes) = (HIGH + G1 - M2, 2 * M2);
    let both = Event::BeginBreak { start, bytes };
    assert_eq!(broken_to_merge(start, M2, bytes), [both]);
}

/// The thirty-second table of a batch is the last of its parent: the search goes on behind it, in
/// the next batch and not in this one.
#[test]
fn no_table_behind_a_full_batch_is_passed_over() {
    for tables in [1, 2, 31, 32, 33, 64] {
        let start = HIGH + G1 - 32 * M2;
        let breaks = broken_to_merge(start, M2, (32 + tables) * M2);
        assert_eq!(breaks.len(), 1 + tables.div_ceil(32), "{tables}");
    }
}

/// Pages, and blocks that were there before, become one block at once: every page is counted
/// once, and there is one break.
#[test]
fn what_becomes_a_larger_block_is_merged_and_counted_once() {
    let one = Event::BeginBreak {
        start: HIGH,
        bytes: G1,
    };
    assert_eq!(broken_to_merge(HIGH, 0, G1), [one]);
    let mut table: Table<A64High> = A64High::table();
    for block in 0..512 {
        let (at, frame) = (va(HIGH + block * M2), pa(block * M2));
        if block % 2 == 0 {
            let map = table.map(at, frame, PageSize::Size2M, RW);
            map.unwrap().flush();
        } else {
            let map = table.map_region(at, frame, M2, RW, RegionOptions::CONTIGUOUS);
            map.unwrap().flush();
        }
    }
    let merged = table.compact(va(HIGH), 2 * G1).unwrap();
    assert_eq!(merged.pages(), G1 / K4);
    merged.flush();
    assert_eq!(table.query(va(HIGH)), Ok((pa(0), RW, PageSize::Size1G)));
    assert_eq!(table.check().map(|tree| tree.tables), Ok(2));
}

/// Pages that were a group, and of which one changed and changed back: 16 are broken, once, and
/// have the hint again; those beside them are not touched.
#[test]
fn sixteen_equal_leaves_are_a_group_again() {
    let mut table: Table<A64High> = A64High::table();
    let region = table.map_region(va(HIGH), pa(G1), 64 * K4, RW, RegionOptions::CONTIGUOUS);
    region.unwrap().flush();
    for flags in [RO, RW] {
        let (_, receipt) = table.protect(va(HIGH + 20 * K4), flags).unwrap();
        receipt.flush();
    }
    assert_eq!(table.check().map(|tree| tree.contiguous), Ok(48));
    let ((), log) = record_all(|| {
        let receipt = table.compact(va(HIGH), 64 * K4).unwrap();
        assert_eq!(receipt.pages(), 0);
        receipt.flush();
    });
    let (start, bytes) = (HIGH + 16 * K4, 16 * K4);
    assert_eq!(log[0], Event::BeginBreak { start, bytes });
    let stores = |event: &&Event| matches!(event, Event::Store { .. });
    assert_eq!(log.iter().filter(stores).count(), 2 * 16);
    assert_eq!(table.check().map(|tree| tree.contiguous), Ok(64));
    let log = record_all(|| table.compact(va(HIGH), 64 * K4).unwrap().flush()).1;
    assert_eq!(log, []);
}

/// One leaf less than 16 in the region, a frame that does not follow, flags that differ, frames that
/// are not aligned, a leaf that is inaccessible: no group.
#[test]
fn what_no_entry_could_hold_is_no_group() {
    let pages = RegionOptions::empty();
    let compacted = |change: &dyn Fn(&mut Table<A64High>), frame: usize, pages_in: usize| {
        let mut table: Table<A64High> = A64High::table();
        let region = table.map_region(va(HIGH), pa(frame), 17 * K4, RW, pages);
        region.unwrap().flush();
        change(&mut table);
        table.compact(va(HIGH), pages_in * K4).unwrap().flush();
        table.check().map(|tree| tree.contiguous)
    };
    let nothing = |_: &mut Table<A64High>| ();
    assert_eq!(compacted(&nothing, G1, 16), Ok(16));
    assert_eq!(compacted(&nothing, G1, 15), Ok(0));
    assert_eq!(compacted(&nothing, G1 + K4, 17), Ok(0));
    for flags in [RO, NONE] {
        let change = |table: &mut Table<A64High>| {
            table.protect(va(HIGH + 7 * K4), flags).unwrap().1.flush();
        };
        assert_eq!(compacted(&change, G1, 17), Ok(0));
    }
    let remap = |table: &mut Table<A64High>| {
        let receipt = table.remap(va(HIGH + 15 * K4), pa(0), RW).unwrap().1;
        receipt.flush();
    };
    assert_eq!(compacted(&remap, G1, 17), Ok(0));
}

/// More groups than one break has room for, of pages and of blocks.
#[test]
fn groups_are_made_thirty_two_at_a_time() {
    let mut table: Table<A64High> = A64High::table();
    let pages = RegionOptions::empty();
    let region = table.map_region(va(HIGH), pa(G1), M2 - K4, RW, pages);
    region.unwrap().flush();
    let blocks = RegionOptions::HUGE;
    let region = table.map_region(va(HIGH + 16 * M2), pa(G1 + 16 * M2), 100 * M2, RO, blocks);
    region.unwrap().flush();
    let log = record_all(|| table.compact(va(HIGH), G1).unwrap().flush()).1;
    let breaks = log
        .iter()
        .filter(|event| matches!(event, Event::BeginBreak { .. }));
    assert_eq!(breaks.count(), 2);
    let all = 31 * 16 + 6 * 16;
    assert_eq!(table.check().map(|tree| tree.contiguous), Ok(all));
}

//! Merging many tables: some at a time, so that one invalidation serves all of those.
#![forbid(unsafe_code)]

use std::vec::Vec;

use crate::tests::formats::{A64High, Format, Table};
use crate::tests::memory::{Event, record_all};
use crate::tests::{G1, K4, M2, RW, pa, va};
use crate::{PageSize, RegionOptions};

const HIGH: usize = 0xffff_0000_0000_0000;

/// What is kept from others, in which order, while `bytes` from `start` are mapped as pages, of
/// consecutive frames, and then merged.
fn broken_to_merge(start: usize, bytes: usize) -> Vec<Event> {
    let mut table: Table<A64High> = A64High::table();
    let region = table.map_region(va(start), pa(0), bytes, RW, RegionOptions::empty());
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
    assert_eq!(broken_to_merge(start, 40 * M2), [first, rest]);
    assert_eq!(broken_to_merge(start, 32 * M2), [first]);
}

#[test]
fn tables_below_different_ones_are_merged_together() {
    let (start, bytes) = (HIGH + G1 - M2, 2 * M2);
    let both = Event::BeginBreak { start, bytes };
    assert_eq!(broken_to_merge(start, bytes), [both]);
}

/// The thirty-second table of a batch is the last of its parent: the search goes on behind it, in
/// the next batch and not in this one.
#[test]
fn no_table_behind_a_full_batch_is_passed_over() {
    for tables in [1, 2, 31, 32, 33, 64] {
        let start = HIGH + G1 - 32 * M2;
        let breaks = broken_to_merge(start, (32 + tables) * M2);
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
    assert_eq!(broken_to_merge(HIGH, G1), [one]);
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

//! What is invalidated, and when.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::{PAGES, invalidated, map};
use crate::tests::formats::{Format, Table, every_format};
use crate::tests::memory::{Event, record_all, recorded};
use crate::tests::{G1, K4, M2, RO, RW, pa};
use crate::{AddressSpace, GenericPTE, PageSize};

/// A region with a hole once ended in an error that left a flush pending which nobody held.
fn what_a_region_with_holes_removes_is_invalidated_and_nothing_else<F: Format>() {
    let mut table = F::table();
    for page in [0, 2, 3] {
        map::<F>(&mut table, page * K4, page * K4, PageSize::Size4K);
    }
    let unmapped = |table: &mut Table<F>| {
        table.unmap_region(F::va(0), 3 * K4).unwrap().flush();
    };
    assert_eq!(invalidated(&recorded(|| unmapped(&mut table))), 2);
    // An error leaves nothing pending.
    let log = recorded(|| assert!(table.unmap_region(F::va(0), K4 + 1).is_err()));
    assert_eq!(log, []);
}

/// A new mapping was once invalidated, and a region twice a page.
fn what_was_never_valid_is_invalidated_only_where_that_is_cached<F: Format>() {
    use crate::PagingMetaData;
    let mut table = F::table();
    let log = recorded(|| {
        let region = table.map_region(F::va(0), pa(0), 3 * K4, RW, PAGES);
        region.unwrap().flush();
    });
    let expected = if F::M::CACHES_INVALID { 3 } else { 0 };
    assert_eq!(invalidated(&log), expected);
}

/// Without an ASID, a global translation must be reached too; and hosts once saw no flush.
fn an_invalidation_reaches_global_translations<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0, PageSize::Size4K);
    let log = recorded(|| table.protect(F::va(0), RO).unwrap().1.flush());
    assert_eq!(invalidated(&log), 1);
    let spares = |event: &Event| match event {
        Event::Invalidate(_, space, _) | Event::InvalidateAll(space) => *space != AddressSpace::All,
        // The all-ASID forms have no ASID in their operand.
        Event::Tlbi(_, operand) => operand >> 44 != 0,
        _ => false,
    };
    assert!(!log.iter().any(spares));
}

/// A new frame with the old rights could once be seen between two stores.
fn a_leaf_is_never_seen_half_changed<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0x8000, PageSize::Size4K);
    let log = recorded(|| table.remap(F::va(0), pa(0x9000), RO).unwrap().1.flush());
    let entries = log.iter().filter_map(|event| match event {
        Event::Store { bits, .. } => Some(F::PTE::from_bits(*bits)),
        _ => None,
    });
    let entries: Vec<_> = entries.collect();
    let new = F::PTE::new_page(pa(0x9000), RO, PageSize::Size4K).unwrap();
    assert_eq!((entries.len(), entries[1]), (2, new));
    assert!(!entries[0].is_present());
    let log = recorded(|| table.protect(F::va(0), RW).unwrap().1.flush());
    let stores = log
        .iter()
        .filter(|event| matches!(event, Event::Store { .. }));
    assert_eq!(stores.count(), 1);
}

/// Only the first address of a table that went was once invalidated, or leaves only; or the
/// table was freed before.
fn every_leaf_of_a_table_that_goes_is_invalidated_before_it_is_freed<F: Format>() {
    let mut table = F::table();
    for page in [3, 5, 500] {
        map::<F>(&mut table, page * K4, page * K4, PageSize::Size4K);
    }
    let ((), log) = record_all(|| table.unmap_region(F::va(0), M2).unwrap().flush());
    assert_eq!(invalidated(&log), 3);
    let is_tlbi = |event: &Event| invalidated(core::slice::from_ref(event)) == 1;
    let last = log.iter().rposition(is_tlbi).unwrap();
    let freed = log.iter().position(|event| matches!(event, Event::Free(_)));
    assert!(freed.unwrap() > last + 1, "{log:x?}");
}

/// A live block was once overwritten by its table.
fn a_live_block_is_broken_before_it_is_split<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0, PageSize::Size1G);
    let log = recorded(|| table.unmap_region(F::va(K4), K4).unwrap().flush());
    let stores = log.iter().filter_map(|event| match event {
        Event::Store { bits, .. } => Some(F::PTE::from_bits(*bits).is_present()),
        _ => None,
    });
    assert_eq!(stores.collect::<Vec<_>>(), [false, true]);
    assert!(matches!(log[0], Event::BeginBreak { bytes: G1, .. }));
}

every_format! {
    what_a_region_with_holes_removes_is_invalidated_and_nothing_else,
    what_was_never_valid_is_invalidated_only_where_that_is_cached,
    an_invalidation_reaches_global_translations,
    a_leaf_is_never_seen_half_changed,
    every_leaf_of_a_table_that_goes_is_invalidated_before_it_is_freed,
    a_live_block_is_broken_before_it_is_split,
}

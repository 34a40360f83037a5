//! The exact order of stores, barriers and invalidations of each kind of operation.
//!
//! In a fresh table the root is frame 0; the first page mapped puts its tables of levels 1, 2
//! and 3 into frames 1, 2 and 3.

use std::vec::Vec;

use super::memory::{Event, record_all, recorded};
use super::{G1, HIGH, HighTable, K4, M2, RO, RW, high_table, pa, va};
use crate::paging::InvalidateScope::{AnyLevel, LastLevel};
use crate::paging::{LeafSizes, MappingFlags, PageSize};

const L1: usize = 0x1000;
const L2: usize = 0x2000;
const L3: usize = 0x3000;

/// Global, write-back: AttrIndx 4, inner shareable, AF, PXN and UXN; page.
const RW_PAGE: u64 = 0x0060_0000_0000_0713;
/// AP[2].
const READ_ONLY: u64 = 0x80;
const RO_PAGE: u64 = RW_PAGE | READ_ONLY;
const RW_BLOCK: u64 = RW_PAGE & !2;

const fn store(table: usize, index: usize, bits: u64) -> Event {
    Event::Store { table, index, bits }
}

/// A table with pages 0 and 1 of the half mapped to frames 0x8000_0000 and after.
fn two_pages() -> HighTable {
    let mut table = high_table();
    for offset in [0, K4] {
        let frame = pa(0x8000_0000 + offset);
        table
            .map(va(HIGH + offset), frame, PageSize::Size4K, RW)
            .unwrap()
            .flush();
    }
    table
}

/// A table with two blocks of `size` at the start of the half, at 0x8000_0000 and after.
fn two_blocks(size: PageSize) -> HighTable {
    let mut table = high_table();
    for block in 0..2 {
        let offset = block * size.bytes();
        table
            .map(va(HIGH + offset), pa(0x8000_0000 + offset), size, RW)
            .unwrap()
            .flush();
    }
    table
}

#[test]
fn mapping_orders_new_tables_links_them_with_one_store_and_publishes() {
    let mut table = high_table();
    let log = recorded(|| {
        table
            .map(va(HIGH), pa(0x5000), PageSize::Size4K, RW)
            .unwrap()
            .flush();
    });
    assert_eq!(
        log,
        [Event::OrderTable, store(0, 0, 0x1003), Event::Publish]
    );
    let log = recorded(|| {
        table
            .map(va(HIGH + K4), pa(0x6000), PageSize::Size4K, RW)
            .unwrap()
            .flush();
    });
    assert_eq!(log, [store(L3, 1, RW_PAGE | 0x6000), Event::Publish]);
}

#[test]
fn a_region_is_published_once_and_its_tables_are_full_before_they_are_linked() {
    let mut table = high_table();
    let (pages, log) = record_all(|| {
        let (start, size) = (va(HIGH + M2 - K4), M2 + 2 * K4);
        table
            .map_region(start, pa(0), size, RW, LeafSizes::PagesOnly)
            .unwrap()
            .pages()
    });
    assert_eq!(pages, 514);
    let is_link = |event: &Event| matches!(event, Event::Store { table: 0, .. });
    let link = log.iter().position(is_link).unwrap();
    assert_eq!(log[link - 1], Event::OrderTable);
    assert_eq!(log[link + 1..], [Event::Publish]);
}

#[test]
fn unmapping_a_leaf_waits_for_its_invalidation() {
    let mut table = two_pages();
    let log = recorded(|| {
        let frame = table.unmap(va(HIGH + K4)).unwrap().flush();
        assert_eq!(frame, pa(0x8000_1000));
    });
    let expected = [
        store(L3, 1, 0),
        Event::Begin,
        Event::Invalidate(HIGH + K4, LastLevel),
        Event::End,
    ];
    assert_eq!(log, expected);
}

#[test]
fn nothing_is_invalidated_and_no_table_freed_before_the_receipt_is_paid() {
    let mut table = high_table();
    table
        .map(va(HIGH), pa(0x5000), PageSize::Size4K, RW)
        .unwrap()
        .flush();
    let (receipt, log) = record_all(|| table.unmap(va(HIGH)).unwrap());
    assert!(
        log.iter().all(|event| matches!(event, Event::Store { .. })),
        "{log:x?}"
    );
    let (frame, log) = record_all(|| receipt.flush());
    assert_eq!((frame, log.len()), (pa(0x5000), 6));
}

#[test]
fn unmapping_the_last_leaf_frees_its_tables_after_one_invalidation_of_all_levels() {
    let mut table = high_table();
    table
        .map(va(HIGH), pa(0x5000), PageSize::Size4K, RW)
        .unwrap()
        .flush();
    let log = recorded(|| {
        let _ = table.unmap(va(HIGH)).unwrap().flush();
    });
    let expected = [
        store(L3, 0, 0),
        store(L2, 0, 0),
        // Unlinked tables are chained through their first words: bit 0 stays clear.
        store(L3, 0, 0b10),
        store(L1, 0, 0),
        store(L2, 0, L3 as u64),
        store(0, 0, 0),
        store(L1, 0, L2 as u64),
        Event::Begin,
        Event::Invalidate(HIGH, AnyLevel),
        Event::End,
        Event::Free(L1),
        Event::Free(L2),
        Event::Free(L3),
    ];
    assert_eq!(log, expected);
}

#[test]
fn a_table_that_held_only_retained_leaves_is_invalidated_all_the_same() {
    let mut table = two_pages();
    let size = 2 * K4;
    table
        .protect_region(va(HIGH), size, MappingFlags::empty())
        .unwrap()
        .flush();
    let mut log = recorded(|| table.unmap_region(va(HIGH), size).unwrap().flush());
    log.retain(|event| !matches!(event, Event::Store { .. }));
    let expected = [
        Event::Begin,
        Event::Invalidate(HIGH, AnyLevel),
        Event::End,
        Event::Free(L1),
        Event::Free(L2),
        Event::Free(L3),
    ];
    assert_eq!(log, expected);
}

#[test]
fn other_rights_need_no_break() {
    let mut table = two_pages();
    let end = [Event::Begin, Event::Invalidate(HIGH, LastLevel), Event::End];
    let not_global = RO.difference(MappingFlags::GLOBAL);
    let never_used = not_global.difference(MappingFlags::ACCESSED);
    // nG is bit 11, AF bit 10.
    for (flags, bits) in [
        (RO, RO_PAGE),
        (RW, RW_PAGE),
        (RO, RO_PAGE),
        (not_global, RO_PAGE | 1 << 11),
        (never_used, (RO_PAGE | 1 << 11) & !(1 << 10)),
    ] {
        let log = recorded(|| table.protect(va(HIGH), flags).unwrap().1.flush());
        let mut expected = Vec::from([store(L3, 0, bits | 0x8000_0000)]);
        expected.extend(end);
        assert_eq!(log, expected, "{flags}");
    }
}

#[test]
fn another_frame_memory_type_or_global_is_broken_before_it_is_made() {
    let local = RW.difference(MappingFlags::GLOBAL);
    let device = RW | MappingFlags::DEVICE;
    // AttrIndx is bits 4:2 (4 write-back, 3 non-cacheable, 1 nGnRE), SH bits 9:8, nG bit 11.
    let steps = [
        (0x9000_0000, RW, 0x9000_0713),
        (0x9000_0000, RW | MappingFlags::UNCACHED, 0x9000_070f),
        (0x9000_0000, device, 0x9000_0407),
        (0x9000_0000, RW, 0x9000_0713),
    ];
    let mut table = two_pages();
    let broken = |bits: u64| {
        [
            store(L3, 0, 0),
            Event::Begin,
            Event::Invalidate(HIGH, AnyLevel),
            Event::End,
            store(L3, 0, bits | 0x0060_0000_0000_0000),
            Event::Publish,
        ]
    };
    for (frame, flags, bits) in steps {
        let log = recorded(|| table.remap(va(HIGH), pa(frame), flags).unwrap().1.flush());
        assert_eq!(log, broken(bits), "{flags}");
    }
    table.protect(va(HIGH), local).unwrap().1.flush();
    let log = recorded(|| table.protect(va(HIGH), RW).unwrap().1.flush());
    assert_eq!(log, broken(0x9000_0713));
}

#[test]
fn a_block_of_1_gib_is_invalidated_in_both_halves() {
    let mut table = two_blocks(PageSize::Size1G);
    let log = recorded(|| {
        table.remap(va(HIGH), pa(4 * G1), RW).unwrap().1.flush();
    });
    let both = |scope| {
        [
            Event::Invalidate(HIGH, scope),
            Event::Invalidate(HIGH + G1 / 2, scope),
        ]
    };
    assert_eq!(log[2..4], both(AnyLevel));
    let log = recorded(|| {
        let _ = table.unmap(va(HIGH + 0x123_4567)).unwrap().flush();
    });
    assert_eq!(log[2..4], both(LastLevel));
    assert_eq!(log.len(), 5);
}

#[test]
fn one_invalidation_for_everything_past_the_limit() {
    let mut table = high_table();
    for pages in [16, 17] {
        let size = pages * K4;
        table
            .map_region(va(HIGH), pa(0), 600 * K4, RW, LeafSizes::PagesOnly)
            .unwrap()
            .flush();
        let mut log = recorded(|| table.unmap_region(va(HIGH), size).unwrap().flush());
        assert_eq!(
            log.drain(..pages)
                .filter(|event| matches!(event, Event::Store { .. }))
                .count(),
            pages
        );
        assert_eq!((log[0], log[log.len() - 1]), (Event::Begin, Event::End));
        let between = &log[1..log.len() - 1];
        if pages == 16 {
            let each: Vec<_> = (0..16)
                .map(|page| Event::Invalidate(HIGH + page * K4, LastLevel))
                .collect();
            assert_eq!(between, each);
        } else {
            assert_eq!(between, [Event::InvalidateAll]);
        }
        table.unmap_region(va(HIGH), 600 * K4).unwrap().flush();
    }
}

#[test]
fn a_dropped_receipt_pays() {
    let mut table = two_pages();
    let paid = recorded(|| drop(table.unmap(va(HIGH + K4)).unwrap()));
    assert_eq!(paid.last(), Some(&Event::End));
    let paid = recorded(|| drop(table.protect(va(HIGH), RO).unwrap()));
    assert_eq!(paid.last(), Some(&Event::End));
    let paid = recorded(|| drop(table.unmap_region(va(HIGH), K4).unwrap()));
    assert_eq!(paid.last(), Some(&Event::Free(L3)));
}

#[test]
fn an_ignored_receipt_pays_nothing() {
    let mut table = two_pages();
    let log = recorded(|| {
        let (_, receipt) = table.protect(va(HIGH), RO).unwrap();
        // SAFETY: no core uses this tree.
        unsafe { receipt.ignore() };
    });
    assert_eq!(log, [store(L3, 0, RO_PAGE | 0x8000_0000)]);
    let log = recorded(|| {
        let receipt = table.unmap_region(va(HIGH), 2 * K4).unwrap();
        // SAFETY: no core uses this tree.
        unsafe { receipt.ignore() };
    });
    let freed = [Event::Free(L1), Event::Free(L2), Event::Free(L3)];
    assert!(
        log.ends_with(&freed) && !log.contains(&Event::Begin),
        "{log:x?}"
    );
}

#[test]
fn a_block_is_broken_before_the_table_that_replaces_it_is_linked() {
    let mut table = two_blocks(PageSize::Size2M);
    let log = recorded(|| table.unmap_region(va(HIGH + K4), K4).unwrap().flush());
    let expected = [
        Event::OrderTable,
        store(L2, 0, 0),
        Event::Begin,
        Event::Invalidate(HIGH, AnyLevel),
        Event::End,
        store(L2, 0, L3 as u64 | 0b11),
        Event::Publish,
    ];
    assert_eq!(log, expected);
}

#[test]
fn invalidation_and_publication_are_paid_together() {
    let mut table = two_blocks(PageSize::Size2M);
    let size = M2 + M2 / 2;
    let log = recorded(|| {
        table
            .protect_region(va(HIGH + M2 / 2), size, RO)
            .unwrap()
            .flush()
    });
    let block = RW_BLOCK | READ_ONLY | 0x8020_0000;
    let rest = [
        store(L2, 1, block),
        Event::Begin,
        Event::Invalidate(HIGH + M2, LastLevel),
        Event::End,
    ];
    assert!(log.ends_with(&rest), "{log:x?}");
    assert!(!log.contains(&Event::Publish));
}

#[test]
fn what_is_not_present_is_never_invalidated() {
    let mut table = two_pages();
    let none = MappingFlags::empty();
    table.protect(va(HIGH), none).unwrap().1.flush();
    let back = recorded(|| table.protect(va(HIGH), RW).unwrap().1.flush());
    assert_eq!(back, [store(L3, 0, RW_PAGE | 0x8000_0000), Event::Publish]);

    table.protect(va(HIGH), none).unwrap().1.flush();
    let log = recorded(|| {
        table
            .remap(va(HIGH), pa(0x7000), MappingFlags::GLOBAL)
            .unwrap()
            .1
            .flush();
    });
    assert_eq!(log.len(), 1);
    let log = recorded(|| {
        let _ = table.unmap(va(HIGH)).unwrap().flush();
    });
    assert_eq!(log, [store(L3, 0, 0)]);
}

#[test]
fn a_retained_block_is_split_without_a_break() {
    let mut table = two_blocks(PageSize::Size2M);
    table
        .protect(va(HIGH), MappingFlags::empty())
        .unwrap()
        .1
        .flush();
    let log = recorded(|| table.protect_region(va(HIGH), K4, RW).unwrap().flush());
    assert_eq!(
        log,
        [
            Event::OrderTable,
            store(L2, 0, L3 as u64 | 0b11),
            Event::Publish
        ]
    );
}

#[test]
fn a_change_that_changes_nothing_and_a_refusal_do_nothing() {
    let mut table = two_blocks(PageSize::Size2M);
    let log = recorded(|| {
        table.protect(va(HIGH), RW).unwrap().1.flush();
        table.update(va(HIGH), None, None).unwrap().1.flush();
        table.protect_region(va(HIGH + K4), M2, RW).unwrap().flush();
        table.unmap_region(va(HIGH + 8 * M2), M2).unwrap().flush();
        assert!(table.unmap(va(HIGH + 8 * M2)).is_err());
        assert!(table.remap(va(HIGH), pa(1 << 40), RW).is_err());
        assert!(table.map(va(HIGH), pa(0), PageSize::Size4K, RW).is_err());
    });
    assert_eq!(log, []);
}

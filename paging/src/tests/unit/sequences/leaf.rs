//! One leaf: mapped, changed, unmapped.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::{
    HIGH, L1, L2, L3, ORDER, PUBLISH, RO_PAGE, RW_PAGE, high_table, invalidation,
    invalidation_of_broken, link, map, store, tlbi, tlbis, two_blocks, two_pages,
};
use crate::PageSize;
use crate::format::aarch64_tlb::Barrier::DsbIshst;
use crate::format::aarch64_tlb::Tlbi::{Vaae1is, Vaale1is};
use crate::tests::memory::{Event, recorded};
use crate::tests::{A, D, G, G1, K4, M2, N, NONE, RO, RW, pa, va};

#[test]
fn mapping_orders_new_tables_links_them_with_one_store_and_publishes() {
    let mut table = high_table();
    let log = recorded(|| map(&mut table, HIGH, 0x5000, PageSize::Size4K));
    let expected = [&[ORDER, store(0, 0, link(L1, 1))], &PUBLISH[..]].concat();
    assert_eq!(log, expected);
    let log = recorded(|| map(&mut table, HIGH + K4, 0x6000, PageSize::Size4K));
    let stores = [store(L3, 1, RW_PAGE | 0x6000), store(L2, 0, link(L3, 2))];
    assert_eq!(log, [&stores, &PUBLISH[..]].concat());
}

#[test]
fn unmapping_a_leaf_waits_for_its_invalidation() {
    let mut table = two_pages();
    let log = recorded(|| {
        let frame = table.unmap(va(HIGH + K4)).unwrap().flush();
        assert_eq!(frame, pa(0x8000_1000));
    });
    let stores = [store(L3, 1, 0), store(L2, 0, link(L3, 1))];
    let end = invalidation(&[tlbi(Vaale1is, HIGH + K4)]);
    assert_eq!(log, [&stores, &end[..]].concat());
}

#[test]
fn unmapping_the_last_leaf_frees_its_tables_after_one_invalidation_of_all_levels() {
    let mut table = high_table();
    map(&mut table, HIGH, 0x5000, PageSize::Size4K);
    let log = recorded(|| {
        let _ = table.unmap(va(HIGH)).unwrap().flush();
    });
    let stores = [
        store(L3, 0, 0),
        store(L2, 0, 0),
        // Unlinked tables are chained through their first words: bit 0 stays clear.
        store(L3, 0, 0),
        store(L1, 0, 0),
        store(L2, 0, L3 as u64 | 0b10),
        store(0, 0, 0),
        store(L1, 0, L2 as u64 | 0b10),
    ];
    let freed = [Event::Free(L1), Event::Free(L2), Event::Free(L3)];
    let middle = invalidation(&[tlbi(Vaae1is, HIGH)]);
    assert_eq!(log, [&stores[..], &middle, &freed].concat());
}

#[test]
fn other_rights_need_no_break() {
    let mut table = two_pages();
    let not_global = RO.difference(G);
    let never_used = not_global.difference(A);
    // nG is bit 11, AF bit 10.
    for (flags, bits) in [
        (RO, RO_PAGE),
        (RW, RW_PAGE),
        (RO, RO_PAGE),
        (not_global, RO_PAGE | 1 << 11),
        (never_used, (RO_PAGE | 1 << 11) & !(1 << 10)),
        (not_global, RO_PAGE | 1 << 11),
    ] {
        let log = recorded(|| table.protect(va(HIGH), flags).unwrap().1.flush());
        let stored = store(L3, 0, bits | 0x8000_0000);
        let expected = [&[stored], &invalidation(&[tlbi(Vaale1is, HIGH)])[..]].concat();
        assert_eq!(log, expected, "{flags}");
    }
}

#[test]
fn another_frame_memory_type_or_global_is_broken_before_it_is_made() {
    let local = RW.difference(G);
    // AttrIndx is bits 4:2 (4 write-back, 3 non-cacheable, 1 nGnRE), SH bits 9:8, nG bit 11.
    let steps = [
        (0x9000_0000, RW, 0x9000_0713),
        (0x9000_0000, RW | N, 0x9000_070f),
        (0x9000_0000, RW | D, 0x9000_0407),
        (0x9000_0000, RW, 0x9000_0713),
    ];
    let mut table = two_pages();
    let broken = |old: u64, new: u64| {
        let start = HIGH;
        let mut log = Vec::from([
            Event::BeginBreak { start, bytes: K4 },
            // The broken descriptor keeps everything but the valid bit.
            store(L3, 0, old & !1),
        ]);
        log.extend(invalidation_of_broken(&[tlbi(Vaae1is, HIGH)]));
        log.push(store(L3, 0, new));
        log.extend(PUBLISH);
        log.push(Event::EndBreak);
        log
    };
    let never = 0x0060_0000_0000_0000;
    let mut old = RW_PAGE | 0x8000_0000;
    for (frame, flags, bits) in steps {
        let log = recorded(|| table.remap(va(HIGH), pa(frame), flags).unwrap().1.flush());
        assert_eq!(log, broken(old, bits | never), "{flags}");
        old = bits | never;
    }
    table.protect(va(HIGH), local).unwrap().1.flush();
    let log = recorded(|| table.protect(va(HIGH), RW).unwrap().1.flush());
    assert_eq!(log, broken(old | 1 << 11, old));
}

#[test]
fn a_block_of_1_gib_is_invalidated_in_both_halves() {
    let mut table = two_blocks(PageSize::Size1G);
    let both = |form| [tlbi(form, HIGH), tlbi(form, HIGH + G1 / 2)];
    let log = recorded(|| table.remap(va(HIGH), pa(4 * G1), RW).unwrap().1.flush());
    assert_eq!(tlbis(&log), both(Vaae1is));
    let log = recorded(|| table.protect(va(HIGH), RO).unwrap().1.flush());
    assert_eq!(tlbis(&log), both(Vaale1is));
    let log = recorded(|| {
        let _ = table.unmap(va(HIGH + 0x123_4567)).unwrap().flush();
    });
    assert_eq!(tlbis(&log), both(Vaale1is));
}

#[test]
fn what_is_not_present_is_never_invalidated() {
    let mut table = two_pages();
    table.protect(va(HIGH), NONE).unwrap().1.flush();
    let back = recorded(|| table.protect(va(HIGH), RW).unwrap().1.flush());
    let stored = store(L3, 0, RW_PAGE | 0x8000_0000);
    assert_eq!(back, [&[stored], &PUBLISH[..]].concat());

    table.protect(va(HIGH), NONE).unwrap().1.flush();
    let log = recorded(|| table.remap(va(HIGH), pa(0x7000), G).unwrap().1.flush());
    assert_eq!(log.len(), 1);
    let log = recorded(|| {
        let _ = table.unmap(va(HIGH)).unwrap().flush();
    });
    assert_eq!(log, [store(L3, 0, 0), store(L2, 0, link(L3, 1))]);
}

#[test]
fn a_change_that_changes_nothing_and_a_refusal_do_nothing() {
    let mut table = two_blocks(PageSize::Size2M);
    let log = recorded(|| {
        table.protect(va(HIGH), RW).unwrap().1.flush();
        table.update(va(HIGH), None, None).unwrap().1.flush();
        table.protect_region(va(HIGH + K4), M2, RW).unwrap().flush();
        table.unmap_region(va(HIGH + 8 * M2), M2).unwrap().flush();
        table.compact(va(HIGH), 8 * M2).unwrap().flush();
        assert!(table.unmap(va(HIGH + 8 * M2)).is_err());
        assert!(table.remap(va(HIGH), pa(1 << 40), RW).is_err());
        assert!(table.map(va(HIGH), pa(0), PageSize::Size4K, RW).is_err());
    });
    assert_eq!(log, []);
}

#[test]
fn many_single_pages_are_mapped_without_an_invalidation() {
    let mut table = high_table();
    let log = recorded(|| {
        for page in 0..100 {
            let at = HIGH + page * 37 * M2;
            map(&mut table, at, page * K4, PageSize::Size4K);
        }
    });
    assert_eq!(tlbis(&log), []);
    let published = |event: &&Event| **event == Event::Barrier(DsbIshst);
    assert_eq!(log.iter().filter(published).count(), 100);
}

/// A frame that was filled is ordered before the leaf that maps it.
#[test]
fn contents_are_ordered_by_a_barrier_of_stores() {
    assert_eq!(recorded(super::HighTable::order_contents), [super::ORDER]);
}

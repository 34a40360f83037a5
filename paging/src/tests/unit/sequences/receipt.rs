//! When what an operation left pending is issued: by its receipt, by a later change, by a batch.

use crate::tests::spaces::set_asid;
use core::mem::forget;
use std::vec::Vec;

use super::{
    ADOPT, AFTER_TLBI, HIGH, L1, L2, L3, PUBLISH, RO_PAGE, RW_PAGE, high_table, invalidation, link,
    maintenance, map, map_pages, store, tlbi, two_pages, unordered,
};
use crate::format::aarch64_tlb::Tlbi::{Vaae1is, Vaale1is};
use crate::tests::memory::{Event, live_frames, record_all, recorded};
use crate::tests::{K4, M2, N, RO, RW, pa, va};
use crate::{PageSize, RegionOptions};

#[test]
fn nothing_is_invalidated_and_no_table_freed_before_the_receipt_is_flushed() {
    let mut table = high_table();
    map(&mut table, HIGH, 0x5000, PageSize::Size4K);
    let (receipt, log) = record_all(|| table.unmap(va(HIGH)).unwrap());
    assert!(log.iter().all(|event| matches!(event, Event::Store { .. })));
    let (frame, log) = record_all(|| receipt.flush());
    let freed = [Event::Free(L1), Event::Free(L2), Event::Free(L3)];
    let expected = [&invalidation(&[tlbi(Vaae1is, HIGH)])[..], &freed].concat();
    assert_eq!((frame, log), (pa(0x5000), expected));
}

#[test]
fn a_dropped_receipt_flushes() {
    let mut table = two_pages();
    let issued = recorded(|| drop(table.unmap(va(HIGH + K4)).unwrap()));
    assert!(issued.ends_with(&AFTER_TLBI));
    let issued = recorded(|| drop(table.protect(va(HIGH), RO).unwrap()));
    assert!(issued.ends_with(&AFTER_TLBI));
    let issued = recorded(|| drop(table.unmap_region(va(HIGH), K4).unwrap()));
    assert_eq!(issued.last(), Some(&Event::Free(L3)));
}

#[test]
fn an_ignored_receipt_issues_nothing() {
    let mut table = two_pages();
    let log = recorded(|| {
        let (_, receipt) = table.protect(va(HIGH), RO).unwrap();
        // SAFETY: no core uses this tree.
        unsafe { receipt.ignore() };
    });
    assert_eq!(log, [store(L3, 0, RO_PAGE | 0x8000_0000)]);
    let log = recorded(|| {
        let receipt = table.unmap(va(HIGH + K4)).unwrap();
        // SAFETY: no core uses this tree.
        assert_eq!(unsafe { receipt.ignore() }, pa(0x8000_1000));
        let receipt = table.unmap_region(va(HIGH), 2 * K4).unwrap();
        // SAFETY: no core uses this tree.
        unsafe { receipt.ignore() };
    });
    let freed = [Event::Free(L1), Event::Free(L2), Event::Free(L3)];
    assert_eq!(maintenance(log), freed);
}

#[test]
fn a_leaked_invalidation_is_issued_by_the_next_change_of_its_addresses() {
    let mut table = two_pages();
    let log = recorded(|| forget(table.unmap(va(HIGH + K4)).unwrap()));
    assert_eq!(maintenance(log), []);
    // The old translation of the page may be cached: it goes before the new one is made.
    let log = recorded(|| map(&mut table, HIGH + K4, 0x6000, PageSize::Size4K));
    let mut expected = Vec::from([ADOPT]);
    expected.extend(invalidation(&[tlbi(Vaale1is, HIGH + K4)]));
    expected.extend([store(L3, 1, RW_PAGE | 0x6000), store(L2, 0, link(L3, 2))]);
    expected.extend(PUBLISH);
    assert_eq!(unordered(log), expected);
    // Elsewhere, the new page can be made at once; both are issued at its end.
    forget(table.unmap(va(HIGH + K4)).unwrap());
    let log = recorded(|| map(&mut table, HIGH + 2 * K4, 0x7000, PageSize::Size4K));
    let stores = [store(L3, 2, RW_PAGE | 0x7000), store(L2, 0, link(L3, 2))];
    let end = invalidation(&[tlbi(Vaale1is, HIGH + K4)]);
    assert_eq!(unordered(log), [&stores[..], &[ADOPT], &end].concat());
}

#[test]
fn leaked_tables_are_given_back_with_the_next_flush() {
    let mut table = two_pages();
    forget(table.unmap_region(va(HIGH), 2 * K4).unwrap());
    assert_eq!(live_frames(), 4);
    let log = recorded(|| {
        let region = table.map_region(va(HIGH), pa(0), M2, RW, RegionOptions::HUGE);
        region.unwrap().flush();
    });
    let issued = invalidation(&[tlbi(Vaae1is, HIGH), tlbi(Vaae1is, HIGH + K4)]);
    assert_eq!(log.first(), Some(&ADOPT));
    assert!(log[1..].starts_with(&issued), "{log:x?}");
    assert_eq!(live_frames(), 3);
}

#[test]
fn a_batch_flushes_once() {
    let mut table = two_pages();
    let log = recorded(|| {
        table.batch(|mut batch| {
            let unmapped = batch.unmap(va(HIGH)).unwrap();
            batch.protect(va(HIGH + K4), RO).unwrap();
            batch
                .map(va(HIGH + 2 * K4), pa(0x7000), PageSize::Size4K, RW)
                .unwrap();
            let flushed = batch.finish();
            assert_eq!(unmapped.frame(&flushed), pa(0x8000_0000));
        });
    });
    let stores = [
        store(L3, 0, 0),
        store(L2, 0, link(L3, 1)),
        store(L3, 1, RO_PAGE | 0x8000_1000),
        store(L3, 2, RW_PAGE | 0x7000),
        store(L2, 0, link(L3, 2)),
    ];
    let both = [tlbi(Vaale1is, HIGH), tlbi(Vaale1is, HIGH + K4)];
    assert_eq!(unordered(log), [&stores[..], &invalidation(&both)].concat());
}

#[test]
fn a_batch_flushes_before_it_maps_what_it_unmapped() {
    let mut table = two_pages();
    let log = recorded(|| {
        table.batch(|mut batch| {
            let _ = batch.unmap(va(HIGH)).unwrap();
            batch
                .map(va(HIGH), pa(0x7000), PageSize::Size4K, RW)
                .unwrap();
        });
    });
    let stores = [store(L3, 0, 0), store(L2, 0, link(L3, 1))];
    let middle = invalidation(&[tlbi(Vaale1is, HIGH)]);
    let after = [store(L3, 0, RW_PAGE | 0x7000), store(L2, 0, link(L3, 2))];
    let expected = [&stores[..], &middle, &after, &PUBLISH].concat();
    assert_eq!(unordered(log), expected);
}

/// Whoever issues what it finds pending may be another core than the one that stored: its `dsb
/// ishst` would look at its own stores alone. What an operation itself adds needs no more than
/// that, and a batch stays on its core.
#[test]
fn what_is_found_pending_is_adopted_before_it_is_issued() {
    let is_adopted = |flush: &dyn Fn(&mut super::HighTable)| {
        let mut table = two_pages();
        map_pages(&mut table, HIGH + M2, 0x4000_0000, 512, super::PAGES);
        forget(table.unmap(va(HIGH + K4)).unwrap());
        let log = recorded(|| flush(&mut table));
        let maintenance = maintenance(log);
        let is_dsb = |event: &&Event| match event {
            Event::BeginBreak { .. } => false,
            event => **event != super::ORDER,
        };
        let first_dsb = maintenance.iter().find(is_dsb);
        assert!(maintenance.contains(&AFTER_TLBI[0]), "{maintenance:x?}");
        assert_eq!(first_dsb, Some(&ADOPT), "{maintenance:x?}");
    };
    is_adopted(&|table| table.batch(|batch| drop(batch)));
    is_adopted(&|table| set_asid(table, None));
    is_adopted(&|table| drop(table.unmap(va(HIGH)).unwrap()));
    is_adopted(&|table| table.protect(va(HIGH), RO).unwrap().1.flush());
    is_adopted(&|table| table.protect(va(HIGH), RW | N).unwrap().1.flush());
    is_adopted(&|table| table.unmap_region(va(HIGH), K4).unwrap().flush());
    is_adopted(&|table| table.protect_region(va(HIGH), M2, RO).unwrap().flush());
    is_adopted(&|table| table.compact(va(HIGH + M2), M2).unwrap().flush());
    is_adopted(&|table| map(table, HIGH + K4, 0, PageSize::Size4K));
    let options = RegionOptions::HUGE;
    is_adopted(&|table| {
        let region = table.map_region(va(HIGH + 2 * M2), pa(0), M2, RW, options);
        region.unwrap().flush();
    });
}

#[test]
fn a_table_that_goes_adopts_what_is_pending() {
    let mut table = two_pages();
    forget(table.unmap(va(HIGH + K4)).unwrap());
    let log = recorded(|| drop(table));
    assert_eq!(maintenance(log).first(), Some(&ADOPT));
}

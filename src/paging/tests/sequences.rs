//! The exact order of stores, barriers and invalidations of each kind of operation on A64, by the
//! rules of DDI 0487 D8.16 and D8.17.
//!
//! In a fresh table the root is frame 0; the first page mapped puts its tables of levels 1, 2
//! and 3 into frames 3, 2 and 1. A table's descriptor has the number of its used entries in bits
//! 11:2.

use core::mem::forget;
use std::vec::Vec;

use super::formats::{A64High, A64Low, Format, LA64, Sv39, Sv48, Table, X64};
use super::memory::{Event, begin_operation, live_frames, record_all, recorded, word, zeroed};
use super::{A, D, G, G1, K4, M2, N, NONE, R, RO, RW, U, W, pa, va};
use crate::paging::format::aarch64_tlb::Barrier::{DmbIshst, DsbIsh, DsbIshst, Isb};
use crate::paging::format::aarch64_tlb::Tlbi;
use crate::paging::format::aarch64_tlb::Tlbi::{
    Aside1is, Vaae1is, Vaale1is, Vae1is, Vale1is, Vmalle1is,
};
use crate::paging::{
    AddressSpace, Asid, InvalidateScope, MappingFlags, PageSize, PagingMetaData, RegionOptions,
};

const HIGH: usize = 0xffff_0000_0000_0000;
const L1: usize = 0x3000;
const L2: usize = 0x2000;
const L3: usize = 0x1000;
/// The level-2 table of [`two_blocks`] of 2 MiB, and the next frame: of the first split.
const BLOCKS: usize = 0x1000;
const SPLIT: usize = 0x3000;

/// Global, write-back: AttrIndx 4, inner shareable, AF, PXN and UXN; page.
const RW_PAGE: u64 = 0x0060_0000_0000_0713;
/// AP[2].
const READ_ONLY: u64 = 0x80;
const RO_PAGE: u64 = RW_PAGE | READ_ONLY;
/// Bit 1 is clear.
const RW_BLOCK: u64 = RW_PAGE & !2;
const CONTIGUOUS: u64 = 1 << 52;

const PAGES: RegionOptions = RegionOptions::empty();

type HighTable = Table<A64High>;

const fn store(table: usize, index: usize, bits: u64) -> Event {
    Event::Store { table, index, bits }
}

/// The descriptor of the table at `table` with `used` entries.
const fn link(table: usize, used: u64) -> u64 {
    table as u64 | used << 2 | 0b11
}

/// An invalidation by address, whatever the ASID.
const fn tlbi(form: Tlbi, at: usize) -> Event {
    Event::Tlbi(form, at as u64 >> 12 & 0x0fff_ffff_ffff)
}

const fn tlbi_asid(form: Tlbi, at: usize, asid: u64) -> Event {
    Event::Tlbi(form, at as u64 >> 12 & 0x0fff_ffff_ffff | asid << 48)
}

const PUBLISH: [Event; 2] = [Event::Barrier(DsbIshst), Event::Barrier(Isb)];
const ORDER: Event = Event::Barrier(DmbIshst);
const BEFORE_TLBI: Event = Event::Barrier(DsbIshst);
const AFTER_TLBI: [Event; 2] = [Event::Barrier(DsbIsh), Event::Barrier(Isb)];

/// Invalidations between their barriers.
fn invalidation(tlbis: &[Event]) -> Vec<Event> {
    [&[BEFORE_TLBI], tlbis, &AFTER_TLBI].concat()
}

fn is_tlbi(event: &&Event) -> bool {
    matches!(event, Event::Tlbi(..))
}

fn tlbis(log: &[Event]) -> Vec<Event> {
    log.iter().filter(is_tlbi).copied().collect()
}

/// Without what orders stores among themselves.
fn unordered(mut log: Vec<Event>) -> Vec<Event> {
    log.retain(|event| *event != ORDER);
    log
}

/// Without its stores.
fn maintenance(mut log: Vec<Event>) -> Vec<Event> {
    log.retain(|event| !matches!(event, Event::Store { .. }));
    log
}

fn high_table() -> HighTable {
    let table = A64High::table();
    assert_eq!(table.root_paddr(), pa(0));
    table
}

fn map(table: &mut HighTable, at: usize, frame: usize, size: PageSize) {
    table.map(va(at), pa(frame), size, RW).unwrap().flush();
}

fn map_pages(table: &mut HighTable, at: usize, frame: usize, pages: usize, options: RegionOptions) {
    let (at, frame) = (va(at), pa(frame));
    table
        .map_region(at, frame, pages * K4, RW, options)
        .unwrap()
        .flush();
}

/// A table with pages 0 and 1 of the half mapped to frames 0x8000_0000 and after.
fn two_pages() -> HighTable {
    let mut table = high_table();
    for offset in [0, K4] {
        map(
            &mut table,
            HIGH + offset,
            0x8000_0000 + offset,
            PageSize::Size4K,
        );
    }
    table
}

/// A table with two blocks of `size` at the start of the half, at 0x8000_0000 and after.
fn two_blocks(size: PageSize) -> HighTable {
    let mut table = high_table();
    for offset in [0, size.bytes()] {
        map(&mut table, HIGH + offset, 0x8000_0000 + offset, size);
    }
    table
}

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
fn a_region_is_published_once_and_its_tables_are_full_before_they_are_linked() {
    let mut table = high_table();
    let (pages, log) = record_all(|| {
        let (start, size) = (va(HIGH + M2 - K4), M2 + 2 * K4);
        table
            .map_region(start, pa(0), size, RW, PAGES)
            .unwrap()
            .pages()
    });
    assert_eq!(pages, 514);
    let is_link = |event: &Event| matches!(event, Event::Store { table: 0, .. });
    let link = log.iter().position(is_link).unwrap();
    assert_eq!(log[link - 1], ORDER);
    assert_eq!(log[link + 1..], PUBLISH);
    // A table that gets full at once is not zeroed before: those of the levels 1 and 2 are, and
    // the first and the last of level 3.
    assert_eq!(zeroed(), 4);
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
fn nothing_is_invalidated_and_no_table_freed_before_the_receipt_is_paid() {
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
        store(L3, 0, 0b10),
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
fn a_table_that_held_only_retained_leaves_is_invalidated_all_the_same() {
    let mut table = two_pages();
    let size = 2 * K4;
    table.protect_region(va(HIGH), size, NONE).unwrap().flush();
    let log = recorded(|| table.unmap_region(va(HIGH), size).unwrap().flush());
    let freed = [Event::Free(L1), Event::Free(L2), Event::Free(L3)];
    let expected = [&invalidation(&[tlbi(Vaae1is, HIGH)])[..], &freed].concat();
    assert_eq!(maintenance(log), expected);
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
        log.extend(invalidation(&[tlbi(Vaae1is, HIGH)]));
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
fn a_region_that_needs_a_break_is_broken_as_a_whole_and_invalidated_once() {
    let mut table = two_pages();
    let log = recorded(|| {
        table
            .protect_region(va(HIGH), 2 * K4, RW | D)
            .unwrap()
            .flush()
    });
    let (start, bytes) = (HIGH, 2 * K4);
    let frames = [0x8000_0000, 0x8000_1000];
    let device = |frame: u64| 0x0060_0000_0000_0407 | frame;
    let broken = |frame: u64| device(frame) & !1;
    let mut expected = Vec::from([
        Event::BeginBreak { start, bytes },
        store(L3, 0, broken(frames[0])),
        store(L3, 1, broken(frames[1])),
    ]);
    let each = [tlbi(Vaae1is, HIGH), tlbi(Vaae1is, HIGH + K4)];
    expected.extend(invalidation(&each));
    expected.extend([
        store(L3, 0, device(frames[0])),
        store(L3, 1, device(frames[1])),
    ]);
    expected.extend(PUBLISH);
    expected.push(Event::EndBreak);
    assert_eq!(log, expected);
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
fn past_32_addresses_everything_is_invalidated_with_one() {
    for pages in [1, 31, 32, 33, 100] {
        let mut table = high_table();
        map_pages(&mut table, HIGH, 0, 600, PAGES);
        let each: Vec<_> = (0..pages)
            .map(|page| tlbi(Vaale1is, HIGH + page * K4))
            .collect();
        let expected = match pages {
            ..=32 => each,
            _ => Vec::from([Event::Tlbi(Vmalle1is, 0)]),
        };
        let size = pages * K4;
        let log = recorded(|| table.protect_region(va(HIGH), size, RO).unwrap().flush());
        assert_eq!(maintenance(log), invalidation(&expected));
        let log = recorded(|| table.unmap_region(va(HIGH), size).unwrap().flush());
        assert_eq!(maintenance(log), invalidation(&expected));
    }
}

#[test]
fn a_dropped_receipt_pays() {
    let mut table = two_pages();
    let paid = recorded(|| drop(table.unmap(va(HIGH + K4)).unwrap()));
    assert!(paid.ends_with(&AFTER_TLBI));
    let paid = recorded(|| drop(table.protect(va(HIGH), RO).unwrap()));
    assert!(paid.ends_with(&AFTER_TLBI));
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
fn a_leaked_debt_is_paid_by_the_next_change_of_the_same_addresses() {
    let mut table = two_pages();
    let log = recorded(|| forget(table.unmap(va(HIGH + K4)).unwrap()));
    assert_eq!(maintenance(log), []);
    // The old translation of the page may be cached: it goes before the new one is made.
    let log = recorded(|| map(&mut table, HIGH + K4, 0x6000, PageSize::Size4K));
    let mut expected = invalidation(&[tlbi(Vaale1is, HIGH + K4)]);
    expected.extend([store(L3, 1, RW_PAGE | 0x6000), store(L2, 0, link(L3, 2))]);
    expected.extend(PUBLISH);
    assert_eq!(unordered(log), expected);
    // Elsewhere, the new page can be made at once; both are paid at its end.
    forget(table.unmap(va(HIGH + K4)).unwrap());
    let log = recorded(|| map(&mut table, HIGH + 2 * K4, 0x7000, PageSize::Size4K));
    let stores = [store(L3, 2, RW_PAGE | 0x7000), store(L2, 0, link(L3, 2))];
    let end = invalidation(&[tlbi(Vaale1is, HIGH + K4)]);
    assert_eq!(unordered(log), [&stores, &end[..]].concat());
}

#[test]
fn leaked_tables_are_given_back_with_the_next_payment() {
    let mut table = two_pages();
    forget(table.unmap_region(va(HIGH), 2 * K4).unwrap());
    assert_eq!(live_frames(), 4);
    let log = recorded(|| {
        let region = table.map_region(va(HIGH), pa(0), M2, RW, RegionOptions::HUGE);
        region.unwrap().flush();
    });
    let paid = invalidation(&[tlbi(Vaae1is, HIGH), tlbi(Vaae1is, HIGH + K4)]);
    assert!(log.starts_with(&paid), "{log:x?}");
    assert_eq!(live_frames(), 3);
}

#[test]
fn a_block_is_broken_before_the_table_that_replaces_it_is_linked() {
    let mut table = two_blocks(PageSize::Size2M);
    let log = recorded(|| table.unmap_region(va(HIGH + K4), K4).unwrap().flush());
    let (start, bytes) = (HIGH, M2);
    let mut expected = Vec::from([
        Event::BeginBreak { start, bytes },
        store(BLOCKS, 0, (RW_BLOCK | 0x8000_0000) & !1),
    ]);
    expected.extend(invalidation(&[tlbi(Vaae1is, HIGH)]));
    expected.extend([ORDER, store(BLOCKS, 0, link(SPLIT, 511))]);
    expected.extend(PUBLISH);
    expected.push(Event::EndBreak);
    assert_eq!(log, expected);
}

#[test]
fn both_ends_of_a_region_are_broken_together() {
    let mut table = two_blocks(PageSize::Size2M);
    let log = recorded(|| {
        let region = table.protect_region(va(HIGH + M2 / 2), M2, RO);
        region.unwrap().flush();
    });
    let both = [tlbi(Vaae1is, HIGH), tlbi(Vaae1is, HIGH + M2)];
    assert_eq!(tlbis(&log), both);
    let (start, bytes) = (HIGH, 2 * M2);
    assert_eq!(log[0], Event::BeginBreak { start, bytes });
}

#[test]
fn a_merge_breaks_the_table_invalidates_everything_and_then_makes_the_block() {
    let mut table = high_table();
    map_pages(&mut table, HIGH, 0x8000_0000, 513, PAGES);
    let l2 = word_table(word_table(0, 0), 0);
    let (old, child) = (word(l2, 0), word_table(l2, 0));
    let log = recorded(|| {
        assert_eq!(table.compact(va(HIGH), 2 * M2).unwrap().pages(), 512);
    });
    let (start, bytes) = (HIGH, M2);
    let mut expected = Vec::from([Event::BeginBreak { start, bytes }, store(l2, 0, old & !1)]);
    expected.extend(invalidation(&[Event::Tlbi(Vmalle1is, 0)]));
    expected.extend([store(l2, 0, RW_BLOCK | 0x8000_0000), Event::Free(child)]);
    expected.extend(PUBLISH);
    expected.push(Event::EndBreak);
    assert_eq!(log, expected);
}

#[test]
fn invalidation_and_publication_are_paid_together() {
    let mut table = two_blocks(PageSize::Size2M);
    let size = M2 + M2 / 2;
    let log = recorded(|| {
        let region = table.protect_region(va(HIGH + M2 / 2), size, RO);
        region.unwrap().flush();
    });
    let block = RW_BLOCK | READ_ONLY | 0x8020_0000;
    let mut rest = Vec::from([Event::EndBreak, store(BLOCKS, 1, block)]);
    rest.extend(invalidation(&[tlbi(Vaale1is, HIGH + M2)]));
    assert!(log.ends_with(&rest), "{log:x?}");
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
fn a_retained_block_is_split_without_a_break() {
    let mut table = two_blocks(PageSize::Size2M);
    table.protect(va(HIGH), NONE).unwrap().1.flush();
    let log = recorded(|| table.protect_region(va(HIGH), K4, RW).unwrap().flush());
    let linked = [ORDER, store(BLOCKS, 0, link(SPLIT, 512))];
    assert_eq!(log, [&linked, &PUBLISH[..]].concat());
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

/// A table of the low half under ASID 5, with a user's pages 0 to `pages`.
fn user_table(pages: usize) -> Table<A64Low> {
    let mut table = A64Low::table();
    table.set_asid(Some(Asid::new(5)));
    let flags = R | W | U | A;
    let region = table.map_region(va(0), pa(0x8000_0000), pages * K4, flags, PAGES);
    region.unwrap().flush();
    table
}

#[test]
fn a_space_with_an_asid_invalidates_its_own_translations_only() {
    const USER_RO: MappingFlags = R.union(U).union(A);
    let mut table = user_table(100);
    let log = recorded(|| table.protect(va(K4), USER_RO).unwrap().1.flush());
    assert_eq!(tlbis(&log), [tlbi_asid(Vale1is, K4, 5)]);
    let log = recorded(|| {
        table
            .protect_region(va(0), 40 * K4, USER_RO)
            .unwrap()
            .flush()
    });
    assert_eq!(tlbis(&log), [Event::Tlbi(Aside1is, 5 << 48)]);
    // Between break and make, no translation of any space may be left.
    let log = recorded(|| table.remap(va(0), pa(0), USER_RO).unwrap().1.flush());
    assert_eq!(tlbis(&log), [tlbi(Vaae1is, 0)]);
    let log = recorded(|| table.unmap_region(va(2 * K4), 98 * K4).unwrap().flush());
    assert_eq!(tlbis(&log), [Event::Tlbi(Aside1is, 5 << 48)]);
    let log = recorded(|| table.unmap_region(va(0), 2 * K4).unwrap().flush());
    let each = [tlbi_asid(Vae1is, 0, 5), tlbi_asid(Vae1is, K4, 5)];
    assert_eq!(tlbis(&log), each);
}

#[test]
fn another_asid_is_taken_when_what_is_owed_under_the_old_one_is_paid() {
    let mut table = user_table(2);
    forget(table.unmap(va(0)).unwrap());
    let log = recorded(|| table.set_asid(Some(Asid::new(6))));
    assert_eq!(log, invalidation(&[tlbi_asid(Vale1is, 0, 5)]));
    let log = recorded(|| {
        let _ = table.unmap(va(K4)).unwrap().flush();
    });
    assert_eq!(tlbis(&log), [tlbi_asid(Vae1is, K4, 6)]);
    table.set_asid(None);
}

/// The descriptors of the last-level table for the first page of the half.
fn leaves(count: usize) -> Vec<u64> {
    let last = word_table(word_table(word_table(0, 0), 0), 0);
    (0..count).map(|index| word(last, index)).collect()
}

#[test]
fn the_contiguous_hint_is_set_on_whole_aligned_groups_only() {
    let mut table = high_table();
    let options = RegionOptions::CONTIGUOUS;
    map_pages(&mut table, HIGH + 10 * K4, 0x8000_a000, 60, options);
    let hinted = |bits: &u64| bits & CONTIGUOUS != 0;
    let leaves = leaves(80);
    let groups = leaves.iter().map(hinted).enumerate();
    assert!(
        groups
            .clone()
            .all(|(index, hint)| hint == (16..64).contains(&index))
    );
    // Frames that are not aligned as the pages are make no group.
    map_pages(&mut table, HIGH + 2 * M2, 0x8000_1000, 64, options);
    assert_eq!(table.view().check(0..0).unwrap().contiguous, 48);
    // What is retained has no hint.
    let region = table.map_region(va(HIGH + 4 * M2), pa(0), 16 * K4, NONE, options);
    region.unwrap().flush();
    assert_eq!(table.view().check(0..0).unwrap().contiguous, 48);
    // Blocks of 2 MiB have it, too; those of 1 GiB do not.
    let options = options | RegionOptions::HUGE;
    map_pages(
        &mut table,
        HIGH + G1 - 32 * M2,
        4 * G1 - 32 * M2,
        (32 * M2 + 16 * G1) / K4,
        options,
    );
    assert_eq!(table.view().check(0..0).unwrap().contiguous, 80);
}

#[test]
fn changing_one_leaf_of_a_contiguous_group_breaks_all_16() {
    let each: Vec<_> = (0..16)
        .map(|page| tlbi(Vaae1is, HIGH + page * K4))
        .collect();
    type Change = fn(&mut HighTable);
    let changes: [Change; 4] = [
        |table| table.protect(va(HIGH + 5 * K4), RO).unwrap().1.flush(),
        |table| table.remap(va(HIGH + 5 * K4), pa(0), RW).unwrap().1.flush(),
        |table| drop(table.unmap(va(HIGH + 5 * K4)).unwrap()),
        |table| table.unmap_region(va(HIGH), 5 * K4).unwrap().flush(),
    ];
    for change in changes {
        let mut table = high_table();
        map_pages(&mut table, HIGH, 0x8000_0000, 32, RegionOptions::CONTIGUOUS);
        let log = recorded(|| change(&mut table));
        assert_eq!(tlbis(&log), each);
        let first_tlbi = log.iter().position(|event| is_tlbi(&event)).unwrap();
        let before = log[..first_tlbi].iter();
        let invalid = before.filter(
            |event| matches!(event, Event::Store { bits, .. } if bits & 1 == 0 && *bits != 0),
        );
        assert_eq!(invalid.count(), 16);
        let summary = table.view().check(0..0).unwrap();
        assert_eq!(summary.contiguous, 16, "the other group is as it was");
    }
}

#[test]
fn a_group_stays_one_when_a_region_covers_it_whole() {
    let mut table = high_table();
    map_pages(&mut table, HIGH, 0x8000_0000, 64, RegionOptions::CONTIGUOUS);
    let region = table.protect_region(va(HIGH + 8 * K4), 40 * K4, RO);
    region.unwrap().flush();
    let hinted = |bits: &u64| bits & CONTIGUOUS != 0;
    let groups: Vec<_> = leaves(64)
        .chunks(16)
        .map(|group| group.iter().all(hinted))
        .collect();
    assert_eq!(groups, [false, true, true, true]);
    let read_only = |bits: &u64| bits & READ_ONLY != 0;
    let changed = leaves(64).iter().filter(|bits| read_only(bits)).count();
    assert_eq!(changed, 40);
    assert_eq!(table.view().check(0..0).unwrap().contiguous, 48);
    // Nothing changes for a leaf of a group: nothing is broken.
    let log = recorded(|| {
        table.protect(va(HIGH + 20 * K4), RO).unwrap().1.flush();
        table
            .update(va(HIGH + 20 * K4), None, None)
            .unwrap()
            .1
            .flush();
        let same = pa(0x8000_0000 + 20 * K4);
        table.remap(va(HIGH + 20 * K4), same, RO).unwrap().1.flush();
    });
    assert_eq!(log, []);
}

#[test]
fn a_batch_pays_once() {
    let mut table = two_pages();
    let log = recorded(|| {
        table.batch(|mut batch| {
            let unmapped = batch.unmap(va(HIGH)).unwrap();
            batch.protect(va(HIGH + K4), RO).unwrap();
            batch
                .map(va(HIGH + 2 * K4), pa(0x7000), PageSize::Size4K, RW)
                .unwrap();
            let paid = batch.finish();
            assert_eq!(unmapped.frame(&paid), pa(0x8000_0000));
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
fn a_batch_settles_before_it_maps_what_it_unmapped() {
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

#[test]
fn mapping_a_gibibyte_in_pages_or_blocks_is_published_once() {
    let mut table = high_table();
    let log = recorded(|| map_pages(&mut table, HIGH, 0, G1 / K4, PAGES));
    let expected = [
        &[ORDER, store(0, 0, link(word_table(0, 0), 1))],
        &PUBLISH[..],
    ]
    .concat();
    assert_eq!(log, expected);
    // 2 MiB- but not 1 GiB-aligned.
    let blocks = RegionOptions::HUGE;
    let log = recorded(|| map_pages(&mut table, HIGH + 2 * G1, M2, G1 / K4, blocks));
    assert_eq!(tlbis(&log), []);
    assert!(log.ends_with(&PUBLISH));
    let barriers = |event: &&Event| matches!(event, Event::Barrier(_));
    assert_eq!(log.iter().filter(barriers).count(), 3);
}

/// The table that word `index` of `table` leads to.
fn word_table(table: usize, index: usize) -> usize {
    (word(table, index) & 0x0000_ffff_ffff_f000) as usize
}

#[test]
fn changing_a_gibibyte_of_pages_costs_one_invalidation() {
    let mut table = high_table();
    map_pages(&mut table, HIGH, 0, G1 / K4, PAGES);
    let everything = invalidation(&[Event::Tlbi(Vmalle1is, 0)]);
    let log = recorded(|| table.protect_region(va(HIGH), G1, RO).unwrap().flush());
    assert_eq!(maintenance(log), everything);
    let mut log = recorded(|| table.unmap_region(va(HIGH), G1).unwrap().flush());
    log.retain(|event| !matches!(event, Event::Free(_)));
    assert_eq!(maintenance(log), everything);
    assert_eq!(live_frames(), 1);
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

#[test]
fn a_kernel_map_is_made_without_an_invalidation() {
    let mut table = high_table();
    let parts = [
        (0x8_0000, 0x10_0000, RO | MappingFlags::EXECUTE),
        (0x18_0000, 0x4_0000, RO),
        (0x1c_0000, 0x8_0000, RW),
        (0x24_0000, 0x3c00_0000 - 0x24_0000, RW),
        (0x3f00_0000, 0x100_0000, RW | D),
        (0x4000_0000, 0x4_0000, RW | D),
    ];
    let log = recorded(|| {
        for (start, size, flags) in parts {
            let options = RegionOptions::all();
            let region = table.map_region(va(HIGH + start), pa(start), size, flags, options);
            region.unwrap().flush();
        }
    });
    assert_eq!(tlbis(&log), []);
    let isb = |event: &&Event| **event == Event::Barrier(Isb);
    assert_eq!(log.iter().filter(isb).count(), parts.len());
    table.view().check(0..0).unwrap();
}

/// What mapping, protecting and unmapping a page ask for where the machine may remember that an
/// entry was invalid, and where not.
fn a_format_that_caches_what_is_invalid_invalidates_it<F: Format>() {
    let mut table = F::table();
    let at = F::address(0);
    begin_operation(usize::MAX);
    let invalidated = |scope| {
        let invalidate = Event::Invalidate(at, AddressSpace::All, scope);
        Vec::from([Event::Begin, invalidate, Event::End])
    };
    let leaf = invalidated(InvalidateScope::LastLevel);
    let any = invalidated(InvalidateScope::AnyLevel);
    // Where a table is new, its entry was invalid before, too.
    let made = |invalidated: &[Event]| match F::M::CACHES_INVALID {
        true => invalidated.to_vec(),
        false => Vec::from([Event::Publish]),
    };
    let log = recorded(|| {
        let mapped = table.map(va(at), pa(0x5000), PageSize::Size4K, RW);
        mapped.unwrap().flush();
    });
    let expected = [&[Event::OrderTable], &made(&any)[..]].concat();
    assert_eq!(maintenance(log), expected);
    table.protect(va(at), NONE).unwrap().1.flush();
    let log = recorded(|| table.protect(va(at), RW).unwrap().1.flush());
    assert_eq!(maintenance(log), made(&leaf));
    let log = recorded(|| table.protect(va(at), RO).unwrap().1.flush());
    assert_eq!(maintenance(log), leaf);
    let mut log = recorded(|| drop(table.unmap(va(at)).unwrap()));
    log.retain(|event| !matches!(event, Event::Free(_)));
    assert_eq!(maintenance(log), any);
}

#[test]
fn other_formats_are_asked_for_what_they_need() {
    a_format_that_caches_what_is_invalid_invalidates_it::<X64>();
    a_format_that_caches_what_is_invalid_invalidates_it::<Sv39>();
    a_format_that_caches_what_is_invalid_invalidates_it::<Sv48>();
    a_format_that_caches_what_is_invalid_invalidates_it::<LA64>();
}

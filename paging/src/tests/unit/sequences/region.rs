//! Regions: published and invalidated once, whatever they hold.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::{
    HIGH, L1, L2, L3, ORDER, PAGES, PUBLISH, high_table, invalidation, invalidation_of_broken,
    link, maintenance, map_pages, store, tlbi, tlbis, two_pages, word_table,
};
use crate::format::aarch64_tlb::Barrier::Isb;
use crate::format::aarch64_tlb::Tlbi::{Vaae1is, Vaale1is, Vmalle1is};
use crate::tests::memory::{Event, live_frames, record_all, recorded, zeroed};
use crate::tests::{D, G1, K4, M2, NONE, RO, RW, pa, va};
use crate::{MappingFlags, RegionOptions};

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
fn a_table_that_held_only_inaccessible_leaves_is_invalidated_all_the_same() {
    let mut table = two_pages();
    let size = 2 * K4;
    table.protect_region(va(HIGH), size, NONE).unwrap().flush();
    let log = recorded(|| table.unmap_region(va(HIGH), size).unwrap().flush());
    let freed = [Event::Free(L1), Event::Free(L2), Event::Free(L3)];
    let expected = [&invalidation(&[tlbi(Vaae1is, HIGH)])[..], &freed].concat();
    assert_eq!(maintenance(log), expected);
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
    expected.extend(invalidation_of_broken(&each));
    expected.extend([
        store(L3, 0, device(frames[0])),
        store(L3, 1, device(frames[1])),
    ]);
    expected.extend(PUBLISH);
    expected.push(Event::EndBreak);
    assert_eq!(log, expected);
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

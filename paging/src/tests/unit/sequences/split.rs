//! Blocks that are split, and tables that are merged into one.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::{
    BLOCKS, HIGH, ORDER, PAGES, PUBLISH, READ_ONLY, RW_BLOCK, SPLIT, high_table, invalidation,
    invalidation_of_broken, link, map_pages, store, tlbi, tlbis, two_blocks, word_table,
};
use crate::PageSize;
use crate::format::aarch64_tlb::Tlbi::{Vaae1is, Vaale1is, Vmalle1is};
use crate::tests::memory::{Event, recorded, word};
use crate::tests::{K4, M2, NONE, RO, RW, va};

#[test]
fn a_block_is_broken_before_the_table_that_replaces_it_is_linked() {
    let mut table = two_blocks(PageSize::Size2M);
    let log = recorded(|| table.unmap_region(va(HIGH + K4), K4).unwrap().flush());
    let (start, bytes) = (HIGH, M2);
    let mut expected = Vec::from([
        Event::BeginBreak { start, bytes },
        store(BLOCKS, 0, (RW_BLOCK | 0x8000_0000) & !1),
    ]);
    expected.extend(invalidation_of_broken(&[tlbi(Vaae1is, HIGH)]));
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
    expected.extend(invalidation_of_broken(&[Event::Tlbi(Vmalle1is, 0)]));
    // The table is put aside by its first word, and goes back when all is done.
    expected.extend([store(l2, 0, RW_BLOCK | 0x8000_0000), store(child, 0, 0)]);
    expected.extend(PUBLISH);
    expected.extend([Event::Free(child), Event::EndBreak]);
    assert_eq!(log, expected);
}

#[test]
fn invalidation_and_publication_are_issued_together() {
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
fn a_inaccessible_block_is_split_without_a_break() {
    let mut table = two_blocks(PageSize::Size2M);
    table.protect(va(HIGH), NONE).unwrap().1.flush();
    let log = recorded(|| table.protect_region(va(HIGH), K4, RW).unwrap().flush());
    let linked = [ORDER, store(BLOCKS, 0, link(SPLIT, 512))];
    assert_eq!(log, [&linked, &PUBLISH[..]].concat());
}

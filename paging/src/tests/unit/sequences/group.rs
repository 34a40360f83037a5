//! Contiguous groups.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::{
    CONTIGUOUS, HIGH, HighTable, READ_ONLY, high_table, is_tlbi, map_pages, tlbi, tlbis, word_table,
};
use crate::RegionOptions;
use crate::format::aarch64_tlb::Tlbi::Vaae1is;
use crate::tests::memory::{Event, recorded, word};
use crate::tests::{G1, K4, M2, NONE, RO, RW, pa, va};

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
    // What is inaccessible has no hint.
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

//! Software bits: what keeps them, what takes them away, and that no hardware is told of them.
#![forbid(unsafe_code)]

use std::string::ToString;
use std::vec::Vec;

use crate::tests::formats::{A64High, Format, Table, every_format};
use crate::tests::memory::{Event, recorded, snapshot};
use crate::tests::{A, D, G, K4, M2, N, NONE, R, RO, RW, W, pa};
use crate::{Attributes, PageSize, PagingError, RegionOptions, SoftwareBits};

const FIRST: SoftwareBits = SoftwareBits::SOFTW1;
const SECOND: SoftwareBits = SoftwareBits::SOFTW2;
const NEITHER: SoftwareBits = SoftwareBits::empty();

/// A table whose first 2 MiB are mapped: as a block, as pages, or in groups.
fn mapped<F: Format>(options: RegionOptions) -> Table<F> {
    let mut table = F::table();
    let region = table.map_region(F::va(0), pa(0), M2, RW, options);
    region.unwrap().flush();
    table
}

fn software<F: Format>(table: &Table<F>, offset: usize) -> SoftwareBits {
    table.view().leaf(F::va(offset)).unwrap().software()
}

/// Gives the leaf at `offset` other bits. Its size.
fn set<F: Format>(table: &mut Table<F>, offset: usize, software: SoftwareBits) -> PageSize {
    let (size, flush) = table.set_software(F::va(offset), software).unwrap();
    flush.flush();
    size
}

/// The first bit for whatever can be written.
fn mark(mut leaf: Attributes) -> Attributes {
    if leaf.flags.contains(W) {
        leaf.software |= FIRST;
    }
    leaf
}

fn a_change_of_nothing_else_is_stored_and_not_invalidated<F: Format>() {
    let mut table = mapped::<F>(RegionOptions::empty());
    let stored = |log: &[Event]| {
        let stores = |event: &&Event| matches!(event, Event::Store { .. });
        let stores = log.iter().filter(stores).count();
        assert_eq!(stores, log.len(), "{log:?}");
        stores
    };
    let one = recorded(|| {
        let size = set::<F>(&mut table, 3 * K4 + 8, FIRST | SECOND);
        assert_eq!(size, PageSize::Size4K);
    });
    assert_eq!(stored(&one), 1);
    let again = recorded(|| {
        set::<F>(&mut table, 3 * K4, FIRST | SECOND);
    });
    assert_eq!(stored(&again), 0);
    let all = recorded(|| {
        let receipt = table.update_region_with(F::va(0), M2, mark).unwrap();
        assert_eq!(receipt.pages(), 512);
        receipt.flush();
    });
    assert_eq!(stored(&all), 511);
    assert_eq!(software::<F>(&table, 3 * K4), FIRST | SECOND);
    assert_eq!(software::<F>(&table, 4 * K4), FIRST);
    table.check().unwrap();
}

/// Other flags, with a break and without, one leaf and a region; inaccessible and back; another
/// frame; an update of the same leaf.
fn they_stay_when_flags_and_frames_change<F: Format>() {
    let mut table = mapped::<F>(RegionOptions::empty());
    set::<F>(&mut table, 0, FIRST);
    set::<F>(&mut table, K4, SECOND);
    let expect = |table: &Table<F>| {
        let bits: Vec<_> = (0..3).map(|page| software::<F>(table, page * K4)).collect();
        assert_eq!(bits, [FIRST, SECOND, NEITHER]);
    };
    let local = R | W | A;
    let mut flags = Vec::from([RO, NONE, RW, local, RW, G | A]);
    flags.extend([D, N].map(|memory| RW | memory));
    for flags in flags.into_iter().filter(|set| F::faults(*set).is_empty()) {
        let region = table.protect_region(F::va(0), M2, flags);
        region.unwrap().flush();
        expect(&table);
        let region = table.protect_region_with(F::va(0), M2, |flags| flags ^ A);
        region.unwrap().flush();
        expect(&table);
    }
    for page in 0..3 {
        table.protect(F::va(page * K4), NONE).unwrap().1.flush();
        let frame = pa(M2 + page * K4);
        let changed = table.remap(F::va(page * K4), frame, RO);
        changed.unwrap().1.flush();
    }
    expect(&table);
    table.check().unwrap();
}

fn each_piece_of_a_block_has_them<F: Format>() {
    let mut table = mapped::<F>(RegionOptions::HUGE);
    assert_eq!(set::<F>(&mut table, 5 * K4, SECOND), PageSize::Size2M);
    table.unmap_region(F::va(K4), K4).unwrap().flush();
    assert_eq!(software::<F>(&table, 0), SECOND);
    assert_eq!(software::<F>(&table, M2 - K4), SECOND);
    // What is mapped anew has none.
    let map = table.map(F::va(K4), pa(K4), PageSize::Size4K, RW);
    map.unwrap().flush();
    assert_eq!(software::<F>(&table, K4), NEITHER);
    // A part of a block that would not differ is not split off.
    let mut table = mapped::<F>(RegionOptions::HUGE);
    set::<F>(&mut table, 0, FIRST);
    let before = snapshot();
    let region = table.update_region_with(F::va(K4), K4, mark);
    region.unwrap().flush();
    assert!(snapshot() == before);
    // One that would differ is.
    let region = table.update_region_with(F::va(K4), K4, |leaf| Attributes {
        software: SECOND,
        ..leaf
    });
    region.unwrap().flush();
    let bits: Vec<_> = (0..3)
        .map(|page| software::<F>(&table, page * K4))
        .collect();
    assert_eq!(bits, [FIRST, SECOND, FIRST]);
}

fn leaves_are_folded_only_if_theirs_are_equal<F: Format>() {
    let mut table = mapped::<F>(RegionOptions::empty());
    let region = table.update_region_with(F::va(0), M2, mark);
    region.unwrap().flush();
    set::<F>(&mut table, 7 * K4, NEITHER);
    assert_eq!(table.compact(F::va(0), M2).unwrap().pages(), 0);
    set::<F>(&mut table, 7 * K4, FIRST);
    assert_eq!(table.compact(F::va(0), M2).unwrap().pages(), 512);
    let leaf = table.view().leaf(F::va(7 * K4)).unwrap();
    assert_eq!((leaf.size, leaf.software()), (PageSize::Size2M, FIRST));
}

/// One for each stretch of equal bits, which its text names.
fn runs_tell_them_apart<F: Format>() {
    let mut table = mapped::<F>(RegionOptions::empty());
    set::<F>(&mut table, 2 * K4, FIRST | SECOND);
    let runs: Vec<_> = table.iter(..).collect();
    let found: Vec<_> = runs.iter().map(|run| (run.bytes, run.software)).collect();
    let rest = M2 - 3 * K4;
    assert_eq!(
        found,
        [(2 * K4, NEITHER), (K4, FIRST | SECOND), (rest, NEITHER)]
    );
    assert!(runs[1].to_string().ends_with(" 4K SOFTW1 | SOFTW2"));
    let back: Vec<_> = table.iter(..).rev().map(|run| run.bytes).collect();
    assert_eq!(back, [rest, K4, 2 * K4]);
}

fn what_is_not_mapped_has_none<F: Format>() {
    let mut table = mapped::<F>(RegionOptions::empty());
    let va = F::va(M2);
    let refused = table.set_software(va, FIRST).err();
    assert_eq!(refused, Some(PagingError::NotMapped { va }));
    let region = table.update_region_with(va, M2, mark);
    assert_eq!(region.unwrap().pages(), 0);
}

every_format! {
    a_change_of_nothing_else_is_stored_and_not_invalidated,
    they_stay_when_flags_and_frames_change,
    each_piece_of_a_block_has_them,
    leaves_are_folded_only_if_theirs_are_equal,
    runs_tell_them_apart,
    what_is_not_mapped_has_none,
}

/// The group as a whole keeps its hint; if one leaf differs, all lose it, with one break.
#[test]
fn a_contiguous_group_stays_uniform() {
    let mut table = mapped::<A64High>(RegionOptions::CONTIGUOUS);
    let breaks = |log: &[Event]| {
        let begins = |event: &&Event| matches!(event, Event::BeginBreak { .. });
        log.iter().filter(begins).count()
    };
    let log = recorded(|| {
        let region = table.update_region_with(A64High::va(0), M2, mark);
        region.unwrap().flush();
    });
    assert_eq!((breaks(&log), log.len()), (0, 512));
    assert_eq!(table.check().unwrap().contiguous, 512);
    let log = recorded(|| {
        set::<A64High>(&mut table, 20 * K4, SECOND);
    });
    assert_eq!(breaks(&log), 1);
    assert_eq!(table.check().unwrap().contiguous, 512 - 16);
    assert_eq!(software::<A64High>(&table, 19 * K4), FIRST);
    assert_eq!(software::<A64High>(&table, 20 * K4), SECOND);
    assert_eq!(software::<A64High>(&table, 21 * K4), FIRST);
    // Equal again, they can be a group again.
    set::<A64High>(&mut table, 20 * K4, FIRST);
    table.compact(A64High::va(K4), M2 - K4).unwrap().flush();
    assert_eq!(table.check().unwrap().contiguous, 512);
}

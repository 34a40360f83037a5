//! A region's change by a function of each leaf's flags: how often the function is asked, what is
//! stored and invalidated, and what comes of answers that cannot be had.
#![forbid(unsafe_code)]

use std::vec::Vec;

use crate::format::aarch64_tlb::Tlbi;
use crate::tests::formats::{A64High, Format, Table, X64, every_format};
use crate::tests::memory::{Event, put_word, record_all, recorded, snapshot, word};
use crate::tests::{A, D, G, K4, M2, NONE, R, RO, RW, W, X, pa, va};
use crate::{MappingFlags, PageSize, PagingError, RegionOptions};

const HIGH: usize = 0xffff_0000_0000_0000;

/// Copy on write.
fn without_write(flags: MappingFlags) -> MappingFlags {
    flags.difference(W)
}

/// A table whose first pages have `flags`, in turn.
fn pages_of<F: Format>(flags: &[MappingFlags]) -> Table<F> {
    let mut table = F::table();
    for (page, flags) in flags.iter().enumerate() {
        let (at, frame) = (F::va(page * K4), pa(page * K4));
        let map = table.map(at, frame, PageSize::Size4K, *flags);
        map.unwrap().flush();
    }
    table
}

/// What the first `count` pages have.
fn flags_of<F: Format>(table: &Table<F>, count: usize) -> Vec<MappingFlags> {
    let leaf = |page| table.view().leaf(F::va(page * K4)).unwrap();
    (0..count).map(|page| leaf(page).flags()).collect()
}

/// Sets of flags that the format has, without an exception to W^X.
fn sets<F: Format>() -> Vec<MappingFlags> {
    let all = (0..MappingFlags::EXECUTE_ANYWAY.bits()).map(MappingFlags::from_bits_retain);
    all.filter(|flags| F::faults(*flags).is_empty()).collect()
}

fn the_function_is_asked_once_for_each_set_of_flags<F: Format>() {
    let mut table = pages_of::<F>(&[RW, RO, RW, NONE, RW, RO, R | X | G | A]);
    let mut asked = Vec::new();
    let receipt = table.protect_region_with(F::va(0), M2, |flags| {
        asked.push(flags);
        without_write(flags)
    });
    let receipt = receipt.unwrap();
    assert_eq!(receipt.pages(), 7);
    receipt.flush();
    assert_eq!(asked, [RW, RO, NONE, R | X | G | A]);
    let expected = [RO, RO, RO, NONE, RO, RO, R | X | G | A];
    assert_eq!(flags_of::<F>(&table, 7), expected);
    table.check().unwrap();
}

/// Also where some of them are broken first, because they become global or device memory.
fn more_sets_than_there_is_room_for_are_changed_all_the_same<F: Format>() {
    let sets = sets::<F>();
    assert!(sets.len() > 20);
    let functions: [fn(MappingFlags) -> MappingFlags; 3] = [
        without_write,
        |flags| flags ^ A,
        |flags| {
            let user = flags.contains(MappingFlags::USER);
            if user { flags } else { flags | G }
        },
    ];
    for function in functions {
        let mut table = pages_of::<F>(&sets);
        let expected: Vec<_> = sets.iter().map(|flags| function(*flags)).collect();
        let region = table.protect_region_with(F::va(0), M2, function);
        let receipt = region.unwrap();
        assert_eq!(receipt.pages(), sets.len());
        receipt.flush();
        assert_eq!(flags_of::<F>(&table, sets.len()), expected);
        table.check().unwrap();
    }
}

/// The last of many, so that it is in another part than the first.
fn an_answer_without_an_encoding_changes_nothing<F: Format>() {
    let sets = sets::<F>();
    let mut table = pages_of::<F>(&sets);
    let before = snapshot();
    let last = *sets.last().unwrap();
    let refused = G | MappingFlags::USER | R;
    let (result, log) = record_all(|| {
        let answer = |flags| if flags == last { refused } else { flags ^ A };
        let region = table.protect_region_with(F::va(0), M2, answer);
        region.map(drop)
    });
    assert!(matches!(result, Err(PagingError::Unsupported { flags, .. }) if flags == refused));
    assert!(log.is_empty() && snapshot() == before);
}

/// Pages that nobody asked the function about when it was whole are none: whatever it answers
/// later, each page has flags that it gave, or those of before.
fn a_function_that_changes_its_mind_is_no_harm<F: Format>() {
    let sets = sets::<F>();
    for turn in 1..3 * sets.len() {
        let mut table = pages_of::<F>(&sets);
        let mut calls = 0;
        let function = |flags: MappingFlags| {
            calls += 1;
            if calls < turn {
                flags
            } else {
                flags | G | MappingFlags::USER
            }
        };
        let region = table.protect_region_with(F::va(0), M2, function);
        let _ = region.map(drop);
        assert_eq!(flags_of::<F>(&table, sets.len()), sets);
        table.check().unwrap();
    }
}

/// A block that would not change is not split, one that would is, at the ends of the region alone.
fn a_block_is_split_only_if_its_own_flags_change<F: Format>() {
    let mut table = F::table();
    for (block, flags) in [RO, RW, RW].into_iter().enumerate() {
        let (at, frame) = (F::va(block * M2), pa(block * M2));
        let map = table.map(at, frame, PageSize::Size2M, flags);
        map.unwrap().flush();
    }
    let tables = table.view().count_tables();
    let region = table.protect_region_with(F::va(K4), 3 * M2 - 2 * K4, without_write);
    region.unwrap().flush();
    assert_eq!(table.view().count_tables(), tables + 1);
    let size = |at| table.query(F::va(at)).map(|(_, flags, size)| (flags, size));
    assert_eq!(size(0), Ok((RO, PageSize::Size2M)));
    assert_eq!(size(M2), Ok((RO, PageSize::Size2M)));
    assert_eq!(size(2 * M2), Ok((RO, PageSize::Size4K)));
    assert_eq!(size(3 * M2 - K4), Ok((RW, PageSize::Size4K)));
    table.check().unwrap();
}

every_format! {
    the_function_is_asked_once_for_each_set_of_flags,
    more_sets_than_there_is_room_for_are_changed_all_the_same,
    an_answer_without_an_encoding_changes_nothing,
    a_function_that_changes_its_mind_is_no_harm,
    a_block_is_split_only_if_its_own_flags_change,
}

/// The bits of maintenance that are not stores.
fn maintenance(log: &[Event]) -> Vec<Event> {
    let stores = |event: &&Event| !matches!(event, Event::Store { .. });
    log.iter().filter(stores).copied().collect()
}

#[test]
fn only_what_changes_is_stored_and_invalidated_in_one_batch() {
    use crate::format::aarch64_tlb::Barrier::{DsbIsh, DsbIshst, Isb};
    let mut table = pages_of::<A64High>(&[RW, RO, RW, NONE, R | X | G | A]);
    let log = recorded(|| {
        let region = table.protect_region_with(va(HIGH), M2, without_write);
        region.unwrap().flush();
    });
    let page = |page: usize| {
        let at = (HIGH + page * K4) as u64 >> 12;
        Event::Tlbi(Tlbi::Vaale1is, at & 0x0fff_ffff_ffff)
    };
    let expected = [
        Event::Barrier(DsbIshst),
        page(0),
        page(2),
        Event::Barrier(DsbIsh),
        Event::Barrier(Isb),
    ];
    assert_eq!(maintenance(&log), expected);
    assert_eq!(log.len(), expected.len() + 2);
}

#[test]
fn a_contiguous_group_stays_one_and_is_broken_once() {
    let mut table = A64High::table();
    let (size, options) = (32 * K4, RegionOptions::CONTIGUOUS);
    let region = table.map_region(va(HIGH), pa(0), size, RW, options);
    region.unwrap().flush();
    let region = table.map_region(va(HIGH + size), pa(size), size, RO, options);
    region.unwrap().flush();
    let log = recorded(|| {
        let region = table.protect_region_with(va(HIGH), 2 * size, without_write);
        region.unwrap().flush();
    });
    let breaks = |event: &&Event| matches!(event, Event::BeginBreak { .. });
    assert_eq!(log.iter().filter(breaks).count(), 1);
    let summary = table.check().unwrap();
    assert_eq!((summary.contiguous, summary.present), (64, 64));
    assert_eq!(flags_of::<A64High>(&table, 64), [RO; 64]);
}

#[test]
fn what_needs_a_break_and_what_needs_none_are_told_apart() {
    let mut table = pages_of::<A64High>(&[RO, RW, NONE, RW | X | MappingFlags::EXECUTE_ANYWAY]);
    let device = |flags: MappingFlags| flags | if flags.contains(W) { D } else { NONE };
    let region = table.protect_region_with(va(HIGH), M2, device);
    region.unwrap().flush();
    let last = RW | X | D | MappingFlags::EXECUTE_ANYWAY;
    assert_eq!(flags_of::<A64High>(&table, 4), [RO, RW | D, NONE, last]);
}

/// The hardware sets the accessed flag of the first page when its flags were asked for already: it
/// loses the right all the same, and keeps that flag.
#[test]
fn a_page_that_is_accessed_meanwhile_is_changed_too() {
    const ACCESSED: u64 = 1 << 5;
    let quiet = RW.difference(A);
    let mut table = pages_of::<X64>(&[quiet, RO]);
    let mut place = None;
    let _ = table.view().trace(X64::va(0), |visit| {
        if visit.level == 2 {
            place = Some(visit.entry);
        }
    });
    let frame = crate::GenericPTE::paddr(place.unwrap()).as_usize();
    let region = table.protect_region_with(X64::va(0), M2, |flags| {
        if flags == RO {
            put_word(frame, 0, word(frame, 0) | ACCESSED);
        }
        without_write(flags)
    });
    region.unwrap().flush();
    assert_eq!(flags_of::<X64>(&table, 2), [RO, RO]);
}

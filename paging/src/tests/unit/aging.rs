//! Accessed flags that are read and cleared: which leaves are shown, what is stored and invalidated.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

use crate::format::aarch64_tlb::Barrier::{DsbIsh, DsbIshst, Isb};
use crate::format::aarch64_tlb::Tlbi;
use crate::tests::formats::{A64High, Format, Table, X64, every_format};
use crate::tests::memory::{Event, put_word, recorded, snapshot, word};
use crate::tests::{A, G, K4, M2, RO, RW, pa, va};
use crate::{GenericPTE, MappingFlags, PageSize, PagingError, RegionOptions};

const HIGH: usize = 0xffff_0000_0000_0000;

fn map<F: Format>(table: &mut Table<F>, page: usize, size: PageSize, flags: MappingFlags) {
    let (at, frame) = (F::va(page * K4), pa(page * K4));
    table.map(at, frame, size, flags).unwrap().flush();
}

/// Ages `bytes` from `offset` on. Offset, size and flag of each leaf that was shown.
fn age<F: Format>(
    table: &mut Table<F>,
    offset: usize,
    bytes: usize,
) -> Vec<(usize, PageSize, bool)> {
    let mut shown = Vec::new();
    let receipt = table.test_and_clear_accessed(F::va(offset), bytes, |leaf| {
        let first = leaf.va.as_usize() & (F::space() - 1);
        shown.push((first, leaf.size, leaf.flags().contains(A)));
    });
    let receipt = receipt.unwrap();
    let pages = shown.iter().map(|(_, size, _)| size.bytes() / K4);
    assert_eq!(receipt.pages(), pages.sum());
    receipt.flush();
    shown
}

fn flags<F: Format>(table: &Table<F>, offset: usize) -> MappingFlags {
    table.view().leaf(F::va(offset)).unwrap().flags()
}

/// Used, not used, inaccessible, used.
fn what_was_used_is_told_once<F: Format>() {
    let mut table = F::table();
    for (page, flags) in [RW, RW - A, G | A, RO].into_iter().enumerate() {
        map::<F>(&mut table, page, PageSize::Size4K, flags);
    }
    let page = PageSize::Size4K;
    let shown = age::<F>(&mut table, 0, M2);
    assert_eq!(
        shown,
        [(0, page, true), (K4, page, false), (3 * K4, page, true)]
    );
    let all: Vec<_> = (0..4).map(|at| flags::<F>(&table, at * K4)).collect();
    assert_eq!(all, [RW - A, RW - A, G | A, RO - A]);
    let before = snapshot();
    let shown = age::<F>(&mut table, 0, M2);
    assert_eq!(shown.iter().filter(|(.., used)| *used).count(), 0);
    assert!(snapshot() == before);
    // The next use is told again.
    table.protect(F::va(K4), RW).unwrap().1.flush();
    let shown = age::<F>(&mut table, 0, M2);
    assert_eq!(shown[1], (K4, page, true));
    table.check().unwrap();
}

fn a_block_across_an_end_is_shown_as_a_whole<F: Format>() {
    let mut table = F::table();
    let (block, page) = (PageSize::Size2M, PageSize::Size4K);
    map::<F>(&mut table, 0, block, RW);
    map::<F>(&mut table, 512, page, RW);
    map::<F>(&mut table, 1024, block, RW);
    let tables = table.view().count_tables();
    let shown = age::<F>(&mut table, M2 - K4, M2 + 2 * K4);
    let expected = [(0, block, true), (M2, page, true), (2 * M2, block, true)];
    assert_eq!(shown, expected);
    assert_eq!(table.view().count_tables(), tables);
    assert_eq!(flags::<F>(&table, 2 * M2), RW - A);
}

fn what_the_core_stands_on_keeps_its_flag<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, PageSize::Size4K, RW);
    map::<F>(&mut table, 1, PageSize::Size4K, RW);
    table.pin(F::va(K4), K4).unwrap();
    let before = snapshot();
    let refused = table.test_and_clear_accessed(F::va(0), M2, |_| panic!("not to be called"));
    let va = F::va(K4);
    assert_eq!(refused.err(), Some(PagingError::Pinned { va }));
    assert!(snapshot() == before);
    assert_eq!(age::<F>(&mut table, 0, K4).len(), 1);
}

/// Those that were shown are cleared, and invalidated by the next receipt.
fn a_function_that_panics_leaves_the_rest_as_it_was<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, PageSize::Size4K, RW);
    map::<F>(&mut table, 1, PageSize::Size4K, RO);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let region = table.test_and_clear_accessed(F::va(0), M2, |leaf| {
            assert_ne!(leaf.va, F::va(K4));
        });
        region.unwrap().flush();
    }));
    assert!(panicked.is_err());
    assert_eq!(flags::<F>(&table, 0), RW - A);
    assert_eq!(flags::<F>(&table, K4), RO);
    table.check().unwrap();
    let log = recorded(|| {
        table
            .test_and_clear_accessed(F::va(M2), K4, |_| {})
            .unwrap()
            .flush()
    });
    let invalidates = |event: &Event| matches!(event, Event::Tlbi(..) | Event::Invalidate(..));
    assert!(log.iter().any(invalidates), "{log:?}");
}

every_format! {
    what_was_used_is_told_once,
    a_block_across_an_end_is_shown_as_a_whole,
    what_the_core_stands_on_keeps_its_flag,
    a_function_that_panics_leaves_the_rest_as_it_was,
}

/// Two pages of a region of three: two stores and two addresses between one pair of barriers. Of
/// 512, one invalidation of everything.
#[test]
fn one_batch_invalidates_what_was_cleared() {
    let mut table = A64High::table();
    for (page, flags) in [RW, RW - A, RO].into_iter().enumerate() {
        map::<A64High>(&mut table, page, PageSize::Size4K, flags);
    }
    let log = recorded(|| drop(age::<A64High>(&mut table, 0, M2)));
    let page = |page: usize| {
        let at = (HIGH + page * K4) as u64 >> 12;
        Event::Tlbi(Tlbi::Vaale1is, at & 0x0fff_ffff_ffff)
    };
    let maintenance: Vec<_> = log
        .iter()
        .filter(|event| !matches!(event, Event::Store { .. }))
        .copied()
        .collect();
    let barrier = Event::Barrier;
    let expected = [
        barrier(DsbIshst),
        page(0),
        page(2),
        barrier(DsbIsh),
        barrier(Isb),
    ];
    assert_eq!(maintenance, expected);
    assert_eq!(log.len(), expected.len() + 2);
    let region = table.map_region(va(HIGH + M2), pa(M2), M2, RW, RegionOptions::empty());
    region.unwrap().flush();
    let log = recorded(|| drop(age::<A64High>(&mut table, M2, M2)));
    let tlbis: Vec<_> = log
        .iter()
        .filter_map(|event| match event {
            Event::Tlbi(tlbi, _) => Some(*tlbi),
            _ => None,
        })
        .collect();
    assert_eq!(tlbis, [Tlbi::Vmalle1is]);
}

/// All of two groups, of which the region has a page each: with one break, and they stay groups.
#[test]
fn a_contiguous_group_is_used_or_not_as_a_whole() {
    let mut table = A64High::table();
    let options = RegionOptions::CONTIGUOUS;
    let region = table.map_region(va(HIGH), pa(0), 64 * K4, RW, options);
    region.unwrap().flush();
    let log = recorded(|| {
        let shown = age::<A64High>(&mut table, 15 * K4, 2 * K4);
        assert_eq!(shown.len(), 32);
    });
    let breaks = |event: &&Event| matches!(event, Event::BeginBreak { .. });
    assert_eq!(log.iter().filter(breaks).count(), 1);
    assert_eq!(table.check().unwrap().contiguous, 64);
    assert_eq!(flags::<A64High>(&table, 31 * K4), RW - A);
    assert_eq!(flags::<A64High>(&table, 32 * K4), RW);
    let log = recorded(|| drop(age::<A64High>(&mut table, 0, 32 * K4)));
    assert_eq!(log, []);
}

/// Forty groups are more than one break takes.
#[test]
fn many_groups_are_all_cleared() {
    let mut table = A64High::table();
    let (bytes, options) = (40 * 16 * K4, RegionOptions::CONTIGUOUS);
    let region = table.map_region(va(HIGH), pa(0), bytes, RW, options);
    region.unwrap().flush();
    assert_eq!(age::<A64High>(&mut table, 0, bytes).len(), 640);
    let left = table.iter(..).filter(|run| run.flags.contains(A)).count();
    assert_eq!((left, table.check().unwrap().contiguous), (0, 640));
}

/// The hardware sets the flag of the second page while the first is shown: it is told by the next
/// walk, and not lost.
#[test]
fn a_use_at_that_moment_is_told_later() {
    const ACCESSED: u64 = 1 << 5;
    let mut table = X64::table();
    map::<X64>(&mut table, 0, PageSize::Size4K, RW - A);
    map::<X64>(&mut table, 1, PageSize::Size4K, RW - A);
    let mut place = None;
    let _ = table.view().trace(X64::va(0), |visit| {
        if visit.level == 2 {
            place = Some(visit.entry);
        }
    });
    let frame = place.unwrap().paddr().as_usize();
    let mut used = 0;
    let region = table.test_and_clear_accessed(X64::va(0), M2, |leaf| {
        put_word(frame, 1, word(frame, 1) | ACCESSED);
        used += usize::from(leaf.flags().contains(A));
    });
    region.unwrap().flush();
    assert_eq!(used, 0);
    let shown = age::<X64>(&mut table, 0, M2);
    assert_eq!(shown[1], (K4, PageSize::Size4K, true));
    assert!(!age::<X64>(&mut table, 0, M2)[1].2);
}

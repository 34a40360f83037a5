//! Which addresses an operation reaches: neither more nor less.
#![forbid(unsafe_code)]

use core::ops::ControlFlow;
use std::vec::Vec;

use super::{HUGE, frame_at, map};
use crate::addr::VirtAddr;
use crate::tests::formats::{Format, every_format};
use crate::tests::memory::{begin_operation, live_frames};
use crate::tests::{G1, K4, M2, RO, RW, pa};
use crate::{PageSize, PagingError, RegionOptions};

fn last_page<F: Format>() -> VirtAddr {
    F::va(F::space() - K4)
}

/// The address after it wrapped around, or it could not be unmapped.
fn the_last_page_is_a_page_like_any_other<F: Format>() {
    let mut table = F::table();
    let last = last_page::<F>();
    let region = table.map_region(last, pa(0x8000), K4, RW, HUGE);
    region.unwrap().flush();
    assert_eq!(frame_at::<F>(&table, F::space() - 1), Some(0x8fff));
    table.protect_region(last, K4, RO).unwrap().flush();
    table.compact(last, K4).unwrap().flush();
    assert_eq!(table.unmap_region(last, K4).unwrap().pages(), 1);
    let start = F::va(F::space() - G1);
    table
        .map_region(start, pa(0), G1, RW, HUGE)
        .unwrap()
        .flush();
    assert_eq!(table.query(last).unwrap().2, PageSize::Size1G);
    assert_eq!(table.unmap(start).unwrap().flush(), pa(0));
    table
        .map_region(start, pa(0), G1, RW, HUGE)
        .unwrap()
        .flush();
    table.unmap_region(last, K4).unwrap().flush();
    assert_eq!(frame_at::<F>(&table, F::space() - K4), None);
    assert_eq!(
        frame_at::<F>(&table, F::space() - K4 - 1),
        Some(G1 - K4 - 1)
    );
    let size = 2 * K4;
    let past = PagingError::RangeTooLong { va: last, size };
    assert_eq!(table.unmap_region(last, size).err(), Some(past));
    assert_eq!(table.protect_region(last, size, RO).err(), Some(past));
    let region = table.map_region(last, pa(0), size, RW, HUGE);
    assert_eq!(region.err(), Some(past));
    let huge = usize::MAX - K4 + 1;
    let past = PagingError::RangeTooLong {
        va: last,
        size: huge,
    };
    assert_eq!(table.unmap_region(last, huge).err(), Some(past));
}

/// The whole block was once changed, or the wrong pages, or the program stopped.
fn a_part_of_a_block_is_unmapped_or_protected_exactly<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0, PageSize::Size2M);
    map::<F>(&mut table, G1, G1, PageSize::Size1G);
    table.unmap_region(F::va(5 * K4), K4).unwrap().flush();
    table.protect_region(F::va(9 * K4), K4, RO).unwrap().flush();
    for page in 0..512 {
        let expected = (page != 5).then_some(page * K4);
        assert_eq!(frame_at::<F>(&table, page * K4), expected);
        let flags = table.query(F::va(page * K4)).map_or(RW, |found| found.1);
        assert_eq!(flags, if page == 9 { RO } else { RW });
    }
    table.unmap_region(F::va(G1 + M2 + K4), M2).unwrap().flush();
    let edges = [
        (M2, true),
        (M2 + K4, false),
        (2 * M2, false),
        (2 * M2 + K4, true),
    ];
    for (offset, mapped) in edges {
        let expected = mapped.then_some(G1 + offset);
        assert_eq!(frame_at::<F>(&table, G1 + offset), expected);
    }
    let sizes = [
        (0, PageSize::Size2M),
        (M2, PageSize::Size4K),
        (3 * M2, PageSize::Size2M),
    ];
    for (offset, size) in sizes {
        assert_eq!(table.query(F::va(G1 + offset)).unwrap().2, size);
    }
    table.view().check(0..0).unwrap();
}

/// The walk once went on from an unaligned address: too much was removed, and too little.
fn a_region_from_inside_one_block_to_inside_the_next_is_unmapped_exactly<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0, PageSize::Size2M);
    map::<F>(&mut table, M2, M2, PageSize::Size2M);
    let unmapped = table.unmap_region(F::va(M2 / 2), M2).unwrap();
    assert_eq!(unmapped.pages(), 512);
    unmapped.flush();
    let at = [M2 / 2 - 1, M2 / 2, M2, M2 + M2 / 2 - 1, M2 + M2 / 2];
    let mapped = at.map(|offset| frame_at::<F>(&table, offset).is_some());
    assert_eq!(mapped, [true, false, false, false, true]);
}

/// A range that ends where a block does once stopped the program.
fn exact_blocks_are_changed_whole<F: Format>() {
    for size in [PageSize::Size2M, PageSize::Size1G] {
        let mut table = F::table();
        map::<F>(&mut table, 0, 0, size);
        let tables = table.view().count_tables();
        let region = table.protect_region(F::va(0), size.bytes(), RO);
        region.unwrap().flush();
        assert_eq!(table.query(F::va(0)), Ok((pa(0), RO, size)));
        assert_eq!(table.view().count_tables(), tables);
        table.unmap_region(F::va(0), size.bytes()).unwrap().flush();
        assert_eq!(live_frames(), 1);
    }
}

/// What is absent was once taken for a block of 1 GiB, or ended the work.
fn holes_are_skipped_and_not_counted<F: Format>() {
    let mut table = F::table();
    let pages = [0, 1, 511, 512, 700, 1 << 18];
    for page in pages {
        map::<F>(&mut table, page * K4, page * K4, PageSize::Size4K);
    }
    let protected = table.protect_region(F::va(0), 2 * G1, RO).unwrap();
    assert_eq!(protected.pages(), 6);
    protected.flush();
    let unmapped = table.unmap_region(F::va(0), F::space() / 2).unwrap();
    assert_eq!(unmapped.pages(), 6);
    unmapped.flush();
    assert_eq!(live_frames(), 1);
}

/// The frame of a large leaf was once that of its first page for all.
fn every_page_of_a_region_of_mixed_leaves_has_its_own_frame<F: Format>() {
    let mut table = F::table();
    let (start, frame) = (G1 - M2 - K4, 3 * G1 - M2 - K4);
    let size = G1 + 2 * M2 + 2 * K4;
    let region = table.map_region(F::va(start), pa(frame), size, RW, HUGE);
    region.unwrap().flush();
    let inner = [K4, M2 + K4, G1 + M2 + K4, size - 1];
    for offset in (0..size).step_by(63 * K4).chain(inner) {
        assert_eq!(frame_at::<F>(&table, start + offset), Some(frame + offset));
    }
    let runs = table.view().iter(..);
    let sizes: Vec<_> = runs.map(|run| (run.size, run.bytes)).collect();
    let (page, block) = (PageSize::Size4K, PageSize::Size2M);
    let expected = [
        (page, K4),
        (block, M2),
        (PageSize::Size1G, G1),
        (block, M2),
        (page, K4),
    ];
    assert_eq!(sizes, expected);
}

/// A size that the level does not have was once written as a reserved descriptor.
fn every_size_stands_at_its_own_level<F: Format>() {
    for (below, size) in PageSize::ALL.into_iter().enumerate() {
        let mut table = F::table();
        map::<F>(&mut table, 0, 0, size);
        let mut levels = Vec::new();
        let traced = table
            .view()
            .trace(F::va(0), |visit| levels.push(visit.level));
        traced.unwrap();
        assert_eq!(levels.last(), Some(&(F::LEVELS - 1 - below)));
        assert_eq!(table.query(F::va(0)).unwrap().2, size);
    }
}

/// Addresses of the upper half lost their upper bits; limit 0 visited entries; some formats'
/// tables were not visited; and both visitors had to be one closure.
fn a_walk_gives_canonical_addresses_and_obeys_its_limit<F: Format>() {
    let mut table = F::table();
    let offsets = [0, K4, F::space() / 2 + K4, F::space() - K4];
    for offset in offsets {
        map::<F>(&mut table, offset, 0x5000, PageSize::Size4K);
    }
    let (mut found, mut ends) = (Vec::new(), 0);
    let done = table.view().walk::<()>(
        512,
        |visit| {
            found.extend((visit.level == F::LEVELS - 1).then_some(visit.va));
            ControlFlow::Continue(())
        },
        |_| {
            ends += 1;
            ControlFlow::Continue(())
        },
    );
    assert!(done.is_continue());
    assert_eq!(found, offsets.map(F::va));
    // Three ways down to a last table, which have nothing in common but the root.
    assert_eq!(ends, 3 * (F::LEVELS - 1) + 4);
    let nothing = table
        .view()
        .walk(0, |_| ControlFlow::Break(1), |_| ControlFlow::Break(2));
    assert_eq!(nothing, ControlFlow::Continue(()));
}

/// A block was once replaced by a table, without a break, to change nothing.
fn protecting_a_part_of_a_block_as_it_is_does_not_split_it<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0, PageSize::Size2M);
    begin_operation(0);
    let protected = table.protect_region(F::va(K4), K4, RW).unwrap();
    assert_eq!(protected.pages(), 1);
    protected.flush();
    assert_eq!(table.query(F::va(0)).unwrap().2, PageSize::Size2M);
}

/// The hint was once set on groups that were not aligned, and left on 15 leaves of one.
fn contiguous_groups_are_whole_and_aligned_or_not_at_all<F: Format>() {
    let options = RegionOptions::CONTIGUOUS;
    for (offset, frame) in [(K4, K4), (0, K4), (16 * K4, 8 * K4), (5 * K4, 21 * K4)] {
        let mut table = F::table();
        let region = table.map_region(F::va(offset), pa(frame), 100 * K4, RW, options);
        region.unwrap().flush();
        table.view().check(0..0).unwrap();
        for page in [20, 47, 48, 90] {
            let at = F::va(page * K4);
            let frame = table.query(at).unwrap().0;
            assert_eq!(table.unmap(at).unwrap().flush(), frame);
            table.view().check(0..0).unwrap();
        }
    }
}

every_format! {
    the_last_page_is_a_page_like_any_other,
    a_part_of_a_block_is_unmapped_or_protected_exactly,
    a_region_from_inside_one_block_to_inside_the_next_is_unmapped_exactly,
    exact_blocks_are_changed_whole,
    holes_are_skipped_and_not_counted,
    every_page_of_a_region_of_mixed_leaves_has_its_own_frame,
    every_size_stands_at_its_own_level,
    a_walk_gives_canonical_addresses_and_obeys_its_limit,
    protecting_a_part_of_a_block_as_it_is_does_not_split_it,
    contiguous_groups_are_whole_and_aligned_or_not_at_all,
}

//! Inputs that other page-table libraries got wrong.

use core::ops::ControlFlow;
use std::vec::Vec;

use super::memory::{Frames, begin_operation, live_frames, snapshot};
use super::{G1, HIGH, HighTable, K4, LAST_PAGE, M2, RO, RW, Table, high_table, pa, va};
use crate::paging::format::aarch64::LowHalf;
use crate::paging::{LeafSizes, MappingFlags, PageSize, PagingError, PagingHandler};

fn map(table: &mut HighTable, at: usize, frame: usize, size: PageSize) {
    table.map(va(at), pa(frame), size, RW).unwrap().flush();
}

/// Whether `at` is mapped, and where to.
fn frame_at(table: &HighTable, at: usize) -> Option<usize> {
    table.query(va(at)).ok().map(|(pa, ..)| pa.as_usize())
}

#[test]
fn changing_what_is_not_mapped_creates_nothing() {
    let mut table = high_table();
    map(&mut table, HIGH + K4, 0x8000, PageSize::Size4K);
    let before = snapshot();
    for at in [HIGH, HIGH + 2 * G1 + K4, HIGH + (1 << 40), LAST_PAGE] {
        let not_mapped = PagingError::NotMapped { va: va(at) };
        assert_eq!(
            table.remap(va(at), pa(0x9000_0000), RW).err(),
            Some(not_mapped)
        );
        assert_eq!(table.protect(va(at), RO).err(), Some(not_mapped));
        assert_eq!(table.update(va(at), None, None).err(), Some(not_mapped));
        assert_eq!(table.unmap(va(at)).err(), Some(not_mapped));
        assert_eq!(table.query(va(at)), Err(not_mapped));
    }
    assert!(snapshot() == before);
}

#[test]
fn a_block_without_rights_never_becomes_a_table() {
    let mut table = high_table();
    // The block's first frame is the frame of a table: as a table it would be walked and freed.
    map(&mut table, HIGH, 0, PageSize::Size2M);
    table
        .protect(va(HIGH), MappingFlags::empty())
        .unwrap()
        .1
        .flush();
    let leaf = table.view().leaf(va(HIGH + 0x5000)).unwrap();
    assert_eq!(
        (leaf.pa, leaf.size, leaf.flags),
        (pa(0), PageSize::Size2M, MappingFlags::empty())
    );
    assert_eq!(table.view().count_tables(), 3);
    assert_eq!(
        table
            .map(va(HIGH + K4), pa(0x5000), PageSize::Size4K, RW)
            .err(),
        Some(PagingError::AlreadyMapped { va: va(HIGH + K4) })
    );
    drop(table);
    assert_eq!(live_frames(), 0);
}

#[test]
fn physical_0_can_be_a_block_a_page_and_a_table() {
    let burnt = Frames::alloc_frame().unwrap();
    let mut table = HighTable::try_new().unwrap();
    Frames::dealloc_frame(burnt);
    map(&mut table, HIGH, 0, PageSize::Size4K);
    assert!(snapshot().iter().any(|(frame, _)| *frame == 0));
    assert_eq!(frame_at(&table, HIGH), Some(0));
    map(&mut table, HIGH + M2, 0, PageSize::Size2M);
    assert_eq!(frame_at(&table, HIGH + M2 + 0x1234), Some(0x1234));
    assert_eq!(
        table
            .map(va(HIGH + M2 + K4), pa(0x5000), PageSize::Size4K, RW)
            .err(),
        Some(PagingError::AlreadyMapped {
            va: va(HIGH + M2 + K4)
        })
    );
    drop(table);
    assert_eq!(live_frames(), 0);
}

#[test]
fn the_last_page_is_a_page_like_any_other() {
    let mut table = high_table();
    let last = va(LAST_PAGE);
    table
        .map_region(last, pa(0x8000), K4, RW, LeafSizes::Largest)
        .unwrap()
        .flush();
    assert_eq!(frame_at(&table, usize::MAX), Some(0x8fff));
    table.protect_region(last, K4, RO).unwrap().flush();
    assert_eq!(table.unmap_region(last, K4).unwrap().pages(), 1);
    let start = va(LAST_PAGE - G1 + K4);
    table
        .map_region(start, pa(0), G1, RW, LeafSizes::Largest)
        .unwrap()
        .flush();
    assert_eq!(table.query(last).unwrap().2, PageSize::Size1G);
    table.unmap_region(last, K4).unwrap().flush();
    assert_eq!(frame_at(&table, LAST_PAGE), None);
    assert_eq!(frame_at(&table, LAST_PAGE - 1), Some(G1 - K4 - 1));
    let past = PagingError::RangeTooLong {
        va: last,
        size: 2 * K4,
    };
    assert_eq!(table.unmap_region(last, 2 * K4).err(), Some(past));

    let mut low = Table::<LowHalf>::try_new().unwrap();
    let last = va(0x0000_ffff_ffff_f000);
    low.map(last, pa(0x8000), PageSize::Size4K, RW)
        .unwrap()
        .flush();
    assert_eq!(low.query(last).unwrap().0, pa(0x8000));
    assert!(
        low.map_region(last, pa(0), 2 * K4, RW, LeafSizes::Largest)
            .is_err()
    );
}

#[test]
fn a_part_of_a_block_is_unmapped_or_protected_exactly() {
    let mut table = high_table();
    map(&mut table, HIGH, 0, PageSize::Size2M);
    map(&mut table, HIGH + G1, G1, PageSize::Size1G);
    table.unmap_region(va(HIGH + 5 * K4), K4).unwrap().flush();
    table
        .protect_region(va(HIGH + 9 * K4), K4, RO)
        .unwrap()
        .flush();
    for page in 0..512 {
        let expected = (page != 5).then_some(page * K4);
        assert_eq!(frame_at(&table, HIGH + page * K4), expected);
        let flags = table
            .query(va(HIGH + page * K4))
            .map_or(RW, |(_, flags, _)| flags);
        assert_eq!(flags, if page == 9 { RO } else { RW });
    }
    table
        .unmap_region(va(HIGH + G1 + M2 + K4), M2)
        .unwrap()
        .flush();
    let edges = [
        (M2, true),
        (M2 + K4, false),
        (2 * M2, false),
        (2 * M2 + K4, true),
    ];
    for (offset, mapped) in edges {
        assert_eq!(
            frame_at(&table, HIGH + G1 + offset),
            mapped.then_some(G1 + offset)
        );
    }
    let sizes = [
        (0, PageSize::Size2M),
        (M2, PageSize::Size4K),
        (3 * M2, PageSize::Size2M),
    ];
    for (offset, size) in sizes {
        assert_eq!(table.query(va(HIGH + G1 + offset)).unwrap().2, size);
    }
}

#[test]
fn a_region_that_starts_inside_one_block_and_ends_inside_the_next_is_unmapped_exactly() {
    let mut table = high_table();
    map(&mut table, HIGH, 0, PageSize::Size2M);
    map(&mut table, HIGH + M2, M2, PageSize::Size2M);
    assert_eq!(
        table.unmap_region(va(HIGH + M2 / 2), M2).unwrap().pages(),
        512
    );
    let at = [M2 / 2 - 1, M2 / 2, M2, M2 + M2 / 2 - 1, M2 + M2 / 2];
    let mapped = at.map(|offset| frame_at(&table, HIGH + offset).is_some());
    assert_eq!(mapped, [true, false, false, false, true]);
}

#[test]
fn exact_blocks_are_changed_whole() {
    for (size, tables) in [(PageSize::Size2M, 3), (PageSize::Size1G, 2)] {
        let mut table = high_table();
        map(&mut table, HIGH, 0, size);
        table
            .protect_region(va(HIGH), size.bytes(), RO)
            .unwrap()
            .flush();
        assert_eq!(table.query(va(HIGH)), Ok((pa(0), RO, size)));
        assert_eq!(table.view().count_tables(), tables);
        table.unmap_region(va(HIGH), size.bytes()).unwrap().flush();
        assert_eq!(live_frames(), 1);
    }
}

#[test]
fn unaligned_regions_are_refused_and_unaligned_leaves_aligned_down() {
    let mut table = high_table();
    map(&mut table, HIGH + 0x8fff, 0x4fff, PageSize::Size4K);
    assert_eq!(frame_at(&table, HIGH + 0x8000), Some(0x4000));
    let before = snapshot();
    let odd = |value| {
        Some(PagingError::NotAligned {
            value,
            alignment: K4,
        })
    };
    assert_eq!(
        table.unmap_region(va(HIGH + 0x8000), 0x800).err(),
        odd(0x800)
    );
    assert_eq!(
        table.protect_region(va(HIGH + 0x8010), K4, RO).err(),
        odd(HIGH + 0x8010)
    );
    let bad_frame = table.map_region(va(HIGH), pa(0x10), K4, RW, LeafSizes::Largest);
    assert_eq!(bad_frame.err(), odd(0x10));
    assert!(snapshot() == before);

    map(&mut table, HIGH + M2, M2, PageSize::Size2M);
    table
        .remap(va(HIGH + M2 + K4), pa(2 * M2 + 0x3000), RW)
        .unwrap()
        .1
        .flush();
    assert_eq!(table.view().leaf(va(HIGH + M2)).unwrap().pa, pa(2 * M2));
}

#[test]
fn holes_are_skipped_and_not_counted() {
    let mut table = high_table();
    let pages = [0, 1, 511, 512, 700, 1 << 18];
    for page in pages {
        map(&mut table, HIGH + page * K4, page * K4, PageSize::Size4K);
    }
    assert_eq!(
        table.protect_region(va(HIGH), 2 * G1, RO).unwrap().pages(),
        6
    );
    assert_eq!(table.unmap_region(va(HIGH), 1 << 47).unwrap().pages(), 6);
    assert_eq!(live_frames(), 1);
}

#[test]
fn a_mapping_in_the_way_leaves_no_page_behind() {
    let mut table = high_table();
    map(&mut table, HIGH + 4 * K4, 0x9000, PageSize::Size4K);
    let before = snapshot();
    let taken = Some(PagingError::AlreadyMapped {
        va: va(HIGH + 4 * K4),
    });
    for sizes in [LeafSizes::Largest, LeafSizes::PagesOnly] {
        assert_eq!(
            table.map_region(va(HIGH), pa(0), 8 * K4, RW, sizes).err(),
            taken
        );
        assert_eq!(
            table.map_region(va(HIGH), pa(0), 4 * M2, RW, sizes).err(),
            taken
        );
    }
    assert_eq!(
        table.map(va(HIGH), pa(0), PageSize::Size2M, RW).err(),
        taken
    );
    assert_eq!(
        table.map(va(HIGH), pa(0), PageSize::Size1G, RW).err(),
        taken
    );
    begin_operation(1);
    let none = table.map_region(
        va(HIGH + 2 * G1),
        pa(0),
        4 * G1 - K4,
        RW,
        LeafSizes::Largest,
    );
    assert_eq!(none.err(), Some(PagingError::NoMemory));
    assert!(snapshot() == before);
}

#[test]
fn a_block_fits_where_pages_used_to_be() {
    let mut table = high_table();
    for size in [PageSize::Size2M, PageSize::Size1G] {
        map(&mut table, HIGH + 7 * K4, 0x9000, PageSize::Size4K);
        assert_eq!(table.unmap(va(HIGH + 7 * K4)).unwrap().flush(), pa(0x9000));
        assert_eq!(live_frames(), 1);
        map(&mut table, HIGH, 0, size);
        let _ = table.unmap(va(HIGH)).unwrap().flush();
    }
}

#[test]
fn addresses_that_the_tree_does_not_translate_are_refused() {
    let mut table = high_table();
    map(&mut table, HIGH + K4, 0x8000, PageSize::Size4K);
    for at in [
        K4,
        0xfffe_ffff_ffff_f000,
        0x0001_0000_0000_1000,
        0x7fff_0000_0000_1000,
    ] {
        let bad = PagingError::InvalidVirtAddr { va: va(at) };
        assert_eq!(
            table.map(va(at), pa(0), PageSize::Size4K, RW).err(),
            Some(bad)
        );
        assert_eq!(table.query(va(at)), Err(bad));
        assert_eq!(table.unmap(va(at)).err(), Some(bad));
        assert_eq!(table.protect(va(at), RO).err(), Some(bad));
        assert_eq!(table.unmap_region(va(at), K4).err(), Some(bad));
        assert_eq!(table.protect_region(va(at), 0, RO).err(), Some(bad));
        let region = table.map_region(va(at), pa(0), K4, RW, LeafSizes::Largest);
        assert_eq!(region.err(), Some(bad));
    }
}

#[test]
fn frames_past_40_bits_are_refused() {
    let mut table = high_table();
    map(&mut table, HIGH, (1 << 40) - K4, PageSize::Size4K);
    let before = snapshot();
    for frame in [1 << 40, 0x7_0000_0000_5000, usize::MAX - 0xfff] {
        let bad = Some(PagingError::InvalidPhysAddr { pa: pa(frame) });
        assert_eq!(
            table
                .map(va(HIGH + K4), pa(frame), PageSize::Size4K, RW)
                .err(),
            bad
        );
        assert_eq!(table.remap(va(HIGH), pa(frame), RW).err(), bad);
        let region = table.map_region(va(HIGH + K4), pa(frame), K4, RW, LeafSizes::Largest);
        assert_eq!(region.err(), bad);
    }
    let start = (1 << 40) - K4;
    let region = table.map_region(va(HIGH + K4), pa(start), 2 * K4, RW, LeafSizes::Largest);
    assert_eq!(
        region.err(),
        Some(PagingError::InvalidPhysAddr { pa: pa(start) })
    );
    assert!(snapshot() == before);
}

#[test]
fn all_rights_can_be_taken_away_and_given_back() {
    for size in [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G] {
        let mut table = high_table();
        map(&mut table, HIGH, 5 * G1, size);
        let device = RW | MappingFlags::DEVICE;
        table.protect(va(HIGH), device).unwrap().1.flush();
        table
            .protect(va(HIGH), device.difference(MappingFlags::RIGHTS))
            .unwrap()
            .1
            .flush();
        let not_mapped = PagingError::NotMapped { va: va(HIGH) };
        assert_eq!(table.query(va(HIGH)), Err(not_mapped));
        assert!(table.map(va(HIGH), pa(0), size, RW).is_err());
        let flags = table.view().leaf(va(HIGH)).unwrap().flags;
        assert_eq!(flags, device.difference(MappingFlags::RIGHTS));
        table
            .protect(va(HIGH), flags | MappingFlags::READ)
            .unwrap()
            .1
            .flush();
        let read_only = device.difference(MappingFlags::WRITE);
        assert_eq!(table.query(va(HIGH)), Ok((pa(5 * G1), read_only, size)));
        table
            .protect(va(HIGH), MappingFlags::empty())
            .unwrap()
            .1
            .flush();
        assert_eq!(table.unmap(va(HIGH)).unwrap().flush(), pa(5 * G1));
        assert_eq!(live_frames(), 1);
    }
}

#[test]
fn flags_that_would_not_be_valid_are_refused_by_name() {
    let mut table = high_table();
    for flags in [MappingFlags::WRITE, MappingFlags::EXECUTE] {
        let refused = table.map(va(HIGH), pa(0), PageSize::Size4K, flags);
        assert_eq!(refused.err(), Some(PagingError::Unsupported { flags }));
        let refused = table.protect_region(va(HIGH), K4, flags);
        assert_eq!(refused.err(), Some(PagingError::Unsupported { flags }));
    }
    let flags = RW | MappingFlags::EXECUTE;
    let refused = table.map_region(va(HIGH), pa(0), K4, flags, LeafSizes::Largest);
    assert_eq!(
        refused.err(),
        Some(PagingError::WritableExecutable { flags })
    );
    let flags = RO | MappingFlags::EXECUTE | MappingFlags::DEVICE;
    let refused = table.map(va(HIGH), pa(0), PageSize::Size4K, flags);
    assert_eq!(refused.err(), Some(PagingError::ExecutableDevice { flags }));
    assert_eq!(live_frames(), 1);
}

#[test]
fn every_page_of_a_region_of_mixed_leaves_has_its_own_frame() {
    let mut table = high_table();
    let (start, frame, size) = (HIGH + G1 - M2 - K4, 3 * G1 - M2 - K4, G1 + 2 * M2 + 2 * K4);
    table
        .map_region(va(start), pa(frame), size, RW, LeafSizes::Largest)
        .unwrap()
        .flush();
    let probes = (0..size)
        .step_by(63 * K4)
        .chain([K4, M2 + K4, G1 + M2 + K4, size - 1]);
    for offset in probes {
        assert_eq!(frame_at(&table, start + offset), Some(frame + offset));
    }
    let mut sizes = Vec::new();
    let _ = table.view().runs::<()>(|run| {
        sizes.push((run.first.size, run.bytes));
        ControlFlow::Continue(())
    });
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

#[test]
fn mapping_over_a_mapping_is_refused() {
    let mut table = high_table();
    map(&mut table, HIGH, 0, PageSize::Size2M);
    let taken = Some(PagingError::AlreadyMapped { va: va(HIGH) });
    assert_eq!(
        table.map(va(HIGH), pa(0), PageSize::Size2M, RW).err(),
        taken
    );
    assert_eq!(
        table.map(va(HIGH), pa(M2), PageSize::Size1G, RW).err(),
        taken
    );
    let region = table.map_region(va(HIGH), pa(0), M2, RW, LeafSizes::Largest);
    assert_eq!(region.err(), taken);
}

#[test]
fn protecting_a_part_of_a_block_as_it_is_does_not_split_it() {
    let mut table = high_table();
    map(&mut table, HIGH, 0, PageSize::Size2M);
    begin_operation(0);
    assert_eq!(
        table.protect_region(va(HIGH + K4), K4, RW).unwrap().pages(),
        1
    );
    assert_eq!(table.query(va(HIGH)).unwrap().2, PageSize::Size2M);
}

#[test]
fn a_dropped_table_gives_every_frame_back_once_and_no_mapped_one() {
    let mut table = high_table();
    map(&mut table, HIGH, 0x10_0000, PageSize::Size4K);
    map(&mut table, HIGH + G1, G1, PageSize::Size1G);
    map(&mut table, HIGH + (1 << 40), 0, PageSize::Size2M);
    assert_eq!(live_frames(), 6);
    drop(table);
    assert_eq!(live_frames(), 0);
    begin_operation(0);
    assert_eq!(HighTable::try_new().err(), Some(PagingError::NoMemory));
}

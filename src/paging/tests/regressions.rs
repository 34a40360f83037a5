//! Inputs that other page-table libraries got wrong, for every format.

use core::ops::ControlFlow;
use std::vec::Vec;

use super::formats::{Format, Table, every_format};
use super::memory::{
    Event, Frames, begin_operation, live_frames, put_word, record_all, recorded, snapshot, word,
};
use super::{A, D, G, G1, K4, M2, NONE, R, RO, RW, U, W, X, pa, va};
use crate::addr::VirtAddr;
use crate::paging::{
    AddressSpace, GenericPTE, MappingFlags, PageSize, PagingError, PagingHandler, RegionOptions,
};

const HUGE: RegionOptions = RegionOptions::HUGE;
const PAGES: RegionOptions = RegionOptions::empty();

fn map<F: Format>(table: &mut Table<F>, offset: usize, frame: usize, size: PageSize) {
    let mapped = table.map(F::va(offset), pa(frame), size, RW);
    mapped.unwrap().flush();
}

/// Whether `offset` is mapped, and where to.
fn frame_at<F: Format>(table: &Table<F>, offset: usize) -> Option<usize> {
    let found = table.query(F::va(offset)).ok();
    found.map(|(pa, ..)| pa.as_usize())
}

fn last_page<F: Format>() -> VirtAddr {
    F::va(F::space() - K4)
}

/// `remap` of what is not mapped once made a block of 1 GiB.
fn changing_what_is_not_mapped_creates_nothing<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, K4, 0x8000, PageSize::Size4K);
    let before = snapshot();
    for offset in [0, 2 * G1 + K4, 1 << 38, F::space() - K4] {
        let at = F::va(offset);
        let not_mapped = PagingError::NotMapped { va: at };
        let remapped = table.remap(at, pa(0x9000_0000), RW);
        assert_eq!(remapped.err(), Some(not_mapped));
        assert_eq!(table.protect(at, RO).err(), Some(not_mapped));
        assert_eq!(table.update(at, None, None).err(), Some(not_mapped));
        assert_eq!(table.unmap(at).err(), Some(not_mapped));
        assert_eq!(table.query(at), Err(not_mapped));
    }
    assert!(snapshot() == before);
}

/// A block without rights was once taken for a table: walked, and freed.
fn a_block_without_rights_never_becomes_a_table<F: Format>() {
    let mut table = F::table();
    // The block's first frame is the frame of a table.
    map::<F>(&mut table, 0, 0, PageSize::Size2M);
    table.protect(F::va(0), NONE).unwrap().1.flush();
    let leaf = table.view().leaf(F::va(0x5000)).unwrap();
    let found = (leaf.paddr(), leaf.size, leaf.flags());
    assert_eq!(found, (pa(0), PageSize::Size2M, NONE));
    assert_eq!(table.view().count_tables(), F::LEVELS - 1);
    let mapped = table.map(F::va(K4), pa(0x5000), PageSize::Size4K, RW);
    let taken = PagingError::AlreadyMapped { va: F::va(K4) };
    assert_eq!(mapped.err(), Some(taken));
    drop(table);
    assert_eq!(live_frames(), 0);
}

/// Physical 0 was once taken for nothing.
fn physical_0_can_be_a_block_a_page_and_a_table<F: Format>() {
    let burnt = Frames::alloc_frame().unwrap();
    let mut table = F::table();
    assert_ne!(table.root_paddr(), pa(0));
    Frames::dealloc_frame(burnt);
    map::<F>(&mut table, 0, 0, PageSize::Size4K);
    // Physical 0 is owned again: it is a table.
    assert_eq!(live_frames(), F::LEVELS);
    assert_ne!((0..512).map(|index| word(0, index)).max(), Some(0));
    assert_eq!(frame_at::<F>(&table, 0), Some(0));
    map::<F>(&mut table, M2, 0, PageSize::Size2M);
    assert_eq!(frame_at::<F>(&table, M2 + 0x1234), Some(0x1234));
    let inside = F::va(M2 + K4);
    let mapped = table.map(inside, pa(0x5000), PageSize::Size4K, RW);
    let taken = PagingError::AlreadyMapped { va: inside };
    assert_eq!(mapped.err(), Some(taken));
    table.protect(F::va(0), NONE).unwrap().1.flush();
    assert_eq!(table.unmap(F::va(0)).unwrap().flush(), pa(0));
    drop(table);
    assert_eq!(live_frames(), 0);
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

fn unaligned_regions_are_refused_and_unaligned_leaves_aligned_down<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0x8fff, 0x4fff, PageSize::Size4K);
    assert_eq!(frame_at::<F>(&table, 0x8000), Some(0x4000));
    let before = snapshot();
    let odd = |value| {
        let alignment = K4;
        Some(PagingError::NotAligned { value, alignment })
    };
    let start = F::va(0x8000);
    assert_eq!(table.unmap_region(start, 0x800).err(), odd(0x800));
    let inside = F::va(0x8010);
    let protected = table.protect_region(inside, K4, RO);
    assert_eq!(protected.err(), odd(inside.as_usize()));
    let bad_frame = table.map_region(F::va(0), pa(0x10), K4, RW, HUGE);
    assert_eq!(bad_frame.err(), odd(0x10));
    assert!(snapshot() == before);

    // A block's frame with bit 12 set would be another memory type on x86.
    map::<F>(&mut table, M2, M2, PageSize::Size2M);
    let remapped = table.remap(F::va(M2 + K4), pa(2 * M2 + 0x3000), RW);
    remapped.unwrap().1.flush();
    let leaf = table.view().leaf(F::va(M2)).unwrap();
    assert_eq!((leaf.paddr(), leaf.flags()), (pa(2 * M2), RW));
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

fn a_mapping_in_the_way_leaves_no_page_behind<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 4 * K4, 0x9000, PageSize::Size4K);
    let before = snapshot();
    let va = F::va(4 * K4);
    let taken = Some(PagingError::AlreadyMapped { va });
    for options in [HUGE, PAGES] {
        for size in [8 * K4, 4 * M2] {
            let region = table.map_region(F::va(0), pa(0), size, RW, options);
            assert_eq!(region.err(), taken);
        }
    }
    for size in [PageSize::Size2M, PageSize::Size1G] {
        assert_eq!(table.map(F::va(0), pa(0), size, RW).err(), taken);
    }
    assert!(snapshot() == before);
}

/// The tables that there were frames for were once left behind.
fn running_out_of_frames_leaves_nothing_behind<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0, PageSize::Size2M);
    let before = snapshot();
    let none = Some(PagingError::NoMemory);
    let start = F::va(F::space() / 2);
    for budget in 0..F::LEVELS - 1 {
        begin_operation(budget);
        let region = table.map_region(start, pa(0), 4 * G1 - K4, RW, HUGE);
        assert_eq!(region.err(), none);
    }
    begin_operation(0);
    assert_eq!(table.unmap_region(F::va(K4), K4).err(), none);
    let mapped = table.map(start, pa(0), PageSize::Size4K, RW);
    assert_eq!(mapped.err(), none);
    assert!(snapshot() == before);
}

/// A region with a hole once ended in an error that owed a flush nobody held.
fn what_a_region_with_holes_removes_is_invalidated_and_nothing_else<F: Format>() {
    let mut table = F::table();
    for page in [0, 2, 3] {
        map::<F>(&mut table, page * K4, page * K4, PageSize::Size4K);
    }
    let unmapped = |table: &mut Table<F>| {
        table.unmap_region(F::va(0), 3 * K4).unwrap().flush();
    };
    assert_eq!(invalidated(&recorded(|| unmapped(&mut table))), 2);
    // An error owes nothing.
    let log = recorded(|| assert!(table.unmap_region(F::va(0), K4 + 1).is_err()));
    assert_eq!(log, []);
}

/// How many invalidations there are.
fn invalidated(log: &[Event]) -> usize {
    let is = |event: &&Event| {
        matches!(
            event,
            Event::Tlbi(..) | Event::Invalidate(..) | Event::InvalidateAll(_)
        )
    };
    log.iter().filter(is).count()
}

/// An empty table was once in the way of a block, for ever.
fn a_block_fits_where_pages_used_to_be<F: Format>() {
    let mut table = F::table();
    for size in [PageSize::Size2M, PageSize::Size1G] {
        map::<F>(&mut table, 7 * K4, 0x9000, PageSize::Size4K);
        assert_eq!(table.unmap(F::va(7 * K4)).unwrap().flush(), pa(0x9000));
        assert_eq!(live_frames(), 1);
        map::<F>(&mut table, 0, 0, size);
        assert_eq!(table.unmap(F::va(0)).unwrap().flush(), pa(0));
    }
}

/// Other addresses were once taken for those with the same low bits.
fn addresses_that_the_tree_does_not_translate_are_refused<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, K4, 0x8000, PageSize::Size4K);
    let first = F::address(1);
    let others = [1 << 48, 1 << 56, 1 << 62, 1 << 63].map(|bit| first ^ bit);
    for at in others.map(va) {
        let bad = Some(PagingError::InvalidVirtAddr { va: at });
        assert_eq!(table.map(at, pa(0), PageSize::Size4K, RW).err(), bad);
        assert_eq!(table.query(at).err(), bad);
        assert_eq!(table.unmap(at).err(), bad);
        assert_eq!(table.protect(at, RO).err(), bad);
        assert_eq!(table.remap(at, pa(0), RO).err(), bad);
        assert_eq!(table.unmap_region(at, K4).err(), bad);
        assert_eq!(table.protect_region(at, 0, RO).err(), bad);
        assert_eq!(table.compact(at, 0).err(), bad);
        assert_eq!(table.pin(at, 0).err(), bad);
        let region = table.map_region(at, pa(0), K4, RW, HUGE);
        assert_eq!(region.err(), bad);
        assert_eq!(table.view().leaf(at).err(), bad);
        assert_eq!(table.view().trace(at, |_| ()).err(), bad);
        assert_eq!(table.view().cursor(at).err(), bad);
    }
}

/// Frames once lost the bits that a descriptor has no room for.
fn frames_past_the_width_are_refused<F: Format>() {
    let mut table = F::table();
    let limit = 1 << F::PA_BITS;
    map::<F>(&mut table, 0, limit - K4, PageSize::Size4K);
    let before = snapshot();
    for frame in [limit, limit | 0x5000, usize::MAX - 0xfff] {
        let bad = Some(PagingError::InvalidPhysAddr { pa: pa(frame) });
        let mapped = table.map(F::va(K4), pa(frame), PageSize::Size4K, RW);
        assert_eq!(mapped.err(), bad);
        assert_eq!(table.remap(F::va(0), pa(frame), RW).err(), bad);
        let region = table.map_region(F::va(K4), pa(frame), K4, RW, HUGE);
        assert_eq!(region.err(), bad);
    }
    let start = pa(limit - K4);
    let region = table.map_region(F::va(K4), start, 2 * K4, RW, HUGE);
    assert_eq!(
        region.err(),
        Some(PagingError::InvalidPhysAddr { pa: start })
    );
    assert!(snapshot() == before);
}

/// Without rights, a mapping was once neither there nor gone, and its frame lost.
fn all_rights_can_be_taken_away_and_given_back<F: Format>() {
    for size in PageSize::ALL {
        let mut table = F::table();
        map::<F>(&mut table, 0, 5 * G1, size);
        let at = F::va(0);
        let kept = RW.difference(MappingFlags::RIGHTS);
        table.protect(at, kept).unwrap().1.flush();
        let not_mapped = PagingError::NotMapped { va: at };
        assert_eq!(table.query(at), Err(not_mapped));
        assert!(table.map(at, pa(0), size, RW).is_err());
        let flags = table.view().leaf(at).unwrap().flags();
        assert_eq!(flags, kept);
        table.protect(at, flags | R).unwrap().1.flush();
        assert_eq!(table.query(at), Ok((pa(5 * G1), RO, size)));
        table.protect(at, NONE).unwrap().1.flush();
        assert_eq!(table.unmap(at).unwrap().flush(), pa(5 * G1));
        assert_eq!(live_frames(), 1);
    }
}

/// An entry without READ was once neither valid nor free.
fn flags_that_would_not_be_valid_are_refused_by_name<F: Format>() {
    let mut table = F::table();
    let at = F::va(0);
    for flags in [W, X, U | G | R, W | X | R, X | D | R, R | W | X | D] {
        let faults = F::faults(flags);
        let check = |error: Option<PagingError>| match error {
            Some(error) => assert!(faults.contains(&error), "{flags:?}"),
            None => assert_eq!(faults, [], "{flags:?}"),
        };
        if faults.is_empty() {
            continue;
        }
        check(table.map(at, pa(0), PageSize::Size4K, flags).err());
        check(table.protect_region(at, K4, flags).err());
        check(table.map_region(at, pa(0), K4, flags, HUGE).err());
        check(table.map_region(at, pa(0), 0, flags, HUGE).err());
        map::<F>(&mut table, 0, 0, PageSize::Size4K);
        check(table.protect(at, flags).err());
        check(table.remap(at, pa(K4), flags).err());
        assert_eq!(table.query(at), Ok((pa(0), RW, PageSize::Size4K)));
        assert_eq!(table.unmap(at).unwrap().flush(), pa(0));
    }
    assert_eq!(live_frames(), 1);
}

/// What `query` said was once changed by `remap` with just that.
fn flags_come_back_and_can_be_given_again<F: Format>() {
    let rights = |flags: &&MappingFlags| flags.intersects(MappingFlags::RIGHTS);
    for flags in F::FLAGS.iter().filter(rights) {
        for size in PageSize::ALL {
            let mut table = F::table();
            let mapped = table.map(F::va(0), pa(G1), size, *flags);
            mapped.unwrap().flush();
            let found = table.query(F::va(0)).unwrap();
            assert_eq!(found, (pa(G1), *flags, size));
            let log = recorded(|| {
                let remapped = table.remap(F::va(0), found.0, found.1);
                remapped.unwrap().1.flush();
            });
            assert_eq!(log, []);
        }
    }
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

/// Tables were freed twice, or not at all, or a mapped frame with them.
fn a_dropped_table_gives_every_frame_back_once_and_no_mapped_one<F: Format>() {
    let mut table = F::table();
    let data = Frames::alloc_frame().unwrap();
    map::<F>(&mut table, 0, data.as_usize(), PageSize::Size4K);
    map::<F>(&mut table, G1, G1, PageSize::Size1G);
    map::<F>(&mut table, F::space() / 2, 0, PageSize::Size2M);
    drop(table);
    assert_eq!(live_frames(), 1);
    Frames::dealloc_frame(data);
    begin_operation(0);
    assert_eq!(Table::<F>::try_new().err(), Some(PagingError::NoMemory));
}

/// Frames that are mapped were once written as if they were tables, or walked.
fn frames_that_are_mapped_are_never_touched<F: Format>() {
    let data = Frames::alloc_frame().unwrap().as_usize();
    let table_like = F::PTE::new_table(pa(data)).bits();
    for index in 0..512 {
        put_word(data, index, table_like);
    }
    let mut table = F::table();
    // The first frame of the block is the one of the data; the others are nobody's.
    assert_eq!(data, 0);
    map::<F>(&mut table, 0, 0, PageSize::Size2M);
    table.protect_region(F::va(0), K4, RW).unwrap().flush();
    table.protect_region(F::va(0), K4, RO).unwrap().flush();
    table.unmap_region(F::va(K4), K4).unwrap().flush();
    table.protect_region(F::va(0), M2, NONE).unwrap().flush();
    assert_eq!(table.unmap(F::va(0)).unwrap().flush(), pa(0));
    drop(table);
    assert!((0..512).all(|index| word(data, index) == table_like));
    Frames::dealloc_frame(pa(data));
}

/// A new mapping was once invalidated, and a region twice a page.
fn what_was_never_valid_is_invalidated_only_where_that_is_cached<F: Format>() {
    use crate::paging::PagingMetaData;
    let mut table = F::table();
    let log = recorded(|| {
        let region = table.map_region(F::va(0), pa(0), 3 * K4, RW, PAGES);
        region.unwrap().flush();
    });
    let expected = if F::M::CACHES_INVALID { 3 } else { 0 };
    assert_eq!(invalidated(&log), expected);
}

/// Without an ASID, a global translation must be reached too; and hosts once saw no flush.
fn an_invalidation_reaches_global_translations<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0, PageSize::Size4K);
    let log = recorded(|| table.protect(F::va(0), RO).unwrap().1.flush());
    assert_eq!(invalidated(&log), 1);
    let spares = |event: &Event| match event {
        Event::Invalidate(_, space, _) | Event::InvalidateAll(space) => *space != AddressSpace::All,
        // The all-ASID forms have no ASID in their operand.
        Event::Tlbi(_, operand) => operand >> 44 != 0,
        _ => false,
    };
    assert!(!log.iter().any(spares));
}

/// A new frame with the old rights could once be seen between two stores.
fn a_leaf_is_never_seen_half_changed<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0x8000, PageSize::Size4K);
    let log = recorded(|| table.remap(F::va(0), pa(0x9000), RO).unwrap().1.flush());
    let entries = log.iter().filter_map(|event| match event {
        Event::Store { bits, .. } => Some(F::PTE::from_bits(*bits)),
        _ => None,
    });
    let entries: Vec<_> = entries.collect();
    let new = F::PTE::new_page(pa(0x9000), RO, PageSize::Size4K).unwrap();
    assert_eq!((entries.len(), entries[1]), (2, new));
    assert!(!entries[0].is_present());
    let log = recorded(|| table.protect(F::va(0), RW).unwrap().1.flush());
    let stores = log
        .iter()
        .filter(|event| matches!(event, Event::Store { .. }));
    assert_eq!(stores.count(), 1);
}

/// User mappings were once global, so that no ASID could tell them apart.
fn user_leaves_are_not_global<F: Format>() {
    let mut table = F::table();
    let flags = R | U | A;
    let mapped = table.map(F::va(0), pa(0), PageSize::Size4K, flags);
    mapped.unwrap().flush();
    assert_eq!(table.query(F::va(0)).unwrap().1, flags);
    assert!(table.protect(F::va(0), flags | G).is_err());
}

/// Only the first address of a table that went was once invalidated, or leaves only; or the
/// table was freed before.
fn every_leaf_of_a_table_that_goes_is_invalidated_before_it_is_freed<F: Format>() {
    let mut table = F::table();
    for page in [3, 5, 500] {
        map::<F>(&mut table, page * K4, page * K4, PageSize::Size4K);
    }
    let ((), log) = record_all(|| table.unmap_region(F::va(0), M2).unwrap().flush());
    assert_eq!(invalidated(&log), 3);
    let is_tlbi = |event: &Event| invalidated(core::slice::from_ref(event)) == 1;
    let last = log.iter().rposition(is_tlbi).unwrap();
    let freed = log.iter().position(|event| matches!(event, Event::Free(_)));
    assert!(freed.unwrap() > last + 1, "{log:x?}");
}

fn mapping_over_a_mapping_is_refused<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0, PageSize::Size2M);
    let taken = Some(PagingError::AlreadyMapped { va: F::va(0) });
    for size in PageSize::ALL {
        assert_eq!(table.map(F::va(0), pa(0), size, RW).err(), taken);
    }
    let region = table.map_region(F::va(0), pa(0), M2, RW, HUGE);
    assert_eq!(region.err(), taken);
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

/// A live block was once overwritten by its table.
fn a_live_block_is_broken_before_it_is_split<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0, 0, PageSize::Size1G);
    let log = recorded(|| table.unmap_region(F::va(K4), K4).unwrap().flush());
    let stores = log.iter().filter_map(|event| match event {
        Event::Store { bits, .. } => Some(F::PTE::from_bits(*bits).is_present()),
        _ => None,
    });
    assert_eq!(stores.collect::<Vec<_>>(), [false, true]);
    assert!(matches!(log[0], Event::BeginBreak { bytes: G1, .. }));
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
    changing_what_is_not_mapped_creates_nothing,
    a_block_without_rights_never_becomes_a_table,
    physical_0_can_be_a_block_a_page_and_a_table,
    the_last_page_is_a_page_like_any_other,
    a_part_of_a_block_is_unmapped_or_protected_exactly,
    a_region_from_inside_one_block_to_inside_the_next_is_unmapped_exactly,
    exact_blocks_are_changed_whole,
    unaligned_regions_are_refused_and_unaligned_leaves_aligned_down,
    holes_are_skipped_and_not_counted,
    a_mapping_in_the_way_leaves_no_page_behind,
    running_out_of_frames_leaves_nothing_behind,
    what_a_region_with_holes_removes_is_invalidated_and_nothing_else,
    a_block_fits_where_pages_used_to_be,
    addresses_that_the_tree_does_not_translate_are_refused,
    frames_past_the_width_are_refused,
    all_rights_can_be_taken_away_and_given_back,
    flags_that_would_not_be_valid_are_refused_by_name,
    flags_come_back_and_can_be_given_again,
    every_page_of_a_region_of_mixed_leaves_has_its_own_frame,
    every_size_stands_at_its_own_level,
    a_walk_gives_canonical_addresses_and_obeys_its_limit,
    a_dropped_table_gives_every_frame_back_once_and_no_mapped_one,
    frames_that_are_mapped_are_never_touched,
    what_was_never_valid_is_invalidated_only_where_that_is_cached,
    an_invalidation_reaches_global_translations,
    a_leaf_is_never_seen_half_changed,
    user_leaves_are_not_global,
    every_leaf_of_a_table_that_goes_is_invalidated_before_it_is_freed,
    mapping_over_a_mapping_is_refused,
    protecting_a_part_of_a_block_as_it_is_does_not_split_it,
    a_live_block_is_broken_before_it_is_split,
    contiguous_groups_are_whole_and_aligned_or_not_at_all,
}

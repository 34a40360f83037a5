//! What an entry is taken for, and whose its frame is.
#![forbid(unsafe_code)]

use super::{frame_at, map};
use crate::tests::formats::{Format, Table, every_format};
use crate::tests::memory::{Frames, begin_operation, live_frames, put_word, recorded, word};
use crate::tests::{G1, K4, M2, NONE, R, RO, RW, pa};
use crate::{GenericPTE, MappingFlags, PageSize, PagingError, PagingHandler};

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

every_format! {
    a_block_without_rights_never_becomes_a_table,
    physical_0_can_be_a_block_a_page_and_a_table,
    a_block_fits_where_pages_used_to_be,
    all_rights_can_be_taken_away_and_given_back,
    flags_come_back_and_can_be_given_again,
    a_dropped_table_gives_every_frame_back_once_and_no_mapped_one,
    frames_that_are_mapped_are_never_touched,
}

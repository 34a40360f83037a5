//! Top-level tables that many trees share: who may change them, who sees what, who frees them.

mod asid;
mod steps;
mod threads;
mod walks;

use std::vec::Vec;

use crate::tests::formats::{Format, every_format};
use crate::tests::memory::{Frames, begin_operation, live_frames, recorded, snapshot, word};
use crate::tests::{G1, K4, M2, RO, RW, pa, va};
use crate::{
    PageSize, PageTable64, PagingError, RegionOptions, SharedReader, SharedTop, SharedWriter,
};

pub(in crate::tests) type Top<F> = SharedTop<<F as Format>::M, <F as Format>::PTE, Frames>;
pub(in crate::tests) type Reader<'top, F> = PageTable64<
    <F as Format>::M,
    <F as Format>::PTE,
    Frames,
    SharedReader<'top, <F as Format>::M, <F as Format>::PTE, Frames>,
>;
pub(in crate::tests) type Writer<'top, F> = PageTable64<
    <F as Format>::M,
    <F as Format>::PTE,
    Frames,
    SharedWriter<'top, <F as Format>::M, <F as Format>::PTE, Frames>,
>;

const HUGE: RegionOptions = RegionOptions::HUGE;

/// Bytes that an entry of the root translates.
fn root_entry<F: Format>() -> usize {
    F::space() / 512
}

/// Where the shared part starts: the upper half.
pub(in crate::tests) fn start<F: Format>() -> usize {
    F::space() / 2
}

/// Two shared tables.
pub(in crate::tests) fn top<F: Format>() -> Top<F> {
    Top::<F>::try_new(F::va(start::<F>()), 2 * root_entry::<F>()).unwrap()
}

pub(in crate::tests) fn writer<F: Format>(top: &Top<F>) -> Writer<'_, F> {
    Writer::<F>::copy_from(top.writer().unwrap()).unwrap()
}

pub(in crate::tests) fn reader<F: Format>(top: &Top<F>) -> Reader<'_, F> {
    Reader::<F>::copy_from(top.reader()).unwrap()
}

/// The indices of the shared entries.
const SHARED: core::ops::Range<usize> = 256..258;

fn readers_see_what_the_writer_maps_later<F: Format>() {
    let top = top::<F>();
    let mut kernel = writer::<F>(&top);
    let user = reader::<F>(&top);
    let places = [0, root_entry::<F>() + K4, 2 * root_entry::<F>() - K4];
    for offset in places {
        let at = F::va(start::<F>() + offset);
        assert!(user.query(at).is_err());
        let mapped = kernel.map(at, pa(offset & (G1 - 1)), PageSize::Size4K, RW);
        mapped.unwrap().flush();
        assert_eq!(user.query(at), kernel.query(at));
        assert!(user.query(at).is_ok());
    }
    let late = reader::<F>(&top);
    assert_eq!(late.view().iter(..).count(), 3);
    for offset in places {
        let at = F::va(start::<F>() + offset);
        assert_eq!(kernel.unmap(at).unwrap().flush(), pa(offset & (G1 - 1)));
        assert!(user.query(at).is_err() && late.query(at).is_err());
    }
    user.view().check(SHARED).unwrap();
}

/// The shared tables are never unlinked, so that no copy of their entries grows stale.
fn shared_tables_stay_when_they_are_empty<F: Format>() {
    let top = top::<F>();
    let live = live_frames();
    let mut kernel = writer::<F>(&top);
    let user = reader::<F>(&top);
    let root = kernel.root_paddr().as_usize();
    let entries: Vec<_> = SHARED.map(|index| word(root, index)).collect();
    let all = 2 * root_entry::<F>();
    let at = F::va(start::<F>());
    let region = kernel.map_region(at, pa(0), 2 * G1 - K4, RW, HUGE);
    region.unwrap().flush();
    kernel.protect_region(at, all, RO).unwrap().flush();
    kernel.unmap_region(at, all).unwrap().flush();
    kernel.map(at, pa(0), PageSize::Size4K, RW).unwrap().flush();
    assert_eq!(kernel.unmap(at).unwrap().flush(), pa(0));
    assert_eq!(live_frames(), live + 2);
    assert_eq!(
        entries,
        SHARED.map(|index| word(root, index)).collect::<Vec<_>>()
    );
    let copy = user.root_paddr().as_usize();
    assert_eq!(
        entries,
        SHARED.map(|index| word(copy, index)).collect::<Vec<_>>()
    );
    assert_eq!(kernel.view().check(SHARED).unwrap().tables, 3);
}

fn a_reader_is_refused_what_is_not_its_own<F: Format>() {
    let top = top::<F>();
    let mut kernel = writer::<F>(&top);
    let at = F::va(start::<F>() + K4);
    kernel.map(at, pa(0), PageSize::Size4K, RW).unwrap().flush();
    let mut user = reader::<F>(&top);
    let before = snapshot();
    let log = recorded(|| {
        let shared = Some(PagingError::Shared { va: at });
        let free = F::va(start::<F>() + M2);
        let elsewhere = Some(PagingError::Shared { va: free });
        assert_eq!(user.map(free, pa(0), PageSize::Size4K, RW).err(), elsewhere);
        assert_eq!(user.unmap(at).err(), shared);
        assert_eq!(user.protect(at, RO).err(), shared);
        assert_eq!(user.remap(at, pa(0), RO).err(), shared);
        assert_eq!(user.update(at, None, None).err(), shared);
        assert_eq!(user.unmap_region(at, K4).err(), shared);
        assert_eq!(user.protect_region(at, M2, RO).err(), shared);
        assert_eq!(user.compact(at, M2).err(), shared);
        let region = user.map_region(free, pa(0), K4, RW, HUGE);
        assert_eq!(region.err(), elsewhere);
        // A range that begins outside names the first address inside.
        let from = root_entry::<F>() * 255;
        let whole = F::va(start::<F>());
        let inside = Some(PagingError::Shared { va: whole });
        let behind = F::va(start::<F>() + 2 * root_entry::<F>() - K4);
        let last = Some(PagingError::Shared { va: behind });
        assert_eq!(user.unmap_region(behind, 2 * K4).err(), last);
        let across = user.unmap_region(F::va(from), 2 * root_entry::<F>()).err();
        let hole = PagingError::RangeTooLong {
            va: F::va(from),
            size: 2 * root_entry::<F>(),
        };
        let expected = if is_split::<F>() { Some(hole) } else { inside };
        assert_eq!(across, expected);
    });
    assert_eq!(log, []);
    assert!(snapshot() == before);
    // An empty range changes nothing.
    user.unmap_region(at, 0).unwrap().flush();
}

/// Whether addresses jump where the shared part starts.
fn is_split<F: Format>() -> bool {
    F::address(start::<F>() / K4) != F::address(start::<F>() / K4 - 1) + K4
}

fn a_reader_does_with_its_own_half_what_it_likes<F: Format>() {
    let top = top::<F>();
    let mut user = reader::<F>(&top);
    let live = live_frames();
    let region = user.map_region(F::va(K4), pa(0), G1, RW, RegionOptions::all());
    region.unwrap().flush();
    let behind = F::va(start::<F>() + 2 * root_entry::<F>());
    let mapped = user.map(behind, pa(0), PageSize::Size1G, RW);
    mapped.unwrap().flush();
    user.view().check(SHARED).unwrap();
    user.unmap_region(F::va(0), start::<F>()).unwrap().flush();
    assert_eq!(user.unmap(behind).unwrap().flush(), pa(0));
    assert_eq!(live_frames(), live);
}

fn beside_the_shared_part_blocks_are_as_big_as_anywhere<F: Format>() {
    let top = top::<F>();
    let mut kernel = writer::<F>(&top);
    for offset in [0, start::<F>() - G1, start::<F>() + 2 * root_entry::<F>()] {
        let region = kernel.map_region(F::va(offset), pa(0), G1, RW, HUGE);
        region.unwrap().flush();
        let expected = Ok((pa(0), RW, PageSize::Size1G));
        assert_eq!(kernel.query(F::va(offset)), expected);
    }
}

/// Nobody counts what is used in a shared table.
fn a_block_of_the_shared_part_is_not_mapped_over<F: Format>() {
    let top = top::<F>();
    let mut kernel = writer::<F>(&top);
    let at = F::va(start::<F>());
    kernel.map_region(at, pa(0), G1, RW, HUGE).unwrap().flush();
    let before = snapshot();
    let over = kernel.map_region(at, pa(G1), G1 + K4, RW, HUGE).err();
    assert_eq!(over, Some(PagingError::AlreadyMapped { va: at }));
    assert!(snapshot() == before);
}

fn a_shared_table_is_never_merged_and_those_below_are<F: Format>() {
    let top = top::<F>();
    let mut kernel = writer::<F>(&top);
    let at = |offset| F::va(start::<F>() + offset);
    for offset in (0..G1).step_by(M2) {
        let map = kernel.map(at(offset), pa(offset), PageSize::Size2M, RW);
        map.unwrap().flush();
    }
    kernel.compact(at(0), G1).unwrap().flush();
    let size = if root_entry::<F>() == G1 {
        PageSize::Size2M
    } else {
        PageSize::Size1G
    };
    assert_eq!(kernel.query(at(0)), Ok((pa(0), RW, size)));
}

fn there_is_one_writer_at_a_time<F: Format>() {
    let top = top::<F>();
    let kernel = writer::<F>(&top);
    assert_eq!(top.writer().err(), Some(PagingError::Busy));
    drop(kernel);
    drop(writer::<F>(&top));
    // A writer that never came to be is none.
    begin_operation(0);
    let failed = Writer::<F>::copy_from(top.writer().unwrap());
    assert_eq!(failed.err(), Some(PagingError::NoMemory));
    begin_operation(usize::MAX);
    drop(writer::<F>(&top));
}

fn every_frame_is_given_back_once_whoever_goes_first<F: Format>() {
    for writer_first in [true, false] {
        let top = top::<F>();
        assert_eq!(live_frames(), 3);
        let at = F::va(start::<F>());
        {
            let mut kernel = writer::<F>(&top);
            let mut user = reader::<F>(&top);
            let region = kernel.map_region(at, pa(0), 3 * M2 + K4, RW, HUGE);
            region.unwrap().flush();
            let mapped = user.map(F::va(0), pa(0), PageSize::Size4K, RW);
            mapped.unwrap().flush();
            let mapped = live_frames();
            if writer_first {
                drop(kernel);
                assert_eq!(live_frames(), mapped - 1);
                assert!(user.query(at).is_ok());
            } else {
                drop(user);
                assert_eq!(live_frames(), mapped - F::LEVELS);
                assert!(kernel.query(at).is_ok());
            }
        }
        // What was mapped in the shared part is still there for the next.
        assert!(reader::<F>(&top).query(at).is_ok());
        drop(top);
        assert_eq!(live_frames(), 0);
    }
}

fn the_shared_part_is_whole_entries_of_the_root<F: Format>() {
    let (at, bytes) = (F::va(start::<F>()), root_entry::<F>());
    let odd = |value| {
        let alignment = bytes;
        Some(PagingError::NotAligned { value, alignment })
    };
    let inside = va(at.as_usize() + K4);
    let made = |at, size| Top::<F>::try_new(at, size).err();
    assert_eq!(made(inside, bytes), odd(inside.as_usize()));
    assert_eq!(made(at, bytes - K4), odd(bytes - K4));
    let size = start::<F>() + bytes;
    assert_eq!(
        made(at, size),
        Some(PagingError::RangeTooLong { va: at, size })
    );
    let outside = va(at.as_usize() ^ 1 << 52);
    assert_eq!(
        made(outside, bytes),
        Some(PagingError::InvalidVirtAddr { va: outside })
    );
    for budget in 0..3 {
        begin_operation(budget);
        assert_eq!(made(at, 2 * bytes), Some(PagingError::NoMemory));
        assert_eq!(live_frames(), 0);
    }
    begin_operation(usize::MAX);
    let all = Top::<F>::try_new(at, start::<F>()).unwrap();
    assert_eq!((all.tables().count(), live_frames()), (256, 257));
    drop(all);
    assert_eq!(live_frames(), 0);
    assert_eq!(Top::<F>::try_new(at, 0).unwrap().tables().count(), 0);
}

every_format! {
    readers_see_what_the_writer_maps_later,
    shared_tables_stay_when_they_are_empty,
    a_reader_is_refused_what_is_not_its_own,
    a_reader_does_with_its_own_half_what_it_likes,
    beside_the_shared_part_blocks_are_as_big_as_anywhere,
    a_block_of_the_shared_part_is_not_mapped_over,
    a_shared_table_is_never_merged_and_those_below_are,
    there_is_one_writer_at_a_time,
    every_frame_is_given_back_once_whoever_goes_first,
    the_shared_part_is_whole_entries_of_the_root,
}

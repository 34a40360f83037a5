//! What must be refused, and then change nothing.
#![forbid(unsafe_code)]

use super::{HUGE, PAGES, frame_at, map};
use crate::tests::formats::{Format, every_format};
use crate::tests::memory::{begin_operation, live_frames, snapshot};
use crate::tests::{A, D, G, G1, K4, M2, R, RO, RW, U, W, X, pa, va};
use crate::{PageSize, PagingError};

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

/// User mappings were once global, so that no ASID could tell them apart.
fn user_leaves_are_not_global<F: Format>() {
    let mut table = F::table();
    let flags = R | U | A;
    let mapped = table.map(F::va(0), pa(0), PageSize::Size4K, flags);
    mapped.unwrap().flush();
    assert_eq!(table.query(F::va(0)).unwrap().1, flags);
    assert!(table.protect(F::va(0), flags | G).is_err());
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

every_format! {
    changing_what_is_not_mapped_creates_nothing,
    unaligned_regions_are_refused_and_unaligned_leaves_aligned_down,
    a_mapping_in_the_way_leaves_no_page_behind,
    running_out_of_frames_leaves_nothing_behind,
    addresses_that_the_tree_does_not_translate_are_refused,
    frames_past_the_width_are_refused,
    flags_that_would_not_be_valid_are_refused_by_name,
    user_leaves_are_not_global,
    mapping_over_a_mapping_is_refused,
}

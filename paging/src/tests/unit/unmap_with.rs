//! A region's unmapping that hands its frames out: when, which, and what is executed for it.
#![forbid(unsafe_code)]

use std::vec::Vec;

use crate::format::aarch64_tlb::Barrier::{DsbIsh, DsbIshst, Isb};
use crate::format::aarch64_tlb::Tlbi;
use crate::tests::formats::{A64High, Format, every_format};
use crate::tests::memory::{Event, live_frames, record_all, recorded, release, snapshot};
use crate::tests::{G1, K4, M2, NONE, RO, RW, pa, va};
use crate::{PageSize, PagingError, RegionOptions, UnmappedFrame};

const HIGH: usize = 0xffff_0000_0000_0000;
const PAGES: RegionOptions = RegionOptions::empty();

/// What was present, what was inaccessible, holes, a block and parts of one: all of it, once, in
/// order, with the frame that was there.
fn every_leaf_of_the_region_is_handed_out_once<F: Format>() {
    let mut table = F::table();
    let map = |table: &mut crate::tests::formats::Table<F>, at, frame, size, flags| {
        let map = table.map(F::va(at), pa(frame), size, flags);
        map.unwrap().flush();
    };
    map(&mut table, K4, 5 * K4, PageSize::Size4K, RW);
    map(&mut table, 3 * K4, 2 * K4, PageSize::Size4K, NONE);
    map(&mut table, M2, 4 * M2, PageSize::Size2M, RO);
    map(&mut table, 2 * M2, 0, PageSize::Size2M, RW);
    map(&mut table, G1, G1, PageSize::Size1G, NONE);
    let mut found = Vec::new();
    let end = 2 * M2 + 2 * K4;
    let pages = table.unmap_region_with(F::va(0), end, |frame| found.push(frame));
    let unmapped = |at, frame, size| UnmappedFrame {
        va: F::va(at),
        pa: pa(frame),
        size,
    };
    let expected = [
        unmapped(K4, 5 * K4, PageSize::Size4K),
        unmapped(3 * K4, 2 * K4, PageSize::Size4K),
        unmapped(M2, 4 * M2, PageSize::Size2M),
        unmapped(2 * M2, 0, PageSize::Size4K),
        unmapped(2 * M2 + K4, K4, PageSize::Size4K),
    ];
    assert_eq!((pages, &found[..]), (Ok(2 + 512 + 2), &expected[..]));
    table.check().unwrap();
    found.clear();
    let pages = table.unmap_region_with(F::va(0), 2 * G1, |frame| found.push(frame));
    assert_eq!((pages, found.len()), (Ok(510 + (1 << 18)), 511));
    assert_eq!(found.last(), Some(&unmapped(G1, G1, PageSize::Size1G)));
    assert_eq!(live_frames(), 1);
    table.check().unwrap();
}

fn a_refusal_hands_nothing_out_and_changes_nothing<F: Format>() {
    let mut table = F::table();
    let map = table.map(F::va(0), pa(0), PageSize::Size2M, RW);
    map.unwrap().flush();
    table.pin(F::va(K4), K4).unwrap();
    let before = snapshot();
    let no_frame = |frame| panic!("{frame:?}");
    let refused = [
        table.unmap_region_with(F::va(K4), K4, no_frame),
        table.unmap_region_with(F::va(0), M2, no_frame),
        table.unmap_region_with(F::va(0), 1, no_frame),
    ];
    let pinned = Err(PagingError::Pinned { va: F::va(K4) });
    assert_eq!(refused[..2], [pinned, pinned]);
    assert!(refused[2].is_err() && snapshot() == before);
    assert_eq!(table.unmap_region_with(F::va(M2), M2, no_frame), Ok(0));
}

every_format! {
    every_leaf_of_the_region_is_handed_out_once,
    a_refusal_hands_nothing_out_and_changes_nothing,
}

/// Two of three pages: each broken, invalidated in one batch, handed out, then cleared.
#[test]
fn a_frame_is_handed_out_between_the_invalidation_and_the_clearing() {
    const TABLE: usize = 0x1000;
    let mut table = A64High::table();
    for page in 0..3 {
        let (at, frame) = (va(HIGH + page * K4), pa(0x8000_0000 + page * K4));
        let map = table.map(at, frame, PageSize::Size4K, RW);
        map.unwrap().flush();
    }
    let log = recorded(|| {
        let release = |frame: UnmappedFrame| release(frame.pa.as_usize(), frame.size.bytes());
        assert_eq!(table.unmap_region_with(va(HIGH), 2 * K4, release), Ok(2));
    });
    let store = |table, index, bits| Event::Store { table, index, bits };
    let page = |page: usize| {
        let at = (HIGH + page * K4) as u64 >> 12;
        Event::Tlbi(Tlbi::Vaale1is, at & 0x0fff_ffff_ffff)
    };
    let expected = [
        store(TABLE, 0, 0x0060_0000_8000_0712),
        store(TABLE, 1, 0x0060_0000_8000_1712),
        Event::Barrier(DsbIshst),
        page(0),
        page(1),
        Event::Barrier(DsbIsh),
        Event::Barrier(Isb),
        Event::Released(0x8000_0000, K4),
        Event::Released(0x8000_1000, K4),
        store(TABLE, 0, 0),
        store(TABLE, 1, 0),
        store(0x2000, 0, TABLE as u64 | 1 << 2 | 0b11),
    ];
    assert_eq!(log, expected);
}

/// A gigabyte of pages goes by one store and one invalidation, and all its tables with it.
#[test]
fn tables_go_whole_with_one_invalidation() {
    let mut table = A64High::table();
    let region = table.map_region(va(HIGH), pa(G1), G1, RW, PAGES);
    region.unwrap().flush();
    let mut next = G1;
    let (pages, log) = record_all(|| {
        table.unmap_region_with(va(HIGH), G1, |frame| {
            assert_eq!(frame.pa, pa(next));
            next += K4;
        })
    });
    assert_eq!((pages, next), (Ok(G1 / K4), 2 * G1));
    let is_maintenance = |event: &&Event| matches!(event, Event::Barrier(_) | Event::Tlbi(..));
    let maintenance: Vec<_> = log.iter().filter(is_maintenance).copied().collect();
    let expected = [
        Event::Barrier(DsbIshst),
        Event::Tlbi(Tlbi::Vmalle1is, 0),
        Event::Barrier(DsbIsh),
        Event::Barrier(Isb),
    ];
    assert_eq!((maintenance.as_slice(), live_frames()), (&expected[..], 1));
}

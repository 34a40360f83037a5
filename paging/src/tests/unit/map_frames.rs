//! Frames that lie anywhere, mapped in one operation.
#![forbid(unsafe_code)]

use std::vec::Vec;

use crate::format::aarch64_tlb::Barrier::{DmbIshst, DsbIshst, Isb};
use crate::tests::formats::{A64High, Format, every_format};
use crate::tests::memory::{Event, begin_operation, live_frames, recorded, snapshot};
use crate::tests::{K4, M2, RW, pa, va};
use crate::{PageSize, PagingError, RegionOptions};

const HIGH: usize = 0xffff_0000_0000_0000;

/// Across the end of a table, in no order, one frame twice.
fn each_page_has_the_frame_that_was_named_for_it<F: Format>() {
    let mut table = F::table();
    let frames = [0x9000_7000, 0x8000_1000, 0x9000_3000, 0x8000_1000, 0].map(pa);
    let start = M2 - 2 * K4;
    let region = table.map_frames(F::va(start), &frames, PageSize::Size4K, RW);
    let receipt = region.unwrap();
    assert_eq!(receipt.pages(), 5);
    receipt.flush();
    for (page, frame) in frames.into_iter().enumerate() {
        let found = table.query(F::va(start + page * K4));
        assert_eq!(found, Ok((frame, RW, PageSize::Size4K)));
    }
    let frames = [5 * M2, 3 * M2].map(pa);
    let region = table.map_frames(F::va(2 * M2), &frames, PageSize::Size2M, RW);
    region.unwrap().flush();
    let found = table.query(F::va(3 * M2));
    assert_eq!(found, Ok((frames[1], RW, PageSize::Size2M)));
    table.check().unwrap();
}

fn a_refusal_names_its_reason_and_changes_nothing<F: Format>() {
    let mut table = F::table();
    let options = RegionOptions::empty();
    let region = table.map_region(F::va(2 * K4), pa(0), K4, RW, options);
    region.unwrap().flush();
    let before = snapshot();
    let far = pa(1 << F::PA_BITS);
    let size = PageSize::Size4K;
    let unaligned = |value, alignment| PagingError::NotAligned { value, alignment };
    let mut refused = |at, frames: &[usize], size| {
        let frames: Vec<_> = frames.iter().map(|frame| pa(*frame)).collect();
        let region = table.map_frames(F::va(at), &frames, size, RW);
        region.map(|receipt| receipt.pages()).unwrap_err()
    };
    let mapped = PagingError::AlreadyMapped { va: F::va(2 * K4) };
    assert_eq!(refused(0, &[0, 0, 0], size), mapped);
    let error = PagingError::InvalidPhysAddr { pa: far };
    assert_eq!(refused(0, &[0, far.as_usize()], size), error);
    assert_eq!(refused(0, &[0, 0x234], size), unaligned(0x234, K4));
    assert_eq!(refused(M2, &[K4], PageSize::Size2M), unaligned(K4, M2));
    let at = F::va(K4).as_usize();
    assert_eq!(refused(K4, &[0], PageSize::Size2M), unaligned(at, M2));
    assert!(snapshot() == before);
    // Two tables are missing on the way to a far page, and there is a frame for one.
    let live = live_frames();
    begin_operation(1);
    let far = F::va(F::space() / 4);
    let region = table.map_frames(far, &[pa(0)], size, RW).map(drop);
    begin_operation(usize::MAX);
    assert_eq!(region, Err(PagingError::NoMemory));
    assert!(snapshot() == before && live_frames() == live);
}

every_format! {
    each_page_has_the_frame_that_was_named_for_it,
    a_refusal_names_its_reason_and_changes_nothing,
}

#[test]
fn all_frames_are_published_by_one_pair_of_barriers() {
    let mut table = A64High::table();
    let frames: Vec<_> = (0..600).rev().map(|page| pa(page * K4)).collect();
    let log = recorded(|| {
        let region = table.map_frames(va(HIGH), &frames, PageSize::Size4K, RW);
        region.unwrap().flush();
    });
    let maintenance = |event: &&Event| !matches!(event, Event::Store { .. });
    let maintenance: Vec<_> = log.iter().filter(maintenance).copied().collect();
    let expected = [DmbIshst, DsbIshst, Isb].map(Event::Barrier);
    assert_eq!(maintenance, expected);
}

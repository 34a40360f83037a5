//! Shared frames, frames at an address, and blocks that are split while in use.
#![forbid(unsafe_code)]

use super::super::{FrameAllocator, FrameError, FrameState, Order};
use super::model::{Random, frame, metadata};
use super::order;
use std::collections::BTreeMap;

/// An allocator of the frames 1 to 2999.
fn allocator(metadata: &mut [FrameState]) -> FrameAllocator<'_> {
    let mut frames = FrameAllocator::new(metadata);
    frames.add(frame(1), frame(3000));
    frames
}

#[test]
fn a_shared_frame_is_free_when_its_last_owner_frees_it() {
    let mut metadata = metadata(3000);
    let mut frames = allocator(&mut metadata);
    let before = frames.count().free;
    let pa = frames.allocate().unwrap();
    assert_eq!(frames.references(pa), Some(1));
    for references in 2..=4 {
        frames.share(pa).unwrap();
        assert_eq!(frames.references(pa), Some(references));
        assert!(frames.is_single(pa));
        assert_eq!(frames.check().err(), None);
    }
    for references in [Some(3), Some(2), Some(1), None] {
        frames.free(pa).unwrap();
        assert_eq!(frames.references(pa), references);
        let free = before - usize::from(references.is_some());
        assert_eq!(frames.count().free, free);
    }
    assert_eq!(frames.free(pa), Err(FrameError::DoubleFree { pa }));
    assert_eq!(frames.share(pa), Err(FrameError::DoubleFree { pa }));
    let pa = frame(4000);
    assert_eq!(frames.share(pa), Err(FrameError::Foreign { pa }));
    let block = frames.allocate_block(order(3)).unwrap();
    assert!(frames.share(block).is_err() && frames.references(block).is_none());
}

#[test]
fn a_free_frame_is_had_at_its_address_and_no_other() {
    let mut metadata = metadata(3000);
    let mut frames = allocator(&mut metadata);
    let used = frames.allocate().unwrap();
    let cached = frames.allocate().unwrap();
    frames.free(cached).unwrap();
    let block = frames.allocate_block(order(4)).unwrap();
    for (pa, is_free) in [
        (used, false),
        (block, false),
        (frame(0), false),
        (frame(3000), false),
        (frame(usize::MAX >> 12), false),
        (cached, true),
        (cached, false),
        (frame(2999), true),
        (frame(1234), true),
    ] {
        assert_eq!(frames.allocate_at(pa), is_free, "{pa}");
        assert_eq!(frames.check().err(), None);
    }
    for pa in [cached, frame(2999), frame(1234), used] {
        frames.free(pa).unwrap();
    }
    frames.free_block(block, order(4)).unwrap();
    assert_eq!(frames.check().err(), None);
    assert_eq!(frames.count().free, 2999);
}

#[test]
fn a_row_of_blocks_is_whole_aligned_and_freed_block_by_block() {
    let mut metadata = metadata(20_000);
    let mut frames = FrameAllocator::new(&mut metadata);
    frames.add(frame(1), frame(20_000));
    let before = frames.count().free;
    // Frames 0 to 8191 lack the first; of 8192 to 16383 one is in use, then none.
    assert!(frames.allocate_at(frame(12_345)));
    assert_eq!(frames.allocate_row(16), None);
    frames.free(frame(12_345)).unwrap();
    let row = frames.allocate_row(16);
    assert_eq!(row, Some(frame(8192)));
    assert_eq!(frames.check().err(), None);
    assert_eq!(frames.count().free, before - 8192);
    assert_eq!(frames.statistics().peak, 8192);
    assert_eq!(frames.allocate_row(16), None);
    assert_eq!(frames.allocate_row(8), Some(frame(4096)));
    assert_eq!(frames.allocate_row(usize::MAX / 2 + 1), None);
    for first in (4096..8192).step_by(512) {
        frames.free_block(frame(first), Order::MAX).unwrap();
    }
    for first in (8192..16_384).step_by(512) {
        frames.split_block(frame(first), Order::MAX).unwrap();
    }
    assert_eq!(frames.check().err(), None);
    for number in 8192..16_384 {
        frames.free(frame(number)).unwrap();
    }
    assert_eq!(frames.check().err(), None);
    assert_eq!(frames.count().free, before);
}

#[test]
fn a_block_that_is_split_is_freed_frame_by_frame() {
    let mut metadata = metadata(3000);
    let mut frames = allocator(&mut metadata);
    for order in Order::all() {
        let pa = frames.allocate_block(order).unwrap();
        let peak = frames.statistics().peak;
        assert_eq!(frames.split_block(pa, order), Ok(()));
        assert_eq!(frames.check().err(), None);
        assert_eq!(frames.count().free, 2999 - order.frames());
        assert_eq!(frames.statistics().peak, peak);
        let first = pa.as_usize() >> 12;
        for number in (first..first + order.frames()).rev() {
            frames.free(frame(number)).unwrap();
        }
        assert_eq!(frames.check().err(), None);
        let used = frames.split_block(pa, order);
        assert!(used.is_err(), "it is not in use");
    }
    assert_eq!(frames.count().free, 2999);
}

#[test]
fn random_owners_agree_with_a_map_of_counts() {
    let mut random = Random(0x0d1e);
    let mut metadata = metadata(3000);
    let mut frames = allocator(&mut metadata);
    let mut model = BTreeMap::<usize, u32>::new();
    for step in 0..20_000 {
        let number = 1 + random.below(2999);
        match random.below(6) {
            0 | 1 => {
                let is_free = !model.contains_key(&number);
                assert_eq!(frames.allocate_at(frame(number)), is_free);
                model.entry(number).or_insert(1);
            }
            2 => {
                let order = random.order(5);
                if let Some(pa) = frames.allocate_block(order) {
                    frames.split_block(pa, order).unwrap();
                    let first = pa.as_usize() >> 12;
                    for number in first..first + order.frames() {
                        assert_eq!(model.insert(number, 1), None);
                    }
                }
            }
            3 => match model.get_mut(&number) {
                Some(count) => {
                    frames.share(frame(number)).unwrap();
                    *count += 1;
                }
                None => assert!(frames.share(frame(number)).is_err()),
            },
            _ => match model.get_mut(&number) {
                Some(count) => {
                    frames.free(frame(number)).unwrap();
                    *count -= 1;
                    if *count == 0 {
                        model.remove(&number);
                    }
                }
                None => assert!(frames.free(frame(number)).is_err()),
            },
        }
        assert_eq!(
            frames.references(frame(number)),
            model.get(&number).copied()
        );
        if step % 64 == 0 {
            assert_eq!(frames.check().err(), None);
            assert_eq!(frames.count().free, 2999 - model.len());
        }
    }
}

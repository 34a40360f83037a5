//! Properties of the allocator, one by one; `random` has them all at once.
#![forbid(unsafe_code)]

mod check;
mod model;
mod random;
mod references;

use std::collections::BTreeSet;
use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::frame_cache::CAPACITY;
use super::{FrameAllocator, FrameCount, FrameError, Order};
use crate::addr::{PAGE_SIZE, PhysAddr};
use model::{Pair, Random, frame, metadata};

fn order(number: usize) -> Order {
    Order::new(number).unwrap()
}

/// Free blocks of each order.
fn free_blocks(frames: &FrameAllocator) -> [usize; Order::COUNT] {
    frames.statistics().orders.map(|order| order.free)
}

#[test]
fn an_order_is_a_power_of_two_of_frames() {
    assert_eq!(Order::new(Order::COUNT), None);
    for (number, order) in Order::all().enumerate() {
        assert_eq!(order.frames(), 1 << number);
        assert_eq!(order.bytes(), PAGE_SIZE << number);
        assert_eq!(Order::for_bytes(order.bytes()), Some(order));
        assert_eq!(Order::for_bytes(order.bytes() + 1), Order::new(number + 1));
    }
    assert_eq!(Order::for_bytes(0), Some(Order::FRAME));
    assert_eq!(Order::for_bytes(2 << 20), Some(order(9)));
    assert_eq!(Order::for_bytes(usize::MAX), None);
    let text: Vec<_> = Order::all().map(|order| order.to_string()).collect();
    assert_eq!(text[0], "4 KiB");
    assert_eq!(text[7..], ["512 KiB", "1 MiB", "2 MiB"]);
}

#[test]
fn a_frame_is_ours_if_it_is_free_or_with_a_user_and_not_if_it_is_reserved() {
    let mut metadata = metadata(1024);
    let mut frames = FrameAllocator::new(&mut metadata);
    frames.add(frame(1), frame(700));
    frames.reserve(frame(5), frame(7));
    let ours = |frames: &FrameAllocator, number: usize| frames.has(frame(number));
    for (number, expected) in [(0, false), (1, true), (4, true), (5, false), (6, false)] {
        assert_eq!(ours(&frames, number), expected, "frame {number}");
    }
    assert!(ours(&frames, 699) && !ours(&frames, 700) && !ours(&frames, 5000));
    let user = frames.allocate().expect("a frame is free");
    assert!(frames.has(user));
    frames.free(user).expect("it was allocated");
    assert!(frames.has(user), "it is cached");
}

#[test]
fn without_ram_there_is_no_frame() {
    for covered in [0, 1, 1024] {
        let mut metadata = metadata(covered);
        let mut frames = FrameAllocator::new(&mut metadata);
        assert!(Order::all().all(|order| frames.allocate_block(order).is_none()));
        assert_eq!(frames.count(), FrameCount { usable: 0, free: 0 });
        assert_eq!(frames.statistics().largest_free(), None);
        assert_eq!(frames.check().err(), None);
    }
}

#[test]
#[should_panic(expected = "the metadata is not all zero")]
fn used_metadata_is_refused_in_a_debug_build() {
    let mut metadata = metadata(8);
    FrameAllocator::new(&mut metadata).add(frame(0), frame(8));
    let _ = FrameAllocator::new(&mut metadata);
}

#[test]
fn ram_is_added_in_the_largest_blocks() {
    let mut metadata = metadata(0x3b400);
    let mut frames = FrameAllocator::new(&mut metadata);
    assert_eq!(frames.add(frame(0x7), frame(0x3b400)), 0x3b3f9);
    let mut expected = [0; Order::COUNT];
    expected[0] = 1;
    expected[3..9].fill(1);
    expected[9] = 0x1d9;
    assert_eq!(free_blocks(&frames), expected);
    assert_eq!(frames.check().err(), None);
    assert_eq!(frames.statistics().merges, 0);
}

#[test]
fn ranges_round_to_what_is_safe() {
    let mut metadata = metadata(256);
    let mut frames = FrameAllocator::new(&mut metadata);
    assert_eq!(frames.add(PhysAddr::new(1), PhysAddr::new(0x2fff)), 1);
    assert_eq!(frames.add(frame(0), frame(256)), 255);
    assert_eq!(
        frames.reserve(PhysAddr::new(0x5fff), PhysAddr::new(0x6001)),
        2
    );
    assert_eq!(frames.count().usable, 254);
    assert_eq!(frames.check().err(), None);
}

#[test]
fn hostile_ranges_are_harmless() {
    let edges = [0, 1, 0xfff, 0x1000, 0x1001, 0x4_0800, 0x12_3000, 0x1f_ffff];
    let far = [0x20_0001, 1 << 36, 1 << 63, usize::MAX - 1, usize::MAX];
    let edges: Vec<_> = edges.into_iter().chain(far).map(PhysAddr::new).collect();
    let ranges = || {
        let starts = edges.iter().copied();
        starts.flat_map(|start| edges.iter().map(move |end| (start, *end)))
    };
    for (first_start, first_end) in ranges() {
        let mut metadata = metadata(513);
        let mut pair = Pair::new(&mut metadata);
        pair.add(first_start, first_end);
        pair.allocate(order(2));
        for (start, end) in ranges() {
            pair.reserve(start, end);
            pair.add(end, start);
            pair.add(start, end);
            pair.reserve(end, start);
        }
        pair.compare();
    }
}

#[test]
fn every_frame_comes_out_once_and_reserved_ones_never() {
    let mut metadata = metadata(192);
    let mut frames = FrameAllocator::new(&mut metadata);
    frames.add(frame(3), frame(190));
    assert_eq!(frames.reserve(frame(60), frame(70)), 10);
    let mut seen = BTreeSet::new();
    while let Some(pa) = frames.allocate() {
        assert!(seen.insert(pa.as_usize() / PAGE_SIZE));
    }
    assert_eq!(seen, (3..60).chain(70..190).collect());
    assert_eq!(frames.count().free, 0);
    let reserved = frame(65);
    assert_eq!(
        frames.free(reserved),
        Err(FrameError::Foreign { pa: reserved })
    );
}

#[test]
fn reserved_frames_can_be_added_again_and_allocated_ones_cannot_be_reserved() {
    let mut metadata = metadata(64);
    let mut frames = FrameAllocator::new(&mut metadata);
    frames.add(frame(0), frame(64));
    let block = frames.allocate_block(order(3)).unwrap();
    assert_eq!(frames.reserve(frame(0), frame(64)), 56);
    assert_eq!(frames.count(), FrameCount { usable: 8, free: 0 });
    assert_eq!(frames.add(frame(0), frame(64)), 56);
    frames.free_block(block, order(3)).unwrap();
    assert_eq!(free_blocks(&frames)[6], 1);
}

#[test]
fn blocks_are_aligned_disjoint_and_all_come_back() {
    for order in Order::all() {
        let mut metadata = metadata(4096);
        let mut pair = Pair::new(&mut metadata);
        pair.add(frame(0), frame(4096));
        let taken: Vec<_> = core::iter::from_fn(|| pair.allocate(order)).collect();
        assert_eq!(taken.len(), 4096 >> order.index());
        assert_eq!(pair.real.count().free, 0);
        pair.compare();
        for pa in taken {
            pair.free(pa, order);
        }
        let largest = core::iter::from_fn(|| pair.allocate(Order::MAX)).count();
        assert_eq!(largest, 4096 >> Order::MAX.index());
        pair.compare();
    }
}

#[test]
fn whatever_the_order_of_frees_all_merges_to_the_largest_blocks() {
    let mut random = Random(0x5717_0000_0000_0033);
    let mut metadata = metadata(2048 + 12);
    let mut pair = Pair::new(&mut metadata);
    pair.add(frame(12), frame(2048 + 12));
    let whole = free_blocks(&pair.real);
    for _ in 0..20 {
        for _ in 0..1000 {
            let order = random.order(6);
            pair.allocate(order);
        }
        while let Some((pa, order)) = pair.any_block(&mut random) {
            pair.free(pa, order);
        }
        pair.compare();
        // Nothing is in the range; but cached frames are put back before that is seen.
        pair.reserve(frame(0), frame(1));
        assert_eq!(free_blocks(&pair.real), whole);
        pair.compare();
    }
}

#[test]
fn exhaustion_is_none_and_loses_nothing() {
    let mut metadata = metadata(100);
    let mut frames = FrameAllocator::new(&mut metadata);
    frames.add(frame(0), frame(100));
    let taken: Vec<_> = core::iter::from_fn(|| frames.allocate()).collect();
    for order in Order::all() {
        assert_eq!(frames.allocate_block(order), None);
    }
    assert_eq!(
        frames.count(),
        FrameCount {
            usable: 100,
            free: 0
        }
    );
    for pa in &taken {
        frames.free(*pa).unwrap();
    }
    let again: BTreeSet<_> = core::iter::from_fn(|| frames.allocate()).collect();
    assert_eq!(again, taken.into_iter().collect());
}

#[test]
fn the_frame_freed_last_comes_out_first() {
    let mut metadata = metadata(256);
    let mut frames = FrameAllocator::new(&mut metadata);
    frames.add(frame(0), frame(256));
    let taken: Vec<_> = (0..64).map(|_| frames.allocate().unwrap()).collect();
    for pa in &taken {
        frames.free(*pa).unwrap();
    }
    assert_eq!(frames.statistics().cached, CAPACITY);
    assert_eq!(frames.check().err(), None);
    for pa in taken.iter().rev().take(CAPACITY) {
        assert_eq!(frames.allocate(), Some(*pa));
    }
}

#[test]
fn a_larger_request_gets_the_cached_frames_merged() {
    let mut metadata = metadata(8);
    let mut frames = FrameAllocator::new(&mut metadata);
    frames.add(frame(0), frame(8));
    let taken: Vec<_> = (0..8).map(|_| frames.allocate().unwrap()).collect();
    for pa in taken {
        frames.free(pa).unwrap();
    }
    assert_eq!(frames.statistics().cached, 8);
    assert_eq!(frames.allocate_block(order(3)), Some(frame(0)));
}

#[test]
fn a_cached_frame_freed_again_is_seen() {
    let mut metadata = metadata(128);
    let mut frames = FrameAllocator::new(&mut metadata);
    frames.add(frame(10), frame(128));
    let pa = frames.allocate().unwrap();
    frames.free(pa).unwrap();
    assert_eq!(frames.free(pa), Err(FrameError::DoubleFree { pa }));
    assert_eq!(frames.allocate(), Some(pa));
    assert_ne!(frames.allocate(), Some(pa));
}

#[test]
fn a_bad_free_says_what_is_wrong_and_changes_nothing() {
    let mut metadata = metadata(64);
    let mut frames = FrameAllocator::new(&mut metadata);
    frames.add(frame(0), frame(32));
    let pa = frames.allocate_block(order(4)).unwrap();
    let wrong = FrameError::WrongOrder {
        pa,
        allocated: order(4),
        freed: order(2),
    };
    assert_eq!(frames.free_block(pa, order(2)), Err(wrong));
    assert_eq!(
        wrong.to_string(),
        format!("block {pa} of 64 KiB freed as one of 16 KiB")
    );
    let behind = pa.checked_add(PAGE_SIZE).unwrap();
    let inside = FrameError::Inside {
        pa: behind,
        block: pa,
        order: order(4),
    };
    assert_eq!(frames.free(behind), Err(inside));
    for foreign in [pa.as_usize() + 8, 40 * PAGE_SIZE, 64 * PAGE_SIZE, !0] {
        let pa = PhysAddr::new(foreign);
        assert_eq!(frames.free(pa), Err(FrameError::Foreign { pa }));
    }
    frames.free_block(pa, order(4)).unwrap();
    for (pa, order) in [(pa, order(4)), (pa, Order::FRAME), (behind, order(1))] {
        let twice = Err(FrameError::DoubleFree { pa });
        assert_eq!(frames.free_block(pa, order), twice);
    }
    assert_eq!(frames.check().err(), None);
}

#[test]
fn fragmentation_is_the_part_that_lies_in_smaller_blocks() {
    let mut metadata = metadata(8);
    let mut frames = FrameAllocator::new(&mut metadata);
    let none = frames.statistics().fragmentation();
    assert!(Order::all().all(|order| none.unusable(order) == 0));
    frames.add(frame(0), frame(7));
    assert_eq!(frames.statistics().largest_free(), Some(order(2)));
    let fragmentation = frames.statistics().fragmentation();
    let parts: Vec<_> = Order::all().map(|o| fragmentation.unusable(o)).collect();
    assert_eq!(parts[..4], [0, 142, 428, 1000]);
    let text = fragmentation.to_string();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("    4 KiB       1 free    0.0 % in smaller")
    );
    assert_eq!(
        lines.next(),
        Some("    8 KiB       1 free   14.2 % in smaller")
    );
    assert_eq!(lines.count(), Order::COUNT - 2);
}

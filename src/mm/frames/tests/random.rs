//! Random sequences of every operation, good and bad, on the allocator and its model.
#![forbid(unsafe_code)]

use super::super::{FrameAllocator, Order};
use super::model::{Pair, Random, frame, metadata};
use crate::addr::{PAGE_SIZE, PhysAddr};
use std::println;

/// Not a whole number of the largest blocks.
const FRAMES: usize = 3001;

#[test]
fn no_sequence_of_operations_separates_allocator_and_model() {
    for seed in 1..=5 {
        let mut random = Random(0x5717_0000_0000_0000 | seed);
        let mut metadata = metadata(FRAMES);
        let mut pair = Pair::new(&mut metadata);
        pair.add(frame(5), frame(2600));
        for step in 0..50_000 {
            // Half of the time there is more taken than given back.
            let eager = step / 5000 % 2 == 0;
            operate(&mut pair, &mut random, if eager { 6 } else { 3 });
            if step % 128 == 0 {
                pair.compare();
            }
        }
        pair.compare();
        while let Some((pa, order)) = pair.any_block(&mut random) {
            pair.free(pa, order);
        }
        pair.compare();
    }
}

/// One operation: of ten, `takes` allocate.
fn operate(pair: &mut Pair, random: &mut Random, takes: usize) {
    if random.below(500) == 0 {
        let start = random.below(FRAMES * PAGE_SIZE);
        let frames = [1, 3, 40, 700][random.below(4)];
        let end = start + random.below(frames * PAGE_SIZE);
        let (start, end) = (PhysAddr::new(start), PhysAddr::new(end));
        return match random.below(3) {
            0 => pair.reserve(start, end),
            _ => pair.add(start, end),
        };
    }
    match random.below(10) {
        draw if draw < takes => {
            let order = random.order(Order::MAX.index());
            pair.allocate(order);
        }
        9 => bad_free(pair, random),
        _ => {
            if let Some((pa, order)) = pair.any_block(random) {
                pair.free(pa, order);
            }
        }
    }
}

/// A free of anything, mostly of what must not be freed; the model knows.
fn bad_free(pair: &mut Pair, random: &mut Random) {
    let order = random.order(Order::MAX.index());
    let anywhere = PhysAddr::new(random.below(FRAMES + 9) * PAGE_SIZE + random.below(2));
    let (block, is) = pair.any_block(random).unwrap_or((anywhere, order));
    match random.below(5) {
        0 => pair.free(anywhere, order),
        1 => pair.free(block, order),
        2 => {
            let inside = block.as_usize() + random.below(is.frames()) * PAGE_SIZE;
            pair.free(PhysAddr::new(inside), order);
        }
        3 => pair.free(PhysAddr::new(usize::MAX - random.below(9)), order),
        _ => {
            pair.free(block, is);
            pair.free(block, is);
        }
    }
}

#[test]
fn fragmentation_at_seventy_percent_of_load_is_measured() {
    const LARGEST: usize = 5;
    let frames = 64 << 20 >> 12;
    let mut metadata = metadata(frames);
    let mut pair = Pair::new(&mut metadata);
    pair.add(frame(0), frame(frames));
    let mut random = Random(0x5717_0000_0000_0070);
    let mut in_use = 0;
    for _ in 0..30_000 {
        if in_use * 10 < frames * 7 {
            let order = random.order(LARGEST);
            in_use += order.frames();
            assert!(pair.real.allocate_block(order).is_some());
        } else {
            // Whatever block has a frame drawn by lot goes.
            in_use -= free_any(&mut pair.real, &mut random, frames);
        }
    }
    let statistics = pair.real.statistics();
    println!("{}", statistics.fragmentation());
    println!(
        "{} splits, {} merges, {} cached, peak {} frames",
        statistics.splits, statistics.merges, statistics.cached, statistics.peak
    );
    assert_eq!(pair.real.check().err(), None);
    let fragmentation = statistics.fragmentation();
    let unusable = Order::all().map(|order| fragmentation.unusable(order));
    assert!(
        unusable.is_sorted(),
        "a larger request finds no more memory"
    );
    assert_eq!(fragmentation.unusable(Order::FRAME), 0);
}

/// Frees the block that has a frame drawn by lot. Returns how many frames that is.
fn free_any(real: &mut FrameAllocator, random: &mut Random, frames: usize) -> usize {
    loop {
        let number = random.below(frames);
        for order in Order::all() {
            let first = frame(number & !(order.frames() - 1));
            if real.free_block(first, order).is_ok() {
                return order.frames();
            }
        }
    }
}

//! The check of the structure: whatever is written over a state or a link from outside is found,
//! with its address, and nothing that can stand there makes it panic or go on for ever.
#![forbid(unsafe_code)]

use std::string::ToString;
use std::vec::Vec;

use super::super::state::FrameState;
use super::super::{Check, CheckedFrames, Counted, FrameAllocator, FrameViolation, Order};
use super::model::{Random, frame, metadata};

const FRAMES: usize = 1024;

/// Frames 1 to 1023, of which some are in use, some free in small blocks, some cached.
fn used(metadata: &mut [FrameState]) -> FrameAllocator<'_> {
    let mut frames = FrameAllocator::new(metadata);
    frames.add(frame(1), frame(FRAMES));
    let single: Vec<_> = (0..64).filter_map(|_| frames.allocate()).collect();
    for pa in single.iter().step_by(3) {
        frames.free(*pa).unwrap();
    }
    let _ = frames.allocate_block(Order::new(5).unwrap()).unwrap();
    frames
}

/// The violation that a check finds after frame `number` got another state.
fn with(number: usize, change: impl FnOnce(FrameState) -> FrameState) -> Option<FrameViolation> {
    let mut metadata = metadata(FRAMES);
    let frames = used(&mut metadata);
    let states = &mut *frames.buddies.states;
    states[number] = change(states[number]);
    frames.check().err()
}

/// The number of a frame whose state is such.
fn find(is_such: impl Fn(FrameState) -> bool) -> usize {
    let mut metadata = metadata(FRAMES);
    let frames = used(&mut metadata);
    let found = frames
        .buddies
        .states
        .iter()
        .position(|state| is_such(*state));
    found.expect("a frame")
}

#[test]
fn all_is_counted() {
    let mut metadata = metadata(FRAMES);
    let frames = used(&mut metadata);
    let checked = frames.check().unwrap();
    let CheckedFrames {
        allocated,
        cached,
        frames: all,
        ..
    } = checked;
    // 64 frames, 22 of them back, 16 of those cached; and a block.
    assert_eq!((allocated, cached, all), (64 - 22 + 1, 16, FRAMES - 1));
    assert!(
        checked.to_string().starts_with("1023 frames in "),
        "{checked}"
    );
}

#[test]
fn a_check_in_steps_finds_what_one_in_one_finds() {
    let mut metadata = metadata(FRAMES);
    let frames = used(&mut metadata);
    for looks in [1, 7, 100, FRAMES] {
        let mut check = Check::new();
        let checked = (0..10_000).find_map(|_| frames.check_step(&mut check, looks).unwrap());
        assert_eq!(checked, Some(frames.check().unwrap()), "{looks}");
        assert_eq!(check.restarts(), 0);
    }
}

#[test]
fn a_check_begins_again_when_frames_come_or_go_in_between() {
    let mut metadata = metadata(FRAMES);
    let mut frames = used(&mut metadata);
    let mut check = Check::new();
    for turn in 0..5 {
        for _ in 0..20 {
            assert_eq!(frames.check_step(&mut check, 1), Ok(None));
        }
        assert_eq!(check.restarts(), turn);
        // Taken and given back: no count of frames differs, and the lists may.
        let pa = frames.allocate().unwrap();
        frames.free(pa).unwrap();
    }
}

#[test]
fn a_state_that_is_none_is_found_at_its_frame() {
    let number = find(|state| state == FrameState::allocated(Order::FRAME));
    let pa = frame(number);
    // Order 10; a link or a bit that no state of that kind has.
    for bits in [0xa, 1 << 6, 1 << 32, 1 << 8, 1 << 40] {
        let found = with(number, |state| state.with(bits));
        assert_eq!(found, Some(FrameViolation::State { pa }), "{bits:#x}");
    }
    let free = find(|state| state.is_free(0));
    let pa = frame(free);
    for bit in [6, 7, 32, 39] {
        let found = with(free, |state| state.with(1 << bit));
        assert_eq!(found, Some(FrameViolation::State { pa }), "bit {bit}");
    }
}

#[test]
fn a_block_that_begins_inside_another_or_is_gone_is_found() {
    let first = find(|state| state == FrameState::allocated(Order::new(5).unwrap()));
    let inside = with(first + 3, |_| FrameState::allocated(Order::FRAME));
    let (pa, other) = (frame(first), frame(first + 3));
    assert_eq!(inside, Some(FrameViolation::Overlap { pa, other }));
    let gone = with(first, |_| FrameState::NONE);
    let what = Counted::Allocated;
    assert!(
        matches!(gone, Some(FrameViolation::Count { what: w, kept: 1, found: 0, .. }) if w == what),
        "{gone:?}"
    );
}

#[test]
fn a_link_to_a_wrong_place_is_found_and_told_from_where() {
    let free = find(|state| state.is_free(0) && (state.next() as usize) < FRAMES);
    let from = Some(frame(free));
    for target in [0, free, 2, FRAMES - 1, FRAMES, 0xff_fffe] {
        let found = with(free, |mut state| {
            state.set_next(target as u32);
            state
        });
        let (order, pa) = (Order::FRAME, frame(target));
        assert_eq!(
            found,
            Some(FrameViolation::List { order, from, pa }),
            "{target}"
        );
    }
    let back = with(free, |mut state| {
        state.set_previous(5);
        state
    });
    let pa = frame(free);
    assert!(
        matches!(back, Some(FrameViolation::List { order: Order::FRAME, pa: at, .. }) if at == pa),
        "{back:?}"
    );
    let cut = with(free, |mut state| {
        state.set_next(super::super::NIL);
        state
    });
    let what = Counted::Listed;
    assert!(
        matches!(cut, Some(FrameViolation::Count { what: w, .. }) if w == what),
        "{cut:?}"
    );
}

#[test]
fn any_word_in_any_place_is_survived_and_no_change_is_missed() {
    let mut random = Random(0x5eed);
    for _ in 0..20_000 {
        let number = random.below(FRAMES);
        let bit = 1 << random.below(64);
        let found = with(number, |state| state.with(bit));
        assert!(found.is_some(), "frame {number}, bit {bit:#x}");
    }
}

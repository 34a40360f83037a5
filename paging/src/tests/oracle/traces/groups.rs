//! Contiguous groups: 16 leaves that one TLB entry can hold.

use std::vec::Vec;

use super::super::TlbiForm::{Vaae1is, Vaale1is, Vmalle1is};
use super::super::{Event, Violation};
use super::{
    BLOCK, Before, CONTIGUOUS, FRAME, HIGH, K4, L2, L3, M2, OTHER, PAGE, READ_ONLY, SPARE, TABLE,
    at, filled, nth, other, refused, released, store, tlbi, without,
};

/// The first member of the group of these traces, which is the second of its table.
const FIRST: usize = 16;
const VA: usize = HIGH + FIRST * K4;

/// Member `index` of the group.
const fn member(index: usize) -> u64 {
    nth(PAGE | CONTIGUOUS | FRAME, index, K4)
}

fn group() -> Vec<(usize, u64)> {
    (0..16)
        .map(|index| (FIRST + index, member(index)))
        .collect()
}

fn stores(entry: impl Fn(usize) -> u64) -> Vec<Event> {
    (0..16)
        .map(|index| store(L3, FIRST + index, entry(index)))
        .collect()
}

fn each() -> Vec<Event> {
    (0..16).map(|index| at(Vaale1is, VA + index * K4)).collect()
}

/// The group is broken, and if there are any, made anew as `made`.
fn change(invalidate: &[Event], made: &[Event]) -> Vec<Event> {
    let mut trace = stores(|_| 0);
    trace.push(Event::DsbIshst);
    trace.extend(invalidate);
    trace.push(Event::DsbIsh);
    trace.extend(made);
    trace.extend([Event::DsbIshst, Event::Isb, Event::Done]);
    trace
}

#[test]
fn a_group_is_whole_at_the_end_of_an_operation() {
    let mut trace = stores(member);
    trace.extend([Event::DsbIshst, Event::Isb, Event::Done]);
    let before = Before::default();
    assert_eq!(before.kernel(&trace), Ok(()));
    let half = &trace[8..];
    let torn = Err(Violation::Contiguous { va: VA });
    assert_eq!(before.kernel(half), torn);
    let given_up = other(half, Event::Done, &[released(OTHER, K4)]);
    assert_eq!(before.kernel(&given_up), torn);
}

#[test]
fn the_members_of_a_group_are_alike_at_every_instant() {
    let before = Before::default();
    let plain = nth(PAGE | FRAME, 1, K4);
    for wrong in [
        plain,
        member(1) | READ_ONLY,
        member(2),
        PAGE | CONTIGUOUS | OTHER,
    ] {
        let trace = [store(L3, FIRST, member(0)), store(L3, FIRST + 1, wrong)];
        let va = VA + K4;
        assert_eq!(before.kernel(&trace), Err(Violation::Contiguous { va }));
    }
    let trace = [
        store(L3, FIRST, PAGE | FRAME),
        store(L3, FIRST + 1, member(1)),
    ];
    refused!(before.kernel(&trace), Violation::Contiguous { .. });
}

#[test]
fn a_group_is_aligned_in_both_address_spaces() {
    let skewed = member(1);
    let wrong = Before::default().kernel(&[store(L3, FIRST, skewed)]);
    assert_eq!(wrong, Err(Violation::Contiguous { va: VA }));
    let wrong = Before::default().kernel(&[store(L3, FIRST + 1, member(0))]);
    assert_eq!(wrong, Err(Violation::Contiguous { va: VA + K4 }));
}

#[test]
fn a_group_in_a_new_table_is_looked_at_when_the_table_is_linked() {
    let mut pages = group();
    let linked = |pages: &[(usize, u64)]| {
        let mut trace = filled(SPARE, pages);
        let link = store(L2, 1, SPARE as u64 | TABLE);
        trace.extend([
            Event::DmbIshst,
            link,
            Event::DsbIshst,
            Event::Isb,
            Event::Done,
        ]);
        Before::default().kernel(&trace)
    };
    assert_eq!(linked(&pages), Ok(()));
    pages.pop();
    refused!(linked(&pages), Violation::Contiguous { .. });
    pages.push((FIRST + 15, nth(PAGE | FRAME, 15, K4)));
    refused!(linked(&pages), Violation::Contiguous { .. });
}

#[test]
fn no_member_is_changed_in_place() {
    let pages = group();
    let before = Before {
        level_3: &pages,
        ..Before::default()
    };
    let va = VA + 3 * K4;
    let trace = [store(L3, FIRST + 3, member(3) | READ_ONLY)];
    assert_eq!(before.kernel(&trace), Err(Violation::Contiguous { va }));
    let mut trace = Vec::from([store(L3, FIRST + 3, 0), Event::DsbIshst]);
    trace.extend(each());
    trace.extend([Event::DsbIsh, Event::Isb, Event::Done]);
    assert_eq!(before.kernel(&trace), Err(Violation::Contiguous { va }));
    trace.insert(trace.len() - 1, released(FRAME + 3 * K4 as u64, K4));
    assert_eq!(before.kernel(&trace), Err(Violation::Contiguous { va }));
}

#[test]
fn a_group_is_gone_when_each_of_its_addresses_was_invalidated() {
    let pages = group();
    let before = Before {
        level_3: &pages,
        ..Before::default()
    };
    assert_eq!(before.kernel(&change(&each(), &[])), Ok(()));
    assert_eq!(before.kernel(&change(&[tlbi(Vmalle1is, 0)], &[])), Ok(()));
    for left_out in [0, 7, 15] {
        let missing = VA + left_out * K4;
        let wrong = without(&each(), at(Vaale1is, missing));
        let stale = Violation::StaleLeaf {
            va: missing,
            frame: FRAME as usize + left_out * K4,
        };
        assert_eq!(before.kernel(&change(&wrong, &[])), Err(stale));
    }
    let one = change(&[at(Vaae1is, VA)], &[]);
    let va = VA + K4;
    let frame = FRAME as usize + K4;
    assert_eq!(before.kernel(&one), Err(Violation::StaleLeaf { va, frame }));
}

#[test]
fn a_group_lives_as_long_as_one_of_its_members() {
    let pages = group();
    let before = Before {
        level_3: &pages,
        ..Before::default()
    };
    let (first, second) = pages.split_at(8);
    let clear = |members: &[(usize, u64)], trace: &mut Vec<Event>| {
        trace.extend(members.iter().map(|member| store(L3, member.0, 0)));
        trace.push(Event::DsbIshst);
    };
    let mut trace = Vec::new();
    clear(first, &mut trace);
    trace.extend(each());
    clear(second, &mut trace);
    let end = [Event::DsbIsh, Event::Isb, Event::Done];
    let mut early = trace.clone();
    early.extend(end);
    refused!(before.kernel(&early), Violation::StaleLeaf { va: VA, .. });
    trace.extend(each());
    trace.extend(end);
    assert_eq!(before.kernel(&trace), Ok(()));
}

#[test]
fn a_group_is_broken_as_a_whole_before_it_is_made_anew() {
    let pages = group();
    let before = Before {
        level_3: &pages,
        ..Before::default()
    };
    let read_only = stores(|index| member(index) | READ_ONLY);
    let plain = stores(|index| nth(PAGE | FRAME, index, K4));
    for made in [&read_only, &plain] {
        assert_eq!(before.kernel(&change(&each(), made)), Ok(()));
    }
    refused!(
        before.kernel(&change(&each()[..8], &plain)),
        Violation::NotBroken { va: VA, .. }
    );
    // While the store that breaks a member is not published, the group is still whole to others.
    let mut trace = stores(|_| 0);
    trace.push(store(L3, FIRST, PAGE | OTHER));
    refused!(before.kernel(&trace), Violation::NotBroken { va: VA, .. });
}

#[test]
fn another_leaf_does_not_come_under_an_entry_of_its_old_group() {
    let trace = [
        store(L3, FIRST, member(0)),
        store(L3, FIRST, 0),
        store(L3, FIRST + 5, PAGE | OTHER),
    ];
    refused!(
        Before::default().kernel(&trace),
        Violation::NotBroken { .. }
    );
}

#[test]
fn blocks_make_groups_too() {
    let blocks: Vec<_> = (0..16)
        .map(|index| (FIRST + index, nth(BLOCK | CONTIGUOUS | FRAME, index, M2)))
        .collect();
    let before = Before {
        level_2: &blocks,
        ..Before::default()
    };
    let change = |invalidations: usize| {
        let mut trace: Vec<_> = (0..16).map(|index| store(L2, FIRST + index, 0)).collect();
        trace.push(Event::DsbIshst);
        let block = |index| HIGH + (FIRST + index) * M2;
        trace.extend((0..invalidations).map(|index| at(Vaale1is, block(index) + K4)));
        trace.extend([
            Event::DsbIsh,
            Event::Isb,
            released(FRAME, 16 * M2),
            Event::Done,
        ]);
        trace
    };
    assert_eq!(before.kernel(&change(16)), Ok(()));
    refused!(before.kernel(&change(15)), Violation::FrameFreed { .. });
}

//! Splitting a block into a table, and merging the pages of a table into a block.

use std::vec::Vec;

use super::super::TlbiForm::{Vaae1is, Vaale1is, Vmalle1is};
use super::super::{Event, Violation};
use super::{
    BLOCK, Before, FRAME, G1, HIGH, K4, L1, L2, L3, M2, SPARE, TABLE, at, filled, moved, nth,
    page_run, refused, store, tlbi, without,
};

const FREE: Event = Event::Free { frame: L3 };

/// A block at entry 1 of `table` becomes the table `SPARE`, with `entries`.
fn split(table: usize, entries: &[(usize, u64)], invalidate: &[Event]) -> Vec<Event> {
    let mut trace = filled(SPARE, entries);
    trace.extend([store(table, 1, 0), Event::DsbIshst]);
    trace.extend(invalidate);
    trace.extend([
        Event::DsbIsh,
        store(table, 1, SPARE as u64 | TABLE),
        Event::DsbIshst,
        Event::Isb,
        Event::Done,
    ]);
    trace
}

/// The first 2 MiB become one block.
fn merge(invalidate: &[Event]) -> Vec<Event> {
    let mut trace = Vec::from([store(L2, 0, 0), Event::DsbIshst]);
    trace.extend(invalidate);
    trace.extend([
        Event::DsbIsh,
        store(L2, 0, BLOCK | FRAME),
        Event::DsbIshst,
        Event::Isb,
        FREE,
        Event::Done,
    ]);
    trace
}

#[test]
fn a_block_is_broken_before_a_table_takes_its_place() {
    let before = Before {
        level_2: &[(1, BLOCK | FRAME)],
        ..Before::default()
    };
    let va = HIGH + M2;
    let trace = split(L2, &page_run(), &[at(Vaae1is, va)]);
    assert_eq!(before.kernel(&trace), Ok(()));
    let leaf_form = split(L2, &page_run(), &[at(Vaale1is, va)]);
    assert_eq!(before.kernel(&leaf_form), Ok(()));
    for event in [
        store(L2, 1, 0),
        Event::DsbIshst,
        at(Vaae1is, va),
        Event::DsbIsh,
    ] {
        let wrong = without(&trace, event);
        refused!(before.kernel(&wrong), Violation::NotBroken { .. });
    }
}

#[test]
fn a_block_of_1_gib_is_split_after_both_halves_are_gone() {
    let before = Before {
        level_1: &[(1, BLOCK | FRAME)],
        ..Before::default()
    };
    let va = HIGH + G1;
    let blocks: Vec<_> = (0..512)
        .map(|index| (index, nth(BLOCK | FRAME, index, M2)))
        .collect();
    let both = [at(Vaae1is, va), at(Vaae1is, va + G1 / 2)];
    assert_eq!(before.kernel(&split(L1, &blocks, &both)), Ok(()));
    for half in 0..2 {
        let wrong = split(L1, &blocks, &both[half..=half]);
        refused!(
            before.kernel(&wrong),
            Violation::NotBroken { va: at, .. } if at == va
        );
    }
}

#[test]
fn pages_become_a_block_when_all_of_them_are_gone() {
    let pages = page_run();
    let before = Before {
        level_3: &pages,
        ..Before::default()
    };
    let each = |form| -> Vec<_> { (0..512).map(|page| at(form, HIGH + page * K4)).collect() };
    assert_eq!(before.kernel(&merge(&each(Vaae1is))), Ok(()));
    assert_eq!(before.kernel(&merge(&[tlbi(Vmalle1is, 0)])), Ok(()));
    for wrong in [
        &[][..],
        &[at(Vaae1is, HIGH)],
        &each(Vaale1is),
        &each(Vaae1is)[1..],
    ] {
        let wrong = merge(wrong);
        refused!(before.kernel(&wrong), Violation::NotBroken { va: HIGH, .. });
    }
    let trace = merge(&[tlbi(Vmalle1is, 0)]);
    let unbroken = without(&trace, store(L2, 0, 0));
    refused!(
        before.kernel(&unbroken),
        Violation::NotBroken { va: HIGH, .. }
    );
    let early = moved(&trace, FREE, Event::DsbIsh);
    refused!(
        before.kernel(&early),
        Violation::TableFreed { frame: L3, .. }
    );
}

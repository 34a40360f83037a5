//! Tables: linking, unlinking, freeing.

use std::vec::Vec;

use super::super::TlbiForm::{Aside1is, Vaae1is, Vaale1is, Vae1is, Vmalle1is};
use super::super::{Event, Violation};
use super::{
    ASID, Before, FRAME, G1, HIGH, K4, L1, L2, L3, M2, NOT_GLOBAL, OTHER, PAGE, SPARE, TABLE, at,
    at_asid, filled, moved, nth, operand_asid, other, page_run, refused, store, tlbi, without,
};

const LINK: Event = store(L2, 1, SPARE as u64 | TABLE);
const FREE: Event = Event::Free { frame: L3 };
/// Two pages in the first table of level 3.
const TWO: Before = Before {
    level_1: &[],
    level_2: &[],
    level_3: &[(0, PAGE | FRAME), (9, PAGE | OTHER)],
};

/// A table with pages is linked at the second 2 MiB.
fn link() -> Vec<Event> {
    let mut trace = filled(SPARE, &page_run());
    trace.extend([
        Event::DmbIshst,
        LINK,
        Event::DsbIshst,
        Event::Isb,
        Event::Done,
    ]);
    trace
}

/// The table of level 3 is unlinked, with what is in it, and freed.
fn unlink(invalidate: &[Event]) -> Vec<Event> {
    let mut trace = Vec::from([store(L2, 0, 0), Event::DsbIshst]);
    trace.extend(invalidate);
    trace.extend([Event::DsbIsh, Event::Isb, FREE, Event::Done]);
    trace
}

/// A table is unlinked as by [`unlink`], after its leaves were cleared.
fn empty_and_unlink(invalidate: &[Event]) -> Vec<Event> {
    let mut trace = Vec::from([store(L3, 0, 0), store(L3, 9, 0)]);
    trace.extend(unlink(invalidate));
    trace
}

#[test]
fn a_table_is_filled_and_ordered_before_it_is_linked() {
    let before = Before::default();
    let (va, trace) = (HIGH + M2, link());
    assert_eq!(before.kernel(&trace), Ok(()));
    let unordered = Err(Violation::Unordered { va, address: SPARE });
    assert_eq!(before.kernel(&without(&trace, Event::DmbIshst)), unordered);
    assert_eq!(
        before.kernel(&moved(&trace, LINK, Event::DmbIshst)),
        unordered
    );
    let last = store(SPARE, 511, nth(PAGE | FRAME, 511, K4));
    let late = moved(&trace, Event::DmbIshst, last);
    let (va, address) = (va + 511 * K4, SPARE + 511 * 8);
    assert_eq!(
        before.kernel(&late),
        Err(Violation::Unordered { va, address })
    );
    let unfilled = Err(Violation::Unfilled { va, address });
    assert_eq!(before.kernel(&without(&trace, last)), unfilled);
    assert_eq!(before.kernel(&moved(&trace, LINK, last)), unfilled);
    let missed = without(&trace, Event::DsbIshst);
    assert_eq!(
        before.kernel(&missed),
        Err(Violation::NotPublished { va: HIGH + M2 })
    );
    let nowhere = Violation::NoTable {
        va: HIGH + M2,
        frame: SPARE,
    };
    assert_eq!(before.kernel(&[LINK]), Err(nowhere));
}

#[test]
fn tables_that_hang_together_are_ordered_by_one_barrier() {
    let mut trace = filled(SPARE, &page_run());
    trace.extend(filled(SPARE + K4, &[(3, SPARE as u64 | TABLE)]));
    let link = store(L1, 1, (SPARE + K4) as u64 | TABLE);
    trace.extend([
        Event::DmbIshst,
        link,
        Event::DsbIshst,
        Event::Isb,
        Event::Done,
    ]);
    let before = Before::default();
    assert_eq!(before.kernel(&trace), Ok(()));
    refused!(
        before.kernel(&without(&trace, Event::DmbIshst)),
        Violation::Unordered { .. }
    );
}

#[test]
fn a_table_that_is_linked_empty_may_be_filled_in_place() {
    let mut trace = filled(SPARE, &[]);
    trace.extend([Event::DmbIshst, LINK, store(SPARE, 3, PAGE | FRAME)]);
    trace.extend([Event::DsbIshst, Event::Isb, Event::Done]);
    assert_eq!(Before::default().kernel(&trace), Ok(()));
}

#[test]
fn a_table_is_freed_when_no_pointer_to_it_is_cached() {
    let full = [at(Vaae1is, HIGH), at(Vaae1is, HIGH + 9 * K4)];
    let leaf = [at(Vaale1is, HIGH), at(Vaale1is, HIGH + 9 * K4)];
    for right in [&full[..], &[tlbi(Vmalle1is, 0)]] {
        assert_eq!(TWO.kernel(&unlink(right)), Ok(()));
        assert_eq!(TWO.kernel(&empty_and_unlink(right)), Ok(()));
    }
    let freed = Err(Violation::TableFreed {
        va: HIGH,
        frame: L3,
    });
    assert_eq!(TWO.kernel(&empty_and_unlink(&leaf)), freed);
    let trace = empty_and_unlink(&full);
    for event in [Event::DsbIshst, Event::DsbIsh] {
        assert_eq!(TWO.kernel(&without(&trace, event)), freed, "{event:?}");
        assert_eq!(TWO.kernel(&moved(&trace, FREE, event)), freed, "{event:?}");
    }
    assert_eq!(TWO.kernel(&moved(&trace, FREE, store(L2, 0, 0))), freed);
    assert_eq!(TWO.kernel(&without(&trace, store(L2, 0, 0))), freed);
    let unnoticed = moved(&trace, FREE, Event::Isb);
    assert_eq!(TWO.kernel(&unnoticed), Err(Violation::NotSynchronised));
    let kept = without(&empty_and_unlink(&leaf), FREE);
    let stale = Violation::StalePointer {
        va: HIGH,
        table: L3,
    };
    assert_eq!(TWO.kernel(&kept), Err(stale));
}

#[test]
fn a_table_without_valid_leaves_is_invalidated_all_the_same() {
    let before = Before {
        level_3: &[(4, PAGE & !1)],
        ..Before::default()
    };
    assert_eq!(
        before.kernel(&unlink(&[at(Vaae1is, HIGH + 4 * K4)])),
        Ok(())
    );
    let freed = Err(Violation::TableFreed {
        va: HIGH,
        frame: L3,
    });
    assert_eq!(before.kernel(&unlink(&[])), freed);
    assert_eq!(before.kernel(&unlink(&[at(Vaae1is, HIGH + M2)])), freed);
}

#[test]
fn a_leaf_that_stays_valid_behind_a_pointer_goes_only_together_with_it() {
    let mixed = [at(Vaale1is, HIGH), at(Vaae1is, HIGH + 9 * K4)];
    let frame = FRAME as usize;
    let stale = Err(Violation::StaleLeaf { va: HIGH, frame });
    assert_eq!(TWO.kernel(&unlink(&mixed)), stale);
    assert_eq!(TWO.kernel(&unlink(&[mixed[1], mixed[0]])), stale);
    assert_eq!(TWO.kernel(&unlink(&mixed[1..])), stale);
    assert_eq!(TWO.kernel(&empty_and_unlink(&mixed)), Ok(()));
    let mut after = unlink(&mixed[1..]);
    let isb = after.iter().position(|event| *event == Event::Isb).unwrap();
    after.splice(isb..isb, [mixed[0], Event::DsbIsh]);
    assert_eq!(TWO.kernel(&after), Ok(()));
}

#[test]
fn every_level_of_a_branch_is_unlinked_by_one_full_form() {
    let one = Before {
        level_3: &[(0, PAGE | FRAME)],
        ..Before::default()
    };
    let trace = |invalidate| {
        [
            store(L3, 0, 0),
            store(L2, 0, 0),
            // An unlinked table may be written, as long as walks find nothing valid.
            store(L3, 0, 0b10),
            store(L1, 0, 0),
            store(L2, 0, L3 as u64),
            Event::DsbIshst,
            invalidate,
            Event::DsbIsh,
            Event::Isb,
            Event::Free { frame: L2 },
            FREE,
            Event::Done,
        ]
    };
    assert_eq!(one.kernel(&trace(at(Vaae1is, HIGH))), Ok(()));
    let frame = L2;
    let freed = Violation::TableFreed { va: HIGH, frame };
    assert_eq!(one.kernel(&trace(at(Vaale1is, HIGH))), Err(freed));
    assert_eq!(one.kernel(&trace(at(Vaae1is, HIGH + G1))), Err(freed));
    let frame = L3;
    let freed = Violation::TableFreed { va: HIGH, frame };
    assert_eq!(one.kernel(&trace(at(Vaae1is, HIGH + M2))), Err(freed));
}

#[test]
fn an_unlinked_table_may_be_emptied_before_its_pointer_is_gone() {
    let mut trace = unlink(&[at(Vaae1is, HIGH), at(Vaae1is, HIGH + 9 * K4)]);
    trace.insert(2, store(L3, 0, 0));
    assert_eq!(TWO.kernel(&trace), Ok(()));
}

#[test]
fn a_table_that_is_linked_again_was_never_gone() {
    let mut trace = Vec::from([store(L2, 0, 0), Event::DsbIshst]);
    trace.extend([store(L2, 0, L3 as u64 | TABLE), Event::DsbIshst]);
    trace.extend([Event::Isb, Event::Done]);
    assert_eq!(TWO.kernel(&trace), Ok(()));
    let again = unlink(&[tlbi(Vmalle1is, 0)]);
    trace.extend(&again);
    assert_eq!(TWO.kernel(&trace), Ok(()));
    let barrier = trace.len() - again.len();
    trace.remove(barrier + 1);
    let freed = Violation::TableFreed {
        va: HIGH,
        frame: L3,
    };
    assert_eq!(TWO.kernel(&trace), Err(freed));
}

#[test]
fn a_table_may_stand_in_two_places() {
    let mut trace = Vec::from([
        store(L3, 0, 0),
        store(L2, 1, L3 as u64 | TABLE),
        Event::DsbIshst,
        at(Vaae1is, HIGH),
        at(Vaae1is, HIGH + M2),
    ]);
    trace.extend([Event::DsbIsh, Event::Isb, Event::Done]);
    assert_eq!(TWO.kernel(&trace), Ok(()));
    // What was in it is seen from the other place, too, until it is published that it is gone.
    let one = without(&trace, at(Vaae1is, HIGH + M2));
    let (va, frame) = (HIGH + M2, FRAME as usize);
    let stale = Err(Violation::StaleLeaf { va, frame });
    assert_eq!(TWO.kernel(&one), stale);
}

#[test]
fn nothing_valid_is_put_behind_a_cached_pointer() {
    let before = Before::default();
    let put = store(L3, 2, PAGE | FRAME);
    let mut trace = empty_and_unlink(&[at(Vaae1is, HIGH)]);
    trace.insert(3, put);
    let (va, address) = (HIGH + 2 * K4, L3 + 2 * 8);
    let behind = Err(Violation::BehindStalePointer { va, address });
    assert_eq!(before.kernel(&trace), behind);
    let later = moved(&without(&trace, put), FREE, Event::Isb);
    let reused = other(&later, FREE, &[put]);
    assert_eq!(before.kernel(&reused), Ok(()));
    assert_eq!(before.kernel(&moved(&reused, put, Event::DsbIsh)), behind);
}

#[test]
fn a_user_table_goes_by_its_asid_unless_leaves_in_it_are_global() {
    let asid = operand_asid(ASID);
    let user = Before {
        level_3: &[(0, PAGE | FRAME | NOT_GLOBAL)],
        ..Before::default()
    };
    for right in [at_asid(Vae1is, 0), tlbi(Aside1is, asid)] {
        assert_eq!(user.user(&unlink(&[right])), Ok(()));
    }
    let freed = Violation::TableFreed { va: 0, frame: L3 };
    let wrong = tlbi(Aside1is, operand_asid(ASID + 1));
    assert_eq!(user.user(&unlink(&[wrong])), Err(freed));
    // Nor does the pointer go, which a walk to a global leaf has cached.
    refused!(
        TWO.user(&unlink(&[tlbi(Aside1is, asid)])),
        Violation::TableFreed { va: 0, .. }
    );
    let freed = Violation::TableFreed {
        va: HIGH,
        frame: L3,
    };
    assert_eq!(TWO.kernel(&unlink(&[tlbi(Aside1is, 0)])), Err(freed));
}

#[test]
fn another_table_does_not_take_the_place_of_one_in_use() {
    let mut trace = filled(SPARE, &[]);
    trace.extend([Event::DmbIshst, store(L2, 0, SPARE as u64 | TABLE)]);
    refused!(TWO.kernel(&trace), Violation::NotBroken { va: HIGH, .. });
}

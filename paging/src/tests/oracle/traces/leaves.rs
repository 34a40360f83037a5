//! One leaf: mapping, rights, unmapping, and what needs break-before-make.

use std::vec::Vec;

use super::super::TlbiForm::{Vaae1is, Vaale1is, Vale1is, Vmalle1, Vmalle1is};
use super::super::{Event, Violation};
use super::{
    ACCESSED, BLOCK, Before, CONTIGUOUS, FRAME, HIGH, K4, L0, L1, L2, L3, M2, NOT_GLOBAL, OTHER,
    PAGE, READ_ONLY, SPARE, TABLE, at, at_asid, moved, other, refused, released, store, tlbi,
    without,
};

/// The page of these traces, entry 5 of its table.
pub(super) const VA: usize = HIGH + 5 * K4;
pub(super) const USER_VA: usize = 5 * K4;
pub(super) const RW: u64 = PAGE | FRAME;
pub(super) const RO: u64 = RW | READ_ONLY;
pub(super) const USER: u64 = RW | NOT_GLOBAL;

pub(super) const PAGE_MAPPED: Before = Before {
    level_1: &[],
    level_2: &[],
    level_3: &[(5, RW)],
};
pub(super) const USER_PAGE_MAPPED: Before = Before {
    level_1: &[],
    level_2: &[],
    level_3: &[(5, USER)],
};

/// An invalid entry becomes valid.
const MAP: [Event; 4] = [store(L3, 5, RW), Event::DsbIshst, Event::Isb, Event::Done];
const INVALIDATE: Event = at(Vaale1is, VA);
pub(super) const INVALIDATE_USER: Event = at_asid(Vale1is, USER_VA);

/// A valid entry becomes `bits`.
pub(super) const fn change(bits: u64, invalidate: Event) -> [Event; 6] {
    [
        store(L3, 5, bits),
        Event::DsbIshst,
        invalidate,
        Event::DsbIsh,
        Event::Isb,
        Event::Done,
    ]
}

/// A leaf is unmapped and its frame given up.
pub(super) const UNMAP: [Event; 7] = [
    store(L3, 5, 0),
    Event::DsbIshst,
    INVALIDATE,
    Event::DsbIsh,
    Event::Isb,
    released(FRAME, K4),
    Event::Done,
];

/// A valid entry is broken and becomes `bits`.
fn remake(bits: u64, invalidate: &[Event]) -> Vec<Event> {
    let mut trace = Vec::from([store(L3, 5, 0), Event::DsbIshst]);
    trace.extend(invalidate);
    trace.extend([
        Event::DsbIsh,
        store(L3, 5, bits),
        Event::DsbIshst,
        Event::Isb,
        Event::Done,
    ]);
    trace
}

#[test]
fn a_new_leaf_is_published_and_then_noticed() {
    let before = Before::default();
    assert_eq!(before.kernel(&MAP), Ok(()));
    let missed = Err(Violation::NotPublished { va: VA });
    assert_eq!(before.kernel(&without(&MAP, Event::DsbIshst)), missed);
    let not_here = other(&MAP, Event::DsbIshst, &[Event::DsbNsh]);
    assert_eq!(before.kernel(&not_here), missed);
    let ordered_only = other(&MAP, Event::DsbIshst, &[Event::DmbIshst]);
    assert_eq!(before.kernel(&ordered_only), missed);
    let unnoticed = Err(Violation::NotSynchronised);
    assert_eq!(before.kernel(&without(&MAP, Event::Isb)), unnoticed);
    let too_early = moved(&MAP, Event::Isb, Event::DsbIshst);
    assert_eq!(before.kernel(&too_early), unnoticed);
}

#[test]
fn other_rights_hold_after_barrier_invalidation_barrier_isb() {
    let trace = change(RO, INVALIDATE);
    assert_eq!(PAGE_MAPPED.kernel(&trace), Ok(()));
    let stronger = other(&trace, Event::DsbIshst, &[Event::DsbIsh]);
    assert_eq!(PAGE_MAPPED.kernel(&stronger), Ok(()));
    let frame = FRAME as usize;
    let stale = Err(Violation::StaleLeaf { va: VA, frame });
    for event in [Event::DsbIshst, INVALIDATE, Event::DsbIsh] {
        assert_eq!(
            PAGE_MAPPED.kernel(&without(&trace, event)),
            stale,
            "{event:?}"
        );
    }
    for invalidate in [INVALIDATE, tlbi(Vmalle1is, 0)] {
        let trace = change(RO, invalidate);
        assert_eq!(PAGE_MAPPED.kernel(&trace), Ok(()));
        let early = moved(&trace, invalidate, Event::DsbIshst);
        assert_eq!(PAGE_MAPPED.kernel(&early), stale);
    }
    let first = moved(&trace, INVALIDATE, store(L3, 5, RO));
    assert_eq!(PAGE_MAPPED.kernel(&first), stale);
    let weak = other(&trace, Event::DsbIsh, &[Event::DsbNsh]);
    assert_eq!(PAGE_MAPPED.kernel(&weak), stale);
    let stores_only = other(&trace, Event::DsbIsh, &[Event::DsbIshst]);
    assert_eq!(PAGE_MAPPED.kernel(&stores_only), stale);
    let unnoticed = Err(Violation::NotSynchronised);
    assert_eq!(PAGE_MAPPED.kernel(&without(&trace, Event::Isb)), unnoticed);
}

#[test]
fn a_frame_is_free_when_its_translation_is_gone_everywhere() {
    assert_eq!(PAGE_MAPPED.kernel(&UNMAP), Ok(()));
    let everything = other(&UNMAP, INVALIDATE, &[tlbi(Vmalle1is, 0)]);
    assert_eq!(PAGE_MAPPED.kernel(&everything), Ok(()));
    let frame = FRAME as usize;
    let freed = Err(Violation::FrameFreed { va: VA, frame });
    for event in [Event::DsbIshst, INVALIDATE, Event::DsbIsh] {
        assert_eq!(
            PAGE_MAPPED.kernel(&without(&UNMAP, event)),
            freed,
            "{event:?}"
        );
        let early = moved(&UNMAP, released(FRAME, K4), event);
        assert_eq!(PAGE_MAPPED.kernel(&early), freed, "{event:?}");
    }
    let unnoticed = moved(&UNMAP, released(FRAME, K4), Event::Isb);
    assert_eq!(
        PAGE_MAPPED.kernel(&unnoticed),
        Err(Violation::NotSynchronised)
    );
}

#[test]
fn a_frame_that_is_mapped_twice_may_be_given_up_once() {
    let twice = Before {
        level_3: &[(5, RW), (6, RW)],
        ..Before::default()
    };
    assert_eq!(twice.kernel(&UNMAP), Ok(()));
}

#[test]
fn what_is_not_cached_needs_no_invalidation() {
    // Without its access flag, and inaccessible: bit 0 clear, whatever the rest says.
    for old in [RW & !ACCESSED, RW & !1] {
        let before = Before {
            level_3: &[(5, old)],
            ..Before::default()
        };
        assert_eq!(before.kernel(&MAP), Ok(()));
        assert_eq!(before.kernel(&[store(L3, 5, 0), Event::Done]), Ok(()));
    }
    let taken_away = change(RW & !ACCESSED, INVALIDATE);
    assert_eq!(PAGE_MAPPED.kernel(&taken_away), Ok(()));
    refused!(
        PAGE_MAPPED.kernel(&without(&taken_away, INVALIDATE)),
        Violation::StaleLeaf { va: VA, .. }
    );
}

#[test]
fn bits_that_the_hardware_ignores_change_nothing() {
    let trace = [
        store(L3, 5, RW | 0xf << 55),
        store(L2, 0, L3 as u64 | TABLE | 0xffc),
        Event::Done,
    ];
    assert_eq!(PAGE_MAPPED.kernel(&trace), Ok(()));
}

#[test]
fn another_frame_type_or_shareability_is_broken_first() {
    let device = RW & !0b1_1100 | 0b0_0100;
    let outer = RW & !0x300 | 0x200;
    for new in [PAGE | OTHER, device, outer] {
        let trace = remake(new, &[INVALIDATE]);
        assert_eq!(PAGE_MAPPED.kernel(&trace), Ok(()));
        let at_once = change(new, INVALIDATE);
        refused!(
            PAGE_MAPPED.kernel(&at_once),
            Violation::NotBroken { va: VA, .. }
        );
        for event in [Event::DsbIshst, INVALIDATE, Event::DsbIsh] {
            let wrong = PAGE_MAPPED.kernel(&without(&trace, event));
            refused!(wrong, Violation::NotBroken { va: VA, .. });
        }
        let local = remake(new, &[tlbi(Vmalle1, 0)]);
        refused!(
            PAGE_MAPPED.kernel(&local),
            Violation::NotBroken { va: VA, .. }
        );
    }
}

#[test]
fn becoming_global_needs_a_break_and_ceasing_to_be_needs_none() {
    assert_eq!(PAGE_MAPPED.kernel(&change(USER, INVALIDATE)), Ok(()));
    let made_global = change(RW, INVALIDATE_USER);
    refused!(
        USER_PAGE_MAPPED.user(&made_global),
        Violation::NotBroken { va: USER_VA, .. }
    );
    assert_eq!(
        USER_PAGE_MAPPED.user(&remake(RW, &[INVALIDATE_USER])),
        Ok(())
    );
}

#[test]
fn keeping_others_off_does_not_replace_an_invalidation() {
    let begin = Event::BeginBreak {
        start: VA,
        bytes: K4,
    };
    let mut trace = remake(PAGE | OTHER, &[INVALIDATE]);
    trace.insert(0, begin);
    trace.insert(5, Event::EndBreak);
    assert_eq!(PAGE_MAPPED.kernel(&trace), Ok(()));
    refused!(
        PAGE_MAPPED.kernel(&without(&trace, INVALIDATE)),
        Violation::NotBroken { va: VA, .. }
    );
}

#[test]
fn what_is_broken_and_made_anew_was_never_gone() {
    let back = [
        store(L3, 5, 0),
        Event::DsbIshst,
        store(L3, 5, RW),
        Event::DsbIshst,
    ];
    let mut trace = Vec::from(back);
    trace.extend([Event::Isb, Event::Done]);
    assert_eq!(PAGE_MAPPED.kernel(&trace), Ok(()));
}

#[test]
fn a_descriptor_is_stored_whole() {
    let trace = [
        store(L3, 5, RW & 0xffff_ffff),
        store(L3, 5, RW),
        Event::DsbIshst,
        Event::Isb,
        Event::Done,
    ];
    refused!(
        Before::default().kernel(&trace),
        Violation::StaleLeaf { va: VA, .. }
    );
}

#[test]
fn a_descriptor_without_a_meaning_is_seen_when_a_walk_can_find_it() {
    for (table, level, bits) in [
        // A block at level 0; one at level 3; no page there.
        (L0, 0, BLOCK | FRAME),
        (L3, 3, BLOCK | FRAME),
        // SH = 0b01; an address past bit 39; bits 51 and 48; a block that is not aligned.
        (L3, 3, RW & !0x300 | 0x100),
        (L3, 3, RW | 1 << 40),
        (L3, 3, RW | 1 << 51),
        (L3, 3, RW | 1 << 48),
        (L2, 2, BLOCK | FRAME | 0x1000),
        (L1, 1, BLOCK | M2 as u64),
        // Restrictions for all below.
        (L2, 2, TABLE | SPARE as u64 | 1 << 60),
    ] {
        let wrong = Before::default().kernel(&[store(table, 7, bits)]);
        refused!(wrong, Violation::Reserved { level: l, bits: b, .. } if l == level && b == bits);
    }
    assert_eq!(
        Before::default().kernel(&[store(L3, 7, BLOCK & !1)]),
        Ok(())
    );
}

#[test]
fn the_contiguous_bit_is_not_added_or_taken_away_in_place() {
    let with = RW | CONTIGUOUS;
    refused!(
        PAGE_MAPPED.kernel(&change(with, at(Vaae1is, VA))),
        Violation::NotBroken { va: VA, .. }
    );
}

//! Small traces, written by hand: what the architecture asks for passes, and each single step
//! away from it is reported as what it is.

mod blocks;
mod forms;
mod groups;
mod leaves;
mod tables;

use std::vec::Vec;

use super::TlbiForm::{Vaae1is, Vaale1is, Vae1is, Vale1is};
use super::{Event, Machine, TlbiForm, Violation};

pub(super) const K4: usize = 0x1000;
pub(super) const M2: usize = 0x20_0000;
const G1: usize = 0x4000_0000;
/// Where the trees of the kernel translate from.
pub(super) const HIGH: usize = 0xffff_0000_0000_0000;
const ASID: u16 = 0x51;

/// The frames of the tables for the first 2 MiB, by level.
pub(super) const L0: usize = 0x1000;
pub(super) const L1: usize = 0x2000;
pub(super) const L2: usize = 0x3000;
pub(super) const L3: usize = 0x4000;
/// A frame for another table.
pub(super) const SPARE: usize = 0x5000;

/// A kernel page of frame 0: global, write-back (AttrIndx 4), inner shareable, AF, PXN and UXN.
pub(super) const PAGE: u64 = 0x0060_0000_0000_0713;
pub(super) const BLOCK: u64 = PAGE & !0b10;
pub(super) const TABLE: u64 = 0b11;
pub(super) const READ_ONLY: u64 = 1 << 7;
pub(super) const ACCESSED: u64 = 1 << 10;
pub(super) const NOT_GLOBAL: u64 = 1 << 11;
const CONTIGUOUS: u64 = 1 << 52;
/// Frames for leaves, aligned to 1 GiB.
pub(super) const FRAME: u64 = 0x8000_0000;
pub(super) const OTHER: u64 = 0xc000_0000;

/// Entries of a table: index and descriptor.
pub(super) type Entries<'a> = &'a [(usize, u64)];

/// Leaf `index` of a run: `first`, for a frame that is `index * bytes` further.
const fn nth(first: u64, index: usize, bytes: usize) -> u64 {
    first + (index * bytes) as u64
}

/// The page number that an invalidation at `va` takes.
const fn page_number(va: usize) -> u64 {
    (va as u64 >> 12) & 0xfff_ffff_ffff
}

/// An ASID where an invalidation takes it.
const fn operand_asid(asid: u16) -> u64 {
    (asid as u64) << 48
}

pub(super) const fn store(table: usize, index: usize, bits: u64) -> Event {
    let address = table + index * 8;
    Event::Store { address, bits }
}

pub(super) const fn tlbi(form: TlbiForm, operand: u64) -> Event {
    Event::Tlbi { form, operand }
}

/// An invalidation by address in a form for all ASIDs.
pub(super) const fn at(form: TlbiForm, va: usize) -> Event {
    assert!(matches!(form, Vaae1is | Vaale1is));
    tlbi(form, page_number(va))
}

/// An invalidation by address in a form for one ASID, [`ASID`].
const fn at_asid(form: TlbiForm, va: usize) -> Event {
    assert!(matches!(form, Vae1is | Vale1is));
    tlbi(form, operand_asid(ASID) | page_number(va))
}

pub(super) const fn released(frame: u64, bytes: usize) -> Event {
    let frame = frame as usize;
    Event::Released { frame, bytes }
}

/// A new table with these entries, not yet ordered.
pub(super) fn filled(frame: usize, entries: Entries) -> Vec<Event> {
    let mut trace = Vec::from([Event::Alloc { frame }]);
    let entry = |index| entries.iter().find(|entry| entry.0 == index);
    trace
        .extend((0..512).map(|index| store(frame, index, entry(index).map_or(0, |entry| entry.1))));
    trace
}

/// All pages of a table, one after the other in memory.
fn page_run() -> Vec<(usize, u64)> {
    (0..512)
        .map(|index| (index, nth(PAGE | FRAME, index, K4)))
        .collect()
}

/// What was mapped before a trace: in the tables of levels 1, 2 and 3, the first entries of the
/// upper ones leading to the next.
#[derive(Clone, Copy, Default)]
pub(super) struct Before<'a> {
    level_1: Entries<'a>,
    level_2: Entries<'a>,
    level_3: Entries<'a>,
}

impl Before<'_> {
    pub(super) fn trace(self) -> Vec<Event> {
        let linked = |entries: Entries, next: usize| {
            let mut all = Vec::from([(0, next as u64 | TABLE)]);
            all.extend(entries.iter().filter(|entry| entry.0 > 0));
            all
        };
        let mut trace = filled(L3, self.level_3);
        trace.extend(filled(L2, &linked(self.level_2, L3)));
        trace.extend(filled(L1, &linked(self.level_1, L2)));
        let end = [
            Event::DmbIshst,
            store(L0, 0, L1 as u64 | TABLE),
            Event::DsbIshst,
            Event::Isb,
            Event::Done,
        ];
        trace.extend(end);
        trace
    }

    /// What the machine of a kernel's tree says to `trace`.
    fn kernel(self, trace: &[Event]) -> Result<(), Violation> {
        self.run(Machine::new(L0, HIGH, None), trace)
    }

    /// What the machine of a user's tree says to `trace`.
    fn user(self, trace: &[Event]) -> Result<(), Violation> {
        self.run(Machine::new(L0, 0, Some(ASID)), trace)
    }

    fn run(self, mut machine: Machine, trace: &[Event]) -> Result<(), Violation> {
        for event in self.trace() {
            machine.feed(&event).expect("what was before is right");
        }
        trace.iter().try_for_each(|event| machine.feed(event))
    }
}

/// `trace` with `event` replaced by `others`.
fn other(trace: &[Event], event: Event, others: &[Event]) -> Vec<Event> {
    let place = trace.iter().position(|other| *other == event);
    let place = place.expect("the event is in the trace");
    let mut trace = trace.to_vec();
    trace.splice(place..=place, others.iter().copied());
    trace
}

/// `trace` without `event`.
fn without(trace: &[Event], event: Event) -> Vec<Event> {
    other(trace, event, &[])
}

/// `trace` with `event` moved to the place before `before`.
fn moved(trace: &[Event], event: Event, before: Event) -> Vec<Event> {
    other(&without(trace, event), before, &[event, before])
}

/// Asserts that a machine refuses a trace, and for which reason.
macro_rules! refused {
    ($result:expr, $reason:pat $(if $guard:expr)?) => {
        let result = $result;
        assert!(
            matches!(result, Err($reason) $(if $guard)?),
            "{}",
            result.map_or_else(|violation| std::format!("{violation}"), |()| "it passes".into())
        );
    };
}
use refused;

#[test]
fn an_operation_that_does_nothing_needs_nothing() {
    let before = Before::default();
    assert_eq!(before.kernel(&[Event::Done]), Ok(()));
}

#[test]
fn a_frame_that_is_not_the_trees_is_never_touched() {
    let before = Before::default();
    let foreign = Violation::Foreign { address: SPARE };
    for event in [store(SPARE, 0, 0), Event::Free { frame: SPARE }] {
        assert_eq!(before.kernel(&[event]), Err(foreign));
    }
    let twice = Violation::Foreign { address: L2 };
    assert_eq!(before.kernel(&[Event::Alloc { frame: L2 }]), Err(twice));
    let address = L2 + 4;
    let between = Event::Store { address, bits: 0 };
    assert_eq!(
        before.kernel(&[between]),
        Err(Violation::Foreign { address })
    );
}

#[test]
fn a_table_that_was_never_linked_goes_back_at_any_time() {
    let mut trace = filled(SPARE, &[]);
    trace.extend([Event::Free { frame: SPARE }, Event::Done]);
    assert_eq!(Before::default().kernel(&trace), Ok(()));
}

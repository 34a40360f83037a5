//! The oracle against a machine that is no abstraction: one core beside the writer, whose
//! walker, caches and view of memory are lists, and whose every step is a throw of dice.
//!
//! A trace is grown from random events that the oracle forgives. Then it is run many times:
//! between any two events the core walks, sees a store, or lets an invalidation take effect. It
//! must never find what the oracle is there to prevent. This says that the oracle misses
//! nothing; that it does not cry without need is what the traces by hand are for.
//!
//! What descriptors mean, and which of them must not meet, is taken from the oracle: what is
//! tested is how it keeps the books.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use super::TlbiForm::{Vaae1is, Vaale1is, Vmalle1is};
use super::descriptor::{Cached, Descriptor, decode, index_of, level_bytes};
use super::traces::{
    ACCESSED, BLOCK, Before, FRAME, HIGH, K4, L0, L1, L2, L3, M2, NOT_GLOBAL, OTHER, PAGE,
    READ_ONLY, SPARE, TABLE, at, filled, released, store, tlbi,
};
use super::{Event, Machine, TlbiForm};

const TRACES: u64 = 100;
const SCHEDULES: usize = 4;
/// Events that are tried for each trace; most are refused.
const TRIES: usize = 500;
/// The addresses that are walked and invalidated.
const PROBES: [usize; 6] = [
    HIGH,
    HIGH + K4,
    HIGH + 2 * K4,
    HIGH + M2,
    HIGH + M2 + K4,
    HIGH + M2 + 2 * K4,
];

/// Numbers that look random: xorshift.
struct Dice(u64);

impl Dice {
    const fn new(seed: u64) -> Self {
        Self(seed << 32 | 0x9e37_79b9)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A store that the core has not seen.
#[derive(Clone, Copy)]
struct Unseen {
    address: usize,
    bits: u64,
    /// The number of barriers before it.
    epoch: usize,
}

/// The writer and one other core.
#[derive(Default)]
struct Concrete {
    owned: BTreeSet<usize>,
    /// Memory as the writer left it, and as the core sees it. A word that is not there is
    /// garbage.
    written: BTreeMap<usize, u64>,
    seen: BTreeMap<usize, u64>,
    unseen: Vec<Unseen>,
    epoch: usize,
    held: Vec<Cached>,
    /// Invalidations that have not taken effect.
    flying: Vec<(TlbiForm, usize)>,
}

const fn range(cached: Cached) -> (usize, usize) {
    match cached {
        Cached::Leaf(leaf) => (leaf.va, leaf.bytes),
        Cached::Pointer(pointer) => (pointer.va, level_bytes(pointer.level)),
    }
}

fn covers(cached: Cached, va: usize) -> bool {
    let (first, bytes) = range(cached);
    va.wrapping_sub(first) < bytes
}

impl Concrete {
    /// The machine after a trace that it has seen through, from a root that is all zero.
    fn after(trace: &[Event]) -> Self {
        let mut machine = Self::default();
        machine.owned.insert(L0);
        let root = (0..512).map(|index| (L0 + index * 8, 0));
        machine.written.extend(root);
        for event in trace {
            match *event {
                Event::Alloc { frame } => _ = machine.owned.insert(frame),
                Event::Store { address, bits } => _ = machine.written.insert(address, bits),
                _ => {}
            }
        }
        machine.seen.clone_from(&machine.written);
        machine
    }

    /// Sees a store, and with it all that are ordered before.
    fn see(&mut self, which: usize) {
        let last = self.unseen[which];
        let mut position = 0;
        let seen = &mut self.seen;
        self.unseen.retain(|store| {
            let same = store.address == last.address && position <= which;
            position += 1;
            let is_seen = same || store.epoch < last.epoch;
            if is_seen {
                seen.insert(store.address, store.bits);
            }
            !is_seen
        });
    }

    /// Lets an invalidation take effect.
    fn land(&mut self, which: usize) {
        let (form, va) = self.flying.swap_remove(which);
        self.held.retain(|cached| match (form, cached) {
            (Vmalle1is, _) => false,
            (Vaale1is, Cached::Pointer(_)) => true,
            _ => !covers(*cached, va),
        });
    }

    /// Walks `va`, from the root or from a pointer that is held, and keeps all that it reads.
    fn walk(&mut self, va: usize, dice: &mut Dice) {
        let mut starts = Vec::from([(L0, 0)]);
        starts.extend(self.held.iter().filter_map(|cached| match cached {
            Cached::Pointer(pointer) if covers(*cached, va) => {
                Some((pointer.table, pointer.level + 1))
            }
            _ => None,
        }));
        let (mut table, mut level) = dice.pick(&starts);
        loop {
            let address = table + index_of(va, level) * 8;
            assert!(self.owned.contains(&table), "walked into {table:#x}");
            let bits = self.seen.get(&address);
            let bits = bits.unwrap_or_else(|| panic!("garbage at {address:#x}"));
            let descriptor = decode(*bits, level);
            assert_ne!(descriptor, Descriptor::Reserved);
            let slot = va & !(level_bytes(level) - 1);
            if let Some(cached) = descriptor.cached(slot, level) {
                self.keep(cached);
            }
            match descriptor {
                Descriptor::Table(next) => (table, level) = (next, level + 1),
                _ => return,
            }
        }
    }

    fn keep(&mut self, new: Cached) {
        if self.held.contains(&new) {
            return;
        }
        let (first, bytes) = range(new);
        for old in &self.held {
            let overlaps = covers(*old, first) || range(*old).0.wrapping_sub(first) < bytes;
            assert!(
                !overlaps || !old.needs_break(new),
                "{old:x?} meets {new:x?}"
            );
        }
        self.held.push(new);
    }

    /// What the tables of `memory` say about `va`.
    fn truth(memory: &BTreeMap<usize, u64>, va: usize) -> Vec<Cached> {
        let (mut table, mut level, mut found) = (L0, 0, Vec::new());
        loop {
            let descriptor = decode(memory[&(table + index_of(va, level) * 8)], level);
            found.extend(descriptor.cached(va & !(level_bytes(level) - 1), level));
            match descriptor {
                Descriptor::Table(next) => (table, level) = (next, level + 1),
                _ => return found,
            }
        }
    }

    /// Does some of what a core may do at any moment.
    fn stir(&mut self, dice: &mut Dice) {
        for _ in 0..dice.below(6) {
            match dice.below(4) {
                0 if !self.unseen.is_empty() => self.see(dice.below(self.unseen.len())),
                1 if !self.flying.is_empty() => self.land(dice.below(self.flying.len())),
                _ => self.walk(dice.pick(&PROBES), dice),
            }
        }
    }

    fn execute(&mut self, event: Event, dice: &mut Dice) {
        match event {
            Event::Store { address, bits } => {
                self.written.insert(address, bits);
                let epoch = self.epoch;
                self.unseen.push(Unseen {
                    address,
                    bits,
                    epoch,
                });
            }
            Event::DmbIshst => self.epoch += 1,
            Event::DsbIshst | Event::DsbIsh => {
                let all = event == Event::DsbIsh;
                while !self.unseen.is_empty() || all && !self.flying.is_empty() {
                    self.stir(dice);
                }
                self.epoch += 1;
            }
            Event::Tlbi { form, operand } => {
                let va = HIGH | (operand << 12) as usize;
                self.flying.push((form, va));
            }
            Event::Alloc { frame } => {
                self.owned.insert(frame);
                let frame = frame..frame + K4;
                self.unseen.retain(|store| !frame.contains(&store.address));
                for memory in [&mut self.written, &mut self.seen] {
                    memory.retain(|address, _| !frame.contains(address));
                }
            }
            Event::Free { frame } => {
                self.owned.remove(&frame);
            }
            Event::Released { frame, bytes } => self.check_released(frame, bytes),
            Event::Done => self.check_done(),
            _ => {}
        }
    }

    fn check_released(&self, frame: usize, bytes: usize) {
        for cached in &self.held {
            if let Cached::Leaf(leaf) = cached
                && leaf.reaches(frame, bytes)
            {
                let truth = Self::truth(&self.written, leaf.va);
                assert!(truth.contains(cached), "{cached:x?} leads to a free frame");
            }
        }
    }

    fn check_done(&self) {
        for va in PROBES {
            let truth = Self::truth(&self.written, va);
            assert_eq!(Self::truth(&self.seen, va), truth, "{va:#x}");
            for cached in self.held.iter().filter(|cached| covers(**cached, va)) {
                assert!(truth.contains(cached), "{cached:x?} is held");
            }
        }
    }
}

/// A random event, or a few that only make sense together.
fn events(dice: &mut Dice) -> Vec<Event> {
    let frame = dice.pick(&[L3, SPARE]);
    let probe = dice.pick(&PROBES);
    let leaves = [
        0,
        PAGE | FRAME,
        PAGE | FRAME | READ_ONLY,
        PAGE | FRAME | NOT_GLOBAL,
        PAGE | OTHER,
        (PAGE | FRAME) & !ACCESSED,
    ];
    let entries = [
        0,
        0,
        L3 as u64 | TABLE,
        SPARE as u64 | TABLE,
        BLOCK | FRAME,
        BLOCK | OTHER,
    ];
    let event = match dice.below(24) {
        0..=3 => store(frame, dice.below(3), dice.pick(&leaves)),
        4..=7 => store(L2, dice.below(2), dice.pick(&entries)),
        8 => store(L1, 0, dice.pick(&[0, L2 as u64 | TABLE])),
        9 | 10 => Event::DsbIshst,
        11..=13 => Event::DsbIsh,
        14 => Event::DmbIshst,
        15 => Event::Isb,
        16 | 17 => at(Vaae1is, probe),
        18 | 19 => at(Vaale1is, probe),
        20 => tlbi(Vmalle1is, 0),
        21 => Event::Done,
        22 => released(dice.pick(&[FRAME, OTHER]), K4),
        _ => match dice.below(2) {
            0 => Event::Free { frame },
            _ => return filled(frame, &[(1, dice.pick(&leaves))]),
        },
    };
    Vec::from([event])
}

/// A trace that the oracle forgives after `before`.
fn forgiven(before: &[Event], dice: &mut Dice) -> Vec<Event> {
    let mut machine = Machine::new(L0, HIGH, None);
    for event in before {
        machine.feed(event).expect("what was before is right");
    }
    let mut trace = Vec::new();
    for _ in 0..TRIES {
        let next = events(dice);
        let mut after = machine.clone();
        if next.iter().all(|event| after.feed(event).is_ok()) {
            machine = after;
            trace.extend(next);
        }
    }
    trace
}

#[test]
fn no_schedule_of_a_forgiven_trace_goes_wrong() {
    let before = Before::default().trace();
    for seed in 1..=TRACES {
        let dice = &mut Dice::new(seed);
        let trace = forgiven(&before, dice);
        for _ in 0..SCHEDULES {
            let mut machine = Concrete::after(&before);
            for event in &trace {
                // Between the stores that fill a table little can happen.
                if !matches!(event, Event::Store { .. }) || dice.below(16) == 0 {
                    machine.stir(dice);
                }
                machine.execute(*event, dice);
            }
        }
    }
}

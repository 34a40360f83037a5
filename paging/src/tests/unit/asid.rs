//! The ASID allocator against cores whose TLBs keep whatever they once walked.
#![forbid(unsafe_code)]

use std::vec::Vec;

use crate::tests::model::operation::Random;
use crate::tests::spaces::allocator;
use crate::{Asid, AsidAllocator, AsidTag};

/// A translation in a TLB: of which space, as it was when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Cached {
    asid: Asid,
    space: usize,
    version: usize,
}

/// Who runs on a core: the ASID that was loaded, and the space.
type Running = Option<(Asid, usize)>;

struct Machine<const CORES: usize> {
    allocator: AsidAllocator<CORES>,
    tags: Vec<AsidTag>,
    /// How often each space was changed.
    versions: Vec<usize>,
    tlbs: Vec<Vec<Cached>>,
    running: [Running; CORES],
    invalidations: usize,
}

impl<const CORES: usize> Machine<CORES> {
    fn new(bits: u32, spaces: usize) -> Self {
        Self {
            allocator: allocator(bits).unwrap(),
            tags: (0..spaces).map(|_| AsidTag::NONE).collect(),
            versions: (0..spaces).map(|_| 0).collect(),
            tlbs: (0..CORES).map(|_| Vec::new()).collect(),
            running: [None; CORES],
            invalidations: 0,
        }
    }

    fn activate(&mut self, core: usize, space: usize) {
        let tag = &mut self.tags[space];
        let activation = self.allocator.activate(core, tag).expect("a core");
        assert_ne!(activation.asid, Asid::KERNEL);
        if activation.invalidate {
            self.tlbs[core].clear();
            self.invalidations += 1;
        }
        self.running[core] = Some((activation.asid, space));
        let others = self.running.iter().flatten();
        for (asid, other) in others {
            let same = *asid == activation.asid;
            assert!(
                !same || *other == space,
                "{other} and {space} both run with {asid:?}"
            );
        }
    }

    /// The core uses an address: from its TLB if that has one, or by a walk.
    fn use_memory(&mut self, core: usize) {
        let Some((asid, space)) = self.running[core] else {
            return;
        };
        let version = self.versions[space];
        let current = Cached {
            asid,
            space,
            version,
        };
        let tlb = &mut self.tlbs[core];
        match tlb.iter().find(|cached| cached.asid == asid) {
            Some(cached) => assert_eq!(*cached, current, "core {core}"),
            None => tlb.push(current),
        }
    }

    /// The space is changed, and what is cached of it invalidated as the allocator says.
    fn change(&mut self, space: usize) {
        self.versions[space] += 1;
        if let Some(asid) = self.allocator.current(&self.tags[space]) {
            for tlb in &mut self.tlbs {
                tlb.retain(|cached| cached.asid != asid);
            }
        }
    }
}

/// Returns how often a core invalidated everything.
fn run<const CORES: usize>(bits: u32, spaces: usize, seed: u64) -> usize {
    let mut random = Random::new(seed);
    let mut machine = Machine::<CORES>::new(bits, spaces);
    for _ in 0..100_000 {
        let core = random.below(CORES);
        match random.below(8) {
            0..2 => machine.activate(core, random.below(spaces)),
            2 => machine.change(random.below(spaces)),
            _ => machine.use_memory(core),
        }
    }
    machine.invalidations
}

#[test]
fn no_core_ever_uses_a_translation_of_another_space_or_time() {
    assert!(run::<4>(3, 20, 1) > 1000);
    assert!(run::<4>(4, 100, 2) > 1000);
    assert!(run::<1>(2, 5, 3) > 1000);
    // Few spaces: each keeps its ASID, and nothing is ever invalidated for one.
    assert_eq!(run::<4>(8, 200, 4), 0);
    assert!(run::<6>(3, 9, 5) > 1000);
    assert_eq!(run::<4>(16, 20, 6), 0);
}

#[test]
fn a_space_that_runs_when_the_numbers_are_used_up_keeps_its_own() {
    let mut allocator = allocator::<2>(2).unwrap();
    let (mut kept, mut first, mut other) = (AsidTag::NONE, AsidTag::NONE, AsidTag::NONE);
    let asid = allocator.activate(0, &mut kept).unwrap().asid;
    let activation = allocator.activate(1, &mut first).unwrap();
    assert_eq!((asid, activation.asid), (Asid::new(1), Asid::new(2)));
    assert!(!activation.invalidate);
    let third = allocator.activate(1, &mut other).unwrap();
    assert_eq!((third.asid, third.invalidate), (Asid::new(3), false));
    // All three are used up: the next begins a generation, in which 1 and 3 are kept.
    let mut late = AsidTag::NONE;
    let next = allocator.activate(1, &mut late).unwrap();
    assert_eq!((next.asid, next.invalidate), (Asid::new(2), true));
    assert_eq!(allocator.current(&kept), Some(asid));
    assert_eq!(allocator.current(&first), None);
    let again = allocator.activate(0, &mut kept).unwrap();
    assert_eq!((again.asid, again.invalidate), (asid, true));
    assert!(!allocator.activate(0, &mut kept).unwrap().invalidate);
}

#[test]
fn there_are_more_asids_than_cores_or_no_allocator() {
    assert!(allocator::<4>(17).is_none());
    assert!(allocator::<4>(2).is_none());
    assert!(allocator::<3>(2).is_none());
    assert!(allocator::<2>(2).is_some());
    assert!(allocator::<4>(16).is_some());
    let mut allocator = allocator::<2>(8).unwrap();
    let mut tag = AsidTag::NONE;
    assert!(allocator.activate(2, &mut tag).is_none());
    assert_eq!(allocator.current(&tag), None);
    assert_eq!(tag, AsidTag::NONE);
    assert_eq!((Asid::KERNEL.as_u16(), Asid::new(7).as_u16()), (0, 7));
}

/// Two answers to one question, of which the second is there for what can be copied alone.
trait Question<A> {
    fn answer() {}
}

impl<T> Question<()> for T {}
impl<T: Clone> Question<u8> for T {}

/// With a tag that could be copied, two spaces would run under one ASID.
#[test]
fn a_tag_cannot_be_copied() {
    // Would not compile if both answers were there.
    <AsidTag as Question<_>>::answer();
    let mut allocator = allocator::<2>(8).unwrap();
    let mut tag = AsidTag::NONE;
    let asid = allocator.activate(0, &mut tag).unwrap().asid;
    // Whoever takes the tag away leaves a space without a name, which gets another.
    let taken = core::mem::take(&mut tag);
    let other = allocator.activate(1, &mut tag).unwrap().asid;
    assert_ne!(asid, other);
    assert_eq!(allocator.current(&taken), Some(asid));
}

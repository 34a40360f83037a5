//! Page tables before the oracle: random operations, with all that they store and execute shown to
//! the machine; once as they are, and once with each of the faults that `faulty` can plant.
//!
//! A run is a fixed sequence of steps, and it goes through the doubles of `faulty` either way. So
//! what is found with a fault planted, and is not there without, is that fault.

mod apply;
mod beside;
mod faulty;
mod steps;
mod watch;

use core::mem::{forget, take};
use std::vec::Vec;
use std::{env, format, println, thread};

use crate::tests::formats::{self, Format};
use crate::tests::memory::Frames;
use crate::tests::model::operation::Operation;
use crate::tests::{A, G, K4, M2, R, U, W};
use crate::{PageSize, RegionOptions, Sharing};
use faulty::{Faulty, IssuingFault, plant};
use steps::{CACHING, KERNEL, MIXED, Owner, Receipt, SHARING, Step, Steps, USER};
use watch::{Fault, Tally, Watched};

type A64Low = Faulty<formats::A64Low>;
type A64High = Faulty<formats::A64High>;
type A64Caching = Faulty<formats::A64Caching>;

const SEED: u64 = 0x5eed_0007;
/// Operations of a run without a fault that are not refused, unless the environment says
/// otherwise.
const OPERATIONS: usize = 35_000;
/// Says otherwise.
const OPERATIONS_VARIABLE: &str = "STILT_ADVERSARY_OPERATIONS";
/// Operations until a planted fault must be found: fewer than are seen to be without one.
const BUDGET: usize = 10_000;
/// Steps between two checks of the whole tree.
const INTERVAL: usize = 64;

/// What came of a run: where it ended, what was found in which step.
struct Run {
    tally: Tally,
    found: Option<(Step, Fault)>,
}

/// Carries `count` operations out on a tree of `owner`'s, or as many as it takes to find a fault.
fn run<F: Format>(owner: &'static Owner, count: usize) -> Run {
    run_on(Watched::<F>::new(owner), owner, count)
}

/// Carries `count` operations out as [`run`] does, on a tree whose tables are shared.
fn run_shared(owner: &'static Owner, count: usize) -> Run {
    run_on(beside::watched(owner, SEED), owner, count)
}

fn run_on<F: Format, S: Sharing<F::M, F::PTE, Frames>>(
    mut watched: Watched<F, S>,
    owner: &'static Owner,
    count: usize,
) -> Run {
    let mut random = Steps::new(owner, SEED);
    // Nearly half of them are refused.
    for steps in 0..3 * count {
        if watched.tally.done >= count {
            break;
        }
        let step = random.next();
        let mut result = watched.take(&step);
        if result.is_ok() && steps % INTERVAL == 0 {
            result = watched.check();
        }
        if let Err(fault) = result {
            let tally = take(&mut watched.tally);
            // What is broken cannot be taken down.
            forget(watched);
            let found = Some((step, fault));
            return Run { tally, found };
        }
    }
    let tally = take(&mut watched.tally);
    Run { tally, found: None }
}

/// A run in which nothing must be found, and in which everything happens often enough.
fn clean_run(owner: &'static Owner, run: fn(&'static Owner, usize) -> Run) -> Tally {
    let wanted = env::var(OPERATIONS_VARIABLE).ok();
    let count = wanted.map_or(OPERATIONS, |count| count.parse().expect("a number"));
    let Run { tally, found } = run(owner, count);
    if let Some((step, fault)) = found {
        panic!("{fault}: after {} operations, in {step:x?}", tally.done);
    }
    println!("{}: {tally:?}", owner.name);
    let often = [
        tally.leaked,
        tally.handed_over,
        tally.batches,
        tally.broken,
        tally.tables_freed,
        tally.by_address,
        tally.everything,
    ];
    let seldom = [tally.merged, tally.no_memory];
    let kinds = [tally.contiguous, tally.inaccessible];
    assert!(tally.done >= count, "{tally:?}");
    assert!(often.into_iter().all(|times| times > count / 50));
    assert!(seldom.into_iter().all(|times| times > count / 500));
    assert!(kinds.into_iter().all(|leaves| leaves > 512));
    tally
}

#[test]
fn no_core_is_misled_by_a_users_tree() {
    clean_run(&USER, run::<A64Low>);
}

#[test]
fn no_core_is_misled_by_a_users_tree_with_global_leaves() {
    clean_run(&MIXED, run::<A64Low>);
}

#[test]
fn no_core_is_misled_by_the_kernels_tree() {
    clean_run(&KERNEL, run::<A64High>);
}

#[test]
fn no_core_and_no_reader_is_misled_by_what_is_shared() {
    let tally = clean_run(&SHARING, run_shared);
    assert!(tally.walks > tally.done / 50, "{tally:?}");
}

#[test]
fn no_core_is_misled_that_caches_what_was_absent() {
    clean_run(&CACHING, run::<A64Caching>);
}

/// Takes `steps` on a tree of `owner`'s, none of which may be refused.
fn take_all<F: Format>(owner: &'static Owner, steps: &[Step]) {
    let mut watched = Watched::<F>::new(owner);
    for step in steps {
        if let Err(fault) = watched.take(step) {
            panic!("{fault}: in {step:x?}");
        }
    }
    assert_eq!(watched.tally.refused, 0);
}

/// An operation whose receipt is flushed.
const fn flushed(operation: Operation) -> Step {
    Step::One(operation, Receipt::Flush, usize::MAX)
}

#[test]
fn a_table_is_not_linked_while_a_pointer_to_the_one_before_may_be_cached() {
    let flags = R.union(W).union(G).union(A);
    let map = |at| Operation::Map(at, 0, PageSize::Size4K, flags);
    let (first, other) = (KERNEL.base, KERNEL.base + K4);
    let batch = Step::Batch(Vec::from([Operation::Unmap(first), map(other)]));
    take_all::<A64High>(&KERNEL, &[flushed(map(first)), batch]);
    let unmap = Step::One(Operation::Unmap(first), Receipt::Forget, usize::MAX);
    let leaked = [flushed(map(first)), unmap, flushed(map(other))];
    take_all::<A64High>(&KERNEL, &leaked);
}

#[test]
fn a_global_leaf_leaves_no_core_with_a_users_asid_behind() {
    let global = R.union(G).union(A);
    let size = 2 * M2;
    let options = RegionOptions::empty();
    let steps = [
        flushed(Operation::MapRegion(0, 0, size, global, options)),
        flushed(Operation::ProtectRegion(0, M2, R.union(U).union(A))),
        flushed(Operation::Unmap(size - K4)),
        flushed(Operation::UnmapRegion(0, size)),
    ];
    take_all::<A64Low>(&MIXED, &steps);
}

/// What is found in `owner`'s tree with `fault` planted, and after how many operations. On a
/// thread of its own: a fault may leave memory in any state.
fn hunt_in(
    owner: &'static Owner,
    run: fn(&'static Owner, usize) -> Run,
    fault: IssuingFault,
) -> Option<(usize, Fault)> {
    let hunter = thread::spawn(move || {
        plant(fault);
        let Run { tally, found } = run(owner, BUDGET);
        found.map(|(_, fault)| (tally.done, fault))
    });
    hunter.join().expect("a run catches panics")
}

/// Looks for `fault` in one tree after the other, until something is found: in whose tree, after
/// how many operations, and what.
fn hunt(fault: IssuingFault) -> Option<(&'static str, usize, Fault)> {
    let hunts: [(&'static Owner, fn(_, _) -> _); 5] = [
        (&KERNEL, run::<A64High>),
        (&USER, run::<A64Low>),
        (&MIXED, run::<A64Low>),
        (&SHARING, run_shared),
        (&CACHING, run::<A64Caching>),
    ];
    hunts.into_iter().find_map(|(owner, run)| {
        let (operations, found) = hunt_in(owner, run, fault)?;
        Some((owner.name, operations, found))
    })
}

#[test]
fn every_planted_fault_is_found_by_the_oracle() {
    let mut missed = Vec::new();
    for fault in IssuingFault::ALL {
        match hunt(*fault) {
            Some((whose, operations, found @ Fault::Oracle(_))) => {
                let name = format!("{fault:?}");
                println!("{name:30} {operations:5} in the {whose} tree: {found}");
            }
            other => missed.push((fault, other)),
        }
    }
    assert!(missed.is_empty(), "not found by the oracle: {missed:?}");
}

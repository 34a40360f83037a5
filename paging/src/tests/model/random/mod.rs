//! Random operations on a table, each checked against the model.
#![forbid(unsafe_code)]

mod execute;
mod pair;

use core::mem::take;
use std::env;
use std::println;
use std::vec::Vec;

use crate::GenericPTE;
use crate::tests::formats::{Format, every_format};
use crate::tests::memory::snapshot;
use crate::tests::model::operation::Operations;
use crate::tests::{G1, K4, M2, va};

pub(in crate::tests) use execute::{Receipt, unmap_and_compare};
pub(in crate::tests) use pair::Pair;

/// Operations on each format, unless the environment says otherwise.
const OPERATIONS: usize = 1_000_000;
/// Says otherwise.
const OPERATIONS_VARIABLE: &str = "STILT_MODEL_OPERATIONS";
/// In so many operations, whatever can happen does happen; in fewer, what is rare may be missing.
const ENOUGH: usize = 100_000;

/// One random thing after another; what it was is checked at once.
fn step_anyhow<F: Format>(pair: &mut Pair<F>, operations: &mut Operations<F>) -> usize {
    let random = &mut operations.random;
    match random.below(64) {
        0 => {
            let count = 2 + operations.random.below(4);
            let mut operations: Vec<_> = (0..count).map(|_| operations.next()).collect();
            operations.retain(|operation| operation.can_be_batched());
            pair.batch(&operations);
            for operation in &operations {
                pair.check_around(*operation);
            }
            return operations.len();
        }
        1..4 if pair.judge.pins.len() < 3 => {
            let bytes = random.pick(&[0, K4, 3 * K4, M2, G1, 0x10]);
            let at = operations.address();
            pair.pin(va(at), bytes);
        }
        4..8 => pair.unpin_all(),
        _ => {}
    }
    let random = &mut operations.random;
    let budget = if random.one_in(3) {
        random.below(3)
    } else {
        usize::MAX
    };
    let receipt = match random.below(16) {
        0 => Receipt::Forget,
        1..4 => Receipt::Drop,
        _ => Receipt::Flush,
    };
    let operation = operations.next();
    pair.step(operation, budget, receipt);
    pair.check_around(operation);
    1
}

fn random_operations_do_what_the_model_does<F: Format>() {
    let wanted = env::var(OPERATIONS_VARIABLE).ok();
    let count = wanted.map_or(OPERATIONS, |count| count.parse().expect("a number"));
    let mut operations = Operations::<F>::new(0x5eed_0001);
    let mut pair = Pair::<F>::new();
    let (mut done, mut checked) = (0, 0);
    while done < count {
        done += step_anyhow(&mut pair, &mut operations);
        if done - checked >= 1000 {
            pair.check_all();
            checked = done;
        }
    }
    pair.check_all();
    let tally = take(&mut pair.tally);
    println!("{done} operations: {tally:?}");
    pair.unmap_all();
    let (tenth, rare) = (count / 10, count / 400);
    assert!(tally.done > 4 * tenth && tally.refused > tenth, "{tally:?}");
    if count < ENOUGH {
        return;
    }
    let least = [
        tally.no_memory,
        tally.splits,
        tally.tables_freed,
        tally.pinned,
        tally.batches,
        5 * tally.merges,
        tally.leaked,
    ];
    assert!(least.into_iter().all(|times| times >= rare), "{tally:?}");
    assert!(F::PTE::CONTIGUOUS == 1 || tally.contiguous > 0, "{tally:?}");
}

/// Each operation first runs out of frames at its first allocation, then at its second, and so
/// on until it has enough.
fn running_out_of_frames_at_any_allocation_changes_nothing<F: Format>() {
    let mut operations = Operations::<F>::new(0x5eed_0003);
    let mut pair = Pair::<F>::new();
    for count in 0..12_500 {
        let operation = operations.next();
        let before = snapshot();
        for budget in 0.. {
            if pair.step(operation, budget, Receipt::Flush) {
                break;
            }
            assert!(snapshot() == before, "{operation:x?} with {budget} frames");
        }
        pair.check_around(operation);
        if count % 100 == 0 {
            pair.check_all();
        }
    }
    pair.check_all();
    assert!(pair.tally.no_memory > 1000, "{:?}", pair.tally);
    pair.unmap_all();
}

every_format! {
    random_operations_do_what_the_model_does,
    running_out_of_frames_at_any_allocation_changes_nothing,
}

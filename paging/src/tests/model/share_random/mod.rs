//! Random operations on trees that share top-level tables: what the writer does there all trees
//! see at once, what a reader asks for there is refused, all else is each tree's own.
#![forbid(unsafe_code)]

mod apply;
mod part;
mod world;

use core::ops::Range;
use std::println;

use crate::tests::formats::{Format, every_format};
use crate::tests::memory::{Frames, live_frames, set_garbage};
use crate::tests::model::operation::Operations;
use crate::tests::{K4, pa};
use crate::{GenericPTE, PageTable64, SharedReader, SharedTop, SharedWriter};

use part::Part;
use world::World;

type Top<F> = SharedTop<<F as Format>::M, <F as Format>::PTE, Frames>;
type Tree<F, S> = PageTable64<<F as Format>::M, <F as Format>::PTE, Frames, S>;
type Reader<'top, F> = Tree<F, SharedReader<'top, <F as Format>::M, <F as Format>::PTE, Frames>>;
type Writer<'top, F> = Tree<F, SharedWriter<'top, <F as Format>::M, <F as Format>::PTE, Frames>>;

/// Lives of shared tables, and steps in each.
const LIVES: usize = 40;
const STEPS: usize = 500;
/// After so many steps everything is compared; after each, what it touched, in every tree.
const CHECK_ALL: usize = 8;
/// How often what happened.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    refused: usize,
    no_memory: usize,
    /// Of what was done, what concerned shared addresses; these and others at once.
    shared: usize,
    across: usize,
    /// Refused to readers because it is shared.
    forbidden: usize,
    trees: usize,
    no_root: usize,
    busy: usize,
}

/// Entries of the root that are shared, so that what is touched lies inside, outside and across.
fn shared_entries<F: Format>() -> [Range<usize>; 4] {
    match F::LEVELS {
        3 => [1..2, 254..256, 256..258, 0..2],
        _ => [255..256, 256..257, 0..2, 256..512],
    }
}

/// Shared tables, from their making to their end.
fn live<F: Format>(entries: Range<usize>, operations: &mut Operations<F>, tally: &mut Tally) {
    let bytes = F::space() / 512;
    let pages = entries.start * bytes / K4..entries.end * bytes / K4;
    let at = F::va(entries.start * bytes);
    let top = Top::<F>::try_new(at, entries.len() * bytes).unwrap();
    let part = Part {
        pages,
        entry: bytes / K4,
    };
    let mut world = World::new(&top, part, tally);
    for count in 0..STEPS {
        world.step(operations);
        if count % CHECK_ALL == 0 {
            world.check_all();
        }
    }
    world.check_all();
    // Whoever goes, the others have what they had.
    while world.trees().next().is_some() {
        world.leave(&mut operations.random);
        world.count_frames();
        world.check_all();
    }
    drop(world);
    drop(top);
    assert_eq!(live_frames(), 0);
}

fn all_trees_see_what_is_shared_and_have_the_rest_for_themselves<F: Format>() {
    set_garbage(F::PTE::new_table(pa(0xdead_f000)).bits());
    let mut operations = Operations::<F>::new(0x5eed_0005);
    let mut tally = Tally::default();
    for life in 0..LIVES {
        let entries = shared_entries::<F>()[life % 4].clone();
        live(entries, &mut operations, &mut tally);
    }
    println!("{tally:?}");
    let often = [
        tally.done,
        tally.refused,
        10 * tally.shared,
        10 * tally.forbidden,
    ];
    assert!(
        often.into_iter().all(|times| times > LIVES * STEPS / 10),
        "{tally:?}"
    );
    let least = [tally.no_memory, tally.trees, tally.no_root, tally.busy];
    assert!(least.into_iter().all(|times| times > LIVES), "{tally:?}");
    // Where addresses jump next to what is shared, nothing goes across.
    assert!(F::LEVELS > 3 || tally.across > LIVES, "{tally:?}");
}

every_format! {
    all_trees_see_what_is_shared_and_have_the_rest_for_themselves,
}

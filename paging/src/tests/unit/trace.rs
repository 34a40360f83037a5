//! The walk of one address with entries that are read by a function, which may fail.

use std::string::ToString;
use std::vec::Vec;

use super::read::{random_tree, some_page};
use crate::addr::{PhysAddr, VirtAddr};
use crate::tests::formats::{Format, Table, every_format};
use crate::tests::memory::{put_word, word};
use crate::tests::model::operation::Random;
use crate::tests::{K4, M2, RW, pa, va};
use crate::{GenericPTE, PageSize, PagingError, Trace, Unreadable, Visit};

/// A step of a trace.
type Step<F> = Result<Visit<<F as Format>::PTE>, Unreadable>;

/// The word at `place`.
fn read(place: PhysAddr) -> Option<u64> {
    let place = place.as_usize();
    Some(word(place & !(K4 - 1), place % K4 / 8))
}

/// All steps of the walk of `at` from the table at `root`.
fn steps<F: Format>(
    root: PhysAddr,
    at: VirtAddr,
    read: impl FnMut(PhysAddr) -> Option<u64>,
) -> Vec<Step<F>> {
    let trace = Trace::<F::M, F::PTE, _>::new(root, at, read).unwrap();
    trace.collect()
}

/// The visits that a view's trace shows.
fn visits<F: Format>(table: &Table<F>, at: VirtAddr) -> Vec<Visit<F::PTE>> {
    let mut visits = Vec::new();
    let traced = table.view().trace(at, |visit| visits.push(*visit));
    traced.unwrap();
    visits
}

fn a_trace_ends_at_the_leaf_of_the_model_or_at_nothing<F: Format>() {
    let pair = random_tree::<F>(0x5eed_0014);
    let mut random = Random::new(0x5eed_0015);
    let root = pair.table.root_paddr();
    for _ in 0..2000 {
        let page = some_page(&pair, &mut random);
        let at = va(F::address(page) + random.below(K4));
        let steps = steps::<F>(root, at, read);
        let seen: Vec<_> = steps.into_iter().map(Result::unwrap).collect();
        assert_eq!(seen, visits::<F>(&pair.table, at));
        for (level, visit) in seen.iter().enumerate() {
            let shift = 12 + 9 * (F::LEVELS - 1 - level);
            assert_eq!(
                (visit.level, visit.index),
                (level, at.as_usize() >> shift & 511)
            );
            assert_eq!(visit.va.as_usize(), at.as_usize() >> shift << shift);
        }
        let last = seen.last().unwrap();
        match pair.judge.model.leaf_at(page) {
            Some((_, leaf)) if leaf.is_swapped() => {
                assert_eq!(last.entry.swap(), Some(leaf.frame as u32));
            }
            Some((first, leaf)) => {
                let below = (leaf.leaf.ilog2() / 9) as usize;
                assert_eq!(last.level, F::LEVELS - 1 - below);
                assert_eq!(last.va, va(F::address(first)));
                assert_eq!(last.entry.paddr(), pa(leaf.frame * K4));
                assert_eq!(last.entry.flags(), leaf.flags);
            }
            None => assert!(last.entry.is_unused(), "{at}: {:?}", last.entry),
        }
    }
}

/// A table with one page, on a tree with all levels, and the page's address.
fn table_with_a_page<F: Format>() -> (Table<F>, VirtAddr) {
    let mut table = F::table();
    let at = F::va(3 * M2 + 5 * K4);
    let mapped = table.map(at, pa(0x5000), PageSize::Size4K, RW);
    mapped.unwrap().flush();
    (table, at)
}

fn a_read_that_fails_is_the_last_step_and_tells_where<F: Format>() {
    let (table, at) = table_with_a_page::<F>();
    let visits = visits::<F>(&table, at);
    for failing in 0..F::LEVELS {
        let mut places = Vec::new();
        let mut steps = steps::<F>(table.root_paddr(), at, |place| {
            places.push(place);
            if places.len() > failing {
                return None;
            }
            read(place)
        });
        assert_eq!(places.len(), failing + 1, "nothing is read behind it");
        let unreadable = steps.pop().unwrap().unwrap_err();
        let parent = failing.checked_sub(1).map(|above| visits[above].entry);
        let expected = Unreadable {
            level: failing,
            index: visits[failing].index,
            table: parent.map_or(table.root_paddr(), F::PTE::paddr),
        };
        assert_eq!(unreadable, expected);
        let place = expected.table.as_usize() + 8 * expected.index;
        assert_eq!(places.last(), Some(&pa(place)));
        assert!(
            steps
                .into_iter()
                .map(Result::unwrap)
                .eq(visits[..failing].iter().copied())
        );
    }
}

fn a_trace_reads_when_asked_and_ends_for_good<F: Format>() {
    let (table, at) = table_with_a_page::<F>();
    let mut reads = 0;
    let mut trace = Trace::<F::M, F::PTE, _>::new(table.root_paddr(), at, |place| {
        reads += 1;
        read(place)
    })
    .unwrap();
    assert!(trace.next().is_some_and(|step| step.is_ok()));
    assert_eq!(trace.by_ref().count(), F::LEVELS - 1);
    assert_eq!((trace.next(), trace.next()), (None, None));
    drop(trace);
    assert_eq!(reads, F::LEVELS);
}

/// Every entry of the root leads to the root.
fn a_loop_of_tables_ends_with_the_last_level<F: Format>() {
    let table = F::table();
    let root = table.root_paddr();
    let itself = F::PTE::new_table(root).bits();
    let found = steps::<F>(root, F::va(M2), |_| Some(itself));
    assert_eq!(found.len(), F::LEVELS);
    assert!(
        found
            .iter()
            .all(|step| step.is_ok_and(|visit| visit.entry.bits() == itself))
    );
}

fn bits_below_a_frame_of_the_root_are_ignored<F: Format>() {
    let (table, at) = table_with_a_page::<F>();
    let root = table.root_paddr();
    let tagged = pa(root.as_usize() | 0xfff);
    assert_eq!(steps::<F>(tagged, at, read), steps::<F>(root, at, read));
}

fn an_address_outside_of_the_tree_is_refused<F: Format>() {
    let at = va(F::address(0) ^ 1 << 52);
    let trace = Trace::<F::M, F::PTE, _>::new(pa(0), at, |_| None);
    assert_eq!(trace.err(), Some(PagingError::InvalidVirtAddr { va: at }));
}

/// An entry that was written over and leads to where there is no memory.
fn an_entry_that_was_written_over_is_followed_as_far_as_memory_goes<F: Format>() {
    let (table, at) = table_with_a_page::<F>();
    let way = visits::<F>(&table, at);
    let parent = way[F::LEVELS - 3].entry.paddr();
    let wild = F::PTE::new_table(pa(0xdead_f000)).bits();
    put_word(parent.as_usize(), way[F::LEVELS - 2].index, wild);
    let exists = |place: PhysAddr| place.as_usize() < 0xdead_f000;
    let found = steps::<F>(table.root_paddr(), at, |place| {
        exists(place).then(|| read(place)).flatten()
    });
    let last = found.last().unwrap().unwrap_err();
    assert_eq!(
        (last.level, last.index, last.table),
        (F::LEVELS - 1, 5, pa(0xdead_f000))
    );
    put_word(
        parent.as_usize(),
        way[F::LEVELS - 2].index,
        way[F::LEVELS - 2].entry.bits(),
    );
}

#[test]
fn an_unreadable_entry_says_where_it_should_be() {
    let unreadable = Unreadable {
        level: 2,
        index: 3,
        table: pa(0xdead_0000),
    };
    assert_eq!(
        unreadable.to_string(),
        "entry 3 of the table at 0x00000000dead0000, level 2, cannot be read"
    );
}

every_format! {
    a_trace_ends_at_the_leaf_of_the_model_or_at_nothing,
    a_read_that_fails_is_the_last_step_and_tells_where,
    a_trace_reads_when_asked_and_ends_for_good,
    a_loop_of_tables_ends_with_the_last_level,
    bits_below_a_frame_of_the_root_are_ignored,
    an_address_outside_of_the_tree_is_refused,
    an_entry_that_was_written_over_is_followed_as_far_as_memory_goes,
}

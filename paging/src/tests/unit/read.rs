//! Reading a tree: walks, runs from both ends, cursors, the dump and the check.

use core::cell::RefCell;
use core::ops::{Bound, ControlFlow};
use std::collections::VecDeque;
use std::string::ToString;
use std::vec::Vec;

use crate::addr::VirtAddr;
use crate::tests::formats::{A64High, Format, Table, every_format};
use crate::tests::memory::{put_word, word};
use crate::tests::model::Run;
use crate::tests::model::operation::{Operations, Random};
use crate::tests::model::random::{Pair, Receipt};
use crate::tests::{G1, K4, M2, NONE, RO, RW, pa, va};
use crate::{GenericPTE, PageSize, RegionOptions, Summary, Unsound};

fn map<F: Format>(table: &mut Table<F>, offset: usize) {
    let mapped = table.map(F::va(offset), pa(0x5000), PageSize::Size4K, RW);
    mapped.unwrap().flush();
}

/// A table after some hundred random operations.
pub(super) fn random_tree<F: Format>(seed: u64) -> Pair<F> {
    let mut operations = Operations::<F>::new(seed);
    let mut pair = Pair::<F>::new();
    for _ in 0..400 {
        pair.step(operations.next(), usize::MAX, Receipt::Flush);
    }
    pair
}

fn walk_visits_parents_first_and_last_and_stops_when_told<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0);
    map::<F>(&mut table, K4);
    let order = RefCell::new(Vec::new());
    let stopped = table.view().walk(
        512,
        |visit| {
            order.borrow_mut().push((visit.level, true));
            if visit.index == 1 {
                ControlFlow::Break("found")
            } else {
                ControlFlow::Continue(())
            }
        },
        |visit| {
            order.borrow_mut().push((visit.level, false));
            ControlFlow::Continue(())
        },
    );
    assert_eq!(stopped, ControlFlow::Break("found"));
    let last = F::LEVELS - 1;
    let mut expected: Vec<_> = (0..=last).map(|level| (level, true)).collect();
    expected.extend([(last, false), (last, true)]);
    assert_eq!(order.into_inner(), expected);
    let stopped = table.view().walk(
        512,
        |_| ControlFlow::Continue(()),
        |visit| ControlFlow::Break(visit.level),
    );
    assert_eq!(stopped, ControlFlow::Break(last));
}

fn walk_shows_no_more_entries_of_a_table_than_its_limit<F: Format>() {
    let mut table = F::table();
    for offset in [0, K4, 5 * K4, M2, F::space() / 2] {
        map::<F>(&mut table, offset);
    }
    let leaves = |limit| {
        let mut leaves = Vec::new();
        let _ = table.view().walk::<()>(
            limit,
            |visit| {
                leaves.extend((visit.level == F::LEVELS - 1).then_some(visit.va));
                ControlFlow::Continue(())
            },
            |_| ControlFlow::Continue(()),
        );
        leaves
    };
    let at = |offsets: &[usize]| {
        offsets
            .iter()
            .map(|offset| F::va(*offset))
            .collect::<Vec<_>>()
    };
    assert_eq!(leaves(0), []);
    assert_eq!(leaves(1), at(&[0]));
    assert_eq!(leaves(2), at(&[0, K4, M2, F::space() / 2]));
    assert_eq!(leaves(usize::MAX), at(&[0, K4, 5 * K4, M2, F::space() / 2]));
}

fn visiting_leaves_stops_when_told<F: Format>() {
    let mut table = F::table();
    for offset in [0, K4, G1] {
        map::<F>(&mut table, offset);
    }
    let mut seen = 0;
    let stopped = table.view().leaves(|leaf| {
        seen += 1;
        if leaf.va == F::va(K4) {
            ControlFlow::Break(leaf.paddr())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!((stopped, seen), (ControlFlow::Break(pa(0x5000)), 2));
}

/// What the iterator must say of a model's run.
type Told = (VirtAddr, usize, usize, usize);

fn told<F: Format>((page, run): (usize, Run)) -> Told {
    (
        va(F::address(page)),
        run.frame * K4,
        run.pages * K4,
        run.leaf * K4,
    )
}

/// Ends of ranges: edges of leaves, and anywhere.
pub(super) fn some_page<F: Format>(pair: &Pair<F>, random: &mut Random) -> usize {
    let edges: Vec<_> = pair.judge.model.runs().map(|(page, _)| page).collect();
    let last = F::space() / K4 - 1;
    let page = random.pick(&edges) + random.pick(&[0, 0, 1, 3, 511, 600]);
    let anywhere = random.below(1 << 20) * (last >> 20);
    random
        .pick(&[page, page, page, page, anywhere, 0, last])
        .min(last)
}

fn runs_of_a_range_are_the_models_from_both_ends<F: Format>() {
    let pair = random_tree::<F>(0x5eed_0010);
    let mut random = Random::new(0x5eed_0011);
    for _ in 0..2000 {
        let (one, other) = (some_page(&pair, &mut random), some_page(&pair, &mut random));
        let (start, last) = (one.min(other), one.max(other));
        let runs = pair.judge.model.runs_in(start, last + 1);
        let expected: Vec<_> = runs.filter(|(_, run)| !run.is_swapped()).collect();
        let flags: Vec<_> = expected.iter().map(|(_, run)| run.flags).collect();
        let mut expected: VecDeque<_> = expected.into_iter().map(told::<F>).collect();
        let range = va(F::address(start))..=va(F::address(last) + 0x123);
        let seen: Vec<_> = pair
            .table
            .view()
            .iter(range.clone())
            .map(|run| run.flags)
            .collect();
        assert_eq!(seen, flags);
        let mut runs = pair.table.view().iter(range);
        loop {
            let from_front = random.one_in(2);
            let (found, next) = if from_front {
                (runs.next(), expected.pop_front())
            } else {
                (runs.next_back(), expected.pop_back())
            };
            let found = found.map(|run| (run.va, run.pa.as_usize(), run.bytes, run.size.bytes()));
            assert_eq!(found, next);
            if next.is_none() {
                break;
            }
        }
        assert_eq!((runs.next(), runs.next_back()), (None, None));
    }
}

fn empty_and_outlying_ranges_have_no_runs_of_their_own<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0);
    map::<F>(&mut table, F::space() - K4);
    let view = table.view();
    let (first, last) = (F::va(0), F::va(F::space() - 1));
    let page = va(first.as_usize() + K4);
    assert_eq!(view.iter(first..first).count(), 0);
    assert_eq!(view.iter(page..first).count(), 0);
    assert_eq!(view.iter(first..page).count(), 1);
    assert_eq!(view.iter(page..last).count(), 1);
    assert_eq!(view.iter(page..va(last.as_usize() - K4 + 1)).count(), 0);
    assert_eq!(view.iter(first..=last).count(), 2);
    assert_eq!(view.iter(..).count(), 2);
    assert_eq!(view.iter(va(0)..=va(usize::MAX)).count(), 2);
    let behind = (
        Bound::Excluded(va(first.as_usize() + K4 - 1)),
        Bound::Unbounded,
    );
    assert_eq!(view.iter(behind).count(), 1);
    let behind_all = (Bound::Excluded(va(usize::MAX)), Bound::Unbounded);
    assert_eq!(view.iter(behind_all).count(), 0);
    // Addresses that the tree does not translate count as the nearest ones that it does.
    for bit in [1 << 52, 1 << 60] {
        let outside = va(first.as_usize() ^ bit);
        let (below, above) = (outside < first, outside > last);
        let between = !below && !above;
        let from = if below { 2 } else { usize::from(between) };
        assert_eq!(view.iter(outside..).count(), from, "{outside}");
        assert_eq!(view.iter(..outside).count(), 2 - from, "{outside}");
        assert_eq!(view.iter(outside..=outside).count(), 0);
    }
}

fn a_cursor_goes_where_the_model_has_leaves<F: Format>() {
    let pair = random_tree::<F>(0x5eed_0012);
    let model = &pair.judge.model;
    let mut random = Random::new(0x5eed_0013);
    let view = pair.table.view();
    let mut cursor = view.cursor(F::va(0)).unwrap();
    let mut page = 0;
    for _ in 0..5000 {
        let leaf_at = |page| model.leaf_at(page).filter(|(_, leaf)| !leaf.is_swapped());
        let leaves = |start, end| {
            model
                .runs_in(start, end)
                .filter(|(_, run)| !run.is_swapped())
        };
        let here = leaf_at(page);
        assert_eq!(F::page(cursor.va().as_usize()), Some(page));
        let leaf = cursor.leaf().map(|leaf| leaf.va);
        assert_eq!(leaf, here.map(|(first, _)| va(F::address(first))));
        let (first, behind) = here.map_or((page, page + 1), |(first, leaf)| {
            (first, first + leaf.pages)
        });
        let (moved, expected) = match random.below(3) {
            0 => {
                page = some_page(&pair, &mut random);
                cursor.seek(va(F::address(page))).unwrap();
                continue;
            }
            1 => (
                cursor.next_leaf(),
                leaves(behind, F::space() / K4).next().map(|(page, _)| page),
            ),
            _ => (
                cursor.previous_leaf(),
                leaves(0, first)
                    .last()
                    .map(|(page, run)| page + run.pages - 1),
            ),
        };
        let expected = expected.and_then(leaf_at);
        assert_eq!(
            moved.map(|leaf| (leaf.va, leaf.paddr(), leaf.flags())),
            expected.map(|(page, leaf)| (va(F::address(page)), pa(leaf.frame * K4), leaf.flags)),
        );
        page = moved.map_or(page, |_| F::page(cursor.va().as_usize()).unwrap());
    }
    let outside = va(F::address(0) ^ 1 << 52);
    let before = cursor.va();
    assert!(cursor.seek(outside).is_err());
    assert_eq!(cursor.va(), before);
}

fn a_trace_shows_the_way_to_an_address<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, M2 + K4);
    let path = |offset| {
        let mut path = Vec::new();
        let traced = table.view().trace(F::va(offset), |visit| {
            path.push((visit.level, visit.va, visit.entry.is_unused()));
        });
        traced.unwrap();
        path
    };
    let way = path(M2 + K4 + 5);
    assert_eq!(way.len(), F::LEVELS);
    assert_eq!(way[F::LEVELS - 1], (F::LEVELS - 1, F::va(M2 + K4), false));
    assert_eq!(way[F::LEVELS - 2], (F::LEVELS - 2, F::va(M2), false));
    assert_eq!(
        path(3 * M2).last(),
        Some(&(F::LEVELS - 2, F::va(3 * M2), true))
    );
}

/// The frame of the table at `level` on the way to offset 0.
fn table_at<F: Format>(table: &Table<F>, level: usize) -> usize {
    let mut frame = table.root_paddr();
    let mut up = level;
    let traced = table.view().trace(F::va(0), |visit| {
        if up > 0 {
            frame = visit.entry.paddr();
            up -= 1;
        }
    });
    traced.unwrap();
    frame.as_usize()
}

fn a_check_counts_what_is_there<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0);
    map::<F>(&mut table, K4);
    table.protect(F::va(K4), NONE).unwrap().1.flush();
    let summary = Summary {
        tables: F::LEVELS,
        present: 1,
        inaccessible: 1,
        swapped: 0,
        contiguous: 0,
    };
    assert_eq!(table.view().check(0..0), Ok(summary));
    assert_eq!(table.view().count_tables(), F::LEVELS);
}

fn a_check_finds_tables_that_are_empty_miscounted_or_their_own<F: Format>() {
    let mut table = F::table();
    map::<F>(&mut table, 0);
    let last = F::LEVELS - 1;
    let (above, below) = (table_at::<F>(&table, last - 1), table_at::<F>(&table, last));
    let check = |index: usize, bits: u64, frame: usize, expected: Unsound| {
        let good = word(frame, index);
        put_word(frame, index, bits);
        let found = table.view().check(0..0);
        assert_eq!(found, Err(expected), "{expected}");
        put_word(frame, index, good);
        table.view().check(0..0).unwrap();
    };
    let at = F::va(0);
    let (empty, own) = (pa(below), pa(above));
    check(
        0,
        0,
        below,
        Unsound::EmptyTable {
            va: at,
            table: empty,
        },
    );
    let own_link = F::PTE::new_table(own).with_count(1).bits();
    check(0, own_link, above, Unsound::Loop { va: at, table: own });
    if F::PTE::COUNTS {
        let wrong = F::PTE::new_table(empty).with_count(2).bits();
        let (said, used) = (2, 1);
        check(0, wrong, above, Unsound::WrongCount { va: at, said, used });
    }
}

#[test]
fn a_check_finds_descriptors_that_no_leaf_has() {
    let mut table = A64High::table();
    let at = va(0xffff_0000_0000_0000);
    let options = RegionOptions::CONTIGUOUS;
    let region = table.map_region(at, pa(0x1_0000), 16 * K4, RW, options);
    region.unwrap().flush();
    let [root, l1, l2, l3] = [0, 1, 2, 3].map(|level| table_at::<A64High>(&table, level));
    let leaf = word(l3, 0);
    let page = |index: usize| va(at.as_usize() + index * K4);
    let check = |frame: usize, index: usize, bits: u64, expected: Unsound| {
        let good = word(frame, index);
        put_word(frame, index, bits);
        assert_eq!(table.view().check(0..0), Err(expected));
        put_word(frame, index, good);
    };
    let not_a_leaf = |level, bits| Unsound::NotALeaf {
        va: at,
        level,
        bits,
    };
    // Bits 51:48, and one of the dirty-bit modifier's; a block's encoding in the last level; a
    // frame past 40 bits; a block at level 0; one that is not aligned.
    for bits in [leaf | 1 << 50, leaf | 1 << 51, leaf & !2, leaf | 1 << 41] {
        check(l3, 0, bits, not_a_leaf(3, bits));
    }
    let block = (leaf & !2 & !(1 << 52)) | 0x4000_0000;
    check(root, 0, block, not_a_leaf(0, block));
    check(l2, 0, block, not_a_leaf(2, block));
    check(l1, 0, block, not_a_leaf(1, block));
    // One leaf of a group without the hint, with other rights, another frame, or gone.
    let broken = |index| Unsound::BrokenGroup { va: page(index) };
    check(l3, 5, word(l3, 5) & !(1 << 52), broken(0));
    check(l3, 0, leaf & !(1 << 52), broken(1));
    check(l3, 5, word(l3, 5) | 0x80, broken(0));
    check(l3, 5, word(l3, 6), broken(0));
    check(l3, 15, 0, broken(0));
    table.view().check(0..0).unwrap();
}

#[test]
fn a_dump_shows_tables_and_runs() {
    let mut table = A64High::table();
    let at = |offset| va(0xffff_0000_0000_0000 + offset);
    let region = table.map_region(at(0), pa(0), 4 * K4, RW, RegionOptions::empty());
    region.unwrap().flush();
    table.protect(at(3 * K4), NONE).unwrap().1.flush();
    for (offset, size) in [
        (M2, PageSize::Size2M),
        (2 * M2, PageSize::Size2M),
        (G1, PageSize::Size1G),
    ] {
        table.map(at(offset), pa(offset), size, RO).unwrap().flush();
    }
    let text = table.view().dump().to_string();
    let lines: Vec<_> = text.lines().collect();
    let [l1, l2, l3] = [1, 2, 3].map(|level| pa(table_at::<A64High>(&table, level)));
    let expected = [
        "table 0x0000000000000000, level 0".to_string(),
        std::format!("  [0] 0xffff000000000000: table {l1}"),
        std::format!("    [0] 0xffff000000000000: table {l2}"),
        std::format!("      [0] 0xffff000000000000: table {l3}"),
        "        0xffff000000000000 - 0xffff000000002fff -> 0x0000000000000000 rw- k wb     ga 4K"
            .to_string(),
        "        0xffff000000003000 - 0xffff000000003fff -> 0x0000000000003000 --- k wb     -- 4K"
            .to_string(),
        "      0xffff000000200000 - 0xffff0000005fffff -> 0x0000000000200000 r-- k wb     ga 2M"
            .to_string(),
        "    0xffff000040000000 - 0xffff00007fffffff -> 0x0000000040000000 r-- k wb     ga 1G"
            .to_string(),
    ];
    assert_eq!(lines, expected);
}

every_format! {
    walk_visits_parents_first_and_last_and_stops_when_told,
    walk_shows_no_more_entries_of_a_table_than_its_limit,
    visiting_leaves_stops_when_told,
    runs_of_a_range_are_the_models_from_both_ends,
    empty_and_outlying_ranges_have_no_runs_of_their_own,
    a_cursor_goes_where_the_model_has_leaves,
    a_trace_shows_the_way_to_an_address,
    a_check_counts_what_is_there,
    a_check_finds_tables_that_are_empty_miscounted_or_their_own,
}

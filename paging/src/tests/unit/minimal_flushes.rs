//! Invalidations of each kind of change: no fewer than its format needs, and no more.
#![forbid(unsafe_code)]

use core::mem::forget;
use std::vec::Vec;

use crate::format::aarch64_tlb::Barrier;
use crate::tests::formats::{A64High, Format, every_format};
use crate::tests::memory::{Event, recorded};
use crate::tests::{A, G1, K4, M2, NONE, R, RW, pa, va};
use crate::{InvalidateScope, PageSize, PagingMetaData, RegionOptions};

const HIGH: usize = 0xffff_0000_0000_0000;
const PAGES: RegionOptions = RegionOptions::empty();

fn is_invalidation(event: &Event) -> bool {
    matches!(
        event,
        Event::Tlbi(..) | Event::Invalidate(..) | Event::InvalidateAll(_)
    )
}

/// Where nothing that is invalid is cached, a barrier is enough.
fn a_leaf_beside_another_is_invalidated_if_its_absence_is_cached<F: Format>() {
    let mut table = F::table();
    let map = table.map(F::va(0), pa(0), PageSize::Size4K, RW);
    map.unwrap().flush();
    let page = recorded(|| {
        let map = table.map(F::va(K4), pa(0), PageSize::Size4K, RW);
        map.unwrap().flush();
    });
    let region = recorded(|| {
        let map = table.map_region(F::va(2 * K4), pa(0), K4, RW, PAGES);
        map.unwrap().flush();
    });
    for log in [page, region] {
        let invalidated = log.into_iter().filter(is_invalidation).count();
        assert_eq!(invalidated, usize::from(F::M::CACHES_INVALID));
    }
}

/// Not only the leaf's absence was cached, but its table's.
fn a_linked_table_is_invalidated_at_every_level_if_its_absence_is_cached<F: Format>() {
    let mut table = F::table();
    let log = recorded(|| {
        let map = table.map_region(F::va(0), pa(0), K4, RW, PAGES);
        map.unwrap().flush();
    });
    let any = |event: &Event| matches!(event, Event::Invalidate(_, _, InvalidateScope::AnyLevel));
    assert_eq!(log.iter().any(any), F::M::CACHES_INVALID);
}

fn a_table_of_what_nobody_may_use_is_published<F: Format>() {
    let mut table = F::table();
    let log = recorded(|| {
        let map = table.map_region(F::va(0), pa(0), K4, NONE, PAGES);
        map.unwrap().flush();
    });
    let publishes = |event: &Event| {
        matches!(
            event,
            Event::Publish | Event::Begin | Event::Barrier(Barrier::DsbIshst)
        )
    };
    assert!(log.iter().any(publishes), "{log:x?}");
}

fn what_nobody_may_use_is_told_to_nobody<F: Format>() {
    let mut table = F::table();
    let map = table.map(F::va(0), pa(0), PageSize::Size4K, RW);
    map.unwrap().flush();
    let log = recorded(|| {
        let map = table.map(F::va(K4), pa(0), PageSize::Size4K, NONE);
        map.unwrap().flush();
        let map = table.map_region(F::va(2 * K4), pa(0), 2 * K4, NONE, PAGES);
        map.unwrap().flush();
    });
    let told = |event: &&Event| !matches!(event, Event::Store { .. });
    assert_eq!(log.iter().find(told), None);
}

/// Where each of `log`'s invalidations is, with its scope; `None` for everything.
fn invalidated(log: &[Event]) -> Vec<Option<(usize, InvalidateScope)>> {
    let place = |event: &Event| match event {
        Event::Invalidate(at, _, scope) => Some(Some((*at, *scope))),
        Event::InvalidateAll(_) => Some(None),
        _ => None,
    };
    log.iter().filter_map(place).collect()
}

/// A page of an inaccessible block becomes valid: not the block's first address is invalidated, but
/// its own.
fn a_page_of_a_inaccessible_block_is_invalidated_at_its_own_address<F: Format>() {
    for (size, offset) in [
        (PageSize::Size2M, 0x1f_3000),
        (PageSize::Size2M, 0),
        (PageSize::Size1G, 0x1f_3000),
        (PageSize::Size1G, G1 - K4),
    ] {
        let mut table = F::table();
        let map = table.map(F::va(G1), pa(G1), size, A);
        map.unwrap().flush();
        let page = F::va(G1 + offset);
        let log = recorded(|| table.protect_region(page, K4, R | A).unwrap().flush());
        let expected = if F::M::CACHES_INVALID {
            Vec::from([Some((page.as_usize(), InvalidateScope::AnyLevel))])
        } else {
            Vec::new()
        };
        assert_eq!(invalidated(&log), expected, "{size} {offset:#x}");
    }
}

/// Of both edges of a region, and the blocks between them that are smaller now.
fn what_becomes_valid_of_inaccessible_blocks_is_invalidated_leaf_by_leaf<F: Format>() {
    let mut table = F::table();
    let map = table.map(F::va(0), pa(0), PageSize::Size1G, A);
    map.unwrap().flush();
    let log = recorded(|| {
        let region = table.protect_region(F::va(M2 - K4), 2 * M2 + 2 * K4, R | A);
        region.unwrap().flush();
    });
    let places = [M2 - K4, M2, 2 * M2, 3 * M2];
    let mut expected: Vec<_> = places.map(|at| F::va(at).as_usize()).into();
    if !F::M::CACHES_INVALID {
        expected.clear();
    }
    let at = |place: Option<(usize, _)>| place.map_or(usize::MAX, |(at, _)| at);
    let found: Vec<_> = invalidated(&log).into_iter().map(at).collect();
    assert_eq!(found, expected);
}

/// While a block is broken, the absence of every page of it may be cached.
fn all_of_a_block_that_was_broken_is_invalidated_once_it_is_made<F: Format>() {
    let mut table = F::table();
    let map = table.map(F::va(0), pa(0), PageSize::Size2M, R | A);
    map.unwrap().flush();
    let log = recorded(|| table.unmap_region(F::va(K4), K4).unwrap().flush());
    if F::M::CACHES_INVALID {
        let first = (F::va(0).as_usize(), InvalidateScope::AnyLevel);
        assert_eq!(invalidated(&log), [Some(first), None]);
    }
}

/// A table with nothing but inaccessible leaves took the place of nothing: that is cached too.
fn a_table_of_what_nobody_may_use_is_invalidated_if_its_absence_is_cached<F: Format>() {
    let any = InvalidateScope::AnyLevel;
    let expected = |places: &[usize]| {
        let places = places.iter().filter(|_| F::M::CACHES_INVALID);
        let places = places.map(|at| Some((F::va(*at).as_usize(), any)));
        places.collect::<Vec<_>>()
    };
    let mut table = F::table();
    let log = recorded(|| {
        let map = table.map(F::va(3 * K4), pa(0), PageSize::Size4K, A);
        map.unwrap().flush();
    });
    assert_eq!(invalidated(&log), expected(&[3 * K4]));
    let log = recorded(|| {
        let region = table.map_region(F::va(2 * M2 - K4), pa(0), M2 + 2 * K4, A, PAGES);
        region.unwrap().flush();
    });
    assert_eq!(invalidated(&log), expected(&[2 * M2 - K4, 2 * M2, 3 * M2]));
    // A block of them is taken apart, and stays what it is.
    let map = table.map(F::va(G1), pa(G1), PageSize::Size2M, A);
    map.unwrap().flush();
    let log = recorded(|| table.unmap_region(F::va(G1 + K4), K4).unwrap().flush());
    assert_eq!(invalidated(&log), expected(&[G1]));
}

/// A pending invalidation is issued by who makes something at its addresses, and by nobody else.
#[test]
fn a_leaf_is_made_at_once_beside_what_is_pending() {
    let mut table = A64High::table();
    for page in [0, 1, 3] {
        let map = table.map(va(HIGH + page * K4), pa(0), PageSize::Size4K, RW);
        map.unwrap().flush();
    }
    for (gone, made) in [(3, 2), (1, 3), (0, 1), (3, 0)] {
        forget(table.unmap(va(HIGH + gone * K4)).unwrap());
        let log = recorded(|| {
            let map = table.map(va(HIGH + made * K4), pa(0), PageSize::Size4K, RW);
            map.unwrap().flush();
        });
        let is_store = |event: &Event| matches!(event, Event::Store { .. });
        let last_store = log.iter().rposition(is_store);
        let first_invalidation = log.iter().position(is_invalidation);
        assert!(last_store < first_invalidation, "{log:x?}");
    }
}

/// Also when it is one of a run, and not the first.
#[test]
fn what_is_pending_for_any_leaf_of_a_run_is_invalidated_before_they_are_made() {
    for late in 0..4 {
        let mut table = A64High::table();
        let page = |index| va(HIGH + index * K4);
        let (start, bytes) = (page(0), 4 * K4);
        let map = table.map_region(start, pa(0), bytes, RW, PAGES);
        map.unwrap().flush();
        for index in (0..4).filter(|&index| index != late) {
            table.protect(page(index), NONE).unwrap().1.flush();
        }
        forget(table.protect(page(late), NONE).unwrap());
        let log = recorded(|| table.protect_region(start, bytes, RW).unwrap().flush());
        let is_store = |event: &Event| matches!(event, Event::Store { .. });
        let first_store = log.iter().position(is_store);
        let first_invalidation = log.iter().position(is_invalidation);
        assert!(
            first_invalidation.is_some() && first_invalidation < first_store,
            "{log:x?}"
        );
    }
}

every_format! {
    a_leaf_beside_another_is_invalidated_if_its_absence_is_cached,
    a_linked_table_is_invalidated_at_every_level_if_its_absence_is_cached,
    a_table_of_what_nobody_may_use_is_published,
    what_nobody_may_use_is_told_to_nobody,
    a_page_of_a_inaccessible_block_is_invalidated_at_its_own_address,
    what_becomes_valid_of_inaccessible_blocks_is_invalidated_leaf_by_leaf,
    all_of_a_block_that_was_broken_is_invalidated_once_it_is_made,
    a_table_of_what_nobody_may_use_is_invalidated_if_its_absence_is_cached,
}

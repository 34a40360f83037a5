//! Stores and invalidations that are left out: no store to a table that is unlinked whole, one
//! invalidation of everything in the place of many addresses.
#![forbid(unsafe_code)]

use core::ops::Range;
use std::vec::Vec;

use crate::flush::state::BY_ADDRESS_LIMIT;
use crate::format::aarch64_tlb::Tlbi;
use crate::tests::formats::{A64High, Format, Table, every_format};
use crate::tests::memory::{Event, record_all, recorded};
use crate::tests::{K4, M2, RW, pa, va};
use crate::{GenericPTE, RegionOptions};

const HIGH: usize = 0xffff_0000_0000_0000;
const PAGES: RegionOptions = RegionOptions::empty();

/// Maps `pages` of the first table, page by page as far as that can be seen.
fn map<F: Format>(table: &mut Table<F>, pages: Range<usize>) {
    let (at, frame) = (F::va(pages.start * K4), pa(pages.start * K4));
    let region = table.map_region(at, frame, pages.len() * K4, RW, PAGES);
    region.unwrap().flush();
}

/// A tree with `used` pages in its first table, and one far away; how often something is stored
/// in that table while `gone` are unmapped.
fn stores_to_unmap<F: Format>(
    used: impl IntoIterator<Item = Range<usize>>,
    gone: Range<usize>,
) -> usize {
    let mut table = F::table();
    map::<F>(&mut table, 4096..4097);
    let (used, made) = record_all(|| {
        let used = used.into_iter();
        let map = |pages: &Range<usize>| map::<F>(&mut table, pages.clone());
        used.inspect(map).collect::<Vec<_>>()
    });
    let allocated = made.into_iter().filter_map(|event| match event {
        Event::Alloc(frame) => Some(frame),
        _ => None,
    });
    let frames: Vec<_> = allocated.collect();
    assert_eq!(frames.len(), 1);
    let log = recorded(|| {
        let unmapped = table.unmap_region(F::va(gone.start * K4), gone.len() * K4);
        let unmapped = unmapped.unwrap();
        let left = used.into_iter().flatten();
        let expected = left.filter(|page| gone.contains(page)).count();
        assert_eq!(unmapped.pages(), expected);
        unmapped.flush();
    });
    // Entry 0 of a table that is given up names the next such table.
    let cleared = |event: &&Event| match event {
        Event::Store { table, index, bits } => frames.contains(table) && *index > 0 && *bits == 0,
        _ => false,
    };
    log.iter().filter(cleared).count()
}

/// Not entry by entry: nobody can find them once the table is unlinked.
fn a_table_that_gets_empty_goes_as_it_is<F: Format>() {
    let all = 0..512;
    let last = BY_ADDRESS_LIMIT + 1;
    assert_eq!(stores_to_unmap::<F>(Some(100..200), all.clone()), 0);
    assert_eq!(stores_to_unmap::<F>(Some(0..512), all.clone()), 0);
    assert_eq!(stores_to_unmap::<F>([0..last, 500..512], all), 0);
    if !<F::PTE as GenericPTE>::COUNTS {
        return;
    }
    // Only part of it is unmapped, and the table's count tells that it gets empty: exactly what is
    // in use, or most of the table, with what is in use at its ends or between.
    for (used, gone) in [
        (100..200, 100..200),
        (0..200, 0..200),
        (312..512, 312..512),
        (100..200, 50..450),
        (50..100, 50..450),
        (400..450, 50..450),
        (100..200, 0..511),
        (100..200, 1..512),
        (60..316, 60..316),
    ] {
        let stores = stores_to_unmap::<F>(Some(used.clone()), gone.clone());
        assert_eq!(stores, 0, "{gone:?} of {used:?}");
    }
}

/// One page outside, on either side, and the table stays.
fn a_table_that_stays_is_cleared_where_it_must_be<F: Format>() {
    for (inside, gone) in [
        (100..200, 100..200),
        (100..200, 50..450),
        (60..316, 60..316),
    ] {
        for outside in [gone.start - 1, gone.end, 0, 511] {
            let used = [inside.clone(), outside..outside + 1];
            let stores = stores_to_unmap::<F>(used, gone.clone());
            assert_eq!(stores, inside.len(), "{gone:?} beside {outside}");
        }
    }
}

/// The TLBIs by address and for everything while so many of a table's pages are unmapped, and
/// with them, before, so many of others.
fn invalidations(pages: usize, before: usize) -> (usize, usize) {
    let mut table = A64High::table();
    map::<A64High>(&mut table, 0..pages);
    map::<A64High>(&mut table, 1000..1000 + before);
    let log = recorded(|| {
        table.batch(|mut batch| {
            for page in 1000..1000 + before {
                assert!(batch.unmap(va(HIGH + page * K4)).is_ok());
            }
            assert_eq!(batch.unmap_region(va(HIGH), M2), Ok(pages));
        });
    });
    let count = |all: bool| {
        let is = |event: &&Event| match event {
            Event::Tlbi(tlbi, _) => (*tlbi == Tlbi::Vmalle1is) == all,
            _ => false,
        };
        log.iter().filter(is).count()
    };
    (count(false), count(true))
}

#[test]
fn addresses_up_to_the_limit_are_invalidated_one_by_one() {
    let limit = BY_ADDRESS_LIMIT;
    assert_eq!(invalidations(1, 0), (1, 0));
    assert_eq!(invalidations(limit, 0), (limit, 0));
    assert_eq!(invalidations(limit + 1, 0), (0, 1));
    assert_eq!(invalidations(limit - 2, 2), (limit, 0));
    assert_eq!(invalidations(limit - 2, 3), (0, 1));
    assert_eq!(invalidations(2, limit), (0, 1));
}

every_format! {
    a_table_that_gets_empty_goes_as_it_is,
    a_table_that_stays_is_cleared_where_it_must_be,
}

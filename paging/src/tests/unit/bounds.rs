//! Leaves beside a range stay as they are when the range in the same table is emptied or filled.
#![forbid(unsafe_code)]

use crate::RegionOptions;
use crate::tests::formats::{Format, Table, every_format};
use crate::tests::{K4, RW, pa};

const PAGES: RegionOptions = RegionOptions::empty();

fn map_pages<F: Format>(table: &mut Table<F>, first: usize, count: usize) {
    let (at, frame) = (F::va(first * K4), pa(first * K4));
    let region = table.map_region(at, frame, count * K4, RW, PAGES);
    region.unwrap().flush();
}

/// Which of the first 1024 pages are mapped.
fn mapped<F: Format>(table: &Table<F>) -> impl Iterator<Item = usize> {
    (0..1024).filter(|page| table.query(F::va(page * K4)).is_ok())
}

fn only_the_pages_of_a_range_are_unmapped<F: Format>() {
    // Few pages or nearly all of a table; with as many others, before and behind, or none.
    for (first, count) in [(100, 40), (20, 40), (4, 500), (8, 500), (0, 500)] {
        for (others, more) in [(0, 40), (300, 40), (471, 41), (2, 1), (507, 5)] {
            let mut table = F::table();
            let inside = first + 8..first + 40;
            let is_free = |page: &usize| !inside.contains(page);
            map_pages::<F>(&mut table, inside.start, inside.len());
            for page in (others..others + more).filter(is_free) {
                map_pages::<F>(&mut table, page, 1);
            }
            let gone = first..first + count;
            let left: std::vec::Vec<_> = mapped::<F>(&table)
                .filter(|page| !gone.contains(page))
                .collect();
            let unmapped = table.unmap_region(F::va(first * K4), count * K4);
            unmapped.unwrap().flush();
            assert!(mapped::<F>(&table).eq(left), "{gone:?} of {others}");
            table.check().unwrap();
        }
    }
}

fn tables_that_a_region_continues_count_what_is_added<F: Format>() {
    let mut table = F::table();
    for page in [0, 1023] {
        map_pages::<F>(&mut table, page, 1);
    }
    map_pages::<F>(&mut table, 500, 20);
    assert_eq!(table.check().unwrap().tables, F::LEVELS + 1);
    let unmapped = table.unmap_region(F::va(500 * K4), 20 * K4);
    unmapped.unwrap().flush();
    assert!(mapped::<F>(&table).eq([0, 1023]));
    table.check().unwrap();
}

every_format! {
    only_the_pages_of_a_range_are_unmapped,
    tables_that_a_region_continues_count_what_is_added,
}

//! A handler that panics in the middle of an operation: the tree is sound afterwards, says of each
//! page what it said before or what it was to say, and no frame is lost but those in hand.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::tests::formats::{Format, Table, every_format};
use crate::tests::memory::{live_frames, reset_frames, set_calls_until_panic};
use crate::tests::{K4, M2, NONE, RO, RW, pa};
use crate::{MappingFlags, PageSize, RegionOptions};

const PAGES: RegionOptions = RegionOptions::empty();
/// Pages from the start of the tree to behind all that is touched here.
const TOUCHED: usize = 4 * M2 / K4;

/// Two tables of pages that can be merged, the second with a hole in it, a block, and one
/// inaccessible.
fn tree<F: Format>() -> Table<F> {
    let mut table = F::table();
    let region = table.map_region(F::va(0), pa(0), M2, RW, PAGES);
    region.unwrap().flush();
    let region = table.map_region(F::va(M2), pa(M2), M2 - K4, RW, PAGES);
    region.unwrap().flush();
    let block = table.map(F::va(2 * M2), pa(2 * M2), PageSize::Size2M, RW);
    block.unwrap().flush();
    let block = table.map(F::va(3 * M2), pa(3 * M2), PageSize::Size2M, NONE);
    block.unwrap().flush();
    table
}

/// What each page translates to.
fn pages<F: Format>(table: &Table<F>) -> std::vec::Vec<Option<(usize, usize)>> {
    let at = |page| table.view().leaf(F::va(page * K4)).ok();
    let page = |page| at(page).map(|leaf| (leaf.paddr().as_usize(), leaf.flags().bits()));
    (0..TOUCHED).map(page).collect()
}

/// Carries `operation` out with a handler that panics at the first, the second... call, until it
/// is not called so often any more.
fn survives<F: Format>(operation: impl Fn(&mut Table<F>)) {
    let mut done = tree::<F>();
    operation(&mut done);
    let after = pages::<F>(&done);
    drop(done);
    for calls in 0.. {
        let mut table = tree::<F>();
        let before = pages::<F>(&table);
        set_calls_until_panic(calls);
        let result = catch_unwind(AssertUnwindSafe(|| operation(&mut table)));
        set_calls_until_panic(usize::MAX);
        let now = pages::<F>(&table);
        assert!(now == before || now == after, "call {calls}");
        table.check().unwrap();
        let all = TOUCHED * K4;
        table.unmap_region(F::va(0), all).unwrap().flush();
        let region = table.map_region(F::va(0), pa(0), all, RO, PAGES);
        region.unwrap().flush();
        table.unmap_region(F::va(0), all).unwrap().flush();
        table.check().unwrap();
        drop(table);
        if result.is_ok() {
            assert_eq!(live_frames(), 0);
            assert!(calls > 0, "the handler was never called");
            return;
        }
        reset_frames();
    }
}

fn a_merge_survives_its_handler<F: Format>() {
    survives::<F>(|table| table.compact(F::va(0), 4 * M2).unwrap().flush());
}

fn an_unmapping_survives_its_handler<F: Format>() {
    survives::<F>(|table| table.unmap_region(F::va(0), 2 * M2).unwrap().flush());
}

/// With blocks that are split, tables of its own, and those that a leaked receipt left.
fn an_unmapping_that_hands_out_survives_its_handler<F: Format>() {
    survives::<F>(|table| {
        let unmapped = table.unmap_region_with(F::va(K4), 2 * M2, |_| ());
        assert_eq!(unmapped, Ok(2 * M2 / K4 - 1));
    });
}

/// The function panics with the first, second... frame: the region is unmapped all the same.
fn an_unmapping_survives_its_function<F: Format>() {
    for frames in [0, 1, 511, 1000] {
        let mut table = tree::<F>();
        let mut left = frames;
        let result = catch_unwind(AssertUnwindSafe(|| {
            table.unmap_region_with(F::va(K4), 2 * M2, |_| {
                assert!(left > 0, "the function panics");
                left -= 1;
            })
        }));
        assert!(result.is_err());
        table.check().unwrap();
        let found = pages::<F>(&table);
        assert!(found[1..1 + 2 * M2 / K4].iter().all(Option::is_none));
        assert!(found[0].is_some() && found[1 + 2 * M2 / K4].is_some());
        table.unmap_region(F::va(0), TOUCHED * K4).unwrap().flush();
        drop(table);
        assert_eq!(live_frames(), 0);
    }
}

fn a_split_survives_its_handler<F: Format>() {
    survives::<F>(|table| {
        let region = table.protect_region(F::va(2 * M2 + K4), M2, RO);
        region.unwrap().flush();
    });
}

fn a_mapping_survives_its_handler<F: Format>() {
    survives::<F>(|table| {
        let far = F::space() / 4;
        let map = table.map(F::va(far), pa(0), PageSize::Size4K, RW);
        map.unwrap().flush();
        let _ = table.unmap(F::va(far)).unwrap().flush();
        let region = table.map_region(F::va(far), pa(0), 3 * M2, RW, PAGES);
        region.unwrap().flush();
        table.unmap_region(F::va(far), 3 * M2).unwrap().flush();
    });
}

/// A function of a region's leaves that panics with its first, second... call: nothing was broken,
/// and nothing changed, but for a region of so many sets of flags that it is asked again.
fn a_change_survives_its_function<F: Format>() {
    let mut table = tree::<F>();
    let before = pages::<F>(&table);
    for calls in 0.. {
        let mut left = calls;
        let result = catch_unwind(AssertUnwindSafe(|| {
            let function = |flags: MappingFlags| {
                assert!(left > 0, "the function panics");
                left -= 1;
                flags.difference(MappingFlags::WRITE)
            };
            let region = table.protect_region_with(F::va(K4), 2 * M2, function);
            region.unwrap().flush();
        }));
        table.check().unwrap();
        if result.is_ok() {
            assert_eq!(calls, 1, "there is one set of flags");
            break;
        }
        assert_eq!(pages::<F>(&table), before);
    }
}

every_format! {
    a_change_survives_its_function,
    a_merge_survives_its_handler,
    an_unmapping_survives_its_handler,
    an_unmapping_survives_its_function,
    an_unmapping_that_hands_out_survives_its_handler,
    a_split_survives_its_handler,
    a_mapping_survives_its_handler,
}

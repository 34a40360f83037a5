//! Batches: many operations, one flush. What they cost is in `sequences`.
#![forbid(unsafe_code)]

use crate::tests::formats::{Format, Table, every_format};
use crate::tests::memory::{Event, begin_operation, live_frames, recorded, snapshot};
use crate::tests::{K4, M2, NONE, RO, RW, pa};
use crate::{PageSize, PagingError, RegionOptions};

const PAGES: RegionOptions = RegionOptions::empty();

/// A table with `pages` pages at its start.
fn pages<F: Format>(pages: usize) -> Table<F> {
    let mut table = F::table();
    let region = table.map_region(F::va(0), pa(M2), pages * K4, RW, PAGES);
    region.unwrap().flush();
    table
}

fn frames_come_out_when_the_batch_is_flushed<F: Format>() {
    let mut table = pages::<F>(4);
    let mut frames = [pa(0); 2];
    let log = recorded(|| {
        frames = table.batch(|mut batch| {
            let first = batch.unmap(F::va(0)).unwrap();
            let other = batch.unmap(F::va(2 * K4)).unwrap();
            assert_eq!((first.flags(), first.size()), (RW, PageSize::Size4K));
            let flushed = batch.finish();
            [first.frame(&flushed), other.frame(&flushed)]
        });
    });
    assert_eq!(frames, [pa(M2), pa(M2 + 2 * K4)]);
    let ended = |event: &&Event| {
        use crate::format::aarch64_tlb::Barrier;
        matches!(event, Event::End | Event::Barrier(Barrier::DsbIsh))
    };
    assert_eq!(log.iter().filter(ended).count(), 1);
}

fn a_batch_that_is_dropped_flushes<F: Format>() {
    let mut table = pages::<F>(4);
    let log = recorded(|| {
        table.batch(|mut batch| {
            assert_eq!(batch.unmap_region(F::va(0), 4 * K4), Ok(4));
        });
    });
    assert!(matches!(log.last(), Some(Event::Free(_))), "{log:x?}");
    assert_eq!(live_frames(), 1);
}

fn a_refused_operation_leaves_the_others_of_its_batch<F: Format>() {
    let mut table = pages::<F>(4);
    table.batch(|mut batch| {
        assert_eq!(batch.protect(F::va(0), RO), Ok(PageSize::Size4K));
        let mapped = batch.map(F::va(0), pa(0), PageSize::Size4K, RW);
        assert_eq!(mapped, Err(PagingError::AlreadyMapped { va: F::va(0) }));
        let not_mapped = PagingError::NotMapped { va: F::va(8 * K4) };
        assert_eq!(batch.unmap(F::va(8 * K4)).err(), Some(not_mapped));
        assert_eq!(batch.remap(F::va(8 * K4), pa(0), RW), Err(not_mapped));
        begin_operation(0);
        let region = batch.map_region(F::va(M2), pa(0), K4, RW, PAGES);
        assert_eq!(region, Err(PagingError::NoMemory));
        begin_operation(usize::MAX);
        let region = batch.map_region(F::va(M2), pa(0), 3 * K4, RW, PAGES);
        assert_eq!(region, Ok(3));
    });
    assert_eq!(table.query(F::va(0)).unwrap().1, RO);
    assert_eq!(table.query(F::va(M2)).unwrap().0, pa(0));
    table.view().check(0..0).unwrap();
}

fn what_a_batch_did_is_read_in_it<F: Format>() {
    let mut table = pages::<F>(4);
    let counted = table.batch(|mut batch| {
        let region = batch.protect_region(F::va(K4), M2, NONE);
        assert_eq!(region, Ok(3));
        let updated = batch.update(F::va(0), Some(pa(0x123)), None);
        assert_eq!(updated, Ok(PageSize::Size4K));
        let found = batch.view().query(F::va(0));
        assert_eq!(found, Ok((pa(0), RW, PageSize::Size4K)));
        batch.view().iter(..).count()
    });
    assert_eq!(counted, 2);
}

/// Unmapped, mapped anew, unmapped again: the first is invalidated before the second is made.
fn the_order_of_a_batch_does_not_matter_for_safety<F: Format>() {
    let mut table = pages::<F>(1);
    for round in 0..100 {
        table.batch(|mut batch| {
            let old = batch.unmap(F::va(0)).unwrap();
            batch
                .map(F::va(0), pa(round * M2), PageSize::Size2M, RW)
                .unwrap();
            let block = batch.unmap(F::va(0)).unwrap();
            batch
                .map(F::va(0), pa(round * K4), PageSize::Size4K, RW)
                .unwrap();
            let flushed = batch.finish();
            let expected = if round == 0 { M2 } else { (round - 1) * K4 };
            assert_eq!(old.frame(&flushed), pa(expected));
            assert_eq!(block.frame(&flushed), pa(round * M2));
        });
        assert_eq!(live_frames(), F::LEVELS);
    }
    table.view().check(0..0).unwrap();
}

fn an_empty_batch_does_nothing<F: Format>() {
    let mut table = pages::<F>(1);
    let before = snapshot();
    let log = recorded(|| {
        table.batch(|batch| drop(batch));
        table.batch(|batch| {
            let _ = batch.finish();
        });
    });
    assert_eq!(log, []);
    assert!(snapshot() == before);
}

/// A batch that unmaps in one place and maps in another, page by page, far past the list of
/// pending ranges: it invalidates once, everything; so does one that works its way through a
/// region.
fn a_batch_past_the_limit_invalidates_everything_once<F: Format>() {
    const PAGES_IN_ALL: usize = 2000;
    let mapped_behind: [fn(usize) -> usize; 3] = [
        |page| page * K4 + 8 * M2,
        |page| 40 * M2 - page * K4,
        |page| (2 * page + 1) * K4,
    ];
    for (number, place) in mapped_behind.into_iter().enumerate() {
        let stride = if number == 2 { 2 } else { 1 };
        let mut table = F::table();
        for page in 0..PAGES_IN_ALL {
            let map = table.map(F::va(stride * page * K4), pa(0), PageSize::Size4K, RW);
            map.unwrap().flush();
        }
        let log = recorded(|| {
            table.batch(|mut batch| {
                for page in 0..PAGES_IN_ALL {
                    let _ = batch.unmap(F::va(stride * page * K4)).unwrap();
                    let at = F::va(place(page));
                    batch.map(at, pa(0), PageSize::Size4K, RW).unwrap();
                }
            });
        });
        let invalidations = log.iter().filter(|event| is_invalidation(event));
        assert_eq!(invalidations.count(), 1, "{number}");
    }
}

fn is_invalidation(event: &Event) -> bool {
    matches!(
        event,
        Event::Tlbi(..) | Event::Invalidate(..) | Event::InvalidateAll(_)
    )
}

/// What is mapped where something was unmapped, and be it the table that is linked there, still
/// invalidates first; and all that was pending.
fn a_batch_past_the_limit_invalidates_before_it_maps_what_it_unmapped<F: Format>() {
    for at in [0, 100 * K4, 511 * K4, M2, 2 * M2 - K4] {
        let mut table = pages::<F>(1024);
        let far = table.map(F::va(8 * M2), pa(0), PageSize::Size4K, RW);
        far.unwrap().flush();
        let log = recorded(|| {
            table.batch(|mut batch| {
                for page in 0..1023 {
                    let _ = batch.unmap(F::va(page * K4)).unwrap();
                }
                let _ = batch.unmap(F::va(1023 * K4)).unwrap();
                batch
                    .map(F::va(9 * M2), pa(0), PageSize::Size4K, RW)
                    .unwrap();
                batch.map(F::va(at), pa(0), PageSize::Size4K, RW).unwrap();
            });
        });
        let made = |event: &Event| matches!(event, Event::Store { bits, .. } if *bits != 0);
        let last_made = log.iter().rposition(made);
        let invalidated = log.iter().position(is_invalidation);
        assert!(invalidated < last_made, "{at:#x}");
    }
}

every_format! {
    a_batch_past_the_limit_invalidates_everything_once,
    a_batch_past_the_limit_invalidates_before_it_maps_what_it_unmapped,
    frames_come_out_when_the_batch_is_flushed,
    a_batch_that_is_dropped_flushes,
    a_refused_operation_leaves_the_others_of_its_batch,
    what_a_batch_did_is_read_in_it,
    the_order_of_a_batch_does_not_matter_for_safety,
    an_empty_batch_does_nothing,
}

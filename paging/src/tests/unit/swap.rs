//! Swap entries: what they are to every operation, and what is invalidated for them.
#![forbid(unsafe_code)]

use std::vec::Vec;

use crate::tests::formats::{A64High, Format, Table, every_format};
use crate::tests::memory::{Event, live_frames, recorded, snapshot};
use crate::tests::{K4, M2, NONE, RO, RW, pa};
use crate::{PageSize, PagingError, RegionOptions};

/// Maps the first `pages` pages.
fn mapped<F: Format>(pages: usize, options: RegionOptions) -> Table<F> {
    let mut table = F::table();
    let region = table.map_region(F::va(0), pa(0), pages * K4, RW, options);
    region.unwrap().flush();
    table
}

fn invalidations(log: &[Event]) -> usize {
    let is = |event: &&Event| {
        matches!(
            event,
            Event::Tlbi(..) | Event::Invalidate(..) | Event::InvalidateAll(_)
        )
    };
    log.iter().filter(is).count()
}

/// Out, found, in again on another frame: one invalidation when the leaf goes, and none when it
/// comes, except where invalid entries are cached.
fn a_page_goes_out_and_comes_back<F: Format>() {
    use crate::PagingMetaData;
    let mut table = mapped::<F>(4, RegionOptions::empty());
    let page = F::va(K4);
    let log = recorded(|| {
        let frame = table.swap_out(F::va(K4 + 0x123), 7).unwrap().flush();
        assert_eq!(frame, pa(K4));
    });
    assert_eq!(invalidations(&log), 1);
    assert_eq!(table.swap_entry(page), Ok(7));
    assert_eq!(table.query(page), Err(PagingError::NotMapped { va: page }));
    assert!(table.view().leaf(page).is_err());
    let summary = table.check().unwrap();
    assert_eq!((summary.present, summary.swapped), (3, 1));
    let log = recorded(|| table.swap_in(page, pa(M2 + 8), RO).unwrap().flush());
    assert_eq!(invalidations(&log), usize::from(F::M::CACHES_INVALID));
    assert_eq!(table.query(page), Ok((pa(M2), RO, PageSize::Size4K)));
    let refused = table.swap_entry(page);
    assert_eq!(refused, Err(PagingError::NotMapped { va: page }));
    table.check().unwrap();
}

/// A value where nothing is takes a table; another one takes one store. Its table is freed when it
/// is unmapped.
fn a_swap_entry_keeps_its_table<F: Format>() {
    let mut table = F::table();
    let page = F::va(3 * K4);
    table.set_swap_entry(page, 1).unwrap().flush();
    assert_eq!(live_frames(), F::LEVELS);
    let log = recorded(|| table.set_swap_entry(page, 2).unwrap().flush());
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(table.swap_entry(page), Ok(2));
    assert_eq!(table.iter(..).count(), 0);
    assert_eq!(
        table.leaves(core::ops::ControlFlow::Break),
        core::ops::ControlFlow::Continue(())
    );
    let region = table.unmap_region(F::va(0), M2).unwrap();
    assert_eq!(region.pages(), 1);
    region.flush();
    assert_eq!(live_frames(), 1);
    table.check().unwrap();
}

/// Flags, software bits, accessed flags: of the leaves beside it alone.
fn no_change_of_leaves_concerns_it<F: Format>() {
    let mut table = mapped::<F>(512, RegionOptions::empty());
    drop(table.swap_out(F::va(0), 5).unwrap());
    let region = table.protect_region(F::va(0), M2, RO).unwrap();
    assert_eq!(region.pages(), 511);
    region.flush();
    let region = table.protect_region_with(F::va(0), M2, |flags| {
        assert_eq!(flags, RO);
        NONE
    });
    region.unwrap().flush();
    table.protect_region(F::va(0), M2, RW).unwrap().flush();
    let aged = table.test_and_clear_accessed(F::va(0), M2, |leaf| assert_ne!(leaf.va, F::va(0)));
    aged.unwrap().flush();
    assert_eq!(table.compact(F::va(0), M2).unwrap().pages(), 0);
    let page = F::va(0);
    let not_mapped = Some(PagingError::NotMapped { va: page });
    assert_eq!(table.protect(page, RO).err(), not_mapped);
    assert_eq!(table.unmap(page).err(), not_mapped);
    assert_eq!(table.swap_out(page, 6).err(), not_mapped);
    assert_eq!(table.swap_entry(page), Ok(5));
    // Of a full table, one entry of which is none, the leaves are those that are mapped.
    let mut leaves = 0;
    let _ = table.view().leaves::<()>(|_| {
        leaves += 1;
        core::ops::ControlFlow::Continue(())
    });
    assert_eq!(leaves, 511);
    table.check().unwrap();
}

fn nothing_is_mapped_over_it_unseen<F: Format>() {
    let mut table = mapped::<F>(1, RegionOptions::empty());
    let va = F::va(K4);
    table.set_swap_entry(va, 1).unwrap().flush();
    let before = snapshot();
    let taken = Some(PagingError::AlreadyMapped { va });
    assert_eq!(table.map(va, pa(0), PageSize::Size4K, RW).err(), taken);
    let options = RegionOptions::empty();
    let region = table.map_region(va, pa(0), 4 * K4, RW, options);
    assert_eq!(region.err(), taken);
    let mapped = F::va(0);
    let refused = table.set_swap_entry(mapped, 1).err();
    assert_eq!(refused, Some(PagingError::AlreadyMapped { va: mapped }));
    let nothing = F::va(2 * K4);
    let refused = table.swap_in(nothing, pa(0), RW).err();
    assert_eq!(refused, Some(PagingError::NotMapped { va: nothing }));
    assert!(snapshot() == before);
}

/// Of a block one page, which is split off.
fn a_page_of_a_block_goes_alone<F: Format>() {
    let mut table = mapped::<F>(512, RegionOptions::HUGE);
    let unmapped = table.swap_out(F::va(5 * K4), 9).unwrap();
    assert_eq!(unmapped.size(), PageSize::Size4K);
    assert_eq!(unmapped.flush(), pa(5 * K4));
    assert_eq!(table.swap_entry(F::va(5 * K4)), Ok(9));
    let leaf = table.view().leaf(F::va(6 * K4)).unwrap();
    assert_eq!((leaf.paddr(), leaf.size), (pa(6 * K4), PageSize::Size4K));
    table.check().unwrap();
}

/// They have none: the frames that are handed out are those of leaves.
fn no_frame_is_handed_out_for_it<F: Format>() {
    let mut table = mapped::<F>(512, RegionOptions::empty());
    for page in [0, 7, 511] {
        drop(table.swap_out(F::va(page * K4), 3).unwrap());
    }
    let mut frames = Vec::new();
    let pages = table.unmap_region_with(F::va(0), M2, |frame| frames.push(frame.va));
    assert_eq!((pages, frames.len()), (Ok(512), 509));
    assert!(!frames.contains(&F::va(7 * K4)));
    assert_eq!(live_frames(), 1);
}

every_format! {
    a_page_goes_out_and_comes_back,
    a_swap_entry_keeps_its_table,
    no_change_of_leaves_concerns_it,
    nothing_is_mapped_over_it_unseen,
    a_page_of_a_block_goes_alone,
    no_frame_is_handed_out_for_it,
}

/// The other fifteen lose the hint.
#[test]
fn a_page_of_a_group_goes_alone() {
    let mut table = mapped::<A64High>(32, RegionOptions::CONTIGUOUS);
    let frame = table.swap_out(A64High::va(3 * K4), 9).unwrap().flush();
    assert_eq!(frame, pa(3 * K4));
    let summary = table.check().unwrap();
    assert_eq!((summary.contiguous, summary.present), (16, 31));
}

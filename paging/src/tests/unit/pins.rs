//! What the running core stands on is never taken away, not for a moment.

use crate::addr::VirtAddr;
use crate::tests::formats::{A64High, A64Low, Format, Table, every_format};
use crate::tests::memory::{Frames, begin_operation, live_frames, recorded, snapshot};
use crate::tests::{A, D, G, G1, K4, M2, N, NONE, R, RO, RW, U, X, pa};
use crate::{MappingFlags, PageSize, PagingError, PagingHandler, PagingResult, RegionOptions};

const RX: MappingFlags = RO.union(X);

/// A table with a block of 2 MiB at its start, whose page 5 is pinned, and another block.
fn pinned_block<F: Format>() -> Table<F> {
    let mut table = F::table();
    for offset in [0, M2] {
        let mapped = table.map(F::va(offset), pa(offset), PageSize::Size2M, RW);
        mapped.unwrap().flush();
    }
    table.pin(F::va(5 * K4), K4).unwrap();
    table
}

fn pinned<F: Format>(offset: usize) -> Option<PagingError> {
    Some(PagingError::Pinned { va: F::va(offset) })
}

fn nothing_that_takes_a_pinned_page_away_is_done<F: Format>() {
    let mut table = pinned_block::<F>();
    let before = snapshot();
    let log = recorded(|| {
        let refused = pinned::<F>(5 * K4);
        let start = F::va(0);
        assert_eq!(table.unmap(start).err(), refused);
        assert_eq!(table.unmap_region(F::va(5 * K4), K4).err(), refused);
        assert_eq!(table.unmap_region(start, 8 * M2).err(), refused);
        assert_eq!(table.compact(start, 8 * M2).err(), refused);
        for flags in [RO, NONE, RW.difference(A), RW.difference(G).union(U)] {
            assert_eq!(table.protect(start, flags).err(), refused, "{flags}");
            assert_eq!(table.protect_region(start, M2, flags).err(), refused);
        }
        for flags in [RW | D, RW | N] {
            if F::faults(flags).is_empty() {
                assert_eq!(table.protect(start, flags).err(), refused);
            }
        }
        assert_eq!(table.remap(start, pa(4 * M2), RW).err(), refused);
        // Its neighbours stand in the same block, which would have to be split.
        assert_eq!(table.unmap_region(F::va(9 * K4), K4).err(), refused);
        assert_eq!(table.protect_region(F::va(9 * K4), M2, RO).err(), refused);
    });
    assert_eq!(log, []);
    assert!(snapshot() == before);
}

fn what_leaves_a_pinned_page_its_rights_is_done<F: Format>() {
    let mut table = pinned_block::<F>();
    let all = RW | X | MappingFlags::EXECUTE_ANYWAY;
    let start = F::va(0);
    table.protect(start, all).unwrap().1.flush();
    assert!(table.protect(start, RW).is_err());
    table.protect_region(start, 2 * M2, all).unwrap().flush();
    table.protect(start, all.difference(G)).unwrap().1.flush();
    // Nothing changes at all.
    let same = all.difference(G);
    table
        .protect_region(F::va(3 * K4), 9 * K4, same)
        .unwrap()
        .flush();
    table.remap(start, pa(0), same).unwrap().1.flush();
    // Elsewhere everything is allowed.
    table.unmap_region(F::va(M2 + K4), K4).unwrap().flush();
    assert_eq!(table.unmap(F::va(M2)).unwrap().flush(), pa(M2));
    let mapped = table.map(F::va(M2), pa(0), PageSize::Size4K, RW);
    mapped.unwrap().flush();
    table.view().check(0..0).unwrap();
}

fn a_pin_that_is_taken_back_holds_nothing<F: Format>() {
    let mut table = pinned_block::<F>();
    let (page, start) = (F::va(5 * K4), F::va(0));
    assert!(!table.unpin(page, 2 * K4));
    assert!(table.unpin(page, K4));
    assert!(!table.unpin(page, K4));
    assert_eq!(table.unmap(start).unwrap().flush(), pa(0));
    // What is not mapped, or not accessible, can be pinned; it has no rights to lose.
    table.pin(start, G1).unwrap();
    let mapped = table.map(start, pa(0), PageSize::Size4K, NONE);
    mapped.unwrap().flush();
    assert_eq!(table.unmap(start).unwrap().flush(), pa(0));
    assert_eq!(table.unmap(F::va(M2)).err(), pinned::<F>(M2));
}

fn the_first_address_that_a_core_would_lose_is_named<F: Format>() {
    let mut table = F::table();
    let options = RegionOptions::empty();
    let region = table.map_region(F::va(2 * K4), pa(0), 8 * K4, RW, options);
    region.unwrap().flush();
    table.pin(F::va(0), M2).unwrap();
    let unmapped = table.unmap_region(F::va(0), 8 * K4);
    assert_eq!(unmapped.err(), pinned::<F>(2 * K4));
    let unmapped = table.unmap_region(F::va(6 * K4), M2);
    assert_eq!(unmapped.err(), pinned::<F>(6 * K4));
}

fn there_is_room_for_16_pins<F: Format>() {
    let mut table = F::table();
    for page in 0..16 {
        table.pin(F::va(page * K4), K4).unwrap();
        table.pin(F::va(page * K4), 0).unwrap();
    }
    let full = table.pin(F::va(M2), K4);
    assert_eq!(full, Err(PagingError::TooManyPins));
    assert!(table.unpin(F::va(3 * K4), K4));
    table.pin(F::va(M2), K4).unwrap();
    let mapped = table.map(F::va(15 * K4), pa(0), PageSize::Size4K, RW);
    mapped.unwrap().flush();
    assert_eq!(table.unmap(F::va(15 * K4)).err(), pinned::<F>(15 * K4));
    let mapped = table.map(F::va(3 * K4), pa(0), PageSize::Size4K, RW);
    mapped.unwrap().flush();
    assert_eq!(table.unmap(F::va(3 * K4)).unwrap().flush(), pa(0));
}

/// A core that fetches from a page cannot go on when it becomes the user's: the kernel does not
/// execute what user code may.
#[test]
fn pinned_code_does_not_become_the_users() {
    let mut table = A64High::table();
    let at = A64High::va(0);
    table.map(at, pa(0), PageSize::Size4K, RX).unwrap().flush();
    table.pin(at, K4).unwrap();
    let user = R | X | U | A;
    assert_eq!(table.protect(at, user).err(), pinned::<A64High>(0));
}

/// All leaves of a contiguous group are broken when one is changed.
#[test]
fn a_pinned_page_protects_the_contiguous_group_that_it_is_in() {
    let mut table = A64High::table();
    let (at, options) = (A64High::va, RegionOptions::CONTIGUOUS);
    let region = table.map_region(at(0), pa(0), 32 * K4, RW, options);
    region.unwrap().flush();
    table.pin(at(6 * K4), K4).unwrap();
    let refused = pinned::<A64High>(6 * K4);
    let all = RW | X | MappingFlags::EXECUTE_ANYWAY;
    assert_eq!(table.unmap(at(0)).err(), refused);
    assert_eq!(table.protect(at(9 * K4), all).err(), refused);
    assert_eq!(table.protect_region(at(0), 16 * K4, all).err(), refused);
    assert_eq!(table.unmap_region(at(15 * K4), 8 * K4).err(), refused);
    // Also when the leaf that changes gets what the pinned one has.
    let twin = table.remap(at(0), pa(6 * K4), RW);
    assert_eq!(twin.err(), refused);
    table.remap(at(0), pa(0), RW).unwrap().1.flush();
    table.unmap_region(at(16 * K4), K4).unwrap().flush();
}

/// Where tables are reached through the tree itself, the way to them stays open.
#[test]
fn the_pages_through_which_tables_are_written_are_not_taken_away() {
    let mut table = A64Low::table();
    let window = Frames::phys_to_virt(table.root_paddr());
    let mapped = table.map(window, pa(0x8000), PageSize::Size4K, RW);
    mapped.unwrap().flush();
    let offset = window.as_usize();
    let change = |table: &mut Table<A64Low>, flags| -> PagingResult {
        table.protect(window, flags)?.1.flush();
        Ok(())
    };
    // As long as nothing is pinned, the tree is not live.
    change(&mut table, RO).unwrap();
    change(&mut table, RW).unwrap();
    table.pin(A64Low::va(0), K4).unwrap();
    let refused = pinned::<A64Low>(offset);
    assert_eq!(change(&mut table, RO).err(), refused);
    assert_eq!(table.unmap(window).err(), refused);
    assert_eq!(table.remap(window, pa(0x9000), RW).err(), refused);
    assert_eq!(table.unmap_region(window, K4).err(), refused);
    // The right to execute is not what the way needs.
    change(&mut table, RW | X | MappingFlags::EXECUTE_ANYWAY).unwrap();
    change(&mut table, RW).unwrap();
    assert!(table.unpin(A64Low::va(0), K4));
    assert_eq!(table.unmap(window).unwrap().flush(), pa(0x8000));
}

/// Not only the root's: those of every table on the way to what changes.
#[test]
fn the_way_to_the_tables_below_stays_open() {
    let mut table = A64Low::table();
    let root = Frames::phys_to_virt(table.root_paddr());
    for frame in 1..4 {
        let window = VirtAddr::new(root.as_usize() + frame * K4);
        let mapped = table.map(window, pa(0), PageSize::Size4K, RW);
        mapped.unwrap().flush();
        table.pin(A64Low::va(0), K4).unwrap();
        let refused = pinned::<A64Low>(window.as_usize());
        assert_eq!(table.unmap(window).err(), refused);
        assert!(table.unpin(A64Low::va(0), K4));
        assert_eq!(table.unmap(window).unwrap().flush(), pa(0));
    }
}

#[test]
fn without_pins_those_pages_are_merged_like_any() {
    let mut table = A64Low::table();
    let block = Frames::phys_to_virt(table.root_paddr()).align_down(M2);
    let mapped = table.map_region(block, pa(0), M2, RW, RegionOptions::empty());
    mapped.unwrap().flush();
    let merged = table.compact(block, M2).unwrap();
    assert_eq!(merged.pages(), M2 / K4);
    merged.flush();
}

#[test]
fn a_refused_change_takes_no_frame() {
    let mut table = pinned_block::<A64High>();
    let live = live_frames();
    begin_operation(0);
    let refused = table.unmap_region(A64High::va(9 * K4), K4);
    assert_eq!(refused.err(), pinned::<A64High>(5 * K4));
    assert_eq!(live_frames(), live);
}

every_format! {
    nothing_that_takes_a_pinned_page_away_is_done,
    what_leaves_a_pinned_page_its_rights_is_done,
    a_pin_that_is_taken_back_holds_nothing,
    the_first_address_that_a_core_would_lose_is_named,
    there_is_room_for_16_pins,
}

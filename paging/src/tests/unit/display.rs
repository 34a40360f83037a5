//! Text for people: names of memory types and rights, dumps, and messages of what is unsound.

use std::format;
use std::string::ToString;

use crate::format::par::TranslationResult;
use crate::tests::formats::{A64High, Format};
use crate::tests::memory::{put_word, word};
use crate::tests::{A, D, G, K4, M2, N, R, RW, U, W, pa, va};
use crate::{GenericPTE, PageSize, RegionOptions, Unsound};

const HIGH: usize = 0xffff_0000_0000_0000;

#[test]
fn every_memory_type_has_its_name() {
    for (flags, text) in [
        (R | W | G | A, "rw- k wb     ga"),
        (R | D | A, "r-- k nGnRE  -a"),
        (R | N | U, "r-- u nc     --"),
        (R | D | N, "r-- k nGnRnE --"),
    ] {
        assert_eq!(flags.to_string(), text);
    }
}

/// Leaves that nothing here makes: a dump shows them as what they are.
#[test]
fn rights_that_differ_for_kernel_and_user_are_both_told() {
    use crate::format::aarch64::A64PTE;
    // Write-back, inner shareable, AF, page; AP, UXN and PXN by case.
    const PAGE: u64 = 0x8000_0713;
    const EL0: u64 = 1 << 6;
    const READ_ONLY: u64 = 1 << 7;
    const NOT_GLOBAL: u64 = 1 << 11;
    const PXN: u64 = 1 << 53;
    const UXN: u64 = 1 << 54;
    for (bits, told) in [
        (PXN | UXN, None),
        (READ_ONLY | UXN, None),
        (EL0 | NOT_GLOBAL | READ_ONLY | PXN, None),
        (EL0 | NOT_GLOBAL | PXN | UXN, None),
        (NOT_GLOBAL | READ_ONLY | PXN, None),
        (0, Some("kernel rwx, user --x")),
        (READ_ONLY, Some("kernel r-x, user --x")),
        (PXN, Some("kernel rw-, user --x")),
        (EL0 | READ_ONLY, Some("kernel r-x, user r-x")),
        (EL0 | READ_ONLY | UXN, Some("kernel r-x, user r--")),
    ] {
        let entry = A64PTE::from_bits(PAGE | bits);
        let rights = entry.odd_rights().map(|rights| rights.to_string());
        assert_eq!(rights.as_deref(), told, "{bits:#x}");
    }
    let mut table = A64High::table();
    let map = table.map_region(
        va(HIGH),
        pa(0x8000_0000),
        3 * K4,
        RW,
        RegionOptions::empty(),
    );
    map.unwrap().flush();
    // A neighbour with other rights for EL0 alone.
    put_word(0x1000, 1, PAGE | K4 as u64 | PXN);
    let shown: std::vec::Vec<_> = table.iter(..).map(|run| run.to_string()).collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(shown[1].ends_with(" (kernel rw-, user --x)"), "{shown:?}");
    assert!(shown[0].ends_with(" 4K"), "{shown:?}");
}

/// Every leaf that can be made is what its flags say.
#[test]
fn no_leaf_that_is_made_here_has_rights_of_another_kind() {
    use crate::MappingFlags;
    use crate::format::aarch64::A64PTE;
    for flags in (0..MappingFlags::SETS).map(MappingFlags::from_bits_retain) {
        for size in PageSize::ALL {
            if let Ok(leaf) = A64PTE::new_page(pa(0), flags, size) {
                assert_eq!(leaf.odd_rights(), None, "{flags:?}");
            }
        }
    }
}

#[test]
fn what_is_unsound_is_told_with_its_values() {
    let (va, table) = (va(0x4000), pa(0x7000));
    let (at, it) = ("0x0000000000004000", "0x0000000000007000");
    let (said, used, level, bits) = (3, 2, 1, 0x55);
    for (unsound, text) in [
        (
            Unsound::EmptyTable { va, table },
            format!("the table at {it} for {at} is empty"),
        ),
        (
            Unsound::WrongCount { va, said, used },
            format!("the table for {at} has 2 entries, its entry says 3"),
        ),
        (
            Unsound::NotALeaf { va, level, bits },
            format!("0x0000000000000055 at level 1 for {at} is no descriptor"),
        ),
        (
            Unsound::BrokenGroup { va },
            format!("the contiguous group of {at} is not uniform"),
        ),
        (
            Unsound::Loop { va, table },
            format!("the table at {it} for {at} is above itself"),
        ),
    ] {
        assert_eq!(unsound.to_string(), text);
    }
}

#[test]
fn a_translation_of_the_hardware_is_told_with_its_frame_or_its_fault() {
    for (value, text) in [
        (
            0xff00_0000_0008_0b80,
            "frame 0x0000000000080000, Normal write-back",
        ),
        (0x80f, "fault, status 0x07"),
    ] {
        assert_eq!(TranslationResult(value).to_string(), text);
    }
}

#[test]
fn a_view_is_told_by_its_root() {
    let table = A64High::table();
    let told = format!("{:?}", table.view());
    assert_eq!(told, format!("TableView({})", table.root_paddr()));
}

#[test]
fn a_run_that_goes_on_in_the_next_table_is_shown_in_both() {
    let mut table = A64High::table();
    let (start, pages) = (va(HIGH + M2 - 2 * K4), RegionOptions::empty());
    let region = table.map_region(start, pa(0), 5 * K4, RW, pages);
    region.unwrap().flush();
    let text = table.view().dump().to_string();
    let runs: std::vec::Vec<_> = text.lines().filter(|line| line.contains("->")).collect();
    let [below, behind] = [
        "ffff0000001fe000 - 0xffff0000001fffff -> 0x0000000000000000",
        "ffff000000200000 - 0xffff000000202fff -> 0x0000000000002000",
    ]
    .map(|run| format!("        0x{run} rw- k wb     ga 4K"));
    assert_eq!(runs, [below, behind]);
}

#[test]
fn a_range_up_to_the_first_byte_of_a_page_has_all_of_that_page() {
    let mut table = A64High::table();
    let region = table.map_region(va(HIGH), pa(0), 2 * K4, RW, RegionOptions::empty());
    region.unwrap().flush();
    for pages in [1, 2] {
        let last = va(HIGH + (pages - 1) * K4);
        let run = table.view().iter(va(HIGH)..=last).next();
        assert_eq!(run.map(|run| run.bytes), Some(pages * K4));
    }
}

#[test]
fn only_a_table_that_is_lent_may_be_empty() {
    let mut table = A64High::table();
    let mapped = table.map(va(HIGH), pa(0), PageSize::Size4K, RW);
    mapped.unwrap().flush();
    let [l1, l3] = [1, 3].map(|level| {
        let mut tables = std::vec::Vec::from([table.root_paddr()]);
        let traced = table.view().trace(va(HIGH), |visit| {
            tables.push(visit.entry.paddr());
        });
        traced.unwrap();
        tables[level]
    });
    let empty = |table| {
        Err(Unsound::EmptyTable {
            va: va(HIGH),
            table,
        })
    };
    for (frame, index_of_others) in [(l1, 1), (l3, 0)] {
        let entry = word(frame.as_usize(), 0);
        put_word(frame.as_usize(), 0, 0);
        // Entry 0 of the root is not lent; that of a lower table is not one of the root's.
        let lent = index_of_others..index_of_others + 1;
        assert_eq!(table.view().check(lent), empty(frame));
        put_word(frame.as_usize(), 0, entry);
    }
    let entry = word(l1.as_usize(), 0);
    put_word(l1.as_usize(), 0, 0);
    assert!(table.view().check(0..1).is_ok());
    put_word(l1.as_usize(), 0, entry);
}

#[test]
fn a_contiguous_group_of_unaligned_frames_is_unsound() {
    let mut table = A64High::table();
    let options = RegionOptions::CONTIGUOUS;
    let region = table.map_region(va(HIGH), pa(0x1_0000), 16 * K4, RW, options);
    region.unwrap().flush();
    let mut l3 = table.root_paddr();
    let traced = table.view().trace(va(HIGH), |visit| {
        if visit.level < 3 {
            l3 = visit.entry.paddr();
        }
    });
    traced.unwrap();
    let moved = |by: usize| {
        for index in 0..16 {
            put_word(l3.as_usize(), index, word(l3.as_usize(), index) + by as u64);
        }
        table.view().check(0..0).map(|summary| summary.contiguous)
    };
    assert_eq!(moved(0), Ok(16));
    assert!(table.check().is_ok_and(|summary| summary.contiguous == 16));
    assert_eq!(moved(2 * K4), Err(Unsound::BrokenGroup { va: va(HIGH) }));
    assert_eq!(table.check(), Err(Unsound::BrokenGroup { va: va(HIGH) }));
}

//! x86-64 entries against a decoder written from the manual, and against two other crates.
//!
//! Intel SDM volume 3A, "4-level paging": 0 P, 1 R/W, 2 U/S, 3 PWT, 4 PCD, 5 A, 6 D, 7 PS (PAT in a
//! PTE), 8 G, 12 PAT of a block, 51:12 address, 62:59 protection key, 63 XD; 11:9 and 58:52 are
//! ignored, in an entry of a table also 8, 6 and 62:59.

use x86_64::structures::paging::PageTableFlags;

use super::cases::{
    self as cases, A, ANYWAY, D, Decoded, Format, G, Leaf, MemoryType, N, R, Rights, U, W, X,
};
use crate::addr::{PhysAddr, VirtAddr};
use crate::format::x86_64::{IA32_PAT, X64MetaData, X64PTE};
use crate::{GenericPTE, MappingFlags, PageSize, PagingMetaData};

type Meta = X64MetaData<cases::NoMachine>;

pub(super) struct X64;

impl Format for X64 {
    type Entry = X64PTE;
    const PA_BITS: u32 = 52;

    /// With CR0.WP, CR4.SMEP and EFER.NXE set, and CR4.SMAP clear.
    fn decode(bits: u64, size: PageSize) -> Decoded {
        let bit = |n: u32| bits >> n & 1 == 1;
        if !bit(0) {
            return Decoded::Invalid;
        }
        let frame = bits & 0x000f_ffff_ffff_f000;
        if size != PageSize::Size4K && !bit(7) {
            assert!(bit(1) && bit(2) && !bit(63), "a table takes rights away");
            assert!(bit(5), "the hardware would write a table's entry");
            return Decoded::Table { frame };
        }
        assert_eq!(bits >> 54 & 0x1ff, 0, "ignored bits, protection key");
        let pat = match size {
            PageSize::Size4K => bit(7),
            PageSize::Size2M | PageSize::Size1G => bit(12),
        };
        let memory = match (pat, bit(4), bit(3)) {
            (false, false, false) => MemoryType::Cached,  // WB
            (false, true, false) => MemoryType::Uncached, // UC-
            (false, true, true) => MemoryType::Device,    // UC
            other => panic!("PAT, PCD, PWT {other:?}"),   // WT, or the PAT bit
        };
        assert_eq!(frame % size.bytes() as u64, 0, "reserved address bits");
        let (write, user, execute) = (bit(1), bit(2), !bit(63));
        let all = Rights {
            read: true,
            write,
            execute,
        };
        let supervisor = Rights {
            execute: execute && !user,
            ..all
        };
        Decoded::Leaf(Leaf {
            frame,
            kernel: supervisor,
            user: if user { all } else { Rights::NONE },
            memory,
            global: bit(8),
            accessed: bit(5),
            dirty: bit(6),
        })
    }

    fn unsupported(flags: MappingFlags) -> Option<MappingFlags> {
        let both_types = if flags.contains(D | N) {
            N
        } else {
            MappingFlags::empty()
        };
        let both_scopes = if flags.contains(U | G) {
            G
        } else {
            MappingFlags::empty()
        };
        let refused = both_types | both_scopes;
        let unreadable = flags.intersects(W | X) && !flags.contains(R);
        (unreadable || !refused.is_empty()).then_some(refused)
    }

    fn kernel_rights(flags: MappingFlags) -> Rights {
        Rights {
            execute: flags.contains(X) && !flags.contains(U),
            ..Rights::of(flags)
        }
    }
}

pub(super) fn bits(frame: usize, flags: MappingFlags, size: PageSize) -> u64 {
    cases::page::<X64>(frame, flags, size).bits()
}

#[test]
fn sets_are_accepted_or_refused_by_name() {
    // No access, R, RW, RX and RWX; each with three memory types, of the kernel, global or the
    // user's, accessed or not.
    assert_eq!(cases::every_set_is_accepted_or_refused_by_name::<X64>(), 90);
}

#[test]
fn leaves_mean_what_was_asked_for() {
    cases::every_leaf_means_what_was_asked_for::<X64>();
    cases::every_leaf_gives_back_flags_and_frame::<X64>();
}

#[test]
fn leaves_change_as_a_whole_or_not_at_all() {
    cases::flags_and_frames_can_be_changed_from_any_to_any::<X64>();
    cases::a_refused_change_changes_nothing::<X64>();
    cases::frames_past_the_width_or_unaligned_are_refused::<X64>();
}

#[test]
fn frames_stand_in_the_address_bits_only() {
    cases::the_address_mask_is_what_frames_differ_in::<X64>();
    cases::the_next_leaf_is_that_of_the_next_frame::<X64>();
}

#[test]
fn swap_entries_are_told_from_everything() {
    cases::a_swap_entry_is_told_from_everything::<X64>(0x000f_ffff_fff0_0e00);
}

#[test]
fn software_bits_stay_and_mean_nothing() {
    cases::software_bits_are_ignored_and_kept::<X64>(52);
}

#[test]
fn tables_leaves_and_what_is_invalid_are_told_apart() {
    cases::a_table_is_no_leaf_and_no_leaf_is_a_table::<X64>();
    cases::a_broken_entry_is_invalid_and_names_its_frame::<X64>();
    cases::an_unused_entry_is_nothing::<X64>();
}

#[test]
fn replacements_that_cannot_coexist_break_first() {
    cases::what_cannot_coexist_is_broken_first::<X64>();
}

#[test]
fn entries_are_those_worked_out_by_hand() {
    let (k4, m2, g1) = (PageSize::Size4K, PageSize::Size2M, PageSize::Size1G);
    assert_eq!(bits(0x1000, R | A, k4), 0x8000_0000_0000_1021);
    assert_eq!(bits(0x1000, R | X | A | G, k4), 0x0000_0000_0000_1121);
    assert_eq!(bits(0x20_0000, R | W | A | G, m2), 0x8000_0000_0020_01e3);
    assert_eq!(bits(0x4000_0000, R | X | U, g1), 0x0000_0000_4000_0085);
    assert_eq!(bits(0xfee0_0000, R | W | D | A, k4), 0x8000_0000_fee0_007b);
    assert_eq!(bits(0xf000_0000, R | W | N | A, m2), 0x8000_0000_f000_00f3);
    assert_eq!(
        bits(0x5000, R | W | X | A | ANYWAY, k4),
        0x0000_0000_0000_5063
    );
    assert_eq!(bits(0, MappingFlags::empty(), k4), 0x8000_0000_0000_0200);
    assert_eq!(bits(0x20_0000, U | D | A, m2), 0x8000_0000_0020_02bc);
    assert_eq!(X64PTE::new_table(PhysAddr::new(0x7000)).bits(), 0x7027);
}

#[test]
fn every_pat_index_in_use_is_the_power_on_type() {
    assert_eq!(IA32_PAT, 0x0007_0406_0007_0406);
    let index = |flags| {
        let entry = bits(0, R | flags, PageSize::Size4K);
        (entry >> 3 & 3) as usize
    };
    let pat = [0x06, 0x04, 0x07, 0x00, 0x06, 0x04, 0x07, 0x00];
    assert_eq!(IA32_PAT.to_le_bytes(), pat);
    assert_eq!(pat[index(MappingFlags::empty())], 6, "write-back");
    assert_eq!(pat[index(N)], 7, "UC-");
    assert_eq!(pat[index(D)], 0, "UC");
}

#[test]
fn a_count_is_in_bits_that_tables_ignore() {
    let table = X64PTE::new_table(PhysAddr::new(0x000f_ffff_ffff_f000));
    for count in 0..=512 {
        let counted = table.with_count(512).with_count(count);
        assert_eq!(counted.count(), count);
        assert_eq!(counted.bits() ^ table.bits(), (count as u64) << 52);
        assert_eq!(counted.paddr(), table.paddr());
        let decoded = X64::decode(counted.bits(), PageSize::Size2M);
        assert_eq!(decoded, X64::decode(table.bits(), PageSize::Size2M));
    }
}

#[test]
fn both_canonical_halves_are_one_tree() {
    let at = |offset| Meta::vaddr_at(offset).as_usize();
    assert_eq!(at(0), 0);
    assert_eq!(at(0x7fff_ffff_f000), 0x0000_7fff_ffff_f000);
    assert_eq!(at(0x8000_0000_0000), 0xffff_8000_0000_0000);
    assert_eq!(at(0xffff_ffff_f000), 0xffff_ffff_ffff_f000);
    let valid = |va| Meta::vaddr_is_valid(VirtAddr::new(va));
    assert!(valid(0) && valid(0x0000_7fff_ffff_ffff));
    assert!(valid(0xffff_8000_0000_0000) && valid(usize::MAX));
    assert!(!valid(0x0000_8000_0000_0000) && !valid(0xffff_7fff_ffff_ffff));
    assert!(!valid(1 << 63) && !valid(0x0001_0000_0000_1000));
    assert!((Meta::LEVELS, Meta::VA_MAX_BITS) == (4, 48) && !Meta::CACHES_INVALID);
    assert!(Meta::paddr_is_valid(PhysAddr::new((1 << 52) - 1)));
    assert!(!Meta::paddr_is_valid(PhysAddr::new(1 << 52)));
}

/// What the `x86_64` crate would write for the flags.
fn page_table_flags(flags: MappingFlags, size: PageSize) -> PageTableFlags {
    let present = flags.intersects(R | W | X);
    let pairs = [
        (present, PageTableFlags::PRESENT),
        (!present, PageTableFlags::BIT_9),
        (flags.contains(W), PageTableFlags::WRITABLE),
        (flags.contains(W), PageTableFlags::DIRTY),
        (flags.contains(U), PageTableFlags::USER_ACCESSIBLE),
        (flags.contains(D), PageTableFlags::WRITE_THROUGH),
        (flags.intersects(D | N), PageTableFlags::NO_CACHE),
        (flags.contains(A), PageTableFlags::ACCESSED),
        (size != PageSize::Size4K, PageTableFlags::HUGE_PAGE),
        (flags.contains(G), PageTableFlags::GLOBAL),
        (!flags.contains(X), PageTableFlags::NO_EXECUTE),
    ];
    pairs
        .into_iter()
        .filter_map(|(on, flag)| on.then_some(flag))
        .collect()
}

#[test]
fn the_x86_64_crate_reads_every_entry_the_same() {
    for size in PageSize::ALL {
        for frame in cases::frames::<X64>(size) {
            let address = x86_64::PhysAddr::new(frame as u64);
            for flags in cases::accepted::<X64>() {
                let bits = bits(frame, flags, size);
                let attributes = PageTableFlags::from_bits(bits & !address.as_u64());
                assert_eq!(attributes, Some(page_table_flags(flags, size)), "{flags:?}");
            }
        }
    }
}

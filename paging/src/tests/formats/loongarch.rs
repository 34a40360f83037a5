//! LoongArch64 entries against a software model of a refill, written from the manual.
//!
//! LoongArch Reference Manual volume 1, 5.4: 0 V, 1 D, 3:2 PLV, 5:4 MAT (0 SUC, 1 CC, 2 WUC), 6 G
//! or H, 7 P, 8 W, 47:12 address, 61 NR, 62 NX, 63 RPLV; in a huge page's entry 12 is G. All other
//! bits are ignored. 4.2.5: LDDIR follows an entry with bit 6 clear; LDPTE makes two TLB entries
//! out of a huge one. No crate that decodes these entries can be built on a host of another
//! architecture.

use super::cases::{
    self as cases, A, ANYWAY, D, Decoded, Format, G, Leaf, MemoryType, N, NoMachine, R, Rights, U,
    W, X,
};
use crate::addr::{PhysAddr, VirtAddr};
use crate::format::loongarch::{LA64MetaData, LA64PTE, PWCH, PWCL, STLBPS};
use crate::{GenericPTE, MappingFlags, PageSize, PagingMetaData};

type Meta = LA64MetaData<NoMachine>;

struct LA64;

fn bit(bits: u64, n: u32) -> bool {
    bits >> n & 1 == 1
}

/// What LDPTE makes of a huge page's entry, for the even and the odd half of `bytes`.
fn halves(entry: u64, bytes: u64) -> [u64; 2] {
    assert_eq!(entry >> 13 & 3, 0, "the level that LDDIR puts there");
    let global = if bit(entry, 12) { 1 << 6 } else { 0 };
    let even = entry & !(1 << 6 | 1 << 12) | global;
    [even, even + bytes / 2]
}

/// What the TLB lets privilege level `plv` do; the bits that CSR.TLBRELO0 ignores are ignored.
fn rights(tlb: u64, plv: u64) -> Rights {
    let level = tlb >> 2 & 3;
    let allowed = if bit(tlb, 63) {
        plv == level
    } else {
        plv <= level
    };
    Rights {
        read: allowed && !bit(tlb, 61),
        write: allowed && bit(tlb, 1),
        execute: allowed && !bit(tlb, 62),
    }
}

fn tlb_leaf(entry: u64, tlb: u64) -> Leaf {
    assert_eq!(bit(entry, 8), bit(entry, 1), "W and D differ");
    Leaf {
        frame: tlb & 0x0000_ffff_ffff_f000,
        kernel: rights(tlb, 0),
        user: rights(tlb, 3),
        memory: match tlb >> 4 & 3 {
            0 => MemoryType::Device,
            1 => MemoryType::Cached,
            2 => MemoryType::Uncached,
            _ => panic!("reserved memory type"),
        },
        global: bit(tlb, 6),
        accessed: bit(tlb, 0),
        dirty: bit(tlb, 1),
    }
}

impl Format for LA64 {
    type Entry = LA64PTE;
    const PA_BITS: u32 = 48;

    fn decode(entry: u64, size: PageSize) -> Decoded {
        let directory = size != PageSize::Size4K;
        if entry == 0 {
            return Decoded::Invalid;
        }
        if directory && !bit(entry, 6) {
            assert_eq!(
                entry & 0xfff,
                0,
                "would be part of the next table's address"
            );
            assert_eq!(
                entry >> 48,
                1 << 12,
                "the mark of a table, and nothing else"
            );
            let frame = entry & 0x0000_ffff_ffff_f000;
            return Decoded::Table { frame };
        }
        if !bit(entry, 7) {
            assert!(!bit(entry, 0), "valid, but not present");
            if directory {
                assert_eq!(entry >> 12 & 0x7 & !1, 0, "LDPTE would take it for a level");
            }
            return Decoded::Invalid;
        }
        if !directory {
            return Decoded::Leaf(tlb_leaf(entry, entry));
        }
        let bytes = size.bytes() as u64;
        let [even, odd] = halves(entry, bytes).map(|half| tlb_leaf(entry, half));
        assert_eq!(even.frame % bytes, 0, "only G is below the frame");
        let joined = Leaf {
            frame: odd.frame - bytes / 2,
            ..odd
        };
        assert_eq!(even, joined);
        Decoded::Leaf(even)
    }

    fn unsupported(flags: MappingFlags) -> Option<MappingFlags> {
        let mut refused = MappingFlags::empty();
        if flags.contains(D | N) {
            refused |= N;
        }
        if flags.contains(U | G) {
            refused |= G;
        }
        (!refused.is_empty()).then_some(refused)
    }

    fn kernel_rights(flags: MappingFlags) -> Rights {
        Rights::of(flags)
    }
}

fn bits(frame: usize, flags: MappingFlags, size: PageSize) -> u64 {
    cases::page::<LA64>(frame, flags, size).bits()
}

#[test]
fn sets_are_accepted_or_refused_by_name() {
    // All eight sets of rights; each with three memory types, of the kernel, global or the user's,
    // accessed or not.
    assert_eq!(
        cases::every_set_is_accepted_or_refused_by_name::<LA64>(),
        144
    );
}

#[test]
fn leaves_mean_what_was_asked_for() {
    cases::every_leaf_means_what_was_asked_for::<LA64>();
    cases::every_leaf_gives_back_flags_and_frame::<LA64>();
}

#[test]
fn leaves_change_as_a_whole_or_not_at_all() {
    cases::flags_and_frames_can_be_changed_from_any_to_any::<LA64>();
    cases::a_refused_change_changes_nothing::<LA64>();
    cases::frames_past_the_width_or_unaligned_are_refused::<LA64>();
}

#[test]
fn frames_stand_in_the_address_bits_only() {
    cases::the_address_mask_is_what_frames_differ_in::<LA64>();
    cases::the_next_leaf_is_that_of_the_next_frame::<LA64>();
}

#[test]
fn swap_entries_are_told_from_everything() {
    cases::a_swap_entry_is_told_from_everything::<LA64>(1 << 60 | 1 << 58 | 1 << 10);
}

#[test]
fn software_bits_stay_and_mean_nothing() {
    cases::software_bits_are_ignored_and_kept::<LA64>(56);
}

#[test]
fn tables_leaves_and_what_is_invalid_are_told_apart() {
    cases::a_table_is_no_leaf_and_no_leaf_is_a_table::<LA64>();
    cases::a_broken_entry_is_invalid_and_names_its_frame::<LA64>();
    cases::an_unused_entry_is_nothing::<LA64>();
}

#[test]
fn replacements_that_cannot_coexist_break_first() {
    cases::what_cannot_coexist_is_broken_first::<LA64>();
}

#[test]
fn entries_are_those_worked_out_by_hand() {
    let (k4, m2, g1) = (PageSize::Size4K, PageSize::Size2M, PageSize::Size1G);
    assert_eq!(bits(0x1000, R | A, k4), 0x4000_0000_0000_1091);
    assert_eq!(bits(0x1000, R | W | A | G, k4), 0x4000_0000_0000_11d3);
    assert_eq!(bits(0x20_0000, R | W | A | G, m2), 0x4000_0000_0020_13d3);
    assert_eq!(bits(0x20_0000, R | W | A, m2), 0x4000_0000_0020_03d3);
    assert_eq!(bits(0x4000_0000, R | X | U, g1), 0x4000_02dc);
    assert_eq!(bits(0x3000, X | U | A, k4), 0x2000_0000_0000_309d);
    assert_eq!(bits(0x3000, W | A, k4), 0x6000_0000_0000_3193);
    assert_eq!(bits(0x1fe0_0000, R | W | D | A, k4), 0x4000_0000_1fe0_0183);
    assert_eq!(bits(0xffff_ffff_f000, R | N, k4), 0x4000_ffff_ffff_f0a0);
    assert_eq!(bits(0x5000, R | W | X | A | ANYWAY, k4), 0x5193);
    assert_eq!(bits(0, MappingFlags::empty(), k4), 0x6000_0000_0000_0410);
    assert_eq!(bits(0x20_0000, U | D | A, m2), 0x6800_0000_0020_064c);
    let table = LA64PTE::new_table(PhysAddr::new(0x7000));
    assert_eq!(table.bits(), 0x1000_0000_0000_7000);
    assert_eq!(table.broken().bits(), 0x0700_0c40);
    assert_eq!(LA64PTE::new_table(PhysAddr::new(0)).bits(), 1 << 60);
}

/// Bit 12 belongs to the frame of a page and to the scope of a block.
#[test]
fn bit_12_of_a_global_block_is_not_its_frame() {
    let block = cases::page::<LA64>(0x4000_0000, R | A | G, PageSize::Size1G);
    assert!(bit(block.bits(), 12));
    assert_eq!(block.paddr(), PhysAddr::new(0x4000_0000));
    assert_eq!(
        LA64PTE::address_mask(PageSize::Size1G),
        0x0000_ffff_c000_0000
    );
    let page = cases::page::<LA64>(0x1000, R | A | G, PageSize::Size4K);
    assert_eq!(
        (page.paddr(), page.flags()),
        (PhysAddr::new(0x1000), R | A | G)
    );
}

/// A leaf without ACCESSED faults at its first use, but is present.
#[test]
fn valid_means_accessed_and_present_means_present() {
    let page = cases::page::<LA64>(0x1000, R | W, PageSize::Size4K);
    assert!(!bit(page.bits(), 0) && bit(page.bits(), 7));
    assert!(page.is_present());
}

#[test]
fn there_is_no_room_for_a_count() {
    let table = LA64PTE::new_table(PhysAddr::new(0x1000));
    assert_eq!((table.with_count(512), table.count()), (table, 0));
    const { assert!(!LA64PTE::COUNTS) };
}

#[test]
fn a_reserved_memory_type_reads_as_one_that_cannot_be_made() {
    assert_eq!(
        LA64PTE::from_bits(0x4000_0000_0000_00b1).flags(),
        R | A | D | N
    );
}

#[test]
fn registers_describe_the_geometry() {
    assert_eq!((PWCL, PWCH, STLBPS), (0x13e4_d52c, 0x267, 12));
    let field = |register: u64, low: u32, width: u32| register >> low & ((1 << width) - 1);
    let levels = [
        (field(PWCL, 0, 5), field(PWCL, 5, 5)),
        (field(PWCL, 10, 5), field(PWCL, 15, 5)),
        (field(PWCL, 20, 5), field(PWCL, 25, 5)),
        (field(PWCH, 0, 6), field(PWCH, 6, 6)),
    ];
    assert_eq!(levels, [(12, 9), (21, 9), (30, 9), (39, 9)]);
    assert_eq!((field(PWCL, 30, 2), PWCH >> 12), (0, 0));
}

#[test]
fn both_halves_are_one_tree() {
    let at = |offset| Meta::vaddr_at(offset).as_usize();
    assert_eq!(at(0), 0);
    assert_eq!(at(0x7fff_ffff_f000), 0x0000_7fff_ffff_f000);
    assert_eq!(at(0x8000_0000_0000), 0xffff_8000_0000_0000);
    assert_eq!(at(0xffff_ffff_f000), 0xffff_ffff_ffff_f000);
    let valid = |va| Meta::vaddr_is_valid(VirtAddr::new(va));
    assert!(valid(0) && valid(0x0000_7fff_ffff_ffff));
    assert!(valid(0xffff_8000_0000_0000) && valid(usize::MAX));
    assert!(!valid(0x0000_8000_0000_0000) && !valid(0xffff_7fff_ffff_ffff));
    assert!(!valid(0x9000_0000_0000_0000), "a direct-mapped window");
    assert!((Meta::LEVELS, Meta::VA_MAX_BITS) == (4, 48) && Meta::CACHES_INVALID);
    assert!(Meta::paddr_is_valid(PhysAddr::new((1 << 48) - 1)));
    assert!(!Meta::paddr_is_valid(PhysAddr::new(1 << 48)));
}

//! Sv39 and Sv48 entries, with and without Svpbmt, against a decoder written from the manual.
//!
//! RISC-V ISA manual volume II, Sv39 and Sv48: 0 V, 1 R, 2 W, 3 X, 4 U, 5 G, 6 A, 7 D, 9:8 for
//! software, 53:10 PPN, 60:54 reserved, 62:61 PBMT (0 PMA, 1 NC, 2 IO, 3 reserved), 63 N. No crate
//! that decodes these entries can be built on a host of another architecture.

use std::marker::PhantomData;

use super::cases::{
    self as cases, A, ANYWAY, D, Decoded, Format, G, Leaf, MemoryType, N, NoMachine, R, Rights, U,
    W, X,
};
use crate::addr::{PhysAddr, VirtAddr};
use crate::format::riscv::{
    MemoryTypes, Platform, Rv64Entry, Rv64PTE, Rv64PbmtPTE, Sv39MetaData, Sv48MetaData, Svpbmt,
};
use crate::{GenericPTE, MappingFlags, PageSize, PagingMetaData};

struct Rv64<E>(PhantomData<E>);

type Base = Rv64<Platform>;
type Pbmt = Rv64<Svpbmt>;

/// What the oracle knows of an extension.
trait Extension: MemoryTypes {
    /// The flags of memory types that it cannot express.
    fn unsupported(flags: MappingFlags) -> MappingFlags;
    /// What PBMT selects.
    fn memory(pbmt: u64) -> MemoryType;
}

impl Extension for Platform {
    fn unsupported(flags: MappingFlags) -> MappingFlags {
        flags & (D | N)
    }

    fn memory(pbmt: u64) -> MemoryType {
        assert_eq!(pbmt, 0, "reserved without Svpbmt");
        MemoryType::Cached
    }
}

impl Extension for Svpbmt {
    fn unsupported(flags: MappingFlags) -> MappingFlags {
        if flags.contains(D | N) {
            N
        } else {
            MappingFlags::empty()
        }
    }

    fn memory(pbmt: u64) -> MemoryType {
        match pbmt {
            0 => MemoryType::Cached,
            1 => MemoryType::Uncached,
            2 => MemoryType::Device,
            _ => panic!("reserved memory type"),
        }
    }
}

impl<E: Extension> Format for Rv64<E> {
    type Entry = Rv64Entry<E>;
    const PA_BITS: u32 = 56;

    /// With sstatus.SUM and MXR = 0; the kernel is S-mode.
    fn decode(bits: u64, size: PageSize) -> Decoded {
        let bit = |n: u32| bits >> n & 1 == 1;
        if !bit(0) {
            return Decoded::Invalid;
        }
        assert_eq!(bits >> 63, 0, "N");
        assert_eq!(bits >> 54 & 0x7f, 0, "reserved");
        let frame = (bits >> 10 & ((1 << 44) - 1)) << 12;
        let pbmt = bits >> 61 & 3;
        let (read, write, execute) = (bit(1), bit(2), bit(3));
        if !read && !write && !execute {
            assert!(size != PageSize::Size4K, "no table below the last level");
            assert!(
                !bit(4) && !bit(6) && !bit(7) && pbmt == 0,
                "reserved in a table's entry"
            );
            assert!(!bit(5), "everything below would be global");
            return Decoded::Table { frame };
        }
        assert!(read || !write, "reserved");
        assert_eq!(frame % size.bytes() as u64, 0, "misaligned superpage");
        let all = Rights {
            read,
            write,
            execute,
        };
        let supervisor = Rights {
            execute: execute && !bit(4),
            ..all
        };
        Decoded::Leaf(Leaf {
            frame,
            kernel: supervisor,
            user: if bit(4) { all } else { Rights::NONE },
            memory: E::memory(pbmt),
            global: bit(5),
            accessed: bit(6),
            dirty: bit(7),
        })
    }

    fn unsupported(flags: MappingFlags) -> Option<MappingFlags> {
        let mut refused = E::unsupported(flags);
        if flags.contains(U | G) {
            refused |= G;
        }
        if flags.contains(W) && !flags.contains(R) {
            refused |= W;
        }
        (!refused.is_empty()).then_some(refused)
    }

    fn kernel_rights(flags: MappingFlags) -> Rights {
        Rights {
            execute: flags.contains(X) && !flags.contains(U),
            ..Rights::of(flags)
        }
    }
}

fn bits(frame: usize, flags: MappingFlags, size: PageSize) -> u64 {
    let bits = cases::page::<Base>(frame, flags, size).bits();
    assert_eq!(cases::page::<Pbmt>(frame, flags, size).bits(), bits);
    bits
}

fn pbmt_bits(frame: usize, flags: MappingFlags, size: PageSize) -> u64 {
    cases::page::<Pbmt>(frame, flags, size).bits()
}

#[test]
fn sets_are_accepted_or_refused_by_name() {
    // No access, R, RW, X, RX and RWX; each of the kernel, global or the user's, accessed or not.
    assert_eq!(
        cases::every_set_is_accepted_or_refused_by_name::<Base>(),
        36
    );
    // And each with three memory types.
    assert_eq!(
        cases::every_set_is_accepted_or_refused_by_name::<Pbmt>(),
        108
    );
}

#[test]
fn leaves_mean_what_was_asked_for() {
    cases::every_leaf_means_what_was_asked_for::<Base>();
    cases::every_leaf_gives_back_flags_and_frame::<Base>();
    cases::every_leaf_means_what_was_asked_for::<Pbmt>();
    cases::every_leaf_gives_back_flags_and_frame::<Pbmt>();
}

#[test]
fn leaves_change_as_a_whole_or_not_at_all() {
    cases::flags_and_frames_can_be_changed_from_any_to_any::<Base>();
    cases::a_refused_change_changes_nothing::<Base>();
    cases::flags_and_frames_can_be_changed_from_any_to_any::<Pbmt>();
    cases::a_refused_change_changes_nothing::<Pbmt>();
    cases::frames_past_the_width_or_unaligned_are_refused::<Pbmt>();
}

#[test]
fn frames_stand_in_the_address_bits_only() {
    cases::the_address_mask_is_what_frames_differ_in::<Pbmt>();
    cases::the_next_leaf_is_that_of_the_next_frame::<Pbmt>();
}

#[test]
fn swap_entries_are_told_from_everything() {
    cases::a_swap_entry_is_told_from_everything::<Base>(0b111 << 54);
    cases::a_swap_entry_is_told_from_everything::<Pbmt>(0b111 << 54);
}

#[test]
fn software_bits_stay_and_mean_nothing() {
    cases::software_bits_are_ignored_and_kept::<Base>(8);
    cases::software_bits_are_ignored_and_kept::<Pbmt>(8);
}

#[test]
fn tables_leaves_and_what_is_invalid_are_told_apart() {
    cases::a_table_is_no_leaf_and_no_leaf_is_a_table::<Base>();
    cases::a_broken_entry_is_invalid_and_names_its_frame::<Base>();
    cases::an_unused_entry_is_nothing::<Base>();
    cases::a_table_is_no_leaf_and_no_leaf_is_a_table::<Pbmt>();
    cases::a_broken_entry_is_invalid_and_names_its_frame::<Pbmt>();
}

/// Without its rights a block's entry would be that of a table, were it valid.
#[test]
fn a_inaccessible_block_never_becomes_a_table() {
    let mut block = cases::page::<Base>(0x20_0000, R | W | A | G, PageSize::Size2M);
    block.set_flags(A | G, PageSize::Size2M).unwrap();
    assert_eq!(block.bits(), 0x0040_0000_0008_0060);
    assert!(block.is_huge() && !block.is_present());
    assert_eq!(block.paddr(), PhysAddr::new(0x20_0000));
}

#[test]
fn replacements_that_cannot_coexist_break_first() {
    cases::what_cannot_coexist_is_broken_first::<Base>();
    cases::what_cannot_coexist_is_broken_first::<Pbmt>();
}

#[test]
fn entries_are_those_worked_out_by_hand() {
    let (k4, m2, g1) = (PageSize::Size4K, PageSize::Size2M, PageSize::Size1G);
    assert_eq!(bits(0x1000, R | A, k4), 0x443);
    assert_eq!(bits(0x8020_0000, R | X | A | G, m2), 0x2008_006b);
    assert_eq!(bits(0x8000_0000, R | W | U | A, g1), 0x2000_00d7);
    assert_eq!(bits(0x3000, X | U, k4), 0xc19);
    assert_eq!(bits(0x00ff_ffff_ffff_f000, R, k4), 0x003f_ffff_ffff_fc03);
    assert_eq!(bits(0x1000, R | W | X | A | ANYWAY, k4), 0x4cf);
    assert_eq!(bits(0, U | A, g1), 0x0040_0000_0000_0050);
    assert_eq!(bits(0, MappingFlags::empty(), k4), 1 << 54);
    assert_eq!(
        pbmt_bits(0x1000_0000, R | W | D | A, m2),
        0x4000_0000_0400_00c7
    );
    assert_eq!(
        pbmt_bits(0x1000_0000, R | W | N | A, k4),
        0x2000_0000_0400_00c7
    );
    assert_eq!(pbmt_bits(0, D, k4), 0x4040_0000_0000_0000);
    assert_eq!(
        Rv64PTE::new_table(PhysAddr::new(0x8020_1000)).bits(),
        0x2008_0401
    );
    assert_eq!(Rv64PbmtPTE::new_table(PhysAddr::new(0)).bits(), 1);
}

#[test]
fn there_is_no_room_for_a_count() {
    let table = Rv64PTE::new_table(PhysAddr::new(0x1000));
    assert_eq!((table.with_count(512), table.count()), (table, 0));
    const { assert!(!Rv64PTE::COUNTS) };
}

#[test]
fn a_reserved_memory_type_reads_as_one_that_cannot_be_made() {
    let entry = Rv64PbmtPTE::from_bits(0x6000_0000_0000_0043);
    assert_eq!(entry.flags(), R | A | D | N);
}

fn check_addresses<M: PagingMetaData>(levels: usize, low_end: usize, high_start: usize) {
    assert_eq!((M::LEVELS, M::PA_MAX_BITS), (levels, 56));
    assert_eq!(1 << M::VA_MAX_BITS, low_end * 2);
    assert!(M::CACHES_INVALID);
    let at = |offset| M::vaddr_at(offset).as_usize();
    assert_eq!((at(0), at(low_end - 0x1000)), (0, low_end - 0x1000));
    assert_eq!(at(low_end), high_start);
    assert_eq!(at(low_end * 2 - 0x1000), 0xffff_ffff_ffff_f000);
    let valid = |va| M::vaddr_is_valid(VirtAddr::new(va));
    assert!(valid(0) && valid(low_end - 1) && valid(high_start) && valid(usize::MAX));
    assert!(!valid(low_end) && !valid(high_start - 1) && !valid(1 << 63));
    assert!(!valid(low_end * 2 + 0x1000));
    assert!(M::paddr_is_valid(PhysAddr::new((1 << 56) - 1)));
    assert!(!M::paddr_is_valid(PhysAddr::new(1 << 56)));
}

#[test]
fn both_halves_are_one_tree() {
    check_addresses::<Sv39MetaData<NoMachine>>(3, 0x40_0000_0000, 0xffff_ffc0_0000_0000);
    check_addresses::<Sv48MetaData<NoMachine>>(4, 0x8000_0000_0000, 0xffff_8000_0000_0000);
}

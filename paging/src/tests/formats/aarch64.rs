//! A64 descriptors and registers against numbers worked out from the manual.
//!
//! DDI 0487 D8.3: bit 0 valid, 1 table or page, 4:2 AttrIndx, 7:6 AP\[2:1\], 9:8 SH, 10 AF,
//! 11 nG, 47:12 output address, 53 PXN, 54 UXN; 58:55 are software's.

use std::string::ToString;

use super::{A64Low, Format};
use crate::format::aarch64::{A64MetaData, A64PTE, Describe, HighHalf, LowHalf};
use crate::format::aarch64_registers::{
    MAIR_EL1, SCTLR_EL1_MMU_OFF, SCTLR_EL1_MMU_ON, TCR_EL1_EPD0, tcr_el1,
};
use crate::format::aarch64_tlb::tlbi_operand;
use crate::tests::{A, D, G, G1, K4, M2, N, R, U, W, X, pa, va};
use crate::{GenericPTE, MappingFlags, PageSize, PagingError, PagingMetaData};

use crate::tests::memory::PlainRecorder;

const SIZES: [PageSize; 3] = PageSize::ALL;

fn bits(frame: usize, flags: MappingFlags, size: PageSize) -> u64 {
    A64PTE::new_page(pa(frame), flags, size).unwrap().bits()
}

#[test]
fn swap_entries_are_told_from_everything() {}

#[test]
fn software_bits_stay_and_mean_nothing() {}

#[test]
fn leaves_have_the_bits_that_the_manual_asks_for() {
    let page = PageSize::Size4K;
    // Frame 0x8_0000, AttrIndx 4 (0x10), SH 3 (0x300), AF (0x400), page (3), PXN and UXN.
    assert_eq!(bits(0x8_0000, R | W | G | A, page), 0x0060_0000_0008_0713);
    // AP[2] (0x80): read-only.
    assert_eq!(bits(0x8_0000, R | G | A, page), 0x0060_0000_0008_0793);
    // Executable at EL1: PXN clear, UXN set.
    assert_eq!(bits(0x8_0000, R | X | G | A, page), 0x0040_0000_0008_0793);
    // Not global: nG (0x800). No access flag: bit 10 clear.
    assert_eq!(bits(0x8_0000, R | G, page), 0x0060_0000_0008_0393);
    assert_eq!(bits(0x8_0000, R, page), 0x0060_0000_0008_0b93);
    // User: AP[1] (0x40). Executable at EL0: UXN clear, PXN set.
    assert_eq!(bits(0, R | W | U | A, page), 0x0060_0000_0000_0f53);
    assert_eq!(bits(0, R | X | U | A, page), 0x0020_0000_0000_0fd3);
    // Execute-only at EL0: AP = 0b10.
    assert_eq!(bits(0, X | U | A, page), 0x0020_0000_0000_0f93);
    // nGnRE is AttrIndx 1 (0x4), nGnRnE 0, both without SH; non-cacheable is 3 (0xc) with it.
    assert_eq!(
        bits(0x3f20_1000, R | W | D | G | A, page),
        0x0060_0000_3f20_1407
    );
    assert_eq!(
        bits(0x4000_0000, R | W | D | N | G | A, page),
        0x0060_0000_4000_0403
    );
    assert_eq!(
        bits(0x3c00_0000, R | W | N | G | A, page),
        0x0060_0000_3c00_070f
    );
    // Blocks: bit 1 clear.
    assert_eq!(
        bits(0x20_0000, R | W | G | A, PageSize::Size2M),
        0x0060_0000_0020_0711
    );
    assert_eq!(
        bits(0xff_c000_0000, R | W | G | A, PageSize::Size1G),
        0x0060_00ff_c000_0711
    );
    // Inaccessible: valid clear, software bit 55 set, read-only and execute-never.
    assert_eq!(bits(0, MappingFlags::empty(), page), 0x00e0_0000_0000_0b92);
    assert_eq!(
        bits(0x20_0000, U | A, PageSize::Size2M),
        0x00e0_0000_0020_0fd0
    );
}

#[test]
fn a_table_descriptor_is_an_address_and_two_bits() {
    let entry = A64PTE::new_table(pa(0x0000_00ff_ffff_f000));
    assert_eq!(entry.bits(), 0x0000_00ff_ffff_f003);
    assert_eq!(entry.paddr(), pa(0x0000_00ff_ffff_f000));
    assert!(entry.is_present() && !entry.is_huge() && !entry.is_unused());
    assert!(!A64PTE::new_table(pa(0)).is_unused());
}

#[test]
fn flags_come_back_from_every_leaf_or_are_refused_by_name() {
    let mut accepted = 0;
    for flags in (0..MappingFlags::SETS).map(MappingFlags::from_bits_retain) {
        for size in SIZES {
            match A64PTE::new_page(pa(5 * G1), flags, size) {
                Ok(entry) => {
                    assert_eq!(A64Low::faults(flags), [], "{flags:?}");
                    accepted += 1;
                    check_round_trip(entry, flags, size);
                }
                Err(error) => assert!(A64Low::faults(flags).contains(&error), "{flags:?}"),
            }
        }
    }
    // The rights, memory types and scopes that there are: without rights 4 types, and kernel
    // (global or not) or user; readable or more, the same; user's that are only executed. Each with
    // and without ACCESSED.
    let scopes = 3;
    assert_eq!(accepted, 3 * 2 * (4 * scopes + 4 * 4 * scopes + 4));
}

fn check_round_trip(entry: A64PTE, flags: MappingFlags, size: PageSize) {
    assert_eq!(
        (entry.flags(), entry.paddr()),
        (flags, pa(5 * G1)),
        "{flags:?}"
    );
    assert_eq!(entry.is_present(), flags.intersects(R | W | X));
    assert_eq!(entry.is_huge(), size != PageSize::Size4K);
    assert!(!entry.is_unused());
    let mut other = A64PTE::new_page(pa(5 * G1), R | W | D | A, size).unwrap();
    other.set_flags(flags, size).unwrap();
    assert_eq!(other, entry);
    other.set_paddr(pa(0), size).unwrap();
    assert_eq!(
        (other.flags(), other.paddr(), other.is_unused()),
        (flags, pa(0), false)
    );
    other.clear();
    assert!(other.is_unused() && !other.is_present() && !other.is_huge());
}

#[test]
fn a_leaf_takes_no_address_that_its_descriptor_cannot_hold() {
    for size in SIZES {
        let alignment = size.bytes();
        let frame = alignment / 2;
        let odd = PagingError::NotAligned {
            value: frame,
            alignment,
        };
        assert_eq!(A64PTE::new_page(pa(frame), R, size).err(), Some(odd));
        let mut entry = A64PTE::new_page(pa(alignment), R, size).unwrap();
        let before = entry;
        assert_eq!(entry.set_paddr(pa(frame), size), Err(odd));
        assert_eq!(
            entry.set_flags(W | X, size),
            Err(PagingError::WritableExecutable { flags: W | X })
        );
        assert_eq!(entry, before);
    }
    let far = pa(1 << 48);
    let past = A64PTE::new_page(far, R, PageSize::Size4K);
    assert_eq!(past.err(), Some(PagingError::InvalidPhysAddr { pa: far }));
}

#[test]
fn break_before_make_is_asked_for_exactly_where_the_manual_does() {
    let page = |frame, flags| A64PTE::new_page(pa(frame), flags, PageSize::Size4K).unwrap();
    let old = page(0x8000, R | W | A);
    assert!(!old.needs_break(old));
    assert!(old.needs_break(page(0x9000, R | W | A)));
    assert!(old.needs_break(page(0x8000, R | W | A | N)));
    assert!(old.needs_break(page(0x8000, R | W | A | D)));
    assert!(page(0x8000, R | D).needs_break(page(0x8000, R | D | N)));
    assert!(old.needs_break(page(0x8000, R | W | A | G)));
    assert!(!page(0x8000, R | W | A | G).needs_break(old));
    for flags in [R | A, R | W, R | X | A, R | X | U | A, R | W | U | A] {
        assert!(!old.needs_break(page(0x8000, flags)), "{flags}");
    }
    let block = A64PTE::new_page(pa(M2), R | W | A, PageSize::Size2M).unwrap();
    assert!(block.needs_break(A64PTE::new_table(pa(M2))));
}

#[test]
fn single_fields_can_be_read() {
    let entry = A64PTE::from_bits(0x0040_0000_0000_0f8f);
    assert!(!entry.is_privileged_execute_never());
    assert!(entry.is_unprivileged_execute_never());
    assert_eq!((entry.attr_index(), entry.shareability()), (3, 3));
    let entry = A64PTE::from_bits(0x0020_0000_0000_0e07);
    assert!(entry.is_privileged_execute_never());
    assert!(!entry.is_unprivileged_execute_never());
    assert_eq!((entry.attr_index(), entry.shareability()), (1, 2));
}

#[test]
fn boot_attributes_are_a_leaf_without_its_address() {
    for size in SIZES {
        let entry = A64PTE::new_page(pa(0), R | X | A, size).unwrap();
        assert_eq!(A64PTE::attributes(R | X | A, size), entry.bits());
    }
}

#[test]
fn a_descriptor_is_told_in_words() {
    let tell = |bits, level| {
        Describe {
            entry: A64PTE::from_bits(bits),
            level,
        }
        .to_string()
    };
    assert_eq!(tell(0, 0), "invalid");
    assert_eq!(tell(0x1002, 2), "invalid");
    assert_eq!(tell(0x00e0_0000_0000_0b92, 3), "inaccessible");
    assert_eq!(tell(0x8_3003, 2), "table at 0x0000000000083000");
    assert_eq!(
        tell(0x0060_0000_0008_0793, 3),
        "page 4K at 0x0000000000080000 AttrIndx=4 AP=10 SH=3 AF=1 nG=0 PXN=1 UXN=1"
    );
    assert_eq!(
        tell(0x0020_0000_0020_0f51, 2),
        "block 2M at 0x0000000000200000 AttrIndx=4 AP=01 SH=3 AF=1 nG=1 PXN=1 UXN=0"
    );
    assert!(tell(0x0060_0000_4000_0401, 1).starts_with("block 1G at 0x0000000040000000 "));
    // A block at level 0 and one at level 3 are reserved.
    assert_eq!(tell(0x0060_0000_4000_0401, 0), "reserved");
    assert_eq!(tell(0x0060_0000_4000_0401, 3), "reserved");
}

#[test]
fn a_half_takes_its_own_addresses_only() {
    type High = A64MetaData<HighHalf, PlainRecorder>;
    type Low = A64MetaData<LowHalf, PlainRecorder>;
    for (at, low, high) in [
        (0, true, false),
        (0x0000_ffff_ffff_ffff, true, false),
        (0x0001_0000_0000_0000, false, false),
        (0x8000_0000_0000_0000, false, false),
        (0xfffe_ffff_ffff_ffff, false, false),
        (0xffff_0000_0000_0000, false, true),
        (usize::MAX, false, true),
    ] {
        assert_eq!(
            (Low::vaddr_is_valid(va(at)), High::vaddr_is_valid(va(at))),
            (low, high)
        );
    }
    assert_eq!(Low::vaddr_at(K4), va(K4));
    assert_eq!(High::vaddr_at(0xffff_ffff_ffff), va(usize::MAX));
    type CortexA53 = A64MetaData<LowHalf, PlainRecorder, 40>;
    assert!(Low::paddr_is_valid(pa((1 << 48) - 1)) && !Low::paddr_is_valid(pa(1 << 48)));
    assert!(CortexA53::paddr_is_valid(pa((1 << 40) - 1)));
    assert!(!CortexA53::paddr_is_valid(pa(1 << 40)));
}

#[test]
fn mair_has_the_types_that_descriptors_name() {
    // DDI 0487 D24.2: 0x00 nGnRnE, 0x04 nGnRE, 0x44 non-cacheable, 0xff write-back, allocating.
    let attributes = MAIR_EL1.to_le_bytes();
    let index = |flags| {
        A64PTE::new_page(pa(0), flags, PageSize::Size4K)
            .unwrap()
            .attr_index()
    };
    for (flags, attribute) in [(R | D | N, 0x00), (R | D, 0x04), (R | N, 0x44), (R, 0xff)] {
        assert_eq!(attributes[index(flags) as usize], attribute, "{flags}");
    }
    assert_eq!(MAIR_EL1, 0x0000_00ff_4400_0400);
}

#[test]
fn tcr_takes_the_physical_size_from_the_cpu_and_at_most_48_bits() {
    // ID_AA64MMFR0_EL1 of a Cortex-A53: PARange 2, 16-bit ASIDs.
    assert_eq!(tcr_el1(0x1122), 0x0000_0012_b510_3510);
    for pa_range in 0..16 {
        let tcr = tcr_el1(0xffff_fff0 | pa_range);
        let field = |high: u32, low: u32| (tcr >> low) & ((1 << (high - low + 1)) - 1);
        assert_eq!((field(5, 0), field(21, 16)), (16, 16), "T0SZ, T1SZ");
        assert_eq!((field(7, 7), field(23, 23)), (0, 0), "EPD0, EPD1");
        assert_eq!(
            (field(9, 8), field(11, 10)),
            (1, 1),
            "IRGN0, ORGN0: write-back, allocating"
        );
        assert_eq!((field(25, 24), field(27, 26)), (1, 1), "IRGN1, ORGN1");
        assert_eq!((field(13, 12), field(29, 28)), (3, 3), "SH0, SH1: inner");
        assert_eq!((field(15, 14), field(31, 30)), (0, 2), "TG0, TG1: 4 KiB");
        assert_eq!(field(22, 22), 0, "A1: ASID from TTBR0");
        assert_eq!(field(34, 32), pa_range.min(5), "IPS");
        assert_eq!((field(35, 35), field(36, 36)), (0, 1), "RES0, AS: 16 bits");
        assert_eq!(field(63, 37), 0, "TBI0, TBI1 and what Armv8.0 reserves");
    }
    assert_eq!(TCR_EL1_EPD0, 0x80);
}

#[test]
fn sctlr_turns_on_what_the_kernel_relies_on_and_nothing_else() {
    assert_eq!(
        (SCTLR_EL1_MMU_ON, SCTLR_EL1_MMU_OFF),
        (0x30d8_181f, 0x30d0_0800)
    );
    // RES1 in Armv8.0: 11, 20, 22, 23, 28, 29. M 0, A 1, C 2, SA 3, SA0 4, I 12, WXN 19.
    let of = |bits: &[u32]| bits.iter().fold(0, |value, bit| value | 1_u64 << bit);
    assert_eq!(SCTLR_EL1_MMU_OFF, of(&[11, 20, 22, 23, 28, 29]));
    assert_eq!(
        SCTLR_EL1_MMU_ON ^ SCTLR_EL1_MMU_OFF,
        of(&[0, 1, 2, 3, 4, 12, 19])
    );
}

/// Of a high address only bits 55:12 may arrive: shifted alone, its sign would fill level hint and
/// ASID.
#[test]
fn the_operand_of_a_tlbi_is_the_page_number_and_nothing_else() {
    let operand = |raw| tlbi_operand(va(raw), 0);
    assert_eq!(operand(0xffff_0000_0008_0000), 0x0000_0ff0_0000_0080);
    assert_eq!(operand(0x0000_7fff_ffff_f000), 0x0000_0007_ffff_ffff);
    assert_eq!(operand(0xffff_ffff_ffff_ffff), 0x0000_0fff_ffff_ffff);
    let with_asid = tlbi_operand(va(0xffff_ffff_ffff_ffff), 0xabcd);
    assert_eq!(with_asid, 0xabcd_0fff_ffff_ffff);
}

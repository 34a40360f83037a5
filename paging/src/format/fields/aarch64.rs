//! AArch64: VMSAv8-64, stage 1 of EL1&0, 4 KiB granule (Arm DDI 0487 D8.3.1, D8.3.2), as an Armv8.0
//! core has it. Rights with SCTLR_EL1.WXN clear, and of a leaf alone: tables may take some away.
#![forbid(unsafe_code)]

use super::{Field, Kind, Layout, Meaning, Runs, bit, field, text};
use crate::GenericPTE;
use crate::format::aarch64::A64PTE;

/// VMSAv8-64 with a 4 KiB granule and 48-bit halves: levels 0 to 3. Its rights are those with
/// SCTLR_EL1.WXN clear.
pub static AARCH64: Layout = Layout {
    name: "aarch64",
    levels: 4,
    kind,
    runs,
    rights: |bits| A64PTE::from_bits(bits).rights(),
};

const fn kind(bits: u64, level: usize) -> Kind {
    match (bits & 0b11, level) {
        (0b11, 3) => Kind::Page,
        (0b11, _) => Kind::Table,
        (0b01, 1 | 2) => Kind::Block,
        (0b01, _) => Kind::Reserved,
        _ => Kind::Invalid,
    }
}

fn runs(kind: Kind, level: usize) -> Runs {
    match (kind, level) {
        (Kind::Invalid, _) => &[&INVALID, &VALID],
        (Kind::Reserved, _) => &[&RESERVED, &VALID],
        (Kind::Table, _) => &[&TABLE, &BLOCK_TYPE, &VALID],
        (Kind::Page, _) => &[&UPPER, &FRAME, &LOWER, &PAGE_TYPE, &VALID],
        (Kind::Block, 1) => &[&UPPER, &FRAME_1G, &LOWER, &BLOCK_TYPE, &VALID],
        (Kind::Block, _) => &[&UPPER, &FRAME_2M, &LOWER, &BLOCK_TYPE, &VALID],
    }
}

const VALID: [Field; 1] = [bit(0, "valid|invalid: an access faults|valid")];
const BLOCK_TYPE: [Field; 1] = [bit(1, "type|block|table")];
const PAGE_TYPE: [Field; 1] = [bit(1, "type|reserved|page")];
const INVALID: [Field; 1] = [text(63, 1, "ignored|for software; ignored by the hardware")];
const RESERVED: [Field; 2] = [
    text(63, 2, "ignored|ignored by the hardware"),
    bit(1, "type|reserved at this level: faults|table or page"),
];

const UPPER: [Field; 8] = [
    text(63, 63, "ignored|ignored by the hardware"),
    text(62, 59, "PBHA|ignored by an Armv8.0 core"),
    text(58, 55, "software|for software; ignored by the hardware"),
    bit(54, "UXN|EL0 may execute|EL0 must not execute"),
    bit(53, "PXN|EL1 may execute|EL1 must not execute"),
    bit(
        52,
        "Contiguous|on its own|one of 16 that one TLB entry may hold",
    ),
    text(51, 50, "DBM, GP|reserved in Armv8.0"),
    text(49, 48, "RES0|reserved, zero"),
];

const FRAME: [Field; 1] = [field(47, 12, Meaning::Address, "output address")];
const FRAME_2M: [Field; 3] = [
    field(47, 21, Meaning::Address, "output address"),
    text(20, 17, "RES0|reserved, zero"),
    text(16, 12, "nT, RES0|reserved in Armv8.0"),
];
const FRAME_1G: [Field; 3] = [
    field(47, 30, Meaning::Address, "output address"),
    text(29, 17, "RES0|reserved, zero"),
    text(16, 12, "nT, RES0|reserved in Armv8.0"),
];

const LOWER: [Field; 7] = [
    bit(11, "nG|global: of every ASID|non-global: of one ASID"),
    bit(10, "AF|never used: the first access faults|may be used"),
    field(
        9,
        8,
        Meaning::Values,
        "SH|non-shareable|reserved|outer shareable|inner shareable",
    ),
    bit(7, "AP[2]|read and write|read only"),
    bit(6, "AP[1]|EL1 only|EL0, too"),
    text(5, 5, "NS|of Secure state alone"),
    field(4, 2, Meaning::MemoryType, "AttrIndx"),
];

const TABLE: [Field; 8] = [
    text(63, 63, "NSTable|of Secure state alone"),
    field(
        62,
        61,
        Meaning::Values,
        "APTable|takes nothing away|nothing below for EL0|no writes below|no writes below, nothing for EL0",
    ),
    bit(60, "UXNTable|takes nothing away|EL0 executes nothing below"),
    bit(59, "PXNTable|takes nothing away|EL1 executes nothing below"),
    text(58, 52, "ignored|ignored by the hardware"),
    text(51, 48, "RES0|reserved, zero"),
    field(47, 12, Meaning::Address, "next table"),
    text(11, 2, "ignored|used entries, as stilt-paging counts"),
];

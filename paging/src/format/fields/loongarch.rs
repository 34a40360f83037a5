//! LoongArch64 with four levels: Reference Manual volume 1, 4.2.5 (LDDIR, LDPTE), 5.4.5 (entries of
//! basic and huge pages). Rights with CPUCFG.1 RI, EP and HP, of the kernel at PLV 0 and of user
//! code at PLV 3. In an entry of a directory, bit 6 (H) tells a huge page from a table.
#![forbid(unsafe_code)]

use super::{Field, Kind, Layout, Meaning, Runs, bit, field, text};
use crate::{MappingFlags, Rights};

/// LoongArch64 with directories Dir3 to Dir1 (levels 0 to 2) and page tables (level 3).
pub static LOONGARCH: Layout = Layout {
    name: "loongarch",
    levels: 4,
    kind,
    runs,
    rights,
};

const VALID: u64 = 1 << 0;
const DIRTY: u64 = 1 << 1;
const HUGE: u64 = 1 << 6;
const PRESENT: u64 = 1 << 7;
const NO_READ: u64 = 1 << 61;
const NO_EXECUTE: u64 = 1 << 62;
const RESTRICTED: u64 = 1 << 63;

const fn kind(bits: u64, level: usize) -> Kind {
    let exists = bits & (VALID | PRESENT) != 0;
    match (level, bits & HUGE != 0) {
        (3, _) if exists => Kind::Page,
        (3, _) => Kind::Invalid,
        (_, false) if bits == 0 => Kind::Invalid,
        (_, false) => Kind::Table,
        (_, true) if !exists => Kind::Invalid,
        (0, true) => Kind::Reserved,
        (_, true) => Kind::Block,
    }
}

fn rights(bits: u64) -> Rights {
    let all = super::rights(
        bits & NO_READ == 0,
        bits & DIRTY != 0,
        bits & NO_EXECUTE == 0,
    );
    let level = bits >> 2 & 0b11;
    let when = |may: bool| if may { all } else { MappingFlags::empty() };
    Rights {
        kernel: when(level == 0 || bits & RESTRICTED == 0),
        user: when(level == 3),
    }
}

fn runs(kind: Kind, level: usize) -> Runs {
    match (kind, level) {
        (Kind::Invalid, _) => &[&INVALID],
        (Kind::Table, _) => &[&TABLE],
        (Kind::Page, _) => &[&UPPER, &FRAME, &STATE, &GLOBAL, &LOWER],
        (Kind::Block, 1) => &[&UPPER, &FRAME_1G, &HUGE_LOW, &STATE, &IS_HUGE, &LOWER],
        (Kind::Block, _) => &[&UPPER, &FRAME_2M, &HUGE_LOW, &STATE, &IS_HUGE, &LOWER],
        (Kind::Reserved, _) => &[&UPPER, &FRAME, &STATE, &IS_HUGE, &LOWER],
    }
}

/// An entry that is neither valid nor a table: the refill handler loads an invalid pair.
const INVALID: [Field; 2] = [
    text(63, 1, "ignored|for software; ignored by the hardware"),
    bit(0, "V|invalid: an access faults|valid"),
];

const UPPER: [Field; 4] = [
    bit(63, "RPLV|PLV, and all with more rights|exactly PLV"),
    bit(62, "NX|may be executed|must not be executed"),
    bit(61, "NR|may be read|must not be read"),
    text(60, 48, "software|for software; ignored by the hardware"),
];
const FRAME: [Field; 2] = [
    field(47, 12, Meaning::Address, "frame"),
    text(11, 9, "software|for software; ignored by the hardware"),
];
const FRAME_2M: [Field; 2] = [
    field(47, 21, Meaning::Address, "frame"),
    text(20, 13, "reserved|reserved, zero"),
];
const FRAME_1G: [Field; 2] = [
    field(47, 30, Meaning::Address, "frame"),
    text(29, 13, "reserved|reserved, zero"),
];
const HUGE_LOW: [Field; 2] = [
    bit(12, "G|of one ASID|global"),
    text(11, 9, "software|for software; ignored by the hardware"),
];
const STATE: [Field; 2] = [
    bit(8, "W|for software: read only|for software: may be written"),
    bit(7, "P|for software: no page|for software: there is a page"),
];
const GLOBAL: [Field; 1] = [bit(6, "G|of one ASID|global")];
const IS_HUGE: [Field; 1] = [bit(6, "H|names a table|a huge page")];
const LOWER: [Field; 4] = [
    field(
        5,
        4,
        Meaning::Values,
        "MAT|SUC: uncached, strongly ordered|CC: cached, coherent|WUC: uncached, weakly ordered|reserved",
    ),
    field(
        3,
        2,
        Meaning::Values,
        "PLV|PLV 0, the kernel|PLV 1|PLV 2|PLV 3, user code",
    ),
    bit(
        1,
        "D|a store is a page-modified exception|stores go through",
    ),
    bit(0, "V|a use is a page-invalid exception|valid"),
];

const TABLE: [Field; 5] = [
    text(63, 48, "ignored|bit 60: a table, for stilt-paging"),
    field(47, 12, Meaning::Address, "next table"),
    text(11, 7, "ignored|ignored by the hardware"),
    bit(6, "H|names a table|a huge page"),
    text(5, 0, "ignored|ignored by the hardware"),
];

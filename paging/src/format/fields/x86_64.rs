//! x86-64, 4-level paging: Intel SDM volume 3A, chapter "Paging", formats of PML4E, PDPTE, PDE and
//! PTE. Level 0 is the PML4. Rights with CR0.WP = 1, EFER.NXE = 1 and CR4.SMEP = 1, and of a leaf
//! alone: they are ANDed over the levels.
#![forbid(unsafe_code)]

use super::{Field, Kind, Layout, Meaning, Runs, bit, field, text};
use crate::{MappingFlags, Rights};

/// x86-64 4-level paging: level 0 is the PML4, 3 the page tables. Its rights are those with
/// CR0.WP, EFER.NXE and CR4.SMEP set.
pub static X86_64: Layout = Layout {
    name: "x86_64",
    levels: 4,
    kind,
    runs,
    rights,
};

const PRESENT: u64 = 1 << 0;
const PAGE_SIZE: u64 = 1 << 7;

const fn kind(bits: u64, level: usize) -> Kind {
    match (bits & PRESENT != 0, bits & PAGE_SIZE != 0, level) {
        (false, ..) => Kind::Invalid,
        (true, _, 3) => Kind::Page,
        (true, false, _) => Kind::Table,
        (true, true, 0) => Kind::Reserved,
        (true, true, _) => Kind::Block,
    }
}

fn rights(bits: u64) -> Rights {
    let user = bits & 1 << 2 != 0;
    let execute = bits & 1 << 63 == 0;
    let all = |execute| super::rights(true, bits & 1 << 1 != 0, execute);
    Rights {
        kernel: all(execute && !user),
        user: if user {
            all(execute)
        } else {
            MappingFlags::empty()
        },
    }
}

fn runs(kind: Kind, level: usize) -> Runs {
    match (kind, level) {
        (Kind::Invalid, _) => &[&INVALID],
        (Kind::Reserved, _) => &[&NEVER, &NEXT, &TABLE_LOW, &SIZE_RESERVED, &USED, &RIGHTS],
        (Kind::Table, _) => &[&NEVER, &NEXT, &TABLE_LOW, &SIZE, &USED, &RIGHTS],
        (Kind::Page, _) => &[
            &NEVER, &KEY, &FRAME, &GLOBAL, &PAT, &DIRTY, &ACCESSED, &RIGHTS,
        ],
        (Kind::Block, 1) => &[
            &NEVER, &KEY, &FRAME_1G, &GLOBAL, &SIZE, &DIRTY, &ACCESSED, &RIGHTS,
        ],
        (Kind::Block, _) => &[
            &NEVER, &KEY, &FRAME_2M, &GLOBAL, &SIZE, &DIRTY, &ACCESSED, &RIGHTS,
        ],
    }
}

const INVALID: [Field; 2] = [
    text(63, 1, "ignored|for software; ignored by the hardware"),
    bit(0, "P|not present: an access faults|present"),
];

const NEVER: [Field; 1] = [bit(63, "XD|may be executed|must not be executed")];
const KEY: [Field; 2] = [
    text(62, 59, "protection key|ignored without CR4.PKE"),
    text(58, 52, "ignored|for software; ignored by the hardware"),
];
const NEXT: [Field; 2] = [
    text(62, 52, "ignored|used entries, as stilt-paging counts"),
    field(51, 12, Meaning::Address, "next table"),
];
const FRAME: [Field; 1] = [field(51, 12, Meaning::Address, "frame")];
const FRAME_2M: [Field; 3] = [
    field(51, 21, Meaning::Address, "frame"),
    text(20, 13, "reserved|reserved, zero"),
    PAT_OF_BLOCK,
];
const FRAME_1G: [Field; 3] = [
    field(51, 30, Meaning::Address, "frame"),
    text(29, 13, "reserved|reserved, zero"),
    PAT_OF_BLOCK,
];
const PAT_OF_BLOCK: Field = text(12, 12, "PAT|bit 2 of the index into IA32_PAT");
const GLOBAL: [Field; 2] = [
    text(11, 9, "ignored|for software; ignored by the hardware"),
    bit(8, "G|of one PCID|global, with CR4.PGE"),
];
const PAT: [Field; 1] = [text(7, 7, "PAT|bit 2 of the index into IA32_PAT")];
const SIZE: [Field; 1] = [bit(7, "PS|names a table|a leaf of this level")];
const SIZE_RESERVED: [Field; 1] = [bit(7, "PS|names a table|reserved here: faults")];
const TABLE_LOW: [Field; 1] = [text(11, 8, "ignored|for software; ignored by the hardware")];
const DIRTY: [Field; 1] = [bit(6, "D|not written|written")];
const USED: [Field; 2] = [text(6, 6, "ignored|ignored by the hardware"), USED_BIT];
const ACCESSED: [Field; 1] = [USED_BIT];
const USED_BIT: Field = bit(5, "A|not used|used");
const RIGHTS: [Field; 5] = [
    text(4, 4, "PCD|bit 1 of the index into IA32_PAT"),
    text(3, 3, "PWT|bit 0 of the index into IA32_PAT"),
    bit(2, "U/S|supervisor only|user, too"),
    bit(1, "R/W|read only|read and write"),
    bit(0, "P|not present: an access faults|present"),
];

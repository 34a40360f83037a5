//! The bits of a descriptor, field by field: VMSAv8-64, stage 1 of EL1&0, 4 KiB granule (Arm DDI
//! 0487 D8.3.1, D8.3.2), as an Armv8.0 core has them.
//!
//! # Decisions
//! - The page shows a descriptor bit by bit from a table of data, [`fields`]. The rights of a leaf
//!   are computed by `stilt-paging`'s format, from its bits after the limits of the tables above it
//!   ([`Limits`]) were applied.

use stilt_paging::format::aarch64::A64PTE;
use stilt_paging::{GenericPTE, MappingFlags, Rights};

/// The kind of a descriptor, by its bits 1:0 and the level of its table (D8.3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Bit 0 is 0: an access faults.
    Invalid,
    /// Levels 0 to 2, bits 0b11.
    Table,
    /// Levels 1 and 2, bits 0b01.
    Block,
    /// Level 3, bits 0b11.
    Page,
    /// Bits 0b01 at level 0 or 3: an access faults.
    Reserved,
}

impl Kind {
    /// The kind of the descriptor `bits` in a table of `level`, 0 to 3.
    #[must_use]
    pub const fn of(bits: u64, level: usize) -> Self {
        match (bits & 0b11, level) {
            (0b11, 3) => Self::Page,
            (0b11, _) => Self::Table,
            (0b01, 1 | 2) => Self::Block,
            (0b01, _) => Self::Reserved,
            _ => Self::Invalid,
        }
    }

    /// Whether the descriptor maps memory: a block or a page.
    #[must_use]
    pub const fn is_leaf(self) -> bool {
        matches!(self, Self::Block | Self::Page)
    }
}

/// The bytes that one entry of a table of `level` translates: 512 GiB, 1 GiB, 2 MiB, 4 KiB for
/// level 0 to 3.
#[must_use]
pub const fn entry_bytes(level: usize) -> u64 {
    1 << (39 - 9 * level)
}

/// The physical address of the frame or table that a descriptor names; a block's is rounded down to
/// its size.
#[must_use]
pub const fn output_address(bits: u64, level: usize) -> u64 {
    let address = bits & crate::registers::ADDRESS;
    match Kind::of(bits, level) {
        Kind::Block => address & !(entry_bytes(level) - 1),
        _ => address,
    }
}

/// The attributes of a leaf: all bits but 47:12, the output address.
#[must_use]
pub const fn attributes(bits: u64) -> u64 {
    bits & !crate::registers::ADDRESS
}

/// SH, bits 9:8: 0b00 non-shareable, 0b10 outer shareable, 0b11 inner shareable.
#[must_use]
pub const fn shareability(bits: u64) -> u64 {
    bits >> 8 & 0b11
}

/// AttrIndx, bits 4:2: the index of the memory type in MAIR_EL1.
#[must_use]
pub const fn attr_index(bits: u64) -> u64 {
    bits >> 2 & 0b111
}

/// Whether the contiguous hint, bit 52, is set.
#[must_use]
pub const fn is_contiguous(bits: u64) -> bool {
    bits >> 52 & 1 != 0
}

/// Whether an entry is an inaccessible leaf of `stilt-paging`: not valid, and bit 55 set.
#[must_use]
pub fn is_inaccessible(bits: u64, level: usize) -> bool {
    let entry = A64PTE::from_bits(bits);
    let leaf = level == 3 || level > 0 && entry.is_huge();
    leaf && !entry.is_present() && !entry.is_unused() && !entry.is_broken()
}

/// The rights that the tables above a leaf take away from it (D8.4.2, hierarchical attributes).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// The bits of a leaf that count as 1: `AP[2]` (`APTable[1]`), UXN (UXNTable), PXN (PXNTable).
    set: u64,
    /// The bits of a leaf that count as 0: `AP[1]` (`APTable[0]`).
    clear: u64,
}

const AP_EL0: u64 = 1 << 6;
const AP_READ_ONLY: u64 = 1 << 7;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;

impl Limits {
    /// These limits and those of the table descriptor `table`, bits 62:59.
    #[must_use]
    pub const fn below(self, table: u64) -> Self {
        const fn when(condition: bool, bits: u64) -> u64 {
            if condition { bits } else { 0 }
        }
        Self {
            set: self.set
                | when(table >> 62 & 1 != 0, AP_READ_ONLY)
                | when(table >> 60 & 1 != 0, UXN)
                | when(table >> 59 & 1 != 0, PXN),
            clear: self.clear | when(table >> 61 & 1 != 0, AP_EL0),
        }
    }

    /// Whether the tables take no rights away.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.set == 0 && self.clear == 0
    }

    /// The limits by the manual's names, `APTable: no writes, PXNTable`; empty for none.
    #[must_use]
    pub fn words(self) -> String {
        let words = [
            (self.set & AP_READ_ONLY != 0, "APTable: no writes"),
            (self.clear & AP_EL0 != 0, "APTable: nothing for EL0"),
            (self.set & UXN != 0, "UXNTable"),
            (self.set & PXN != 0, "PXNTable"),
        ];
        let words = words.iter().filter(|(holds, _)| *holds);
        words.map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
    }

    /// A number for each combination of limits, 0 to 15; 0 is none.
    #[must_use]
    pub const fn code(self) -> u64 {
        (self.set >> 7 & 1) | (self.clear >> 6 & 1) << 1 | (self.set >> 53 & 0b11) << 2
    }
}

/// The rights of EL1 and EL0 to the memory of a leaf, below tables with `limits`; none if the
/// descriptor is not valid.
#[must_use]
pub fn rights(bits: u64, limits: Limits) -> Rights {
    if bits & 1 == 0 {
        let none = MappingFlags::empty();
        return Rights {
            kernel: none,
            user: none,
        };
    }
    A64PTE::from_bits(bits & !limits.clear | limits.set).rights()
}

/// Rights as three letters of EL1, and those of EL0 behind them where it has any: `rw-`, `r-x
/// EL0 r--`.
#[must_use]
pub fn rights_words(rights: Rights) -> String {
    let letters = |flags: MappingFlags| flags.right_letters().iter().collect::<String>();
    match rights.user.is_empty() {
        true => letters(rights.kernel),
        false => format!("{} EL0 {}", letters(rights.kernel), letters(rights.user)),
    }
}

/// A field of a descriptor, with a text for its values.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The number of its highest bit, 0 to 63.
    pub high: u32,
    /// The number of its lowest bit, 0 to 63.
    pub low: u32,
    /// The manual's name of the field.
    pub name: &'static str,
    /// The meaning of its values.
    pub meaning: Meaning,
}

/// The meaning of a field's values.
#[derive(Clone, Copy, Debug)]
pub enum Meaning {
    /// A text for each value: 0, 1 and so on.
    Values(&'static [&'static str]),
    /// The bits of an address in place: bits 47:12 are bits 47:12 of the address.
    Address,
    /// An index into MAIR_EL1.
    MemoryType,
    /// A field that the hardware ignores, or that is reserved: one text for every value.
    Text(&'static str),
}

const fn field(high: u32, low: u32, name: &'static str, meaning: Meaning) -> Field {
    Field {
        high,
        low,
        name,
        meaning,
    }
}

const fn values(bit: u32, name: &'static str, meanings: &'static [&'static str]) -> Field {
    field(bit, bit, name, Meaning::Values(meanings))
}

const IGNORED: Meaning = Meaning::Text("ignored by the hardware");
const ZERO: Meaning = Meaning::Text("reserved, zero");
const VALID: &[&str] = &["invalid: an access faults", "valid"];

const UPPER: [Field; 8] = [
    field(63, 63, "ignored", IGNORED),
    field(62, 59, "PBHA", Meaning::Text("ignored by an Armv8.0 core")),
    field(
        58,
        55,
        "software",
        Meaning::Text("for software; ignored by the hardware"),
    ),
    values(54, "UXN", &["EL0 may execute", "EL0 must not execute"]),
    values(53, "PXN", &["EL1 may execute", "EL1 must not execute"]),
    values(
        52,
        "Contiguous",
        &["on its own", "one of 16 that a single TLB entry may hold"],
    ),
    field(51, 50, "DBM, GP", Meaning::Text("reserved in Armv8.0")),
    field(49, 48, "RES0", ZERO),
];

const LOWER: [Field; 7] = [
    values(
        11,
        "nG",
        &["global: of every ASID", "non-global: of one ASID"],
    ),
    values(
        10,
        "AF",
        &["never used: the first access faults", "may be used"],
    ),
    field(
        9,
        8,
        "SH",
        Meaning::Values(&[
            "non-shareable",
            "reserved",
            "outer shareable",
            "inner shareable",
        ]),
    ),
    values(7, "AP[2]", &["read and write", "read only"]),
    values(6, "AP[1]", &["EL1 only", "EL0, too"]),
    values(5, "NS", &["of Secure state alone", "of Secure state alone"]),
    field(4, 2, "AttrIndx", Meaning::MemoryType),
];

const fn leaf<const ALL: usize>(address: &[Field], kind: Field) -> [Field; ALL] {
    let mut all = [kind; ALL];
    let mut next = 0;
    while next < UPPER.len() {
        all[next] = UPPER[next];
        next += 1;
    }
    let mut index = 0;
    while index < address.len() {
        all[next] = address[index];
        (next, index) = (next + 1, index + 1);
    }
    index = 0;
    while index < LOWER.len() {
        all[next] = LOWER[index];
        (next, index) = (next + 1, index + 1);
    }
    all[next] = kind;
    all[next + 1] = values(0, "valid", VALID);
    all
}

const BLOCK_TYPE: Field = values(1, "type", &["block", "table"]);
const PAGE: [Field; 18] = leaf(
    &[field(47, 12, "output address", Meaning::Address)],
    values(1, "type", &["reserved", "page"]),
);
const BLOCK_2M: [Field; 20] = leaf(
    &[
        field(47, 21, "output address", Meaning::Address),
        field(20, 17, "RES0", ZERO),
        field(16, 12, "nT, RES0", Meaning::Text("reserved in Armv8.0")),
    ],
    BLOCK_TYPE,
);
const BLOCK_1G: [Field; 20] = leaf(
    &[
        field(47, 30, "output address", Meaning::Address),
        field(29, 17, "RES0", ZERO),
        field(16, 12, "nT, RES0", Meaning::Text("reserved in Armv8.0")),
    ],
    BLOCK_TYPE,
);
const TABLE: [Field; 10] = [
    values(
        63,
        "NSTable",
        &["of Secure state alone", "of Secure state alone"],
    ),
    field(
        62,
        61,
        "APTable",
        Meaning::Values(&[
            "takes nothing away",
            "nothing below for EL0",
            "no writes below",
            "no writes below, nothing for EL0",
        ]),
    ),
    values(
        60,
        "UXNTable",
        &["takes nothing away", "EL0 executes nothing below"],
    ),
    values(
        59,
        "PXNTable",
        &["takes nothing away", "EL1 executes nothing below"],
    ),
    field(58, 52, "ignored", IGNORED),
    field(51, 48, "RES0", ZERO),
    field(47, 12, "next table", Meaning::Address),
    field(
        11,
        2,
        "ignored",
        Meaning::Text("ignored by the hardware; stilt-paging counts the table's used entries here"),
    ),
    BLOCK_TYPE,
    values(0, "valid", VALID),
];
const INVALID: [Field; 2] = [
    field(
        63,
        1,
        "ignored",
        Meaning::Text("for software; ignored by the hardware"),
    ),
    values(0, "valid", VALID),
];
const RESERVED: [Field; 3] = [
    field(63, 2, "ignored", IGNORED),
    values(
        1,
        "type",
        &["reserved at this level: an access faults", "table or page"],
    ),
    values(0, "valid", VALID),
];

/// The fields of a descriptor of this kind in a table of `level`, the highest first; together they
/// have each bit once.
#[must_use]
pub const fn fields(kind: Kind, level: usize) -> &'static [Field] {
    match (kind, level) {
        (Kind::Invalid, _) => &INVALID,
        (Kind::Reserved, _) => &RESERVED,
        (Kind::Table, _) => &TABLE,
        (Kind::Page, _) => &PAGE,
        (Kind::Block, 1) => &BLOCK_1G,
        (Kind::Block, _) => &BLOCK_2M,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Limits, Meaning, fields, is_inaccessible, rights, rights_words};

    const EVERY: [(Kind, usize); 6] = [
        (Kind::Invalid, 3),
        (Kind::Reserved, 0),
        (Kind::Table, 0),
        (Kind::Block, 1),
        (Kind::Block, 2),
        (Kind::Page, 3),
    ];

    #[test]
    fn each_bit_is_in_one_field_and_each_value_has_a_meaning() {
        for (kind, level) in EVERY {
            let mut next = 64;
            for field in fields(kind, level) {
                assert_eq!(field.high + 1, next, "{kind:?}: {}", field.name);
                assert!(field.low <= field.high);
                next = field.low;
                if let Meaning::Values(meanings) = field.meaning {
                    let count = 1 << (field.high - field.low + 1);
                    assert_eq!(meanings.len(), count, "{}", field.name);
                }
            }
            assert_eq!(next, 0, "{kind:?}");
        }
    }

    #[test]
    fn kinds_are_told_by_two_bits_and_the_level() {
        assert_eq!(Kind::of(0b01, 0), Kind::Reserved);
        assert_eq!(Kind::of(0b11, 0), Kind::Table);
        assert_eq!(Kind::of(0b01, 1), Kind::Block);
        assert_eq!(Kind::of(0b11, 3), Kind::Page);
        assert_eq!(Kind::of(0b01, 3), Kind::Reserved);
        assert_eq!(Kind::of(0b10, 3), Kind::Invalid);
        assert!(is_inaccessible(1 << 55 | 0b10, 3));
        assert!(is_inaccessible(1 << 55, 2) && !is_inaccessible(1 << 55, 0));
        assert!(!is_inaccessible(0, 3) && !is_inaccessible(0b10, 3));
    }

    /// Bits by hand from D8.3: a page that EL1 may write, and EL0 may read.
    #[test]
    fn tables_above_take_rights_away() {
        let words = |bits, limits| rights_words(rights(bits, limits));
        let user = 0x0060_0000_0000_0f53;
        let text = 0x0040_0000_0000_0793;
        let none = Limits::default();
        assert_eq!(words(user, none), "rw- EL0 rw-");
        assert_eq!(words(text, none), "r-x");
        assert_eq!(words(user, none.below(1 << 61)), "rw-");
        assert_eq!(words(user, none.below(1 << 62)), "r-- EL0 r--");
        assert_eq!(words(text, none.below(1 << 59)), "r--");
        assert_eq!(words(text & !1, none), "---");
        let all = none.below(0b1111 << 59);
        assert_eq!(
            all.words(),
            "APTable: no writes, APTable: nothing for EL0, UXNTable, PXNTable"
        );
        assert_eq!((all.code(), none.code()), (15, 0));
        assert!(none.below(0b11).is_none());
    }
}

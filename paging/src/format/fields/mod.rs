//! Tables of the fields of an entry, bit by bit, for all five formats: for tools that show one.
//!
//! [`LAYOUTS`] has a [`Layout`] for each of AArch64, x86-64, RISC-V Sv39 and Sv48, and LoongArch.
//! It tells any 64 bits at any level apart, whoever has made them: a table, a leaf, or what the
//! architecture reserves there.
//!
//! 0x0060_0000_8000_0713 in an AArch64 table of level 3 is a page of 4 KiB at 0x8000_0000: UXN,
//! bit 54, is 1, "EL0 must not execute"; SH, bits 9:8, is 3, "inner shareable". In a table of
//! level 0 those bits name another table.
//!
//! # Decisions
//! The fields stand in short runs that several kinds of entry share, and a field has one string, so
//! that all five formats take seven kilobytes of an image that has them.
#![forbid(unsafe_code)]

mod aarch64;
mod loongarch;
mod riscv;
mod x86_64;

pub use aarch64::AARCH64;
pub use loongarch::LOONGARCH;
pub use riscv::{SV39, SV48};
pub use x86_64::X86_64;

use crate::addr::PhysAddr;
use crate::{MappingFlags, Rights};

/// The layouts of all five formats.
pub static LAYOUTS: [&Layout; 5] = [&AARCH64, &X86_64, &SV39, &SV48, &LOONGARCH];

/// The kind of an entry, by its bits and the level of its table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Not valid: an access faults, and all other bits are software's.
    Invalid,
    /// The entry names a table of the next level.
    Table,
    /// A leaf above the last level.
    Block,
    /// A leaf of the last level.
    Page,
    /// An encoding that the architecture reserves at that level: an access faults.
    Reserved,
}

impl Kind {
    /// Whether the entry maps memory: a block or a page.
    #[must_use]
    pub const fn is_leaf(self) -> bool {
        matches!(self, Self::Block | Self::Page)
    }

    /// The kind in one word, such as `table`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Table => "table",
            Self::Block => "block",
            Self::Page => "page",
            Self::Reserved => "reserved",
        }
    }
}

/// A field of an entry, with the meaning of its values.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The number of its highest bit, 0 to 63.
    pub high: u8,
    /// The number of its lowest bit, 0 to 63.
    pub low: u8,
    /// The meaning of its values.
    pub meaning: Meaning,
    /// Its name, and what [`Field::texts`] has behind that, each behind a `|`.
    text: &'static str,
}

impl Field {
    /// The manual's name of the field.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.text.split('|').next().unwrap_or_default()
    }

    /// The texts of [`Meaning::Values`], for value 0, 1 and so on, and the one of
    /// [`Meaning::Text`]; none of other fields.
    pub fn texts(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.text.split('|').skip(1)
    }

    /// The field's bits of an entry, shifted down: 3 of 0x713 for SH, bits 9:8.
    #[must_use]
    pub const fn value(&self, bits: u64) -> u64 {
        (bits & self.mask()) >> self.low
    }

    /// The physical address that the field has of an entry; `None` of a field with another meaning.
    #[must_use]
    pub const fn address(&self, bits: u64) -> Option<u64> {
        match self.meaning {
            Meaning::Address => Some(bits & self.mask()),
            Meaning::FrameNumber => Some(self.value(bits) << 12),
            Meaning::Values | Meaning::MemoryType | Meaning::Text => None,
        }
    }

    /// The text for its value in an entry, where there is one.
    #[must_use]
    pub fn words(&self, bits: u64) -> Option<&'static str> {
        let index = match self.meaning {
            Meaning::Values => self.value(bits) as usize,
            _ => 0,
        };
        self.texts().nth(index)
    }

    const fn mask(&self) -> u64 {
        u64::MAX >> (63 - self.high) & !((1 << self.low) - 1)
    }
}

/// The meaning of a field's values.
#[derive(Clone, Copy, Debug)]
pub enum Meaning {
    /// A text for each value: 0, 1 and so on.
    Values,
    /// The bits of a physical address in place: bits 47:12 are bits 47:12 of the address.
    Address,
    /// The bits of a physical address from 12 on, shifted down (RISC-V's PPN).
    FrameNumber,
    /// An index into the bytes of MAIR_EL1 (AArch64's AttrIndx).
    MemoryType,
    /// A field that the hardware ignores, or that is reserved: one text for every value.
    Text,
}

/// Runs of fields, the highest bits first: together they have each bit once.
type Runs = &'static [&'static [Field]];

/// The entries of one format: how kinds are told, and the fields of each.
#[derive(Clone, Copy)]
pub struct Layout {
    /// The format's name, in small letters: `aarch64`.
    pub name: &'static str,
    /// Levels of tables; level 0 is the root.
    pub levels: usize,
    kind: fn(u64, usize) -> Kind,
    runs: fn(Kind, usize) -> Runs,
    rights: fn(u64) -> Rights,
}

impl Layout {
    /// The kind of the entry `bits` in a table of `level`, which is below [`Layout::levels`].
    #[must_use]
    pub fn kind(&self, bits: u64, level: usize) -> Kind {
        (self.kind)(bits, level)
    }

    /// The fields of an entry of this kind in a table of `level`, the highest first; together they
    /// have each bit once.
    pub fn fields(&self, kind: Kind, level: usize) -> impl Iterator<Item = &'static Field> {
        (self.runs)(kind, level).iter().copied().flatten()
    }

    /// The physical address of the frame or table that an entry of this kind names; `None` where it
    /// names none.
    #[must_use]
    pub fn address(&self, bits: u64, kind: Kind, level: usize) -> Option<PhysAddr> {
        let mut fields = self.fields(kind, level);
        let address = fields.find_map(|field| field.address(bits))?;
        Some(PhysAddr::new(address as usize))
    }

    /// Bytes that an entry of a table of `level` translates: 4 KiB at the last, 512 times as many
    /// at each above.
    #[must_use]
    pub const fn entry_bytes(&self, level: usize) -> u64 {
        0x1000 << (9 * (self.levels - 1 - level))
    }

    /// The rights of kernel and user code to the memory of a leaf with these bits, if the tables
    /// above take none away. Each format's constant says with which settings of the CPU.
    #[must_use]
    pub fn rights(&self, bits: u64) -> Rights {
        (self.rights)(bits)
    }
}

const fn field(high: u8, low: u8, meaning: Meaning, text: &'static str) -> Field {
    Field {
        high,
        low,
        meaning,
        text,
    }
}

const fn text(high: u8, low: u8, text: &'static str) -> Field {
    field(high, low, Meaning::Text, text)
}

/// A field of one bit, with the texts for 0 and for 1.
const fn bit(bit: u8, text: &'static str) -> Field {
    field(bit, bit, Meaning::Values, text)
}

/// The rights that are said by one bit each.
fn rights(read: bool, write: bool, execute: bool) -> MappingFlags {
    let mut rights = MappingFlags::empty();
    rights.set(MappingFlags::READ, read);
    rights.set(MappingFlags::WRITE, write);
    rights.set(MappingFlags::EXECUTE, execute);
    rights
}

#[cfg(test)]
mod tests {
    use super::{AARCH64, Kind, LAYOUTS, LOONGARCH, Layout, Meaning, SV39, SV48, X86_64};
    use crate::addr::PhysAddr;
    use crate::format::aarch64::A64PTE;
    use crate::format::loongarch::LA64PTE;
    use crate::format::riscv::Rv64PbmtPTE;
    use crate::format::x86_64::X64PTE;
    use crate::{GenericPTE, MappingFlags, PageSize};
    use std::string::ToString;

    /// Each kind at each level at which a format has it, with bits that are so.
    fn every_kind(layout: &Layout) -> std::vec::Vec<(Kind, usize)> {
        let patterns = (0..0x2000u64).flat_map(|low| [low, low | 1 << 63]);
        let mut found = std::vec::Vec::new();
        for bits in patterns {
            for level in 0..layout.levels {
                let kind = layout.kind(bits, level);
                if !found.contains(&(kind, level)) {
                    found.push((kind, level));
                }
            }
        }
        found
    }

    #[test]
    fn each_bit_is_in_one_field_and_each_value_has_words_that_fit_a_line() {
        for layout in LAYOUTS {
            for (kind, level) in every_kind(layout) {
                let mut next = 64;
                for field in layout.fields(kind, level) {
                    let place = std::format!("{} {kind:?} {level}: {}", layout.name, field.name());
                    assert_eq!(u32::from(field.high) + 1, next, "{place}");
                    assert!(field.low <= field.high, "{place}");
                    next = u32::from(field.low);
                    assert!(field.name().len() <= 15, "{place}");
                    let texts = match field.meaning {
                        Meaning::Values => 1 << (field.high - field.low + 1),
                        Meaning::Text => 1,
                        _ => 0,
                    };
                    assert_eq!(field.texts().count(), texts, "{place}");
                    assert!(field.texts().all(|text| text.len() <= 38), "{place}");
                }
                assert_eq!(next, 0, "{} {kind:?} {level}", layout.name);
            }
        }
    }

    /// Each leaf and table that a format makes is named as that, with its frame and its rights.
    fn agrees<P: GenericPTE>(layout: &Layout) {
        let pa = PhysAddr::new(0x40_8000_0000);
        let last = layout.levels - 1;
        for level in 0..last {
            let table = P::new_table(pa).bits();
            assert_eq!(layout.kind(table, level), Kind::Table, "{}", layout.name);
            assert_eq!(layout.address(table, Kind::Table, level), Some(pa));
        }
        for flags in (0..MappingFlags::SETS).map(MappingFlags::from_bits_retain) {
            for (size, up, kind) in [
                (PageSize::Size4K, 0, Kind::Page),
                (PageSize::Size2M, 1, Kind::Block),
                (PageSize::Size1G, 2, Kind::Block),
            ] {
                let (Ok(leaf), level) = (P::new_page(pa, flags, size), last - up) else {
                    continue;
                };
                let bits = leaf.bits();
                if !leaf.is_present() {
                    assert_eq!(layout.kind(bits, level), Kind::Invalid, "{bits:#x}");
                    continue;
                }
                assert_eq!(layout.kind(bits, level), kind, "{} {bits:#x}", layout.name);
                assert_eq!(layout.address(bits, kind, level), Some(pa), "{bits:#x}");
                assert_eq!(layout.entry_bytes(level), size.bytes() as u64);
                let rights = layout.rights(bits);
                let user = flags.contains(MappingFlags::USER);
                let asked = flags.intersection(MappingFlags::RIGHTS);
                let of_user = if user { asked } else { MappingFlags::empty() };
                assert_eq!(rights.user, of_user, "{} {bits:#x} {flags}", layout.name);
                if !user {
                    assert_eq!(rights.kernel, asked, "{} {bits:#x} {flags}", layout.name);
                }
            }
        }
    }

    #[test]
    fn what_the_formats_make_is_what_the_fields_say() {
        agrees::<A64PTE>(&AARCH64);
        agrees::<X64PTE>(&X86_64);
        agrees::<Rv64PbmtPTE>(&SV39);
        agrees::<Rv64PbmtPTE>(&SV48);
        agrees::<LA64PTE>(&LOONGARCH);
    }

    /// Bits by hand: DDI 0487 D8.3.1; SDM 3A "Paging", formats of entries; the privileged ISA's
    /// 10.4.1 with its list of what faults; LoongArch volume 1, 5.4.5.
    #[test]
    fn kinds_are_told_by_bits_and_level() {
        for (layout, bits, level, kind) in [
            (&AARCH64, 0b01, 0, Kind::Reserved),
            (&AARCH64, 0b11, 0, Kind::Table),
            (&AARCH64, 0b01, 1, Kind::Block),
            (&AARCH64, 0b11, 3, Kind::Page),
            (&AARCH64, 0b01, 3, Kind::Reserved),
            (&AARCH64, 0b10, 3, Kind::Invalid),
            (&X86_64, 0x80, 2, Kind::Invalid),
            (&X86_64, 0x81, 0, Kind::Reserved),
            (&X86_64, 0x81, 1, Kind::Block),
            (&X86_64, 0x81, 3, Kind::Page),
            (&X86_64, 0x01, 2, Kind::Table),
            (&SV39, 0x01, 1, Kind::Table),
            (&SV39, 0x01, 2, Kind::Reserved),
            (&SV39, 0x05, 2, Kind::Reserved),
            (&SV39, 0x03, 2, Kind::Page),
            (&SV39, 0x03, 0, Kind::Block),
            // A block of 2 MiB whose frame is no multiple of that.
            (&SV39, 0x403, 1, Kind::Reserved),
            (&SV48, 0x03, 3, Kind::Page),
            (&SV48, 0x03, 2, Kind::Block),
            (&SV48, 0x0e, 2, Kind::Invalid),
            (&LOONGARCH, 0, 0, Kind::Invalid),
            (&LOONGARCH, 0x1000, 0, Kind::Table),
            (&LOONGARCH, 0xc1, 2, Kind::Block),
            (&LOONGARCH, 0xc1, 3, Kind::Page),
            (&LOONGARCH, 0xc1, 0, Kind::Reserved),
            (&LOONGARCH, 0x40, 3, Kind::Invalid),
        ] {
            let found = layout.kind(bits, level);
            assert_eq!(found, kind, "{} {bits:#x} at {level}", layout.name);
        }
    }

    #[test]
    fn rights_of_any_bits_are_told() {
        for (layout, bits, words) in [
            // AP[2:1] 01, no PXN: EL1 executes nothing that EL0 may write.
            (&AARCH64, 0x0000_0000_8000_0f53, "kernel rw-, user rwx"),
            (&AARCH64, 0x0060_0000_8000_0713, "kernel rw-, user ---"),
            (&X86_64, 0x8000_0000_0000_0067, "kernel rw-, user rw-"),
            (&X86_64, 0x0000_0000_0000_0061, "kernel r-x, user ---"),
            // U = 1: with SUM the kernel loads and stores, and never fetches.
            (&SV39, 0x0df, "kernel rw-, user rwx"),
            (&SV48, 0x0c3, "kernel r--, user ---"),
            // RPLV: PLV 3 alone.
            (&LOONGARCH, 1 << 63 | 0x19f, "kernel ---, user rwx"),
            (&LOONGARCH, 1 << 62 | 0x191, "kernel r--, user ---"),
        ] {
            let found = layout.rights(bits).to_string();
            assert_eq!(found, words, "{} {bits:#x}", layout.name);
        }
    }

    #[test]
    fn a_field_has_its_value_shifted_down() {
        let bits = 0x0060_0000_8000_0713;
        let mut fields = AARCH64.fields(Kind::Page, 3);
        let shareability = fields.find(|field| field.name() == "SH");
        assert_eq!(shareability.map(|field| field.value(bits)), Some(3));
        let words = shareability.and_then(|field| field.words(bits));
        assert_eq!(words, Some("inner shareable"));
        let mut fields = SV39.fields(Kind::Page, 2);
        let frame = fields.find(|field| field.name() == "PPN");
        let address = frame.and_then(|field| field.address(0x2000_0401));
        assert_eq!(address, Some(0x8000_1000));
    }
}

//! The bits of a descriptor, field by field: VMSAv8-64, stage 1 of EL1&0, 4 KiB granule (Arm DDI
//! 0487 D8.3.1, D8.3.2), as an Armv8.0 core has them.
//!
//! # Decisions
//! - The page shows a descriptor bit by bit from `stilt-paging`'s table of fields. The rights of a
//!   leaf are computed by its format, from its bits after the limits of the tables above it
//!   ([`TableLimits`]) were applied.

use stilt_paging::format::aarch64::A64PTE;
use stilt_paging::format::aarch64_verdict::TableLimits;
use stilt_paging::format::fields::{AARCH64, Kind};
use stilt_paging::{GenericPTE, MappingFlags, Rights};

/// The kind of the descriptor `bits` in a table of `level`, 0 to 3 (D8.3.1).
#[must_use]
pub fn kind(bits: u64, level: usize) -> Kind {
    AARCH64.kind(bits, level)
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
pub fn output_address(bits: u64, level: usize) -> u64 {
    let address = bits & crate::registers::ADDRESS;
    match kind(bits, level) {
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

/// The rights of EL1 and EL0 to the memory of a leaf, below tables with `limits`; none if the
/// descriptor is not valid.
#[must_use]
pub fn rights(bits: u64, limits: TableLimits) -> Rights {
    if bits & 1 == 0 {
        let none = MappingFlags::empty();
        return Rights {
            kernel: none,
            user: none,
        };
    }
    limits.applied_to(A64PTE::from_bits(bits)).rights()
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

#[cfg(test)]
mod tests {
    use stilt_paging::GenericPTE;
    use stilt_paging::format::aarch64::A64PTE;
    use stilt_paging::format::aarch64_verdict::TableLimits;

    use super::{is_inaccessible, rights, rights_words};

    #[test]
    fn an_inaccessible_leaf_is_told_by_bit_55() {
        assert!(is_inaccessible(1 << 55 | 0b10, 3));
        assert!(is_inaccessible(1 << 55, 2) && !is_inaccessible(1 << 55, 0));
        assert!(!is_inaccessible(0, 3) && !is_inaccessible(0b10, 3));
    }

    /// Bits by hand from D8.3: a page that EL1 may write, and EL0 may read.
    #[test]
    fn tables_above_take_rights_away() {
        let words = |bits, limits| rights_words(rights(bits, limits));
        let below = |bits| TableLimits::default().below(A64PTE::from_bits(bits));
        let user = 0x0060_0000_0000_0f53;
        let text = 0x0040_0000_0000_0793;
        let none = TableLimits::default();
        assert_eq!(words(user, none), "rw- EL0 rw-");
        assert_eq!(words(text, none), "r-x");
        assert_eq!(words(user, below(1 << 61)), "rw-");
        assert_eq!(words(user, below(1 << 62)), "r-- EL0 r--");
        assert_eq!(words(text, below(1 << 59)), "r--");
        assert_eq!(words(text & !1, none), "---");
    }
}

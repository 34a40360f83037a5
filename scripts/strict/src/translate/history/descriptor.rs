//! What descriptors mean to a TLB: ignored bits do not count.

use crate::translate::walk::{ADDRESS, TABLE_OR_PAGE, VALID, shift};

pub(super) fn same_half(one: u64, other: u64) -> bool {
    (one ^ other) >> 55 & 1 == 0
}

pub(super) fn is_table(level: u8, descriptor: u64) -> bool {
    level < 3 && descriptor & (VALID | TABLE_OR_PAGE) == VALID | TABLE_OR_PAGE
}

/// Whether a TLB may hold the descriptor: it is valid, and a leaf's access flag is set.
pub(super) fn is_kept(level: u8, descriptor: u64) -> bool {
    let valid = descriptor & VALID != 0 && (level < 3 || descriptor & TABLE_OR_PAGE != 0);
    valid && (is_table(level, descriptor) || descriptor >> 10 & 1 != 0)
}

/// The bits of a leaf that hardware reads: not 58:55, nor 63:59, nor DBM and the contiguous hint.
const LEAF: u64 = 0x0060_ffff_ffff_ffff;
/// The bits of a table's descriptor that hardware reads.
const TABLE: u64 = 0xf800_ffff_ffff_f003;

/// Whether two descriptors of one place mean different translations.
pub(super) fn differs(level: u8, one: u64, other: u64) -> bool {
    let mask = match is_table(level, one) {
        true => TABLE,
        false => LEAF,
    };
    one & mask != other & mask
}

/// Whether two valid descriptors for one address may not stand side by side in a TLB: another size,
/// another output address, another memory type, global and not (DDI 0487 D5.10.1).
pub(super) fn conflicts(one: (u8, u64, u64), other: (u8, u64, u64)) -> bool {
    /// AttrIndx, SH and nG.
    const ATTRIBUTES: u64 = 0b111 << 2 | 0b11 << 8 | 1 << 11;
    let tables = [one, other].map(|(level, descriptor, _)| is_table(level, descriptor));
    match tables {
        [true, true] => one.0 == other.0 && (one.1 ^ other.1) & ADDRESS != 0,
        // A pointer that is kept leads to leaves, not to a translation of its own.
        [true, false] | [false, true] => one.0 == other.0,
        [false, false] => {
            let output = |(level, descriptor, first): (u8, u64, u64)| {
                let below = (1_u64 << shift(u32::from(level))) - 1;
                (descriptor & ADDRESS & !below).wrapping_sub(first & !below)
            };
            one.0 != other.0 || output(one) != output(other) || (one.1 ^ other.1) & ATTRIBUTES != 0
        }
    }
}

/// Whether a change takes a translation or a right away; a widening of rights needs no invalidation.
pub(super) fn takes_away(level: u8, before: u64, now: u64) -> bool {
    /// AP[2] is read-only, PXN and UXN forbid execution: taken by a 1.
    const TAKEN_BY_ONE: u64 = 1 << 7 | 1 << 53 | 1 << 54;
    /// AP[1] lets EL0 in: taken by a 0.
    const TAKEN_BY_ZERO: u64 = 1 << 6;
    let rights = TAKEN_BY_ONE | TAKEN_BY_ZERO;
    if is_table(level, before) || now & VALID == 0 {
        return true;
    }
    let same = (before ^ now) & LEAF & !rights == 0;
    !same || !before & now & TAKEN_BY_ONE != 0 || before & !now & TAKEN_BY_ZERO != 0
}

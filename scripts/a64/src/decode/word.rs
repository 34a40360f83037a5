//! An instruction word and its fields.

use crate::operand::{Register, Width};

/// One A64 instruction word.
#[derive(Clone, Copy)]
pub(crate) struct Word(pub(crate) u32);

impl Word {
    /// Bits `high..=low`.
    pub(crate) const fn field(self, high: u32, low: u32) -> u32 {
        (self.0 >> low) & (u32::MAX >> (31 - (high - low)))
    }

    /// Bits `high..=low` as a signed number.
    pub(crate) const fn signed(self, high: u32, low: u32) -> i32 {
        ((self.0 << (31 - high)) as i32) >> (31 - high + low)
    }

    /// Whether bit `number` is set.
    pub(crate) const fn bit(self, number: u32) -> bool {
        self.field(number, number) == 1
    }

    /// Whether the bits under `mask` are `value`.
    pub(crate) const fn matches(self, mask: u32, value: u32) -> bool {
        self.0 & mask == value
    }

    /// The register in the five bits from `low` up: Rd and Rt at 0, Rn at 5, Ra and Rt2 at 10, Rm
    /// and Rs at 16.
    pub(crate) const fn register(self, low: u32) -> Register {
        Register(self.field(low + 4, low) as u8)
    }

    /// sf, bit 31 of "Data Processing" and of "Compare and branch".
    pub(crate) const fn width(self) -> Width {
        if self.bit(31) { Width::X } else { Width::W }
    }
}

#[cfg(test)]
mod tests {
    use super::Word;

    #[test]
    fn fields_are_cut_out_and_signs_kept() {
        let word = Word(0x8000_01f0);
        assert_eq!(word.field(8, 4), 0x1f);
        assert_eq!(word.signed(8, 4), -1);
        assert_eq!(word.signed(9, 4), 31);
        assert_eq!(word.signed(31, 28), -8);
        assert!(word.bit(31) && !word.bit(30));
    }
}

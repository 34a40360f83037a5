//! Kinds of operands: registers, their widths, conditions.

/// The number of a general-purpose register, 0 to 31. 31 is the zero register or the stack pointer:
/// each operand says which ("SP" in its description, else the zero register).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Register(pub u8);

impl Register {
    /// Number 31: the zero register, or SP where the operand says so.
    pub const ZERO: Self = Self(31);

    /// The number as an index of an array of 32.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The width of general registers in an instruction: sf, bit 31, in most classes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Width {
    /// 32 bits; a result clears the upper half of its register.
    W,
    /// 64 bits, the whole register.
    X,
}

impl Width {
    /// The number of bits, 32 or 64.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::W => 32,
            Self::X => 64,
        }
    }

    /// The ones of every bit of the register: 0xffff_ffff or 0xffff_ffff_ffff_ffff.
    #[inline]
    #[must_use]
    pub const fn mask(self) -> u64 {
        match self {
            Self::W => u32::MAX as u64,
            Self::X => u64::MAX,
        }
    }
}

/// A condition, as in bits 3:0 of B.cond (DDI 0487 C1.2.4): EQ is 0, AL 14, and 15 is another AL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Condition(pub u8);

//! What operands are made of: registers, widths, conditions.

/// The number of a general-purpose register, 0 to 31. 31 is the zero register or the stack pointer:
/// each operand says which ("SP" in its description, else the zero register).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Register(pub u8);

impl Register {
    /// Number 31: the zero register, or SP.
    pub const ZERO: Self = Self(31);

    /// For arrays of 32.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How many bits of the registers an instruction works on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Width {
    /// 32: the upper half of the destination becomes zero.
    W,
    /// 64.
    X,
}

impl Width {
    /// 32 or 64.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::W => 32,
            Self::X => 64,
        }
    }

    /// Ones in every bit of the register.
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

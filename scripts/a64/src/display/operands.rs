//! The text of registers, distances, conditions.

use std::fmt::{Display, Formatter, Result};

use crate::data::Extend;
use crate::operand::{Condition, Register, Width};

/// A register whose number 31 is the zero register.
pub(super) struct Plain(pub(super) Register, pub(super) Width);

/// A register whose number 31 is SP.
pub(super) struct OrSp(pub(super) Register, pub(super) Width);

/// A distance in bytes from the instruction, printed as `.+8`.
pub(super) struct Here(pub(super) i64);

impl Display for Plain {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match (self.1, self.0) {
            (Width::W, Register::ZERO) => f.write_str("wzr"),
            (Width::X, Register::ZERO) => f.write_str("xzr"),
            (Width::W, Register(number)) => write!(f, "w{number}"),
            (Width::X, Register(number)) => write!(f, "x{number}"),
        }
    }
}

impl Display for OrSp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match (self.1, self.0) {
            (Width::W, Register::ZERO) => f.write_str("wsp"),
            (Width::X, Register::ZERO) => f.write_str("sp"),
            (width, register) => Plain(register, width).fmt(f),
        }
    }
}

impl Display for Here {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, ".{:+}", self.0)
    }
}

/// A mnemonic and registers, all by one width.
pub(super) fn registers(
    f: &mut Formatter<'_>,
    name: &str,
    width: Width,
    list: &[Register],
) -> Result {
    f.write_str(name)?;
    for (index, register) in list.iter().enumerate() {
        let comma = if index == 0 { " " } else { ", " };
        write!(f, "{comma}{}", Plain(*register, width))?;
    }
    Ok(())
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        const NAMES: [&str; 16] = [
            "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le",
            "al", "nv",
        ];
        f.write_str(NAMES[usize::from(self.0 & 15)])
    }
}

impl Extend {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Uxtb => "uxtb",
            Self::Uxth => "uxth",
            Self::Uxtw => "uxtw",
            Self::Uxtx => "uxtx",
            Self::Sxtb => "sxtb",
            Self::Sxth => "sxth",
            Self::Sxtw => "sxtw",
            Self::Sxtx => "sxtx",
        }
    }
}

//! The text of data processing instructions.

use std::fmt::{self, Display, Formatter, Result};

use super::operands::{Here, OrSp, Plain, registers};
use crate::data::{
    Bitfield, Change, CompareOperand, Data, Extend, Flags, Logical, LogicalOperand, Move, One,
    Operand, Shift, Shifted, Sum, Three, Two,
};
use crate::operand::{Register, Width};

impl Display for Data {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Self::Adr { rd, offset } => write!(f, "adr {}, {}", Plain(rd, Width::X), Here(offset)),
            Self::Adrp { rd, offset } => {
                write!(f, "adrp {}, {}", Plain(rd, Width::X), Here(offset))
            }
            Self::Arithmetic { .. } => arithmetic(f, *self),
            Self::Logical {
                operation,
                width,
                rd,
                rn,
                operand,
            } => logical(f, operation, [rd, rn], width, operand),
            Self::ConditionalCompare { .. } | Self::ConditionalSelect { .. } => {
                conditional(f, *self)
            }
            Self::Move { .. } | Self::Bitfield { .. } | Self::Extract { .. } => immediate(f, *self),
            Self::Carry { .. } | Self::One { .. } | Self::Two { .. } | Self::Three { .. } => {
                plain(f, *self)
            }
        }
    }
}

/// Instructions whose text is registers and then numbers: moves, bitfields, extractions.
fn immediate(f: &mut Formatter<'_>, data: Data) -> Result {
    match data {
        Data::Move {
            kind,
            width,
            rd,
            bits,
            shift,
        } => {
            let name = match kind {
                Move::Inverted => "movn",
                Move::Zeros => "movz",
                Move::Keep => "movk",
            };
            write!(f, "{name} {}, #{bits}", Plain(rd, width))?;
            amount(f, "lsl", shift)
        }
        Data::Bitfield {
            kind,
            width,
            rd,
            rn,
            rotate,
            last,
        } => {
            let name = match kind {
                Bitfield::Signed => "sbfm",
                Bitfield::Insert => "bfm",
                Bitfield::Unsigned => "ubfm",
            };
            registers(f, name, width, &[rd, rn])?;
            write!(f, ", #{rotate}, #{last}")
        }
        Data::Extract {
            width,
            rd,
            rn,
            rm,
            low,
        } => {
            registers(f, "extr", width, &[rd, rn, rm])?;
            write!(f, ", #{low}")
        }
        _ => Err(fmt::Error),
    }
}

/// Instructions whose operands are registers alone.
fn plain(f: &mut Formatter<'_>, data: Data) -> Result {
    match data {
        Data::Carry {
            sum,
            flags,
            width,
            rd,
            rn,
            rm,
        } => {
            let name = sum.name(flags, ["adc", "adcs", "sbc", "sbcs"]);
            registers(f, name, width, &[rd, rn, rm])
        }
        Data::One {
            operation,
            width,
            rd,
            rn,
        } => registers(f, operation.name(), width, &[rd, rn]),
        Data::Two {
            operation,
            width,
            rd,
            rn,
            rm,
        } => two(f, operation, [rd, rn, rm], width),
        Data::Three {
            operation,
            width,
            rd,
            rn,
            rm,
            ra,
        } => three(f, operation, [rd, rn, rm, ra], width),
        _ => Err(fmt::Error),
    }
}

/// A shift, unless its amount is 0.
fn amount(f: &mut Formatter<'_>, name: &str, amount: u8) -> Result {
    match amount {
        0 => Ok(()),
        _ => write!(f, ", {name} #{amount}"),
    }
}

impl Sum {
    /// The mnemonic out of four in the order of ADD, ADDS, SUB, SUBS.
    fn name(self, flags: Flags, names: [&'static str; 4]) -> &'static str {
        match (self, flags) {
            (Self::Add, Flags::Keep) => names[0],
            (Self::Add, Flags::Set) => names[1],
            (Self::Sub, Flags::Keep) => names[2],
            (Self::Sub, Flags::Set) => names[3],
        }
    }
}

fn arithmetic(f: &mut Formatter<'_>, data: Data) -> Result {
    let Data::Arithmetic {
        sum,
        flags,
        width,
        rd,
        rn,
        operand,
    } = data
    else {
        return Err(fmt::Error);
    };
    write!(f, "{} ", sum.name(flags, ["add", "adds", "sub", "subs"]))?;
    let with_sp = !matches!(operand, Operand::Shifted(_));
    match with_sp && flags == Flags::Keep {
        true => write!(f, "{}, ", OrSp(rd, width))?,
        false => write!(f, "{}, ", Plain(rd, width))?,
    }
    match with_sp {
        true => write!(f, "{}, ", OrSp(rn, width))?,
        false => write!(f, "{}, ", Plain(rn, width))?,
    }
    match operand {
        Operand::Immediate { bits, shift } => {
            write!(f, "#{bits}")?;
            amount(f, "lsl", shift)
        }
        Operand::Shifted(shifted) => register(f, shifted, width),
        Operand::Extended { rm, extend, shift } => {
            let width = match extend {
                Extend::Uxtx | Extend::Sxtx => width,
                _ => Width::W,
            };
            write!(f, "{}, {}", Plain(rm, width), extend.name())?;
            match shift {
                0 => Ok(()),
                _ => write!(f, " #{shift}"),
            }
        }
    }
}

fn register(f: &mut Formatter<'_>, shifted: Shifted, width: Width) -> Result {
    let name = match shifted.shift {
        Shift::Lsl => "lsl",
        Shift::Lsr => "lsr",
        Shift::Asr => "asr",
        Shift::Ror => "ror",
    };
    write!(f, "{}", Plain(shifted.rm, width))?;
    match (shifted.shift, shifted.amount) {
        (Shift::Lsl, 0) => Ok(()),
        (_, amount) => write!(f, ", {name} #{amount}"),
    }
}

fn logical(
    f: &mut Formatter<'_>,
    operation: Logical,
    [rd, rn]: [Register; 2],
    width: Width,
    operand: LogicalOperand,
) -> Result {
    let inverted = matches!(operand, LogicalOperand::Inverted(_));
    let name = match (operation, inverted) {
        (Logical::And, false) => "and",
        (Logical::And, true) => "bic",
        (Logical::Orr, false) => "orr",
        (Logical::Orr, true) => "orn",
        (Logical::Eor, false) => "eor",
        (Logical::Eor, true) => "eon",
        (Logical::Ands, false) => "ands",
        (Logical::Ands, true) => "bics",
    };
    match (operand, operation) {
        (LogicalOperand::Immediate(mask), Logical::Ands) => {
            registers(f, name, width, &[rd, rn])?;
            write!(f, ", #{mask:#x}")
        }
        (LogicalOperand::Immediate(mask), _) => {
            write!(
                f,
                "{name} {}, {}, #{mask:#x}",
                OrSp(rd, width),
                Plain(rn, width)
            )
        }
        (LogicalOperand::Plain(shifted) | LogicalOperand::Inverted(shifted), _) => {
            registers(f, name, width, &[rd, rn])?;
            f.write_str(", ")?;
            register(f, shifted, width)
        }
    }
}

fn conditional(f: &mut Formatter<'_>, data: Data) -> Result {
    match data {
        Data::ConditionalCompare {
            sum,
            width,
            rn,
            operand,
            otherwise,
            condition,
        } => {
            let name = match sum {
                Sum::Add => "ccmn",
                Sum::Sub => "ccmp",
            };
            write!(f, "{name} {}, ", Plain(rn, width))?;
            match operand {
                CompareOperand::Immediate(value) => write!(f, "#{value}")?,
                CompareOperand::Register(rm) => write!(f, "{}", Plain(rm, width))?,
            }
            write!(f, ", #{otherwise}, {condition}")
        }
        Data::ConditionalSelect {
            change,
            width,
            rd,
            rn,
            rm,
            condition,
        } => {
            let name = match change {
                Change::None => "csel",
                Change::Increment => "csinc",
                Change::Invert => "csinv",
                Change::Negate => "csneg",
            };
            registers(f, name, width, &[rd, rn, rm])?;
            write!(f, ", {condition}")
        }
        _ => Err(fmt::Error),
    }
}

impl One {
    fn name(self) -> &'static str {
        match self {
            Self::Rbit => "rbit",
            Self::Rev16 => "rev16",
            Self::Rev32 => "rev32",
            Self::Rev => "rev",
            Self::Clz => "clz",
            Self::Cls => "cls",
        }
    }
}

fn two(f: &mut Formatter<'_>, operation: Two, list: [Register; 3], width: Width) -> Result {
    const SIZES: [char; 4] = ['b', 'h', 'w', 'x'];
    let name = match operation {
        Two::Udiv => "udiv",
        Two::Sdiv => "sdiv",
        Two::Lslv => "lslv",
        Two::Lsrv => "lsrv",
        Two::Asrv => "asrv",
        Two::Rorv => "rorv",
        Two::Crc32(size) | Two::Crc32c(size) => {
            let letter = if matches!(operation, Two::Crc32(_)) {
                ""
            } else {
                "c"
            };
            write!(f, "crc32{letter}{}", SIZES[usize::from(size & 3)])?;
            registers(f, "", Width::W, &list[..2])?;
            return write!(f, ", {}", Plain(list[2], width));
        }
    };
    registers(f, name, width, &list)
}

fn three(f: &mut Formatter<'_>, operation: Three, list: [Register; 4], width: Width) -> Result {
    let (name, factors) = match operation {
        Three::Madd => ("madd", width),
        Three::Msub => ("msub", width),
        Three::Smulh => return registers(f, "smulh", width, &list[..3]),
        Three::Umulh => return registers(f, "umulh", width, &list[..3]),
        Three::Smaddl => ("smaddl", Width::W),
        Three::Smsubl => ("smsubl", Width::W),
        Three::Umaddl => ("umaddl", Width::W),
        Three::Umsubl => ("umsubl", Width::W),
    };
    let [rd, rn, rm, ra] = list;
    write!(f, "{name} {}, ", Plain(rd, width))?;
    write!(f, "{}, {}, ", Plain(rn, factors), Plain(rm, factors))?;
    Plain(ra, width).fmt(f)
}

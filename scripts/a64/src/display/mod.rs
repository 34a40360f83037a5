//! Instructions as text, in the manual's canonical form. A branch target or a literal is printed by
//! its distance from the instruction, `.+8`.

mod data;
mod operands;

use std::fmt::{self, Display, Formatter, Result};

use operands::{Here, OrSp, Plain, registers};

use crate::data::Extend;
use crate::flow::{Bit, Branch, Exception};
use crate::instruction::{Instruction, Later};
use crate::memory::{Access, Address, Kind, Offset, Order, PairMode, Scaled, Transfer};
use crate::operand::{Register, Width};
use crate::system::{Pstate, System};

impl Display for Instruction {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Self::Data(data) => data.fmt(f),
            Self::Branch(branch) => branch.fmt(f),
            Self::Exception(exception) => exception.fmt(f),
            Self::System(system) => system.fmt(f),
            Self::Access(access) => access.fmt(f),
            Self::Undefined(immediate) => write!(f, "udf #{immediate}"),
            Self::Vector(word) => write!(f, ".inst {word:#010x} (SIMD, FP, SVE or SME)"),
            Self::Later(Later::Atomic(word) | Later::Access(word) | Later::Branch(word)) => {
                write!(f, ".inst {word:#010x} (later than Armv8.0)")
            }
            Self::Unallocated(word) => write!(f, ".inst {word:#010x} (not allocated)"),
        }
    }
}

impl Display for Branch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Self::Jump { offset } => write!(f, "b {}", Here(offset)),
            Self::Call { offset } => write!(f, "bl {}", Here(offset)),
            Self::Conditional { condition, offset } => {
                write!(f, "b.{condition} {}", Here(offset))
            }
            Self::Compare {
                width,
                on,
                rt,
                offset,
            } => {
                let name = if on == Bit::Clear { "cbz" } else { "cbnz" };
                write!(f, "{name} {}, {}", Plain(rt, width), Here(offset))
            }
            Self::Test {
                bit,
                on,
                rt,
                offset,
            } => {
                let name = if on == Bit::Clear { "tbz" } else { "tbnz" };
                let width = if bit < 32 { Width::W } else { Width::X };
                write!(f, "{name} {}, #{bit}, {}", Plain(rt, width), Here(offset))
            }
            Self::JumpTo { rn } => registers(f, "br", Width::X, &[rn]),
            Self::CallTo { rn } => registers(f, "blr", Width::X, &[rn]),
            Self::Return { rn } => registers(f, "ret", Width::X, &[rn]),
            Self::ExceptionReturn => f.write_str("eret"),
            Self::DebugReturn => f.write_str("drps"),
        }
    }
}

impl Display for Exception {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Self::Supervisor(immediate) => write!(f, "svc #{immediate:#x}"),
            Self::Hypervisor(immediate) => write!(f, "hvc #{immediate:#x}"),
            Self::SecureMonitor(immediate) => write!(f, "smc #{immediate:#x}"),
            Self::Breakpoint(immediate) => write!(f, "brk #{immediate:#x}"),
            Self::Halt(immediate) => write!(f, "hlt #{immediate:#x}"),
            Self::DebugSwitch {
                level,
                immediate: 0,
            } => write!(f, "dcps{level}"),
            Self::DebugSwitch { level, immediate } => write!(f, "dcps{level} #{immediate:#x}"),
        }
    }
}

impl Display for System {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Self::Hint(number) => write!(f, "hint #{number}"),
            Self::ClearExclusive(crm) => write!(f, "clrex #{crm}"),
            Self::DataSynchronization(crm) => barrier(f, "dsb", crm),
            Self::DataMemory(crm) => barrier(f, "dmb", crm),
            Self::InstructionSynchronization(15) => f.write_str("isb sy"),
            Self::InstructionSynchronization(crm) => write!(f, "isb #{crm}"),
            Self::WritePstate { field, immediate } => {
                let name = match field {
                    Pstate::StackPointer => "spsel",
                    Pstate::Mask => "daifset",
                    Pstate::Unmask => "daifclr",
                };
                write!(f, "msr {name}, #{immediate}")
            }
            Self::Maintain { operation, rt } => match operation.name() {
                // An operation on all entries (`tlbi vmalle1`, `ic iallu`) has no address.
                Some(name) if rt == Register::ZERO && name.contains("all") => f.write_str(name),
                Some(name) => write!(f, "{name}, {}", Plain(rt, Width::X)),
                None => write!(f, "sys {operation}, {}", Plain(rt, Width::X)),
            },
            Self::MaintainAndRead { operation, rt } => {
                write!(f, "sysl {}, {operation}", Plain(rt, Width::X))
            }
            Self::Write { register, rt } => write!(f, "msr {register}, {}", Plain(rt, Width::X)),
            Self::Read { register, rt } => write!(f, "mrs {}, {register}", Plain(rt, Width::X)),
        }
    }
}

fn barrier(f: &mut Formatter<'_>, name: &str, crm: u8) -> Result {
    const DOMAINS: [&str; 4] = ["osh", "nsh", "ish", ""];
    const KINDS: [&str; 4] = ["", "ld", "st", ""];
    let (domain, kind) = (usize::from(crm >> 2 & 3), usize::from(crm & 3));
    match (domain, kind) {
        (_, 0) => write!(f, "{name} #{crm}"),
        (3, 3) => write!(f, "{name} sy"),
        _ => write!(f, "{name} {}{}", DOMAINS[domain], KINDS[kind]),
    }
}

impl Display for Access {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Self::Single {
                transfer,
                rt,
                address,
            } => {
                let verb = match address.offset {
                    Offset::Unscaled(_) => "ur",
                    Offset::Unprivileged(_) => "tr",
                    _ => "r",
                };
                transfer.name(f, verb)?;
                write!(f, " {}, {address}", Plain(rt, transfer.register_width()))
            }
            Self::Literal {
                transfer,
                rt,
                offset,
            } => {
                let name = if matches!(transfer.kind, Kind::Load) {
                    "ldr"
                } else {
                    "ldrsw"
                };
                let rt = Plain(rt, transfer.register_width());
                write!(f, "{name} {rt}, {}", Here(offset))
            }
            Self::Pair { .. } => pair(f, *self),
            Self::Exclusive { .. } => exclusive(f, *self),
            Self::Ordered { transfer, rt, rn } => {
                transfer.name(f, if transfer.is_store() { "lr" } else { "ar" })?;
                let rt = Plain(rt, transfer.register_width());
                write!(f, " {rt}, [{}]", OrSp(rn, Width::X))
            }
            Self::Prefetch { operation, address } => {
                let unscaled = matches!(address.offset, Offset::Unscaled(_));
                let name = if unscaled { "prfum" } else { "prfm" };
                write!(f, "{name} #{operation}, {address}")
            }
            Self::PrefetchLiteral { operation, offset } => {
                write!(f, "prfm #{operation}, {}", Here(offset))
            }
        }
    }
}

impl Transfer {
    /// The mnemonic: `ld` or `st`, `middle`, the sign and the suffix of the size (`ldrsb`).
    fn name(self, f: &mut Formatter<'_>, middle: &str) -> Result {
        let verb = if self.is_store() { "st" } else { "ld" };
        let sign = if matches!(self.kind, Kind::LoadSigned(_)) {
            "s"
        } else {
            ""
        };
        let size = match (self.size, sign) {
            (0, _) => "b",
            (1, _) => "h",
            (2, "s") => "w",
            _ => "",
        };
        write!(f, "{verb}{middle}{sign}{size}")
    }
}

fn pair(f: &mut Formatter<'_>, access: Access) -> Result {
    let Access::Pair {
        transfer,
        rt,
        rt2,
        rn,
        offset,
        mode,
    } = access
    else {
        return Err(fmt::Error);
    };
    let verb = if transfer.is_store() { "st" } else { "ld" };
    let middle = if mode == PairMode::NonTemporal {
        "np"
    } else {
        "p"
    };
    let sign = if matches!(transfer.kind, Kind::LoadSigned(_)) {
        "sw"
    } else {
        ""
    };
    let name = format!("{verb}{middle}{sign}");
    registers(f, &name, transfer.register_width(), &[rt, rt2])?;
    let rn = OrSp(rn, Width::X);
    match mode {
        PairMode::Post => write!(f, ", [{rn}], #{offset}"),
        PairMode::Pre => write!(f, ", [{rn}, #{offset}]!"),
        PairMode::NonTemporal | PairMode::Offset => write!(f, ", [{rn}, #{offset}]"),
    }
}

fn exclusive(f: &mut Formatter<'_>, access: Access) -> Result {
    let Access::Exclusive {
        transfer,
        order,
        rs,
        rt,
        rt2,
        rn,
    } = access
    else {
        return Err(fmt::Error);
    };
    let middle = match (order, transfer.is_store(), rt2) {
        (Order::Relaxed, _, None) => "xr",
        (Order::Relaxed, _, Some(_)) => "xp",
        (Order::Ordered, false, None) => "axr",
        (Order::Ordered, false, Some(_)) => "axp",
        (Order::Ordered, true, None) => "lxr",
        (Order::Ordered, true, Some(_)) => "lxp",
    };
    transfer.name(f, middle)?;
    if transfer.is_store() {
        write!(f, " {},", Plain(rs, Width::W))?;
    }
    let width = transfer.register_width();
    write!(f, " {}", Plain(rt, width))?;
    if let Some(rt2) = rt2 {
        write!(f, ", {}", Plain(rt2, width))?;
    }
    write!(f, ", [{}]", OrSp(rn, Width::X))
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let rn = OrSp(self.rn, Width::X);
        match self.offset {
            Offset::Scaled(offset) => write!(f, "[{rn}, #{offset}]"),
            Offset::Unscaled(offset) | Offset::Unprivileged(offset) => {
                write!(f, "[{rn}, #{offset}]")
            }
            Offset::Post(offset) => write!(f, "[{rn}], #{offset}"),
            Offset::Pre(offset) => write!(f, "[{rn}, #{offset}]!"),
            Offset::Register {
                rm,
                extend,
                shift,
                scaled,
            } => {
                let (width, name) = match extend {
                    Extend::Uxtx => (Width::X, "lsl"),
                    Extend::Sxtx => (Width::X, "sxtx"),
                    _ => (Width::W, extend.name()),
                };
                write!(f, "[{rn}, {}, {name}", Plain(rm, width))?;
                match scaled {
                    Scaled::No => f.write_str("]"),
                    Scaled::Yes => write!(f, " #{shift}]"),
                }
            }
        }
    }
}

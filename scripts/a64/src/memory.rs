//! Loads and stores of general registers: DDI 0487 C4.1 "Loads and Stores", and the classes in its
//! table.

use crate::data::Extend;
use crate::operand::{Register, Width};

/// An access to memory, or a hint that one will come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// A load or a store of one register.
    Single {
        /// What is moved.
        transfer: Transfer,
        /// The register.
        rt: Register,
        /// From or to where.
        address: Address,
    },
    /// LDR or LDRSW of a literal pool.
    Literal {
        /// A load of a word or a doubleword.
        transfer: Transfer,
        /// The register.
        rt: Register,
        /// In bytes, from the instruction's own address; ±1 MiB.
        offset: i64,
    },
    /// LDP, LDPSW, STP, LDNP, STNP.
    Pair {
        /// What is moved, for each register.
        transfer: Transfer,
        /// The first register.
        rt: Register,
        /// The second register.
        rt2: Register,
        /// The base. SP if 31.
        rn: Register,
        /// In bytes, a multiple of the size.
        offset: i16,
        /// What becomes of the base.
        mode: PairMode,
    },
    /// LDXR, LDAXR, STXR, STLXR and their like; LDXP, LDAXP, STXP, STLXP.
    Exclusive {
        /// What is moved, for each register.
        transfer: Transfer,
        /// Acquire of a load, release of a store.
        order: Order,
        /// Where a store puts whether it failed; 31 for a load.
        rs: Register,
        /// The register.
        rt: Register,
        /// The second register of a pair.
        rt2: Option<Register>,
        /// The address. SP if 31.
        rn: Register,
    },
    /// LDAR, STLR and their like.
    Ordered {
        /// What is moved.
        transfer: Transfer,
        /// The register.
        rt: Register,
        /// The address. SP if 31.
        rn: Register,
    },
    /// PRFM, PRFUM.
    Prefetch {
        /// Rt: what kind of access is to come.
        operation: u8,
        /// Of what.
        address: Address,
    },
    /// PRFM of a literal.
    PrefetchLiteral {
        /// Rt: what kind of access is to come.
        operation: u8,
        /// In bytes, from the instruction's own address.
        offset: i64,
    },
}

/// What moves between a register and memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transfer {
    /// Which way.
    pub kind: Kind,
    /// The log2 of how many bytes: 0 to 3.
    pub size: u8,
}

/// Which way, and what becomes of the register's other bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// From the register's low bytes.
    Store,
    /// To the register, with zeros above.
    Load,
    /// To the register, with the sign above, up to this width.
    LoadSigned(Width),
}

/// Whether an exclusive access has acquire or release semantics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Neither.
    Relaxed,
    /// Acquire for a load, release for a store.
    Ordered,
}

/// What a pair access does to its base.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PairMode {
    /// Nothing, and the caches are not to keep the data: LDNP, STNP.
    NonTemporal,
    /// Adds the offset afterwards.
    Post,
    /// Nothing.
    Offset,
    /// Adds the offset first.
    Pre,
}

/// An address: a base register, SP if 31, and something added to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Address {
    /// The base.
    pub rn: Register,
    /// What is added.
    pub offset: Offset,
}

/// What is added to a base. Immediates are in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offset {
    /// A multiple of the access size, at most 4095 times.
    Scaled(u16),
    /// Any number of bytes: LDUR, STUR and their like.
    Unscaled(i16),
    /// LDTR, STTR: with the permissions of EL0.
    Unprivileged(i16),
    /// Added to the base afterwards.
    Post(i16),
    /// Added to the base first.
    Pre(i16),
    /// A register.
    Register {
        /// The register.
        rm: Register,
        /// UXTW, UXTX (which is LSL), SXTW or SXTX.
        extend: Extend,
        /// By how many bits it is shifted left: 0, or the log2 of the access size.
        shift: u8,
        /// S: whether a shift is encoded, which for bytes is one by 0.
        scaled: Scaled,
    },
}

/// S of "Load/store register (register offset)".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scaled {
    /// 0.
    No,
    /// 1.
    Yes,
}

impl Transfer {
    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        1 << self.size
    }

    /// Whether it is a store.
    #[must_use]
    pub const fn is_store(self) -> bool {
        matches!(self.kind, Kind::Store)
    }

    /// How wide the register is named: X for 64 bits, and for a sign that reaches so far.
    #[must_use]
    pub const fn register_width(self) -> Width {
        match self.kind {
            Kind::LoadSigned(width) => width,
            Kind::Load | Kind::Store if self.size == 3 => Width::X,
            Kind::Load | Kind::Store => Width::W,
        }
    }
}

impl Access {
    /// What it moves; nothing for a prefetch.
    #[must_use]
    pub const fn transfer(self) -> Option<Transfer> {
        match self {
            Self::Single { transfer, .. }
            | Self::Literal { transfer, .. }
            | Self::Pair { transfer, .. }
            | Self::Exclusive { transfer, .. }
            | Self::Ordered { transfer, .. } => Some(transfer),
            Self::Prefetch { .. } | Self::PrefetchLiteral { .. } => None,
        }
    }

    /// The registers that a load fills, or that has the status of an exclusive store.
    #[must_use]
    pub const fn filled(self) -> [Option<Register>; 2] {
        match self {
            Self::Exclusive { transfer, rs, .. } if transfer.is_store() => [Some(rs), None],
            Self::Single { transfer, rt, .. }
            | Self::Literal { transfer, rt, .. }
            | Self::Ordered { transfer, rt, .. }
                if !transfer.is_store() =>
            {
                [Some(rt), None]
            }
            Self::Pair {
                transfer, rt, rt2, ..
            } if !transfer.is_store() => [Some(rt), Some(rt2)],
            Self::Exclusive { rt, rt2, .. } => [Some(rt), rt2],
            _ => [None, None],
        }
    }

    /// Whether the access leaves a new value in `register`: as what a load fills, as the status of
    /// an exclusive store, or as a base that is written back.
    #[must_use]
    pub fn writes(self, register: Register) -> bool {
        self.filled().contains(&Some(register)) || self.written_base() == Some(register)
    }

    /// Rt, the first register that is moved; none for a prefetch.
    #[must_use]
    pub const fn rt(self) -> Option<Register> {
        match self {
            Self::Single { rt, .. }
            | Self::Literal { rt, .. }
            | Self::Pair { rt, .. }
            | Self::Exclusive { rt, .. }
            | Self::Ordered { rt, .. } => Some(rt),
            Self::Prefetch { .. } | Self::PrefetchLiteral { .. } => None,
        }
    }

    /// The base register; none for a literal.
    #[must_use]
    pub const fn base(self) -> Option<Register> {
        match self {
            Self::Single { address, .. } | Self::Prefetch { address, .. } => Some(address.rn),
            Self::Pair { rn, .. } | Self::Exclusive { rn, .. } | Self::Ordered { rn, .. } => {
                Some(rn)
            }
            Self::Literal { .. } | Self::PrefetchLiteral { .. } => None,
        }
    }

    /// The base register that gets a new value.
    #[must_use]
    pub const fn written_base(self) -> Option<Register> {
        match self {
            Self::Single {
                address:
                    Address {
                        rn,
                        offset: Offset::Post(_) | Offset::Pre(_),
                    },
                ..
            }
            | Self::Pair {
                rn,
                mode: PairMode::Post | PairMode::Pre,
                ..
            } => Some(rn),
            _ => None,
        }
    }
}

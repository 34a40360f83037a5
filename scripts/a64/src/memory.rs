//! Loads and stores of general registers: DDI 0487 C4.1 "Loads and Stores", and the classes in its
//! table.

use crate::data::Extend;
use crate::operand::{Register, Width};

/// An access to memory, or a hint that one will come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// A load or a store of one register.
    Single {
        /// The direction, the size, and the extension of a load.
        transfer: Transfer,
        /// The register that is loaded or stored.
        rt: Register,
        /// The address of the access.
        address: Address,
    },
    /// LDR or LDRSW of a literal: a constant in the code, at a distance from the instruction.
    Literal {
        /// A load of four or eight bytes.
        transfer: Transfer,
        /// The register that is loaded.
        rt: Register,
        /// The distance in bytes from the instruction's own address, ±1 MiB.
        offset: i64,
    },
    /// LDP, LDPSW, STP, LDNP, STNP: two registers and consecutive memory.
    Pair {
        /// The direction, the size and the extension, of each register.
        transfer: Transfer,
        /// Rt, the register at the lower address.
        rt: Register,
        /// Rt2, the register at the higher address.
        rt2: Register,
        /// The base address. SP if 31.
        rn: Register,
        /// imm7 in bytes, a multiple of the size of one register: -64 to 63 times.
        offset: i16,
        /// The use of the offset, and the writeback of the base.
        mode: PairMode,
    },
    /// LDXR, LDAXR, STXR, STLXR and their like; LDXP, LDAXP, STXP, STLXP.
    Exclusive {
        /// The direction and the size, of each register.
        transfer: Transfer,
        /// [`Order::Ordered`] is acquire for a load, release for a store.
        order: Order,
        /// The status register of a store, which gets 0 if memory was written and 1 if not; 31 for
        /// a load.
        rs: Register,
        /// The register that is loaded or stored.
        rt: Register,
        /// Rt2, the second register of LDXP, LDAXP, STXP and STLXP.
        rt2: Option<Register>,
        /// The address. SP if 31.
        rn: Register,
    },
    /// LDAR, STLR and their forms for bytes and halfwords.
    Ordered {
        /// The direction and the size.
        transfer: Transfer,
        /// The register that is loaded or stored.
        rt: Register,
        /// The address. SP if 31.
        rn: Register,
    },
    /// PRFM, PRFUM: a hint that memory will be accessed soon.
    Prefetch {
        /// prfop, in the field Rt: the kind of access (4:3), the level of the cache (2:1), the
        /// policy (0).
        operation: u8,
        /// The address that is prefetched.
        address: Address,
    },
    /// PRFM of a literal: a constant in the code, at a distance from the instruction.
    PrefetchLiteral {
        /// prfop, in the field Rt, as of [`Access::Prefetch`].
        operation: u8,
        /// The distance in bytes from the instruction's own address, ±1 MiB.
        offset: i64,
    },
}

/// One register's part of a load or store: direction, size, extension.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transfer {
    /// The direction, and the extension of a load.
    pub kind: Kind,
    /// The base-2 logarithm of the number of bytes: 0 to 3.
    pub size: u8,
}

/// The direction of a transfer, and for a load the bits of the register above the data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A store of the register's low bytes.
    Store,
    /// A load with zeros above the data.
    Load,
    /// A load with the data's sign bit repeated above it, up to this width.
    LoadSigned(Width),
}

/// o0 of "Load/store exclusive": whether the access has acquire or release semantics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// 0: neither.
    Relaxed,
    /// 1: acquire for a load, release for a store.
    Ordered,
}

/// Bits 24:23 of the pair classes: the use of the offset, and the writeback of the base.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PairMode {
    /// 00, LDNP and STNP: base + offset, with a hint that the data is not reused soon.
    NonTemporal,
    /// 01: the base alone; then base + offset is written back to it.
    Post,
    /// 10: base + offset.
    Offset,
    /// 11: base + offset, which is written back to the base.
    Pre,
}

/// The address of an access: a base register and an offset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Address {
    /// The base. SP if 31.
    pub rn: Register,
    /// The offset, and the writeback of the base.
    pub offset: Offset,
}

/// The offset from a base register, by class of "Loads and Stores". Immediates are in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offset {
    /// imm12 times the access size, 0 to 4095 times.
    Scaled(u16),
    /// imm9, -256 to 255: LDUR, STUR and their forms for other sizes.
    Unscaled(i16),
    /// imm9, -256 to 255: LDTR, STTR, which access memory with the permissions of EL0.
    Unprivileged(i16),
    /// imm9, -256 to 255: the access is at the base, to which the offset is then added (writeback).
    Post(i16),
    /// imm9, -256 to 255: the access is at base + offset, which is written back to the base.
    Pre(i16),
    /// A register, extended and then shifted left.
    Register {
        /// Rm, the index register.
        rm: Register,
        /// UXTW, UXTX (which is LSL), SXTW or SXTX.
        extend: Extend,
        /// The shift to the left in bits: 0, or the base-2 logarithm of the access size.
        shift: u8,
        /// S, which for an access of one byte differs only in how it is written: `lsl #0`, or
        /// nothing.
        scaled: Scaled,
    },
}

/// S of "Load/store register (register offset)", bit 12: whether the index is shifted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scaled {
    /// 0: no shift.
    No,
    /// 1: a shift by the base-2 logarithm of the access size.
    Yes,
}

impl Transfer {
    /// The size of the transfer in bytes: 1, 2, 4 or 8.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> u32 {
        1 << self.size
    }

    /// Whether the transfer is a store.
    #[inline]
    #[must_use]
    pub const fn is_store(self) -> bool {
        matches!(self.kind, Kind::Store)
    }

    /// The width by which the register is named: X for eight bytes, and for a sign that is extended
    /// to 64 bits.
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
    /// The direction and the size of the access; none for a prefetch.
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

    /// The registers that a load fills; for an exclusive store the one that gets its status.
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

    /// Whether the access leaves a new value in `register`: it is filled by a load, gets the status
    /// of an exclusive store, or is a base with writeback.
    #[must_use]
    pub fn writes(self, register: Register) -> bool {
        self.filled().contains(&Some(register)) || self.written_base() == Some(register)
    }

    /// Rt, the first register that is loaded or stored; none for a prefetch.
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

    /// The base register, if it is written back.
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

//! Loads, stores and moves of SIMD and floating-point registers: what compilers use to copy memory
//! and to save registers. Everything else of the group stays undecoded.

use crate::memory::{Address, PairMode};
use crate::operand::{Register, Width};

/// The number of a SIMD and floating-point register, 0 to 31.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VectorRegister(pub u8);

impl VectorRegister {
    /// The number as an index of an array of 32.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize & 31
    }
}

/// A load, a store or a move of SIMD and floating-point registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vector {
    /// LDR, LDUR, STR, STUR of one register.
    Single {
        /// The direction and the size.
        transfer: VectorTransfer,
        /// The register that is loaded or stored.
        rt: VectorRegister,
        /// The address of the access.
        address: Address,
    },
    /// LDR of a literal.
    Literal {
        /// A load of 4, 8 or 16 bytes.
        transfer: VectorTransfer,
        /// The register that is loaded.
        rt: VectorRegister,
        /// The distance in bytes from the instruction's own address.
        offset: i64,
    },
    /// LDP, STP, LDNP, STNP.
    Pair {
        /// The direction and the size of each register.
        transfer: VectorTransfer,
        /// The registers at the lower and at the higher address.
        registers: [VectorRegister; 2],
        /// The base address. SP if 31.
        rn: Register,
        /// imm7 in bytes.
        offset: i16,
        /// The use of the offset, and the writeback of the base.
        mode: PairMode,
    },
    /// MOVI, MVNI: a constant for the whole register.
    Constant {
        /// The register that is written.
        rd: VectorRegister,
        /// The value of all 128 bits.
        value: u128,
    },
    /// FMOV from a general register, which clears the bits above.
    FromGeneral {
        /// The register that is written.
        rd: VectorRegister,
        /// The general register.
        rn: Register,
        /// W for S, X for D.
        width: Width,
    },
    /// FMOV to a general register.
    ToGeneral {
        /// The general register that is written.
        rd: Register,
        /// The register that is read.
        rn: VectorRegister,
        /// W for S, X for D.
        width: Width,
    },
    /// DUP from a general register: its low bits in every element.
    Duplicate {
        /// The register that is written.
        rd: VectorRegister,
        /// The general register.
        rn: Register,
        /// The base-2 logarithm of an element's bytes: 0 to 3.
        size: u8,
        /// All 128 bits, not 64.
        whole: bool,
    },
    /// ORR of registers, which MOV is.
    Or {
        /// The register that is written.
        rd: VectorRegister,
        /// The registers that are read.
        operands: [VectorRegister; 2],
        /// All 128 bits, not 64.
        whole: bool,
    },
}

/// One register's part of a load or a store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VectorTransfer {
    /// It is a store.
    pub store: bool,
    /// The base-2 logarithm of the number of bytes: 0 to 4.
    pub size: u8,
}

impl VectorTransfer {
    /// The size in bytes: 1 to 16.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        1 << self.size
    }
}

//! What images differ in, besides their random instructions.

use super::layout::Level;

/// The exception level and the system registers of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The exception level at which blocks begin.
    pub(crate) level: Level,
    /// SCTLR of that level.
    pub(crate) sctlr: u64,
    /// Whether EL1 lets EL0 do what [`EL0_MAY`] says.
    pub(crate) el0_may: bool,
    /// Bits that are added to TCR of that level.
    pub(crate) tcr: u64,
}

/// SCTLR_EL1: the bits that are RES1 in Armv8.0; nTWE and nTWI, so that EL0 may wait; I, C, M.
const SCTLR_EL1: u64 = 0x30d0_0800 | 1 << 18 | 1 << 16 | ON;
/// SCTLR_EL2: the bits that are RES1; I, C, M.
const SCTLR_EL2: u64 = 0x30c5_0830 | ON;
/// I, C and M: instruction cache, data cache, MMU.
const ON: u64 = 1 << 12 | 1 << 2 | 1;
/// A: accesses that are not aligned are faults.
const ALIGNED: u64 = 1 << 1;
/// UCI, UCT, DZE, UMA: EL0 may clean caches, read CTR_EL0, zero lines and mask interrupts.
const EL0_MAY: u64 = 1 << 26 | 1 << 15 | 1 << 14 | 1 << 9;
/// TBI0 of TCR_EL1 and TBI of TCR_EL2: the top byte of an address is ignored.
const TOP_BYTE_IGNORED: [u64; 2] = [1 << 37, 1 << 20];

impl Settings {
    /// The settings of the image with this number: each of eight in turn.
    pub(crate) fn of(number: u32) -> Self {
        let level = match number % 4 {
            3 => Level::El2,
            _ => Level::El1,
        };
        let aligned = if number % 4 == 2 || number % 8 == 7 {
            ALIGNED
        } else {
            0
        };
        let tagged = number % 8 >= 4;
        let el0_may = number % 4 != 1;
        match level {
            Level::El1 => Self {
                level,
                sctlr: SCTLR_EL1 | aligned | if el0_may { EL0_MAY } else { 0 },
                el0_may,
                tcr: if tagged { TOP_BYTE_IGNORED[0] } else { 0 },
            },
            Level::El2 => Self {
                level,
                sctlr: SCTLR_EL2 | aligned,
                el0_may,
                tcr: if tagged { TOP_BYTE_IGNORED[1] } else { 0 },
            },
        }
    }
}

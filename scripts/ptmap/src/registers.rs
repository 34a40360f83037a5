//! The registers that control translation at EL1 (Arm DDI 0487 D24.2).

use crate::gdb::{Client, Connection, GdbError};
use crate::memory_type::MemoryType;

/// Half of the address space, translated from one of the two TTBRs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Half {
    /// The addresses from 0 on, translated from TTBR0_EL1.
    Low,
    /// The addresses up to the last one, translated from TTBR1_EL1.
    High,
}

impl Half {
    /// Both, in the order of addresses.
    pub const BOTH: [Self; 2] = [Self::Low, Self::High];

    /// The half in which `va` lies, by its topmost bit.
    #[must_use]
    pub const fn of(va: u64) -> Self {
        match va >> 63 {
            0 => Self::Low,
            _ => Self::High,
        }
    }

    /// The name: `low half`, `high half`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low half",
            Self::High => "high half",
        }
    }

    /// The register with the half's root table.
    #[must_use]
    pub const fn register(self) -> &'static str {
        match self {
            Self::Low => "TTBR0_EL1",
            Self::High => "TTBR1_EL1",
        }
    }
}

/// A core's translation registers at EL1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Registers {
    /// TTBR0_EL1: ASID in bits 63:48, the root's address below.
    pub ttbr0: u64,
    /// TTBR1_EL1: ASID and root, as in TTBR0_EL1; TCR_EL1.A1 says which ASID is used.
    pub ttbr1: u64,
    /// TCR_EL1: for each half the size, the granule and whether walks are on; IPS for both.
    pub tcr: u64,
    /// MAIR_EL1: eight memory types of a byte each.
    pub mair: u64,
    /// SCTLR_EL1, of which M (bit 0) and WXN (bit 19) affect translation.
    pub sctlr: u64,
}

/// The translation of a half, or the reason why there is none to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Translation {
    /// The walk begins at `root`, a table of `level`, for addresses of `bits` bits.
    Walks {
        /// The physical address of the root table.
        root: u64,
        /// The level of the root table: 0 for more than 39 bits, else 1 or 2.
        level: usize,
        /// The size of the half's addresses in bits, 64 - TxSZ: 25 to 48.
        bits: u32,
    },
    /// SCTLR_EL1.M is 0: the MMU is off, and addresses are physical.
    MmuOff,
    /// TCR_EL1.EPDx is 1: no walk, so every access that misses the TLB faults.
    WalksOff,
    /// TCR_EL1.TGx selects a granule of 16 KiB or 64 KiB, or a reserved one.
    OtherGranule,
    /// TCR_EL1.TxSZ is below 16 or above 39.
    OddSize,
}

impl Translation {
    /// The reason why the half has no tables to read; none if it has.
    #[must_use]
    pub const fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Walks { .. } => None,
            Self::MmuOff => Some("the MMU is off (SCTLR_EL1.M = 0): addresses are physical"),
            Self::WalksOff => Some("walks are off (TCR_EL1.EPD = 1): every access faults"),
            Self::OtherGranule => Some("the granule is not 4 KiB (TCR_EL1.TG): not read here"),
            Self::OddSize => Some("the size of addresses (TCR_EL1.TSZ) is outside of 16 to 39"),
        }
    }
}

/// Bits 47:12: the address in a TTBR or in a table descriptor.
pub(crate) const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

const SCTLR_M: u64 = 1 << 0;
const SCTLR_WXN: u64 = 1 << 19;

impl Registers {
    /// Reads the registers of the core that `client` has chosen.
    ///
    /// # Errors
    /// [`GdbError`]; [`GdbError::NoRegister`] for a machine that is not AArch64.
    pub fn read<C: Connection>(client: &mut Client<C>) -> Result<Self, GdbError> {
        Ok(Self {
            ttbr0: client.register(&["TTBR0_EL1"])?,
            ttbr1: client.register(&["TTBR1_EL1"])?,
            tcr: client.register(&["TCR_EL1"])?,
            mair: client.register(&["MAIR_EL1"])?,
            // QEMU 7.2 calls the register SCTLR, without the exception level.
            sctlr: client.register(&["SCTLR_EL1", "SCTLR"])?,
        })
    }

    /// The translation of `half`, by TCR_EL1, its TTBR and SCTLR_EL1.M.
    #[must_use]
    pub const fn translation(&self, half: Half) -> Translation {
        const TG0_4K: u64 = 0b00;
        const TG1_4K: u64 = 0b10;
        let (ttbr, size, off, granule) = match half {
            Half::Low => (
                self.ttbr0,
                self.tcr & 0x3f,
                self.tcr >> 7 & 1,
                self.tcr >> 14 & 0b11 == TG0_4K,
            ),
            Half::High => (
                self.ttbr1,
                self.tcr >> 16 & 0x3f,
                self.tcr >> 23 & 1,
                self.tcr >> 30 & 0b11 == TG1_4K,
            ),
        };
        if self.sctlr & SCTLR_M == 0 {
            return Translation::MmuOff;
        }
        if off != 0 {
            return Translation::WalksOff;
        }
        if !granule {
            return Translation::OtherGranule;
        }
        if size < 16 || size > 39 {
            return Translation::OddSize;
        }
        let bits = 64 - size as u32;
        // Nine bits for each level, the last of which ends at bit 12 (D8.2).
        let level = 4 - (bits - 12).div_ceil(9) as usize;
        let root = ttbr & ADDRESS;
        Translation::Walks { root, level, bits }
    }

    /// The first address of a half whose addresses have `bits` bits: for 39 bits of the high half
    /// 0xffff_ff80_0000_0000.
    #[must_use]
    pub const fn first_address(half: Half, bits: u32) -> u64 {
        match half {
            Half::Low => 0,
            Half::High => u64::MAX << bits,
        }
    }

    /// SCTLR_EL1.WXN: writable memory is execute-never, whatever its descriptor says.
    #[must_use]
    pub const fn write_implies_execute_never(&self) -> bool {
        self.sctlr & SCTLR_WXN != 0
    }

    /// The size of a physical address in bits, 32 to 48: TCR_EL1.IPS.
    #[must_use]
    pub const fn physical_bits(&self) -> u32 {
        match self.tcr >> 32 & 0b111 {
            0 => 32,
            1 => 36,
            2 => 40,
            3 => 42,
            4 => 44,
            _ => 48,
        }
    }

    /// The memory type with `index`, 0 to 7, in MAIR_EL1.
    #[must_use]
    pub const fn memory_type(&self, index: u64) -> MemoryType {
        MemoryType((self.mair >> (8 * (index & 0b111))) as u8)
    }

    /// The registers as rows of name, value and meaning in words.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, u64, String)> {
        let root = |half, ttbr: u64| {
            let meaning = match self.translation(half) {
                Translation::Walks { root, level, bits } => {
                    format!("root {root:#x}, level {level}, {bits}-bit addresses")
                }
                other => other.refusal().unwrap_or_default().to_owned(),
            };
            format!("{meaning}; ASID {}", ttbr >> 48)
        };
        let types = (0..8).map(|index| format!("{index} {}", self.memory_type(index)));
        let on = |bit: u32| self.sctlr >> bit & 1;
        vec![
            ("TTBR0_EL1", self.ttbr0, root(Half::Low, self.ttbr0)),
            ("TTBR1_EL1", self.ttbr1, root(Half::High, self.ttbr1)),
            (
                "TCR_EL1",
                self.tcr,
                format!(
                    "T0SZ={} EPD0={} T1SZ={} EPD1={} A1={} IPS={} bits",
                    self.tcr & 0x3f,
                    self.tcr >> 7 & 1,
                    self.tcr >> 16 & 0x3f,
                    self.tcr >> 23 & 1,
                    self.tcr >> 22 & 1,
                    self.physical_bits()
                ),
            ),
            ("MAIR_EL1", self.mair, types.collect::<Vec<_>>().join(", ")),
            (
                "SCTLR_EL1",
                self.sctlr,
                format!(
                    "M={} (MMU) C={} (data cache) I={} (instruction cache) WXN={}",
                    on(0),
                    on(2),
                    on(12),
                    on(19)
                ),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{Half, Registers, Translation};

    /// As the boot map has them on a Cortex-A53: 40-bit physical addresses.
    const BOOT: Registers = Registers {
        ttbr0: 0x0007_0000_0011_7000,
        ttbr1: 0x11_9000,
        tcr: 0x12_b510_3510,
        mair: 0xff_4400_0400,
        sctlr: 0x30d8_181f,
    };

    #[test]
    fn both_halves_have_48_bits_and_the_asid_is_no_part_of_the_root() {
        let walks = |root| Translation::Walks {
            root,
            level: 0,
            bits: 48,
        };
        assert_eq!(BOOT.translation(Half::Low), walks(0x11_7000));
        assert_eq!(BOOT.translation(Half::High), walks(0x11_9000));
        assert_eq!(Registers::first_address(Half::High, 48), 0xffff << 48);
        assert_eq!(BOOT.physical_bits(), 40);
        assert!(BOOT.write_implies_execute_never());
    }

    #[test]
    fn fewer_bits_begin_at_a_lower_level() {
        for (size, level) in [(16, 0), (24, 0), (25, 1), (33, 1), (34, 2), (39, 2)] {
            let tcr = BOOT.tcr & !0x3f | size;
            let found = Registers { tcr, ..BOOT }.translation(Half::Low);
            let bits = 64 - size as u32;
            let root = 0x11_7000;
            assert_eq!(
                found,
                Translation::Walks { root, level, bits },
                "T0SZ {size}"
            );
        }
    }

    #[test]
    fn what_is_not_translated_says_why() {
        let with = |tcr, sctlr| Registers { tcr, sctlr, ..BOOT };
        let on = BOOT.sctlr;
        for (registers, half, expected) in [
            (with(BOOT.tcr, on & !1), Half::High, Translation::MmuOff),
            (
                with(BOOT.tcr | 1 << 7, on),
                Half::Low,
                Translation::WalksOff,
            ),
            (
                with(BOOT.tcr | 1 << 23, on),
                Half::High,
                Translation::WalksOff,
            ),
            (
                with(BOOT.tcr | 1 << 14, on),
                Half::Low,
                Translation::OtherGranule,
            ),
            (
                with(BOOT.tcr & !(0b11 << 30), on),
                Half::High,
                Translation::OtherGranule,
            ),
            (
                with(BOOT.tcr & !0x3f | 40, on),
                Half::Low,
                Translation::OddSize,
            ),
            (
                with(BOOT.tcr & !0x3f | 15, on),
                Half::Low,
                Translation::OddSize,
            ),
        ] {
            assert_eq!(registers.translation(half), expected);
            assert!(expected.refusal().is_some());
        }
    }
}

//! PAR_EL1: what an `AT` instruction, which asks the MMU for one address, found.
//!
//! Source: DDI 0487 D24.2.127. Bit 0 (F) decides between two layouts:
//!
//! ```text
//!          63     56 55    48 47           12 11    9 8  7 6      1   0
//!         +---------+--------+---------------+-------+----+--------+---+
//! F = 0   | ATTR    | 0      | PA[47:12]     |       | SH | 0      | 0 |
//! F = 1   |                  | 0             |       |    | FST    | 1 |
//!         +---------+--------+---------------+-------+----+--------+---+
//! ```
//!
//! 0xff00_0000_0008_0b80: frame 0x8_0000, Normal write-back, inner shareable. 0x80f: a translation
//! fault at level 3 (FST 0b000111), which is how `AT` says that nothing is mapped.
#![forbid(unsafe_code)]

use core::fmt;

use crate::addr::PhysAddr;

/// The value of PAR_EL1 after an `AT`, all 64 bits: either a frame with its memory type, or why the
/// MMU found none. Read after an `isb`; an exception handler may have overwritten it since.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TranslationResult(pub u64);

impl TranslationResult {
    /// F, bit 0: the translation failed.
    const FAILED: u64 = 1;

    /// The physical address of the 4 KiB that hold the address, bits 47:12, whatever the size of
    /// the leaf; `None` if the translation failed.
    #[must_use]
    pub const fn frame(self) -> Option<PhysAddr> {
        if self.0 & Self::FAILED != 0 {
            return None;
        }
        Some(PhysAddr::new((self.0 & 0x0000_ffff_ffff_f000) as usize))
    }

    /// ATTR, bits 63:56: the memory type that the leaf's AttrIndx chose. Without meaning after a
    /// failure.
    #[must_use]
    pub const fn attributes(self) -> MemoryAttributes {
        MemoryAttributes((self.0 >> 56) as u8)
    }

    /// FST, bits 6:1, of a failure: what a data abort would have as DFSC in ESR_EL1, 0b000111 for a
    /// translation fault at level 3, 0b001111 for a permission fault there (DDI 0487 D24.2.40).
    /// Without meaning after a success.
    #[must_use]
    pub const fn fault_status(self) -> u8 {
        ((self.0 >> 1) & 0x3f) as u8
    }
}

impl fmt::Display for TranslationResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.frame() {
            Some(frame) => write!(f, "frame {frame}, {}", self.attributes()),
            None => write!(f, "fault, status {:#04x}", self.fault_status()),
        }
    }
}

/// Memory attributes as PAR_EL1.ATTR has them, encoded as one byte of MAIR_EL1 (DDI 0487
/// D24.2.110): 0x04 is Device-nGnRE; 0xff is Normal memory, outer and inner write-back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MemoryAttributes(pub u8);

impl fmt::Display for MemoryAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The upper half is 0 for Device memory, and then the lower half is its kind. For Normal
        // memory both halves are a policy, and 0 in either is no value of the table.
        let (outer, inner) = (self.0 >> 4, self.0 & 0xf);
        match self.0 {
            0x00 => f.write_str("Device-nGnRnE"),
            0x04 => f.write_str("Device-nGnRE"),
            0x08 => f.write_str("Device-nGRE"),
            0x0c => f.write_str("Device-GRE"),
            _ if outer == 0 || inner == 0 => write!(f, "attributes {:#04x}", self.0),
            _ if outer == inner => write!(f, "Normal {}", cache_policy(inner)),
            _ => write!(
                f,
                "Normal, inner {}, outer {}",
                cache_policy(inner),
                cache_policy(outer)
            ),
        }
    }
}

/// The policy that half a byte of attributes means for Normal memory. Bits 1:0, where they are
/// hints to allocate on reads and writes, are left out: 0b1011 is write-through like 0b1000.
const fn cache_policy(half: u8) -> &'static str {
    match half {
        0b0100 => "non-cacheable",
        0b0001..=0b0011 => "write-through transient",
        0b0101..=0b0111 => "write-back transient",
        0b1000..=0b1011 => "write-through",
        _ => "write-back",
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryAttributes, TranslationResult};
    use std::string::ToString;

    use crate::addr::PhysAddr;

    #[test]
    fn success_and_fault_are_told_apart_by_bit_0() {
        let good = TranslationResult(0xff00_0000_0008_0b80);
        assert_eq!(good.frame(), Some(PhysAddr::new(0x8_0000)));
        assert_eq!(good.attributes(), MemoryAttributes(0xff));
        let level_3_translation = TranslationResult(0x809 | 0b00_0111 << 1);
        assert_eq!(level_3_translation.frame(), None);
        assert_eq!(level_3_translation.fault_status(), 0b00_0111);
    }

    #[test]
    fn each_attribute_of_this_kernels_mair_has_its_name() {
        let table = [
            (0x00, "Device-nGnRnE"),
            (0x04, "Device-nGnRE"),
            (0x44, "Normal non-cacheable"),
            (0xff, "Normal write-back"),
            (0xbb, "Normal write-through"),
            (0x4f, "Normal, inner write-back, outer non-cacheable"),
            (0x01, "attributes 0x01"),
        ];
        for (byte, words) in table {
            assert_eq!(MemoryAttributes(byte).to_string(), words);
        }
    }
}

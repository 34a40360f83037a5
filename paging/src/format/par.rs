//! PAR_EL1: what an AT instruction found. Source: DDI 0487 D24.2.127.
#![forbid(unsafe_code)]

use core::fmt;

use crate::addr::PhysAddr;

/// The value of PAR_EL1 after an address translation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TranslationResult(pub u64);

impl TranslationResult {
    /// PAR_EL1.F: the translation failed.
    const FAILED: u64 = 1;

    /// The frame (4 KiB) that the address translates to, unless the translation failed.
    #[must_use]
    pub const fn frame(self) -> Option<PhysAddr> {
        if self.0 & Self::FAILED != 0 {
            return None;
        }
        Some(PhysAddr::new((self.0 & 0x0000_ffff_ffff_f000) as usize))
    }

    /// The memory attributes.
    #[must_use]
    pub const fn attributes(self) -> MemoryAttributes {
        MemoryAttributes((self.0 >> 56) as u8)
    }

    /// Of a failure: the fault status, encoded as DFSC.
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

/// Memory attributes as PAR_EL1.ATTR has them: one byte of MAIR_EL1 (DDI 0487 D24.2.110).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MemoryAttributes(pub u8);

impl fmt::Display for MemoryAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// What half a byte of attributes means for Normal memory, without the hints when to allocate.
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

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

    /// The memory attributes, encoded as one byte of MAIR_EL1.
    #[must_use]
    pub const fn attributes(self) -> u8 {
        (self.0 >> 56) as u8
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
            Some(frame) => write!(f, "frame {frame}, attributes {:#04x}", self.attributes()),
            None => write!(f, "fault, status {:#04x}", self.fault_status()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TranslationResult;
    use crate::addr::PhysAddr;

    #[test]
    fn success_and_fault_are_told_apart_by_bit_0() {
        let good = TranslationResult(0xff00_0000_0008_0b80);
        assert_eq!(good.frame(), Some(PhysAddr::new(0x8_0000)));
        assert_eq!(good.attributes(), 0xff);
        let level_3_translation = TranslationResult(0x809 | 0b00_0111 << 1);
        assert_eq!(level_3_translation.frame(), None);
        assert_eq!(level_3_translation.fault_status(), 0b00_0111);
    }
}

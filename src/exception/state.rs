//! SPSR_EL1 in words. Source: DDI 0487 C5.2.19 (SPSR_EL1).
#![forbid(unsafe_code)]

use core::fmt;

/// The processor state that an exception interrupted: the value of SPSR_EL1.
///
/// Shown as the exception level, then flags and masks as letters, capital where set: `EL1h nZCv
/// daIf`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProcessorState(pub u64);

/// The flags from bit 31 downwards, and the masks from bit 9 downwards.
const FLAGS: [(u32, char); 4] = [(31, 'n'), (30, 'z'), (29, 'c'), (28, 'v')];
const MASKS: [(u32, char); 4] = [(9, 'd'), (8, 'a'), (7, 'i'), (6, 'f')];

impl ProcessorState {
    /// The mode, M\[4:0\], as the manual writes it: `EL0t`, `EL1t` (on SP_EL0), `EL1h` (on SP_EL1),
    /// `AArch32` for all of its modes, else `reserved`. Exceptions of EL2 and EL3 are not taken to
    /// EL1.
    #[must_use]
    pub const fn mode(self) -> &'static str {
        match self.0 & 0x1f {
            0b0_0000 => "EL0t",
            0b0_0100 => "EL1t",
            0b0_0101 => "EL1h",
            0b1_0000..=0b1_1111 => "AArch32",
            _ => "reserved",
        }
    }

    /// Whether it was EL0 in AArch64: M\[4:0\] is 0. AArch32, in which this kernel runs nothing, is
    /// `false`.
    #[must_use]
    pub const fn is_user(self) -> bool {
        self.0 & 0x1f == 0
    }

    /// Whether IRQs were masked: the I bit, bit 7. The other masks (D, A, F) are not looked at.
    #[must_use]
    pub const fn masks_interrupts(self) -> bool {
        self.0 & 1 << 7 != 0
    }
}

impl fmt::Display for ProcessorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode())?;
        for letters in [FLAGS, MASKS] {
            f.write_str(" ")?;
            for (bit, letter) in letters {
                let set = self.0 & 1 << bit != 0;
                f.write_fmt(format_args!(
                    "{}",
                    if set {
                        letter.to_ascii_uppercase()
                    } else {
                        letter
                    }
                ))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ProcessorState;
    use std::string::ToString;

    #[test]
    fn flags_and_masks_are_letters() {
        assert_eq!(ProcessorState(0x6000_0085).to_string(), "EL1h nZCv daIf");
        assert_eq!(ProcessorState(0x3c5).to_string(), "EL1h nzcv DAIF");
        assert_eq!(ProcessorState(0x9000_0000).to_string(), "EL0t NzcV daif");
        assert_eq!(ProcessorState(0x10).mode(), "AArch32");
    }

    #[test]
    fn bit_7_masks_interrupts() {
        assert!(ProcessorState(0x85).masks_interrupts());
        assert!(!ProcessorState(0x345).masks_interrupts());
    }
}

//! Board revision codes: which Raspberry Pi this is.
//!
//! Source: Raspberry Pi documentation, "Raspberry Pi revision codes" (new-style codes, bit 23).
#![forbid(unsafe_code)]

use core::fmt;

/// A revision code, as the mailbox tag 0x0001_0002 answers it. Bits 11:4 are the model and 3:0 the
/// revision, if bit 23 is set: 0xa0_2082 is shown as `Raspberry Pi 3 Model B Rev 1.2`. A code
/// without bit 23 is of the first boards, and is not decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Revision(pub u32);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let new_style = self.0 & (1 << 23) != 0;
        let name = match (self.0 >> 4) & 0xff {
            _ if !new_style => "Raspberry Pi of an old-style revision",
            0x04 => "Raspberry Pi 2 Model B",
            0x08 => "Raspberry Pi 3 Model B",
            0x0a => "Raspberry Pi Compute Module 3",
            0x0d => "Raspberry Pi 3 Model B+",
            0x0e => "Raspberry Pi 3 Model A+",
            0x10 => "Raspberry Pi Compute Module 3+",
            0x12 => "Raspberry Pi Zero 2 W",
            _ => "Raspberry Pi of an unknown type",
        };
        f.write_str(name)?;
        if new_style {
            write!(f, " Rev 1.{}", self.0 & 0xf)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Revision;
    use std::string::ToString;

    #[test]
    fn the_documented_codes_have_their_documented_names() {
        let name = |code| Revision(code).to_string();
        assert_eq!(name(0xa0_2082), "Raspberry Pi 3 Model B Rev 1.2");
        assert_eq!(name(0xa0_20d3), "Raspberry Pi 3 Model B+ Rev 1.3");
        assert_eq!(name(0x90_20e0), "Raspberry Pi 3 Model A+ Rev 1.0");
        assert_eq!(name(0x000e), "Raspberry Pi of an old-style revision");
    }
}

//! The firmware's measurements, in the units of its answers and as text.
//!
//! # Decisions
//! Digits that are not shown are cut off and not rounded, as everywhere in this kernel's output.
#![forbid(unsafe_code)]

use core::fmt;

/// A temperature in thousandths of a degree Celsius, below zero as well. Shown with one decimal:
/// 47_236 is `47.2 C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MilliCelsius(pub i32);

impl fmt::Display for MilliCelsius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let tenths = self.0.unsigned_abs() / 100;
        write!(f, "{sign}{}.{} C", tenths / 10, tenths % 10)
    }
}

/// A voltage in millionths of a volt. Shown with four decimals: 1_200_000 is `1.2000 V`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Microvolts(pub u32);

impl fmt::Display for Microvolts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:04} V",
            self.0 / 1_000_000,
            self.0 % 1_000_000 / 100
        )
    }
}

/// An Ethernet address, in the order in which it is written and sent: `b8:27:eb:00:00:01` begins
/// with 0xb8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

/// The causes of throttling: bits 3:0 now, 19:16 at any time since power-on.
///
/// Raspberry Pi documentation, "vcgencmd", `get_throttled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slowdown(pub u32);

impl Slowdown {
    /// The meaning of each bit, from bit 0 on.
    const CAUSES: [&'static str; 4] = [
        "under-voltage",
        "frequency capped",
        "throttled",
        "temperature limit",
    ];
    /// From which bit on the causes since power-on are.
    const EVER: u32 = 16;

    /// Writes the causes whose bits are set in `bits`, after `when`.
    fn causes(f: &mut fmt::Formatter<'_>, when: &str, bits: u32) -> fmt::Result {
        let mut separator = when;
        for (bit, cause) in Self::CAUSES.iter().enumerate() {
            if bits & 1 << bit != 0 {
                write!(f, "{separator} {cause}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl fmt::Display for Slowdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MASK: u32 = 0xf;
        let now = self.0 & MASK;
        let ever = self.0 >> Self::EVER & MASK;
        match (now, ever) {
            (0, 0) => f.write_str("never"),
            (0, _) => Self::causes(f, "not now; since power-on:", ever),
            (_, 0) => Self::causes(f, "now:", now),
            (..) => {
                Self::causes(f, "now:", now)?;
                Self::causes(f, "; since power-on:", ever)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::{MacAddress, Microvolts, MilliCelsius, Slowdown};

    #[test]
    fn temperatures_have_one_decimal_that_is_cut_off() {
        for (value, text) in [
            (0, "0.0 C"),
            (99, "0.0 C"),
            (25_000, "25.0 C"),
            (47_236, "47.2 C"),
            (47_299, "47.2 C"),
            (-1, "-0.0 C"),
            (-5_150, "-5.1 C"),
            (i32::MIN, "-2147483.6 C"),
        ] {
            assert_eq!(MilliCelsius(value).to_string(), text);
        }
    }

    #[test]
    fn voltages_have_four_decimals_with_their_zeros() {
        for (value, text) in [
            (0, "0.0000 V"),
            (99, "0.0000 V"),
            (100, "0.0001 V"),
            (1_200_000, "1.2000 V"),
            (1_312_500, "1.3125 V"),
            (1_006_250, "1.0062 V"),
            (u32::MAX, "4294.9672 V"),
        ] {
            assert_eq!(Microvolts(value).to_string(), text);
        }
    }

    #[test]
    fn a_mac_address_shows_every_byte_with_two_digits() {
        let address = MacAddress([0xb8, 0x27, 0xeb, 0x00, 0x0a, 0xff]);
        assert_eq!(address.to_string(), "b8:27:eb:00:0a:ff");
    }

    #[test]
    fn what_slows_down_now_is_told_from_what_did() {
        for (bits, text) in [
            (0, "never"),
            (0x1_0000, "not now; since power-on: under-voltage"),
            (0x8, "now: temperature limit"),
            (
                0x5_0005,
                "now: under-voltage, throttled; since power-on: under-voltage, throttled",
            ),
            (0x2_0000, "not now; since power-on: frequency capped"),
            // Bits that mean nothing yet.
            (0xfff0_fff0, "never"),
        ] {
            assert_eq!(Slowdown(bits).to_string(), text);
        }
    }
}

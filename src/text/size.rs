//! Quantities as a person reads them: bytes, clock rates, points in time.
//!
//! # Decisions
//!
//! - Sizes and rates are never rounded. The unit is the largest in which the number is exact with
//!   at most one decimal place: 1.5 MiB, but 1540 KiB; 19.2 MHz, but 32768 Hz.
//! - They obey width and alignment (`{:>9}`), because the memory map prints them in columns.

#![forbid(unsafe_code)]

use core::fmt::{self, Write};

/// A number of bytes, shown exactly in binary units: `4 KiB`, `1.5 MiB`, `1540 KiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [Unit; 6] = [
            Unit {
                worth: 1 << 60,
                name: "EiB",
            },
            Unit {
                worth: 1 << 50,
                name: "PiB",
            },
            Unit {
                worth: 1 << 40,
                name: "TiB",
            },
            Unit {
                worth: 1 << 30,
                name: "GiB",
            },
            Unit {
                worth: 1 << 20,
                name: "MiB",
            },
            Unit {
                worth: 1 << 10,
                name: "KiB",
            },
        ];
        pad_exact(f, self.0, &UNITS, "B")
    }
}

/// A clock rate in hertz, shown exactly in decimal units: `19.2 MHz`, `700 MHz`, `32768 Hz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hertz(pub u64);

impl fmt::Display for Hertz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [Unit; 3] = [
            Unit {
                worth: 1_000_000_000,
                name: "GHz",
            },
            Unit {
                worth: 1_000_000,
                name: "MHz",
            },
            Unit {
                worth: 1_000,
                name: "kHz",
            },
        ];
        pad_exact(f, self.0, &UNITS, "Hz")
    }
}

/// A counter's value as the time since it was zero: `[    0.001234]`, seconds with microseconds,
/// cut off and not rounded.
///
/// A clock that says it has no rate shows as `[    ?.??????]`: the log goes on without times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Counts of the clock since zero.
    pub ticks: u64,
    /// Counts in a second.
    pub hz: u32,
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hz = u64::from(self.hz);
        if hz == 0 {
            return f.write_str("[    ?.??????]");
        }
        let seconds = self.ticks / hz;
        // The remainder is below 2^32, so the product stays below 2^52.
        let micros = self.ticks % hz * 1_000_000 / hz;
        write!(f, "[{seconds:5}.{micros:06}]")
    }
}

/// `worth` is at most 2^60: ten times less than one unit must fit in 64 bits.
struct Unit {
    worth: u64,
    name: &'static str,
}

/// Writes `value` in the first of `units` (largest first) that shows it exactly, else in `base`
/// units.
fn pad_exact(f: &mut fmt::Formatter<'_>, value: u64, units: &[Unit], base: &str) -> fmt::Result {
    let mut word = Quantity::EMPTY;
    for &Unit { worth, name } in units {
        let whole = value / worth;
        let tenths_of_worth = value % worth * 10;
        if whole == 0 || !tenths_of_worth.is_multiple_of(worth) {
            continue;
        }
        match tenths_of_worth / worth {
            0 => write!(word, "{whole} {name}")?,
            tenths => write!(word, "{whole}.{tenths} {name}")?,
        }
        return f.pad(word.as_str());
    }
    write!(word, "{value} {base}")?;
    f.pad(word.as_str())
}

/// Room for a quantity, so that it can be padded as a whole.
struct Quantity {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Quantity {
    /// The longest are 20 digits, a space and `Hz`.
    const CAPACITY: usize = 24;
    const EMPTY: Self = Self {
        bytes: [0; Self::CAPACITY],
        len: 0,
    };

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).expect("a word is made of whole strings")
    }
}

impl Write for Quantity {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let space = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        space.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Hertz, Size, Timestamp};
    use std::{format, string::ToString};

    #[test]
    fn sizes_are_exact_in_the_largest_unit_that_allows_it() {
        let table = [
            (0, "0 B"),
            (1, "1 B"),
            (512, "512 B"),
            (1023, "1023 B"),
            (1025, "1025 B"),
            (1536, "1.5 KiB"),
            (4 << 10, "4 KiB"),
            (64 << 10, "64 KiB"),
            (1540 << 10, "1540 KiB"),
            (3 << 19, "1.5 MiB"),
            (2 << 20, "2 MiB"),
            (960 << 20, "960 MiB"),
            (1 << 30, "1 GiB"),
            ((1 << 30) + 4096, "1048580 KiB"),
            (256 << 40, "256 TiB"),
            (1 << 50, "1 PiB"),
            (31 << 59, "15.5 EiB"),
            (u64::MAX, "18446744073709551615 B"),
        ];
        for (bytes, text) in table {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn rates_are_exact_in_the_largest_unit_that_allows_it() {
        let table = [
            (0, "0 Hz"),
            (50, "50 Hz"),
            (32_768, "32768 Hz"),
            (115_200, "115.2 kHz"),
            (3_000_000, "3 MHz"),
            (19_200_000, "19.2 MHz"),
            (62_500_000, "62.5 MHz"),
            (700_000_000, "700 MHz"),
            (1_200_000_000, "1.2 GHz"),
            (249_999_985, "249999985 Hz"),
            (u64::MAX, "18446744073709551615 Hz"),
        ];
        for (hz, text) in table {
            assert_eq!(Hertz(hz).to_string(), text);
        }
    }

    #[test]
    fn quantities_line_up_in_columns() {
        assert_eq!(format!("{:>9}|", Size(4096)), "    4 KiB|");
        assert_eq!(format!("{:<9}|", Hertz(3_000_000)), "3 MHz    |");
        assert_eq!(
            format!("{:>30}", Size(u64::MAX)),
            "        18446744073709551615 B"
        );
    }

    #[test]
    fn timestamps_show_seconds_and_microseconds() {
        let table = [
            (0, 1, "[    0.000000]"),
            (77_113, 62_500_000, "[    0.001233]"),
            (19_200_000, 19_200_000, "[    1.000000]"),
            (19_199_999, 19_200_000, "[    0.999999]"),
            (99_999, 1, "[99999.000000]"),
            (100_000, 1, "[100000.000000]"),
        ];
        for (ticks, hz, text) in table {
            assert_eq!(Timestamp { ticks, hz }.to_string(), text);
        }
    }

    #[test]
    fn timestamps_survive_every_extreme() {
        let most = Timestamp {
            ticks: u64::MAX,
            hz: u32::MAX,
        };
        // (2^64 - 1) / (2^32 - 1) is 2^32 + 1 exactly.
        assert_eq!(most.to_string(), "[4294967297.000000]");
        let almost = Timestamp {
            ticks: u64::MAX - 1,
            hz: u32::MAX,
        };
        assert_eq!(almost.to_string(), "[4294967296.999999]");
        let slow = Timestamp {
            ticks: u64::MAX,
            hz: 1,
        };
        assert_eq!(slow.to_string(), "[18446744073709551615.000000]");
        let stopped = Timestamp { ticks: 5, hz: 0 };
        assert_eq!(stopped.to_string(), "[    ?.??????]");
    }
}

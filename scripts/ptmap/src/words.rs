//! Numbers and rights as people read them.

use std::fmt;

/// A number of bytes in the largest unit in which it is whole, or with one digit behind the point:
/// `4 KiB`, `1.9 MiB`, `256 TiB`.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub u128);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let mut unit = 0;
        let mut divisor = 1_u128;
        while unit + 1 < UNITS.len() && self.0 >= divisor << 10 {
            divisor <<= 10;
            unit += 1;
        }
        let (whole, tenth) = (self.0 / divisor, self.0 % divisor * 10 / divisor);
        match tenth {
            0 => write!(f, "{whole} {}", UNITS[unit]),
            _ => write!(f, "{whole}.{tenth} {}", UNITS[unit]),
        }
    }
}

/// A word for a count: `1 page`, `3 pages`.
#[must_use]
pub fn counted(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Size, counted};

    #[test]
    fn sizes_have_at_most_one_digit_behind_the_point() {
        for (bytes, words) in [
            (0, "0 bytes"),
            (4096, "4 KiB"),
            (0x1f_8000, "1.9 MiB"),
            (1 << 30, "1 GiB"),
            (1 << 48, "256 TiB"),
            (1 << 64, "16 EiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), words);
        }
        assert_eq!(counted(1, "page"), "1 page");
        assert_eq!(counted(2, "page"), "2 pages");
    }
}

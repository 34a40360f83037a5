//! Numbers as a user types them: addresses, sizes, values.
//!
//! # Decisions
//!
//! - A number is decimal unless a prefix says otherwise. Hexadecimal without `0x` is refused: if
//!   it were guessed, `8000f` would be hexadecimal and `80000` decimal.
//! - A separator has a digit on both sides, so that a number cut off in copying (`0xffff_`) is
//!   noticed.

#![forbid(unsafe_code)]

use core::fmt;

/// Why a word is not a number. Shown as a sentence for the one who typed it: `expected a decimal
/// digit, found 'f'; write 0x before a hexadecimal number`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NumberError {
    /// There is no digit: nothing at all, or only a prefix.
    Empty,
    /// A character that is no digit of the number's base, or a separator that is not between
    /// digits.
    BadDigit {
        /// The first such character.
        digit: char,
        /// The base that the prefix chose: 2, 8, 10 or 16.
        radix: u32,
    },
    /// More than 64 bits.
    TooLarge,
}

/// As [`Display`](fmt::Display) has it: less of the image than a derive takes.
impl fmt::Debug for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("expected a number, such as 4096 or 0x1000"),
            Self::BadDigit { digit: '_', .. } => {
                f.write_str("expected '_' only between two digits")
            }
            Self::BadDigit { digit, radix: 10 } if digit.is_ascii_hexdigit() => {
                write!(
                    f,
                    "expected a decimal digit, found {digit:?}; write 0x before a hexadecimal number"
                )
            }
            Self::BadDigit { digit, radix } => {
                write!(f, "expected a {} digit, found {digit:?}", radix_name(radix))
            }
            Self::TooLarge => write!(f, "expected a number of 64 bits, at most {:#x}", u64::MAX),
        }
    }
}

impl core::error::Error for NumberError {}

/// Reads a whole word as a number: decimal, or with `0x`, `0o` or `0b` in front (either case), and
/// with `_` between digits wherever it helps.
///
/// # Errors
///
/// [`NumberError`] with the cause. A wrong character is reported even if the digits before it are
/// already too many, because it is the likelier mistake.
pub fn parse_u64(word: &str) -> Result<u64, NumberError> {
    let (radix, digits) = split_prefix(word);
    if digits.is_empty() {
        return Err(NumberError::Empty);
    }
    let mut value = Some(0u64);
    let mut after_digit = false;
    for digit in digits.chars() {
        if digit == '_' && after_digit {
            after_digit = false;
            continue;
        }
        let bad = NumberError::BadDigit { digit, radix };
        let number = digit.to_digit(radix).ok_or(bad)?;
        value = value
            .and_then(|value| value.checked_mul(u64::from(radix)))
            .and_then(|value| value.checked_add(u64::from(number)));
        after_digit = true;
    }
    if !after_digit {
        return Err(NumberError::BadDigit { digit: '_', radix });
    }
    value.ok_or(NumberError::TooLarge)
}

fn split_prefix(word: &str) -> (u32, &str) {
    const PREFIXES: [(&str, u32); 6] = [
        ("0x", 16),
        ("0X", 16),
        ("0o", 8),
        ("0O", 8),
        ("0b", 2),
        ("0B", 2),
    ];
    for (prefix, radix) in PREFIXES {
        if let Some(digits) = word.strip_prefix(prefix) {
            return (radix, digits);
        }
    }
    (10, word)
}

fn radix_name(radix: u32) -> &'static str {
    match radix {
        2 => "binary",
        8 => "octal",
        16 => "hexadecimal",
        _ => "decimal",
    }
}

#[cfg(test)]
mod tests {
    use super::{NumberError, parse_u64};
    use std::string::ToString;

    fn bad(digit: char, radix: u32) -> Result<u64, NumberError> {
        Err(NumberError::BadDigit { digit, radix })
    }

    #[test]
    fn the_prefix_chooses_the_base() {
        assert_eq!(parse_u64("4096"), Ok(4096));
        assert_eq!(parse_u64("0x1000"), Ok(4096));
        assert_eq!(parse_u64("0XfFfF"), Ok(65535));
        assert_eq!(parse_u64("0o777"), Ok(511));
        assert_eq!(parse_u64("0b101"), Ok(5));
        assert_eq!(parse_u64("007"), Ok(7));
        assert_eq!(parse_u64("0"), Ok(0));
    }

    #[test]
    fn separators_stand_between_digits_only() {
        assert_eq!(
            parse_u64("0xffff_0000_0008_0000"),
            Ok(0xffff_0000_0008_0000)
        );
        assert_eq!(parse_u64("1_000"), Ok(1000));
        assert_eq!(parse_u64("_1"), bad('_', 10));
        assert_eq!(parse_u64("1_"), bad('_', 10));
        assert_eq!(parse_u64("1__0"), bad('_', 10));
        assert_eq!(parse_u64("0x_1"), bad('_', 16));
        assert_eq!(parse_u64("_"), bad('_', 10));
    }

    #[test]
    fn hexadecimal_without_prefix_is_refused_with_advice() {
        assert_eq!(parse_u64("ffff000000080000"), bad('f', 10));
        assert_eq!(parse_u64("80000f"), bad('f', 10));
        let message = NumberError::BadDigit {
            digit: 'f',
            radix: 10,
        }
        .to_string();
        assert_eq!(
            message,
            "expected a decimal digit, found 'f'; write 0x before a hexadecimal number"
        );
    }

    #[test]
    fn every_other_character_is_named_with_what_was_expected() {
        assert_eq!(parse_u64("-1"), bad('-', 10));
        assert_eq!(parse_u64("+1"), bad('+', 10));
        assert_eq!(parse_u64("1 "), bad(' ', 10));
        assert_eq!(parse_u64("0b12"), bad('2', 2));
        assert_eq!(parse_u64("0o8"), bad('8', 8));
        assert_eq!(parse_u64("0x12g"), bad('g', 16));
        assert_eq!(parse_u64("4096ü"), bad('ü', 10));
        let messages = [
            (2, "binary"),
            (8, "octal"),
            (10, "decimal"),
            (16, "hexadecimal"),
        ];
        for (radix, name) in messages {
            let message = NumberError::BadDigit { digit: 'z', radix }.to_string();
            assert_eq!(message, std::format!("expected a {name} digit, found 'z'"));
        }
    }

    #[test]
    fn a_word_without_digits_is_empty() {
        for word in ["", "0x", "0o", "0b"] {
            assert_eq!(parse_u64(word), Err(NumberError::Empty));
        }
    }

    #[test]
    fn exactly_64_bits_fit() {
        assert_eq!(parse_u64("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(parse_u64("0xffff_ffff_ffff_ffff"), Ok(u64::MAX));
        assert_eq!(
            parse_u64("18446744073709551616"),
            Err(NumberError::TooLarge)
        );
        assert_eq!(
            parse_u64("0x1_0000_0000_0000_0000"),
            Err(NumberError::TooLarge)
        );
        assert_eq!(parse_u64("99999999999999999999999f"), bad('f', 10));
        assert!(
            NumberError::TooLarge
                .to_string()
                .ends_with("0xffffffffffffffff")
        );
    }
}

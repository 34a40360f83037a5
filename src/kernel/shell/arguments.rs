//! The words behind a command's name: how many, numbers, addresses, choices.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt::{self, Debug, Display};

use super::error::CommandError;
use crate::addr::VirtAddr;
use crate::board::raspi3::CORES;
use crate::text::parse_u64;

/// For commands that take nothing.
///
/// # Errors
/// [`CommandError::wrong_count`].
pub(super) fn no_arguments(arguments: &[&str]) -> Result<(), CommandError> {
    if arguments.is_empty() {
        return Ok(());
    }
    Err(CommandError::wrong_count())
}

/// The number that was typed as `word`.
///
/// # Errors
/// Of usage: that of [`parse_u64`].
pub(super) fn number(word: &str) -> Result<u64, CommandError> {
    parse_u64(word).map_err(CommandError::of_usage)
}

/// The number that was typed as `word`, if it is from `least` to `most`.
///
/// # Errors
/// The errors of [`number`]; one that names both ends.
pub(super) fn number_from(least: u64, most: u64, word: &str) -> Result<u64, CommandError> {
    let value = number(word)?;
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(OutOfRange { value, least, most }.into())
}

/// The core whose number was typed as `word`: 0 to 3.
///
/// # Errors
/// The errors of [`number_from`].
pub(super) fn core_number(word: &str) -> Result<usize, CommandError> {
    Ok(number_from(0, CORES as u64 - 1, word)? as usize)
}

/// The virtual address that was typed as `word`.
///
/// # Errors
/// The errors of [`number`].
pub(super) fn address(word: &str) -> Result<VirtAddr, CommandError> {
    Ok(VirtAddr::new(number(word)? as usize))
}

/// The bytes that were typed as `word`: a number, in units of its last letter if that is K, M or G.
///
/// # Errors
/// Of usage: [`NotASize`].
pub(super) fn size(word: &str) -> Result<usize, CommandError> {
    let (digits, shift) = match word.as_bytes() {
        [.., b'K' | b'k'] => (word.get(..word.len() - 1), 10),
        [.., b'M' | b'm'] => (word.get(..word.len() - 1), 20),
        [.., b'G' | b'g'] => (word.get(..word.len() - 1), 30),
        _ => (Some(word), 0),
    };
    let units = parse_u64(digits.unwrap_or_default()).ok();
    let bytes = units.and_then(|units| units.checked_mul(1 << shift));
    let given = Beginning::new(word);
    let bytes = bytes.ok_or(NotASize { given });
    Ok(bytes.map_err(CommandError::of_usage)? as usize)
}

/// A word that is no number of bytes, or more than 64 bits have.
struct NotASize {
    given: Beginning,
}

impl Display for NotASize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.given.as_str();
        write!(
            f,
            "`{given}` is no number of bytes, such as 4096, 64K, 2M or 1G"
        )
    }
}

impl Debug for NotASize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Error for NotASize {}

/// The error of usage of a `word` that is none of those `expected`.
pub(super) fn no_choice(word: &str, expected: &'static dyn Display) -> CommandError {
    CommandError::of_usage(NoChoice {
        given: Beginning::new(word),
        expected,
    })
}

/// A number that the command does not take.
struct OutOfRange {
    value: u64,
    least: u64,
    most: u64,
}

/// As [`Display`] has it: less of the image than a derive takes.
impl Debug for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, least, most } = self;
        write!(f, "{value} is not from {least} to {most}")
    }
}

impl Error for OutOfRange {}

/// A word that is none of those that the command takes.
struct NoChoice {
    given: Beginning,
    expected: &'static dyn Display,
}

impl Display for NoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { given, expected } = self;
        write!(f, "`{}` is not one of {expected}", given.as_str())
    }
}

impl Debug for NoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Error for NoChoice {}

/// The first bytes of a word that was typed.
struct Beginning {
    bytes: [u8; 16],
    len: usize,
}

impl Beginning {
    fn new(word: &str) -> Self {
        let mut beginning = Self {
            bytes: [0; 16],
            len: 0,
        };
        for (slot, byte) in beginning.bytes.iter_mut().zip(word.bytes()) {
            *slot = byte;
            beginning.len += 1;
        }
        beginning
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

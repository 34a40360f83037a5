//! `answer`: numbers and words that a script gives names, for the lines behind it to use.
//!
//! `answer index 37` makes `$index` stand for `37` in every line from there on: so the check of an
//! exercise asks for what it does not contain.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt::{self, Write};

use super::arguments::no_choice;
use super::error::CommandError;
use crate::arch::try_lock::TryLock;
use crate::text::script::{self, ExpandError};

/// Answers at a time.
const ANSWERS: usize = 16;
/// Bytes of a name, and of a value, as [`NAMES`] and [`VALUES`] say: an address of 64 bits with
/// separators has 21.
const NAME_MAX: usize = 15;
const VALUE_MAX: usize = 24;

/// A word of `N` bytes at most.
#[derive(Clone, Copy)]
struct Word<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Word<N> {
    fn new(word: &str) -> Option<Self> {
        let mut bytes = [0; N];
        let slots = bytes.get_mut(..word.len())?;
        slots.copy_from_slice(word.as_bytes());
        let len = word.len();
        Some(Self { bytes, len })
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

#[derive(Clone, Copy)]
struct Answer {
    name: Word<NAME_MAX>,
    value: Word<VALUE_MAX>,
}

/// No lock that waits: the shell runs on one core and does one command at a time.
static ALL: TryLock<[Option<Answer>; ANSWERS]> = TryLock::new([None; ANSWERS]);

/// `answer [NAME VALUE]`
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => list(out),
        [name, value] => keep(name, value),
        _ => Err(CommandError::wrong_count()),
    }
}

/// The lines that `help answer` adds.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 3] = [
        "  Every line from there on may have $NAME, for which VALUE is put in.",
        "  NAME has letters, digits and `_`; VALUE is a number or a word.",
        "  Without arguments: the answers that there are.",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// Writes `line` to `room` with the answers that it names.
///
/// # Errors
/// [`ExpandError`].
pub(super) fn expand<'a, 'r>(
    line: &'a str,
    room: &'r mut [u8],
) -> Result<&'r str, ExpandError<'a>> {
    let all = ALL.try_lock().map_or([None; ANSWERS], |all| *all);
    script::expand(line, room, |name, put| {
        let found = all
            .iter()
            .flatten()
            .find(|answer| answer.name.as_str() == name);
        if let Some(answer) = found {
            put(answer.value.as_str());
        }
        found.is_some()
    })
}

fn keep(name: &str, value: &str) -> Result<(), CommandError> {
    let is_value = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let name_word = Word::new(name).filter(|_| script::is_name(name));
    let value_word = Word::new(value).filter(|_| value.bytes().all(is_value));
    let answer = Answer {
        name: name_word.ok_or_else(|| no_choice(name, &NAMES))?,
        value: value_word.ok_or_else(|| no_choice(value, &VALUES))?,
    };
    let mut all = ALL.try_lock().ok_or(FULL)?;
    let is_it = |slot: &Option<Answer>| slot.is_some_and(|old| old.name.as_str() == name);
    let index = all.iter().position(is_it);
    let index = index.or_else(|| all.iter().position(Option::is_none));
    let slot = index.and_then(|index| all.get_mut(index));
    *slot.ok_or(FULL)? = Some(answer);
    Ok(())
}

fn list(out: &mut dyn Write) -> Result<(), CommandError> {
    let all = ALL.try_lock().map_or([None; ANSWERS], |all| *all);
    for Answer { name, value } in all.iter().flatten() {
        writeln!(out, "{:<15} {}", name.as_str(), value.as_str())?;
    }
    Ok(())
}

/// The limits of a name and of a value, as a refusal says them.
const NAMES: &str = "the names of 1 to 15 letters, digits and `_`";
const VALUES: &str = "the values of 1 to 24 letters, digits, `_` and `-`";

const FULL: CommandError = CommandError::of_static(&NoPlace);

/// Every place for an answer is taken.
#[derive(Debug)]
struct NoPlace;

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are {ANSWERS} answers already")
    }
}

impl Error for NoPlace {}

//! The syntax of scripts: comments, answers that are written into a line, and text that is
//! looked for in what a command printed.

#![forbid(unsafe_code)]

use core::fmt;
use core::ops::Range;

/// The characters of a name: those that [`expand`] takes behind a `$`.
const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether `word` can be written as `$word`: letters, digits and `_`, at least one.
#[must_use]
pub fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(is_of_name)
}

/// `line` up to its comment, which begins with a `#` at the start of a word: `peek 0 # null` is
/// `peek 0 `, and `expect L2[#` is whole.
#[must_use]
pub fn without_comment(line: &str) -> &str {
    let mut is_start = true;
    for (index, byte) in line.bytes().enumerate() {
        if is_start && byte == b'#' {
            return line.get(..index).unwrap_or_default();
        }
        is_start = byte.is_ascii_whitespace();
    }
    line
}

/// Why a line is not expanded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExpandError<'a> {
    /// Nothing has this name.
    Unknown(&'a str),
    /// There is no room for the values.
    TooLong,
}

impl fmt::Display for ExpandError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown("") => f.write_str("a name is missing behind `$`"),
            Self::Unknown(name) => write!(f, "there is no answer `{name}`: `answer {name} VALUE`"),
            Self::TooLong => f.write_str("the line is too long with its answers"),
        }
    }
}

/// Copies `line` to `room`, with the value that `value_of` has for NAME in place of each `$NAME`.
///
/// # Errors
/// [`ExpandError`], with the first name that has no value.
pub fn expand<'a, 'r>(
    line: &'a str,
    room: &'r mut [u8],
    mut value_of: impl FnMut(&str, &mut dyn FnMut(&str)) -> bool,
) -> Result<&'r str, ExpandError<'a>> {
    let mut used = 0;
    let mut fits = true;
    let mut put = |text: &str| match room.get_mut(used..used + text.len()) {
        Some(slots) => {
            slots.copy_from_slice(text.as_bytes());
            used += text.len();
        }
        None => fits = false,
    };
    let mut parts = line.split('$');
    put(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.bytes().position(|byte| !is_of_name(byte));
        let (name, rest) = part.split_at(end.unwrap_or(part.len()));
        if !value_of(name, &mut put) {
            return Err(ExpandError::Unknown(name));
        }
        put(rest);
    }
    if !fits {
        return Err(ExpandError::TooLong);
    }
    let bytes = room.get(..used).unwrap_or_default();
    Ok(core::str::from_utf8(bytes).unwrap_or_default())
}

/// Whether `text` is somewhere in the `len` bytes that `byte_at` has. Blanks in `text` stand for as
/// many blanks and line ends as are there, also for none, and a `*` for anything up to the end of
/// the line: `L2[ 5] * table` finds `L2[  5] 0x3003 table`.
#[must_use]
pub fn contains(text: &str, len: usize, byte_at: impl Fn(usize) -> u8) -> bool {
    let text = text.trim_ascii().as_bytes();
    (0..=len).any(|start| begins_with(text, start..len, &byte_at))
}

fn begins_with(text: &[u8], output: Range<usize>, byte_at: &impl Fn(usize) -> u8) -> bool {
    let mut at = output.start;
    for (index, wanted) in text.iter().enumerate() {
        if wanted.is_ascii_whitespace() {
            while at < output.end && byte_at(at).is_ascii_whitespace() {
                at += 1;
            }
            continue;
        }
        if *wanted == b'*' {
            let rest = text.get(index + 1..).unwrap_or_default();
            let line = (at..output.end).take_while(|at| byte_at(*at) != b'\n');
            let end = at + line.count();
            return (at..=end).any(|at| begins_with(rest, at..output.end, byte_at));
        }
        if at == output.end || byte_at(at) != *wanted {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{ExpandError, contains, expand, is_name, without_comment};

    #[test]
    fn a_comment_begins_at_a_word_that_begins_with_a_number_sign() {
        for (line, rest) in [
            ("", ""),
            ("# all of it", ""),
            ("  # all of it", "  "),
            ("peek 0 # null", "peek 0 "),
            ("peek 0 #null # twice", "peek 0 "),
            ("expect L2[#3]", "expect L2[#3]"),
            ("uptime\t#", "uptime\t"),
        ] {
            assert_eq!(without_comment(line), rest, "{line}");
        }
    }

    fn expanded(line: &str) -> Result<std::string::String, ExpandError<'_>> {
        let mut room = [0; 16];
        let value_of = |name: &str, put: &mut dyn FnMut(&str)| {
            let value = match name {
                "a" => "1",
                "long" => "0x123456789a",
                _ => return false,
            };
            put(value);
            true
        };
        expand(line, &mut room, value_of).map(Into::into)
    }

    #[test]
    fn answers_take_the_place_of_their_names() {
        assert_eq!(expanded("no name").as_deref(), Ok("no name"));
        assert_eq!(expanded("$a").as_deref(), Ok("1"));
        assert_eq!(expanded("x[$a]$a, $a.").as_deref(), Ok("x[1]1, 1."));
        assert_eq!(expanded("r $long").as_deref(), Ok("r 0x123456789a"));
    }

    #[test]
    fn a_name_without_an_answer_is_named_and_what_does_not_fit_is_refused() {
        assert_eq!(expanded("x $b1-y"), Err(ExpandError::Unknown("b1")));
        assert_eq!(expanded("cost: 5$"), Err(ExpandError::Unknown("")));
        assert_eq!(expanded("$long $long"), Err(ExpandError::TooLong));
        assert_eq!(expanded("12345678901234567"), Err(ExpandError::TooLong));
    }

    #[test]
    fn names_have_letters_digits_and_underscores() {
        assert!(is_name("i2") && is_name("L2_index"));
        assert!(!is_name("") && !is_name("a-b") && !is_name("a b") && !is_name("$a"));
    }

    #[test]
    fn blanks_are_as_many_as_there_are_and_all_else_is_exact() {
        let found = |text: &str, output: &str| {
            let bytes = output.as_bytes();
            contains(text, bytes.len(), |index| bytes[index])
        };
        let walk = "L2[  5] 0x0 invalid\n  refused at\n    level 3\n";
        for text in ["L2[ 5]", "invalid", "at level 3", " L2[  5]  0x0 ", "", "3"] {
            assert!(found(text, walk), "{text}");
        }
        for text in ["L2*invalid", "L2[ *] *x0", "*", "re*at *3", "L2*"] {
            assert!(found(text, walk), "{text}");
        }
        for text in ["L2*refused", "re*at*3", "*4", "L2*0x1*invalid"] {
            assert!(!found(text, walk), "{text}");
        }
        for text in ["L2[5]", "l2", "level3", "level 33", "[ 5 6]"] {
            assert!(!found(text, walk), "{text}");
        }
        assert!(found("", "") && !found("a", ""));
    }
}

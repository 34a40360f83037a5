//! What a half-typed command can become.

#![forbid(unsafe_code)]

/// How a word goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completion<'a> {
    /// No command begins like this.
    Nothing,
    /// One command does, and this is missing (perhaps nothing).
    Unique(&'a str),
    /// Several do, and all go on with this.
    Shared(&'a str),
    /// Several do, and part here.
    Ambiguous,
}

/// Looks `word` up among `commands`.
pub(super) fn complete<'a>(word: &str, commands: &'a [&'a str]) -> Completion<'a> {
    let mut candidates = candidates(word, commands);
    let Some(first) = candidates.next() else {
        return Completion::Nothing;
    };
    let Some(second) = candidates.next() else {
        return Completion::Unique(&first[word.len()..]);
    };
    let shared = candidates.fold(common_prefix(first, second), common_prefix);
    match &shared[word.len()..] {
        "" => Completion::Ambiguous,
        rest => Completion::Shared(rest),
    }
}

/// The commands that begin with `word`. One that could not be typed (anything but visible ASCII) is
/// never among them.
pub(super) fn candidates<'a>(word: &str, commands: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    commands.iter().copied().filter(move |command| {
        command.starts_with(word) && command.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

fn common_prefix<'a>(one: &'a str, other: &str) -> &'a str {
    let equal = one
        .bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    &one[..equal]
}

#[cfg(test)]
mod tests {
    use super::{Completion, complete};

    #[test]
    fn a_word_grows_as_far_as_the_commands_agree() {
        let commands = ["halt", "help", "info", "map", "mapping", "mem", "größe"];
        let table = [
            ("x", Completion::Nothing),
            ("helpx", Completion::Nothing),
            ("g", Completion::Nothing),
            ("i", Completion::Unique("nfo")),
            ("info", Completion::Unique("")),
            ("he", Completion::Unique("lp")),
            ("ma", Completion::Shared("p")),
            ("map", Completion::Ambiguous),
            ("mapp", Completion::Unique("ing")),
            ("h", Completion::Ambiguous),
            ("", Completion::Ambiguous),
        ];
        for (word, completion) in table {
            assert_eq!(complete(word, &commands), completion, "{word:?}");
        }
        assert_eq!(complete("", &[]), Completion::Nothing);
    }
}

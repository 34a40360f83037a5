//! Completion of a half-typed word by Tab.

#![forbid(unsafe_code)]

/// Gives each word that may come next to its second argument. The first is the line up to the word
/// that is being typed.
pub type Words<'a> = &'a dyn Fn(&str, &mut dyn FnMut(&'static str));

/// How a word goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completion {
    /// No word begins like this.
    Nothing,
    /// Exactly one word begins so: the rest of it, which may be empty.
    Unique(&'static str),
    /// Several do, and all go on with this.
    Shared(&'static str),
    /// Several do, and part here.
    Ambiguous,
}

/// Looks `word` up among the words that may stand behind `before`.
pub(super) fn complete(before: &str, word: &str, words: Words<'_>) -> Completion {
    let mut count = 0;
    let mut shared = "";
    each_candidate(before, word, words, &mut |candidate| {
        shared = match count {
            0 => candidate,
            _ => common_prefix(shared, candidate),
        };
        count += 1;
    });
    match (count, shared.get(word.len()..).unwrap_or_default()) {
        (0, _) => Completion::Nothing,
        (1, rest) => Completion::Unique(rest),
        (_, "") => Completion::Ambiguous,
        (_, rest) => Completion::Shared(rest),
    }
}

/// Shows `visit` the words behind `before` that begin with `word`. One that could not be typed
/// (anything but visible ASCII) is never among them.
pub(super) fn each_candidate(
    before: &str,
    word: &str,
    words: Words<'_>,
    visit: &mut dyn FnMut(&'static str),
) {
    words(before, &mut |candidate| {
        if candidate.starts_with(word) && candidate.bytes().all(|byte| byte.is_ascii_graphic()) {
            visit(candidate);
        }
    });
}

fn common_prefix(one: &'static str, other: &str) -> &'static str {
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
    fn a_word_grows_as_far_as_the_words_agree() {
        let words = ["halt", "help", "info", "map", "mapping", "mem", "größe"];
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
            let all =
                |_: &str, each: &mut dyn FnMut(&'static str)| words.into_iter().for_each(each);
            assert_eq!(complete("", word, &all), completion, "{word:?}");
        }
        assert_eq!(complete("", "", &|_, _| {}), Completion::Nothing);
    }

    #[test]
    fn the_words_before_decide_which_may_follow() {
        let behind = |before: &str, each: &mut dyn FnMut(&'static str)| match before {
            "irq " => each("release"),
            _ => each("irq"),
        };
        assert_eq!(complete("irq ", "r", &behind), Completion::Unique("elease"));
        assert_eq!(complete("", "r", &behind), Completion::Nothing);
    }
}

//! Patterns of instructions: words are found by what they are, not where.
//!
//! `2: dc civac, *; ..; [dsb sy]; hint #4` is: the second place at which a DC CIVAC of any register
//! is followed, up to [`FARTHEST`] instructions later, by a DSB SY right before a SEV; the DSB is
//! the word that is meant. Instructions are written as the decoder prints them.

/// `..` stands for so many instructions at most.
const FARTHEST: usize = 40;

/// One part of a pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part<'a> {
    /// An instruction, and whether it is meant.
    Instruction(&'a str, bool),
    /// Any instructions, as few as fit.
    Gap,
}

/// A pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pattern<'a> {
    /// The number of the place, from 1; none for all places.
    ordinal: Option<usize>,
    parts: Vec<Part<'a>>,
}

impl<'a> Pattern<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let numbered = text
            .split_once(": ")
            .and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
        let (ordinal, text) = match numbered {
            Some((number, rest)) => (Some(number), rest),
            None => (None, text),
        };
        let part = |text: &'a str| match text.trim() {
            ".." => Part::Gap,
            text => match text
                .strip_prefix('[')
                .and_then(|text| text.strip_suffix(']'))
            {
                Some(text) => Part::Instruction(text, true),
                None => Part::Instruction(text, false),
            },
        };
        Self {
            ordinal,
            parts: text.split(';').map(part).collect(),
        }
    }

    /// The places of the pattern in a function, each as the indices of the words that are meant.
    pub(super) fn places(&self, texts: &[String]) -> Vec<Vec<usize>> {
        let found = (0..texts.len()).filter_map(|first| fits(&self.parts, texts, first));
        match self.ordinal {
            Some(number) => found.skip(number.saturating_sub(1)).take(1).collect(),
            None => found.collect(),
        }
    }
}

/// The words that are meant if the parts fit the instructions from `at` on.
fn fits(parts: &[Part<'_>], texts: &[String], at: usize) -> Option<Vec<usize>> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(Vec::new());
    };
    match part {
        Part::Gap => (0..=FARTHEST).find_map(|gap| fits(rest, texts, at + gap)),
        Part::Instruction(pattern, meant) => {
            let fit = texts.get(at).is_some_and(|text| matches(pattern, text));
            let mut words = fit.then(|| fits(rest, texts, at + 1))??;
            if *meant {
                words.insert(0, at);
            }
            Some(words)
        }
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(end, _)| end);
            ends.chain([rest.len()])
                .any(|end| matches(after, &rest[end..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, matches};

    fn texts() -> Vec<String> {
        let lines = [
            "isb sy",
            "dc civac, x1",
            "nop",
            "dsb sy",
            "dc civac, x2",
            "dsb sy",
            "isb sy",
        ];
        lines.map(str::to_owned).to_vec()
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(matches("dc *vac, x*", "dc civac, x1"));
        assert!(matches("*", ""));
        assert!(!matches("dc *", "dsb sy"));
        assert!(!matches("isb", "isb sy"));
    }

    #[test]
    fn places_are_found_by_neighbours_and_numbers() {
        let places = |pattern| Pattern::parse(pattern).places(&texts());
        assert_eq!(places("[isb sy]"), [[0], [6]]);
        assert_eq!(places("dsb sy; [isb sy]"), [[6]]);
        assert_eq!(places("2: [dc civac, *]"), [[4]]);
        assert_eq!(places("[dc civac, x1]; ..; [dsb sy]"), [[1, 3]]);
        assert!(places("3: [dc civac, *]").is_empty());
        assert!(places("[sev]").is_empty());
    }
}

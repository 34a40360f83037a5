//! The demands of a block of shell commands on the project's own tools: verbs of `make`, names that
//! are handed to them, options.
//!
//! Other programs' commands are not looked at: they are on the reader's machine or not.

use super::reference::Reference;

/// The folder of the examples that `cargo run --example NAME` runs.
const EXAMPLES: &str = "paging/examples";

/// Whether a piece of text is a call of `make` or `cargo`, behind any number of `NAME=value`; one
/// whose verb is a placeholder in capitals (`make VERB`) is none.
pub(super) fn is_call(text: &str) -> bool {
    let mut words = text
        .split_whitespace()
        .skip_while(|word| word.contains('='));
    let program = words.next();
    let verb = words.find(|word| *word != "xtask").unwrap_or_default();
    let is_lower = |c: char| c.is_ascii_lowercase() || c == '-';
    matches!(program, Some("make" | "cargo")) && !verb.is_empty() && verb.chars().all(is_lower)
}

/// The references of one line of a block `sh`: `ATTACH=host make ptmap ARGS=--list # lines`.
pub(super) fn references(line: &str) -> Vec<Reference> {
    let command = line.split(" #").next().unwrap_or(line);
    let words: Vec<&str> = command.split_whitespace().collect();
    let mut found = Vec::new();
    if let Some(["--example", name]) = words.windows(2).find(|pair| pair[0] == "--example") {
        found.push(Reference::Path(format!("{EXAMPLES}/{name}.rs")));
    }
    if let ["cargo", "xtask", verb, ..] = words[..] {
        found.push(Reference::Tool(verb.to_owned()));
    } else if words.first() == Some(&"#") || !words.contains(&"make") {
        return found;
    }
    if let Some(verb) = words.iter().skip_while(|word| **word != "make").nth(1) {
        found.push(Reference::Verb((*verb).to_owned()));
    }
    for word in words {
        let mut rest = word;
        if let Some((name, value)) = word.split_once('=')
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        {
            found.push(Reference::Name(name.to_owned()));
            rest = value.trim_start_matches(['\'', '"']);
        }
        if rest.starts_with("--") {
            let option = rest.trim_end_matches(['\'', '"']);
            let option = option.split('=').next().unwrap_or(option);
            found.push(Reference::Option(option.to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Reference, is_call, references};

    #[test]
    fn verbs_names_and_options_are_found_and_comments_are_not() {
        let verb = |word: &str| Reference::Verb(word.to_owned());
        let name = |word: &str| Reference::Name(word.to_owned());
        let option = |word: &str| Reference::Option(word.to_owned());
        for (line, expected) in [
            ("make check    # DEV=x", vec![verb("check")]),
            ("make flash DEV=/dev/sdX", vec![verb("flash"), name("DEV")]),
            (
                "ATTACH=127.0.0.1:1234 make ptmap",
                vec![verb("ptmap"), name("ATTACH")],
            ),
            (
                "make ptmap ARGS='--svg docs/x.svg'",
                vec![verb("ptmap"), name("ARGS"), option("--svg")],
            ),
            (
                "cargo xtask check --root=x",
                vec![Reference::Tool("check".to_owned()), option("--root")],
            ),
            (
                "cargo run --package x --example y",
                vec![Reference::Path("paging/examples/y.rs".to_owned())],
            ),
            ("gdb-multiarch kernel8.elf --batch A=b", vec![]),
            ("# make burn", vec![]),
        ] {
            assert_eq!(references(line), expected, "{line}");
        }
    }

    #[test]
    fn a_call_begins_with_the_program_and_has_a_verb() {
        for call in [
            "make check",
            "A=b make x",
            "cargo xtask lab FILE",
            "cargo test -p x",
        ] {
            assert!(is_call(call), "{call}");
        }
        for other in [
            "make",
            "make VERB",
            "cargo xtask",
            "cargo xtask VERB",
            "remake it",
            "A=b",
        ] {
            assert!(!is_call(other), "{other}");
        }
    }
}

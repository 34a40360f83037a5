//! Attributes in places where they are forbidden.
//!
//! None of them is wrong in itself, so no lint refuses it: `clippy::duplicate_mod` is about a file
//! that two modules have, `clippy::macro_use_imports` about macros of other crates. Here `#[path]`
//! and `#[macro_use]` would let the check of edges look in the wrong place.

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, TokenTree};

use super::tokens::{group, is_ident, is_punct, line, list, mentions};

/// The keys of conditions that separate the machine from the host.
const MACHINE_KEYS: [&str; 2] = ["target_os", "target_arch"];

/// A violation that [`misplaced`] finds: the line, from 1, and the rule.
pub(super) type Misplaced = (usize, &'static str);

/// Conditions on the target that do not stand on a `mod` line or on the re-export of such a module,
/// and attributes that hide where code belongs: `#[path]` and `#[macro_use]`.
pub(super) fn misplaced(tokens: &[TokenTree]) -> Vec<Misplaced> {
    let mut found = Vec::new();
    walk(tokens, &mut found);
    found
}

fn walk(tokens: &[TokenTree], found: &mut Vec<Misplaced>) {
    let mut at = 0;
    let mut gated = Vec::new();
    while at < tokens.len() {
        match gated_item(tokens, at) {
            Some(Item::Module(name)) => {
                gated.push(name);
                at += 2;
                continue;
            }
            Some(Item::ReExport(name)) if gated.contains(&name) => {
                at += 2;
                continue;
            }
            _ => {}
        }
        if names_the_target(tokens, at) {
            found.push((
                line(&tokens[at]),
                "a condition on the target stands only on a `mod x;` line, and on `use x::...;` behind it",
            ));
        }
        let attribute = if is_punct(tokens, at, '#') {
            group(tokens, at + 1, Delimiter::Bracket)
        } else {
            None
        };
        if attribute
            .as_ref()
            .is_some_and(|inner| mentions(inner, "macro_use"))
        {
            found.push((
                line(&tokens[at]),
                "`#[macro_use]` lets macros cross rooms without an import",
            ));
        }
        if attribute.is_some_and(|inner| is_ident(&inner, 0, "path")) {
            found.push((
                line(&tokens[at]),
                "`#[path]` hides the room that a file is in",
            ));
        }
        if let TokenTree::Group(inner) = &tokens[at] {
            walk(&list(inner.stream()), found);
        }
        at += 1;
    }
}

/// Whether `target_os = "..."` or `target_arch = "..."` stands at `at`.
fn names_the_target(tokens: &[TokenTree], at: usize) -> bool {
    MACHINE_KEYS.iter().any(|key| is_ident(tokens, at, key))
        && is_punct(tokens, at + 1, '=')
        && matches!(tokens.get(at + 2), Some(TokenTree::Literal(_)))
}

/// The item that a `#[cfg(...)]` may stand on.
enum Item {
    /// `mod x;`: a module in a file of its own.
    Module(String),
    /// `use x::...;`: a re-export of the module `x` by the room's own file.
    ReExport(String),
}

/// The item under the `#[cfg(...)]` that begins at `at`, if there is one and it is one of [`Item`]:
/// further attributes and a visibility may stand between.
fn gated_item(tokens: &[TokenTree], at: usize) -> Option<Item> {
    let attribute = |at| {
        let inner = group(tokens, at + 1, Delimiter::Bracket);
        inner.filter(|_| is_punct(tokens, at, '#'))
    };
    attribute(at).filter(|inner| is_ident(inner, 0, "cfg"))?;
    let mut next = at + 2;
    while attribute(next).is_some() {
        next += 2;
    }
    if is_ident(tokens, next, "pub") {
        next += 1 + usize::from(group(tokens, next + 1, Delimiter::Parenthesis).is_some());
    }
    let name = tokens.get(next + 1)?.to_string();
    if is_ident(tokens, next, "mod") && is_punct(tokens, next + 2, ';') {
        return Some(Item::Module(name));
    }
    let passes_on = is_ident(tokens, next, "use") && is_punct(tokens, next + 2, ':');
    passes_on.then_some(Item::ReExport(name))
}

#[cfg(test)]
mod tests {
    use super::{list, misplaced};

    fn lines(source: &str) -> Vec<usize> {
        let tokens = list(source.parse().expect("the sample is Rust"));
        misplaced(&tokens)
            .into_iter()
            .map(|(line, _)| line)
            .collect()
    }

    #[test]
    fn a_condition_on_a_mod_line_is_allowed() {
        assert_eq!(lines("#[cfg(target_os = \"none\")]\npub mod arch;"), []);
        assert_eq!(
            lines("#[cfg(target_os = \"none\")]\n#[doc = \"x\"]\npub(crate) mod arch;"),
            []
        );
        assert_eq!(
            lines("mod a {\n    #[cfg(all(test, target_os = \"none\"))] mod arch;\n}"),
            []
        );
    }

    #[test]
    fn a_condition_on_the_re_export_of_a_gated_module_is_allowed() {
        let gate = "#[cfg(target_os = \"none\")]";
        assert_eq!(
            lines(&format!(
                "{gate}\nmod a;\n{gate}\npub(crate) use a::{{f, g}};"
            )),
            []
        );
        let without_a_gate = format!("mod a;\n{gate}\npub(crate) use a::f;");
        assert_eq!(lines(&without_a_gate), [2]);
        let of_another = format!("{gate}\nmod a;\n{gate}\npub use b::f;");
        assert_eq!(lines(&of_another), [3]);
    }

    #[test]
    fn a_condition_anywhere_else_is_seen() {
        assert_eq!(lines("\n#[cfg(target_os = \"none\")]\nfn f() {}"), [2]);
        assert_eq!(
            lines("#[cfg(target_os = \"none\")]\nmod arch { fn f() {} }"),
            [1]
        );
        assert_eq!(lines("#![cfg(target_os = \"none\")]"), [1]);
        assert_eq!(
            lines("#[cfg_attr(target_os = \"none\", path = \"x.rs\")] mod x;"),
            [1]
        );
        assert_eq!(
            lines("fn f() -> bool {\n    cfg!(not(target_arch = \"aarch64\"))\n}"),
            [2]
        );
        assert_eq!(lines("#[cfg(target_os = \"none\")]\nuse crate::arch;"), [1]);
    }

    #[test]
    fn other_conditions_and_texts_are_not_seen() {
        assert_eq!(lines("#[cfg(test)] mod tests { fn f() {} }"), []);
        assert_eq!(
            lines("/// `#[cfg(target_os = \"none\")]`\nfn f() { g(\"target_os = none\"); }"),
            []
        );
        assert_eq!(lines("fn f() { let target_os = read(); }"), []);
    }

    #[test]
    fn attributes_that_hide_the_room_are_seen() {
        assert_eq!(lines("#[path = \"../mm/x.rs\"]\nmod x;"), [1]);
        assert_eq!(lines("\n#[macro_use]\nmod x;"), [2]);
    }
}

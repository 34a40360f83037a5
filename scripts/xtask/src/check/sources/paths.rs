//! Every path in a file that may name an item of its own crate.
//!
//! It works on tokens, so that comments, strings and documentation do not count, while macros and
//! their definitions do.
//!
//! # Decisions
//! - Tokens instead of a syntax tree: the tree ends at every macro, and would add no more than the
//!   few shapes of items that are matched here.
//! - `pub use` is kept apart: it re-exports a name, and a use of that name is an import from the
//!   file that defines it.

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, TokenTree};

use super::tokens::{group, is_colons, is_ident, is_punct, line, list, mentions};

/// A path as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// The line of its first name, from 1.
    pub(super) line: usize,
    /// Its names; the first may be `crate`, `self` or `super`.
    pub(super) names: Vec<String>,
    /// Its role: an import, a re-export, or a use.
    pub(super) role: Role,
    /// The inline modules that it stands in, from the outermost.
    pub(super) inside: Vec<String>,
    /// Whether the code is compiled for tests alone.
    pub(super) purpose: Purpose,
}

/// The role of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// `use`: its item gets this name in the module.
    Import(String),
    /// `pub use`, or with a narrower visibility: its item gets this name, and other modules see it.
    PassedOn(String),
    /// A use of an item by its path.
    Use,
}

/// The builds in which code is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Every build.
    All,
    /// Tests alone, behind `#[cfg(test)]`.
    Test,
}

/// The names of a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) paths: Vec<Path>,
    /// The inline modules, as the names from the file's module on.
    pub(super) modules: Vec<Vec<String>>,
    /// The modules in files of their own that are compiled for tests alone, as the names from the
    /// file's module on.
    pub(super) test_files: Vec<Vec<String>>,
    /// The exported macros, which stand at the crate's root whatever file defines them.
    pub(super) macros: Vec<String>,
}

/// Finds the paths, modules and macros in a file's tokens.
pub(super) fn find(tokens: &[TokenTree]) -> Found {
    let mut walk = TokenWalk {
        found: Found::default(),
        inside: Vec::new(),
    };
    walk.tokens(tokens, Purpose::All);
    walk.found
}

struct TokenWalk {
    found: Found,
    inside: Vec<String>,
}

impl TokenWalk {
    fn tokens(&mut self, tokens: &[TokenTree], purpose: Purpose) {
        let mut at = 0;
        // The end of the last item with `#[cfg(test)]`.
        let mut test_until = 0;
        while at < tokens.len() {
            let here = if at < test_until {
                Purpose::Test
            } else {
                purpose
            };
            if let Some(attribute) = attribute(tokens, at) {
                if is_test_gate(&attribute) {
                    test_until = test_until.max(end_of_item(tokens, at + 2));
                }
                if is_ident(&attribute, 0, "macro_export") {
                    self.exported_macro(tokens, at + 2);
                }
                at += 2;
                continue;
            }
            at = self.item(tokens, at, here);
        }
    }

    /// Notes the item or path that begins at `at`; returns the index behind it.
    fn item(&mut self, tokens: &[TokenTree], at: usize, purpose: Purpose) -> usize {
        if is_ident(tokens, at, "pub") {
            return self.visible(tokens, at, purpose);
        }
        if is_ident(tokens, at, "use") {
            return self.import(tokens, at, purpose, Role::Import);
        }
        if is_ident(tokens, at, "mod") {
            return self.module(tokens, at, purpose);
        }
        if let Some((names, after)) = path(tokens, at) {
            if names.len() > 1 {
                self.add(line(&tokens[at]), names, Role::Use, purpose);
            }
            return after;
        }
        if let TokenTree::Group(inner) = &tokens[at] {
            self.tokens(&list(inner.stream()), purpose);
        }
        at + 1
    }

    /// `pub`, with or without a restriction, whose path is no import; `pub use` is a re-export.
    fn visible(&mut self, tokens: &[TokenTree], at: usize, purpose: Purpose) -> usize {
        let restricted = group(tokens, at + 1, Delimiter::Parenthesis).filter(|inner| {
            ["crate", "super", "self", "in"]
                .iter()
                .any(|name| is_ident(inner, 0, name))
        });
        let after = at + 1 + usize::from(restricted.is_some());
        if is_ident(tokens, after, "use") {
            self.import(tokens, after, purpose, Role::PassedOn)
        } else {
            after
        }
    }

    fn module(&mut self, tokens: &[TokenTree], at: usize, purpose: Purpose) -> usize {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else {
            return at + 1;
        };
        self.inside.push(name.to_string());
        if let Some(inner) = group(tokens, at + 2, Delimiter::Brace) {
            self.found.modules.push(self.inside.clone());
            self.tokens(&inner, purpose);
        } else if purpose == Purpose::Test {
            self.found.test_files.push(self.inside.clone());
        }
        self.inside.pop();
        at + 3
    }

    fn exported_macro(&mut self, tokens: &[TokenTree], from: usize) {
        let mut at = from;
        while attribute(tokens, at).is_some() {
            at += 2;
        }
        if is_ident(tokens, at, "macro_rules")
            && let Some(TokenTree::Ident(name)) = tokens.get(at + 2)
        {
            self.found.macros.push(name.to_string());
        }
    }

    /// `use a::{b, c as d};`
    fn import(
        &mut self,
        tokens: &[TokenTree],
        at: usize,
        purpose: Purpose,
        role: fn(String) -> Role,
    ) -> usize {
        let end = (at..tokens.len())
            .find(|&end| is_punct(tokens, end, ';'))
            .unwrap_or(tokens.len());
        self.tree(&tokens[at + 1..end], &[], purpose, role);
        end
    }

    /// A part of an import, behind the names `before`.
    fn tree(
        &mut self,
        tokens: &[TokenTree],
        before: &[String],
        purpose: Purpose,
        role: fn(String) -> Role,
    ) {
        let start = usize::from(is_colons(tokens, 0)) * 2;
        let start = start + usize::from(is_punct(tokens, start, '$'));
        let mut names = before.to_vec();
        let mut at = start;
        while let Some(TokenTree::Ident(name)) = tokens.get(at) {
            names.push(name.to_string());
            at += 1;
            if !is_colons(tokens, at) {
                break;
            }
            at += 2;
        }
        if let Some(inner) = group(tokens, at, Delimiter::Brace) {
            for part in inner.split(is_comma) {
                self.tree(part, &names, purpose, role);
            }
            return;
        }
        // `self` at the end of a group is the module itself.
        if names.len() > 1 && names.last().is_some_and(|name| name == "self") {
            names.pop();
        }
        let alias = match (is_ident(tokens, at, "as"), tokens.get(at + 1)) {
            (true, Some(TokenTree::Ident(alias))) => alias.to_string(),
            _ => names.last().cloned().unwrap_or_default(),
        };
        if let Some(first) = tokens.get(start) {
            self.add(line(first), names, role(alias), purpose);
        }
    }

    fn add(&mut self, line: usize, names: Vec<String>, role: Role, purpose: Purpose) {
        let inside = self.inside.clone();
        self.found.paths.push(Path {
            line,
            names,
            role,
            inside,
            purpose,
        });
    }
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// The tokens in the outer attribute at `at`, if there is one.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<Vec<TokenTree>> {
    let inner = group(tokens, at + 1, Delimiter::Bracket);
    inner.filter(|_| is_punct(tokens, at, '#'))
}

/// Whether the attribute is `cfg(test)` or `cfg(all(test, ...))`.
fn is_test_gate(attribute: &[TokenTree]) -> bool {
    let condition = group(attribute, 1, Delimiter::Parenthesis).unwrap_or_default();
    is_ident(attribute, 0, "cfg")
        && (is_ident(&condition, 0, "test")
            || is_ident(&condition, 0, "all") && mentions(&condition, "test"))
}

/// The index behind the item at `at`: behind its `;`, or behind its braces if it is no import.
fn end_of_item(tokens: &[TokenTree], at: usize) -> usize {
    let mut at = at;
    let mut import = false;
    while at < tokens.len() {
        import |= is_ident(tokens, at, "use");
        let braces = group(tokens, at, Delimiter::Brace).is_some();
        at += 1;
        if is_punct(tokens, at - 1, ';') || braces && !import {
            return at;
        }
    }
    at
}

/// The path that begins at `at`, and the index behind it. None if `at` is within a path: behind
/// `::` or a method's dot.
fn path(tokens: &[TokenTree], at: usize) -> Option<(Vec<String>, usize)> {
    let before = at.checked_sub(1);
    if before.is_some_and(|before| is_punct(tokens, before, '.'))
        || at >= 2 && is_colons(tokens, at - 2)
    {
        return None;
    }
    let mut names = Vec::new();
    let mut at = at;
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        names.push(name.to_string());
        at += 1;
        if !is_colons(tokens, at) || !matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) {
            break;
        }
        at += 2;
    }
    (!names.is_empty()).then_some((names, at))
}

#[cfg(test)]
mod tests {
    use super::{Purpose, Role, find};
    use crate::check::sources::tokens::list;

    /// The paths of a text, each with the name that its import gives, and `test` if it is compiled
    /// for tests alone.
    fn paths(source: &str) -> Vec<String> {
        let tokens = list(source.parse().expect("the sample is Rust"));
        let told = |path: &super::Path| {
            let names = path.names.join("::");
            let role = match &path.role {
                Role::Import(alias) => format!("use {names} as {alias}"),
                Role::PassedOn(alias) => format!("pub use {names} as {alias}"),
                Role::Use => names,
            };
            let inside = path.inside.join("::");
            let inside = if inside.is_empty() {
                inside
            } else {
                format!(" in {inside}")
            };
            let test = if path.purpose == Purpose::Test {
                " test"
            } else {
                ""
            };
            format!("{role}{inside}{test}")
        };
        find(&tokens).paths.iter().map(told).collect()
    }

    #[test]
    fn every_form_of_import_is_seen() {
        assert_eq!(paths("use crate::board;"), ["use crate::board as board"]);
        assert_eq!(
            paths("use crate::{addr::{A, B as C}, arch::{self, x}};"),
            [
                "use crate::addr::A as A",
                "use crate::addr::B as C",
                "use crate::arch as arch",
                "use crate::arch::x as x"
            ]
        );
        assert_eq!(
            paths("pub(crate) use super::a::T;"),
            ["pub use super::a::T as T"]
        );
        assert_eq!(paths("use crate as k;"), ["use crate as k"]);
        assert_eq!(paths("use ::core::fmt;"), ["use core::fmt as fmt"]);
        assert_eq!(
            paths("use crate::mm::*;"),
            ["use crate::mm as mm"],
            "of the room, whatever it has"
        );
    }

    #[test]
    fn paths_without_an_import_are_seen() {
        assert_eq!(
            paths("fn f() { crate::arch::nop(); }"),
            ["crate::arch::nop"]
        );
        assert_eq!(
            paths("fn f(x: &crate::addr::A) -> <crate::mm::T as X>::Y { x.y::<u8>() }"),
            ["crate::addr::A", "crate::mm::T"]
        );
        assert_eq!(
            paths("macro_rules! m { () => { $crate::kernel::log() } }"),
            ["crate::kernel::log"]
        );
        assert_eq!(paths("fn f() { g(names::fill, a); }"), ["names::fill"]);
    }

    #[test]
    fn modules_and_tests_are_known() {
        assert_eq!(
            paths("mod a { mod b { use super::x; } fn f() { y::z() } }"),
            ["use super::x as x in a::b", "y::z in a"]
        );
        assert_eq!(
            paths(
                "#[cfg(test)] use a::{b}; use c::d; #[cfg(all(test, x))] fn f() { e::g() } fn h() { i::j() }"
            ),
            ["use a::b as b test", "use c::d as d", "e::g test", "i::j"]
        );
        let tokens = list("#[cfg(test)] mod t; mod u;".parse().expect("it is Rust"));
        assert_eq!(find(&tokens).test_files, [["t"]]);
    }

    #[test]
    fn what_names_nothing_is_not_seen() {
        let text = "//! crate::arch\n/// [`crate::arch`]\nfn f() { /* crate::arch */ g(\"crate::arch\"); }";
        assert_eq!(paths(text), [""; 0]);
        assert_eq!(
            paths("pub(in crate::mm) fn f() {} pub(super) struct S;"),
            [""; 0]
        );
        assert_eq!(paths("#[cfg(x)] fn f(self) { self.a(); }"), [""; 0]);
    }

    #[test]
    fn lines_are_those_of_the_name() {
        let text = "use crate::{\n    addr,\n    arch,\n};";
        let tokens = list(text.parse().expect("the sample is Rust"));
        let lines: Vec<_> = find(&tokens).paths.iter().map(|path| path.line).collect();
        assert_eq!(lines, [2, 3]);
    }
}

//! Finds every place in a file that names something at the crate's root.
//!
//! Works on tokens, so that comments, strings and documentation do not count, while macros, their
//! definitions and tests do. A path begins at the root when it is `crate::x`, `$crate::x`,
//! `stilt::x`, or a chain of `super` that climbs all the way; `x`, alone or in a group, is a room.
//!
//! # Decisions
//!
//! Tokens instead of a syntax tree: the tree ends at every macro, and what it would add is no more
//! than the few shapes that are matched here.

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, TokenTree};

use super::tokens::{any, group, is_colons, is_ident, is_punct, line, list};

/// The library's name, by which the image's `main.rs` calls it.
const CRATE_NAME: &str = "stilt";

/// Something that a file names at the crate's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// The line, from 1.
    pub(super) line: usize,
    /// What stands there.
    pub(super) name: Name,
}

/// What stands at the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A room, or a macro.
    Item(String),
    /// The root itself under another name: `use crate as x`, `extern crate self as x`.
    Root,
    /// A glob import of something in this crate.
    Glob,
}

/// Everything at the root that the file names, and its glob imports.
///
/// `depth` is the number of modules from the crate's root to the file's own, that one included.
pub(super) fn uses(tokens: &[TokenTree], depth: usize) -> Vec<Use> {
    let mut found = Vec::new();
    walk(tokens, depth, &mut found);
    found
}

/// Looks at one level of tokens and at the groups in it.
fn walk(tokens: &[TokenTree], depth: usize, found: &mut Vec<Use>) {
    let mut at = 0;
    while at < tokens.len() {
        found.extend(glob(tokens, at));
        let path = path_head(tokens, at, depth);
        if let Some((after, 0)) = path {
            found.extend(from_root(tokens, at, after));
        }
        if let TokenTree::Group(inner) = &tokens[at] {
            let opens_module = at >= 2 && is_ident(tokens, at - 2, "mod");
            walk(
                &list(inner.stream()),
                depth + usize::from(opens_module),
                found,
            );
        }
        at = path.map_or(at + 1, |(after, _)| after);
    }
}

/// The head of a path at `at`: the index after it and its `super`s, and how many modules below the
/// root it leads.
fn path_head(tokens: &[TokenTree], at: usize, depth: usize) -> Option<(usize, usize)> {
    let inside_path =
        at >= 2 && is_colons(tokens, at - 2) && !(at >= 3 && is_ident(tokens, at - 3, "self"));
    if inside_path {
        return None;
    }
    if is_ident(tokens, at, "crate")
        || is_ident(tokens, at, CRATE_NAME) && is_colons(tokens, at + 1)
    {
        return Some((at + 1, 0));
    }
    if !is_ident(tokens, at, "super") {
        return None;
    }
    let (mut after, mut below) = (at + 1, depth.saturating_sub(1));
    while is_colons(tokens, after) && is_ident(tokens, after + 2, "super") {
        (after, below) = (after + 3, below.saturating_sub(1));
    }
    Some((after, below))
}

/// What is named by a path from the root that begins at `start` and whose head ends before `after`.
fn from_root(tokens: &[TokenTree], start: usize, after: usize) -> Vec<Use> {
    if !is_colons(tokens, after) {
        // `pub(crate)` and `pub(super)` name nothing; `use crate as x` and `extern crate self` do.
        let renamed = start >= 1 && is_ident(tokens, start - 1, "use");
        let extern_self = is_ident(tokens, after, "self");
        let root = Use {
            line: line(&tokens[start]),
            name: Name::Root,
        };
        return if renamed || extern_self {
            vec![root]
        } else {
            Vec::new()
        };
    }
    match group(tokens, after + 2, Delimiter::Brace) {
        Some(inner) => first_names(&inner),
        None => tokens.get(after + 2).and_then(named).into_iter().collect(),
    }
}

/// The first name of every part of a `use` group.
fn first_names(group: &[TokenTree]) -> Vec<Use> {
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    group
        .split(is_comma)
        .filter_map(|part| part.first().and_then(named))
        .collect()
}

/// What the first token after the root names; `self` in a group is the root again.
fn named(token: &TokenTree) -> Option<Use> {
    let TokenTree::Ident(ident) = token else {
        return None;
    };
    let name = if *ident == "self" {
        Name::Root
    } else {
        Name::Item(ident.to_string())
    };
    Some(Use {
        line: line(token),
        name,
    })
}

/// A glob import by the `use` at `at`, when its path begins in this crate.
fn glob(tokens: &[TokenTree], at: usize) -> Option<Use> {
    let head = at + 1 + usize::from(is_punct(tokens, at + 1, '$'));
    let local = ["crate", "super", "self", CRATE_NAME]
        .iter()
        .any(|name| is_ident(tokens, head, name));
    if !is_ident(tokens, at, "use") || !local {
        return None;
    }
    let is_end =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
    let import = tokens[at..].split(is_end).next()?;
    let is_star =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '*');
    any(import, &is_star).then(|| Use {
        line: line(&tokens[at]),
        name: Name::Glob,
    })
}

#[cfg(test)]
mod tests {
    use super::{Name, list, uses};

    /// What a file two modules deep (`src/mm/frames.rs`) names at the root.
    fn names(source: &str) -> Vec<Name> {
        let tokens = list(source.parse().expect("the sample is Rust"));
        uses(&tokens, 2)
            .into_iter()
            .map(|found| found.name)
            .collect()
    }

    fn items(names: &[&str]) -> Vec<Name> {
        names
            .iter()
            .map(|name| Name::Item((*name).to_owned()))
            .collect()
    }

    #[test]
    fn every_form_of_import_is_seen() {
        assert_eq!(names("use crate::board;"), items(&["board"]));
        assert_eq!(
            names("use crate::board::raspi3::RAM as R;"),
            items(&["board"])
        );
        assert_eq!(
            names("use crate::{addr::{A, B}, arch, board as b};"),
            items(&["addr", "arch", "board"])
        );
        assert_eq!(names("use stilt::kernel::log;"), items(&["kernel"]));
        assert_eq!(names("pub(in crate::mm) fn f() {}"), items(&["mm"]));
        assert_eq!(
            names("macro_rules! m { () => { $crate::kernel::log() } }"),
            items(&["kernel"])
        );
    }

    #[test]
    fn paths_without_an_import_are_seen() {
        assert_eq!(names("fn f() { crate::arch::nop(); }"), items(&["arch"]));
        assert_eq!(
            names("fn f(x: &crate::addr::PhysAddr) -> <crate::mm::T as X>::Y {}"),
            items(&["addr", "mm"])
        );
        assert_eq!(
            names("fn f() { println!(\"{}\", crate::board::RAM); }"),
            items(&["board"])
        );
        assert_eq!(names("crate::kprintln!(\"x\");"), items(&["kprintln"]));
    }

    #[test]
    fn a_chain_of_super_counts_when_it_reaches_the_root() {
        assert_eq!(names("use super::super::board::RAM;"), items(&["board"]));
        assert_eq!(
            names("use self::super::super::{board, arch};"),
            items(&["board", "arch"])
        );
        assert_eq!(names("use super::region::Region;"), []);
        assert_eq!(names("mod tests { use super::super::region; }"), []);
        assert_eq!(
            names("mod tests { use super::super::super::arch; }"),
            items(&["arch"])
        );
        assert_eq!(
            names("mod a { mod b { } use super::super::super::arch; }"),
            items(&["arch"])
        );
    }

    #[test]
    fn the_root_under_another_name_is_seen() {
        assert_eq!(names("use crate as k;"), [Name::Root]);
        assert_eq!(names("use crate::{self as k};"), [Name::Root]);
        assert_eq!(names("use super::super as k;"), [Name::Root]);
        assert_eq!(names("extern crate self as k;"), [Name::Root]);
        assert_eq!(
            names("pub(crate) fn f() {} pub(super) struct S; extern crate std;"),
            []
        );
    }

    #[test]
    fn globs_of_this_crate_are_seen() {
        assert_eq!(names("use crate::*;"), [Name::Glob]);
        assert_eq!(names("use super::*;"), [Name::Glob]);
        assert_eq!(names("use super::{a, b::*};"), [Name::Glob]);
        assert_eq!(names("mod t { pub use self::x::*; }"), [Name::Glob]);
        assert_eq!(
            names("use crate::mm::Kind::*;"),
            [Name::Glob, Name::Item("mm".into())]
        );
        assert_eq!(
            names("use core::fmt::*; fn f(a: u8) -> u8 { a * super::B }"),
            []
        );
    }

    #[test]
    fn comments_strings_and_documentation_do_not_count() {
        let text = "//! crate::arch\n/// [`crate::arch`]\nfn f() { /* crate::arch */ g(\"crate::arch\"); }";
        assert_eq!(names(text), []);
        assert_eq!(
            names("fn f() { g(r#\"use crate::arch;\"#, 'c', b\"crate::mm\"); }"),
            []
        );
    }

    #[test]
    fn lines_are_those_of_the_name() {
        let tokens = list(
            "use crate::{\n    addr,\n    arch,\n};"
                .parse()
                .expect("the sample is Rust"),
        );
        let lines: Vec<_> = uses(&tokens, 2).iter().map(|found| found.line).collect();
        assert_eq!(lines, [2, 3]);
    }
}

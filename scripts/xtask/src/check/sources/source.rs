//! The source files, and what has to be known of all of them to judge one.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, LexError, TokenStream, TokenTree};

use super::rooms;
use super::tokens;
use crate::check::report::Violation;

/// One source file.
#[derive(Debug)]
pub(super) struct Source {
    /// Its path from `src`.
    pub(super) path: PathBuf,
    /// The module that it holds, as the names from the crate's root; the first is the room.
    pub(super) module: Vec<String>,
    /// What stands in it.
    pub(super) tokens: Vec<TokenTree>,
}

/// All source files, by path, and their macros.
#[derive(Debug)]
pub(super) struct Sources {
    /// The files.
    pub(super) files: Vec<Source>,
    macros: BTreeMap<String, Macro>,
}

/// Where a macro is defined, and what it brings.
#[derive(Debug)]
struct Macro {
    room: String,
    is_unsafe: bool,
}

impl Source {
    /// Splits the text of the file at `path` (from `src`) into tokens.
    ///
    /// # Errors
    ///
    /// When the text is not Rust.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, LexError> {
        let tokens = tokens::list(text.parse::<TokenStream>()?);
        Ok(Self {
            path: path.to_owned(),
            module: rooms::module_of(path),
            tokens,
        })
    }

    /// Whether it is at the crate's root and belongs to no room.
    pub(super) fn is_root(&self) -> bool {
        rooms::ROOTS.iter().any(|root| self.path == Path::new(root))
    }

    /// The name of its room.
    pub(super) fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    /// A violation in this file at `line`, from 1.
    pub(super) fn violation(&self, line: usize, rule: String) -> Violation {
        Violation {
            place: format!("src/{}:{line}", self.path.display()),
            rule,
        }
    }

    /// Whether `other` holds a module inside this file's module.
    pub(super) fn is_above(&self, other: &Self) -> bool {
        other.module.len() > self.module.len() && other.module.starts_with(&self.module)
    }
}

impl Sources {
    /// Sorts the files and finds their macros.
    pub(super) fn new(mut files: Vec<Source>) -> Self {
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let mut macros = BTreeMap::new();
        for source in &files {
            collect_macros(&source.tokens, source.room(), &mut macros);
        }
        Self { files, macros }
    }

    /// The room that a name at the crate's root belongs to: exported macros stand there, whatever
    /// room defines them.
    pub(super) fn room_of<'a>(&'a self, name: &'a str) -> &'a str {
        self.macros.get(name).map_or(name, |found| &found.room)
    }

    /// Whether the file needs what `forbid(unsafe_code)` refuses: the keyword, a `global_asm!`, or
    /// a macro of this crate that brings the keyword with it.
    pub(super) fn needs_unsafe(&self, source: &Source) -> bool {
        let needs = |token: &TokenTree| match token {
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                let brings = self.macros.get(&name).is_some_and(|found| found.is_unsafe);
                name == "unsafe" || name == "global_asm" || brings
            }
            _ => false,
        };
        tokens::any(&source.tokens, &needs)
    }
}

/// Notes every `macro_rules!` in the tokens and the groups in them.
fn collect_macros(tokens: &[TokenTree], room: &str, found: &mut BTreeMap<String, Macro>) {
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            collect_macros(&tokens::list(group.stream()), room, found);
        }
        if !tokens::is_ident(tokens, at, "macro_rules") || !tokens::is_punct(tokens, at + 1, '!') {
            continue;
        }
        let body = tokens::group(tokens, at + 3, Delimiter::Brace).unwrap_or_default();
        let is_unsafe = tokens::mentions(&body, "unsafe");
        if let Some(TokenTree::Ident(name)) = tokens.get(at + 2) {
            found.insert(
                name.to_string(),
                Macro {
                    room: room.to_owned(),
                    is_unsafe,
                },
            );
        }
    }
}

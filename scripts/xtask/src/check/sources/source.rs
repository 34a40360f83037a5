//! The source files, and what has to be known of all of them to judge one.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, LexError, TokenStream, TokenTree};

use super::paths::{self, Found};
use super::tables::Crate;
use super::tokens;
use crate::check::report::Violation;

/// The files at a crate's root: they put the rooms together.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

/// One source file.
#[derive(Debug)]
pub(super) struct Source {
    /// Its path from the folder of the crate's sources.
    pub(super) path: PathBuf,
    /// The module that it holds, as the names from the crate's root.
    pub(super) module: Vec<String>,
    /// What stands in it.
    pub(super) tokens: Vec<TokenTree>,
    /// What it names.
    pub(super) found: Found,
}

/// All source files of a crate, by path, and their macros.
#[derive(Debug)]
pub(super) struct Sources {
    /// What is known of the crate.
    pub(super) checked: &'static Crate,
    /// The files.
    pub(super) files: Vec<Source>,
    /// The macros that bring unsafe code with them.
    unsafe_macros: BTreeSet<String>,
}

impl Source {
    /// Splits the text of the file at `path` (from the folder of the sources) into tokens.
    ///
    /// # Errors
    ///
    /// When the text is not Rust.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, LexError> {
        let tokens = tokens::list(text.parse::<TokenStream>()?);
        Ok(Self {
            path: path.to_owned(),
            module: module_of(path),
            found: paths::find(&tokens),
            tokens,
        })
    }

    /// Whether it is at the crate's root and belongs to no room.
    pub(super) fn is_root(&self) -> bool {
        self.module.is_empty()
    }

    /// Whether `other` holds a module inside this file's module.
    pub(super) fn is_above(&self, other: &Self) -> bool {
        other.module.len() > self.module.len() && other.module.starts_with(&self.module)
    }
}

/// The module that a file holds, as the names on the way from the crate's root: `mm/frames.rs` is
/// `["mm", "frames"]`, `mm/mod.rs` is `["mm"]`, `lib.rs` is `[]`. `path` is relative to the folder
/// of the sources.
fn module_of(path: &Path) -> Vec<String> {
    if ROOTS.iter().any(|root| path == Path::new(root)) {
        return Vec::new();
    }
    let without_extension = path.with_extension("");
    let names = without_extension
        .iter()
        .map(|name| name.to_string_lossy().into_owned());
    let mut module: Vec<String> = names.collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    module
}

impl Sources {
    /// Sorts the files of a crate and finds their macros.
    pub(super) fn new(checked: &'static Crate, mut files: Vec<Source>) -> Self {
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let mut unsafe_macros = BTreeSet::new();
        for source in &files {
            collect_macros(&source.tokens, &mut unsafe_macros);
        }
        Self {
            checked,
            files,
            unsafe_macros,
        }
    }

    /// A violation in `source` at `line`, from 1.
    pub(super) fn violation(&self, source: &Source, line: usize, rule: String) -> Violation {
        Violation {
            place: format!("{}/{}:{line}", self.checked.folder, source.path.display()),
            rule,
        }
    }

    /// Whether the file needs what `forbid(unsafe_code)` refuses: the keyword, a `global_asm!`, or
    /// a macro of this crate that brings the keyword with it.
    pub(super) fn needs_unsafe(&self, source: &Source) -> bool {
        self.tokens_need_unsafe(&source.tokens)
    }

    fn tokens_need_unsafe(&self, tokens: &[TokenTree]) -> bool {
        tokens.iter().enumerate().any(|(at, token)| match token {
            TokenTree::Group(group) => self.tokens_need_unsafe(&tokens::list(group.stream())),
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                let is_call = tokens::is_punct(tokens, at + 1, '!');
                name == "unsafe"
                    || is_call && (name == "global_asm" || self.unsafe_macros.contains(&name))
            }
            _ => false,
        })
    }
}

/// Notes every `macro_rules!` with unsafe code in the tokens and the groups in them.
fn collect_macros(tokens: &[TokenTree], found: &mut BTreeSet<String>) {
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            collect_macros(&tokens::list(group.stream()), found);
        }
        if !tokens::is_ident(tokens, at, "macro_rules") || !tokens::is_punct(tokens, at + 1, '!') {
            continue;
        }
        let body = tokens::group(tokens, at + 3, Delimiter::Brace).unwrap_or_default();
        if let Some(TokenTree::Ident(name)) = tokens.get(at + 2)
            && tokens::mentions(&body, "unsafe")
        {
            found.insert(name.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::module_of;

    #[test]
    fn a_file_holds_the_module_of_its_place() {
        let module = |path| module_of(Path::new(path)).join("::");
        assert_eq!(module("addr.rs"), "addr");
        assert_eq!(module("mm/mod.rs"), "mm");
        assert_eq!(module("mm/frames.rs"), "mm::frames");
        assert_eq!(module("format/aarch64/tlb.rs"), "format::aarch64::tlb");
        assert_eq!(module("lib.rs"), "");
        assert_eq!(module("main.rs"), "");
    }
}

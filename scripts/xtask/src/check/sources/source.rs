//! The source files of a crate, and their names.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use proc_macro2::{LexError, TokenStream, TokenTree};

use super::paths::{self, Found};
use super::tables::Crate;
use super::tokens;
use crate::check::report::Violation;

/// The files of a crate's root, which are in no room.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

/// One source file.
#[derive(Debug)]
pub(super) struct Source {
    /// The path, relative to the folder of the crate's sources.
    pub(super) path: PathBuf,
    /// The module, as the names from the crate's root.
    pub(super) module: Vec<String>,
    /// The tokens of its text.
    pub(super) tokens: Vec<TokenTree>,
    /// The paths, modules and macros in it.
    pub(super) found: Found,
}

/// All source files of a crate, by path.
#[derive(Debug)]
pub(super) struct Sources {
    /// The entry of the crate in the table.
    pub(super) checked: &'static Crate,
    /// The files, sorted by path.
    pub(super) files: Vec<Source>,
}

impl Source {
    /// Parses the text of the file at `path`, which is relative to the folder of the sources.
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
    /// Sorts the files of a crate.
    pub(super) fn new(checked: &'static Crate, mut files: Vec<Source>) -> Self {
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Self { checked, files }
    }

    /// A violation in `source` at `line`, from 1.
    pub(super) fn violation(&self, source: &Source, line: usize, rule: String) -> Violation {
        Violation {
            place: format!("{}/{}:{line}", self.checked.folder, source.path.display()),
            rule,
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

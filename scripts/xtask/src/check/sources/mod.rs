//! Checks on the sources: imports between rooms, and the places of conditions on the target.
//!
//! Every `.rs` file of a crate is read, whether the host, the target or only tests compile it.
//! Rules that a crate's border, rustc or clippy can enforce are not checked here
//! (`[workspace.lints]` in Cargo.toml); each rule here says why none of them can.

#![forbid(unsafe_code)]

mod attributes;
mod front_page;
mod graph;
mod paths;
mod rules;
mod source;
mod tables;
mod tokens;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proc_macro2::LexError;
use thiserror::Error;

use super::report::Report;
use source::{Source, Sources};
use tables::{CRATES, Environment};

/// Errors of reading the sources.
#[derive(Debug, Error)]
pub(crate) enum SourceError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}:{}: {source}", path.display(), source.span().start().line)]
    Lex { path: PathBuf, source: LexError },
}

/// Runs every check on the sources of the checkout at `root`.
///
/// # Errors
///
/// When a file cannot be read or is not Rust.
pub(super) fn check(root: &Path) -> Result<Vec<Report>, SourceError> {
    let mut reports = Vec::new();
    for checked in &CRATES {
        let src = root.join(checked.folder);
        let mut files = Vec::new();
        read_folder(&src, &src, &mut files)?;
        let sources = Sources::new(checked, files);
        for house in checked.houses {
            reports.push(rules::edges(&sources, house));
            if let Some((page, shown)) = house.front_page {
                let text = read(&src.join(page))?;
                reports.push(front_page::check(&sources, house, &text, shown));
            }
        }
        reports.push(rules::circles(&sources));
        if checked.environment == Environment::Machine {
            reports.push(rules::gates(&sources));
        }
    }
    Ok(reports)
}

/// Reads every Rust file in `folder` and below; paths are relative to `src`.
fn read_folder(src: &Path, folder: &Path, files: &mut Vec<Source>) -> Result<(), SourceError> {
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.is_dir() {
            read_folder(src, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = read(&path)?;
            match Source::parse(path.strip_prefix(src).unwrap_or(&path), &text) {
                Ok(file) => files.push(file),
                Err(source) => return Err(SourceError::Lex { path, source }),
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, SourceError> {
    fs::read_to_string(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> SourceError {
    let path = path.to_owned();
    |source| SourceError::Read { path, source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::{SourceError, check};

    /// A checkout with these files, and empty front pages for those that are missing.
    fn checkout(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        let pages = [
            ("src/lib.rs", ""),
            ("src/kernel/mod.rs", ""),
            ("paging/src/lib.rs", ""),
            ("scripts/xtask/src/main.rs", ""),
            ("scripts/a64/src/lib.rs", ""),
            ("scripts/ptmap/src/lib.rs", ""),
            ("scripts/strict/src/lib.rs", ""),
        ];
        for (path, text) in pages.iter().chain(files) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("its own folder");
            fs::write(path, text).expect("its own file");
        }
        root
    }

    #[test]
    fn a_checkout_is_read_from_its_root_down_to_the_last_folder() {
        let root = checkout(&[
            ("src/arch/cpu/a53.rs", "//! A.\n\nuse crate::board::RAM;\n"),
            ("src/board/mod.rs", "pub const RAM: u64 = 0;"),
            ("src/arch/notes.txt", "use crate::mm;"),
            (
                "scripts/a64/src/data.rs",
                "use crate::flow::two; pub fn one() {}",
            ),
            (
                "scripts/a64/src/flow.rs",
                "pub fn two() { crate::data::one() }",
            ),
        ]);
        let reports = check(root.path()).expect("it can be read");
        let all: Vec<_> = reports.iter().map(ToString::to_string).collect();
        let all = all.join("\n");
        for line in [
            "edges: src, 1 imports, 1 violation",
            "  src/arch/cpu/a53.rs:3: `arch` may not import `board`; it may import: addr, paging",
            "gates: src, 4 files, 0 violations",
            "  scripts/a64/src/data.rs:1: `data` may not import `flow`; it may import: operand",
            "circles: scripts/a64/src, 3 files, 2 uses, 1 violation",
            "  scripts/a64/src/data.rs:1: a circle of 2 files, here to flow.rs: data.rs, flow.rs",
        ] {
            assert!(all.lines().any(|found| found == line), "{line}\n{all}");
        }
    }

    #[test]
    fn a_file_that_is_not_rust_is_named_with_its_line() {
        let root = checkout(&[("src/addr.rs", "fn f() {\n    )\n}\n")]);
        let error = check(root.path()).expect_err("the brackets do not match");
        assert!(matches!(error, SourceError::Lex { .. }));
        assert!(error.to_string().contains("src/addr.rs:2: "), "{error}");
    }

    #[test]
    fn a_checkout_without_sources_is_an_error() {
        let root = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(check(root.path()), Err(SourceError::Read { .. })));
    }
}

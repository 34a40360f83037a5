//! Checks on the sources: which room imports which, where the machine begins, and where `unsafe`
//! may be.
//!
//! Every `.rs` file under `src/` is read, whatever compiles it: the host, the target or only tests.

#![forbid(unsafe_code)]

mod attributes;
mod paths;
mod rooms;
mod rules;
mod source;
mod tokens;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proc_macro2::LexError;
use thiserror::Error;

use super::report::Report;
use source::{Source, Sources};

/// Why the sources cannot be checked.
#[derive(Debug, Error)]
pub(crate) enum SourceError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}:{}: {source}", path.display(), source.span().start().line)]
    Lex { path: PathBuf, source: LexError },
}

/// Runs every check on `src/` of the checkout at `root`.
///
/// # Errors
///
/// When a file cannot be read or is not Rust.
pub(super) fn check(root: &Path) -> Result<Vec<Report>, SourceError> {
    let src = root.join("src");
    let mut files = Vec::new();
    read_folder(&src, &src, &mut files)?;
    let sources = Sources::new(files);
    Ok(vec![
        rules::edges(&sources),
        rules::gates(&sources),
        rules::unsafety(&sources),
    ])
}

/// Reads every Rust file in `folder` and below; paths are kept from `src` on.
fn read_folder(src: &Path, folder: &Path, files: &mut Vec<Source>) -> Result<(), SourceError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| SourceError::Read { path, source }
    };
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.is_dir() {
            read_folder(src, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
            match Source::parse(path.strip_prefix(src).unwrap_or(&path), &text) {
                Ok(file) => files.push(file),
                Err(source) => return Err(SourceError::Lex { path, source }),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{SourceError, check};

    #[test]
    fn a_checkout_is_read_from_its_root_down_to_the_last_folder() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("src/paging/format");
        fs::create_dir_all(&folder).expect("its own folder");
        fs::write(
            folder.join("aarch64.rs"),
            "//! A.\n\nuse crate::board::RAM;\n",
        )
        .expect("its own file");
        fs::write(folder.join("notes.txt"), "use crate::mm;").expect("its own file");
        let reports = check(root.path()).expect("it can be read");
        let lines: Vec<_> = reports.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].starts_with("edges: 1 files, 1 imports, 1 violation\n"),
            "{}",
            lines[0]
        );
        assert!(
            lines[0].contains("src/paging/format/aarch64.rs:3: `paging` may not import `board`")
        );
        assert_eq!(lines[1], "gates: 1 files, 0 violations");
        assert!(lines[2].starts_with("unsafe: 0 files with unsafe code, 1 without, 1 violation\n"));
    }

    #[test]
    fn a_file_that_is_not_rust_is_named_with_its_line() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join("src")).expect("its own folder");
        fs::write(root.path().join("src/addr.rs"), "fn f() {\n    )\n}\n").expect("its own file");
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

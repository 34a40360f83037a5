//! References in the documents: each file, folder and verb of `make` that a document names exists.
//!
//! rustdoc checks the links between items (`rustdoc::broken_intra_doc_links`), but not those in a
//! Markdown file, nor paths in backticks. Change logs, which name files that are gone, and blocks
//! of code are not checked.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::report::{Report, Violation};

/// The documents. A path in one is relative to the document's folder, or to the top of the
/// checkout.
pub(super) const DOCUMENTS: [&str; 6] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "paging/README.md",
    "paging/tests/planted/README.md",
    "benches/README.md",
];

/// The folder of build output: its files exist only after a build, so paths in it are not checked.
const BUILT: &str = "target";

/// The placeholder in a recipe for a name that the reader chooses.
const PLACEHOLDER: &str = "NAME";

/// Errors of reading a document or the Makefile.
#[derive(Debug, Error)]
#[error("cannot read {}: {source}", path.display())]
pub(super) struct DocumentError {
    path: PathBuf,
    source: io::Error,
}

/// Checks the documents of the checkout at `root`.
///
/// # Errors
/// The error of reading a document, or the Makefile.
pub(super) fn check(root: &Path) -> Result<Report, DocumentError> {
    let makefile = read(&root.join("Makefile"))?;
    let mut count = 0;
    let mut violations = Vec::new();
    for document in DOCUMENTS {
        let path = root.join(document);
        let folder = path.parent().unwrap_or(root);
        for (line, reference) in references(&read(&path)?) {
            let missing = match &reference {
                Reference::Link(target) => !is_there(folder, target),
                Reference::Path(path) => match base(&[folder, root], path) {
                    Some(base) => !is_there(base, path),
                    None => continue,
                },
                Reference::Verb(verb) => !has_verb(&makefile, verb),
            };
            count += 1;
            if missing {
                violations.push(Violation {
                    place: format!("{document}:{line}"),
                    rule: format!("there is no {reference}"),
                });
            }
        }
    }
    Ok(Report {
        name: "documents",
        counted: format!("{} documents, {count} names", DOCUMENTS.len()),
        violations,
    })
}

fn read(path: &Path) -> Result<String, DocumentError> {
    let unreadable = |source| DocumentError {
        path: path.to_owned(),
        source,
    };
    fs::read_to_string(path).map_err(unreadable)
}

/// A reference in a document.
#[derive(Debug, PartialEq, Eq)]
enum Reference {
    /// `[text](docs/architecture.md)`
    Link(String),
    /// `` `src/lib.rs` ``: a path, if its first name is that of a folder that exists.
    Path(String),
    /// `` `make check` ``
    Verb(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(path) | Self::Path(path) => f.write_str(path),
            Self::Verb(verb) => write!(f, "`make {verb}`"),
        }
    }
}

/// All references outside of blocks of code, each with its line, from 1.
fn references(text: &str) -> Vec<(usize, Reference)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let quoted = line.split('`').skip(1).step_by(2).filter_map(quoted);
        let links = line.split("](").skip(1).filter_map(link);
        found.extend(quoted.chain(links).map(|reference| (index + 1, reference)));
    }
    found
}

fn quoted(text: &str) -> Option<Reference> {
    if let Some(rest) = text.strip_prefix("make ") {
        let verb = rest.split([' ', ',']).next()?;
        let is_verb = verb.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        return is_verb.then(|| Reference::Verb(verb.to_owned()));
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || "/_.-".contains(c);
    let is_path = text.contains('/') && text.chars().all(is_part);
    is_path.then(|| Reference::Path(text.to_owned()))
}

fn link(rest: &str) -> Option<Reference> {
    let (target, _) = rest.split_once(')')?;
    let target = target.split('#').next()?;
    let is_local = !target.is_empty() && !target.contains("://");
    is_local.then(|| Reference::Link(target.to_owned()))
}

/// The folder to which `path` is relative: the first of `folders` that contains its first name.
fn base<'a>(folders: &[&'a Path], path: &str) -> Option<&'a Path> {
    let first = path
        .split('/')
        .next()
        .filter(|name| !name.is_empty() && *name != BUILT)?;
    let mut folders = folders.iter().copied();
    folders.find(|folder| folder.join(first).is_dir())
}

/// Whether `path` exists as a file, a folder or, without its extension, a module; only the part
/// before a placeholder is looked for.
fn is_there(base: &Path, path: &str) -> bool {
    let fixed: Vec<&str> = path
        .split('/')
        .take_while(|name| !name.contains(PLACEHOLDER))
        .collect();
    let path = fixed.join("/");
    base.join(&path).exists() || base.join(format!("{path}.rs")).is_file()
}

fn has_verb(makefile: &str, verb: &str) -> bool {
    let names = |line: &str| {
        line.strip_prefix(verb)
            .is_some_and(|rest| rest.starts_with(':'))
    };
    makefile.lines().any(names)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{DOCUMENTS, check};

    #[test]
    fn what_is_not_there_is_named_with_its_line() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("its own folder");
            fs::write(path, text).expect("its own file");
        };
        for document in DOCUMENTS {
            write(document, "");
        }
        fs::create_dir(root.path().join("target")).expect("its own folder");
        write("Makefile", "check:\n\ttrue\n");
        write("src/mm/frames.rs", "");
        write(
            "README.md",
            "`src/mm`, `src/mm/frames`, `src/mm/frames.rs`, `src/mm/NAME.rs`, `and/or`, `target/x`\n\
             `src/gone.rs` [here](docs/architecture.md#top) [there](docs/gone.md) [web](https://x/y)\n\
             `make check`, `make VERB`, `make burn DEV=x`\n\
             ```text\n`src/gone.rs`\n```\n",
        );
        write("paging/src/table.rs", "");
        write("paging/README.md", "`src/table.rs`\n`src/mm/frames.rs`");
        let report = check(root.path()).expect("all can be read");
        let told: Vec<_> = report
            .violations
            .iter()
            .map(|violation| format!("{}: {}", violation.place, violation.rule))
            .collect();
        assert_eq!(
            told,
            [
                "README.md:2: there is no src/gone.rs",
                "README.md:2: there is no docs/gone.md",
                "README.md:3: there is no `make burn`",
                "paging/README.md:2: there is no src/mm/frames.rs",
            ]
        );
    }

    #[test]
    fn a_document_that_is_not_there_is_an_error() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::write(root.path().join("Makefile"), "").expect("its own file");
        let error = check(root.path()).expect_err("there is no document");
        assert!(error.to_string().contains("README.md"), "{error}");
    }
}

//! References in the documents: each file, folder, heading and verb of `make` that a document names
//! exists, so do the names and options that a verb is given, and quoted code is code of a file.
//!
//! rustdoc checks the links between items (`rustdoc::broken_intra_doc_links`), but not those in a
//! Markdown file, nor paths in backticks. Change logs, which name files that are gone, and blocks
//! of code other than `sh` and `rust` are not checked.

#![forbid(unsafe_code)]

mod excerpts;
mod reference;
mod shell;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::reference::Reference;
use super::report::{Report, Violation};

/// The documents outside of the book. A path in one is relative to the document's folder, or to the
/// top of the checkout.
pub(super) const DOCUMENTS: [&str; 6] = [
    "README.md",
    "CONTRIBUTING.md",
    "paging/README.md",
    "paging/tests/planted/README.md",
    "benches/README.md",
    "labs/README.md",
];

/// The folder of the book: every page in it is a document, and a chapter in its list.
const BOOK: &str = "docs";
/// The list of chapters.
const CHAPTERS: &str = "SUMMARY.md";

/// The folder of build output: its files exist only after a build, so paths in it are not checked.
const BUILT: &str = "target";

/// The placeholder in a recipe for a name that the reader chooses.
const PLACEHOLDER: &str = "NAME";

/// Errors of reading a document, a folder of documents, or a tool's source.
#[derive(Debug, Error)]
#[error("cannot read {}: {source}", path.display())]
pub(super) struct DocumentError {
    path: PathBuf,
    source: io::Error,
}

/// Checks the documents of the checkout at `root`.
///
/// # Errors
/// The error of reading a document, the Makefile, or a tool's source.
pub(super) fn check(root: &Path) -> Result<Report, DocumentError> {
    let makefile = read(&root.join("Makefile"))?;
    let tools = tools(root)?;
    let mut documents: Vec<PathBuf> = DOCUMENTS.iter().map(|path| root.join(path)).collect();
    let pages = files(&root.join(BOOK), "md")?;
    let mut violations = unlisted(&root.join(BOOK), &pages)?;
    documents.extend(pages);
    let mut count = 0;
    for path in &documents {
        let folder = path.parent().unwrap_or(root);
        for (line, reference) in references(&read(path)?) {
            let missing = match &reference {
                Reference::Link(target, heading) => !leads_somewhere(path, target, heading),
                Reference::Path(path) => match base(&[folder, root], path) {
                    Some(base) => !is_there(base, path),
                    None => continue,
                },
                Reference::Verb(verb) => !has_verb(&makefile, verb),
                Reference::Tool(verb) => !tools.contains(&format!("Some(\"{verb}\")")),
                Reference::Name(name) => !has_name(&tools, name),
                Reference::Option(option) => !tools.contains(option),
                Reference::Excerpt(file, lines) => {
                    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                    let source = fs::read_to_string(root.join(file)).unwrap_or_default();
                    !excerpts::is_in(&lines, &source)
                }
            };
            count += 1;
            if missing {
                let document = path.strip_prefix(root).unwrap_or(path);
                violations.push(Violation {
                    place: format!("{}:{line}", document.display()),
                    rule: format!("there is no {reference}"),
                });
            }
        }
    }
    Ok(Report {
        name: "documents",
        counted: format!("{} documents, {count} names", documents.len()),
        violations,
    })
}

/// The `pages` of the folder `book` that its list of chapters does not name.
fn unlisted(book: &Path, pages: &[PathBuf]) -> Result<Vec<Violation>, DocumentError> {
    let list = book.join(CHAPTERS);
    if pages.is_empty() {
        return Ok(Vec::new());
    }
    let chapters = read(&list)?;
    let names = pages.iter().filter(|page| **page != list);
    let names = names.map(|page| page.strip_prefix(book).unwrap_or(page).display());
    let unlisted = names.filter(|name| !chapters.contains(&format!("]({name})")));
    let violation = |name| Violation {
        place: format!("{BOOK}/{CHAPTERS}"),
        rule: format!("there is no chapter {name}"),
    };
    Ok(unlisted.map(violation).collect())
}

/// All that reads the names that `make` hands on: the Makefile, the scripts, and this crate.
fn tools(root: &Path) -> Result<String, DocumentError> {
    let mut sources = vec![root.join("Makefile")];
    sources.extend(files(&root.join("scripts"), "sh")?);
    sources.extend(files(&root.join("scripts/xtask/src"), "rs")?);
    sources.iter().map(|path| read(path)).collect()
}

/// The files below `folder` with this extension, by name; none if there is no such folder.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, DocumentError> {
    let unreadable = |source| DocumentError {
        path: folder.to_owned(),
        source,
    };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, DocumentError> {
    let unreadable = |source| DocumentError {
        path: path.to_owned(),
        source,
    };
    fs::read_to_string(path).map_err(unreadable)
}

/// A block of code: where it begins, its language, its lines.
struct Block<'a> {
    line: usize,
    language: &'a str,
    lines: Vec<&'a str>,
}

/// All references in text and in blocks of `sh` and `rust`, each with its line, from 1.
fn references(text: &str) -> Vec<(usize, Reference)> {
    let mut found = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if let Some(language) = line.trim_start().strip_prefix("```") {
            match open.take() {
                Some(block) => found.extend(block.references()),
                None => {
                    let (line, lines) = (number, Vec::new());
                    open = Some(Block {
                        line,
                        language,
                        lines,
                    });
                }
            }
            continue;
        }
        if let Some(block) = &mut open {
            block.lines.push(line);
            continue;
        }
        let quoted = line.split('`').skip(1).step_by(2).flat_map(quoted);
        let links = line.split("](").skip(1).filter_map(link);
        found.extend(quoted.chain(links).map(|reference| (number, reference)));
    }
    found
}

impl Block<'_> {
    fn references(&self) -> Vec<(usize, Reference)> {
        match self.language {
            "sh" => {
                let lines = self.lines.iter().zip(self.line + 1..);
                let of_line = |(line, number): (&&str, usize)| {
                    let found = shell::references(line);
                    found.into_iter().map(move |reference| (number, reference))
                };
                lines.flat_map(of_line).collect()
            }
            "rust" => {
                let lines = self.lines.iter().map(|line| (*line).to_owned()).collect();
                let file = excerpts::file(&self.lines);
                let excerpt = file.map(|file| Reference::Excerpt(file.to_owned(), lines));
                excerpt
                    .map(|excerpt| (self.line, excerpt))
                    .into_iter()
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The references in a piece of text in backticks: a path, or a call of `make`.
fn quoted(text: &str) -> Vec<Reference> {
    if let Some(rest) = text.strip_prefix("make ") {
        let is_verb = |c: char| c.is_ascii_lowercase() || c == '-';
        let verb = rest.split(' ').next().unwrap_or(rest);
        if !verb.chars().all(is_verb) {
            return Vec::new();
        }
        return shell::references(text);
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || "/_.-".contains(c);
    let is_path = text.contains('/') && text.chars().all(is_part);
    is_path
        .then(|| Reference::Path(text.to_owned()))
        .into_iter()
        .collect()
}

fn link(rest: &str) -> Option<Reference> {
    let (target, _) = rest.split_once(')')?;
    if target.contains("://") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    Some(Reference::Link(path.to_owned(), heading.to_owned()))
}

/// Whether the file that a link of `document` names is there, and the heading in it.
fn leads_somewhere(document: &Path, target: &str, heading: &str) -> bool {
    let folder = document.parent().unwrap_or(document);
    let path = match target {
        "" => document.to_owned(),
        target => folder.join(target),
    };
    if heading.is_empty() {
        return path.exists();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.into_iter().any(|line| anchor(line) == heading)
}

/// The anchor of a heading, as browsers of repositories and the book make it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Whether a tool reads the variable `name`.
fn has_name(tools: &str, name: &str) -> bool {
    [
        format!("$({name})"),
        format!("$(or $({name})"),
        format!("${{{name}"),
        format!("\"{name}\""),
    ]
    .iter()
    .any(|use_of_it| tools.contains(use_of_it))
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
        write("Makefile", "check:\n\ttrue $(ARGS)\n");
        write("src/mm/frames.rs", "");
        write(
            "README.md",
            "`src/mm`, `src/mm/frames`, `src/mm/frames.rs`, `src/mm/NAME.rs`, `and/or`, `target/x`\n\
             `src/gone.rs` [here](docs/architecture.md) [there](docs/gone.md) [web](https://x/y)\n\
             `make check`, `make VERB`, `make burn DEV=x`\n\
             ```text\n`src/gone.rs`\n```\n\
             ```sh\nmake check WITH=1 ARGS=--fast\n```\n",
        );
        write("docs/SUMMARY.md", "[A](architecture.md)");
        write("docs/architecture.md", "# A  top, really\n");
        write(
            "docs/pages/page.md",
            "[a](../architecture.md#a--top-really) [b](../architecture.md#bottom)\n\
             ```rust\n// src/mm/code.rs\ntwo();\n```\n```rust\n// src/mm/code.rs\nthree();\n```\n",
        );
        write("src/mm/code.rs", "one();\n    two();\n");
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
                "docs/SUMMARY.md: there is no chapter pages/page.md",
                "README.md:2: there is no src/gone.rs",
                "README.md:2: there is no docs/gone.md",
                "README.md:3: there is no `make burn`",
                "README.md:3: there is no `DEV=...` for `make`",
                "README.md:8: there is no `WITH=...` for `make`",
                "README.md:8: there is no option `--fast`",
                "paging/README.md:2: there is no src/mm/frames.rs",
                "docs/pages/page.md:1: there is no ../architecture.md#bottom",
                "docs/pages/page.md:6: there is no such code in src/mm/code.rs",
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

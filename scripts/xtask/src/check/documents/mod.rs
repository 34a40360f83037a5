//! References in the documents: each file, folder, heading, verb of `make` and verb of `cargo xtask`
//! that a document names exists, so do the names and options that a verb is given, and quoted code
//! is code of a file.
//!
//! rustdoc checks the links between items (`rustdoc::broken_intra_doc_links`), but not those in a
//! Markdown file, nor paths in backticks. Change logs, which name files that are gone, and blocks
//! of code other than `sh` and `rust` are not checked. Commands of the kernel's shell are typed by
//! `tests/qemu/transcripts.rs`.

#![forbid(unsafe_code)]

mod excerpts;
mod reference;
mod shell;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::reference::Reference;
use super::report::{Report, Violation};

/// The documents outside of the book and of the exercises. A path in one is relative to the
/// document's folder, or to the top of the checkout.
pub(super) const DOCUMENTS: [&str; 5] = [
    "README.md",
    "CONTRIBUTING.md",
    "paging/README.md",
    "paging/tests/planted/README.md",
    "benches/README.md",
];

/// The folder of the exercises: every page in it is a document.
const EXERCISES: &str = "labs";
/// How the name of an answer to an exercise ends, which is the reader's to write, and the name of
/// the exercise's check.
const ANSWER_AND_CHECK: (&str, &str) = (".answer.lab", ".lab");

/// The folder of the book: every page in it is a document, and a chapter in its list.
const BOOK: &str = "docs";
/// The list of chapters.
const CHAPTERS: &str = "SUMMARY.md";

/// The page in which paths are those of other projects.
const PEERS: &str = "docs/comparison.md";

/// The extensions of the checkout's files: a name in backticks that ends in one names a file.
const EXTENSIONS: [&str; 8] = ["rs", "md", "sh", "ld", "gdb", "lab", "svg", "toml"];

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
    documents.extend(files(&root.join(EXERCISES), "md")?);
    let names = names(root)?;
    let mut count = 0;
    for path in &documents {
        let folder = path.parent().unwrap_or(root);
        let of_peers = path.ends_with(PEERS);
        for (line, reference) in references(&read(path)?) {
            let missing = match &reference {
                Reference::Link(target, heading) => !leads_somewhere(path, target, heading),
                Reference::Path(path) => match base(&[folder, root], path) {
                    Some(base) => !is_there(base, path),
                    None if of_peers || !has_extension(path) => continue,
                    None => true,
                },
                Reference::File(_) if of_peers => continue,
                Reference::File(name) => !names.contains(name),
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

/// All that reads the names that `make` hands on: the Makefile, the scripts, this crate, and the
/// command line of `strict`.
fn tools(root: &Path) -> Result<String, DocumentError> {
    let mut sources = vec![root.join("Makefile")];
    sources.extend(files(&root.join("scripts"), "sh")?);
    for folder in ["scripts/xtask/src", "scripts/strict/src/cli"] {
        sources.extend(files(&root.join(folder), "rs")?);
    }
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

/// The names of all files of the checkout at `root`, without those of builds and of tools.
fn names(root: &Path) -> Result<BTreeSet<String>, DocumentError> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let unreadable = |source| DocumentError {
            path: folder.clone(),
            source,
        };
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !path.is_dir() {
                found.insert(name.into_owned());
            } else if name != BUILT && !name.starts_with('.') {
                folders.push(path);
            }
        }
    }
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
    let mut paragraph = Paragraph::default();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if let Some(language) = line.trim_start().strip_prefix("```") {
            found.extend(mem::take(&mut paragraph).references());
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
        if line.is_empty() {
            found.extend(mem::take(&mut paragraph).references());
        }
        paragraph.lines.push((number, line));
    }
    found.extend(paragraph.references());
    found
}

/// Lines of running text, each with its number: text in backticks may go on in the next one.
#[derive(Default)]
struct Paragraph<'a> {
    lines: Vec<(usize, &'a str)>,
}

impl Paragraph<'_> {
    fn references(self) -> Vec<(usize, Reference)> {
        let mut found = Vec::new();
        let mut open: Option<(usize, String)> = None;
        for (number, line) in self.lines {
            let links = line.split("](").skip(1).filter_map(link);
            found.extend(links.map(|reference| (number, reference)));
            if let Some((_, quoted)) = &mut open {
                quoted.push(' ');
            }
            let mut pieces = line.split('`');
            if let (Some((_, quoted)), Some(first)) = (&mut open, pieces.next()) {
                quoted.push_str(first);
            }
            for piece in pieces {
                open = match open.take() {
                    Some((begin, text)) => {
                        let references = quoted(&text).into_iter();
                        found.extend(references.map(|reference| (begin, reference)));
                        None
                    }
                    None => Some((number, piece.to_owned())),
                };
            }
        }
        found
    }
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

/// The references in a piece of text in backticks: a call of `make` or `cargo`, a path, or the name
/// of a file.
fn quoted(text: &str) -> Vec<Reference> {
    if shell::is_call(text) {
        return shell::references(text);
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || "/_.-".contains(c);
    let is_elsewhere = text.starts_with('/') || text.split('/').next() == Some(BUILT);
    if is_elsewhere || !text.chars().all(is_part) {
        return Vec::new();
    }
    if text.contains('/') {
        return vec![Reference::Path(text.to_owned())];
    }
    let is_file = has_extension(text) && !text.contains(PLACEHOLDER);
    is_file
        .then(|| Reference::File(text.to_owned()))
        .into_iter()
        .collect()
}

/// Whether `name` ends in an extension that files of the checkout have.
fn has_extension(name: &str) -> bool {
    let parts = name.rsplit_once('.');
    parts.is_some_and(|(stem, extension)| !stem.is_empty() && EXTENSIONS.contains(&extension))
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
    let first = path.split('/').next()?;
    let mut folders = folders.iter().copied();
    folders.find(|folder| folder.join(first).is_dir())
}

/// Whether `path` exists as a file, a folder or, without its extension, a module; only the part
/// before a placeholder is looked for, and the exercise instead of an answer to it.
fn is_there(base: &Path, path: &str) -> bool {
    let (answer, check) = ANSWER_AND_CHECK;
    if let Some(exercise) = path.strip_suffix(answer) {
        return is_there(base, &format!("{exercise}{check}"));
    }
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
             `make check`, `make VERB`, `make burn DEV=x`, `cargo xtask flush`,\n\
             `frames.rs`, `gone.toml`, `NAME.rs`, `gone/a.rs`, `gone/b`, `X=1 make\n\
             check`, `make\nburn`\n\
             ```text\n`src/gone.rs`\n```\n\
             ```sh\nmake check WITH=1 ARGS=--fast\n```\n",
        );
        write("docs/SUMMARY.md", "[A](architecture.md) [B](comparison.md)");
        write("docs/architecture.md", "# A  top, really\n");
        write(
            "docs/pages/page.md",
            "[a](../architecture.md#a--top-really) [b](../architecture.md#bottom)\n\
             ```rust\n// src/mm/code.rs\ntwo();\n```\n```rust\n// src/mm/code.rs\nthree();\n```\n",
        );
        write("src/mm/code.rs", "one();\n    two();\n");
        write(
            "docs/comparison.md",
            "`theirs/a.rs` `theirs.rs` `make burn`",
        );
        write("labs/one.md", "`labs/one.answer.lab` `labs/two.answer.lab`");
        write("labs/one.lab", "");
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
                "README.md:2: there is no docs/gone.md",
                "README.md:2: there is no src/gone.rs",
                "README.md:3: there is no `make burn`",
                "README.md:3: there is no `DEV=...` for `make`",
                "README.md:3: there is no `cargo xtask flush`",
                "README.md:4: there is no gone.toml",
                "README.md:4: there is no gone/a.rs",
                "README.md:4: there is no `X=...` for `make`",
                "README.md:5: there is no `make burn`",
                "README.md:11: there is no `WITH=...` for `make`",
                "README.md:11: there is no option `--fast`",
                "paging/README.md:2: there is no src/mm/frames.rs",
                "docs/comparison.md:1: there is no `make burn`",
                "docs/pages/page.md:1: there is no ../architecture.md#bottom",
                "docs/pages/page.md:6: there is no such code in src/mm/code.rs",
                "labs/one.md:1: there is no labs/two.answer.lab",
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

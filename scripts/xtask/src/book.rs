//! `cargo xtask book`: the documents as one book of HTML pages, in `target/book/html`.
//!
//! The documents are written to be read where they are, in a browser of the repository: README,
//! CONTRIBUTING and others stand outside of `docs`, and are linked from it. mdBook has one folder
//! of sources. So they are laid out anew in `target/book/source`, each where it is in the
//! checkout. `docs/SUMMARY.md`, whose links begin in `docs`, is rewritten for the top, and a
//! folder's README becomes its `index`, in links as well, as the pages of mdBook do. The other
//! pages of a folder outside of `docs` follow its README.
//!
//! Then every link of every page is followed: to a file of the book, and to a place in it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitCode};

use lexopt::Parser;
use thiserror::Error;

use crate::checkout;
use crate::failure::{EndsVerb, Failure};
use crate::program;

/// The folder of the chapters, of the list of them, and of mdBook's settings.
const CHAPTERS: &str = "docs";
const SUMMARY: &str = "SUMMARY.md";
const SETTINGS: &str = "book.toml";

/// Why there is no book.
#[derive(Debug, Error)]
enum BookError {
    #[error("cannot use {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("mdbook failed: its messages are above")]
    Builder,
    #[error("{count} links of the book lead nowhere")]
    Links { count: usize },
}

impl EndsVerb for BookError {}

/// An error with the path that it was met at.
fn at(path: &Path) -> impl Fn(io::Error) -> BookError {
    |source| BookError::File {
        path: path.to_owned(),
        source,
    }
}

/// The verb.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    if let Some(arg) = args.next()? {
        return Err(arg.unexpected().into());
    }
    let folder = checkout::root().join("target/book");
    let (source, html) = (folder.join("source"), folder.join("html"));
    lay_out(checkout::root(), &source)?;
    build(&source, &html)?;
    let pages = pages(&html)?;
    let broken = broken_links(&pages);
    for (page, link) in &broken {
        println!("{page}: {link} leads nowhere");
    }
    if !broken.is_empty() {
        let count = broken.len();
        return Err(BookError::Links { count }.into());
    }
    let index = html.join("index.html");
    let count = pages.keys().filter(|name| name.ends_with(".html")).count();
    println!("{}: {count} pages", index.display());
    Ok(ExitCode::SUCCESS)
}

/// Copies the settings, the chapters, and what they name, from the checkout at `root` to `source`.
fn lay_out(root: &Path, source: &Path) -> Result<(), BookError> {
    if source.exists() {
        fs::remove_dir_all(source).map_err(at(source))?;
    }
    let chapters = root.join(CHAPTERS);
    let summary = from_the_top(&read(&chapters.join(SUMMARY))?);
    let summary = with_folders(&summary, root)?;
    let settings = read(&chapters.join(SETTINGS))?;
    write(&source.join(SETTINGS), &settings)?;
    write(&source.join(SUMMARY), &with_targets(&summary, as_index))?;
    let mut files = below(&chapters)?;
    // In a folder of its own, it would be another list of chapters.
    files.retain(|path| !path.ends_with(SUMMARY) && !path.ends_with(SETTINGS));
    let targets = summary.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    files.extend(targets.map(|target| root.join(target)));
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file);
        let text = read(&file)?;
        let name = as_index(&name.display().to_string());
        write(&source.join(name), &with_targets(&text, as_index))?;
    }
    Ok(())
}

/// The list of chapters, with the other pages of a folder outside of `docs` below its README.
fn with_folders(summary: &str, root: &Path) -> Result<String, BookError> {
    let mut lines = String::new();
    for line in summary.lines() {
        lines.push_str(line);
        lines.push('\n');
        let target = line
            .split_once("](")
            .and_then(|(_, rest)| rest.split_once(')'));
        let folder = target.and_then(|(target, _)| target.strip_suffix("/README.md"));
        let Some(folder) = folder.filter(|folder| !folder.starts_with(CHAPTERS)) else {
            continue;
        };
        let indentation = line.len() - line.trim_start().len() + 2;
        for (name, title) in pages_of(&root.join(folder))? {
            lines.push_str(&format!(
                "{:indentation$}- [{title}]({folder}/{name})\n",
                ""
            ));
        }
    }
    Ok(lines)
}

/// The pages of a folder but its README: names, and first headings, by name.
fn pages_of(folder: &Path) -> Result<BTreeMap<String, String>, BookError> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let name = path.file_name().unwrap_or_default().display().to_string();
        if name == "README.md" || !name.ends_with(".md") {
            continue;
        }
        let text = read(&path)?;
        let title = text.lines().find_map(|line| line.strip_prefix("# "));
        found.insert(name.clone(), title.unwrap_or(&name).to_owned());
    }
    Ok(found)
}

/// The links of a file in `docs`, as a file at the top has them.
fn from_the_top(summary: &str) -> String {
    with_targets(summary, |target| match target.strip_prefix("../") {
        Some(outside) => outside.to_owned(),
        None => format!("{CHAPTERS}/{target}"),
    })
}

/// A README as mdBook calls it, and the list of chapters, which each page shows, as the first page.
fn as_index(target: &str) -> String {
    let target = target.replace(&format!("{CHAPTERS}/{SUMMARY}"), "README.md");
    target.replace("README.md", "index.md")
}

/// `text` with the target of each link replaced; those that lead out of the book stay.
fn with_targets(text: &str, replaced: impl Fn(&str) -> String) -> String {
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| match part.split_once(')') {
        Some((target, rest)) if !target.contains("://") => {
            format!("{before}]({}){rest}", replaced(target))
        }
        _ => format!("{before}]({part}"),
    })
}

fn read(path: &Path) -> Result<String, BookError> {
    fs::read_to_string(path).map_err(at(path))
}

fn write(path: &Path, text: &str) -> Result<(), BookError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    fs::write(path, text).map_err(at(path))
}

/// All files below a folder.
fn below(folder: &Path) -> Result<Vec<PathBuf>, BookError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.is_dir() {
            found.extend(below(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// Runs mdBook, which scripts/setup.sh installs below `target/tools`.
fn build(source: &Path, html: &Path) -> Result<(), Failure> {
    let installed = checkout::tools().join("mdbook");
    let mdbook = if installed.exists() {
        installed
    } else {
        PathBuf::from("mdbook")
    };
    let mut command = Command::new(&mdbook);
    command.arg("build").arg("--dest-dir").arg(html).arg(source);
    let status = command.status().map_err(program::cannot_run(&mdbook))?;
    if !status.success() {
        return Err(BookError::Builder.into());
    }
    Ok(())
}

/// A file of the book: the places that can be linked to, and its own links.
#[derive(Debug, Default)]
struct Page {
    places: BTreeSet<String>,
    links: Vec<String>,
}

/// All files of the book, by their names from its folder on; of those that are no pages only the
/// name is known.
fn pages(html: &Path) -> Result<BTreeMap<String, Page>, BookError> {
    let mut pages = BTreeMap::new();
    for path in below(html)? {
        let name = path.strip_prefix(html).unwrap_or(&path);
        let mut page = Page::default();
        if path
            .extension()
            .is_some_and(|extension| extension == "html")
        {
            let text = read(&path)?;
            page.places = values(&text, "id").map(str::to_owned).collect();
            let links = values(&text, "href").chain(values(&text, "src"));
            page.links = links.map(str::to_owned).collect();
        }
        pages.insert(name.display().to_string(), page);
    }
    Ok(pages)
}

/// The values of an attribute, in double quotes, as mdBook writes them.
fn values<'a>(text: &'a str, attribute: &str) -> impl Iterator<Item = &'a str> {
    let start = format!(" {attribute}=\"");
    let found: Vec<&str> = text.split(&start[..]).skip(1).collect();
    found
        .into_iter()
        .filter_map(|rest| rest.split_once('"').map(|(value, _)| value))
}

/// Pages that do not belong to one place: their links begin at the top, wherever they are shown.
const EVERYWHERE: [&str; 2] = ["404.html", "print.html"];

/// The links that lead nowhere, each with its page. Those to other places than the book are not
/// followed.
fn broken_links(pages: &BTreeMap<String, Page>) -> Vec<(&str, &str)> {
    let mut broken = Vec::new();
    for (name, page) in pages {
        if EVERYWHERE.contains(&&name[..]) {
            continue;
        }
        for link in &page.links {
            if link.contains(':') || link.starts_with("//") {
                continue;
            }
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => name.clone(),
                path => resolved(name, path),
            };
            let is_there = pages
                .get(&target)
                .is_some_and(|page| place.is_empty() || page.places.contains(place));
            if !is_there {
                broken.push((&name[..], &link[..]));
            }
        }
    }
    broken
}

/// The name of what `path` is on page `name`: `../a.html` on `docs/b.html` is `a.html`.
fn resolved(name: &str, path: &str) -> String {
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let mut target = PathBuf::new();
    for component in folder.join(path).components() {
        match component {
            Component::ParentDir => drop(target.pop()),
            Component::Normal(part) => target.push(part),
            _ => {}
        }
    }
    target.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{broken_links, from_the_top, lay_out, pages, resolved};

    #[test]
    fn a_list_of_chapters_is_rewritten_for_the_top() {
        let summary = "# S\n[A](../README.md)\n- [B](b.md)\n  - [C](c/README.md)\n";
        let expected = "# S\n[A](README.md)\n- [B](docs/b.md)\n  - [C](docs/c/README.md)\n";
        assert_eq!(from_the_top(summary), expected);
    }

    #[test]
    fn each_document_is_laid_out_where_it_is() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("its own folder");
            fs::write(path, text).expect("its own file");
        };
        write(
            "README.md",
            "[all](docs/SUMMARY.md) [c](docs/c/README.md#x) [web](https://x/README.md)",
        );
        write("docs/c/README.md", "c");
        write("docs/book.toml", "");
        let summary = "[A](../README.md)\n- [B](b.md)\n- [C](c/README.md)\n- [D](../d/README.md)\n";
        write("docs/SUMMARY.md", summary);
        write("d/README.md", "d");
        write("d/1.md", "# One\n");
        write("d/2.md", "text");
        write("docs/b.md", "b");
        write("docs/picture.svg", "<svg/>");
        let source = root.path().join("out");
        lay_out(root.path(), &source).expect("all is there");
        for path in [
            "docs/b.md",
            "docs/c/index.md",
            "docs/picture.svg",
            "book.toml",
        ] {
            assert!(source.join(path).is_file(), "{path}");
        }
        let read = |path: &str| fs::read_to_string(source.join(path)).expect("a page");
        let expected = "[all](index.md) [c](docs/c/index.md#x) [web](https://x/README.md)";
        assert_eq!(read("index.md"), expected);
        let expected = "[A](index.md)\n- [B](docs/b.md)\n- [C](docs/c/index.md)\n\
                        - [D](d/index.md)\n  - [One](d/1.md)\n  - [2.md](d/2.md)\n";
        assert_eq!(read("SUMMARY.md"), expected);
        assert!(!source.join("docs/SUMMARY.md").exists());
    }

    #[test]
    fn a_link_without_its_file_or_its_place_is_broken() {
        let html = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| {
            let path = html.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("its own folder");
            fs::write(path, text).expect("its own file");
        };
        write(
            "index.html",
            "<a href=\"docs/b.html#here\"> <a href=\"docs/b.html#gone\"> <a href=\"gone.html\"> \
             <a href=\"https://x\"> <img src=\"docs/picture.svg\">",
        );
        write(
            "docs/b.html",
            "<h1 id=\"here\"> <a href=\"../index.html\"> <a href=\"#there\">",
        );
        write("docs/picture.svg", "");
        let pages = pages(html.path()).expect("pages");
        assert_eq!(
            broken_links(&pages),
            [
                ("docs/b.html", "#there"),
                ("index.html", "docs/b.html#gone"),
                ("index.html", "gone.html"),
            ]
        );
    }

    #[test]
    fn links_are_resolved_from_their_page_on() {
        for (name, path, expected) in [
            ("docs/b.html", "../a.html", "a.html"),
            ("docs/c/d.html", "../b.html", "docs/b.html"),
            ("index.html", "docs/b.html", "docs/b.html"),
            ("docs/b.html", "./x.html", "docs/x.html"),
        ] {
            assert_eq!(resolved(name, path), expected);
        }
    }
}

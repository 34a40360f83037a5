//! What is sent: the lines of files, and which files belong together.
//!
//! An exercise `NAME` has three files in `labs`: the page `NAME.md`, the check `NAME.lab`, and
//! `NAME.answer.lab`, which whoever does the exercise writes. The answer runs first, then the check
//! in the same boot, which looks at what the answer has left.

use std::fs;
use std::path::{Path, PathBuf};

use stilt::text::LINE_CAPACITY;

use super::error::LabError;
use crate::checkout;

/// How the files of answers end.
const ANSWER: &str = ".answer.lab";
/// How those of checks end.
const CHECK: &str = ".lab";
/// How those of pages end.
const PAGE: &str = ".md";

/// A line that is sent, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Line {
    /// `FILE:NUMBER`.
    pub(super) place: String,
    pub(super) text: String,
}

/// The files of a run.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Script {
    /// What whoever does the exercise has written: what it expects does not count.
    pub(super) answer: Option<PathBuf>,
    /// What is graded.
    pub(super) graded: PathBuf,
}

impl Script {
    /// The run that `file` stands for: an answer with its exercise's check, a check with its
    /// exercise's answer, or any other file alone.
    ///
    /// # Errors
    /// [`LabError::NoExercise`], [`LabError::NoAnswer`], [`LabError::IsPage`].
    pub(super) fn of(file: &Path) -> Result<Self, LabError> {
        let labs = labs();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if let Some(name) = name.strip_suffix(ANSWER) {
            let graded = labs.join(format!("{name}{CHECK}"));
            if !graded.exists() {
                return Err(LabError::NoExercise {
                    path: file.to_owned(),
                    name: name.to_owned(),
                });
            }
            return Ok(Self {
                answer: Some(file.to_owned()),
                graded,
            });
        }
        if let Some(name) = name.strip_suffix(PAGE) {
            return Err(LabError::IsPage {
                page: file.to_owned(),
                check: file.with_file_name(format!("{name}{CHECK}")),
            });
        }
        let is_check =
            file.parent().and_then(|folder| folder.canonicalize().ok()) == labs.canonicalize().ok();
        let (Some(name), true) = (name.strip_suffix(CHECK), is_check && file.exists()) else {
            return Ok(Self {
                answer: None,
                graded: file.to_owned(),
            });
        };
        let answer = labs.join(format!("{name}{ANSWER}"));
        if !answer.exists() {
            return Err(LabError::NoAnswer {
                check: file.to_owned(),
                answer: shown(&answer).to_owned(),
                page: shown(&labs.join(format!("{name}{PAGE}"))).to_owned(),
            });
        }
        Ok(Self {
            answer: Some(answer),
            graded: file.to_owned(),
        })
    }
}

/// The path from the top of the checkout on.
fn shown(path: &Path) -> &Path {
    path.strip_prefix(checkout::root()).unwrap_or(path)
}

/// The folder of the exercises.
pub(super) fn labs() -> PathBuf {
    checkout::root().join("labs")
}

/// The names of all exercises, in order.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn exercises() -> Result<Vec<String>, LabError> {
    let labs = labs();
    let unreadable = |source| LabError::Unreadable {
        path: labs.clone(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(&labs).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let name = name.to_string_lossy();
        if let (Some(exercise), false) = (name.strip_suffix(CHECK), name.ends_with(ANSWER)) {
            names.push(exercise.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The lines of the file that are more than a comment.
///
/// # Errors
/// Those of a file that cannot be read, or a line that cannot be typed.
pub(super) fn lines(path: &Path) -> Result<Vec<Line>, LabError> {
    let text = fs::read_to_string(path).map_err(|source| LabError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Vec<Line>, LabError> {
    let shown = shown(path);
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let is_typed = |letter: &char| letter.is_ascii_graphic() || *letter == ' ';
        if let Some(letter) = line.chars().find(|letter| !is_typed(letter)) {
            return Err(LabError::NotAscii {
                path: path.to_owned(),
                line: number,
                letter,
            });
        }
        if line.len() > LINE_CAPACITY {
            return Err(LabError::LongLine {
                path: path.to_owned(),
                line: number,
                limit: LINE_CAPACITY,
            });
        }
        lines.push(Line {
            place: format!("{}:{number}", shown.display()),
            text: line.to_owned(),
        });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::{LabError, Path, Script, exercises, labs, lines, parse};

    #[test]
    fn lines_are_those_that_do_something_with_their_numbers() {
        let text = "# what\n\n  as new a  # one\r\nas use a\n";
        let lines = parse(Path::new("x.lab"), text).unwrap();
        let found: Vec<_> = lines
            .iter()
            .map(|line| (line.place.as_str(), line.text.as_str()))
            .collect();
        assert_eq!(
            found,
            [("x.lab:3", "as new a  # one"), ("x.lab:4", "as use a")]
        );
    }

    #[test]
    fn what_cannot_be_typed_is_named_before_anything_boots() {
        let path = Path::new("x.lab");
        let long = format!("echo {}", "x".repeat(200));
        for (text, begin) in [
            ("echo a\necho \u{e9}\n", "x.lab:2: 'é' cannot be typed"),
            ("echo a\tb\n", "x.lab:1: '\\t' cannot be typed"),
            (long.as_str(), "x.lab:1: longer than the 127 characters"),
        ] {
            let error = parse(path, text).unwrap_err().to_string();
            assert!(error.starts_with(begin), "{error}");
        }
        assert!(parse(path, &format!("# {long} \u{e9}")).unwrap().is_empty());
    }

    #[test]
    fn an_answer_is_graded_by_the_check_of_its_name() {
        let any = exercises().unwrap().remove(0);
        let answer = Path::new("/elsewhere").join(format!("{any}.answer.lab"));
        let script = Script::of(&answer).unwrap();
        assert_eq!(script.answer.as_deref(), Some(answer.as_path()));
        assert_eq!(script.graded, labs().join(format!("{any}.lab")));
        let other = Script::of(Path::new("/elsewhere/99-none.answer.lab"));
        assert!(matches!(other, Err(LabError::NoExercise { .. })));
        let page = Script::of(Path::new("labs/01-indices.md")).unwrap_err();
        let said = "labs/01-indices.md is a page to read: `make lab FILE=labs/01-indices.lab` does \
                    the exercise";
        assert_eq!(page.to_string(), said);
        let alone = Script::of(Path::new("/elsewhere/mine.lab")).unwrap();
        assert_eq!(alone.answer, None);
    }

    #[test]
    fn every_exercise_has_a_page_a_solution_and_a_wrong_one() {
        let names = exercises().unwrap();
        for name in &names {
            let page = labs().join(format!("{name}.md"));
            assert!(page.exists(), "{}", page.display());
            for folder in ["solutions", "solutions/wrong"] {
                let answer = labs().join(format!("{folder}/{name}.answer.lab"));
                assert!(!lines(&answer).unwrap().is_empty());
            }
            assert!(
                !lines(&labs().join(format!("{name}.lab")))
                    .unwrap()
                    .is_empty()
            );
        }
    }
}

//! Why a script has no result.

use std::path::PathBuf;

use thiserror::Error;

use crate::failure::{EndsVerb, WRONG_CALL};
use crate::program::RunError;

/// Why a script has no result.
#[derive(Debug, Error)]
pub(super) enum LabError {
    #[error("{}: {source}; expected a file of lines for the prompt, as labs/README.md says", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: there is no exercise {name}; labs/README.md lists them", path.display())]
    NoExercise { path: PathBuf, name: String },
    #[error(
        "{} is a check: write your commands into {}, as {} says",
        check.display(), answer.display(), page.display()
    )]
    NoAnswer {
        check: PathBuf,
        answer: PathBuf,
        page: PathBuf,
    },
    #[error("{} is a page to read: `make lab FILE={}` does the exercise", page.display(), check.display())]
    IsPage { page: PathBuf, check: PathBuf },
    #[error("{}:{line}: longer than the {limit} characters of a line at the prompt", path.display())]
    LongLine {
        path: PathBuf,
        line: usize,
        limit: usize,
    },
    #[error("{}:{line}: {letter:?} cannot be typed at the prompt: ASCII alone can", path.display())]
    NotAscii {
        path: PathBuf,
        line: usize,
        letter: char,
    },
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("the kernel did not come to its prompt in {seconds} s")]
    NoPrompt { seconds: u64 },
    #[error("{place}: no prompt came in {seconds} s behind this line: {line}")]
    Hangs {
        place: String,
        line: String,
        seconds: u64,
    },
    #[error("{place}: the kernel ended behind this line: {line}")]
    Ended { place: String, line: String },
    #[error("{place}: the script takes more than {seconds} s")]
    TooLong { place: String, seconds: u64 },
    #[error("{place}: the kernel said nothing of the kind `N passed, N failed` to `grade`")]
    NoGrade { place: String },
    #[error("{wrong} of {all} exercises are not graded as they should be")]
    Grades { wrong: usize, all: usize },
}

impl EndsVerb for LabError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::NoAnswer { .. } | Self::NoExercise { .. } | Self::IsPage { .. } => WRONG_CALL,
            _ => 1,
        }
    }
}

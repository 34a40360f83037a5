//! The end of a verb that fails: a message and an exit code, whatever the error was.
//!
//! Errors belong to the files in which they arise: each has an enum beside the code, with the
//! values that tell the remedy. [`Failure`] accepts any of them, so that a new error touches one
//! file and no file lists all of them.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

/// The exit code of a wrong call: an unknown verb, option or name.
pub(crate) const WRONG_CALL: u8 = 2;

/// An error that can end a verb.
pub(crate) trait EndsVerb: Error {
    /// The process's exit code: [`WRONG_CALL`] if it was called wrongly, 1 for everything else.
    fn exit_code(&self) -> u8 {
        1
    }
}

/// The error that ended a verb, with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit_code: u8,
}

impl Failure {
    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: EndsVerb> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            message: error.to_string(),
            exit_code: error.exit_code(),
        }
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self {
            message: format!("{error} (`cargo xtask --help` lists what there is)"),
            exit_code: WRONG_CALL,
        }
    }
}

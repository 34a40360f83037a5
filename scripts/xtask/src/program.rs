//! Programs that a verb starts: cargo's scripts, QEMU, GDB, valgrind.

#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::failure::EndsVerb;

/// A program that could not be started, or whose output could not be read.
#[derive(Debug, Error)]
#[error("cannot run {}: {source}; `make doctor` shows what is missing and what mends it", program.display())]
pub(crate) struct RunError {
    program: PathBuf,
    source: io::Error,
}

impl EndsVerb for RunError {}

/// Adds the program's name to why it did not run.
pub(crate) fn cannot_run(program: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> RunError {
    let program = program.into();
    |source| RunError { program, source }
}

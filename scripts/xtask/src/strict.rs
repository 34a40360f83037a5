//! `cargo xtask strict`: a kernel's image on the model of the board; `strict-planted`: with faults.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use lexopt::Parser;
use strict::cli::{self, CliError};
use strict::planted;

use crate::checkout;
use crate::failure::{EndsVerb, Failure, WRONG_CALL};

impl EndsVerb for CliError {
    fn exit_code(&self) -> u8 {
        WRONG_CALL
    }
}

/// Runs the verb; without an image the kernel that was built last.
pub(crate) fn run(args: Parser) -> Result<ExitCode, Failure> {
    let image = checkout::root().join("kernel8.img");
    Ok(cli::run(args, Some(&image))?)
}

/// Runs `strict-planted`; without an image with the kernel that was built last.
pub(crate) fn run_planted(args: Parser) -> Result<ExitCode, Failure> {
    let image = checkout::root().join("kernel8.img");
    Ok(planted::run(args, &image)?)
}

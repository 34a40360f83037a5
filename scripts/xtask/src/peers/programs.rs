//! The programs in `benches/peers`: building, running with a time limit, and their messages.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::error::PeersError;
use crate::checkout;
use crate::image;
use crate::noise;
use crate::program::{cannot_run, output_within};

/// The package's manifest.
fn manifest() -> PathBuf {
    checkout::root().join("benches/peers/Cargo.toml")
}

/// The folder of its build, apart from the kernel's and the tools'.
pub(super) fn target_dir() -> PathBuf {
    image::kernel_target_dir().with_file_name("peers")
}

/// Runs a script that builds the package.
pub(super) fn build(command: &mut Command) -> Result<(), PeersError> {
    command.arg("--manifest-path").arg(manifest());
    command.args(["--locked", "--release"]);
    let status = noise::run_without(command).map_err(cannot_run(command.get_program()))?;
    if status.success() {
        return Ok(());
    }
    Err(PeersError::Build { status })
}

/// The output of a program, which is killed at the time limit.
pub(super) fn output(command: &mut Command, limit: Duration) -> Result<String, PeersError> {
    let program = command.get_program().to_owned();
    let (status, text) = output_within(command, limit)?;
    let program = Path::new(&program).display().to_string();
    let Some(status) = status else {
        let seconds = limit.as_secs();
        return Err(PeersError::Late { program, seconds });
    };
    if status.success() {
        return Ok(text);
    }
    Err(PeersError::Ended {
        program,
        status,
        reason: reason(&text).to_owned(),
    })
}

/// The message of a program that failed: from its line `failed: ...` on.
fn reason(text: &str) -> &str {
    let begin = text.rfind("failed: ").unwrap_or(text.len());
    text[begin..].trim_end()
}

#[cfg(test)]
mod tests {
    use super::{Command, Duration, output, reason};

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let late = output(Command::new("sleep").arg("60"), Duration::from_millis(100));
        assert!(late.is_err());
    }

    #[test]
    fn a_program_that_fails_gives_no_figures() {
        let failed = output(&mut Command::new("false"), Duration::from_secs(10));
        assert!(failed.is_err());
    }

    #[test]
    fn all_of_a_panics_lines_are_shown() {
        let text = "row ptm zero 1 2 3 4\nfailed: panicked\n  left: 1\n right: 2\n";
        assert_eq!(reason(text), "failed: panicked\n  left: 1\n right: 2");
        assert_eq!(reason("row ptm zero 1 2 3 4\n"), "");
    }
}

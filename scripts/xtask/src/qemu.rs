//! `cargo xtask qemu`: the kernel in QEMU, with its console on this terminal.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use lexopt::{Arg, Parser};
use thiserror::Error;

use crate::checkout;
use crate::failure::{EndsVerb, Failure};
use crate::image::{self, BuildError, Files};
use crate::program::cannot_run;

/// The error that an emulator is not on the PATH.
#[derive(Debug, Error)]
#[error("{}: no such program; `make setup` installs one, QEMU=/path names another", program.display())]
pub(crate) struct NoProgram {
    program: OsString,
}

impl EndsVerb for NoProgram {}

/// `cargo xtask qemu`. The process becomes QEMU, so that its exit code is the kernel's: 0 after
/// `halt`, another after a panic.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    let mut program = default_program();
    let mut elf = None;
    let mut more = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("qemu") => program = args.value()?,
            Arg::Long("elf") => elf = Some(PathBuf::from(args.value()?)),
            Arg::Value(option) => more.push(option),
            other => return Err(other.unexpected().into()),
        }
    }
    check_program(&program)?;
    let kernel = kernel_to_boot(elf)?.image;
    eprintln!("Booting {} in QEMU. Ctrl-A X quits.", kernel.display());
    let mut command = machine(&program, &kernel);
    command.args(["-serial", "mon:stdio"]).args(more);
    Err(cannot_run(program)(command.exec()).into())
}

/// `QEMU` from the environment, else the one that [`emulator`] finds.
pub(crate) fn default_program() -> OsString {
    env::var_os("QEMU")
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| emulator("qemu-system-aarch64"))
}

/// The emulator `name` on the PATH, else the one that `make setup` has unpacked in the checkout.
pub(crate) fn emulator(name: &str) -> OsString {
    let unpacked = checkout::tools().join(name);
    match check_program(OsStr::new(name)) {
        Err(NoProgram { .. }) if is_program(&unpacked) => unpacked.into(),
        _ => name.into(),
    }
}

/// Whether an emulator exists, reported before anything is built for it.
///
/// # Errors
/// [`NoProgram`].
pub(crate) fn check_program(program: &OsStr) -> Result<(), NoProgram> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let is_there = if program.as_encoded_bytes().contains(&b'/') {
        is_program(Path::new(program))
    } else {
        env::split_paths(&folders).any(|folder| is_program(&folder.join(program)))
    };
    if is_there {
        return Ok(());
    }
    Err(NoProgram {
        program: program.to_owned(),
    })
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The ELF file `elf`, or else a fresh build of the image that the environment selects:
/// `kernel8.img`, or `kernel8-debug.img`. QEMU enters an ELF file at EL3 with four cores, an image
/// at EL2 with one.
///
/// # Errors
/// The build's.
pub(crate) fn kernel_to_boot(elf: Option<PathBuf>) -> Result<Files, BuildError> {
    match elf {
        Some(elf) => Ok(Files {
            image: elf.clone(),
            elf,
        }),
        None => image::build_wanted(),
    }
}

/// The command for QEMU as a Raspberry Pi 3 without a screen. By semihosting the kernel can end it
/// with an exit code.
pub(crate) fn machine(program: &OsString, kernel: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["-M", "raspi3b", "-display", "none"]);
    command.args(["-semihosting-config", "enable=on,target=native"]);
    command.arg("-kernel").arg(kernel);
    command
}

#[cfg(test)]
mod tests {
    use super::{OsStr, check_program};

    #[test]
    fn an_emulator_is_a_program_by_its_path_or_on_the_path() {
        for there in ["sh", "/bin/sh"] {
            check_program(OsStr::new(there)).unwrap();
        }
        let here = env!("CARGO_MANIFEST_DIR");
        let (text, folder) = (format!("{here}/Cargo.toml"), format!("{here}/src"));
        for not_there in ["/nope", "no-such-qemu", &text, &folder] {
            let error = check_program(OsStr::new(not_there)).unwrap_err();
            let begin = format!("{not_there}: no such program; ");
            assert!(error.to_string().starts_with(&begin), "{error}");
        }
    }
}

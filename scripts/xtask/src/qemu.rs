//! `cargo xtask qemu`: the kernel in QEMU, with its console on this terminal.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use lexopt::{Arg, Parser};

use crate::checkout;
use crate::error::Error;
use crate::image;

/// The verb. Becomes QEMU, so that its exit code is that of the kernel: 0 after `halt`, another after a panic.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Error> {
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
    let kernel = kernel_to_boot(elf)?;
    eprintln!("Booting {} in QEMU. Ctrl-A X quits.", kernel.display());
    let mut command = machine(&program, &kernel);
    command.args(["-serial", "mon:stdio"]).args(more);
    Err(Error::Run {
        program: program.into(),
        source: command.exec(),
    })
}

/// `QEMU` from the environment, else the one on the PATH.
pub(crate) fn default_program() -> OsString {
    env::var_os("QEMU")
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "qemu-system-aarch64".into())
}

/// The ELF file that was asked for, or else `kernel8.img`, built now. QEMU enters an ELF file at EL3 with four
/// cores, the image at EL2 with one.
///
/// # Errors
/// Those of the build.
pub(crate) fn kernel_to_boot(elf: Option<PathBuf>) -> Result<PathBuf, Error> {
    if let Some(elf) = elf {
        return Ok(elf);
    }
    image::build_release()?;
    Ok(checkout::image())
}

/// QEMU as a Raspberry Pi 3 without a screen. With semihosting the kernel can end it and give the exit code.
pub(crate) fn machine(program: &OsString, kernel: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["-M", "raspi3b", "-display", "none"]);
    command.args(["-semihosting-config", "enable=on,target=native"]);
    command.arg("-kernel").arg(kernel);
    command
}

//! `cargo xtask debug`: QEMU stopped before the first instruction, and GDB attached to it.
//!
//! # Decisions
//! - GDB and the console talk to QEMU through sockets in a folder of this run's own: no port that
//!   another run or another user could have taken.
//! - GDB gets the terminal and Ctrl-C; QEMU is in a process group of its own, so that Ctrl-C stops
//!   the kernel and not QEMU. The console's output still appears here.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use lexopt::{Arg, Parser};
use thiserror::Error;

use crate::checkout;
use crate::failure::{EndsVerb, Failure};
use crate::program::{RunError, cannot_run};
use crate::qemu;
use crate::stub::{Machine, StubError, line};

/// Options of the console's socket: QEMU opens it without waiting for a client, and copies the
/// output to this terminal.
const CONSOLE_OPTIONS: &str = ",server=on,wait=off,logfile=/dev/stdout,logappend=on";

/// Reasons why GDB cannot be attached.
#[derive(Debug, Error)]
enum DebugError {
    #[error(
        "no GDB that knows AArch64: `make doctor` shows what installs one, or name one with GDB=..."
    )]
    NoGdb,
    #[error("cannot take over Ctrl-C for GDB: {0}")]
    Signals(#[from] ctrlc::Error),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Stub(#[from] StubError),
}

impl EndsVerb for DebugError {}

/// Runs `cargo xtask debug`. Ends with GDB's exit code, and never leaves a QEMU behind.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    let mut program = qemu::default_program();
    let mut elf = None;
    let mut script = None;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("qemu") => program = args.value()?,
            Arg::Long("elf") => elf = Some(PathBuf::from(args.value()?)),
            Arg::Long("batch") => script = Some(PathBuf::from(args.value()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    qemu::check_program(&program)?;
    let gdb = find_gdb()?;
    let kernel = qemu::kernel_to_boot(elf)?;
    // GDB handles Ctrl-C itself, and this process has to outlive GDB.
    ctrlc::set_handler(|| {}).map_err(DebugError::Signals)?;
    let machine = start(&program, &kernel.image).map_err(DebugError::Stub)?;
    if script.is_none() {
        eprintln!("The console's output appears here. To type into it, from another terminal:");
        eprintln!(
            "  make console    (or: cargo xtask console {})",
            machine.folder().join("console").display()
        );
        eprintln!("`help stilt` lists the commands for tables and registers.");
    }
    let status = attach(&gdb, &kernel.elf, &machine, script.as_deref())?;
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}

/// The GDB that `scripts/find-tool.sh` finds; `scripts/tools.sh` lists the candidates.
fn find_gdb() -> Result<PathBuf, DebugError> {
    let script = checkout::root().join("scripts/find-tool.sh");
    let found = Command::new(&script).arg("gdb").output();
    let found = found.map_err(cannot_run(script))?;
    if !found.status.success() {
        return Err(DebugError::NoGdb);
    }
    Ok(PathBuf::from(
        String::from_utf8_lossy(&found.stdout).trim_end(),
    ))
}

fn attach(
    gdb: &Path,
    symbols: &Path,
    machine: &Machine,
    script: Option<&Path>,
) -> Result<ExitStatus, RunError> {
    let mut command = Command::new(gdb);
    command.arg("-q");
    if script.is_some() {
        command.args(["-nx", "-batch"]);
    }
    command
        .arg("-x")
        .arg(checkout::root().join("scripts/stilt.gdb"));
    command
        .arg("-ex")
        .arg(line("stilt-symbols \"", symbols, "\""));
    command
        .arg("-ex")
        .arg(line("target remote ", &machine.gdb_socket(), ""));
    if let Some(script) = script {
        command.arg("-x").arg(script);
    }
    command.status().map_err(cannot_run(gdb))
}

/// QEMU with its console on a socket in its folder.
fn start(program: &OsString, kernel: &Path) -> Result<Machine, StubError> {
    Machine::start(program, kernel, "stilt-debug", |command, folder| {
        let socket = folder.join("console");
        let console = line("socket,id=console,path=", &socket, CONSOLE_OPTIONS);
        command.arg("-chardev").arg(console);
        command
            .args(["-serial", "chardev:console"])
            .process_group(0);
    })
}

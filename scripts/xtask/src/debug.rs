//! `cargo xtask debug`: QEMU stopped before the first instruction, and GDB attached to it.
//!
//! # Decisions
//! - GDB and the console talk to QEMU through sockets in a folder of this run's own: no port that
//!   another run or another user could have taken.
//! - GDB gets the terminal and Ctrl-C; QEMU is in a process group of its own, so that Ctrl-C stops
//!   the kernel and not QEMU. The console's output still appears here.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser};
use thiserror::Error;

use crate::checkout::{self, FileError};
use crate::failure::{EndsVerb, Failure};
use crate::program::{RunError, cannot_run};
use crate::qemu;

/// How long QEMU may take to open its sockets.
const START_SECONDS: u64 = 10;
/// Options of a socket that QEMU opens without waiting for a client.
const OPEN_AT_ONCE: &str = ",server=on,wait=off";
/// As [`OPEN_AT_ONCE`], for the console, whose output is copied to this terminal.
const CONSOLE_OPTIONS: &str = ",server=on,wait=off,logfile=/dev/stdout,logappend=on";

/// Why GDB is not attached.
#[derive(Debug, Error)]
enum DebugError {
    #[error(
        "no GDB that knows AArch64: `make doctor` shows what installs one, or name one with GDB=..."
    )]
    NoGdb,
    #[error("cannot take over Ctrl-C for GDB: {0}")]
    Signals(#[from] ctrlc::Error),
    #[error(transparent)]
    Folder(#[from] FileError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("QEMU ended before GDB could attach ({status})")]
    QemuEnded { status: ExitStatus },
    #[error("QEMU did not open {} in {seconds} seconds", socket.display())]
    QemuSilent { socket: PathBuf, seconds: u64 },
}

impl EndsVerb for DebugError {}

/// The verb. Ends with GDB's exit code, and never leaves a QEMU behind.
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
    // GDB handles these itself; this process only has to outlive it.
    ctrlc::set_handler(|| {}).map_err(DebugError::Signals)?;
    let machine = Machine::start(&program, &kernel.image)?;
    if script.is_none() {
        eprintln!("The console's output appears here. To type into it, from another terminal:");
        eprintln!(
            "  make console    (or: cargo xtask console {})",
            machine.console().display()
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

/// The list of candidates is with those of the other tools, in `scripts/tools.sh`.
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

/// A line for GDB or QEMU with a path in it, which need not be UTF-8. GDB wants quotes around a
/// file that may have blanks in its name, and takes none around a socket.
fn line(before: &str, path: &Path, after: &str) -> OsString {
    let mut line = OsString::from(before);
    line.push(path);
    line.push(after);
    line
}

/// A QEMU that waits for GDB; it ends when this is dropped.
struct Machine {
    folder: PathBuf,
    child: Child,
}

impl Machine {
    fn start(program: &OsString, kernel: &Path) -> Result<Self, DebugError> {
        let folder = env::temp_dir().join(format!("stilt-debug-{}", std::process::id()));
        // Others on this machine must not be able to attach.
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|source| FileError::Write {
            path: folder.clone(),
            source,
        })?;
        let mut command = qemu::machine(program, kernel);
        command
            .arg("-S")
            .arg("-gdb")
            .arg(line("unix:", &folder.join("gdb"), OPEN_AT_ONCE));
        command.arg("-chardev").arg(line(
            "socket,id=console,path=",
            &folder.join("console"),
            CONSOLE_OPTIONS,
        ));
        command.args(["-serial", "chardev:console", "-monitor", "none"]);
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = child.map_err(|source| {
            drop(fs::remove_dir_all(&folder));
            cannot_run(program)(source)
        })?;
        let mut machine = Self { folder, child };
        machine.wait_until_open()?;
        Ok(machine)
    }

    fn gdb_socket(&self) -> PathBuf {
        self.folder.join("gdb")
    }

    fn console(&self) -> PathBuf {
        self.folder.join("console")
    }

    fn wait_until_open(&mut self) -> Result<(), DebugError> {
        let start = Instant::now();
        while !self.gdb_socket().exists() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(DebugError::QemuEnded { status });
            }
            if start.elapsed() > Duration::from_secs(START_SECONDS) {
                return Err(DebugError::QemuSilent {
                    socket: self.gdb_socket(),
                    seconds: START_SECONDS,
                });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // All three fail only if QEMU or the folder is gone already, which is what they are for.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

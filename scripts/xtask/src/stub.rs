//! QEMU with a debugger's stub on a socket in a private folder, stopped before the first
//! instruction.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::checkout::FileError;
use crate::failure::EndsVerb;
use crate::program::{RunError, cannot_run};
use crate::qemu;

/// The longest wait for QEMU to open its sockets, in seconds.
const START_SECONDS: u64 = 10;
/// The options of a socket that QEMU opens without waiting for a client.
const OPEN_AT_ONCE: &str = ",server=on,wait=off";

/// Reasons why no debugger can attach.
#[derive(Debug, Error)]
pub(crate) enum StubError {
    #[error(transparent)]
    Folder(#[from] FileError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("QEMU ended before a debugger could attach ({status})")]
    QemuEnded { status: ExitStatus },
    #[error("QEMU did not open {} in {seconds} seconds", socket.display())]
    QemuSilent { socket: PathBuf, seconds: u64 },
}

impl EndsVerb for StubError {}

/// A line for GDB or QEMU with a path in it, which need not be UTF-8. GDB needs quotes around a
/// file's name with blanks, and allows none around a socket's.
pub(crate) fn line(before: &str, path: &Path, after: &str) -> OsString {
    let mut line = OsString::from(before);
    line.push(path);
    line.push(after);
    line
}

/// A QEMU that waits for a debugger; it is killed when this is dropped.
pub(crate) struct Machine {
    folder: PathBuf,
    child: Child,
}

impl Machine {
    /// Starts `program` with `kernel`. `console` adds the console to the command; its sockets may
    /// be in the folder that it gets, which only this user can enter and whose name begins with
    /// `name`.
    pub(crate) fn start(
        program: &OsString,
        kernel: &Path,
        name: &str,
        console: impl FnOnce(&mut Command, &Path),
    ) -> Result<Self, StubError> {
        let folder = env::temp_dir().join(format!("{name}-{}", std::process::id()));
        // Other users must not be able to attach.
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
        command.args(["-monitor", "none"]).stdin(Stdio::null());
        console(&mut command, &folder);
        let child = command.spawn().map_err(|source| {
            drop(fs::remove_dir_all(&folder));
            cannot_run(program)(source)
        })?;
        let mut machine = Self { folder, child };
        machine.wait_until_open()?;
        Ok(machine)
    }

    /// The socket to which a debugger attaches.
    pub(crate) fn gdb_socket(&self) -> PathBuf {
        self.folder.join("gdb")
    }

    /// The private folder with the sockets.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process; its output can be taken from it.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until a debugger is let in. The socket's file is there a moment earlier: between
    /// `bind` and `listen` a connection is refused. The connection that shows it is closed at
    /// once, and QEMU takes the next one.
    fn wait_until_open(&mut self) -> Result<(), StubError> {
        let start = Instant::now();
        while UnixStream::connect(self.gdb_socket()).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(StubError::QemuEnded { status });
            }
            if start.elapsed() > Duration::from_secs(START_SECONDS) {
                return Err(StubError::QemuSilent {
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
        // Each of these fails only if QEMU or the folder is gone already, as it should be.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

//! `cargo xtask console`: this terminal as the keyboard of a kernel that `cargo xtask debug` runs.
//!
//! # Decisions
//! - Keys go to the kernel as they are typed, Ctrl-C too. Ctrl-A X ends it and Ctrl-A twice is
//!   Ctrl-A, as in QEMU.
//! - `stty` sets the terminal: every system has it, and nothing here needs `unsafe` or another
//!   crate.

use std::env;
use std::io::{self, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use lexopt::{Arg, Parser};
use thiserror::Error;

use crate::failure::{EndsVerb, Failure};

/// Ctrl-A, the key before a command to the console.
const ESCAPE: u8 = 1;
/// The longest wait for the kernel's answer to the last byte of a file.
const LAST_ANSWER: Duration = Duration::from_millis(500);

/// Reasons why nothing can be typed.
#[derive(Debug, Error)]
enum ConsoleError {
    #[error("no `make debug` is running: there is no socket stilt-debug-*/console in {}", folder.display())]
    NoConsole { folder: PathBuf },
    #[error("the console at {}: {source}", socket.display())]
    Socket { socket: PathBuf, source: io::Error },
}

impl EndsVerb for ConsoleError {}

/// Runs `cargo xtask console`.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    let mut socket = None;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Value(path) if socket.is_none() => socket = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    let socket = match socket {
        Some(socket) => socket,
        None => newest()?,
    };
    let _terminal = Terminal::raw();
    eprint!("This is the kernel's console. Ctrl-A X ends it, and leaves the kernel running.\r\n");
    connect(&socket).map_err(|source| ConsoleError::Socket { socket, source })?;
    Ok(ExitCode::SUCCESS)
}

/// The socket of the `debug` that was started last.
fn newest() -> Result<PathBuf, ConsoleError> {
    let folder = env::temp_dir();
    let runs = folder.read_dir().into_iter().flatten().flatten();
    let ours = runs.filter(|run| {
        run.file_name()
            .to_string_lossy()
            .starts_with("stilt-debug-")
    });
    let sockets = ours.map(|run| run.path().join("console"));
    let began = |socket: &PathBuf| -> SystemTime {
        let data = socket.metadata().and_then(|data| data.modified());
        data.unwrap_or(SystemTime::UNIX_EPOCH)
    };
    let newest = sockets.filter(|socket| socket.exists()).max_by_key(began);
    newest.ok_or(ConsoleError::NoConsole { folder })
}

/// Copies bytes in both directions until one side ends.
fn connect(socket: &PathBuf) -> io::Result<()> {
    let stream = UnixStream::connect(socket)?;
    let (mut keys, mut output) = (stream.try_clone()?, stream.try_clone()?);
    let (sender, ended) = mpsc::channel();
    let typed = sender.clone();
    // The thread is not joined: a read of the keyboard cannot be interrupted, and the process ends
    // with this function.
    thread::spawn(move || {
        let quit = copy_keys(&mut io::stdin().lock(), &mut keys);
        typed.send(quit.unwrap_or(Quit::Key))
    });
    thread::spawn(move || {
        // On success and on an error alike the output has ended.
        drop(io::copy(&mut output, &mut io::stdout()));
        sender.send(Quit::Key)
    });
    // Standard input that is a file ends at once; the kernel's answer to it comes later.
    if let Ok(Quit::EndOfFile) = ended.recv() {
        drop(ended.recv_timeout(LAST_ANSWER));
    }
    drop(stream.shutdown(Shutdown::Both));
    Ok(())
}

/// Reasons why the session ends.
#[derive(Debug, Eq, PartialEq)]
enum Quit {
    Key,
    EndOfFile,
}

fn copy_keys(keyboard: &mut impl Read, kernel: &mut impl Write) -> io::Result<Quit> {
    let mut byte = [0];
    let mut escaped = false;
    while keyboard.read(&mut byte)? > 0 {
        match (escaped, byte[0]) {
            (false, ESCAPE) => {
                escaped = true;
                continue;
            }
            (true, b'x' | b'X') => return Ok(Quit::Key),
            _ => kernel.write_all(&byte)?,
        }
        escaped = false;
    }
    Ok(Quit::EndOfFile)
}

/// The terminal's settings, which are put back when this is dropped; nothing where there is no
/// terminal.
struct Terminal(Option<String>);

impl Terminal {
    fn raw() -> Self {
        if !io::stdin().is_terminal() {
            return Self(None);
        }
        let saved = stty(&["-g"]);
        if saved.is_some() {
            stty(&["raw", "-echo"]);
        }
        Self(saved)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(saved) = &self.0 {
            stty(&[saved.trim()]);
        }
    }
}

/// The output of `stty`, if it succeeds.
fn stty(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("stty");
    command.args(arguments).stdin(Stdio::inherit());
    let output = command.output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(said)
}

#[cfg(test)]
mod tests {
    use super::{Quit, copy_keys};

    fn typed(keys: &[u8]) -> (Quit, Vec<u8>) {
        let mut kernel = Vec::new();
        let quit = copy_keys(&mut &*keys, &mut kernel).unwrap();
        (quit, kernel)
    }

    #[test]
    fn keys_go_to_the_kernel_as_they_are() {
        let keys = b"uptime\r\x03\x1b[A\x00\xff";
        assert_eq!(typed(keys), (Quit::EndOfFile, keys.to_vec()));
    }

    #[test]
    fn the_escape_key_twice_is_one_and_with_x_ends() {
        assert_eq!(typed(b"a\x01\x01b"), (Quit::EndOfFile, b"a\x01b".to_vec()));
        assert_eq!(typed(b"a\x01xb"), (Quit::Key, b"a".to_vec()));
        assert_eq!(typed(b"\x01c"), (Quit::EndOfFile, b"c".to_vec()));
    }
}

//! Programs that a verb starts: cargo's scripts, QEMU, GDB, valgrind.

#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::failure::EndsVerb;

/// The interval at which a program is asked whether it has ended.
const INTERVAL: Duration = Duration::from_millis(50);

/// A program that could not be started, or whose output could not be read.
#[derive(Debug, Error)]
#[error("cannot run {}: {source}; `make doctor` shows what is missing and what mends it", program.display())]
pub(crate) struct RunError {
    program: PathBuf,
    source: io::Error,
}

impl EndsVerb for RunError {}

/// An error with the program's name, from the system's error.
pub(crate) fn cannot_run(program: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> RunError {
    let program = program.into();
    |source| RunError { program, source }
}

/// A program's output in the pieces that it comes in, read by a thread of its own: whoever waits for
/// one can give up. The pieces end with the output.
pub(crate) fn pieces_of(output: Option<ChildStdout>) -> Receiver<Vec<u8>> {
    let (sender, pieces) = mpsc::channel();
    thread::spawn(move || {
        let Some(mut output) = output else { return };
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            if sender.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    pieces
}

/// Runs a program without input. Returns its exit status and its output; no status if it did not
/// end within `limit` and was killed.
///
/// # Errors
/// When it cannot be started, or its output cannot be read.
pub(crate) fn output_within(
    command: &mut Command,
    limit: Duration,
) -> Result<(Option<ExitStatus>, String), RunError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let program = command.get_program().to_owned();
    let mut child = command.spawn().map_err(cannot_run(&program))?;
    collect(&mut child, limit).map_err(cannot_run(&program))
}

/// Waits for the end, at most for `limit`, while a thread reads the output.
fn collect(child: &mut Child, limit: Duration) -> io::Result<(Option<ExitStatus>, String)> {
    let stdout = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut text))?;
        Ok::<_, io::Error>(text)
    });
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begin.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(INTERVAL);
    };
    let text = reader.join().map_err(|_| io::ErrorKind::Other)??;
    Ok((status, text))
}

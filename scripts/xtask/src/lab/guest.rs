//! A kernel that has been booted for a script: line by line, with a limit of time for each.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::error::LabError;
use super::script::Line;
use crate::program::{cannot_run, pieces_of};
use crate::qemu;

/// The kernel's first prompt, which it prints behind a question to the terminal.
const FIRST_PROMPT: &str = "stilt> ";
/// The prompt behind a command.
const PROMPT: &str = "\nstilt> ";
/// The longest that the kernel may take to its first prompt; a tenth of a second is usual.
const BOOT_SECONDS: u64 = 20;

/// The longest that lines may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) line_seconds: u64,
    pub(super) all_seconds: u64,
}

/// A QEMU that runs; it ends when this is dropped.
pub(super) struct Guest {
    child: Child,
    keyboard: Option<ChildStdin>,
    pieces: Receiver<Vec<u8>>,
    limits: Limits,
    /// When the script must be done.
    deadline: Instant,
}

/// Why a prompt did not come.
enum Silence {
    Time,
    Ended,
}

impl Guest {
    /// Boots `kernel`, and waits for the first prompt. The boot's log is shown only if that does
    /// not come.
    pub(super) fn boot(
        program: &OsString,
        kernel: &Path,
        limits: Limits,
    ) -> Result<Self, LabError> {
        let mut command = qemu::machine(program, kernel);
        command
            .args(["-serial", "stdio", "-monitor", "none"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().map_err(cannot_run(program))?;
        let keyboard = child.stdin.take();
        let pieces = pieces_of(child.stdout.take());
        let mut guest = Self {
            child,
            keyboard,
            pieces,
            limits,
            deadline: Instant::now(),
        };
        let (log, came) = guest.until(FIRST_PROMPT, Duration::from_secs(BOOT_SECONDS));
        if came.is_err() {
            eprint!("{log}");
            return Err(LabError::NoPrompt {
                seconds: BOOT_SECONDS,
            });
        }
        guest.deadline = Instant::now() + Duration::from_secs(limits.all_seconds);
        Ok(guest)
    }

    /// Types a line, shows `transcript` line and answer, and returns the answer.
    pub(super) fn run(
        &mut self,
        line: &Line,
        transcript: &mut dyn Write,
    ) -> Result<String, LabError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let place = line.place.clone();
        if left.is_zero() {
            let seconds = self.limits.all_seconds;
            return Err(LabError::TooLong { place, seconds });
        }
        let typed = format!("{}\r", line.text);
        let keyboard = self.keyboard.as_mut();
        // A guest that is gone says so by the end of its output.
        let _ = keyboard.map(|keyboard| keyboard.write_all(typed.as_bytes()));
        let limit = Duration::from_secs(self.limits.line_seconds).min(left);
        let (output, came) = self.until(PROMPT, limit);
        // Nobody may listen; the result is what counts.
        let _ = writeln!(transcript, "stilt> {}", output.trim_end());
        let text = line.text.clone();
        match came {
            Ok(()) => Ok(output),
            Err(Silence::Ended) => Err(LabError::Ended { place, line: text }),
            Err(Silence::Time) => Err(LabError::Hangs {
                place,
                line: text,
                seconds: limit.as_secs(),
            }),
        }
    }

    /// The output up to a `prompt` that nothing follows, or all that came instead.
    fn until(&self, prompt: &str, limit: Duration) -> (String, Result<(), Silence>) {
        let deadline = Instant::now() + limit;
        let mut output = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => output.extend(shown(&piece)),
                Err(RecvTimeoutError::Timeout) => return (output, Err(Silence::Time)),
                Err(RecvTimeoutError::Disconnected) => return (output, Err(Silence::Ended)),
            }
            if let Some(before) = output.strip_suffix(prompt) {
                return (before.to_owned(), Ok(()));
            }
        }
    }
}

/// What a terminal would show of the bytes, without carriage returns. The kernel's questions to the
/// terminal come before its first prompt.
fn shown(bytes: &[u8]) -> impl Iterator<Item = char> {
    let is_shown = |byte: &&u8| byte.is_ascii_graphic() || matches!(**byte, b' ' | b'\n');
    bytes.iter().filter(is_shown).map(|byte| char::from(*byte))
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Both fail only if QEMU is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

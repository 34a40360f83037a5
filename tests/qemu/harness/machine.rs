//! A Raspberry Pi 3 in QEMU with its console on two pipes, and a thread that ends it in any case.
//!
//! # Decisions
//! - QEMU belongs to a watcher thread, which reaps it, ends it at the time limit, and ends it when
//!   the [`Machine`] is dropped: a test that fails or waits for something else leaves nothing
//!   running.
//! - Carriage returns are dropped on the way in, so that tests compare lines.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::checkout;
use super::ending::Ending;
use super::gdb::Gdb;
use super::report;

/// What the shell prints when it wants a line.
pub(crate) const PROMPT: &str = "stilt> ";
/// A prompt at the start of a row: after the output of a command.
const NEXT_PROMPT: &str = "\nstilt> ";
/// The longest that one thing may take. Boots take a fraction of a second; the rest is for slow
/// machines.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often the watcher looks.
const TICK: Duration = Duration::from_millis(5);

/// What is known of a running machine.
#[derive(Default)]
struct Record {
    output: Vec<u8>,
    /// The output with its carriage returns, for a terminal.
    raw: Vec<u8>,
    complaints: Vec<u8>,
    /// Set once nothing more can come: QEMU's status, or none if the time limit ended it.
    ended: Option<Option<ExitStatus>>,
    unwanted: bool,
}

#[derive(Default)]
struct Shared {
    record: Mutex<Record>,
    news: Condvar,
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_into(
    shared: &Arc<Shared>,
    mut pipe: impl Read + Send + 'static,
    keep: fn(&mut Record, &[u8]),
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            keep(&mut shared.record(), &buffer[..count]);
            shared.news.notify_all();
        }
    })
}

fn watch(
    shared: &Arc<Shared>,
    mut child: Child,
    limit: Instant,
    readers: [JoinHandle<()>; 2],
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let status = loop {
            if let Ok(Some(status)) = child.try_wait() {
                break Some(status);
            }
            if shared.record().unwanted || Instant::now() > limit {
                // Fails only if QEMU has ended in between.
                drop(child.kill());
                drop(child.wait());
                break None;
            }
            thread::sleep(TICK);
        };
        for reader in readers {
            drop(reader.join());
        }
        shared.record().ended = Some(status);
        shared.news.notify_all();
    })
}

/// A running machine; dropping it ends it.
pub(crate) struct Machine {
    command: String,
    folder: TempDir,
    shared: Arc<Shared>,
    keyboard: ChildStdin,
    /// How much of the output has been waited for.
    seen: usize,
    watcher: Option<JoinHandle<()>>,
}

impl Machine {
    /// Starts QEMU as `command` says, with the console on pipes, for `limit` at the most. Its files
    /// are in `folder`, the debugger's socket among them.
    pub(crate) fn start(mut command: Command, limit: Duration, folder: TempDir) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{:?}: {error}", command.get_program()),
        };
        let keyboard = child.stdin.take().expect("a pipe");
        let output = child.stdout.take().expect("a pipe");
        let complaints = child.stderr.take().expect("a pipe");
        let shared = Arc::new(Shared::default());
        let readers = [
            read_into(&shared, output, |record, bytes| {
                let kept = bytes.iter().filter(|byte| **byte != b'\r');
                record.output.extend(kept);
                record.raw.extend(bytes);
            }),
            read_into(&shared, complaints, |record, bytes| {
                record.complaints.extend(bytes)
            }),
        ];
        let watcher = watch(&shared, child, Instant::now() + limit, readers);
        Self {
            command: format!("{command:?}"),
            folder,
            shared,
            keyboard,
            seen: 0,
            watcher: Some(watcher),
        }
    }

    /// Waits for `text` behind what was waited for before; returns what came before it.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + TIMEOUT;
        let mut record = self.shared.record();
        loop {
            let fresh = &record.output[self.seen..];
            if let Some(at) = find(fresh, text.as_bytes()) {
                let before = checkout::text(&fresh[..at]);
                self.seen += at + text.len();
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if record.ended.is_some() || left.is_zero() {
                drop(record);
                self.fail(&format!("{text:?} did not come"));
            }
            let waited = self.shared.news.wait_timeout(record, left);
            record = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the first prompt; returns the boot log.
    #[track_caller]
    pub(crate) fn boot(&mut self) -> String {
        self.expect(PROMPT)
    }

    /// Types `bytes`.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.keyboard.write_all(bytes.as_ref());
        if let Err(error) = sent.and_then(|()| self.keyboard.flush()) {
            self.fail(&format!("nothing can be typed: {error}"));
        }
    }

    /// Types a line at a prompt; returns what came before the next prompt.
    #[track_caller]
    pub(crate) fn command(&mut self, line: &str) -> String {
        self.send(format!("{line}\r"));
        self.expect(line);
        self.expect(NEXT_PROMPT).trim_start_matches('\n').to_owned()
    }

    /// Waits until QEMU has ended.
    pub(crate) fn wait_exit(&mut self) -> Ending {
        let mut record = self.shared.record();
        loop {
            if let Some(status) = record.ended {
                return Ending::classify(status, &checkout::text(&record.output));
            }
            // The watcher ends the machine at its limit, so this ends too.
            let news = self.shared.news.wait(record);
            record = news.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Fails, with the transcript, unless the run ends as said.
    #[track_caller]
    pub(crate) fn must_end(&mut self, ending: Ending) {
        let found = self.wait_exit();
        if found != ending {
            self.fail(&format!("expected {ending:?}, found {found:?}"));
        }
    }

    /// Fails, with the transcript, if `output` lacks any of `words`, in however many rows.
    #[track_caller]
    pub(crate) fn must_say(&self, output: &str, words: &[&str]) {
        let unwrapped = report::unwrapped(output);
        for word in words {
            if !output.contains(word) && !unwrapped.contains(word) {
                self.fail(&format!("{word:?} is missing in {output:?}"));
            }
        }
    }

    /// The debugger of a machine that was started [`Setup::stopped`].
    pub(crate) fn debugger(&self) -> Gdb {
        Gdb::connect(&self.gdb_socket())
    }

    /// Where a debugger connects.
    pub(crate) fn gdb_socket(&self) -> PathBuf {
        self.folder.path().join("gdb")
    }

    /// All that was sent, byte by byte.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.shared.record().raw.clone()
    }

    /// All that was printed.
    pub(crate) fn transcript(&self) -> String {
        checkout::text(&self.shared.record().output)
    }

    /// Ends the test with all that is known of the machine.
    #[track_caller]
    pub(crate) fn fail(&self, what: &str) -> ! {
        let (complaints, ended) = {
            let record = self.shared.record();
            (checkout::text(&record.complaints), record.ended)
        };
        let state = match ended {
            None => "still running".to_owned(),
            Some(status) => format!("{:?}", Ending::classify(status, &self.transcript())),
        };
        panic!(
            "{what}\n--- {state}: {}\n{complaints}--- console\n{}\n---",
            self.command,
            self.transcript()
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.shared.record().unwanted = true;
        if let Some(watcher) = self.watcher.take() {
            drop(watcher.join());
        }
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

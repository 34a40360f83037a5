//! The same image and the same commands on QEMU.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that one command may take.
const LIMIT: Duration = Duration::from_secs(60);

fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = Command::new(root.join("scripts/find-tool.sh"))
        .arg("qemu")
        .output()
        .expect("the script runs");
    assert!(found.status.success(), "no QEMU: `make setup` installs it");
    PathBuf::from(String::from_utf8_lossy(&found.stdout).trim_end())
}

/// The emulator ends with the test, however that ends.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What the image prints for the commands, each typed when the prompt has come.
pub(crate) fn run(image: &Path, prompt: &str, commands: &[&str]) -> String {
    let child = Command::new(program())
        .args(["-M", "raspi3b", "-display", "none", "-monitor", "none"])
        .args(["-serial", "stdio", "-no-reboot", "-kernel"])
        .arg(image)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("QEMU runs");
    let mut guest = Guest(child);
    let mut input = guest.0.stdin.take().expect("a pipe");
    let mut output = guest.0.stdout.take().expect("a pipe");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            if sender.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut console = Vec::new();
    wait(&receiver, &mut console, prompt);
    for command in commands {
        write!(input, "{command}\r").expect("QEMU reads");
        input.flush().expect("QEMU reads");
        wait(&receiver, &mut console, prompt);
    }
    String::from_utf8_lossy(&console).into_owned()
}

/// Reads until the console has printed the prompt once more.
fn wait(receiver: &Receiver<Vec<u8>>, console: &mut Vec<u8>, prompt: &str) {
    let limit = Instant::now() + LIMIT;
    let from = console.len();
    loop {
        let left = limit.saturating_duration_since(Instant::now());
        let bytes = receiver.recv_timeout(left).unwrap_or_else(|_| {
            panic!(
                "no prompt within {LIMIT:?}: {}",
                String::from_utf8_lossy(&console[from..])
            )
        });
        console.extend(bytes);
        let new = &console[from..];
        if new
            .windows(prompt.len())
            .any(|part| part == prompt.as_bytes())
        {
            return;
        }
    }
}

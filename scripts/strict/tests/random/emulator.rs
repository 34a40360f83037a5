//! A run of an image on QEMU's Raspberry Pi 3.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

/// The longest that a run may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked whether the run has ended.
const TICK: Duration = Duration::from_millis(2);

/// The emulator: `QEMU`, or the one on the path, or the one that is unpacked in the checkout.
fn program() -> &'static Path {
    static FOUND: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let found = Command::new(root.join("scripts/find-tool.sh"))
            .arg("qemu")
            .output()
            .expect("the script runs");
        assert!(
            found.status.success(),
            "no QEMU for AArch64: `make setup` installs it"
        );
        PathBuf::from(
            String::from_utf8(found.stdout)
                .expect("a path of plain text")
                .trim_end(),
        )
    });
    &FOUND
}

/// What the image printed until it ended, or until the limit.
pub(crate) fn run(image: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("random.img");
    fs::write(&path, image).expect("the image can be written");
    let mut child = Command::new(program())
        .args(["-M", "raspi3b", "-display", "none", "-monitor", "none"])
        .args(["-serial", "stdio", "-no-reboot", "-kernel"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("QEMU runs");
    let mut output = child.stdout.take().expect("a pipe");
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).expect("a pipe");
        bytes
    });
    end(&mut child);
    reader.join().expect("the reader ends with QEMU")
}

/// Waits for the end, and makes it at the limit.
fn end(child: &mut Child) {
    let limit = Instant::now() + LIMIT;
    while Instant::now() < limit {
        if let Ok(Some(_)) = child.try_wait() {
            return;
        }
        thread::sleep(TICK);
    }
    // Fails only if it has ended in between.
    drop(child.kill());
    drop(child.wait());
}

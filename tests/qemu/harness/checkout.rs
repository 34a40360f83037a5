//! Where the image is, and how the project's own tools and those of others are called, with a time
//! limit.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

/// The longest that a tool may take. `cargo xtask` may have to build the image.
const LIMIT: Duration = Duration::from_secs(300);
/// How long a tool may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(5);

/// The top of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The flat image.
pub(crate) fn image() -> PathBuf {
    built("kernel8.img")
}

/// The ELF file that the image was made from.
pub(crate) fn elf() -> PathBuf {
    built("kernel8.elf")
}

/// The ELF file of a debug build, which is made now; files of its own.
pub(crate) fn debug_elf() -> PathBuf {
    let folder = root().join("target/kernel-debug");
    let mut command = Command::new(root().join("scripts/kcargo.sh"));
    command
        .current_dir(root())
        .env("KERNEL_TARGET_DIR", &folder);
    command.args(["build", "--package", "stilt", "--bin", "kernel8"]);
    run(&mut command);
    folder.join("aarch64-unknown-none-softfloat/debug/kernel8")
}

fn built(name: &str) -> PathBuf {
    let path = root().join(name);
    assert!(
        path.exists(),
        "{} is not there: `cargo xtask image` makes it",
        path.display()
    );
    path
}

/// The paths of README and of the pages of the book.
pub(crate) fn documents() -> Vec<PathBuf> {
    let mut found = pages("docs");
    found.push(root().join("README.md"));
    found.sort();
    found
}

/// The paths of the pages of the exercises.
pub(crate) fn exercises() -> Vec<PathBuf> {
    pages("labs")
}

/// The Markdown files below a folder of the checkout.
fn pages(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of pages") {
            let path = entry.expect("an entry").path();
            match path.extension() {
                None => folders.push(path),
                Some(extension) if extension == "md" => found.push(path),
                Some(_) => {}
            }
        }
    }
    found
}

/// `cargo xtask`, which builds what is out of date first.
pub(crate) fn xtask(verb: &str) -> Command {
    let mut command = Command::new(root().join("scripts/cargo.sh"));
    command.current_dir(root()).args(["xtask", verb]);
    command
}

/// Where the tool is that `scripts/tools.sh` calls `name`.
#[track_caller]
pub(crate) fn tool(name: &str) -> PathBuf {
    let found = finish(Command::new(root().join("scripts/find-tool.sh")).arg(name));
    assert!(
        found.status.success(),
        "{name} is missing: `make setup` installs it"
    );
    PathBuf::from(text(&found.stdout).trim_end())
}

/// The emulator: `QEMU`, or the one on the path, or the one that is unpacked in the checkout.
pub(crate) fn qemu() -> OsString {
    static FOUND: LazyLock<OsString> = LazyLock::new(|| tool("qemu").into());
    FOUND.clone()
}

/// Runs a tool that must succeed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Output {
    let output = finish(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

/// Runs a tool. At the limit it is ended with everything that it started, first in a way that lets
/// it tidy up.
#[track_caller]
fn finish(command: &mut Command) -> Output {
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{:?}: {error}", command.get_program()),
    };
    let group = format!("-{}", child.id());
    let (sender, ended) = mpsc::channel();
    let waiter = thread::spawn(move || sender.send(child.wait_with_output()));
    let mut result = ended.recv_timeout(LIMIT);
    let in_time = result.is_ok();
    for signal in ["-TERM", "-KILL"] {
        if result.is_err() {
            // Fails only if it has ended in between.
            drop(Command::new("kill").args([signal, "--", &group]).status());
            result = ended.recv_timeout(GRACE);
        }
    }
    drop(waiter.join());
    assert!(in_time, "{command:?} did not end: {result:?}");
    match result {
        Ok(Ok(output)) => output,
        problem => panic!("{command:?}: {problem:?}"),
    }
}

/// Output as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

//! The shipped image: on the model its console is QEMU's, and no way in breaks a rule.
#![forbid(unsafe_code)]

mod qemu;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use strict::{Entry, Image, Limits, Machine, Options, Outcome};

/// The prompt of the kernel's shell.
const PROMPT: &str = "stilt> ";

/// Commands whose whole output is compared: the machine, the map, every fault that comes back,
/// invalidations on all cores, everything at once.
const COMMANDS: [&str; 24] = [
    "help",
    "info",
    "map",
    "irq",
    "fault null-read",
    "fault null-call",
    "fault write-text",
    "fault write-rodata",
    "fault exec-data",
    "fault exec-device",
    "fault unaligned-device",
    "fault guard-page",
    "fault undefined",
    "fault brk",
    "fault svc",
    "fault access-flag",
    "fault non-canonical",
    "fault guard-order",
    "shootdown 3",
    "as new a",
    "as map 0x10000 64K rw",
    "as list",
    "check",
    "soak 1",
];

fn kernel() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernel8.img")
}

fn image() -> Image {
    let bytes = fs::read(kernel()).expect("`make image` builds kernel8.img");
    Image::read(&bytes).expect("it is an image")
}

fn until(text: &str) -> Limits {
    Limits {
        until: Some(text.as_bytes().to_vec()),
        ..Limits::default()
    }
}

/// What the model prints for the commands, each typed at its prompt.
fn model(commands: &[&str]) -> String {
    let mut machine = Machine::new(&image(), &Options::new(Entry::Qemu));
    let outcome = machine.run(&until(PROMPT));
    assert!(matches!(outcome, Outcome::Matched), "{outcome:?}");
    for command in commands {
        machine.type_bytes(format!("{command}\r").as_bytes());
        let outcome = machine.run(&until(PROMPT));
        assert!(
            matches!(outcome, Outcome::Matched),
            "{command}: {outcome:?}"
        );
    }
    String::from_utf8_lossy(machine.console()).into_owned()
}

#[test]
fn the_console_is_qemus_but_for_times() {
    let emulator = thread::spawn(|| qemu::run(&kernel(), PROMPT, &COMMANDS));
    let ours = text::comparable(&model(&COMMANDS));
    let theirs = text::comparable(&emulator.join().expect("QEMU ran"));
    assert!(theirs.len() > 600, "only {} lines of QEMU", theirs.len());
    for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours, theirs, "line {} of the console", number + 1);
    }
    assert_eq!(ours.len(), theirs.len(), "the number of lines");
}

#[test]
fn a_seed_is_one_run() {
    let image = image();
    let console = || {
        let mut machine = Machine::new(&image, &Options::seeded(Entry::UBoot, 7));
        machine.run(&until(PROMPT));
        (machine.executed(), machine.console().to_vec())
    };
    assert_eq!(console(), console());
}

//! The shipped image: on the model its console is QEMU's, and no way in breaks a rule.
#![forbid(unsafe_code)]

mod qemu;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use strict::{Entry, Image, Limits, Lint, Machine, Options, Outcome};

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

/// Boots by one way in with one seed; the findings as text.
fn boot(image: &Image, entry: Entry, seed: u64) -> String {
    let options = Options {
        lint: Lint::Yes,
        ..Options::seeded(entry, seed)
    };
    let mut machine = Machine::new(image, &options);
    let limits = Limits {
        instructions: 60_000_000,
        ..until(PROMPT)
    };
    let outcome = machine.run(&limits);
    let name = entry.name();
    assert!(
        matches!(outcome, Outcome::Matched),
        "{name}, seed {seed}: {outcome:?}\n{}",
        String::from_utf8_lossy(machine.console())
    );
    let findings = machine.findings().iter();
    findings
        .map(|finding| format!("{name}, seed {seed}: {finding:x?}\n"))
        .collect()
}

#[test]
fn no_way_in_breaks_a_rule_with_any_of_16_seeds() {
    let image = image();
    let runs: Vec<(Entry, u64)> = (0..16)
        .flat_map(|seed| Entry::ALL.map(|entry| (entry, seed)))
        .collect();
    let found: Vec<String> = thread::scope(|scope| {
        let half = |parity: usize| {
            let (image, runs) = (&image, &runs);
            scope.spawn(move || -> Vec<String> {
                let own = runs.iter().skip(parity).step_by(2);
                own.map(|(entry, seed)| boot(image, *entry, *seed))
                    .collect()
            })
        };
        let halves = [half(0), half(1)];
        halves
            .into_iter()
            .flat_map(|half| half.join().expect("no run failed"))
            .collect()
    });
    assert_eq!(found.len(), 80, "the number of runs");
    assert_eq!(found.concat(), "", "findings on the shipped image");
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

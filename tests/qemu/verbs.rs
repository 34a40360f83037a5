//! `make qemu` as people call it, with what they name and what they type.

use std::time::Duration;

use crate::harness::{Ending, Machine, checkout};

/// A boot, and a look at whether the image is new.
const LIMIT: Duration = Duration::from_secs(60);

/// `make qemu NAME=VALUE`, with the image built before: only the boot counts.
fn booted_with(name: &str, value: &str) -> Machine {
    checkout::run(checkout::xtask("image").env(name, value));
    let mut verb = checkout::xtask("qemu");
    verb.env(name, value);
    Machine::start(verb, LIMIT, tempfile::tempdir().expect("a folder"))
}

/// What only a debug build notices tells it from the image that ships.
#[test]
fn a_debug_build_is_booted_when_it_is_asked_for() {
    let mut machine = booted_with("DEBUG", "1");
    machine.boot();
    machine.send("fault lock-order\r");
    machine.must_end(Ending::Panic);
    machine.must_say(&machine.transcript(), &["order of locks violated"]);
}

#[test]
fn the_usual_build_is_booted_when_nothing_else_is_asked_for() {
    let mut machine = booted_with("DEBUG", "");
    machine.boot();
    let output = machine.command("fault lock-order");
    machine.must_say(&output, &["nothing was caught"]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// All of it is there before the kernel is, and most of it before the console is set up.
#[test]
fn what_is_piped_into_the_verb_is_run() {
    for _ in 0..4 {
        let mut machine = booted_with("DEBUG", "");
        machine.send("uptime\nhalt\n");
        machine.must_end(Ending::Exit(0));
        let output = machine.transcript();
        machine.must_say(&output, &["s since the first instruction", "halted"]);
    }
}

//! The line editor over the wire: keys of a terminal in, commands run.

use crate::harness::{Machine, Setup};

/// Only `mem` prints this, and only `help` that.
const MEM: &str = "frames  ";
const HELP: &str = "list the commands";

/// Types keys at a prompt; returns what came before the next one.
#[track_caller]
fn type_keys(machine: &mut Machine, keys: &[u8]) -> String {
    machine.send(keys);
    machine.expect("\nstilt> ")
}

#[test]
fn keys_edit_the_line_that_runs() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let table: [(&str, &[u8], &str); 12] = [
        ("left", b"mm\x1b[De\r", MEM),
        ("left and right", b"mem\x1b[D\x1b[D\x1b[C\x1b[C\r", MEM),
        ("application mode", b"mm\x1bODe\r", MEM),
        ("Ctrl-A", b"em\x01m\r", MEM),
        ("Ctrl-E", b"me\x01\x05m\r", MEM),
        ("Home and End", b"e\x1b[Hm\x1b[Fm\r", MEM),
        ("Ctrl-U", b"garbage\x15mem\r", MEM),
        ("Ctrl-K", b"memory\x02\x02\x02\x0b\r", MEM),
        ("Ctrl-W", b"mem garbage\x17\r", MEM),
        ("backspace", b"memx\x7f\r", MEM),
        ("delete", b"xmem\x01\x1b[3~\r", MEM),
        ("Ctrl-C", b"garbage\x03help\r", "^C"),
    ];
    for (name, keys, words) in table {
        let output = type_keys(&mut machine, keys);
        assert!(output.contains(words), "{name}: {output:?}");
        assert!(!output.contains("no such command"), "{name}: {output:?}");
    }
}

#[test]
fn history_brings_lines_back() {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.command("mem");
    machine.command("help");
    let older = type_keys(&mut machine, b"\x1b[A\x1b[A\r");
    assert!(older.contains(MEM), "{older:?}");
    let newer = type_keys(&mut machine, b"\x1b[A\x1b[A\x1b[B\r");
    assert!(newer.contains(MEM), "{newer:?}");
    let oldest = type_keys(&mut machine, b"\x1b[A\x1b[A\x1b[A\x1b[A\x1b[B\x1b[B\r");
    assert!(oldest.contains(MEM) || oldest.contains(HELP), "{oldest:?}");
}

#[test]
fn tab_completes_commands() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let unique = type_keys(&mut machine, b"he\t\r");
    assert!(unique.contains(HELP), "{unique:?}");
    machine.send("p\t\t");
    let listed = machine.expect("stilt> p");
    let listed = listed + &machine.expect("stilt> p");
    for name in ["pt", "peek", "poke"] {
        assert!(listed.contains(name), "{listed:?}");
    }
}

#[test]
fn lines_may_end_as_any_terminal_ends_them() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for end in ["\r", "\n", "\r\n"] {
        machine.send(format!("mem{end}"));
        let output = machine.expect("\nstilt> ");
        assert!(output.contains(MEM), "{end:?}: {output:?}");
    }
    // No line feed was taken for another line.
    assert_eq!(machine.command("help").matches("stilt> ").count(), 0);
}

//! Ctrl-C ends every command and leaves nothing behind; what takes long tells how far it is.

use crate::harness::{Ending, Machine, Setup};
use crate::interrupts::crc_32;

const CTRL_C: &str = "\x03";

/// A command that takes long, what it prints once a second, and what it says in the end.
struct Long {
    line: &'static str,
    progress: &'static str,
    unit: &'static str,
}

const LONG: [Long; 4] = [
    Long {
        line: "sleep 600000",
        progress: "sleep: 1",
        unit: "ms",
    },
    Long {
        line: "shootdown 100000000",
        progress: "shootdown: ",
        unit: "rounds",
    },
    Long {
        line: "soak 1000000",
        progress: "soak: 1 of 1000000 s",
        unit: "s",
    },
    Long {
        line: "numbers 1000000",
        progress: "numbers: ",
        unit: "rounds",
    },
];

/// What must be as it was: frames, timers, the map.
#[track_caller]
fn state(machine: &mut Machine) -> [String; 3] {
    let mem = machine.command("mem");
    let frames = mem.lines().next().unwrap_or_default().to_owned();
    let cpus = machine.command("cpus");
    // Of each core: whether it runs, and its timers.
    let timers = cpus.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{:?} {:?}", words.get(1), words.get(5))
    });
    let timers = timers.collect::<Vec<_>>().join("; ");
    [frames, timers, machine.command("map")]
}

#[test]
fn what_takes_long_tells_how_far_it_is_and_ends_without_a_trace() {
    let mut machine = Setup::raw().start();
    machine.boot();
    // Heap that was taken once stays with the heap.
    machine.command("soak 1");
    let before = state(&mut machine);
    for Long {
        line,
        progress,
        unit,
    } in LONG
    {
        machine.send(format!("{line}\r"));
        machine.expect(&format!("\n{progress}"));
        // What is typed ahead, before and behind, waits for the prompt.
        machine.send(format!("upt{CTRL_C}ime\r"));
        let name = line.split(' ').next().unwrap_or_default();
        machine.expect(&format!("\n{name}: interrupted after "));
        let end = machine.expect("\nstilt> uptime\n");
        assert!(end.ends_with(&format!(" {unit}")), "{line}: {end:?}");
        let done: Option<u64> = end.split(' ').next().and_then(|word| word.parse().ok());
        assert!(done.is_some_and(|done| done > 0), "{line}: {end:?}");
        machine.expect("s since the first instruction\nstilt> ");
        assert_eq!(state(&mut machine), before, "{line}");
    }
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// Several times what the UART's queue holds.
const LINES_AHEAD: usize = 500;

#[test]
fn ctrl_c_is_seen_behind_whatever_was_typed_ahead_and_nothing_of_that_is_lost() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for Long { line, progress, .. } in LONG {
        machine.send(format!("{line}\r"));
        machine.expect(&format!("\n{progress}"));
        machine.send("uptime\r".repeat(LINES_AHEAD));
        machine.send(CTRL_C);
        let name = line.split(' ').next().unwrap_or_default();
        machine.expect(&format!("\n{name}: interrupted after "));
        machine.send("help help\r");
        let output = machine.expect("list the commands, or explain one\nstilt> ");
        let lines = output.matches(" s since the first instruction\n").count();
        assert_eq!(lines, LINES_AHEAD, "{line}: {output}");
    }
}

/// More than is kept for a command that does not read: the sender waits, and no byte is lost.
#[test]
fn what_is_piped_in_behind_a_command_comes_whole_and_in_order() {
    const BYTES: u32 = 100_000;
    let bytes: Vec<u8> = (0..BYTES).map(|n| (n % 251) as u8).collect();
    let bytes: Vec<u8> = bytes.into_iter().map(|byte| byte.max(4)).collect();
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send(format!("sleep 2000\recho-test {BYTES}\r"));
    machine.send(&bytes);
    machine.expect("\nsleep: 1");
    let sum = format!(
        "crc {:08x} of {BYTES} bytes, 0 overruns\nstilt> ",
        crc_32(&bytes)
    );
    machine.expect(&sum);
}

#[test]
fn output_ends_behind_the_line_during_which_ctrl_c_came() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for line in [
        "help",
        "help fault",
        "info",
        "mem",
        "map",
        "cpus",
        "irq",
        "log",
        "fault",
    ] {
        let name = line.split(' ').next().unwrap_or_default();
        let mut ends = || {
            machine.send(format!("{line}\r{CTRL_C}"));
            machine.expect(&format!("{line}\n"));
            let output = machine.expect("\nstilt> ");
            let interrupted = output.lines().last() == Some(&*format!("{name}: interrupted"));
            interrupted && output.lines().count() <= 3
        };
        // On a busy machine the second byte may come long after the first.
        assert!((0..5).any(|_| ends()), "{line}: {}", machine.transcript());
    }
    assert!(machine.command("mem").lines().count() > 3);
}

#[test]
fn a_ctrl_c_that_no_command_acts_on_is_left_to_the_prompt() {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send(format!("echo-test 3\rab{CTRL_C}"));
    machine.expect("of 3 bytes, 0 overruns\nstilt> ");
    machine.send(format!("echo-test 1\ra{CTRL_C}"));
    machine.expect("of 1 bytes, 0 overruns\nstilt> ");
    machine.expect("^C\nstilt> ");
}

#[test]
fn echo_test_takes_ctrl_c_for_a_byte_unless_a_second_of_silence_follows() {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send("echo-test 6\r");
    machine.expect("send 6 bytes\n");
    machine.send(format!("a{CTRL_C}b{CTRL_C}c{CTRL_C}"));
    // CRC-32 of 61 03 62 03 63 03, as others count it.
    machine.expect("crc 717aef83 of 6 bytes, 0 overruns\nstilt> ");
    for line in ["echo-test 100", "echo-test 100 busy", "echo-test 100 2"] {
        machine.send(format!("{line}\r"));
        machine.expect("send 100 bytes\n");
        machine.send("abc");
        machine.expect("echo-test: 3 of 100 bytes\n");
        machine.send(CTRL_C);
        machine.expect("echo-test: interrupted after 3 bytes\nstilt> ");
    }
    let cpus = machine.command("cpus");
    assert_eq!(
        cpus.lines().filter(|line| line.contains(" runs ")).count(),
        4,
        "{cpus}"
    );
}

#[test]
fn shootdown_without_rounds_takes_seconds_and_says_what_ended_it() {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send("shootdown\r");
    let output = machine.expect("\nstilt> ");
    machine.must_say(&output, &[" 0 stale"]);
    let rounds = output
        .lines()
        .find_map(|line| line.split_once(" rounds in "));
    let rounds: Option<u64> = rounds.and_then(|(rounds, _)| rounds.parse().ok());
    match rounds {
        Some(10_000) => {}
        Some(1..10_000) => machine.must_say(&output, &["ended after 5 s"]),
        _ => machine.fail("no rounds"),
    }
}

/// The UART's line at the older controller, masked by hand: nobody is woken by what is typed.
#[test]
fn a_console_that_is_polled_hears_ctrl_c_too() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let output = machine.command("poke 0xffff00003f00b220 0x2000000 32");
    machine.must_say(&output, &["written"]);
    for Long { line, .. } in LONG {
        let name = line.split(' ').next().unwrap_or_default();
        machine.send(format!("{line}\r"));
        machine.expect(&format!("\n{name}: "));
        machine.send(CTRL_C);
        machine.expect(&format!("\n{name}: interrupted after "));
        machine.expect("\nstilt> ");
    }
    machine.send(format!("map\r{CTRL_C}"));
    machine.expect("\nmap: interrupted\nstilt> ");
}

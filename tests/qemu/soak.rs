//! All cores use timers, cross-core calls, frames, heap, the map and the console at once.
//!
//! `make soak` does so for ten minutes.

use std::env;
use std::time::Duration;

use stilt::mm::layout;

use crate::harness::symbols::Symbols;
use crate::harness::{Ending, Machine, Setup};

/// How long, in seconds of the guest, unless `STILT_SOAK_SECONDS` says otherwise.
const SECONDS: u64 = 4;
/// A core prints this often.
const PRINT_SECONDS: u64 = 2;
/// How often at most, each for as long: a busy host may give a core no time at first.
const TIMES: u64 = 5;

/// Soaks for so long. Nothing may be lost, and nothing may have grown. Returns the report.
#[track_caller]
fn soak(machine: &mut Machine, seconds: u64) -> String {
    machine.send(format!("soak {seconds}\r"));
    for _ in 1..seconds / PRINT_SECONDS {
        machine.expect("soak: core 0 has done");
    }
    let cores = machine.expect("\nbefore: ");
    let before = machine.expect("\nafter:  ");
    let after = machine.expect("\nsoak: ");
    assert_eq!(after, before);
    let heap = before
        .rsplit(' ')
        .next()
        .and_then(|bytes| bytes.parse::<usize>().ok());
    assert!(
        heap.is_some_and(|bytes| bytes > layout::HEAP_SIZE),
        "the heap has not grown: {before}"
    );
    assert_eq!(machine.expect(" errors"), "0");
    machine.expect("stilt> ");
    cores
}

/// Whether each core did more than `least` of everything.
fn is_enough(report: &str, least: u64) -> bool {
    (0..4).all(|core| {
        let head = format!("core {core}: ");
        let line = report.lines().find(|line| line.starts_with(&head));
        let words: Vec<&str> = line.unwrap_or_default().split(' ').collect();
        ["actions,", "calls,", "answers,", "maps,", "ticks"]
            .into_iter()
            .all(|what| {
                let at = words.iter().position(|word| *word == what);
                let number = at.and_then(|at| words[at - 1].parse::<u64>().ok());
                number.is_some_and(|number| number > least)
            })
    })
}

#[test]
fn nothing_is_lost_and_nothing_grows_when_all_cores_use_everything_at_once() {
    let given = env::var("STILT_SOAK_SECONDS").ok();
    let seconds = given.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let limit = Duration::from_secs(60 + 2 * TIMES * seconds);
    let mut machine = Setup::raw().limit(limit).start();
    machine.boot();
    let is_done = (0..TIMES).any(|_| is_enough(&soak(&mut machine, seconds), 10 * seconds));
    assert!(is_done, "{}", machine.transcript());
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// The debugger makes one tick's routine return before it counts.
#[test]
fn a_lost_tick_is_an_error_of_its_core() {
    let mut machine = Setup::raw().stopped().start();
    let mut gdb = machine.debugger();
    gdb.resume_all();
    machine.boot();
    gdb.stop();
    let tick = Symbols::read().item(&["shell", "soak", "tick"]);
    let core = gdb.run_some_core_to(tick.start, || machine.send("soak 1\r"));
    gdb.choose(core);
    gdb.return_at_once();
    gdb.resume_all();
    let report = machine.expect("\nbefore: ");
    for row in report.lines().filter(|line| line.starts_with("core ")) {
        let is_its = row.starts_with(&format!("core {core}: "));
        let errors = if is_its { ", 1 errors" } else { ", 0 errors" };
        assert!(row.ends_with(errors), "core {core}: {report}");
    }
    machine.expect("\nsoak: 1 errors");
}

//! All cores use timers, cross-core calls, frames, heap, the map and the console at once.
//!
//! `make soak` does so for ten minutes.

use std::env;
use std::time::Duration;

use stilt::mm::layout;

use crate::harness::{Ending, Setup};

/// How long, in seconds of the guest, unless `STILT_SOAK_SECONDS` says otherwise.
const SECONDS: u64 = 4;
/// A core prints this often.
const PRINT_SECONDS: u64 = 2;

#[test]
fn nothing_is_lost_and_nothing_grows_when_all_cores_use_everything_at_once() {
    let given = env::var("STILT_SOAK_SECONDS").ok();
    let seconds = given.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let limit = Duration::from_secs(60 + 2 * seconds);
    let mut machine = Setup::raw().limit(limit).start();
    machine.boot();
    machine.send(format!("soak {seconds}\r"));
    for _ in 1..seconds / PRINT_SECONDS {
        machine.expect("soak: core 0 has done");
    }
    machine.expect("\nbefore: ");
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
    let output = machine.transcript();
    for core in 0..4 {
        let line = output
            .lines()
            .find(|line| line.starts_with(&format!("core {core}: ")));
        let number = |what: &str| {
            let words: Vec<&str> = line.unwrap_or_default().split(' ').collect();
            let at = words
                .iter()
                .position(|word| word.trim_end_matches(',') == what);
            at.and_then(|at| words[at - 1].parse::<u64>().ok())
                .unwrap_or(0)
        };
        for what in ["actions", "calls", "answers", "maps", "ticks"] {
            assert!(
                number(what) > 10 * seconds,
                "{what} of core {core}: {output}"
            );
        }
    }
    machine.expect("stilt> ");
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

//! The kernel's time: it goes up, and a sleep lasts as long as was asked for.
//!
//! # Decisions
//! - Exact lengths are those of a clock that counts instructions, which no load on the host can stretch. On the
//!   host's clock only the order and lower limits hold.

use crate::harness::{Machine, Setup};

/// What `uptime` says, in nanoseconds.
#[track_caller]
fn uptime_ns(machine: &mut Machine) -> u64 {
    let output = machine.command("uptime");
    let number = output.trim().strip_suffix(" s since the first instruction");
    let parts = number.and_then(|number| number.split_once('.'));
    let parts = parts.filter(|(_, rest)| rest.len() == 9);
    let parsed = parts.map(|(seconds, rest)| (seconds.parse::<u64>(), rest.parse::<u64>()));
    match parsed {
        Some((Ok(seconds), Ok(rest))) => seconds * 1_000_000_000 + rest,
        _ => machine.fail(&format!("no time: {output:?}")),
    }
}

/// What `sleep MILLISECONDS` says that it slept, in microseconds.
#[track_caller]
fn sleep_us(machine: &mut Machine, milliseconds: u64) -> u64 {
    let output = machine.command(&format!("sleep {milliseconds}"));
    let number = output.trim().strip_prefix("slept ");
    let number = number.and_then(|rest| rest.strip_suffix(" us"));
    match number.map(str::parse) {
        Some(Ok(microseconds)) => microseconds,
        _ => machine.fail(&format!("no time: {output:?}")),
    }
}

#[test]
fn the_uptime_goes_up_and_a_sleep_is_part_of_it() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let mut last_ns = uptime_ns(&mut machine);
    for _ in 0..5 {
        let now_ns = uptime_ns(&mut machine);
        assert!(now_ns > last_ns, "{now_ns} after {last_ns}");
        last_ns = now_ns;
    }
    let slept_us = sleep_us(&mut machine, 50);
    let now_ns = uptime_ns(&mut machine);
    assert!(slept_us >= 50_000, "{slept_us}");
    assert!(
        now_ns - last_ns >= slept_us * 1000,
        "{now_ns} after {last_ns}"
    );
}

/// The other cores add nothing, since they are idle.
#[test]
fn a_sleep_is_not_longer_than_it_must_be() {
    let mut machine = Setup::raw().arg("-icount").arg("shift=0,sleep=off").start();
    machine.boot();
    for milliseconds in [1, 50, 1000] {
        let slept_us = sleep_us(&mut machine, milliseconds);
        let asked_us = milliseconds * 1000;
        assert!(
            (asked_us..asked_us + 1000).contains(&slept_us),
            "{slept_us}"
        );
    }
    // An hour's sixth, in no time; a 32-bit count of nanoseconds or of ticks would have gone round.
    let before_ns = uptime_ns(&mut machine);
    let slept_us = sleep_us(&mut machine, 600_000);
    let after_ns = uptime_ns(&mut machine);
    assert!((600_000_000..600_001_000).contains(&slept_us), "{slept_us}");
    assert!((after_ns - before_ns) / 1000 >= slept_us);
}

#[test]
fn a_sleep_of_no_time_ends() {
    let mut machine = Setup::raw().start();
    machine.boot();
    sleep_us(&mut machine, 0);
}

/// The clock of the log is that of `uptime`.
#[test]
fn the_first_uptime_is_after_the_last_line_of_the_boot_log() {
    let mut machine = Setup::raw().start();
    let log = crate::harness::report::log(&machine.boot());
    let Some(last) = log.last() else {
        machine.fail("no log");
    };
    assert!(uptime_ns(&mut machine) / 1000 >= last.microseconds);
}

#[test]
fn a_sleep_that_is_no_number_or_too_long_is_refused() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for (line, words) in [
        ("sleep", "usage: sleep MILLISECONDS"),
        ("sleep 1 2", "usage: sleep MILLISECONDS"),
        ("sleep x", "expected a decimal digit, found 'x'"),
        ("sleep 600001", "600001 is more than 600000"),
        ("uptime 1", "usage: uptime"),
    ] {
        let output = machine.command(line);
        machine.must_say(&output, &[words]);
        assert!(!output.contains("slept"), "{output}");
    }
}

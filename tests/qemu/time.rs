//! The kernel's time: it goes up, and a sleep lasts as long as was asked for.
//!
//! # Decisions
//! - Exact lengths are those of a clock that counts instructions, which no load on the host can
//!   stretch. On the host's clock only the order and lower limits hold.

use crate::harness::loader::{Level, Loader};
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
    // Behind what it says once a second.
    let last = output.trim().lines().last().unwrap_or_default();
    let number = last.strip_prefix("slept ");
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
fn a_sleep_of_no_time_is_refused() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let output = machine.command("sleep 0");
    assert_eq!(output, "sleep: 0 is not from 1 to 600000");
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
        ("sleep 600001", "600001 is not from 1 to 600000"),
        ("uptime 1", "usage: uptime"),
    ] {
        let output = machine.command(line);
        machine.must_say(&output, &[words]);
        assert!(!output.contains("slept"), "{output}");
    }
}

/// Where EL1's counter stands when the machine starts: at the edges of signed and unsigned numbers,
/// and a tenth of a second (6,250,000 ticks) before them.
const EDGES: [u64; 7] = [
    12_345_678_901_234_567,
    (1 << 63) - 6_250_000,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX - 6_250_000,
    u64::MAX - 62_500,
    u64::MAX,
];

/// Entered at EL1, with whatever CNTVOFF_EL2 the loader has left.
#[test]
fn time_begins_with_the_boot_wherever_the_counter_stands() {
    for edge in EDGES {
        // All cores, so that none is waited for.
        let loader = Loader::at(Level::El1)
            .with_counters_at([edge; 4])
            .on_all_cores();
        let icount = ["-icount", "shift=0,sleep=off"];
        let setup = icount.into_iter().fold(loader.setup(), Setup::arg);
        let mut machine = setup.start();
        let log = crate::harness::report::log(&machine.boot());
        let Some(last) = log.last() else {
            machine.fail("no log");
        };
        assert!(last.microseconds < 1_000_000, "{edge:#x}: {last:?}");
        let before_ns = uptime_ns(&mut machine);
        assert!(before_ns < 1_000_000_000, "{edge:#x}: {before_ns}");
        for milliseconds in [1, 50, 200, 1_000] {
            let slept_us = sleep_us(&mut machine, milliseconds);
            let asked_us = milliseconds * 1000;
            assert!(
                (asked_us..asked_us + 1_000).contains(&slept_us),
                "{edge:#x}: {slept_us} us of {asked_us}"
            );
        }
        let passed_ns = uptime_ns(&mut machine) - before_ns;
        assert!(
            (1_251_000_000..1_300_000_000).contains(&passed_ns),
            "{edge:#x}: {passed_ns}"
        );
        let output = machine.command("cpus");
        let jumps = output
            .lines()
            .nth(1)
            .and_then(|row| row.split_whitespace().last());
        assert_eq!(jumps, Some("0"), "{edge:#x}: {output}");
    }
}

/// CNTVOFF_EL2 is each core's own.
#[test]
fn cores_whose_counters_stand_elsewhere_have_one_time() {
    let readings = [1 << 63, 0, u64::MAX - 6_250_000, 1 << 40];
    let loader = Loader::at(Level::El1)
        .with_counters_at(readings)
        .on_all_cores();
    // Time by instructions: where QEMU's own clock is late, and a counter has gone past 2^64 before
    // a timer's condition was looked at, QEMU looks again and again, and does nothing else.
    let icount = ["-icount", "shift=0,sleep=off"];
    let mut machine = icount.into_iter().fold(loader.setup(), Setup::arg).start();
    let log = machine.boot();
    for core in 1..4 {
        let words = format!("the counter of core {core} has another offset: set right");
        machine.must_say(&log, &[&words]);
    }
    for core in 0..4 {
        machine.command(&format!("fault timer-storm {core}"));
    }
    sleep_us(&mut machine, 1_500);
    let output = machine.command("cpus");
    for row in output.lines().skip(1) {
        let timers = row.split_whitespace().nth(5);
        assert_eq!(timers, Some("0"), "not served in time: {output}");
    }
    assert!(uptime_ns(&mut machine) < 60_000_000_000, "one time for all");
}

/// How often the physical timer interrupted core 0 in a few sleeps, when EL1's counters stand at
/// `reading`.
#[track_caller]
fn second_timers(reading: u64) -> u64 {
    let loader = Loader::at(Level::El1).with_counters_at([reading; 4]);
    let mut machine = loader.on_all_cores().setup().start();
    machine.boot();
    for _ in 0..5 {
        sleep_us(&mut machine, 20);
    }
    let output = machine.command("irq");
    let row = output.lines().find(|row| row.contains("second timer"));
    let counts = row.and_then(|row| row.split_once("second timer"));
    let first = counts.and_then(|(_, counts)| counts.split_whitespace().next());
    match first.map(str::parse) {
        Some(Ok(count)) => count,
        _ => machine.fail(&format!("no count: {output}")),
    }
}

/// Some emulators never raise the virtual timer where its counter is ahead of the physical one.
#[test]
fn the_physical_timer_serves_the_deadlines_of_a_counter_that_is_ahead() {
    assert_eq!(second_timers(0), 0);
    for ahead in [1 << 40, 1 << 63, u64::MAX - 625_000_000_000] {
        assert!(second_timers(ahead) >= 5, "{ahead:#x}");
    }
}

const WRONG_RATE: &str = "warning: the counter runs at ";

#[test]
fn a_rate_that_the_system_timer_contradicts_is_told() {
    for (hz, is_told) in [
        (62_500_000, false),
        (62_000_000, false),
        (61_000_000, true),
        (19_200_000, true),
        (100_000_000, true),
    ] {
        for level in [Level::El2, Level::El1] {
            let mut machine = Loader::at(level).with_counter_hz(hz).setup().start();
            let log = machine.boot();
            assert_eq!(log.contains(WRONG_RATE), is_told, "{hz}: {log}");
            if is_told {
                let measured = log
                    .split_once(WRONG_RATE)
                    .and_then(|(_, rest)| rest.split_once(" Hz"));
                let measured = measured.and_then(|(number, _)| number.parse::<u64>().ok());
                let off = measured.map(|measured| measured.abs_diff(62_500_000));
                assert!(off.is_some_and(|off| off < 625_000), "{hz}: {measured:?}");
            }
        }
    }
}

#[test]
fn a_boot_whose_counters_agree_says_nothing_of_them() {
    for setup in [
        Setup::raw(),
        Setup::elf(),
        Setup::raw().arg("-icount").arg("shift=0,sleep=off"),
    ] {
        let log = setup.start().boot();
        assert!(!log.contains(WRONG_RATE), "{log}");
        assert!(!log.contains("stands still"), "{log}");
    }
}

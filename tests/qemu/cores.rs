//! Four cores: each runs and rests, sees the map as the others left it, and explains its own
//! faults.

use std::collections::BTreeSet;

use crate::harness::loader::{Level, Loader};
use crate::harness::{Ending, Machine, Setup};

const CORES: usize = 4;

/// Time is counted in instructions, and what is idle takes none: shares do not depend on the host.
fn counted() -> Setup {
    Setup::raw().arg("-icount").arg("shift=0,sleep=off")
}

/// For each core the idle shares of `cpus`, in percent: since the start, and in the last second.
/// All cores run.
#[track_caller]
fn idle_shares(machine: &mut Machine) -> Vec<[u64; 2]> {
    let output = machine.command("cpus");
    let mut rows = output.lines();
    let head = rows.next().unwrap_or_default();
    machine.must_say(head, &["core  state   idle  last s  interrupts"]);
    let rows = rows.enumerate().map(|(core, row)| {
        let words: Vec<&str> = row.split_whitespace().collect();
        let share = |column: usize| words.get(column)?.strip_suffix('%')?.parse().ok();
        let core = core.to_string();
        match (words.get(..2), share(2), share(3)) {
            (Some(state), Some(all), Some(last)) if state == [core.as_str(), "runs"] => [all, last],
            _ => machine.fail(&format!("core {core} does not run: {row:?}")),
        }
    });
    let shares: Vec<[u64; 2]> = rows.collect();
    assert_eq!(shares.len(), CORES, "{output}");
    let limit = 0..=100;
    assert!(
        shares
            .as_flattened()
            .iter()
            .all(|share| limit.contains(share)),
        "{output}"
    );
    shares
}

#[test]
fn all_cores_run_and_are_idle_when_there_is_nothing_to_do() {
    let mut machine = counted().start();
    machine.boot();
    machine.command("sleep 2000");
    let shares = idle_shares(&mut machine);
    assert!(
        shares.as_flattened().iter().all(|share| *share > 90),
        "{shares:?}"
    );
}

#[test]
fn a_core_that_works_is_not_idle() {
    let mut machine = counted().start();
    machine.boot();
    let before = idle_shares(&mut machine);
    machine.command("shootdown 2000");
    let after = idle_shares(&mut machine);
    for ([before, _], [after, _]) in before.into_iter().zip(after).skip(1) {
        assert!(
            after < before && after < 50,
            "{before} % before, {after} % after"
        );
    }
}

/// What `shootdown` says: for each core the looks that it judged. Fails if any saw what was gone.
#[track_caller]
fn judged(machine: &mut Machine, rounds: u64) -> Vec<u64> {
    let output = machine.command(&format!("shootdown {rounds}"));
    machine.must_say(&output, &[&format!("{rounds} rounds in "), " ms, 0 stale"]);
    let rows = output.lines().filter(|line| line.starts_with("core "));
    let rows = rows.enumerate().filter_map(|(row, line)| {
        let rest = line.strip_prefix(&format!("core {}: ", row + 1))?;
        let (_, judged) = rest.strip_suffix(" judged")?.split_once(" looks, ")?;
        judged.parse().ok()
    });
    let judged: Vec<u64> = rows.collect();
    assert_eq!(judged.len(), CORES - 1, "{output}");
    judged
}

/// The emulator's cores take turns, so that each looks between any two changes.
#[test]
fn no_core_sees_an_old_page_after_10000_rounds_of_changes() {
    const ROUNDS: u64 = 10_000;
    let single = Setup::raw().arg("-accel").arg("tcg,thread=single");
    let mut machine = single.start();
    machine.boot();
    for judged in judged(&mut machine, ROUNDS) {
        assert!(judged > ROUNDS, "{}", machine.transcript());
    }
}

/// The emulator's cores run at the same time, as far as the host runs them: one that had no time
/// for a look gets more rounds, in which no core may see an old page either.
#[test]
fn no_core_sees_an_old_page_when_all_run_at_once() {
    const ROUNDS: u64 = 50;
    const TIMES: usize = 20;
    let mut machine = Setup::raw().start();
    machine.boot();
    let mut looked = [false; CORES - 1];
    for _ in 0..TIMES {
        for (looked, judged) in looked.iter_mut().zip(judged(&mut machine, ROUNDS)) {
            *looked |= judged > 0;
        }
        if looked == [true; CORES - 1] {
            return;
        }
    }
    machine.fail(&format!("not every core looked: {looked:?}"));
}

const BEGINS: &str = "stilt: synchronous exception from the kernel on core ";
const ENDS: &str = "stilt: continues";

/// The cores whose reports are in `output`, in their order. Fails unless each report is whole, and
/// by itself.
#[track_caller]
fn reporters(output: &str) -> Vec<usize> {
    let mut reporters = Vec::new();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        let Some(core) = line.strip_prefix(BEGINS) else {
            assert!(line.is_empty(), "{line:?} is in no report: {output}");
            continue;
        };
        let core: usize = core.parse().expect("the number of a core");
        let report: Vec<&str> = lines.by_ref().take_while(|line| *line != ENDS).collect();
        for line in &report {
            assert!(line.starts_with("  "), "{line:?} is of no report: {output}");
        }
        for label in ["what", "by", "state", "stack", "trace"] {
            let labels = report.iter().map(|line| line.split_whitespace().next());
            let found = labels.filter(|found| *found == Some(label)).count();
            assert_eq!(found, 1, "{label} of core {core}: {output}");
        }
        let registers = report.iter().filter(|line| line.starts_with("  x"));
        assert_eq!(registers.count(), 11, "core {core}: {output}");
        let stack = format!(" stack of core {core}, ");
        assert!(report.iter().any(|line| line.contains(&stack)), "{output}");
        reporters.push(core);
    }
    assert_eq!(output.matches(ENDS).count(), reporters.len(), "{output}");
    reporters
}

#[test]
fn four_cores_that_fail_at_once_give_four_whole_reports() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for _ in 0..5 {
        let output = machine.command("fault null-read all");
        let cores = reporters(&output);
        assert_eq!(cores.len(), CORES, "{output}");
        assert_eq!(BTreeSet::from_iter(cores), BTreeSet::from_iter(0..CORES));
    }
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn a_fault_is_reported_by_the_core_that_failed() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for core in [3, 1, 2, 0] {
        let output = machine.command(&format!("fault brk {core}"));
        assert_eq!(reporters(&output), [core]);
    }
}

/// Provokes what ends the run.
#[track_caller]
fn last_words(line: &str, ending: Ending) -> String {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send(format!("{line}\r"));
    machine.must_end(ending);
    machine.transcript()
}

#[test]
fn a_panic_on_another_core_ends_the_machine_and_names_the_core() {
    let said = last_words("fault panic 2", Ending::Panic);
    assert!(said.contains("stilt: panic on core 2\n"), "{said}");
    assert_eq!(said.matches("stilt: panic on core").count(), 1, "{said}");
    assert!(said.ends_with("stilt: stopped\n"), "{said}");
}

#[test]
fn a_stack_overflow_on_another_core_names_that_cores_stack() {
    let said = last_words("fault stack-overflow 1", Ending::Exception);
    assert!(said.contains("kernel on core 1\n"), "{said}");
    assert!(said.contains(" stack of core 1 has run over\n"), "{said}");
    assert!(said.ends_with("stilt: stopped\n"), "{said}");
}

#[track_caller]
fn refused(machine: &mut Machine, table: &[(&str, &str)]) {
    for (line, words) in table {
        let output = machine.command(line);
        machine.must_say(&output, &[words]);
        assert!(!output.contains("stilt: "), "{output}");
    }
}

#[test]
fn a_core_that_does_not_exist_is_refused() {
    let mut machine = Setup::raw().start();
    machine.boot();
    refused(
        &mut machine,
        &[
            ("fault brk 4", "4 is not from 0 to 3"),
            ("fault brk 18446744073709551615", " is not from 0 to 3"),
            ("fault brk x", "expected a decimal digit, found 'x'"),
            ("fault brk 1 2", "usage: fault KIND [CORE|all]"),
            ("shootdown x", "expected a decimal digit, found 'x'"),
            ("shootdown 100000001", "is not from 1 to 100000000"),
            ("echo-test 1 now", "`now` is not one of busy"),
            ("echo-test 16777217", "16777217 is not from 1 to 16777216"),
        ],
    );
    // Nothing is left behind by what was refused.
    let output = machine.command("fault brk 1");
    assert_eq!(reporters(&output), [1]);
}

#[test]
fn where_core_0_is_alone_the_others_are_refused() {
    let mut machine = Loader::at(Level::El2).setup().start();
    machine.boot();
    refused(
        &mut machine,
        &[
            ("fault brk 1", "core 1 does not run"),
            ("fault brk all", "core 1 does not run"),
            ("shootdown 1", "core 1 does not run"),
        ],
    );
    let output = machine.command("cpus");
    let states = output.lines().skip(1);
    let states = states.map(|row| row.split_whitespace().nth(1).unwrap_or_default());
    let states: Vec<&str> = states.collect();
    assert_eq!(states, ["runs", "absent", "absent", "absent"], "{output}");
    let output = machine.command("fault brk 0");
    assert_eq!(reporters(&output), [0]);
}

/// Three of four cores: what was begun on cores 1 and 2 ends when core 3 is not there.
#[test]
fn what_was_begun_ends_when_a_core_is_missing() {
    let mut machine = Loader::at(Level::El3).on_cores(3).setup().start();
    machine.boot();
    for command in ["soak 1", "shootdown 10"] {
        refused(&mut machine, &[(command, "core 3 does not run")]);
    }
    // A job that goes on would refuse the next one, and keep its core from being idle.
    refused(&mut machine, &[("soak 1", "core 3 does not run")]);
    machine.command("sleep 2000");
    let output = machine.command("cpus");
    let last_second = |row: &str| row.split_whitespace().nth(3).map(str::to_owned);
    let idle: Vec<_> = output.lines().skip(1).filter_map(last_second).collect();
    assert_eq!(idle.len(), 3, "{output}");
    for share in idle {
        let percent: u64 = share.trim_end_matches('%').parse().expect("a share");
        assert!(percent > 50, "{output}");
    }
    machine.send("echo-test 1 busy\rx");
    machine.expect("of 1 bytes, 0 overruns\nstilt> ");
}

//! What the kernel must catch, it catches, and the report says what, where, by which instruction
//! and why.
//!
//! The reports are compared with those in `golden/`, less what depends on where things lie.
//! `BLESS=1` writes them anew: look at what changed before that is committed.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::{env, fs};

use stilt::board::raspi3;
use stilt::mm::layout;

use crate::harness::kinds::fault_kinds;
use crate::harness::report::unwrapped;
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Ending, Machine, Setup, checkout};

/// A fault, and where the report must say that it was.
struct Case {
    kind: &'static str,
    /// FAR, if the exception has one.
    at: Option<Range<u64>>,
    /// ELR.
    by: Range<u64>,
}

/// An address that is known to the byte.
fn just(address: u64) -> Range<u64> {
    address..address + 1
}

/// The routine that provokes `kind`.
fn routine(symbols: &Symbols, kind: &str) -> Range<u64> {
    let name = kind.replace('-', "_");
    symbols.item(&["shell", "fault", &name])
}

/// The faults after which the kernel goes on.
fn recoverable() -> Vec<Case> {
    let symbols = Symbols::read();
    let uart = HIGH_HALF + raspi3::UART0.as_usize() as u64;
    let guard = layout::main_stack(0).start.as_usize() as u64 - 8;
    let data = symbols.item(&["shell", "fault", "RETURN"]);
    let here = |kind: &'static str, at: Option<Range<u64>>| Case {
        kind,
        at,
        by: routine(&symbols, kind),
    };
    let fetch = |kind: &'static str, at: Range<u64>| Case {
        kind,
        at: Some(at.clone()),
        by: at,
    };
    vec![
        here("null-read", Some(just(0))),
        fetch("null-call", just(0)),
        here("write-text", Some(routine(&symbols, "write-text"))),
        here(
            "write-rodata",
            Some(symbols.item(&["shell", "fault", "CONSTANT"])),
        ),
        fetch("exec-data", data),
        fetch("exec-device", just(uart)),
        here("unaligned-device", Some(just(uart + 1))),
        here("guard-page", Some(just(guard))),
        here("undefined", None),
        here("brk", None),
        here("svc", None),
        here("access-flag", Some(just(layout::SCRATCH.as_usize() as u64))),
        here("non-canonical", Some(just(1 << 48))),
    ]
}

/// The report in `output`, from its first line to its last, each line in one row.
#[track_caller]
fn report_in(machine: &Machine, output: &str, last: &str) -> String {
    let report = output.split_once("stilt: ").and_then(|(_, rest)| {
        let end = rest.rfind(last)?;
        Some(&rest[..end + last.len()])
    });
    let report = report.unwrap_or_else(|| machine.fail("there is no report"));
    for row in report.lines() {
        assert!(
            row.chars().count() <= 80,
            "{row:?} passes 80 columns: {report}"
        );
    }
    unwrapped(report)
}

/// The number behind `0x` in the line that has `label`.
fn number(report: &str, label: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.contains(label))?;
    let (_, rest) = line.split_once("0x")?;
    let digits = rest
        .split(|letter: char| !letter.is_ascii_hexdigit())
        .next()?;
    u64::from_str_radix(digits, 16).ok()
}

/// The report, less what depends on the compiler: addresses, registers, flags, offsets, line
/// numbers, and of the trace all but the first two names.
fn golden(report: &str) -> String {
    let mut names = 0;
    let mut lines = Vec::new();
    let is_step = |line: &str| line.starts_with("         0x") || line.starts_with("  trace");
    for line in report.lines().filter(|line| !line.starts_with("  x")) {
        let line = match line.split_once("+0x") {
            Some((name, _)) => name,
            None => line,
        };
        if is_step(line) {
            names += usize::from(name_in(line).is_some());
            if names > 2 {
                continue;
            }
        }
        if END_OF_TRACE.iter().any(|end| line.contains(end)) {
            continue;
        }
        if line.starts_with("         ... ") {
            lines.push(without(line, "N", |word| word.parse::<u64>().is_ok()));
            continue;
        }
        let line = without_addresses(line);
        lines.push(match line.split_whitespace().next() {
            Some("state") => without(&line, "nzcv", |word| word.eq_ignore_ascii_case("nzcv")),
            // The figure of the address: its indices depend on where things lie.
            Some("index") => "  index  ...".to_owned(),
            Some("stack") => without(&line, "...", |word| {
                word.parse::<u64>().is_ok_and(|left| left > 9)
            }),
            Some(word) if word.starts_with("L") => match (line.find('['), line.find(']')) {
                (Some(open), Some(close)) => format!("{}...{}", &line[..=open], &line[close..]),
                _ => line,
            },
            _ => line,
        });
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// How the last line of a trace may begin.
const END_OF_TRACE: [&str; 1] = ["         the outermost function"];

/// The name in a step of the trace.
fn name_in(step: &str) -> Option<&str> {
    let (_, name) = step.split_once("0x")?.1.split_once(' ')?;
    name.split('+').next()
}

/// The first name in the trace of `report`: the function that failed, or that called what is no
/// function.
fn top_of_trace(report: &str) -> Option<&str> {
    let steps = report
        .lines()
        .skip_while(|line| !line.starts_with("  trace"));
    steps.filter_map(name_in).next()
}

/// `line` with `instead` for the words that `differ`.
fn without(line: &str, instead: &str, differ: fn(&str) -> bool) -> String {
    let words = line.split(' ');
    let kept = words.map(|word| if differ(word) { instead } else { word });
    kept.collect::<Vec<_>>().join(" ")
}

/// `line` with dots for every address, offset, line number and SPSR.
fn without_addresses(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("0x").into_iter().chain(rest.find(".rs:")).min() {
        let (before, tail) = rest.split_at(at);
        let is_line = tail.starts_with(".rs:");
        let (mark, tail) = tail.split_at(if is_line { 4 } else { 2 });
        let end =
            tail.find(|letter: char| !(letter.is_ascii_hexdigit() || is_line && letter == ':'));
        let (digits, tail) = tail.split_at(end.unwrap_or(tail.len()));
        let differs =
            is_line || digits.len() == 16 || before.ends_with("SPSR ") || before.ends_with('+');
        out += &format!("{before}{mark}{}", if differs { "..." } else { digits });
        rest = tail;
    }
    out + rest
}

#[track_caller]
fn compare(kind: &str, report: &str) {
    let path: PathBuf = checkout::root().join(format!("tests/qemu/golden/{kind}.txt"));
    let found = golden(report);
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &found).expect("the golden file can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{kind}: found\n{found}\nexpected\n{expected}\nin full\n{report}"
    );
}

/// The line about frames in the output of `mem`.
fn free_frames(output: &str) -> String {
    output.lines().next().unwrap_or_default().to_owned()
}

/// The faults after which the kernel goes on that other tests provoke: their reports are of another
/// kind.
const ELSEWHERE: [&str; 2] = ["guard-order", "timer-storm"];

#[test]
fn every_recoverable_fault_is_explained_and_the_kernel_goes_on() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let listed = fault_kinds(&machine.command("fault"));
    let listed: BTreeSet<_> = listed
        .iter()
        .filter(|kind| kind.goes_on())
        .map(|kind| &*kind.name)
        .collect();
    let here = recoverable().into_iter().map(|case| case.kind);
    assert_eq!(listed, here.chain(ELSEWHERE).collect());
    let before = free_frames(&machine.command("mem"));
    for Case { kind, at, by } in recoverable() {
        let output = machine.command(&format!("fault {kind}"));
        let report = &report_in(&machine, &output, "stilt: continues");
        assert_eq!(number(report, "(FAR)").is_some(), at.is_some(), "{report}");
        let at = at.unwrap_or(0..1);
        let far = number(report, "(FAR)").unwrap_or(0);
        assert!(at.contains(&far), "{at:x?}: {report}");
        let elr = number(report, "(ELR)").unwrap_or(u64::MAX);
        assert!(by.contains(&elr), "{by:x?}: {report}");
        let registers = report.lines().filter(|line| line.starts_with("  x"));
        assert_eq!(registers.count(), 11, "{report}");
        let routine = format!("kernel::shell::fault::{}", kind.replace('-', "_"));
        assert_eq!(top_of_trace(report), Some(&*routine), "{report}");
        assert!(report.contains(" kernel::shell::fault::run+0x"), "{report}");
        assert!(report.contains(" src/kernel/shell/fault.rs:"), "{report}");
        compare(kind, report);
    }
    assert_eq!(
        free_frames(&machine.command("mem")),
        before,
        "nothing is lost"
    );
    let table = machine.command("irq");
    let faults = table.lines().find(|line| line.contains("spurious faults"));
    let faults = faults.map(|row| row.split_whitespace().rev().take(4).collect::<Vec<_>>());
    assert_eq!(faults, Some(vec!["0"; 4]), "all of them were real: {table}");
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// Provokes `kind`, which ends the run as said, with this golden report.
#[track_caller]
fn is_final(kind: &str, ending: Ending) -> String {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send(format!("fault {kind}\r"));
    machine.must_end(ending);
    let output = machine.transcript();
    let report = report_in(&machine, &output, "stilt: stopped");
    compare(kind, &report);
    report
}

/// Where FAR must be when `stack` has run over.
fn below(stack: layout::Pages) -> Range<u64> {
    let start = stack.start.as_usize() as u64;
    start - 0x1000..start
}

#[test]
fn a_stack_overflow_is_reported_as_one() {
    let report = is_final("stack-overflow", Ending::Exception);
    let far = number(&report, "(FAR)").unwrap_or(0);
    assert!(below(layout::main_stack(0)).contains(&far), "{report}");
    let top = top_of_trace(&report);
    assert_eq!(
        top,
        Some("kernel::shell::fault::stack_overflow"),
        "{report}"
    );
}

#[test]
fn an_overflow_inside_a_handler_is_reported_from_the_emergency_stack() {
    let report = is_final("handler-overflow", Ending::Exception);
    let far = number(&report, "(FAR)").unwrap_or(0);
    assert!(below(layout::exception_stack(0)).contains(&far), "{report}");
}

#[test]
fn an_overflow_of_the_emergency_stack_is_said_in_a_line() {
    is_final("emergency-overflow", Ending::Exception);
}

#[test]
fn a_panic_is_reported() {
    is_final("panic", Ending::Panic);
}

#[test]
fn a_core_that_waits_for_itself_is_told_so() {
    let report = is_final("deadlock", Ending::Panic);
    assert!(
        report.contains("deadlock: core 0 waits for lower (rank 70), which core 0 holds"),
        "{report}"
    );
}

/// The image as `cargo build` makes it, without `--release`.
#[test]
fn a_debug_build_notices_when_locks_are_taken_in_the_wrong_order() {
    let elf = checkout::debug_elf();
    let mut machine = Setup::bare().arg("-kernel").arg(elf).start();
    machine.boot();
    machine.send("fault lock-order\r");
    machine.must_end(Ending::Panic);
    machine.must_say(
        &machine.transcript(),
        &["order of locks violated: lower (rank 70) wanted while holding upper (rank 71)"],
    );
}

#[test]
fn a_release_build_does_not_look_at_the_order_of_locks() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let output = machine.command("fault lock-order");
    machine.must_say(&output, &["nothing was caught"]);
}

/// An `onfault` call does not recover from an exception in a handler that interrupts it.
#[test]
fn an_exception_in_an_interrupt_handler_is_not_recovered_from() {
    let report = is_final("handler-brk", Ending::Exception);
    assert!(!report.contains("continues"), "{report}");
}

/// Interrupts come back with the second of two locks, in whatever order they are released.
#[test]
fn guards_that_end_in_another_order_let_interrupts_in_with_the_last() {
    let elf = checkout::debug_elf();
    for setup in [Setup::raw(), Setup::bare().arg("-kernel").arg(elf)] {
        let mut machine = setup.start();
        machine.boot();
        for core in 0..2 {
            let output = machine.command(&format!("fault guard-order {core}"));
            machine.must_say(&output, &["nothing was caught"]);
        }
        machine.command("sleep 1");
        machine.send("halt\r");
        machine.must_end(Ending::Exit(0));
    }
}

#[test]
fn a_failure_inside_the_report_does_not_recur() {
    let report = is_final("nested", Ending::Exception);
    assert_eq!(report.matches("inside the report").count(), 1, "{report}");
}

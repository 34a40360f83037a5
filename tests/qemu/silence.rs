//! Cores that do not do what they are asked: stopped by a debugger at a chosen point, absent, or
//! late.
//!
//! Whoever waits for them gives up in time and names them, nothing is left behind, and when they
//! are back all is as before.

use std::thread;
use std::time::Duration;

use crate::harness::gdb::Gdb;
use crate::harness::loader::{Level, Loader};
use crate::harness::report::unwrapped;
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Ending, Machine, Setup, checkout};

const LIMIT: Duration = Duration::from_secs(120);

/// A machine at its prompt, with its debugger; all cores run.
fn at_the_prompt(setup: Setup) -> (Machine, Gdb) {
    let mut machine = setup.stopped().limit(LIMIT).start();
    let mut gdb = machine.debugger();
    gdb.resume_all();
    machine.boot();
    (machine, gdb)
}

/// Stops one core.
fn hold(gdb: &mut Gdb, core: usize) {
    gdb.stop();
    gdb.resume_all_but(core);
}

/// Lets all cores go on.
fn release(gdb: &mut Gdb) {
    gdb.stop();
    gdb.resume_all();
}

#[track_caller]
fn says(machine: &mut Machine, line: &str, words: &[&str]) -> String {
    let output = machine.command(line);
    machine.must_say(&output, words);
    output
}

/// All cores take part in everything.
#[track_caller]
fn all_cores_work(machine: &mut Machine) {
    let output = says(machine, "soak 1", &["soak: 0 errors"]);
    let rows = output.lines().filter(|line| line.starts_with("core "));
    let good = rows.filter(|row| row.ends_with(" late, 0 errors"));
    assert_eq!(good.count(), 4, "{output}");
}

#[test]
fn a_core_that_hangs_is_named_and_the_shell_goes_on() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    hold(&mut gdb, 2);
    machine.send("echo-test 1 busy\rx");
    machine.expect("core 2 has not ended its job yet");
    machine.expect("core 2 does not end its job\nstilt> ");
    says(&mut machine, "soak 1", &["core 2 has a job already"]);
    says(&mut machine, "shootdown 5", &["core 2 has a job already"]);
    let output = says(
        &mut machine,
        "cpus",
        &["   1  runs", "   2  silent for ", "   3  runs"],
    );
    assert!(!output.contains("   2  runs"), "{output}");
    let info = says(
        &mut machine,
        "info",
        &[" 1 runs 2 silent for ", " s 3 runs\n"],
    );
    assert!(!info.contains(" 2 runs"), "{info}");
    release(&mut gdb);
    thread::sleep(Duration::from_secs(1));
    says(&mut machine, "cpus", &["   2  runs"]);
    says(&mut machine, "info", &[" 0 runs 1 runs 2 runs 3 runs\n"]);
    all_cores_work(&mut machine);
}

/// Nothing was asked of it before.
#[test]
fn the_machine_is_described_with_a_core_that_hangs() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    hold(&mut gdb, 3);
    says(&mut machine, "info", &[" 2 runs 3 silent for "]);
}

#[test]
fn ctrl_c_ends_the_wait_for_a_core_that_hangs() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    hold(&mut gdb, 2);
    machine.send("fault brk 2\r");
    machine.expect("\nfault: ");
    machine.expect(" ms of waiting\n");
    machine.send("\x03");
    machine.expect("fault: interrupted after ");
    machine.send("echo-test 1 busy\rx");
    machine.expect("core 2 has not ended its job yet\n");
    machine.send("\x03");
    machine.expect("core 2 does not end its job\nstilt> ");
    release(&mut gdb);
    thread::sleep(Duration::from_secs(1));
    all_cores_work(&mut machine);
}

#[test]
fn ctrl_c_ends_the_call_of_a_core_that_does_not_come() {
    let mut machine = Loader::at(Level::El3).on_cores(3).setup().start();
    machine.boot();
    machine.send("cpus call 3\r");
    machine.expect("\ncpus: ");
    machine.expect(" ms of waiting\n");
    machine.send("\x03");
    machine.expect("cpus: interrupted after ");
    machine.expect("stilt> ");
    assert!(machine.command("cpus").contains("   3  "));
}

#[test]
fn a_soak_ends_although_a_core_hangs_in_it() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    gdb.stop();
    // In a call, where it holds no lock.
    let answer = Symbols::read().item(&["shell", "soak", "answer"]);
    let mut core = gdb.run_some_core_to(answer.start, || machine.send("soak 4\r"));
    while core == 0 {
        core = gdb.run_some_core_to(answer.start, || ());
    }
    gdb.resume_all_but(core);
    machine.expect(&format!("core {core} does not end its job"));
    machine.expect("stilt> ");
    says(&mut machine, "cpus", &[&format!("   {core}  silent for ")]);
    release(&mut gdb);
    thread::sleep(Duration::from_secs(1));
    all_cores_work(&mut machine);
}

/// The page of `shootdown` is moved, for which `stop_machine` stops all others.
#[test]
fn the_map_changes_although_a_core_does_not_stop() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    hold(&mut gdb, 3);
    says(
        &mut machine,
        "shootdown 3",
        &["core 3 missed stop_machine", "core 3 does not end its job"],
    );
    release(&mut gdb);
    thread::sleep(Duration::from_secs(1));
    says(&mut machine, "shootdown 3", &["3 rounds in ", ", 0 stale"]);
}

/// Core 0 hangs while it has the others stopped.
#[test]
fn a_stopped_core_is_not_stopped_for_ever() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    gdb.stop();
    let stands = Symbols::read().item(&["time", "wait", "stay_stopped"]);
    let core = gdb.run_some_core_to(stands.start, || machine.send("shootdown 5\r"));
    assert_ne!(core, 0);
    gdb.resume_all_but(0);
    machine.must_end(Ending::Panic);
    let output = machine.transcript();
    machine.must_say(
        &output,
        &[
            "core 0 does not end its stop_machine: core ",
            "stilt: core 0 does not stop\nstilt: stopped\n",
        ],
    );
}

/// A core counts among those that use the live map before it runs on it.
#[test]
fn a_core_that_is_not_yet_online_is_stopped_as_well() {
    let symbols = Symbols::read();
    let mut machine = Setup::raw().stopped().limit(LIMIT).start();
    let mut gdb = machine.debugger();
    let entry = symbols.item(&["cores", "smp", "kernel_secondary"]);
    let core = gdb.run_some_core_to(entry.start, || ());
    let live = symbols.item(&["time", "wait", "LIVE"]);
    let live = gdb.read(live.start - HIGH_HALF);
    assert_eq!(
        live & 1 << core,
        1 << core,
        "core {core} is not in {live:#b}"
    );
    gdb.resume_all_but(core);
    let log = machine.boot();
    let lost = format!("core {core} came, but is not ready");
    machine.must_say(&log, &["3 of 4 online", &lost]);
    release(&mut gdb);
    thread::sleep(Duration::from_secs(1));
    says(&mut machine, "cpus", &[&format!("   {core}  runs")]);
    says(&mut machine, "shootdown 20", &["0 stale"]);
}

#[test]
fn a_call_that_is_answered_late_leaves_nothing_behind() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    hold(&mut gdb, 1);
    for _ in 0..2 {
        says(
            &mut machine,
            "fault brk 1",
            &["core 1 does not answer a call"],
        );
    }
    release(&mut gdb);
    thread::sleep(Duration::from_secs(1));
    // What was withdrawn is not done now.
    let output = machine.transcript();
    assert_eq!(output.matches(" on core 1\n").count(), 0, "{output}");
    let output = says(&mut machine, "fault brk 1", &["stilt: continues"]);
    assert_eq!(output.matches(" on core 1\n").count(), 1, "{output}");
}

#[test]
fn a_call_that_hangs_on_the_other_core_frees_its_slot_when_it_ends() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    gdb.stop();
    let routine = Symbols::read().item(&["shell", "fault", "brk"]);
    let core = gdb.run_some_core_to(routine.start, || machine.send("fault brk 1\r"));
    assert_eq!(core, 1);
    gdb.resume_all_but(1);
    machine.expect("core 1 does not answer a call");
    machine.expect("stilt> ");
    says(
        &mut machine,
        "fault brk 1",
        &["a call to core 1 is under way"],
    );
    says(&mut machine, "fault brk 2", &["stilt: continues"]);
    release(&mut gdb);
    machine.expect("stilt: continues");
    // Its slot is free a moment after what it prints.
    let answers = |machine: &mut Machine| machine.command("fault brk 1");
    let mut output = answers(&mut machine);
    for _ in 0..20 {
        if output.contains("stilt: continues") {
            break;
        }
        machine.must_say(&output, &["a call to core 1 is under way"]);
        output = answers(&mut machine);
    }
    assert_eq!(output.matches(" on core 1\n").count(), 1, "{output}");
}

#[test]
fn what_was_begun_is_ended_when_one_of_several_is_missing() {
    let mut machine = Loader::at(Level::El3).on_cores(3).setup().start();
    machine.boot();
    for _ in 0..2 {
        let output = says(&mut machine, "fault brk all", &["core 3 does not run"]);
        assert!(!output.contains("stilt: "), "{output}");
    }
    says(
        &mut machine,
        "fault brk 1",
        &["on core 1", "stilt: continues"],
    );
    says(
        &mut machine,
        "fault brk 2",
        &["on core 2", "stilt: continues"],
    );
}

#[test]
fn a_core_that_comes_late_is_let_in_when_it_is_called_again() {
    let mut machine = Setup::raw().stopped().limit(LIMIT).start();
    let mut gdb = machine.debugger();
    gdb.resume_all_but(3);
    let log = machine.boot();
    machine.must_say(&log, &["3 of 4 online", "core 3 does not come"]);
    says(&mut machine, "cpus", &["   2  runs", "   3  absent"]);
    says(
        &mut machine,
        "pt 0xffff000000000000",
        &["L3[  0]", "page 4K"],
    );
    says(&mut machine, "cpus call 3", &["core 3 does not come"]);
    for (line, words) in [
        ("cpus call 0", "core 0 runs already"),
        ("cpus call 2", "core 2 runs already"),
        ("cpus call 4", "4 is not from 1 to 3"),
        (
            "cpus call 18446744073709551615",
            "18446744073709551615 is not from 1 to 3",
        ),
        ("cpus call x", "expected a decimal digit, found 'x'"),
        ("cpus call", "usage: cpus [call CORE]"),
        ("cpus of", "`of` is not one of call"),
    ] {
        says(&mut machine, line, &[words]);
    }
    release(&mut gdb);
    thread::sleep(Duration::from_secs(1));
    says(&mut machine, "cpus", &["   3  waits"]);
    says(&mut machine, "cpus call 3", &["core 3 runs"]);
    says(&mut machine, "cpus call 3", &["core 3 runs already"]);
    says(&mut machine, "cpus", &["   3  runs"]);
    // All have come: what was kept for that is free now.
    says(
        &mut machine,
        "pt 0xffff000000000000",
        &["L3[  0]", "invalid"],
    );
    says(&mut machine, "pt 0xffff000000080000", &["L3[128]", "AP=00"]);
    says(&mut machine, "shootdown 20", &["0 stale"]);
    all_cores_work(&mut machine);
}

#[test]
fn one_core_ends_the_machine_however_many_fail() {
    for _ in 0..6 {
        let mut machine = Setup::raw().start();
        machine.boot();
        machine.send("fault panic all\r");
        machine.must_end(Ending::Panic);
        let output = machine.transcript();
        // Those whose report had not begun when the first was out are stopped without one.
        let reports = output.matches("\nstilt: panic on core ").count();
        assert!((1..=4).contains(&reports), "{output}");
        assert_eq!(
            output.matches("\n  what   asked for by ").count(),
            reports,
            "{output}"
        );
        assert_eq!(output.matches("stilt: stopped").count(), 1, "{output}");
        assert!(output.ends_with("\nstilt: stopped\n"), "{output}");
    }
}

#[test]
fn every_end_stops_every_core() {
    for (line, last_line) in [
        ("fault nested", "stilt: stopped"),
        ("fault nested 2", "stilt: stopped"),
        ("fault panic 1", "stilt: stopped"),
        ("fault emergency-overflow", "stilt: stopped"),
    ] {
        let (mut machine, mut gdb) = at_the_prompt(Setup::raw().without_semihosting());
        machine.send(format!("{line}\r"));
        machine.expect(last_line);
        thread::sleep(Duration::from_millis(200));
        gdb.stop();
        for core in 0..4 {
            assert!(
                gdb.has_stopped(core),
                "core {core} runs after {line}: {}",
                machine.transcript()
            );
        }
    }
}

#[test]
fn a_core_that_cannot_be_stopped_is_named() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    hold(&mut gdb, 2);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
    let output = machine.transcript();
    machine.must_say(&output, &["stilt: core 2 does not stop\nhalted\n"]);
}

/// The console's turn as if core 1 had it, and hung.
#[test]
fn a_console_that_is_not_given_back_is_taken() {
    let (mut machine, mut gdb) = at_the_prompt(Setup::raw());
    let turn = Symbols::read().item(&["console", "uart", "TURN"]);
    gdb.stop();
    gdb.write(turn.start - HIGH_HALF, 2);
    gdb.resume_all();
    let output = machine.command("uptime");
    let all = machine.transcript();
    assert!(
        all.contains("console: core 1 does not give its turn back") && output.contains(" s since"),
        "{all}"
    );
    says(&mut machine, "uptime", &[" s since the first instruction"]);
}

/// Bit 25 of the second word of the interrupt controller is the UART's.
#[test]
fn a_console_whose_interrupt_is_gone_is_polled() {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.command("poke 0xffff00003f00b220 0x2000000 32");
    says(&mut machine, "uptime", &[" s since the first instruction"]);
    says(
        &mut machine,
        "log",
        &[concat!("stilt   ", env!("CARGO_PKG_VERSION")), "audit  "],
    );
    says(&mut machine, "irq", &["uart0"]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// A debug build refuses waits and prints under a lock; nothing that the shell does is one.
#[test]
fn no_command_waits_or_prints_with_a_lock_held() {
    let elf = checkout::debug_elf();
    let mut machine = Setup::bare().limit(LIMIT).arg("-kernel").arg(elf).start();
    machine.boot();
    for line in [
        "help",
        "info",
        "mem",
        "log",
        "map",
        "pt 0",
        "cpus",
        "irq",
        "sleep 10",
        "watchdog",
        "numbers 3",
        "shootdown 5",
        "fault brk all",
        "fault brk 3",
        "translate 0",
        "cpus call 1",
        "soak 3",
    ] {
        let output = machine.command(line);
        assert!(!output.contains("violated"), "{output}");
    }
    machine.send("echo-test 1 busy\rx");
    machine.expect("of 1 bytes, 0 overruns\nstilt> ");
    let output = machine.transcript();
    machine.must_say(&output, &["soak: 0 errors"]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[track_caller]
fn last_words(setup: Setup, line: &str, ending: Ending) -> String {
    let mut machine = setup.start();
    machine.boot();
    machine.send(format!("{line}\r"));
    machine.must_end(ending);
    unwrapped(&machine.transcript())
}

#[test]
fn a_print_with_a_lock_held_is_refused() {
    let debug = Setup::bare().arg("-kernel").arg(checkout::debug_elf());
    let said = last_words(debug, "fault locked-print", Ending::Panic);
    let violation = "console turn (rank 2) wanted while holding lower (rank 70)";
    assert!(said.contains(violation), "{said}");
}

#[test]
fn a_call_with_a_lock_held_is_refused() {
    let said = last_words(Setup::raw(), "fault locked-call", Ending::Panic);
    assert!(
        said.contains("core 1 is called with interrupts masked"),
        "{said}"
    );
}

/// A panic with a lock held, and three cores that wait for that lock: they see that the machine
/// ends.
#[test]
fn who_waits_for_a_lock_sees_that_the_machine_ends() {
    let debug = Setup::bare().arg("-kernel").arg(checkout::debug_elf());
    let mut machine = debug.without_semihosting().limit(LIMIT).start();
    machine.boot();
    machine.send("fault lock-order all\r");
    machine.expect("\nstilt: stopped\n");
    thread::sleep(Duration::from_secs(10));
    let output = machine.transcript();
    assert!(!output.contains("does not stop"), "{output}");
    assert!(output.ends_with("\nstilt: stopped\n"), "{output}");
    assert!(!output.contains("deadlock"), "{output}");
}

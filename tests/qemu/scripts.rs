//! Lines as a script: pasted at once, with comments, answers and what is expected of them.

use crate::harness::{Ending, Machine, Setup};

#[track_caller]
fn booted() -> Machine {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine
}

/// Sends `lines` at once, and returns what `grade` says behind them, with the transcript.
#[track_caller]
fn graded(machine: &mut Machine, lines: &[&str]) -> (String, String) {
    let text: String = lines.iter().map(|line| format!("{line}\r")).collect();
    machine.send(format!("{text}grade\r"));
    let transcript = machine.expect("grade\n");
    let result = machine.expect("\nstilt> ");
    (result, transcript)
}

#[test]
fn a_hundred_lines_that_are_pasted_run_one_after_the_other() {
    let mut machine = booted();
    let mut lines = String::new();
    for number in 0..100 {
        // Commands that print much, that wait, and that do nothing.
        lines += match number % 4 {
            0 => "map\r",
            1 => "sleep 3\r",
            2 => "# a comment\r",
            _ => "uptime\r",
        };
        lines += &format!("echo line {number}.\r");
    }
    machine.send(lines);
    for number in 0..100 {
        let between = machine.expect(&format!("\nline {number}.\n"));
        assert!(!between.contains("\nline "), "{between}");
        assert!(!between.contains("no such command"), "{between}");
    }
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn a_comment_is_no_command_and_no_argument() {
    let mut machine = booted();
    for line in ["# nothing", "   # nothing", "#"] {
        assert_eq!(machine.command(line), "", "{line}");
    }
    let output = machine.command("echo one two # three");
    assert_eq!(output, "one two");
    let output = machine.command("uptime # not an argument");
    machine.must_say(&output, &["s since the first instruction"]);
}

#[test]
fn what_is_expected_of_the_last_command_counts() {
    let mut machine = booted();
    let (result, _) = graded(&mut machine, &[]);
    assert_eq!(result, "0 passed, 0 failed");
    let lines = [
        "translate 0xffff000000084000 # the first page of text",
        "expect r-x",
        "# neither a comment nor what looks takes the place of the output",
        "echo AT S1E1Z",
        "expect AT S1E0R fault: permission fault, level 3",
        "expect S1E1Z",
        "expect fault none",
        "nonsense",
        "expect no such command; `help` lists them",
        "help peek poke",
        "expect usage: help [COMMAND]",
    ];
    let (result, transcript) = graded(&mut machine, &lines);
    assert_eq!(result, "5 passed, 1 failed", "{transcript}");
    let failures: Vec<_> = transcript
        .lines()
        .filter(|line| line.starts_with("FAILED"))
        .collect();
    assert_eq!(failures.len(), 1, "{transcript}");
    machine.must_say(failures[0], &["no `S1E1Z`; the output ends `AT S1E0R"]);
    let (result, _) = graded(&mut machine, &[]);
    assert_eq!(result, "0 passed, 0 failed", "grade begins anew");
    // Nothing ran since: the same output.
    let (result, _) = graded(&mut machine, &["expect usage: help"]);
    assert_eq!(result, "1 passed, 0 failed");
}

#[test]
fn a_report_is_output_and_its_fault_is_known() {
    let mut machine = booted();
    let lines = [
        "fault write-text",
        "expect fault permission 3",
        "expect fault permission",
        "expect refused at level 3: read-only",
        "fault unaligned-device 2",
        "expect fault alignment",
        "expect on core 2",
        "fault access-flag",
        "expect fault access-flag 3",
        "fault svc",
        "expect fault svc",
        "fault undefined",
        "expect fault undefined",
        "fault null-read",
        "expect fault translation",
        "peek 0",
        "expect fault none",
    ];
    let (result, transcript) = graded(&mut machine, &lines);
    assert_eq!(result, "10 passed, 0 failed", "{transcript}");
    let lines = [
        "fault write-text",
        "expect fault translation",
        "expect fault permission 2",
        "expect fault none",
        "expect fault permission 4",
        "expect fault nonsense",
        "expect fault",
        "expect",
        "uptime",
        "expect fault svc",
    ];
    let (result, transcript) = graded(&mut machine, &lines);
    assert_eq!(result, "0 passed, 8 failed", "{transcript}");
    machine.must_say(
        &transcript,
        &[
            "FAILED: no fault translation; the last command's was permission 3\n",
            "FAILED: no fault permission 2; the last command's was permission 3\n",
            "FAILED: no fault none; the last command's was permission 3\n",
            "4 is not from 0 to 3\n",
            "`nonsense` is not one of none, translation, ",
            "FAILED: no fault svc; the last command's was none\n",
        ],
    );
}

/// The end of a long output is kept, and a failure says that there was more: four reports.
#[test]
fn of_a_long_output_the_last_4096_bytes_are_looked_at() {
    let mut machine = booted();
    let lines = [
        "fault write-text all",
        "expect stilt: continues",
        "expect nothing of the kind",
        "log",
        "expect stilt 0.2.0",
    ];
    let (result, transcript) = graded(&mut machine, &lines);
    let failure = transcript.lines().find(|line| line.starts_with("FAILED"));
    let failure = failure.unwrap_or_default();
    machine.must_say(
        failure,
        &["the output ends `stilt: continues`, and its first "],
    );
    assert!(failure.ends_with(" bytes are not kept"), "{failure}");
    assert_eq!(result, "2 passed, 1 failed", "{transcript}");
}

#[test]
fn answers_stand_for_their_values_in_every_line() {
    let mut machine = booted();
    let lines = [
        "answer page 0xffff000000084000",
        "answer right r-x",
        "answer page 0xffff0000000e4000",
        "translate $page",
        "expect $right",
        "expect r--",
        "echo $page is $right.",
        "expect $unknown",
        "answer a-b 1",
        "answer b $(",
        "answer c",
        "answer far_too_long_a_name 1",
    ];
    let (result, transcript) = graded(&mut machine, &lines);
    assert_eq!(result, "1 passed, 2 failed", "{transcript}");
    machine.must_say(
        &transcript,
        &[
            "\n0xffff0000000e4000 is r-x.\n",
            "expect: there is no answer `unknown`: `answer unknown VALUE`\n",
            "answer: `a-b` is not one of the names of 1 to 15 letters, digits and `_`\n",
            "answer: a name is missing behind `$`\n",
            "answer: wrong number of arguments\nusage: answer [NAME VALUE]\n",
        ],
    );
    let output = machine.command("answer");
    machine.must_say(&output, &["page            0xffff0000000e4000\nright"]);
    for number in 0..20 {
        machine.command(&format!("answer a{number} {number}"));
    }
    let output = machine.command("answer a99 1");
    machine.must_say(&output, &["there are 16 answers already"]);
    let output = machine.command(&format!("echo {}", "$page ".repeat(15)));
    machine.must_say(&output, &["the line is too long with its answers"]);
}

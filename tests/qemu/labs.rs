//! `make lab` and `make grade`: scripts that are sent to a kernel that is booted for them, and the
//! exercises of labs/.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use crate::harness::{Ending, Machine, checkout};

#[test]
fn every_solution_passes_its_check_and_every_wrong_one_fails() {
    let output = checkout::run(&mut checkout::xtask("grade"));
    let said = checkout::text(&output.stdout);
    assert!(
        said.contains("every solution passes, every wrong one fails"),
        "{said}"
    );
    let exercises = said.lines().filter(|line| line.starts_with("ok    "));
    assert!(exercises.count() >= 17, "{said}");
}

/// `make lab FILE=file` with `more` arguments: its own limits end it.
#[track_caller]
fn lab(file: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let mut verb = checkout::xtask("lab");
    verb.arg(file).args(more);
    let Output {
        status,
        stdout,
        stderr,
    } = verb.output().expect("cargo runs");
    (
        status.code(),
        checkout::text(&stdout),
        checkout::text(&stderr),
    )
}

#[test]
fn a_script_ends_with_its_result_as_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.lab");
    for (text, code, said) in [
        (
            "uptime\nexpect first instruction\n",
            0,
            "1 passed, 0 failed",
        ),
        ("# none\n\nuptime # nor here\n", 1, "0 passed, 0 failed"),
        (
            "uptime\nexpect first\nexpect nothing\ngrade\n",
            1,
            "1 passed, 1 failed",
        ),
        (
            "uptime\nexpect nothing\ngrade\nexpect first\ngrade\n",
            1,
            "1 passed, 1 failed",
        ),
        (
            "echo 9 passed, 0 failed\nexpect $nothing\n",
            1,
            "0 passed, 1 failed",
        ),
    ] {
        fs::write(&file, text).expect("the file can be written");
        let (found, stdout, stderr) = lab(&file, &[]);
        assert_eq!(found, Some(code), "{text}: {stdout}{stderr}");
        let last = stdout.lines().last().unwrap_or_default();
        assert_eq!(last, format!("{}: {said}", file.display()), "{stdout}");
        assert!(stdout.contains("stilt> grade\n"), "{stdout}");
    }
}

#[test]
fn a_script_that_cannot_be_sent_or_hangs_is_a_failure_with_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.lab");
    for (text, more, said) in [
        (
            "uptime\nsleep 600000\nuptime\n",
            &["--line-seconds", "2"][..],
            ":2: no prompt came in 2 s behind this line: sleep 600000",
        ),
        (
            "sleep 600000\n",
            &["--all-seconds", "2"],
            ":1: no prompt came in ",
        ),
        (
            "uptime\nhalt\n",
            &[],
            ":2: the kernel ended behind this line: halt",
        ),
        (
            "fault panic\nuptime\n",
            &[],
            ":1: the kernel ended behind this line: fault panic",
        ),
    ] {
        fs::write(&file, text).expect("the file can be written");
        let (code, _, stderr) = lab(&file, more);
        assert_eq!(code, Some(1), "{text}: {stderr}");
        let last = stderr.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("error: ") && last.contains(said),
            "{stderr}"
        );
    }
    let (code, _, stderr) = lab(&folder.path().join("none.lab"), &[]);
    assert_eq!(code, Some(1), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.contains("none.lab: No such file"), "{stderr}");
    let (code, _, stderr) = lab(&folder.path().join("99-none.answer.lab"), &[]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("there is no exercise 99-none"), "{stderr}");
}

/// What an answer expects does not count, and cannot take the place of its check.
#[test]
fn an_answer_is_judged_by_its_check_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("04-map-by-hand.answer.lab");
    let text =
        "as new byhand\nuptime\nexpect first\ngrade\nexpect first\necho 1 passed, 0 failed\n";
    fs::write(&file, text).expect("the file can be written");
    let (code, stdout, stderr) = lab(&file, &[]);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    let last = stdout.lines().last().unwrap_or_default();
    assert!(
        last.ends_with(" failed") && !last.ends_with(" 0 failed"),
        "{last}"
    );
    assert!(stdout.contains("stilt> as use byhand"), "{stdout}");
}

/// A boot, and a look at whether the image is new.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn without_a_file_the_first_page_stands_above_the_prompt() {
    checkout::run(&mut checkout::xtask("image"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut machine = Machine::start(checkout::xtask("lab"), LIMIT, folder);
    let before = machine.boot();
    let said = ["# 01 Indices", "make lab FILE=labs/01-indices.lab"];
    machine.must_say(&before, &said);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

//! `cargo xtask lab`: sends a file to the prompt of a kernel that is booted for it, and says how its
//! `expect` lines went; `cargo xtask grade` does that with every exercise's reference solution.
//!
//! # Decisions
//! - A line is sent when the prompt has come behind the one before: a line that hangs is named, and
//!   a script that is wrong in the middle shows where.
//! - The result is read from `grade` lines that stand in the check or are sent by this tool. What
//!   an answer says or expects is shown, and does not count.

mod error;
mod guest;
mod script;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};

use crate::failure::Failure;
use crate::image::Files;
use crate::program::cannot_run;
use crate::qemu;
use error::LabError;
use guest::{Guest, Limits};
use script::{Line, Script};

/// The command that counts.
const GRADE: &str = "grade";
/// The limits of time, unless others are asked for.
const LINE_SECONDS: u64 = 20;
const ALL_SECONDS: u64 = 300;

struct Options {
    file: Option<PathBuf>,
    program: OsString,
    elf: Option<PathBuf>,
    limits: Limits,
}

/// What became of the `expect` lines that count.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Grade {
    passed: usize,
    failed: usize,
}

impl Grade {
    fn is_good(self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

fn options(mut args: Parser) -> Result<Options, Failure> {
    let mut options = Options {
        file: None,
        program: qemu::default_program(),
        elf: None,
        limits: Limits {
            line_seconds: LINE_SECONDS,
            all_seconds: ALL_SECONDS,
        },
    };
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("qemu") => options.program = args.value()?,
            Arg::Long("elf") => options.elf = Some(args.value()?.into()),
            Arg::Long("line-seconds") => options.limits.line_seconds = args.value()?.parse()?,
            Arg::Long("all-seconds") => options.limits.all_seconds = args.value()?.parse()?,
            Arg::Value(file) if options.file.is_none() => options.file = Some(file.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// The verb `lab`: a file, or the prompt below the first exercise's page.
pub(crate) fn run(args: Parser) -> Result<ExitCode, Failure> {
    let options = options(args)?;
    let Some(file) = &options.file else {
        return first_exercise(&options);
    };
    let script = Script::of(file)?;
    // Before anything is built: what is wrong with the files.
    let (answer, graded) = read(&script)?;
    let kernel = kernel(&options)?;
    let grade = run_lines(&options, &kernel, &answer, &graded, &mut io::stdout())?;
    let Grade { passed, failed } = grade;
    println!("{}: {passed} passed, {failed} failed", file.display());
    Ok(ExitCode::from(u8::from(!grade.is_good())))
}

/// The verb `grade`: every solution must pass its check; the wrong one, and no answer at all, must
/// not.
pub(crate) fn grade(args: Parser) -> Result<ExitCode, Failure> {
    let options = options(args)?;
    let kernel = kernel(&options)?;
    let names = script::exercises()?;
    let mut wrong = 0;
    for name in &names {
        let solutions = script::labs().join("solutions");
        let check = script::lines(&script::labs().join(format!("{name}.lab")))?;
        let file = format!("{name}.answer.lab");
        let solution = script::lines(&solutions.join(&file))?;
        let mistaken = script::lines(&solutions.join("wrong").join(&file))?;
        let mut is_as_it_should_be = true;
        let mut said = Vec::new();
        for (what, answer, should_pass) in [
            ("solution", &solution[..], true),
            ("wrong one", &mistaken[..], false),
            ("no answer", &[], false),
        ] {
            let mut transcript = Vec::new();
            let grade = run_lines(&options, &kernel, answer, &check, &mut transcript)?;
            let Grade { passed, failed } = grade;
            said.push(format!("{what} {passed} passed, {failed} failed"));
            if grade.is_good() != should_pass {
                is_as_it_should_be = false;
                // For whoever mends it; the result is what counts.
                let _ = io::stdout().write_all(&transcript);
            }
        }
        let mark = if is_as_it_should_be { "ok   " } else { "WRONG" };
        println!("{mark} {name:<24} {}", said.join("; "));
        wrong += usize::from(!is_as_it_should_be);
    }
    if wrong > 0 {
        let all = names.len();
        return Err(LabError::Grades { wrong, all }.into());
    }
    println!(
        "{} exercises: every solution passes, every wrong one fails",
        names.len()
    );
    Ok(ExitCode::SUCCESS)
}

fn kernel(options: &Options) -> Result<Files, Failure> {
    qemu::check_program(&options.program)?;
    Ok(qemu::kernel_to_boot(options.elf.clone())?)
}

fn read(script: &Script) -> Result<(Vec<Line>, Vec<Line>), LabError> {
    let answer = script.answer.as_deref().map(script::lines).transpose()?;
    Ok((answer.unwrap_or_default(), script::lines(&script.graded)?))
}

/// Boots, sends the answer and what is graded, and returns how that went.
fn run_lines(
    options: &Options,
    kernel: &Files,
    answer: &[Line],
    graded: &[Line],
    transcript: &mut dyn Write,
) -> Result<Grade, LabError> {
    let mut guest = Guest::boot(&options.program, &kernel.image, options.limits)?;
    for line in answer {
        guest.run(line, transcript)?;
    }
    if !answer.is_empty() {
        guest.run(&own_grade("behind the answer"), transcript)?;
    }
    let own = own_grade("at the end");
    let ends_by_grade = graded.last().is_some_and(|line| is_grade(&line.text));
    let mut sum = Grade::default();
    for line in graded.iter().chain((!ends_by_grade).then_some(&own)) {
        let output = guest.run(line, transcript)?;
        if is_grade(&line.text) {
            let Grade { passed, failed } = said(&output).ok_or_else(|| LabError::NoGrade {
                place: line.place.clone(),
            })?;
            sum.passed += passed;
            sum.failed += failed;
        }
    }
    Ok(sum)
}

/// A `grade` that stands in no file.
fn own_grade(place: &str) -> Line {
    Line {
        place: place.to_owned(),
        text: GRADE.to_owned(),
    }
}

fn is_grade(line: &str) -> bool {
    line.split_ascii_whitespace().next() == Some(GRADE)
}

/// The last line `N passed, N failed` of what `grade` printed.
fn said(output: &str) -> Option<Grade> {
    let (passed, rest) = output.lines().last()?.split_once(" passed, ")?;
    Some(Grade {
        passed: passed.parse().ok()?,
        failed: rest.strip_suffix(" failed")?.parse().ok()?,
    })
}

/// Shows the first exercise's page, and becomes QEMU with the console on this terminal.
fn first_exercise(options: &Options) -> Result<ExitCode, Failure> {
    let name = script::exercises()?.into_iter().next().unwrap_or_default();
    let path = script::labs().join(format!("{name}.md"));
    let page = fs::read_to_string(&path).map_err(|source| LabError::Unreadable { path, source })?;
    let kernel = kernel(options)?;
    println!("{page}");
    println!(
        "Write what you type into labs/{name}.answer.lab, then: make lab FILE=labs/{name}.lab"
    );
    println!("The other exercises: labs/README.md. Ctrl-A X quits.\n");
    let mut command = qemu::machine(&options.program, &kernel.image);
    command.args(["-serial", "mon:stdio"]);
    Err(cannot_run(&options.program)(command.exec()).into())
}

#[cfg(test)]
mod tests {
    use super::{Grade, said};

    #[test]
    fn the_result_is_the_last_line() {
        let grade = |passed, failed| Some(Grade { passed, failed });
        assert_eq!(said("grade\n12 passed, 3 failed"), grade(12, 3));
        assert_eq!(said("grade\n1 passed, 0 failed\nmore"), None);
        assert_eq!(said("grade\n1 passed, x failed"), None);
        assert_eq!(said(""), None);
    }

    #[test]
    fn nothing_that_was_expected_is_no_success() {
        for (passed, failed, is_good) in [(1, 0, true), (0, 0, false), (5, 1, false)] {
            assert_eq!(Grade { passed, failed }.is_good(), is_good);
        }
    }
}

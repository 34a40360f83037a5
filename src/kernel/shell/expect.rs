//! Lines that check what the line before did: `echo`, `expect` and `grade`.
//!
//! 1. A command runs. What the console prints meanwhile is kept (the last 4096 bytes of it,
//!    [`LAST_OUTPUT`]), and the syndrome of the last report.
//! 2. Any number of `expect` lines look at both, and count.
//! 3. `grade` says how many held, and begins to count anew.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::arguments::{no_arguments, no_choice, number_from};
use super::error::CommandError;
use crate::exception::syndrome::{Fault, Syndrome};
use crate::kernel::console::LAST_OUTPUT;
use crate::kernel::report;

/// The command's name.
pub(super) const NAME: &str = "expect";
/// The word for "no report" in `expect fault none`.
const NONE: &str = "none";

/// `expect` lines that held, and that did not, since the last `grade`. The shell has one core.
static PASSED: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// `echo [TEXT]`
pub(super) fn echo(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let text = arguments.first().copied().unwrap_or_default();
    writeln!(out, "{text}")?;
    Ok(())
}

/// `expect TEXT`, `expect fault KIND [LEVEL]`. One that is not written as it should be has failed,
/// too.
pub(super) fn expect(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let judged = judge(arguments, out);
    match judged {
        Ok(Verdict::Passed) => {
            PASSED.fetch_add(1, Ordering::Relaxed);
            writeln!(out, "ok")?;
        }
        Ok(Verdict::Failed) => count_failure(),
        Err(error) => {
            count_failure();
            return Err(error);
        }
    }
    Ok(())
}

/// An `expect` did not hold, or could not be read.
pub(super) fn count_failure() {
    FAILED.fetch_add(1, Ordering::Relaxed);
}

/// `grade`
pub(super) fn grade(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    let (passed, failed) = (
        PASSED.swap(0, Ordering::Relaxed),
        FAILED.swap(0, Ordering::Relaxed),
    );
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(())
}

/// The words that Tab completes behind `expect`.
pub(super) fn words(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    match before {
        [] => each("fault"),
        ["fault"] => {
            each(NONE);
            Syndrome::KINDS.into_iter().for_each(each);
        }
        _ => {}
    }
}

/// The lines that `help expect` adds.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 7] = [
        "  TEXT was printed by the last command: its last 4096 bytes are looked at.",
        "  A blank in TEXT stands for as many blanks and line ends as are there,",
        "  a `*` for anything up to the end of the line.",
        "  fault KIND [LEVEL]: the last command ended in a report of that kind, as",
        "  `fault permission 3` or `fault none`; Tab behind `fault` shows the kinds.",
        "  echo, expect, grade, answer and comments leave the last command's output.",
        "  `grade` counts what held and what did not, and begins anew.",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// Whether what was expected is so.
enum Verdict {
    Passed,
    /// An expectation did not hold; the output that was found instead has been said.
    Failed,
}

fn judge(arguments: &[&str], out: &mut dyn Write) -> Result<Verdict, CommandError> {
    let [text] = arguments else {
        return Err(CommandError::wrong_count());
    };
    let mut words = text.split_ascii_whitespace();
    if words.next() == Some("fault") {
        let (kind, level) = (words.next(), words.next());
        return match (kind, words.next()) {
            (Some(kind), None) => judge_fault(kind, level, out),
            _ => Err(CommandError::wrong_count()),
        };
    }
    if LAST_OUTPUT.contains(text) {
        return Ok(Verdict::Passed);
    }
    say_end(text, out)?;
    Ok(Verdict::Failed)
}

/// The output that was found instead of `text`.
fn say_end(text: &str, out: &mut dyn Write) -> fmt::Result {
    let (line, lost) = (LAST_OUTPUT.last_line(), LAST_OUTPUT.lost());
    write!(out, "FAILED: no `{text}`; the output ends `{line}`")?;
    if lost > 0 {
        write!(out, ", and its first {lost} bytes are not kept")?;
    }
    writeln!(out)
}

fn judge_fault(
    kind: &str,
    level: Option<&str>,
    out: &mut dyn Write,
) -> Result<Verdict, CommandError> {
    if kind != NONE && !Syndrome::KINDS.contains(&kind) {
        return Err(no_choice(kind, &FaultKinds));
    }
    let level = level.map(|word| number_from(0, 3, word)).transpose()?;
    let expected = FaultFound {
        kind,
        level: level.map(|level| level as u8),
    };
    let syndrome = report::last_fault();
    let fault = syndrome.and_then(Syndrome::fault);
    let found = FaultFound {
        kind: syndrome.map_or(NONE, Syndrome::kind),
        level: fault.and_then(Fault::level),
    };
    let is_level = level.is_none() || expected.level == found.level;
    if expected.kind == found.kind && is_level {
        return Ok(Verdict::Passed);
    }
    writeln!(
        out,
        "FAILED: no fault {expected}; the last command's was {found}"
    )?;
    Ok(Verdict::Failed)
}

/// A kind of fault and its level, as they are typed: `permission 3`, `undefined`.
struct FaultFound<'a> {
    kind: &'a str,
    level: Option<u8>,
}

impl fmt::Display for FaultFound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        self.level.map_or(Ok(()), |level| write!(f, " {level}"))
    }
}

/// All kinds of fault, for a refusal.
struct FaultKinds;

impl fmt::Display for FaultKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NONE)?;
        Syndrome::KINDS
            .iter()
            .try_for_each(|kind| write!(f, ", {kind}"))
    }
}

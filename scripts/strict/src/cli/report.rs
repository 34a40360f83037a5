//! Findings and ends as text.

use std::fmt::Write;

use super::play::End;
use crate::liberty::Taken;
use crate::machine::{Machine, Outcome};
use crate::stop::Stop;
use crate::symbols::Symbols;
use crate::watch::{Finding, Rule};

/// The end of a console without a line's end, for messages: this many bytes.
const LAST_BYTES: usize = 60;

/// Findings of one or more runs, each once a rule and function.
#[derive(Default)]
pub(super) struct Findings {
    seen: Vec<(Rule, String)>,
}

impl Findings {
    /// The text of what is new in a run.
    pub(super) fn add(&mut self, findings: &[Finding], symbols: Option<&Symbols>) -> String {
        let mut text = String::new();
        for finding in findings {
            let function = symbols.and_then(|symbols| symbols.function(finding.at));
            // Without names a case is told once: the places of one function cannot be told apart.
            let function = function.map_or_else(|| finding.detail.clone(), |(name, _)| name.into());
            let key = (finding.rule, function);
            if !self.seen.contains(&key) {
                self.seen.push(key);
                text.push_str(&finding_text(finding, symbols));
            }
        }
        text
    }

    pub(super) fn count(&self) -> usize {
        self.seen.len()
    }
}

/// An address with its function and its source line.
fn place(address: u64, symbols: Option<&Symbols>) -> String {
    let Some(symbols) = symbols else {
        return format!("{address:#x}");
    };
    let mut text = symbols.place(address);
    if let Some((file, line)) = symbols.line(address) {
        let _ = write!(text, " {file}:{line}");
    }
    text
}

fn finding_text(finding: &Finding, symbols: Option<&Symbols>) -> String {
    let rule = finding.rule.text();
    let mut text = format!(
        "finding: {}: {}\n  core {} at {}\n  here: {}\n  the board may do otherwise: {}\n  {}; \
         `--explain {}` shows a wrong and a right program\n",
        rule.name,
        rule.rule,
        finding.core,
        place(finding.at, symbols),
        finding.detail,
        rule.otherwise,
        rule.source,
        rule.name,
    );
    if let Some(because) = finding.because {
        let _ = writeln!(text, "  because of {}", place(because, symbols));
    }
    text
}

/// The text of a run that failed.
pub(super) fn end(end: &End, machine: &Machine, symbols: Option<&Symbols>) -> String {
    let mut text = String::new();
    let outcome = match end {
        End::Done | End::Halted => return text,
        End::Missing {
            text: missing,
            outcome,
        } => {
            let _ = writeln!(text, "strict: the console did not print {missing:?}");
            outcome
        }
        End::Early(outcome) => outcome,
    };
    let _ = writeln!(text, "strict: {}", said(outcome, symbols));
    let console = machine.console();
    let last = &console[console.len().saturating_sub(LAST_BYTES)..];
    let _ = writeln!(
        text,
        "  last on the console: {:?}",
        String::from_utf8_lossy(last)
    );
    for (core, address) in machine.places().into_iter().enumerate() {
        let _ = writeln!(text, "  core {core} at {}", place(address, symbols));
    }
    text
}

/// The last liberties that changed a value.
pub(super) fn liberties<'a>(
    taken: impl Iterator<Item = &'a Taken>,
    symbols: Option<&Symbols>,
) -> String {
    let mut text = String::new();
    for taken in taken {
        let _ = writeln!(
            text,
            "  liberty {}: core {} at {}, for {:#x}",
            taken.liberty,
            taken.core,
            place(taken.at, symbols),
            taken.address
        );
        if let Some(because) = taken.because {
            let _ = writeln!(text, "    because of {}", place(because, symbols));
        }
    }
    text
}

fn said(outcome: &Outcome, symbols: Option<&Symbols>) -> String {
    match outcome {
        Outcome::Matched => "the text came".to_owned(),
        Outcome::Ended(ending) => format!("the image ended the run: {ending:?}"),
        Outcome::Quiet => "the console is quiet".to_owned(),
        Outcome::Asleep => "every core waits, and nothing can wake one".to_owned(),
        Outcome::Exhausted => "the limit of instructions is reached".to_owned(),
        Outcome::Stopped(stop) => stopped(stop, symbols),
    }
}

fn stopped(stop: &Stop, symbols: Option<&Symbols>) -> String {
    let function = symbols.and_then(|symbols| symbols.function(stop.at()));
    match function {
        Some((name, distance)) => format!("{stop}, in {name} + {distance:#x}"),
        None => stop.to_string(),
    }
}

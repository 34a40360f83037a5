//! Runs of the image with and without a fault, and what tells them apart.
//!
//! 1. The shipped image is run by a way in with a seed: no finding, and the console's text.
//! 2. The image with a fault is run by the same way in with the same seed, and the same liberties.
//! 3. A finding that the first has not is a violation.
//! 4. Another text, or another end, is a divergence if there is none without liberties, and a plain
//!    failure if there is: an emulator shows that one, too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::entry::Entry;
use crate::image::Image;
use crate::liberty::{Liberties, Liberty};
use crate::machine::{Limits, Machine, Options, Outcome};
use crate::symbols::Symbols;
use crate::unknown::unknown_kept;
use crate::watch::{Lint, Rule};

use super::console::comparable;

/// The text that the kernel prints when it takes a line.
const PROMPT: &[u8] = b"stilt> ";
/// A step of the shipped image ends after so many instructions: the longest has 5,000,000.
const MOST: u64 = 20_000_000;
/// A step of a faulty one after twice as many as the shipped image's, and these.
const MORE: u64 = 1_000_000;
/// And each after this virtual time without a byte of output.
const QUIET: u64 = 3_000_000_000;

/// A way in and a seed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Way {
    /// The index of the way in, in [`Entry::ALL`].
    entry: usize,
    pub(super) seed: u64,
}

impl Way {
    pub(super) fn new(entry: Entry, seed: u64) -> Self {
        let index = Entry::ALL.iter().position(|known| *known == entry);
        Self {
            entry: index.unwrap_or_default(),
            seed,
        }
    }

    pub(super) fn entry(self) -> Entry {
        Entry::ALL[self.entry]
    }
}

/// What a run showed.
#[derive(Debug)]
pub(super) struct Trial {
    /// Rules and the functions in which they were broken.
    findings: Vec<(Rule, String)>,
    /// The console's lines, comparable.
    lines: Vec<String>,
    /// The end, if it is not the last prompt.
    end: Option<String>,
    /// The instructions of each step, to the prompt and for each line of input.
    steps: Vec<u64>,
    /// The changed words that were executed.
    pub(super) reached: Vec<u64>,
}

/// What tells a faulty image from the shipped one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Symptom {
    /// A broken rule, and the function.
    Violation(Rule, String),
    /// Another text or another end, with liberties alone.
    Divergence(String),
    /// Another text or another end, without liberties too.
    Failure(String),
}

/// The image, and the runs of it that others are compared with.
pub(super) struct Bench<'a> {
    pub(super) image: &'a Image,
    symbols: &'a Symbols,
    /// The liberty that is not taken, in an ablation.
    off: Option<Liberty>,
    known: Mutex<BTreeMap<Key, Arc<Trial>>>,
}

/// A run of an image.
#[derive(Clone, Copy)]
struct Run<'a> {
    image: &'a Image,
    way: Way,
    /// Whether liberties are taken.
    liberal: bool,
    /// The lines that are typed at the prompt.
    input: &'a [&'a str],
    /// The words that are to be executed.
    words: &'a [u64],
    /// The shipped image's steps.
    pace: Option<&'a [u64]>,
    /// Whether it ends with the first broken rule.
    to_finding: bool,
}

/// A way, whether liberties are taken, and the input.
type Key = (Way, bool, &'static [&'static str]);

impl<'a> Bench<'a> {
    pub(super) fn new(image: &'a Image, symbols: &'a Symbols, off: Option<Liberty>) -> Self {
        Self {
            image,
            symbols,
            off,
            known: Mutex::new(BTreeMap::new()),
        }
    }

    /// The run of the shipped image.
    pub(super) fn shipped(
        &self,
        way: Way,
        liberal: bool,
        input: &'static [&'static str],
    ) -> Arc<Trial> {
        let key = (way, liberal, input);
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trial) = known().get(&key) {
            return Arc::clone(trial);
        }
        let trial = Arc::new(self.play(&Run {
            image: self.image,
            way,
            liberal,
            input,
            words: &[],
            pace: None,
            to_finding: false,
        }));
        known().insert(key, Arc::clone(&trial));
        trial
    }

    /// Those of `words`, by physical address, that a run of the shipped image executes.
    pub(super) fn reached(
        &self,
        way: Way,
        input: &'static [&'static str],
        words: &[u64],
    ) -> Vec<u64> {
        let trial = self.play(&Run {
            image: self.image,
            way,
            liberal: true,
            input,
            words,
            pace: None,
            to_finding: false,
        });
        trial.reached
    }

    /// Runs an image that has other `words` than the shipped one.
    pub(super) fn compare(
        &self,
        faulty: &Image,
        way: Way,
        input: &'static [&'static str],
        words: &[u64],
    ) -> (Option<Symptom>, Trial) {
        let shipped = self.shipped(way, true, input);
        let run = Run {
            image: faulty,
            way,
            liberal: true,
            input,
            words,
            pace: Some(&shipped.steps),
            to_finding: true,
        };
        let new = |trial: &Trial| {
            let mut findings = trial.findings.iter();
            findings
                .find(|finding| !shipped.findings.contains(finding))
                .cloned()
        };
        let mut trial = self.play(&run);
        if !trial.findings.is_empty() && new(&trial).is_none() {
            trial = self.play(&Run {
                to_finding: false,
                ..run
            });
        }
        if let Some((rule, function)) = new(&trial) {
            return (Some(Symptom::Violation(rule, function)), trial);
        }
        let symptom = difference(&shipped, &trial).map(|text| {
            let shipped = self.shipped(way, false, input);
            let tame = self.play(&Run {
                liberal: false,
                pace: Some(&shipped.steps),
                ..run
            });
            match difference(&shipped, &tame) {
                None => Symptom::Divergence(text),
                Some(text) => Symptom::Failure(text),
            }
        });
        (symptom, trial)
    }

    fn play(&self, run: &Run<'_>) -> Trial {
        let mut options = Options::seeded(run.way.entry(), run.way.seed);
        options.lint = Lint::Yes;
        options.liberties = match (run.liberal, self.off) {
            (false, _) => Liberties::NONE,
            (true, Some(off)) => options.liberties.without(off),
            (true, None) => options.liberties,
        };
        let mut machine = Machine::new(run.image, &options);
        machine.mark(run.words);
        let mut steps = Vec::new();
        let mut end = step(&mut machine, run, &mut steps);
        for line in run.input {
            if end.is_some() {
                break;
            }
            machine.type_bytes(line.as_bytes());
            machine.type_bytes(b"\r");
            end = step(&mut machine, run, &mut steps);
        }
        let mut findings = machine.findings().to_vec();
        // Another seed of noise shows nothing new.
        if run.way.seed == 0 && findings.is_empty() {
            findings = unknown_kept(run.image, &options, &machine);
        }
        let findings = findings.iter().map(|finding| {
            let function = self.symbols.function(finding.at);
            let name =
                function.map_or_else(|| format!("{:#x}", finding.at), |(name, _)| name.into());
            (finding.rule, name)
        });
        Trial {
            findings: findings.collect(),
            lines: comparable(machine.console()),
            end,
            steps,
            reached: machine.reached().to_vec(),
        }
    }
}

/// Runs to the next prompt; any other end as text.
fn step(machine: &mut Machine, run: &Run<'_>, steps: &mut Vec<u64>) -> Option<String> {
    let pace = run.pace.and_then(|pace| pace.get(steps.len()));
    let limits = Limits {
        until: Some(PROMPT.to_vec()),
        quiet: QUIET,
        instructions: pace.map_or(MOST, |pace| 2 * pace + MORE),
    };
    let before = machine.executed();
    let outcome = match run.to_finding {
        true => machine.run_to_finding(&limits),
        false => Some(machine.run(&limits)),
    };
    steps.push(machine.executed() - before);
    match outcome? {
        Outcome::Matched => None,
        Outcome::Ended(ending) => Some(format!("the image ended the run: {ending:?}")),
        Outcome::Quiet => Some("the console is quiet".to_owned()),
        Outcome::Asleep => Some("every core waits, and nothing can wake one".to_owned()),
        Outcome::Exhausted => Some("it runs without end".to_owned()),
        Outcome::Stopped(stop) => Some(stop.to_string()),
    }
}

/// A difference of two runs: a line that only the faulty one has, its end, or a line that it lacks.
fn difference(shipped: &Trial, faulty: &Trial) -> Option<String> {
    if shipped.lines == faulty.lines && shipped.end == faulty.end {
        return None;
    }
    let quoted = |line: &String| format!("{:?}", line.trim().chars().take(60).collect::<String>());
    let only = |lines: &[String], others: &[String]| {
        let mut only = lines.iter().filter(|line| !others.contains(line));
        only.find(|line| !line.trim().is_empty()).map(quoted)
    };
    let more = only(&faulty.lines, &shipped.lines);
    let less = only(&shipped.lines, &faulty.lines).map(|line| format!("without {line}"));
    let end = faulty.end.clone();
    Some(
        end.or(more)
            .or(less)
            .unwrap_or_else(|| "other blank lines".to_owned()),
    )
}

impl Trial {
    /// Whether the shipped image ran to the last prompt without a finding.
    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.end.is_none()
    }
}

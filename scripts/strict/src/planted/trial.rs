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
/// A step of a run without the prompt ends after so many instructions: the longest has 5,000,000.
const MOST: u64 = 20_000_000;
/// And after this virtual time without a byte of output.
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
    /// Whether one of the changed words was executed.
    pub(super) reached: bool,
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
        let trial = Arc::new(self.play(self.image, way, liberal, input, &[]));
        known().insert(key, Arc::clone(&trial));
        trial
    }

    /// Runs an image that has other `words` than the shipped one.
    pub(super) fn compare(
        &self,
        faulty: &Image,
        way: Way,
        input: &'static [&'static str],
        words: &[u64],
    ) -> (Option<Symptom>, Trial) {
        let trial = self.play(faulty, way, true, input, words);
        let shipped = self.shipped(way, true, input);
        let new = trial
            .findings
            .iter()
            .find(|finding| !shipped.findings.contains(finding));
        if let Some((rule, function)) = new {
            let symptom = Symptom::Violation(*rule, function.clone());
            return (Some(symptom), trial);
        }
        let symptom = difference(&shipped, &trial).map(|text| {
            let tame = self.play(faulty, way, false, input, words);
            let shipped = self.shipped(way, false, input);
            match difference(&shipped, &tame) {
                None => Symptom::Divergence(text),
                Some(text) => Symptom::Failure(text),
            }
        });
        (symptom, trial)
    }

    fn play(&self, image: &Image, way: Way, liberal: bool, input: &[&str], words: &[u64]) -> Trial {
        let mut options = Options::seeded(way.entry(), way.seed);
        options.lint = Lint::Yes;
        options.liberties = match (liberal, self.off) {
            (false, _) => Liberties::NONE,
            (true, Some(off)) => options.liberties.without(off),
            (true, None) => options.liberties,
        };
        let mut machine = Machine::new(image, &options);
        machine.mark(words);
        let mut end = step(&mut machine);
        for line in input {
            if end.is_some() {
                break;
            }
            machine.type_bytes(line.as_bytes());
            machine.type_bytes(b"\r");
            end = step(&mut machine);
        }
        let kept = unknown_kept(image, &options);
        let findings = machine.findings().iter().chain(&kept).map(|finding| {
            let function = self.symbols.function(finding.at);
            let name =
                function.map_or_else(|| format!("{:#x}", finding.at), |(name, _)| name.into());
            (finding.rule, name)
        });
        Trial {
            findings: findings.collect(),
            lines: comparable(machine.console()),
            end,
            reached: !machine.reached().is_empty(),
        }
    }
}

/// Runs to the next prompt; any other end as text.
fn step(machine: &mut Machine) -> Option<String> {
    let limits = Limits {
        until: Some(PROMPT.to_vec()),
        quiet: QUIET,
        instructions: MOST,
    };
    match machine.run(&limits) {
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

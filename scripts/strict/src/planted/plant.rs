//! A planted fault, and the verdict on it.

use std::fmt;

use super::code::{Code, Cut, CutError};
use super::trial::{Bench, Symptom, Way};
use crate::entry::Entry;

/// A fault: what is changed in the image, and the runs that can show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plant {
    /// What is wrong.
    pub(super) name: &'static str,
    /// The changes.
    pub(super) cuts: &'static [Cut],
    /// The ways in that execute the place.
    pub(super) ways: &'static [Entry],
    /// The lines that are typed at the prompt.
    pub(super) input: &'static [&'static str],
    /// Why it is no fault, with the manual's section: then nothing may be reported.
    pub(super) harmless: Option<&'static str>,
}

impl Plant {
    /// A fault of one cut that every way in executes before the prompt.
    pub(super) const fn new(name: &'static str, cuts: &'static [Cut]) -> Self {
        const EVERY: &[Entry] = &[Entry::Firmware, Entry::El3, Entry::UBoot, Entry::El1];
        Self {
            name,
            cuts,
            ways: EVERY,
            input: &[],
            harmless: None,
        }
    }

    /// The same fault, executed by these ways in alone.
    pub(super) const fn by(self, ways: &'static [Entry]) -> Self {
        Self { ways, ..self }
    }

    /// The same fault, executed by lines at the prompt.
    pub(super) const fn typed(self, input: &'static [&'static str]) -> Self {
        Self { input, ..self }
    }

    /// A change that is no fault.
    pub(super) const fn harmless(self, why: &'static str) -> Self {
        Self {
            harmless: Some(why),
            ..self
        }
    }
}

/// What became of a fault.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It was found.
    Found(Symptom, Way),
    /// It was executed, and nothing was found.
    Missed,
    /// No run executed it.
    NotExecuted,
    /// It does not fit the image.
    Unfit(CutError),
}

impl Plant {
    /// Runs the image with the fault until it is found: by each way in, with the seeds below `seeds`.
    pub(super) fn try_out(&self, code: &Code, bench: &Bench<'_>, seeds: u64) -> Verdict {
        let words = match code.cut(self.cuts) {
            Ok(words) => words,
            Err(error) => return Verdict::Unfit(error),
        };
        self.try_words(&words, bench, seeds)
    }

    /// Runs the image with these words, by physical address, in the place of the cuts' ones.
    pub(super) fn try_words(&self, words: &[(u64, u32)], bench: &Bench<'_>, seeds: u64) -> Verdict {
        let image = bench.image.with_words(words);
        let places: Vec<u64> = words.iter().map(|(address, _)| *address).collect();
        let mut reached = false;
        // What is harmless runs with every seed that it is given: one of each kind, by turns.
        let seeds = match self.harmless {
            None => seeds,
            Some(_) => seeds.div_ceil(8),
        };
        let by_turns = self.harmless.is_some() && self.ways.len() > 1;
        for seed in 0..seeds {
            for (index, entry) in self.ways.iter().enumerate() {
                if by_turns && !(index as u64 + seed).is_multiple_of(2) {
                    continue;
                }
                let way = Way::new(*entry, seed);
                let (symptom, trial) = bench.compare(&image, way, self.input, &places);
                reached |= !trial.reached.is_empty();
                match symptom {
                    Some(_) if trial.reached.is_empty() => return Verdict::NotExecuted,
                    Some(symptom) => return Verdict::Found(symptom, way),
                    None => {}
                }
            }
        }
        match reached {
            true => Verdict::Missed,
            false => Verdict::NotExecuted,
        }
    }

    /// Whether the verdict is as it should be: a fault is found, a harmless change is not.
    pub(super) fn is_right(&self, verdict: &Verdict) -> bool {
        match self.harmless {
            None => matches!(verdict, Verdict::Found(..)),
            Some(_) => matches!(verdict, Verdict::Missed),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(symptom, way) => {
                let by = format!("{} seed {}", way.entry().name(), way.seed);
                match symptom {
                    Symptom::Violation(rule, function) => {
                        write!(f, "violation   {} in {function} ({by})", rule.text().name)
                    }
                    Symptom::Divergence(text) => write!(f, "divergence  {text} ({by})"),
                    Symptom::Failure(text) => write!(f, "failure     {text} ({by})"),
                }
            }
            Self::Missed => f.write_str("missed"),
            Self::NotExecuted => f.write_str("not executed"),
            Self::Unfit(error) => write!(f, "unfit       {error}"),
        }
    }
}

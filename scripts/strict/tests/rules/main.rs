//! Each rule with its wrong and its right program: the wrong one breaks that rule alone, with at
//! least one seed, the right one none with any.

mod assembler;
mod boot;
mod devices;
mod litmus;
mod others;
mod parts;
mod sweep;
mod tables;

use assembler::{STAY, assemble};
use strict::{Entry, Image, Limits, Lint, Machine, Options, Outcome, Rule, unknown_kept};

/// A rule with its programs, in parts.
pub(crate) struct Programs {
    rule: Rule,
    entry: Entry,
    wrong: &'static [&'static [&'static [&'static str]]],
    right: &'static [&'static [&'static [&'static str]]],
    instructions: u64,
}

impl Programs {
    pub(crate) const fn new(
        rule: Rule,
        entry: Entry,
        wrong: &'static [&'static [&'static [&'static str]]],
        right: &'static [&'static [&'static [&'static str]]],
    ) -> Self {
        Self {
            rule,
            entry,
            wrong,
            right,
            instructions: 30_000,
        }
    }

    /// For a rule that is broken after 20 ms of virtual time.
    pub(crate) const fn long(self) -> Self {
        Self {
            instructions: 1_500_000,
            ..self
        }
    }
}

/// Seeds of each program; stores drain late with the odd ones.
const SEEDS: u64 = 8;
/// The image: words, and vectors at 0x800 in which an exception stays.
const VECTORS: usize = 0x800;
const LENGTH: usize = 0x1000;

fn image(parts: &[&[&[&str]]]) -> Image {
    let lines: Vec<&str> = parts
        .iter()
        .copied()
        .flatten()
        .copied()
        .flatten()
        .copied()
        .collect();
    let mut words = assemble(&lines);
    assert!(
        4 * words.len() <= VECTORS,
        "the program reaches the vectors"
    );
    words.resize(LENGTH / 4, STAY);
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    Image::read(&bytes).expect("an image")
}

/// Nothing is printed: a program that sleeps ends after this time, in nanoseconds.
const QUIET: u64 = 1_000_000_000;

/// The rules that a program breaks, and how its run ends.
fn broken(program: &Image, entry: Entry, seed: u64, instructions: u64) -> (Vec<Rule>, Outcome) {
    let mut options = Options::seeded(entry, seed);
    options.lint = Lint::Yes;
    let mut machine = Machine::new(program, &options);
    let limits = Limits {
        instructions,
        quiet: QUIET,
        until: None,
    };
    let outcome = machine.run(&limits);
    let kept = unknown_kept(program, &options, &machine);
    let mut rules: Vec<Rule> = machine
        .findings()
        .iter()
        .chain(&kept)
        .map(|finding| finding.rule)
        .collect();
    rules.sort_unstable();
    rules.dedup();
    (rules, outcome)
}

fn programs() -> impl Iterator<Item = &'static Programs> {
    [boot::PROGRAMS, devices::PROGRAMS, tables::PROGRAMS]
        .into_iter()
        .flatten()
}

#[test]
fn a_wrong_program_breaks_its_rule_alone_and_a_right_one_none() {
    let mut failed = Vec::new();
    for programs in programs() {
        let name = programs.rule.text().name;
        let (wrong, right) = (image(programs.wrong), image(programs.right));
        let mut found = false;
        for seed in 0..SEEDS {
            let runs = |image| broken(image, programs.entry, seed, programs.instructions);
            let (rules, outcome) = runs(&wrong);
            found |= rules.contains(&programs.rule);
            if rules.iter().any(|rule| *rule != programs.rule) {
                failed.push(format!("{name}: wrong, seed {seed}: {rules:?} {outcome:?}"));
            }
            let (rules, outcome) = runs(&right);
            if !rules.is_empty() {
                failed.push(format!("{name}: right, seed {seed}: {rules:?} {outcome:?}"));
            }
        }
        if !found {
            failed.push(format!("{name}: the wrong program breaks nothing"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_rule_has_its_programs() {
    let tested = |rule: Rule| programs().any(|programs| programs.rule == rule);
    // The end of a run, tested below.
    let missing: Vec<_> = Rule::ALL
        .iter()
        .filter(|rule| !tested(**rule) && **rule != Rule::Asleep)
        .map(|rule| rule.text().name)
        .collect();
    assert!(missing.is_empty(), "no programs for {missing:?}");
}

#[test]
fn cores_that_all_sleep_end_the_run() {
    // With these seeds WFE does not end early by itself.
    let ends = |lines: &[&str]| {
        let program = image(&[&[lines]]);
        let (_, outcome) = broken(&program, Entry::El1, 0, 2_000);
        matches!(outcome, Outcome::Asleep)
    };
    assert!(
        ends(&["wfe", "wfe", "wfe", ".word 0x17fffffd"]),
        "nobody sends an event"
    );
    assert!(
        !ends(&["sev", "wfe", ".word 0x17fffffe"]),
        "an event ends WFE"
    );
}

#[test]
fn a_timer_that_is_due_in_centuries_wakes_nobody() {
    // CNTVOFF_EL2 = 1; CNTV_CVAL_EL0 = X0; CNTV_CTL_EL0 = 1; WFI for ever. The first value is
    // reached behind the counter's end, the second before it, but in no time that can be told.
    const TIMER: &[&str] = &[
        ".word 0xd2800021",
        ".word 0xd51ce061",
        ".word 0xd51be340",
        ".word 0xd51be321",
        ".word 0xd503207f",
        ".word 0x17ffffff",
    ];
    for value in [".word 0x92800000", ".word 0x92f00000"] {
        let program = image(&[&[&[value], TIMER]]);
        let (_, outcome) = broken(&program, Entry::Qemu, 0, 20_000);
        assert!(matches!(outcome, Outcome::Asleep), "{value}: {outcome:?}");
    }
}

#[test]
fn a_new_page_is_used_only_behind_a_dsb_and_an_isb() {
    // The third GiB becomes a block, and is loaded from.
    let make = ["mov x0, #0xf01", "str x0, [x1, #16]"];
    let load = ["mov x2, #0x8000_0000", "ldr x0, [x2]"];
    let faults = |between: &[&str], seed| {
        let lines = [&make[..], between, &load].concat();
        let program = image(&[parts::CACHED, &[&lines]]);
        let mut machine = Machine::new(&program, &Options::seeded(Entry::El1, seed));
        machine.run(&Limits {
            instructions: 30_000,
            quiet: u64::MAX,
            until: None,
        });
        machine.places()[0] >= 0x8_0000 + VECTORS as u64
    };
    let ever = |between: &[&str]| (0..4 * SEEDS).any(|seed| faults(between, seed));
    assert!(ever(&[]), "the walker does not see the store");
    assert!(
        ever(&["dsb ishst"]),
        "the translation may be older than the DSB"
    );
    assert!(!ever(&["dsb ishst", "isb"]), "both make it visible");
}

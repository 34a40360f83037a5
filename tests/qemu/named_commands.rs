//! Commands that README, the book, CONTRIBUTING and the exercises name in running text are ones that
//! the kernel takes. What is typed in a transcript is compared by `transcripts`, and what stands in
//! an exercise's answer by `make grade`.
//!
//! A command is text in backticks that begins with the name of a command, as `help` lists them, and
//! goes on. Up to the first word that the reader puts in (`ADDRESS`, `...`, `[CORE]`) it is typed
//! into a machine in which a space is in use. A kind of `fault` is looked for in `help fault`
//! instead, because some end the machine.
//!
//! A command that names a number is complete: the kernel must not answer with the usage. `as clone`
//! and the like are named without what they take: their words must be known.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::{Machine, Setup, checkout};

/// What begins with the name of a command and is something else: commands of GDB, a line of the
/// log.
const OTHERS: [&str; 3] = [
    "help stilt",
    "info threads",
    "irq the interrupt controller does not obey: the console is polled",
];

/// What the shell says to a name that is no command's.
const NO_COMMAND: &str = "no such command";
/// What it says to a word that is none of those that may stand there.
const NO_WORD: &str = "is not one of";
/// What it says to a line that is not as the usage has it, of the command or of its verb.
const USAGES: [&str; 2] = ["\nusage: ", " was expected"];

/// The pieces in backticks of the running text of a page, each on one line.
fn quoted(page: &str) -> Vec<String> {
    let mut in_block = false;
    let text: Vec<&str> = page
        .lines()
        .filter(|line| {
            let is_fence = line.trim_start().starts_with("```");
            in_block ^= is_fence;
            !in_block && !is_fence
        })
        .collect();
    let text = text.join("\n");
    let of_paragraph = |paragraph: &str| {
        let pieces = paragraph.split('`').skip(1).step_by(2);
        let on_one_line = |piece: &str| {
            let words: Vec<&str> = piece.split_whitespace().collect();
            words.join(" ")
        };
        pieces.map(on_one_line).collect::<Vec<_>>()
    };
    text.split("\n\n").flat_map(of_paragraph).collect()
}

/// Whether a word stands for what the reader puts in.
fn is_placeholder(word: &str) -> bool {
    let is_name = word.chars().all(|c| c.is_ascii_uppercase());
    is_name || word.contains(['[', '|', '…']) || word.contains("...")
}

/// The first words in `lines`, which are indented by two.
fn first_words(lines: &str) -> BTreeSet<String> {
    let rows = lines.lines().filter_map(|line| line.strip_prefix("  "));
    let words = rows.filter_map(|row| row.split_whitespace().next());
    words.map(str::to_owned).collect()
}

/// A machine, and what it says of its commands.
struct Shell {
    machine: Machine,
    names: BTreeSet<String>,
    faults: BTreeSet<String>,
}

impl Shell {
    fn start() -> Self {
        let mut machine = Setup::raw().start();
        machine.boot();
        machine.command("as new named");
        machine.command("as use named");
        let names = first_words(&machine.command("help"));
        let faults = first_words(&machine.command("help fault"));
        assert!(
            names.len() > 30 && faults.len() > 20,
            "{names:?} {faults:?}"
        );
        Self {
            machine,
            names,
            faults,
        }
    }

    /// What the kernel answers to a piece in backticks that names a command which it does not take.
    fn refusal(&mut self, piece: &str) -> Option<String> {
        let words: Vec<&str> = piece
            .split(' ')
            .take_while(|word| !is_placeholder(word))
            .collect();
        let [name, first, ..] = words[..] else {
            return None;
        };
        if !self.names.contains(name) {
            return None;
        }
        if name == "fault" {
            let unknown = !self.faults.contains(first);
            return unknown.then(|| "no such kind".to_owned());
        }
        let line = words.join(" ");
        let said = self.machine.command(&line);
        let is_complete = words.len() == piece.split(' ').count()
            && words
                .iter()
                .any(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let refuses = said.contains(NO_COMMAND)
            || said.contains(NO_WORD)
            || is_complete && USAGES.iter().any(|usage| said.contains(usage));
        refuses.then_some(said)
    }
}

#[test]
fn every_command_that_a_page_names_is_one_of_the_kernels() {
    let mut pages = checkout::documents();
    pages.extend(checkout::exercises());
    pages.push(checkout::root().join("CONTRIBUTING.md"));
    let mut shell = Shell::start();
    let (mut looked_at, mut wrong) = (BTreeSet::new(), Vec::new());
    for page in pages {
        for piece in quoted(&fs::read_to_string(&page).expect("a page")) {
            if !looked_at.insert(piece.clone()) || OTHERS.contains(&piece.as_str()) {
                continue;
            }
            if let Some(said) = shell.refusal(&piece) {
                wrong.push(format!("{}: `{piece}`: {said}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for other in OTHERS {
        assert!(
            looked_at.contains(other),
            "no page names `{other}` any more"
        );
    }
}

#[test]
fn a_command_that_the_kernel_does_not_take_is_found() {
    let page = "Names: `as`, `as tables`, `as\nquery`, `as map ADDRESS ...`, `help as`, `make as`.\n\n\
                Typed: `as map 0x400000 4K rw`, `fault\nguard-page`, `touch r 0x400000 user`.\n\n\
                ```text\n`as mop`\n```\n\
                Wrong: `as mop`, `as mop NAME`, `map boots`, `fault gaurd-page`, `help lab`,\n\
                `as map 0x400000 4K wr`, `as map 0x400000`, `touch 0x400000`, `translate 0x400000 user`.\n";
    let pieces = quoted(page);
    assert_eq!(pieces.len(), 18, "{pieces:?}");
    let mut shell = Shell::start();
    let refused: Vec<&String> = pieces
        .iter()
        .filter(|piece| shell.refusal(piece).is_some())
        .collect();
    assert_eq!(refused, pieces[9..].iter().collect::<Vec<_>>());
}

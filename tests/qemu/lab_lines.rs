//! Random and mutated lines of the lab, as somebody types who does not know it yet: each is answered
//! with a prompt, none brings the kernel down, and nothing is lost.
//!
//! `make soak-lab` types 100,000 of them.

use std::env;
use std::time::Duration;

use crate::harness::{Ending, Machine, Setup};

/// Lines that are typed, unless `STILT_LAB_LINES` says otherwise.
const LINES: u64 = 2_000;
/// Lines between two looks at the machine's memory: it must be as before then.
const ROUND: u64 = 250;
/// A line of more characters than this would be echoed in two rows.
const LENGTH_MAX: usize = 60;
/// The name of the space that is in use when a round begins.
const FIRST: &str = "a";

/// Lines, with a place for each kind of word.
const TEMPLATES: &[&str] = &[
    "as new NAME",
    "as new NAME",
    "as use NAME",
    "as use NAME",
    "as use none",
    "as use NAME core CORE",
    "as use none core CORE",
    "as list",
    "as drop NAME",
    "as clone NAME NAME",
    "as clone NAME NAME",
    "as map VA SIZE RIGHTS",
    "as map VA SIZE RIGHTS",
    "as map VA SIZE RIGHTS",
    "as map VA SIZE RIGHTS",
    "as map VA SIZE RIGHTS",
    "as map VA SIZE RIGHTS fresh GRAIN",
    "as map VA SIZE RIGHTS fresh GRAIN contig",
    "as map VA SIZE RIGHTS PA",
    "as map VA SIZE RIGHTS PA GRAIN",
    "as map VA SIZE RIGHTS PA GRAIN contig",
    "as unmap VA SIZE",
    "as unmap VA SIZE",
    "as unmap VA SIZE",
    "as unmap VA SIZE",
    "as protect VA SIZE RIGHTS",
    "as protect VA SIZE RIGHTS",
    "as remap VA SIZE VA",
    "as compact",
    "as query VA",
    "as show",
    "as tables",
    "as cost",
    "touch r VA",
    "touch r VA user",
    "touch r VA core CORE",
    "touch w VA VALUE",
    "touch w VA VALUE user core CORE",
    "touch x VA",
    "touch x VA user",
    "touch x VA user core CORE",
    "tlb",
    "tlb skip NEXT",
    "tlb heal",
    "explain VA",
    "explain VA as NAME",
    "explain desc VALUE LEVEL",
    "explain desc VALUE LEVEL --format FORMAT",
    "map --picture",
    "map --picture --ascii",
    "map boot",
    "fill VA VALUE",
    "fill VA VALUE SIZE",
    "dump VA BYTES",
    "pt VA",
    "translate VA",
    "peek VA",
    "help as",
    "# a comment",
    "echo VALUE",
    "echo $NAME",
    "answer NAME VALUE",
    "expect VALUE",
    "expect fault VALUE",
    "grade",
    "audit",
];

/// A kind of word in a template.
struct Kind {
    name: &'static str,
    /// Words that are mostly right, and chosen three times in four.
    usual: &'static [&'static str],
    odd: &'static [&'static str],
}

/// The words of each kind. No device whose registers do something when they are read.
const KINDS: &[Kind] = &[
    Kind {
        name: "NAME",
        usual: &[FIRST, "b", "c"],
        odd: &["none", "nobody", "a/b", "aaaaaaaaaaaaaaaaaaaa"],
    },
    Kind {
        name: "VA",
        usual: &[
            "0x400000",
            "0x401000",
            "0x410000",
            "0x5ff000",
            "0x600000",
            "0x40000000",
        ],
        odd: &[
            "0x7fc000000000",
            "0x400008",
            "0x400fff",
            "0",
            "0x1000",
            "0xffffffff0000",
            "0xffffffffe000",
            "0x1000000000000",
            "0xffff000000080000",
            "0xffff000000200000",
            "0xffff800000004000",
            "0xfffffffffffff000",
            "0xffffffffffffffff",
            "18446744073709551616",
        ],
    },
    Kind {
        name: "SIZE",
        usual: &["4K", "8K", "12K", "64K", "1M", "2M"],
        odd: &[
            "4M",
            "0",
            "1",
            "4095",
            "4097",
            "1G",
            "16G",
            "256T",
            "99999999999G",
            "-4K",
            "K",
        ],
    },
    // A mebibyte would be 65,536 rows.
    Kind {
        name: "BYTES",
        usual: &["1", "16", "100", "4K", "12K"],
        odd: &["0", "2M", "16G", "99999999999G", "-1", "K"],
    },
    Kind {
        name: "RIGHTS",
        usual: &["r", "rw", "rx", "none"],
        odd: &["w", "rwx", "R", "user"],
    },
    Kind {
        name: "PA",
        usual: &["0x10000000", "0x20000000"],
        odd: &[
            "0",
            "0x80000",
            "0x200000",
            "0x10000123",
            "0x3f104000",
            "0x40000000",
            "0xffffffffff000",
        ],
    },
    Kind {
        name: "GRAIN",
        usual: &["4k", "2m", "auto"],
        odd: &["1g", "3k", "contig"],
    },
    Kind {
        name: "VALUE",
        usual: &["0", "1", "0x5a", "255"],
        odd: &["256", "0x123456789", "zero", "0xffffffffffffffff"],
    },
    Kind {
        name: "LEVEL",
        usual: &["0", "1", "2", "3"],
        odd: &["4", "x"],
    },
    Kind {
        name: "FORMAT",
        usual: &["aarch64", "x86_64", "sv39", "sv48", "loongarch"],
        odd: &["sv57", "AArch64"],
    },
    Kind {
        name: "CORE",
        usual: &["0", "1", "2", "3"],
        odd: &["4", "x"],
    },
    Kind {
        name: "NEXT",
        usual: &["next"],
        odd: &["NEXT", "1"],
    },
];

/// Commands that a mutation must not make: they end the machine, wait, or are meant to break it.
const LEFT_OUT: &[&str] = &[
    "halt", "reboot", "poke", "fault", "watchdog", "sleep", "soak", "alarm",
];

/// xorshift64: the same lines in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A line of the lab; every fourth one is mutated.
    fn line(&mut self) -> String {
        let template = self.one_of(TEMPLATES);
        let mut words: Vec<String> = template
            .split(' ')
            .map(|word| match KINDS.iter().find(|kind| kind.name == word) {
                Some(Kind { usual, odd, .. }) => {
                    let choices = if self.below(4) == 0 { odd } else { usual };
                    self.one_of(choices).to_owned()
                }
                None => word.to_owned(),
            })
            .collect();
        if self.below(4) == 0 {
            self.mutate(&mut words);
        }
        let mut line = words.join(" ");
        line.truncate(LENGTH_MAX);
        let first = line.split_whitespace().next().unwrap_or_default();
        // No prompt comes back to an empty line's words, and the others are not the lab's.
        if first.is_empty() || LEFT_OUT.contains(&first) {
            return "as list".to_owned();
        }
        line
    }

    /// Leaves a word out, doubles or swaps words, or changes a character.
    fn mutate(&mut self, words: &mut Vec<String>) {
        let at = self.below(words.len());
        match self.below(4) {
            0 => {
                words.remove(at);
            }
            1 => words.insert(at, words[at].clone()),
            2 => {
                let other = self.below(words.len());
                words.swap(at, other);
            }
            _ => {
                let printable = char::from(b'!' + self.below(94) as u8);
                let place = self.below(words[at].len() + 1);
                words[at].insert(place, printable);
            }
        }
    }
}

/// Frames and heap, as `mem` says.
fn memory(machine: &mut Machine) -> String {
    let output = machine.command("mem");
    let lines = output
        .lines()
        .filter(|line| line.starts_with("frames") || line.starts_with("heap"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Drops every space. Returns the memory that is left.
fn clear(machine: &mut Machine) -> String {
    for line in [
        "as use none",
        "as use none core 1",
        "as use none core 2",
        "as use none core 3",
    ] {
        machine.command(line);
    }
    let listed = machine.command("as list");
    for line in listed.lines().filter(|line| line.contains(" pages")) {
        let name = line.trim_start_matches(['*', ' ']);
        let name = name.split_whitespace().next().unwrap_or_default();
        machine.command(&format!("as drop {name}"));
    }
    // Frames whose invalidation was left out on purpose are kept until it is made up for.
    machine.command("tlb heal");
    memory(machine)
}

/// A line's answer has the report of no fault, but for that of an access that was asked for. What a
/// report says begins a row: `dump` shows the kernel's own constants, which are not at the start of
/// one.
fn is_calm(line: &str, output: &str) -> bool {
    let is_access = line.contains("touch");
    let says = |words: &str| {
        let mut rows = output.lines().filter(|row| row.starts_with("stilt: "));
        rows.any(|row| row.contains(words))
    };
    !says("panic on core") && !says("stilt: stopped") && (is_access || !says("stilt: continues"))
}

#[test]
fn random_lines_of_the_lab_lose_nothing_and_bring_nothing_down() {
    let given = env::var("STILT_LAB_LINES").ok();
    let lines = given.map_or(LINES, |text| text.parse().expect("a number of lines"));
    let limit = Duration::from_secs(120 + lines / 10);
    let mut machine = Setup::raw().limit(limit).start();
    machine.boot();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    // What the kernel keeps for itself from the first use on is there after a first round.
    let mut before = None;
    for typed in 0..lines.next_multiple_of(ROUND) {
        if typed % ROUND == 0 {
            machine.command(&format!("as new {FIRST}"));
            machine.command(&format!("as use {FIRST}"));
        }
        let line = random.line();
        let output = machine.command(&line);
        assert!(is_calm(&line, &output), "line {typed}, {line:?}: {output}");
        if typed % ROUND == ROUND - 1 {
            let after = clear(&mut machine);
            let first = before.get_or_insert_with(|| after.clone());
            assert_eq!(after, *first, "after {} lines", typed + 1);
        }
    }
    let output = machine.command("check");
    machine.must_say(&output, &["frames ", "heap "]);
    let output = machine.command("audit");
    machine.must_say(&output, &["low half empty"]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

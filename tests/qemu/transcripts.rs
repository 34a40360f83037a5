//! Every transcript in README and in the book is typed into a machine, and what the machine says is
//! compared with it.
//!
//! A transcript is a fenced block whose info string begins with `stilt`. Blocks of one document are
//! one session: a machine boots in front of the first of them, and goes on in the next. A word
//! behind a comma asks for more ([`Start`]): `stilt,fresh` boots another machine, `stilt,elf` one
//! with the ELF file, `stilt,at=0x200000` puts the image elsewhere, `stilt,undefined=NAME` makes
//! the first instruction of a function undefined.
//!
//! A line `stilt> COMMAND` is typed; the lines behind it are all that the command says, and what
//! stands in front of the first such line of a session is the boot log. What is compared are words,
//! in their order:
//!
//! * White space, and where a line ends, do not count: columns move, and long lines wrap.
//! * `...` alone stands for any number of words, and in a word for any characters.
//! * A decimal number is equal to every other, and so is the offset in `main+0x20`, but for what
//!   has few values: behind `=` (`AP=10`), `bit`, `bits` or `is`; one digit behind `level`, `core`
//!   or `stack`; and where a letter is next to it (`EL1h`, `x0`).
//! * Of a hexadecimal number with 16 digits bits 63:48 are compared: the half of an address, the
//!   upper attributes of a descriptor. Shorter ones are equal, or not.
//!
//! So a page keeps the numbers of the image with which it was written, and fails when a word is
//! another one. With `STILT_SHOW_TRANSCRIPTS=1` and `--nocapture` the test prints what was said, to
//! be put in the page's place.

use std::fs;

use crate::harness::loader::{Level, Loader};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Machine, Setup, checkout};

/// How every prompt begins in a transcript.
const PROMPT: &str = "stilt> ";
/// The info string of a transcript, up to the first comma.
const INFO: &str = "stilt";
/// The last lines of a machine that has ended.
const LAST_LINES: [&str; 2] = ["stilt: stopped", "halted"];
/// Any number of words, or any characters of one.
const ANYTHING: &str = "...";

/// The machine that a block wants.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    /// That of the block before, or one with the flat image if there is none.
    GoesOn,
    /// The flat image.
    Fresh,
    /// The ELF file: EL3, four cores.
    Elf,
    /// The flat image at another address.
    At(u64),
    /// The flat image; the first instruction of a function is undefined.
    Undefined(String),
}

impl Start {
    fn parse(info: &str) -> Option<Self> {
        let mut words = info.split(',');
        if words.next() != Some(INFO) {
            return None;
        }
        let start = match words.next() {
            None => Self::GoesOn,
            Some("fresh") => Self::Fresh,
            Some("elf") => Self::Elf,
            Some(word) => match word.split_once('=') {
                Some(("at", address)) => Self::At(hexadecimal(address).expect(info)),
                Some(("undefined", name)) => Self::Undefined(name.to_owned()),
                _ => panic!("{info}: no such start"),
            },
        };
        Some(start)
    }

    fn machine(&self) -> Machine {
        match self {
            Self::GoesOn | Self::Fresh => Setup::raw().start(),
            Self::Elf => Setup::elf().start(),
            Self::At(address) => {
                let loader = Loader::at(Level::El2).with_image_at(*address);
                loader.setup().start()
            }
            Self::Undefined(name) => {
                let machine = Setup::raw().stopped().start();
                let mut gdb = machine.debugger();
                let address = Symbols::read().address(name) & !HIGH_HALF;
                gdb.run_to(address);
                gdb.write(address, 0);
                gdb.resume();
                machine
            }
        }
    }
}

/// A transcript of a document.
#[derive(Debug)]
struct Block {
    /// The line of its fence, from 1.
    line: usize,
    start: Start,
    /// What is said before anything is typed.
    said: String,
    /// Commands, and what each says.
    exchanges: Vec<(String, String)>,
}

/// The transcripts of a document.
fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    let mut in_other = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            match open.take() {
                Some(block) => found.push(block),
                None if in_other => in_other = false,
                None => match Start::parse(info) {
                    Some(start) => open = Some(Block::new(index + 1, start)),
                    None => in_other = true,
                },
            }
        } else if let Some(block) = &mut open {
            block.add(line);
        }
    }
    assert!(open.is_none(), "a block without an end");
    found
}

impl Block {
    const fn new(line: usize, start: Start) -> Self {
        let exchanges = Vec::new();
        let said = String::new();
        Self {
            line,
            start,
            said,
            exchanges,
        }
    }

    fn add(&mut self, line: &str) {
        if let Some(command) = line.strip_prefix(PROMPT) {
            self.exchanges.push((command.to_owned(), String::new()));
            return;
        }
        let said = self.exchanges.last_mut().map(|(_, said)| said);
        let said = said.unwrap_or(&mut self.said);
        said.push_str(line);
        said.push('\n');
    }
}

/// Whether a machine has ended that has said this.
fn is_end(said: &str) -> bool {
    let last = said.trim_end().lines().next_back().unwrap_or_default();
    LAST_LINES.iter().any(|end| last.trim() == *end)
}

/// Runs the session of a document. Returns what is different, block by block.
fn differences(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut running: Option<Machine> = None;
    for block in blocks(text) {
        let mut compare = |what: &str, expected: &str, said: &str| {
            if std::env::var_os("STILT_SHOW_TRANSCRIPTS").is_some() {
                println!("{PROMPT}{what}\n{said}");
            }
            if let Err(reason) = same(expected, said) {
                let line = block.line;
                wrong.push(format!("line {line}: {what}: {reason}; it says\n{said}"));
            }
        };
        let kept = running.take().filter(|_| block.start == Start::GoesOn);
        let mut machine = match kept {
            Some(machine) => machine,
            None => {
                let mut machine = block.start.machine();
                if is_end(&block.said) {
                    machine.wait_exit();
                    compare("boot", &block.said, &machine.transcript());
                    continue;
                }
                let log = machine.boot();
                if !block.said.trim().is_empty() {
                    compare("boot", &block.said, &log);
                }
                machine
            }
        };
        let mut ended = false;
        for (command, expected) in &block.exchanges {
            assert!(!ended, "line {}: nobody is there any more", block.line);
            ended = is_end(expected);
            if ended {
                machine.send(format!("{command}\r"));
                machine.wait_exit();
                let transcript = machine.transcript();
                let (_, last) = transcript.rsplit_once(PROMPT).unwrap_or_default();
                compare(command, expected, last.trim_start_matches(command.as_str()));
            } else {
                compare(command, expected, &machine.command(command));
            }
        }
        running = (!ended).then_some(machine);
    }
    wrong
}

/// Compares two texts word by word, as the head of this file says.
fn same(expected: &str, said: &str) -> Result<(), String> {
    let (expected, said) = (unpadded(expected), unpadded(&without_escapes(said)));
    let expected: Vec<&str> = expected.split_whitespace().collect();
    let said: Vec<&str> = said.split_whitespace().collect();
    let mut at = 0;
    let mut parts = expected.split(|word| *word == ANYTHING);
    let first = parts.next().unwrap_or_default();
    at += begins(first, &said)?;
    let rest: Vec<&[&str]> = parts.collect();
    let Some((last, middle)) = rest.split_last() else {
        return match said.get(at) {
            None => Ok(()),
            Some(word) => Err(format!("it does not end in front of {word:?}")),
        };
    };
    for part in middle {
        let found = (at..=said.len()).find(|from| begins(part, &said[*from..]).is_ok());
        let from = found.ok_or_else(|| format!("{:?} is missing", part.join(" ")))?;
        at = from + part.len();
    }
    let from = said
        .len()
        .checked_sub(last.len())
        .filter(|from| *from >= at);
    let from = from.ok_or_else(|| format!("{:?} is missing", last.join(" ")))?;
    begins(last, &said[from..]).map(|_| ())
}

/// Without what the shell asks the terminal: sequences of ESC, `[`, and up to a letter.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        before + end.map_or("", |end| &part[end + 1..])
    })
}

/// Without the spaces that fill up a number in brackets: `L3[  7]` is one word.
fn unpadded(text: &str) -> String {
    let mut parts = text.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| {
        before + "[" + part.trim_start_matches(' ')
    })
}

/// Compares `expected` with as many words at the beginning of `said`; returns how many.
fn begins(expected: &[&str], said: &[&str]) -> Result<usize, String> {
    for (index, word) in expected.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", |before| expected[before]);
        match said.get(index) {
            Some(found) if same_word(before, word, found) => {}
            Some(found) => return Err(format!("{word:?} is {found:?}")),
            None => return Err(format!("{word:?} is missing")),
        }
    }
    Ok(expected.len())
}

/// Words behind which a number of one digit says which one it is.
const NUMBERED: [&str; 3] = ["level", "core", "stack"];
/// Words behind which every number does.
const EXACT: [&str; 3] = ["bit", "bits", "is"];

fn same_word(before: &str, expected: &str, found: &str) -> bool {
    if expected == found {
        return true;
    }
    if let Some((start, end)) = expected.split_once(ANYTHING) {
        let rest = found.strip_prefix(start);
        return rest.is_some_and(|rest| rest.ends_with(end));
    }
    let digits = expected.trim_end_matches([',', ':']);
    let is_which = EXACT.contains(&before) || digits.len() == 1 && NUMBERED.contains(&before);
    !is_which && masked(expected) == masked(found)
}

/// A word with what may differ replaced.
fn masked(word: &str) -> String {
    let mut masked = String::new();
    let mut rest = word;
    while let Some(next) = rest.chars().next() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = rest
            .find(|c| is_name(c) != is_name(next))
            .unwrap_or(rest.len());
        let (run, behind) = rest.split_at(length);
        let fixed = masked.ends_with('=');
        let offset = masked.ends_with('+');
        masked.push_str(&match hexadecimal(run) {
            _ if fixed || !is_name(next) => run.to_owned(),
            Some(_) if offset => "0x#".to_owned(),
            Some(value) if run.len() >= 16 => format!("{:04x}############", value >> 48),
            Some(_) => run.to_owned(),
            None if run.bytes().all(|byte| byte.is_ascii_digit()) => "#".to_owned(),
            None => run.to_owned(),
        });
        rest = behind;
    }
    masked
}

/// `0x` and digits, or 16 digits without it.
fn hexadecimal(word: &str) -> Option<u64> {
    let digits = match word.strip_prefix("0x") {
        Some(digits) => digits,
        None if word.len() == 16 => word,
        None => return None,
    };
    u64::from_str_radix(digits, 16).ok()
}

#[test]
fn every_transcript_is_what_a_machine_says() {
    let documents = checkout::documents();
    assert!(documents.len() > 10, "{documents:?}");
    let wrong: Vec<String> = documents
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("a page");
            let wrong = differences(&text).into_iter();
            wrong.map(move |what| format!("{}, {what}", path.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is compared finds a stale line: one word of a page is planted.
#[test]
fn a_stale_transcript_is_found() {
    let page = "```stilt\nstilt> translate 0xffff000000084000\n\
                walk 0x0000000000084000 r-x k wb\n...\nstilt> as show\nas: no space is in use: ...\n```\n";
    assert_eq!(differences(page), [""; 0]);
    let stale = differences(&page.replace("r-x", "rwx"));
    assert_eq!(stale.len(), 1, "{stale:?}");
    assert!(stale[0].contains("\"rwx\" is \"r-x\""), "{stale:?}");
    let gone = differences(&page.replace("as show", "as display"));
    assert!(
        gone.len() == 1 && gone[0].contains("as display"),
        "{gone:?}"
    );
}

#[test]
fn words_are_compared_and_numbers_that_vary_are_not() {
    for (expected, said) in [
        ("[    0.000058] cpu", "[   12.100000] cpu"),
        ("516 KiB of 2", "8 KiB of 2"),
        ("0xffff0000000aeb08 (FAR)", "0xffff000000112233 (FAR)"),
        ("main+0x20 a.rs:307", "main+0x1c a.rs:9"),
        ("L3[174] 0x00400000000ae793", "L3[  7] 0x0040000000012793"),
        ("stack 0xffff800000018140", "stack 0xffff8000000178d0"),
        ("one ... five", "one two three four five"),
        ("one ...", "one"),
        ("a 0x... b", "a 0x12 b"),
        ("x0 ffff800080000000", "x0 ffff800000000010"),
    ] {
        assert_eq!(same(expected, said), Ok(()), "{expected}");
    }
    for (expected, said) in [
        ("refused at level 3", "refused at level 2"),
        ("core 3", "core 2"),
        ("exception stack 0", "exception stack 1"),
        ("ESR 0x9600004f", "ESR 0x9600004e"),
        ("AP=10 SH=3", "AP=01 SH=3"),
        ("EL1h", "EL0t"),
        ("PXN, bit 53, is 1", "PXN, bit 54, is 1"),
        ("0xffff000000000000", "0x0000000000000000"),
        ("0x00400000000ae793", "0x00600000000ae793"),
        ("one", "one two"),
        ("one two", "one"),
        ("one ... two", "one two three"),
        ("read-only", "execute-never"),
    ] {
        assert!(same(expected, said).is_err(), "{expected}");
    }
}

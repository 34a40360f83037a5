//! The arguments of `cargo xtask strict`.

use std::io;
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser, ValueExt};
use thiserror::Error;

use crate::board;
use crate::entry::Entry;
use crate::image::ImageError;
use crate::liberty::Liberty;
use crate::machine::{Limits, Options};
use crate::symbols::SymbolError;
use crate::watch::{Lint, Rule};

/// The help of the verb.
pub const USAGE: &str = "\
usage: cargo xtask strict [IMAGE] [OPTION...]

Runs a kernel's image (ELF or raw; kernel8.img without one) on a model of the Raspberry Pi 3 that
takes each liberty that the architecture, the core and the board allow, prints its console, and says
which rules it breaks.

  --entry E        the way in: firmware (armstub8, EL2), el3 (all cores at power-on), el1,
                   u-boot (caches on), qemu (for comparison: no liberty is taken), or all
  --seed N         the seed of all chance (0)
  --seeds N        N runs, with the seeds from that of --seed on; the consoles are not printed
  --input FILE     lines that are typed when the console is quiet; `?TEXT` waits for TEXT
  --until TEXT     end when the console has printed TEXT, behind the input
  --lint           judge matters of policy too (registers that armstub8 sets, ISB before the counter),
                   and hold what the core's reset sets for UNKNOWN at the firmware's way in, too
  --store-buffers  stores drain late, and loads are early, with every seed, not the odd ones alone
  --board B        1g or 512m: the RAM of the board (1g)
  --gpu-mem N      the VideoCore's share in MiB, as gpu_mem of config.txt: 64 or 76 (64)
  --baud N         the terminal's speed (115200)
  --off LIST       liberties that are not taken: noise, unknown, caches, context, wake, counter,
                   exclusive, translations, stores, loads, device
  --symbols FILE   the ELF file with the image's symbols (the image, or its name with `.elf`)
  --instructions N give up after N instructions (2,000,000,000)
  --ns-per-instruction N
                   virtual time of an instruction in nanoseconds (20)
  --trace          print each instruction before it is executed
  --explain RULE   print a rule, its source, and its shortest wrong and right program; or all

ends with 0 if nothing was found, 1 if the run failed or a rule was broken, 2 if it cannot be run
";

/// A run that did not begin.
#[derive(Debug, Error)]
pub enum CliError {
    /// A wrong argument.
    #[error("{0}")]
    Argument(#[from] lexopt::Error),
    /// A name that there is not.
    #[error("no {what} is named {name:?}: there are {names}")]
    Name {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that there are.
        names: String,
    },
    /// A number that is none of those that are modelled.
    #[error("{option} is one of {values}, not {given}")]
    Value {
        /// The option.
        option: &'static str,
        /// The values that there are.
        values: &'static str,
        /// The value that was given.
        given: u64,
    },
    /// No image was named.
    #[error("no image: cargo xtask strict IMAGE")]
    NoImage,
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The image lies over its loader.
    #[error(
        "the image begins below 0x1000, where the firmware's loop lies (`kernel_old=1`): --entry el3"
    )]
    OverLoader,
    /// The file is no image.
    #[error("{path}: {source}")]
    Image {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: ImageError,
    },
    /// The file has no symbols.
    #[error("{path}: {source}")]
    Symbols {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: SymbolError,
    },
    /// The console's text cannot be printed.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// The task that the arguments name.
#[derive(Debug)]
pub(super) enum Task {
    /// The help.
    Help,
    /// The text of a rule.
    Explain(Vec<Rule>),
    /// Runs.
    Run(Box<Arguments>),
}

/// Whether each instruction is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trace {
    Off,
    On,
}

/// The arguments of runs.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) image: PathBuf,
    pub(super) symbols: Option<PathBuf>,
    pub(super) input: Option<PathBuf>,
    pub(super) until: Option<String>,
    pub(super) instructions: u64,
    pub(super) trace: Trace,
    /// The options of each run.
    pub(super) runs: Vec<Options>,
    /// Whether there are several, by `--seeds` or `--entry all`.
    pub(super) several: bool,
}

/// The seeds with which stores drain late.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stores {
    /// The odd ones.
    EverySecond,
    /// All.
    Always,
}

/// What the options say about the machine, before the ways in and the seeds are multiplied out.
struct Wanted {
    entries: Vec<Entry>,
    seed: u64,
    seeds: Option<u64>,
    off: Vec<Liberty>,
    stores: Stores,
    lint: Lint,
    ns_per_instruction: Option<u64>,
    ram_mib: Option<u32>,
    gpu_memory_mib: Option<u32>,
    baud: Option<u32>,
}

pub(super) fn task(mut parser: Parser, default: Option<&Path>) -> Result<Task, CliError> {
    let mut wanted = Wanted {
        entries: vec![Entry::Firmware],
        seed: 0,
        seeds: None,
        off: Vec::new(),
        stores: Stores::EverySecond,
        lint: Lint::No,
        ns_per_instruction: None,
        ram_mib: None,
        gpu_memory_mib: None,
        baud: None,
    };
    let mut arguments = Arguments {
        image: PathBuf::new(),
        symbols: None,
        input: None,
        until: None,
        instructions: Limits::default().instructions,
        trace: Trace::Off,
        runs: Vec::new(),
        several: false,
    };
    let mut image = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Task::Help),
            Arg::Long("explain") => return explain(&parser.value()?.string()?),
            Arg::Long("trace") => arguments.trace = Trace::On,
            Arg::Long("input") => arguments.input = Some(parser.value()?.into()),
            Arg::Long("until") => arguments.until = Some(parser.value()?.string()?),
            Arg::Long("symbols") => arguments.symbols = Some(parser.value()?.into()),
            Arg::Long("instructions") => arguments.instructions = parser.value()?.parse()?,
            Arg::Long(option) => {
                let option = option.to_owned();
                wanted.option(&option, &mut parser)?;
            }
            Arg::Value(path) if image.is_none() => image = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    arguments.image = image
        .or_else(|| default.map(Path::to_path_buf))
        .ok_or(CliError::NoImage)?;
    arguments.runs = wanted.runs();
    arguments.several = arguments.runs.len() > 1 || wanted.seeds.is_some();
    Ok(Task::Run(Box::new(arguments)))
}

fn explain(name: &str) -> Result<Task, CliError> {
    if name == "all" {
        return Ok(Task::Explain(Rule::ALL.to_vec()));
    }
    let rule = Rule::named(name).ok_or_else(|| {
        let names = Rule::ALL.iter().map(|rule| rule.text().name);
        unknown("rule", name, names)
    })?;
    Ok(Task::Explain(vec![rule]))
}

fn unknown(
    what: &'static str,
    name: &str,
    names: impl IntoIterator<Item = &'static str>,
) -> CliError {
    let names: Vec<_> = names.into_iter().collect();
    CliError::Name {
        what,
        name: name.to_owned(),
        names: names.join(", "),
    }
}

/// The number that follows an option, if it is one of `values`.
fn number(
    parser: &mut Parser,
    option: &'static str,
    values: &'static str,
    known: impl Fn(&u64) -> bool,
) -> Result<u64, CliError> {
    let given: u64 = parser.value()?.parse()?;
    match known(&given) {
        true => Ok(given),
        false => Err(CliError::Value {
            option,
            values,
            given,
        }),
    }
}

impl Wanted {
    fn option(&mut self, option: &str, parser: &mut Parser) -> Result<(), CliError> {
        match option {
            "entry" => {
                let name = parser.value()?.string()?;
                self.entries = match Entry::named(&name) {
                    Some(entry) => vec![entry],
                    None if name == "all" => Entry::ALL.to_vec(),
                    None => return Err(unknown("entry", &name, Entry::ALL.map(Entry::name))),
                };
            }
            "seed" => self.seed = parser.value()?.parse()?,
            "seeds" => {
                let known = |count: &u64| (1..=100_000).contains(count);
                self.seeds = Some(number(parser, "--seeds", "1 to 100,000", known)?);
            }
            "off" => {
                for name in parser.value()?.string()?.split(',') {
                    let names = Liberty::ALL.map(Liberty::name);
                    let liberty = Liberty::named(name);
                    self.off
                        .push(liberty.ok_or_else(|| unknown("liberty", name, names))?);
                }
            }
            "lint" => self.lint = Lint::Yes,
            "store-buffers" => self.stores = Stores::Always,
            "board" => {
                let name = parser.value()?.string()?;
                self.ram_mib = Some(match name.as_str() {
                    "1g" => 1024,
                    "512m" => 512,
                    _ => return Err(unknown("board", &name, ["1g", "512m"])),
                });
            }
            "gpu-mem" => {
                let known = |mib: &u64| [64, 76].contains(mib);
                let given = number(parser, "--gpu-mem", "64, 76", known)?;
                self.gpu_memory_mib = Some(given as u32);
            }
            "baud" => {
                let known = |baud: &u64| (300..=4_000_000).contains(baud);
                let given = number(parser, "--baud", "300 to 4,000,000", known)?;
                self.baud = Some(given as u32);
            }
            "ns-per-instruction" => {
                let known = |ns: &u64| (1..=1_000_000).contains(ns);
                let given = number(parser, "--ns-per-instruction", "1 to 1,000,000", known)?;
                self.ns_per_instruction = Some(given);
            }
            _ => return Err(Arg::Long(option).unexpected().into()),
        }
        Ok(())
    }

    /// Every way in with every seed.
    fn runs(&self) -> Vec<Options> {
        let seeds = (0..self.seeds.unwrap_or(1)).map(|index| self.seed.wrapping_add(index));
        let of_entry = |entry: &Entry| {
            let mut options = Options::new(*entry);
            for liberty in &self.off {
                options.liberties = options.liberties.without(*liberty);
            }
            let board = options.board;
            options.board = board::Options {
                ram_mib: self.ram_mib.unwrap_or(board.ram_mib),
                gpu_memory_mib: self.gpu_memory_mib.unwrap_or(board.gpu_memory_mib),
                baud: self.baud.unwrap_or(board.baud),
                ..board
            };
            if let Some(ns) = self.ns_per_instruction {
                options.ns_per_instruction = ns;
            }
            options
        };
        let entries: Vec<Options> = self.entries.iter().map(of_entry).collect();
        seeds
            .flat_map(|seed| {
                entries.iter().map(move |options| {
                    let mut options = options.clone();
                    options.seed = seed;
                    options.noise_seed = seed;
                    options.lint = self.lint;
                    if seed.is_multiple_of(2) && self.stores == Stores::EverySecond {
                        options.liberties = options.liberties.in_order();
                    }
                    options
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{CliError, Task, task};
    use std::path::Path;

    fn of(arguments: &[&str]) -> Result<Task, CliError> {
        let parser = lexopt::Parser::from_args(arguments);
        task(parser, Some(Path::new("kernel8.img")))
    }

    fn seeds(arguments: &[&str]) -> Vec<u64> {
        match of(arguments) {
            Ok(Task::Run(arguments)) => arguments.runs.iter().map(|run| run.seed).collect(),
            other => panic!("no runs: {other:?}"),
        }
    }

    #[test]
    fn there_is_always_a_run() {
        assert_eq!(seeds(&[]), [0]);
        assert_eq!(seeds(&["--seed", "18446744073709551615"]), [u64::MAX]);
        assert_eq!(seeds(&["--seed", "7", "--seeds", "2"]), [7, 8]);
        assert_eq!(seeds(&["--entry", "all"]), [0; 5]);
    }

    #[test]
    fn a_number_that_is_not_modelled_is_told_with_those_that_are() {
        for (option, value) in [
            ("--seeds", "0"),
            ("--seeds", "100001"),
            ("--baud", "0"),
            ("--gpu-mem", "65"),
            ("--ns-per-instruction", "0"),
        ] {
            let error = of(&[option, value]).expect_err(option).to_string();
            assert!(
                error.starts_with(&format!("{option} is one of ")),
                "{error}"
            );
        }
    }
}

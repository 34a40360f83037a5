//! The command line: `cargo xtask strict [IMAGE] [OPTION...]`.

mod script;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};
use thiserror::Error;

use crate::entry::Entry;
use crate::image::{Image, ImageError};
use crate::liberty::Liberty;
use crate::machine::{Limits, Machine, Options, Outcome};
use crate::stop::Stop;
use crate::symbols::{SymbolError, Symbols};
use script::{Action, Script};

/// The help of the verb.
pub const USAGE: &str = "\
usage: cargo xtask strict [IMAGE] [OPTION...]

Runs a kernel's image (ELF or raw) on a model of the Raspberry Pi 3, and prints its console.

  --entry E        the way in: firmware (armstub8, EL2), el3 (all cores at power-on), el1,
                   u-boot (caches on), qemu (for comparison: no liberty is taken)
  --off LIST       liberties that are not taken: noise, unknown, caches, context, wake, counter,
                   exclusive, translations, device
  --seed N         the seed of all chance (0)
  --input FILE     lines that are typed when the console is quiet; `?TEXT` waits for TEXT
  --until TEXT     end when the console has printed TEXT, behind the input
  --symbols FILE   the ELF file with the image's symbols (the image, or its name with `.elf`)
  --instructions N give up after N instructions (2,000,000,000)
  --ns-per-instruction N
                   virtual time of an instruction in nanoseconds (20)

ends with 0 if nothing was found, 1 if the run failed, 2 if it cannot be run
";

/// The exit code of a run that failed.
const FAILED: u8 = 1;
/// The exit code of an image or a use that is not modelled.
const NOT_RUNNABLE: u8 = 2;

/// The end of a console without a line's end, for messages: this many bytes.
const LAST_BYTES: usize = 60;

/// A run that did not begin, or could not go on.
#[derive(Debug, Error)]
pub enum CliError {
    /// A wrong argument.
    #[error("{0}")]
    Argument(#[from] lexopt::Error),
    /// An entry that there is not.
    #[error("no entry is named {0:?}: there are {names}", names = names(Entry::ALL.map(Entry::name)))]
    Entry(String),
    /// A liberty that there is not.
    #[error(
        "no liberty is named {0:?}: there are {names}",
        names = names(Liberty::ALL.map(Liberty::name))
    )]
    Liberty(String),
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

fn names<const N: usize>(names: [&str; N]) -> String {
    names.join(", ")
}

/// The arguments of a run.
#[derive(Debug)]
struct Arguments {
    image: PathBuf,
    symbols: Option<PathBuf>,
    input: Option<PathBuf>,
    until: Option<String>,
    instructions: u64,
    options: Options,
}

fn arguments(mut parser: Parser, default: Option<&Path>) -> Result<Option<Arguments>, CliError> {
    let mut off = Vec::new();
    let mut arguments = Arguments {
        image: PathBuf::new(),
        symbols: None,
        input: None,
        until: None,
        instructions: Limits::default().instructions,
        options: Options::new(Entry::Firmware),
    };
    let mut image = default.map(Path::to_path_buf);
    let mut named = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long("entry") => {
                let Options {
                    seed,
                    ns_per_instruction,
                    ..
                } = arguments.options;
                arguments.options = Options {
                    seed,
                    ns_per_instruction,
                    ..Options::new(entry(&parser.value()?.string()?)?)
                };
            }
            Arg::Long("seed") => arguments.options.seed = parser.value()?.parse()?,
            Arg::Long("off") => {
                for name in parser.value()?.string()?.split(',') {
                    off.push(liberty(name)?);
                }
            }
            Arg::Long("input") => arguments.input = Some(parser.value()?.into()),
            Arg::Long("until") => arguments.until = Some(parser.value()?.string()?),
            Arg::Long("symbols") => arguments.symbols = Some(parser.value()?.into()),
            Arg::Long("instructions") => arguments.instructions = parser.value()?.parse()?,
            Arg::Long("ns-per-instruction") => {
                arguments.options.ns_per_instruction = parser.value()?.parse()?;
            }
            Arg::Value(path) if !named => {
                image = Some(path.into());
                named = true;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    for liberty in off {
        let liberties = &mut arguments.options.liberties;
        *liberties = liberties.without(liberty);
    }
    arguments.image = image.ok_or(CliError::NoImage)?;
    Ok(Some(arguments))
}

fn entry(name: &str) -> Result<Entry, CliError> {
    Entry::named(name).ok_or_else(|| CliError::Entry(name.to_owned()))
}

fn liberty(name: &str) -> Result<Liberty, CliError> {
    Liberty::named(name).ok_or_else(|| CliError::Liberty(name.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|source| CliError::Read {
        path: path.to_path_buf(),
        source,
    })
}

/// Runs the verb; `default` is the image if none is named.
///
/// # Errors
/// If an argument is wrong, or a file cannot be read or is no image.
pub fn run(parser: Parser, default: Option<&Path>) -> Result<ExitCode, CliError> {
    let Some(arguments) = arguments(parser, default)? else {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    let bytes = read(&arguments.image)?;
    let image = Image::read(&bytes).map_err(|source| CliError::Image {
        path: arguments.image.clone(),
        source,
    })?;
    let symbols = symbols(&arguments, &bytes)?;
    let script = match &arguments.input {
        Some(path) => Script::parse(&read(path)?),
        None => Script::default(),
    };
    let mut run = Run {
        machine: Machine::new(&image, &arguments.options),
        printed: 0,
        instructions: arguments.instructions,
        out: io::stdout(),
    };
    let end = run.play(&script, arguments.until.as_deref())?;
    println!();
    Ok(report(&end, &run.machine, symbols.as_ref()))
}

/// The symbols: of the named file, else of the image, else of the ELF file beside it.
fn symbols(arguments: &Arguments, image: &[u8]) -> Result<Option<Symbols>, CliError> {
    let beside = arguments.image.with_extension("elf");
    let (path, bytes) = match &arguments.symbols {
        Some(path) => (path.clone(), read(path)?),
        None if image.starts_with(b"\x7fELF") => (arguments.image.clone(), image.to_vec()),
        None => match fs::read(&beside) {
            Ok(bytes) => (beside, bytes),
            Err(_) => {
                eprintln!("note: no symbols: {} is not there", beside.display());
                return Ok(None);
            }
        },
    };
    match Symbols::read(bytes) {
        Ok(symbols) => Ok(Some(symbols)),
        Err(source) => Err(CliError::Symbols { path, source }),
    }
}

/// The end of a script.
#[derive(Debug)]
enum End {
    /// All was typed and seen.
    Done,
    /// The console did not print a text in time.
    Missing { text: String, outcome: Outcome },
    /// The machine ended before the script did.
    Early(Outcome),
}

struct Run<W> {
    machine: Machine,
    printed: usize,
    instructions: u64,
    out: W,
}

/// The console counts as quiet after 20 ms of virtual time.
const QUIET: u64 = 20_000_000;
/// A text is waited for as long as the console was not quiet for 10 s of virtual time.
const PATIENCE: u64 = 10_000_000_000;
/// The console is printed after so many instructions.
const CHUNK: u64 = 5_000_000;

impl<W: Write> Run<W> {
    fn play(&mut self, script: &Script, until: Option<&str>) -> io::Result<End> {
        for action in &script.actions {
            match action {
                Action::Type(line) => {
                    let outcome = self.advance(None, QUIET)?;
                    if !matches!(outcome, Outcome::Quiet | Outcome::Asleep) {
                        return Ok(End::Early(outcome));
                    }
                    self.machine.type_bytes(line);
                }
                Action::Wait(text) => {
                    if let Some(end) = self.wait(text)? {
                        return Ok(end);
                    }
                }
            }
        }
        if let Some(text) = until {
            return Ok(self.wait(text)?.unwrap_or(End::Done));
        }
        Ok(match self.advance(None, PATIENCE / 10)? {
            Outcome::Quiet | Outcome::Ended(_) => End::Done,
            Outcome::Asleep if self.a_key_wakes() => End::Done,
            outcome => End::Early(outcome),
        })
    }

    /// Whether a kernel whose cores all wait goes on when a key is pressed.
    fn a_key_wakes(&mut self) -> bool {
        let before = self.machine.executed();
        self.machine.type_bytes(b"\r");
        let limits = Limits {
            quiet: QUIET,
            instructions: CHUNK,
            ..Limits::default()
        };
        self.machine.run(&limits);
        self.machine.executed() > before
    }

    fn wait(&mut self, text: &str) -> io::Result<Option<End>> {
        let outcome = self.advance(Some(text.as_bytes().to_vec()), PATIENCE)?;
        Ok(match outcome {
            Outcome::Matched => None,
            Outcome::Stopped(_) => Some(End::Early(outcome)),
            _ => Some(End::Missing {
                text: text.to_owned(),
                outcome,
            }),
        })
    }

    /// Runs on, and prints the console as it comes.
    fn advance(&mut self, until: Option<Vec<u8>>, quiet: u64) -> io::Result<Outcome> {
        loop {
            let left = self.instructions.saturating_sub(self.machine.executed());
            let limits = Limits {
                until: until.clone(),
                quiet,
                instructions: left.min(CHUNK),
            };
            let outcome = self.machine.run(&limits);
            let console = self.machine.console();
            self.out.write_all(&console[self.printed..])?;
            self.out.flush()?;
            self.printed = console.len();
            match outcome {
                Outcome::Exhausted if left > CHUNK => {}
                outcome => return Ok(outcome),
            }
        }
    }
}

/// Prints the end of a run.
fn report(end: &End, machine: &Machine, symbols: Option<&Symbols>) -> ExitCode {
    let found = findings(machine, symbols);
    let (outcome, code) = match end {
        End::Done => {
            println!(
                "strict: {} instructions, {found} findings",
                machine.executed()
            );
            return ExitCode::from(if found == 0 { 0 } else { FAILED });
        }
        End::Missing { text, outcome } => {
            println!("strict: the console did not print {text:?}");
            (outcome, FAILED)
        }
        End::Early(Outcome::Stopped(stop)) => {
            println!("strict: {}", stopped(stop, symbols));
            return ExitCode::from(NOT_RUNNABLE);
        }
        End::Early(outcome) => (outcome, FAILED),
    };
    println!("strict: {}", said(outcome));
    let console = machine.console();
    let last = &console[console.len().saturating_sub(LAST_BYTES)..];
    println!("  last on the console: {:?}", String::from_utf8_lossy(last));
    for (core, place) in machine.places().into_iter().enumerate() {
        let place = symbols.map_or_else(|| format!("{place:#x}"), |symbols| symbols.place(place));
        println!("  core {core} at {place}");
    }
    ExitCode::from(code)
}

/// Prints the broken rules, each once a function, and counts them.
fn findings(machine: &Machine, symbols: Option<&Symbols>) -> usize {
    let mut seen = Vec::new();
    for finding in machine.findings() {
        let function = symbols.and_then(|symbols| symbols.function(finding.at));
        let function =
            function.map_or_else(|| format!("{:#x}", finding.at), |(name, _)| name.to_owned());
        let key = (finding.rule, function);
        if seen.contains(&key) {
            continue;
        }
        let text = finding.rule.text();
        let place = symbols.map_or_else(
            || format!("{:#x}", finding.at),
            |symbols| symbols.place(finding.at),
        );
        println!("finding: {}: {}", text.name, text.rule);
        println!("  core {} at {place}", finding.core);
        if let Some((file, line)) = symbols.and_then(|symbols| symbols.line(finding.at)) {
            println!("  {file}:{line}");
        }
        println!("  here: {}", finding.detail);
        println!("  the board may do otherwise: {}", text.otherwise);
        seen.push(key);
    }
    seen.len()
}

fn stopped(stop: &Stop, symbols: Option<&Symbols>) -> String {
    let place = symbols.and_then(|symbols| {
        let (function, distance) = symbols.function(stop.at())?;
        Some(format!(", in {function} + {distance:#x}"))
    });
    format!("{stop}{}", place.unwrap_or_default())
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Matched => "the text came".to_owned(),
        Outcome::Ended(ending) => format!("the image ended the run: {ending:?}"),
        Outcome::Quiet => "the console is quiet".to_owned(),
        Outcome::Asleep => "every core waits, and nothing can wake one".to_owned(),
        Outcome::Exhausted => "the limit of instructions is reached".to_owned(),
        Outcome::Stopped(stop) => stop.to_string(),
    }
}

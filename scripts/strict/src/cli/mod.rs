//! The command line: `cargo xtask strict [IMAGE] [OPTION...]`.
//!
//! | module | contents |
//! |---|---|
//! | `arguments` | the options, and what is wrong with them |
//! | `script` | what is typed and waited for |
//! | `play` | one run with a script |
//! | `report` | findings and ends as text |

mod arguments;
mod play;
mod report;
mod script;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use lexopt::Parser;

use crate::image::Image;
use crate::liberty::{Liberties, Liberty};
use crate::machine::{Machine, Options, Outcome};
use crate::symbols::Symbols;
use crate::unknown::unknown_kept;
use arguments::{Arguments, Task, Trace};
pub use arguments::{CliError, USAGE};
use play::{End, Progress, Run};
use report::Findings;
use script::Script;

/// The exit code of a run that failed, or that broke a rule.
const FAILED: u8 = 1;
/// The exit code of an image that is not modelled.
const NOT_RUNNABLE: u8 = 2;

/// Runs the verb; `default` is the image if none is named.
///
/// # Errors
/// If an argument is wrong, or a file cannot be read or is no image.
pub fn run(parser: Parser, default: Option<&Path>) -> Result<ExitCode, CliError> {
    match arguments::task(parser, default)? {
        Task::Help => print!("{USAGE}"),
        Task::Explain(rules) => {
            for rule in rules {
                println!("{}", rule.text());
            }
        }
        Task::Run(arguments) => return runs(&arguments),
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|source| CliError::Read {
        path: path.to_path_buf(),
        source,
    })
}

/// Reads an image.
pub(crate) fn image(path: &Path) -> Result<Image, CliError> {
    image_of(path, &read(path)?)
}

fn image_of(path: &Path, bytes: &[u8]) -> Result<Image, CliError> {
    Image::read(bytes).map_err(|source| CliError::Image {
        path: path.to_path_buf(),
        source,
    })
}

/// Reads the symbols of an ELF file.
pub(crate) fn symbols_of(path: &Path) -> Result<Symbols, CliError> {
    Symbols::read(read(path)?).map_err(|source| CliError::Symbols {
        path: path.to_path_buf(),
        source,
    })
}

/// What all runs share.
struct Subject<'a> {
    arguments: &'a Arguments,
    image: Image,
    script: Script,
    symbols: Option<Symbols>,
}

fn runs(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let bytes = read(&arguments.image)?;
    let image = image_of(&arguments.image, &bytes)?;
    let script = match &arguments.input {
        Some(path) => Script::parse(&read(path)?),
        None => Script::default(),
    };
    let subject = Subject {
        arguments,
        image,
        script,
        symbols: symbols(arguments, &bytes)?,
    };
    let mut ways = arguments.runs.iter().map(|options| options.entry);
    if !ways.all(|entry| entry.can_enter(&subject.image)) {
        return Err(CliError::OverLoader);
    }
    let mut findings = Findings::default();
    let mut code = 0;
    for options in &arguments.runs {
        code = code.max(one(&subject, options, &mut findings)?);
    }
    let runs = arguments.runs.len();
    println!("strict: {runs} runs, {} findings", findings.count());
    Ok(ExitCode::from(code))
}

/// One run: prints its console unless there are several, its findings, and how it ended.
fn one(subject: &Subject<'_>, options: &Options, findings: &mut Findings) -> io::Result<u8> {
    let symbols = subject.symbols.as_ref();
    let several = subject.arguments.several;
    let out: Box<dyn Write> = match several {
        true => Box::new(io::sink()),
        false => Box::new(io::stdout()),
    };
    let (machine, end) = play(subject, options, out, Progress::Told)?;
    if several {
        let (entry, seed) = (options.entry.name(), options.seed);
        println!(
            "strict: {entry}, seed {seed}: {} instructions, {} liberties changed a value, {}",
            machine.executed(),
            machine.taken_count(),
            if end.is_done() { "done" } else { "failed" },
        );
    } else {
        println!();
    }
    print!("{}", findings.add(machine.findings(), symbols));
    let kept = unknown_kept(&subject.image, options);
    print!("{}", findings.add(&kept, symbols));
    print!("{}", report::end(&end, &machine, symbols));
    match end {
        End::Halted if diverges(subject, options, &machine, &end)? => Ok(FAILED),
        End::Done | End::Halted => Ok(if findings.count() == 0 { 0 } else { FAILED }),
        End::Early(Outcome::Stopped(stop)) if stop.is_not_modelled() => Ok(NOT_RUNNABLE),
        End::Early(_) | End::Missing { .. } => {
            if !diverges(subject, options, &machine, &end)? {
                println!("strict: it fails without any liberty, too");
            }
            Ok(FAILED)
        }
    }
}

fn play<W: Write>(
    subject: &Subject<'_>,
    options: &Options,
    out: W,
    progress: Progress,
) -> io::Result<(Machine, End)> {
    let mut machine = Machine::new(&subject.image, options);
    if subject.arguments.trace == Trace::On {
        machine.trace();
    }
    let mut run = Run::new(machine, subject.arguments.instructions, out, progress);
    let end = run.play(&subject.script, subject.arguments.until.as_deref())?;
    Ok((run.machine, end))
}

/// Whether a run that failed or halted goes on without liberties; says by which of them it does not.
fn diverges(
    subject: &Subject<'_>,
    options: &Options,
    machine: &Machine,
    end: &End,
) -> io::Result<bool> {
    let succeeds = |liberties: Liberties| -> io::Result<bool> {
        let options = Options {
            liberties,
            ..options.clone()
        };
        let (_, without) = play(subject, &options, io::sink(), Progress::Silent)?;
        // A halt is a failure where the image goes on without liberties.
        Ok(matches!(without, End::Done) || without.is_done() && !end.is_done())
    };
    if options.liberties == Liberties::NONE || !succeeds(Liberties::NONE)? {
        return Ok(false);
    }
    if matches!(end, End::Halted) {
        println!("strict: the image has halted");
    }
    println!("finding: divergence: without liberties the run succeeds");
    for liberty in Liberty::ALL {
        let without = options.liberties.without(liberty);
        if without != options.liberties && succeeds(without)? {
            println!("  it succeeds with `--off {liberty}`");
        }
    }
    print!(
        "{}",
        report::liberties(machine.taken(), subject.symbols.as_ref())
    );
    Ok(true)
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

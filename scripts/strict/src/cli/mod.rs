//! The command line: `cargo xtask strict [IMAGE] [OPTION...]`.
//!
//! | module | contents |
//! |---|---|
//! | `arguments` | the options, and what is wrong with them |
//! | `script` | what is typed and waited for |
//! | `play` | one run with a script |
//! | `lacking` | lines that the console lacks |
//! | `report` | findings and ends as text |

mod arguments;
mod lacking;
mod play;
mod report;
mod script;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use lexopt::Parser;

use crate::entry::Entry;
use crate::image::Image;
use crate::liberty::{Liberties, Liberty};
use crate::machine::{Machine, Options, Outcome};
use crate::symbols::Symbols;
use crate::unknown::unknown_kept;
use crate::watch::Finding;
use arguments::{Arguments, Task, Trace};
pub use arguments::{CliError, USAGE};
use lacking::lacking;
use play::{End, Progress, Run};
use report::Findings;
use script::Script;

/// The exit code of a run that failed, or that broke a rule.
const FAILED: u8 = 1;
/// The exit code of an image that is not modelled.
const NOT_RUNNABLE: u8 = 2;

/// The first line of what is said about a run that liberties alone change.
const DIVERGENCE: &str = "finding: divergence: without liberties the run succeeds\n";
/// A line that is lacking is looked for in these runs without liberties, too.
const SEEDS_OF_GOOD_RUNS: std::ops::Range<u64> = 1..4;

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
    /// For each way in the console of a run without liberties, if it is done and falls silent.
    consoles: [OnceLock<Option<Vec<u8>>>; Entry::ALL.len()],
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
        consoles: Default::default(),
    };
    let mut ways = arguments.runs.iter().map(|options| options.entry);
    if !ways.all(|entry| entry.can_enter(&subject.image)) {
        return Err(CliError::OverLoader);
    }
    let code = all(&subject)?;
    Ok(ExitCode::from(code))
}

/// What is said about one run.
struct Report {
    /// What stands before the findings.
    head: String,
    findings: Vec<Finding>,
    /// What stands behind them.
    tail: String,
    /// The exit code, if there are no findings.
    code: u8,
}

/// Every run, as many at once as the machine has processors; what is said comes in the runs' order.
fn all(subject: &Subject<'_>) -> io::Result<u8> {
    let runs = &subject.arguments.runs;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let next = &AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.min(runs.len()) {
            let sender = sender.clone();
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(options) = runs.get(number) else {
                        return;
                    };
                    if sender.send((number, one(subject, options))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut findings = Findings::default();
        let mut waiting = BTreeMap::new();
        let (mut printed, mut code) = (0, 0);
        for (number, report) in receiver {
            waiting.insert(number, report);
            while let Some(report) = waiting.remove(&printed) {
                let report = report?;
                print!("{}", report.head);
                print!(
                    "{}",
                    findings.add(&report.findings, subject.symbols.as_ref())
                );
                print!("{}", report.tail);
                code = code.max(report.code);
                printed += 1;
            }
        }
        let found = findings.count();
        println!(
            "strict: {printed} {}, {found} {}",
            plural(printed, "run"),
            plural(found, "finding")
        );
        Ok(if found == 0 { code } else { code.max(FAILED) })
    })
}

fn plural(count: usize, word: &str) -> String {
    match count {
        1 => word.to_owned(),
        _ => format!("{word}s"),
    }
}

/// One run, whose console is printed unless there are several.
fn one(subject: &Subject<'_>, options: &Options) -> io::Result<Report> {
    let symbols = subject.symbols.as_ref();
    let several = subject.arguments.several;
    let out: Box<dyn Write> = match several {
        true => Box::new(io::sink()),
        false => Box::new(io::stdout()),
    };
    let (machine, end) = play(subject, options, out, Progress::Told)?;
    let head = match several {
        true => format!(
            "strict: {}, seed {}: {} instructions, {} liberties changed a value, {}\n",
            options.entry.name(),
            options.seed,
            machine.executed(),
            machine.taken_count(),
            if end.is_done() { "done" } else { "failed" },
        ),
        false => "\n".to_owned(),
    };
    let mut findings = machine.findings().to_vec();
    findings.extend(unknown_kept(&subject.image, options, &machine));
    let mut tail = report::end(&end, &machine, symbols);
    let code = match end {
        End::Done => match lacking_line(subject, options, &machine)? {
            Some(text) => {
                tail.push_str(&text);
                FAILED
            }
            None => 0,
        },
        End::Printing => 0,
        // What is not modelled may be the noise into which liberties have led the run.
        end => match without_liberties(subject, options, &machine, &end)? {
            Without::Succeeds(text) => {
                tail.push_str(&text);
                FAILED
            }
            _ if matches!(end, End::Halted) => 0,
            Without::NotModelled(_) if end.is_not_modelled() => NOT_RUNNABLE,
            Without::NotModelled(stop) => {
                let _ = writeln!(tail, "strict: without liberties: {stop}");
                FAILED
            }
            Without::Fails => {
                tail.push_str("strict: it fails without any liberty, too\n");
                FAILED
            }
        },
    };
    Ok(Report {
        head,
        findings,
        tail,
        code,
    })
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

/// What becomes of a run that failed or halted, if no liberty is taken.
enum Without {
    /// It goes on: what is said about that, and by which of them it does not.
    Succeeds(String),
    /// It comes to what the machine lacks.
    NotModelled(String),
    /// It fails, too.
    Fails,
}

/// Plays a run that failed or halted without liberties, then without each.
fn without_liberties(
    subject: &Subject<'_>,
    options: &Options,
    machine: &Machine,
    end: &End,
) -> io::Result<Without> {
    let without = |liberties: Liberties| -> io::Result<End> {
        let options = Options {
            liberties,
            ..options.clone()
        };
        Ok(play(subject, &options, io::sink(), Progress::Silent)?.1)
    };
    // A halt is a failure where the image goes on without liberties.
    let succeeds =
        |without: &End| without.is_done() && !(matches!(without, End::Halted) && end.is_done());
    let none = match options.liberties == Liberties::NONE {
        true => end,
        false => &without(Liberties::NONE)?,
    };
    match none {
        End::Early(Outcome::Stopped(stop)) if stop.is_not_modelled() => {
            return Ok(Without::NotModelled(stop.to_string()));
        }
        none if !succeeds(none) => return Ok(Without::Fails),
        _ => {}
    }
    let mut text = String::new();
    if matches!(end, End::Halted) {
        text.push_str("strict: the image has halted\n");
    }
    text.push_str(DIVERGENCE);
    for liberty in Liberty::ALL {
        let others = options.liberties.without(liberty);
        if others != options.liberties && succeeds(&without(others)?) {
            text.push_str(&succeeds_without(liberty));
        }
    }
    text.push_str(&report::liberties(
        machine.taken(),
        subject.symbols.as_ref(),
    ));
    Ok(Without::Succeeds(text))
}

/// What is said about a run that is done, if its console lacks a line that it has without liberties.
/// A text that was waited for has been judged.
fn lacking_line(
    subject: &Subject<'_>,
    options: &Options,
    machine: &Machine,
) -> io::Result<Option<String>> {
    if options.liberties == Liberties::NONE || subject.arguments.until.is_some() {
        return Ok(None);
    }
    let console = |liberties, seed| -> io::Result<Option<Vec<u8>>> {
        let options = Options {
            liberties,
            seed,
            ..options.clone()
        };
        let (machine, end) = play(subject, &options, io::sink(), Progress::Silent)?;
        Ok(matches!(end, End::Done).then(|| machine.console().to_vec()))
    };
    let place = Entry::ALL.iter().position(|entry| *entry == options.entry);
    let kept = place.map(|place| &subject.consoles[place]);
    let first = kept.and_then(|kept| {
        // A run that is not printed meets no error of the output.
        kept.get_or_init(|| console(Liberties::NONE, 0).unwrap_or(None))
            .as_ref()
    });
    let Some(first) = first else {
        return Ok(None);
    };
    let mut good = vec![first.clone()];
    if lacking(machine.console(), &good).is_none() {
        return Ok(None);
    }
    for seed in SEEDS_OF_GOOD_RUNS {
        match console(Liberties::NONE, seed)? {
            Some(console) => good.push(console),
            None => return Ok(None),
        }
    }
    let Some(line) = lacking(machine.console(), &good) else {
        return Ok(None);
    };
    let mut text = format!("{DIVERGENCE}  it prints {line:?}, with numbers as #\n");
    for liberty in Liberty::ALL {
        let others = options.liberties.without(liberty);
        if others != options.liberties
            && let Some(console) = console(others, options.seed)?
            && lacking(&console, &good).is_none()
        {
            text.push_str(&succeeds_without(liberty));
        }
    }
    let symbols = subject.symbols.as_ref();
    text.push_str(&report::liberties(machine.taken(), symbols));
    Ok(Some(text))
}

fn succeeds_without(liberty: Liberty) -> String {
    format!("  it succeeds with `--off {liberty}`\n")
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

#[cfg(test)]
mod tests;

//! Faults that only a board shows, planted into the shipped image one at a time: is each found?
//!
//! | module | contents; each uses the modules above it |
//! |---|---|
//! | `words` `pattern` | instructions from text, and patterns of them |
//! | `code` | the image's functions, and changes of their words |
//! | `console` `trial` | runs, and what tells two of them apart |
//! | `plant` | a fault, and the verdict on it |
//! | `each` | faults that the image itself gives |
//! | `list` | the faults |
//!
//! A fault is a change of words of the linked image. The words are found by their function and by
//! the instructions around them, so the list outlives a change of the kernel; a pattern that fits
//! nothing is an error, and so is a word that no run executes. The board's own faults are those of
//! kinds: barriers, invalidations, registers, maintenance for others, and so on (`list`).
//!
//! # Decisions
//! - Changes of words, not of sources: a build is minutes, and 100 of them are hours. The price is
//!   that a fault has to fit into the place of what was there.
//! - A harmless change stays in the list, with the section that says why: a model that reports it
//!   reports too much.

mod code;
mod console;
mod each;
mod list;
mod pattern;
mod plant;
mod trial;
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use lexopt::{Arg, Parser, ValueExt};

use crate::cli::{self, CliError};
use crate::entry::Entry;
use crate::image::Image;
use crate::liberty::Liberty;
use crate::symbols::Symbols;
use code::Code;
use plant::{Plant, Verdict};
use trial::{Bench, Way};

/// The help of the verb.
pub const USAGE: &str = "\
usage: cargo xtask strict-planted [IMAGE] [OPTION...]

Plants faults into the kernel's image one at a time, and runs each on the model of the board. Beside
the image lies the ELF file that it was made of.

  --only TEXT      the faults with TEXT in their names
  --seeds N        each way in with N seeds at most, until the fault is found (16)
  --threads N      run N at once (2)
  --each           in their place, drops each barrier, invalidation and register write in turn (long);
                   --only TEXT then means functions
  --ablation       then again without each liberty: which faults need it (long)

ends with 0 if at least 95 % of the faults are found and nothing harmless is reported
";

/// A fault is found in this share of cases, of 100.
const ENOUGH: usize = 95;

/// The arguments.
struct Arguments {
    image: PathBuf,
    only: String,
    seeds: u64,
    threads: usize,
    each: bool,
    ablation: bool,
}

fn arguments(mut parser: Parser, default: &Path) -> Result<Option<Arguments>, CliError> {
    let mut arguments = Arguments {
        image: default.to_path_buf(),
        only: String::new(),
        seeds: 16,
        threads: 2,
        each: false,
        ablation: false,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long("only") => arguments.only = parser.value()?.string()?,
            Arg::Long("seeds") => arguments.seeds = parser.value()?.parse()?,
            Arg::Long("threads") => arguments.threads = parser.value()?.parse()?,
            Arg::Long("each") => arguments.each = true,
            Arg::Long("ablation") => arguments.ablation = true,
            Arg::Value(path) => arguments.image = path.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(arguments))
}

/// Runs the verb; `default` is the image if none is named.
///
/// # Errors
/// If an argument is wrong, or a file cannot be read or is no image.
pub fn run(parser: Parser, default: &Path) -> Result<ExitCode, CliError> {
    let Some(arguments) = arguments(parser, default)? else {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    let image = &cli::image(&arguments.image)?;
    let symbols = &cli::symbols_of(&arguments.image.with_extension("elf"))?;
    let code = Code::read(image, symbols);
    let plants: Vec<Plant> = list::all()
        .filter(|plant| plant.name.contains(&arguments.only))
        .collect();
    let bench = Bench::new(image, symbols, None);
    for entry in Entry::ALL {
        if !bench.shipped(Way::new(entry, 0), true, &[]).is_clean() {
            println!(
                "strict-planted: the shipped image itself fails by {}",
                entry.name()
            );
            return Ok(ExitCode::FAILURE);
        }
    }
    let width = plants.iter().map(|plant| plant.name.len()).max();
    let width = width.unwrap_or_default();
    if arguments.each {
        drop_each(&code, &bench, &arguments);
        return Ok(ExitCode::SUCCESS);
    }
    let try_out = |plant: &Plant| plant.try_out(&code, &bench, arguments.seeds);
    let verdicts = try_all(
        &plants,
        arguments.threads,
        try_out,
        |plant, verdict| match (plant.harmless, verdict) {
            (Some(reason), Verdict::Missed) => {
                println!("{:width$}  harmless    {reason}", plant.name);
            }
            _ => println!("{:width$}  {verdict}", plant.name),
        },
    );
    let right = total(&plants, &verdicts);
    if arguments.ablation {
        ablation(&plants, &verdicts, &code, (image, symbols), &arguments);
    }
    Ok(ExitCode::from(u8::from(!right)))
}

/// Drops each word of the kinds, and prints which are missed.
fn drop_each(code: &Code, bench: &Bench<'_>, arguments: &Arguments) {
    let sites = each::sites(code, &arguments.only);
    let all = sites.len();
    let executed = each::executed(sites, bench, list::CHANGES);
    println!("{} of {all} words are executed", executed.len());
    let drop_one = |(site, plant): &(each::Site, Plant)| {
        each::drop_one(site, plant, bench, arguments.seeds, list::CHANGES)
    };
    let verdicts = try_all(
        &executed,
        arguments.threads,
        drop_one,
        |(site, _), verdict| {
            println!("{}  {verdict}", site.name);
        },
    );
    let missed = verdicts
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::Missed));
    println!("{} are missed", missed.count());
}

/// Tries every fault, several at once; `tell` sees the verdicts in the list's order.
fn try_all<T: Sync>(
    plants: &[T],
    threads: usize,
    try_out: impl Fn(&T) -> Verdict + Sync,
    mut tell: impl FnMut(&T, &Verdict),
) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut verdicts: Vec<Option<Verdict>> = plants.iter().map(|_| None).collect();
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (sender, next, try_out) = (sender.clone(), &next, &try_out);
            scope.spawn(move || {
                while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed))
                    && let Some(plant) = plants.get(index)
                {
                    let verdict = try_out(plant);
                    if sender.send((index, verdict)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut told = 0;
        for (index, verdict) in receiver {
            verdicts[index] = Some(verdict);
            while let (Some(plant), Some(Some(verdict))) = (plants.get(told), verdicts.get(told)) {
                tell(plant, verdict);
                told += 1;
            }
        }
    });
    verdicts.into_iter().flatten().collect()
}

/// Prints the totals; whether enough was found, and nothing that is harmless.
fn total(plants: &[Plant], verdicts: &[Verdict]) -> bool {
    let pairs = || plants.iter().zip(verdicts);
    let faults = pairs().filter(|(plant, _)| plant.harmless.is_none());
    let harmless = pairs().filter(|(plant, _)| plant.harmless.is_some());
    let [(faults, found), (harmless, quiet)] = [count(faults), count(harmless)];
    let broken = verdicts
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::NotExecuted | Verdict::Unfit(_)))
        .count();
    println!(
        "{found} of {faults} faults found, {quiet} of {harmless} harmless changes not reported"
    );
    if broken > 0 {
        println!("{broken} changes were not executed, or fit nothing");
    }
    found * 100 >= faults * ENOUGH && quiet == harmless && broken == 0
}

/// The number of pairs, and of those whose verdict is right.
fn count<'a>(pairs: impl Iterator<Item = (&'a Plant, &'a Verdict)>) -> (usize, usize) {
    pairs.fold((0, 0), |(all, right), (plant, verdict)| {
        (all + 1, right + usize::from(plant.is_right(verdict)))
    })
}

/// Tries the faults that were found without each liberty in turn.
fn ablation(
    plants: &[Plant],
    verdicts: &[Verdict],
    code: &Code,
    (image, symbols): (&Image, &Symbols),
    arguments: &Arguments,
) {
    // With the seeds up to the one that found it, and the next: with the other kind of stores.
    let found: Vec<(Plant, u64)> = plants
        .iter()
        .zip(verdicts)
        .filter_map(|(plant, verdict)| match verdict {
            Verdict::Found(_, way) => Some((*plant, way.seed + 2)),
            _ => None,
        })
        .collect();
    for liberty in Liberty::ALL {
        let bench = Bench::new(image, symbols, Some(liberty));
        let mut needing = Vec::new();
        let try_out = |(plant, seeds): &(Plant, u64)| plant.try_out(code, &bench, *seeds);
        try_all(&found, arguments.threads, try_out, |(plant, _), verdict| {
            if !matches!(verdict, Verdict::Found(..)) {
                needing.push(plant.name);
            }
        });
        println!("without {liberty}: {} missed", needing.len());
        for name in needing {
            println!("  {name}");
        }
    }
}

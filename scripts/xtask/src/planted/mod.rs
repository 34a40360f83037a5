//! `cargo xtask planted [FOLDER] [--only NAME]`: checks that the tests find each planted fault.
//!
//! A folder of patches has one mistake in each (`paging/tests/planted/README.md`). Each is applied
//! to a copy of the checkout, where the tests that it names must fail. A patch that does not apply,
//! does not build, or is not found is an error, and so is a run without end, which does not show
//! that the fault was found.

#![forbid(unsafe_code)]

mod error;
mod patch;
mod scratch;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};

use crate::checkout::{self, FileError};
use crate::failure::Failure;
use error::PlantedError;
use patch::Patch;
use scratch::{Outcome, Scratch};

/// The patches of the page tables' library.
const FOLDER: &str = "paging/tests/planted";

/// Runs `cargo xtask planted`.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    let mut folder = None;
    let mut only = None;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("only") => only = Some(args.value()?.string()?),
            Arg::Value(path) if folder.is_none() => folder = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    let folder = folder.unwrap_or_else(|| checkout::root().join(FOLDER));
    let unreadable = |source| FileError::Read {
        path: folder.clone(),
        source,
    };
    let folder = fs::canonicalize(&folder).map_err(unreadable)?;
    let root = fs::canonicalize(checkout::root()).map_err(unreadable)?;
    let lost = plant_all(
        &root,
        &root.join("target/planted"),
        &folder,
        only.as_deref(),
    )?;
    Ok(match lost {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Plants every fault of a folder, or the one called `only`, and prints a line for each. Returns
/// the number of faults that were not found.
fn plant_all(
    root: &Path,
    work: &Path,
    folder: &Path,
    only: Option<&str>,
) -> Result<usize, PlantedError> {
    let patches = patches(folder, only)?;
    let scratch = Scratch::new(root, work, folder)?;
    let mut tests: Vec<&str> = patches.iter().map(|patch| patch.test.as_str()).collect();
    tests.sort_unstable();
    tests.dedup();
    for test in tests {
        passes_without_a_fault(&scratch, test)?;
    }
    let mut lost = 0;
    for patch in &patches {
        let outcome = scratch.try_out(patch)?;
        let found = matches!(outcome, Outcome::Failed(_));
        lost += usize::from(!found);
        let mark = if found { "found" } else { "LOST " };
        println!(
            "{mark} {}: {} | {}",
            patch.name,
            patch.fault,
            told(&outcome)
        );
    }
    println!(
        "{} of {} planted faults found",
        patches.len() - lost,
        patches.len()
    );
    Ok(lost)
}

fn passes_without_a_fault(scratch: &Scratch, test: &str) -> Result<(), PlantedError> {
    match scratch.test(test)? {
        Outcome::Passed => Ok(()),
        outcome => Err(PlantedError::Baseline {
            test: test.to_owned(),
            outcome: told(&outcome),
        }),
    }
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(tests) if tests.is_empty() => "failed without a test's name".into(),
        Outcome::Failed(tests) => tests.join(", "),
        Outcome::Passed => "passed".into(),
        Outcome::None => "are none".into(),
        Outcome::NotBuilt(said) => format!("could not be built: {said}"),
        Outcome::Late => "did not end".into(),
        Outcome::Stale(said) => format!("the patch does not apply any more: {said}"),
    }
}

/// The patches in a folder, sorted by name.
fn patches(folder: &Path, only: Option<&str>) -> Result<Vec<Patch>, PlantedError> {
    let unreadable = |source| FileError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut patches = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.extension() != Some(OsStr::new("patch")) || only.is_some_and(|only| only != name) {
            continue;
        }
        let text = String::from_utf8_lossy(&checkout::read(&path)?).into_owned();
        match Patch::parse(&name, &text) {
            Ok(patch) => patches.push(patch),
            Err(field) => return Err(PlantedError::Header { path, field }),
        }
    }
    patches.sort_by(|left, right| left.name.cmp(&right.name));
    let folder = folder.to_owned();
    match (patches.is_empty(), only) {
        (false, _) => Ok(patches),
        (true, None) => Err(PlantedError::NoPatches { folder }),
        (true, Some(name)) => Err(PlantedError::NoSuchPatch {
            name: name.to_owned(),
            folder,
        }),
    }
}

#[cfg(test)]
mod tests;

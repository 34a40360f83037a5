//! `xtask check`: rules of the sources and of the linked image that no compiler enforces.
//!
//! `sources` checks the crates' files, `documents` the references in README and other documents,
//! `image` `kernel8.elf`, `licences` the packages that everything is built from. Each check prints
//! one line with the number of things that it checked, so that a check of nothing is noticed, and
//! one for every violation.

#![forbid(unsafe_code)]

mod documents;
mod image;
mod licences;
mod report;
mod sources;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::{Arg, Parser};
use thiserror::Error;

use crate::checkout;
use crate::failure::{EndsVerb, Failure};
use documents::DocumentError;
use image::{ElfError, Policy835769};
use licences::LicenceError;
use report::Report;
use sources::SourceError;

/// Reasons why the checks did not pass.
#[derive(Debug, Error)]
enum CheckError {
    #[error("{0}")]
    Sources(#[from] SourceError),
    #[error(transparent)]
    Documents(#[from] DocumentError),
    #[error("cannot read {}: {source}; `make image` builds it", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Image { path: PathBuf, source: ElfError },
    #[error(transparent)]
    Licences(#[from] LicenceError),
    #[error("{count} violations of the rules above")]
    Violations { count: usize },
}

impl EndsVerb for CheckError {}

/// The options of the command line.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    root: PathBuf,
    elf: PathBuf,
    policy: Policy835769,
}

/// Runs every check and prints what each one found.
///
/// Options: `--root DIR` (another checkout than the one that this tool was built in), `--elf FILE`
/// (by default `kernel8.elf` in the checkout), `--allow-835769` (count the sequences of that
/// erratum only).
///
/// # Errors
///
/// When a rule is broken, something cannot be read, or an option is unknown.
pub(crate) fn run(args: Parser) -> Result<ExitCode, Failure> {
    check(options(args)?)?;
    Ok(ExitCode::SUCCESS)
}

fn check(options: Options) -> Result<(), CheckError> {
    let Options {
        root,
        elf: path,
        policy,
    } = options;
    let mut count = print(&sources::check(&root)?);
    count += print(&[documents::check(&root)?]);
    match fs::read(&path) {
        Ok(file) => match image::check(&file, policy) {
            Ok(reports) => count += print(&reports),
            Err(source) => return Err(CheckError::Image { path, source }),
        },
        Err(source) => return Err(CheckError::Read { path, source }),
    }
    count += print(&[licences::check(&root)?]);
    if count == 0 {
        Ok(())
    } else {
        Err(CheckError::Violations { count })
    }
}

/// Prints the reports and counts their violations.
fn print(reports: &[Report]) -> usize {
    for report in reports {
        println!("{report}");
    }
    reports.iter().map(|report| report.violations.len()).sum()
}

fn options(mut args: Parser) -> Result<Options, lexopt::Error> {
    let mut root = checkout::root().to_owned();
    let mut elf = None;
    let mut policy = Policy835769::Refuse;
    while let Some(argument) = args.next()? {
        match argument {
            Arg::Long("root") => root = args.value()?.into(),
            Arg::Long("elf") => elf = Some(args.value()?.into()),
            Arg::Long("allow-835769") => policy = Policy835769::Count,
            other => return Err(other.unexpected()),
        }
    }
    let elf = elf.unwrap_or_else(|| root.join("kernel8.elf"));
    Ok(Options { root, elf, policy })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use lexopt::Parser;

    use super::{CheckError, Policy835769, check, documents, options};

    fn parser(args: &[&str]) -> Parser {
        Parser::from_args(args)
    }

    #[test]
    fn the_image_is_the_one_of_the_checkout_unless_it_is_named() {
        let found = options(parser(&["--root", "/a"])).expect("known options");
        assert_eq!(found.elf, Path::new("/a/kernel8.elf"));
        assert_eq!(found.policy, Policy835769::Refuse);
        let found = options(parser(&["--elf", "b.elf", "--allow-835769"])).expect("known options");
        assert_eq!(found.elf, Path::new("b.elf"));
        assert_eq!(found.policy, Policy835769::Count);
        assert!(options(parser(&["--fast"])).is_err());
        assert!(options(parser(&["--elf"])).is_err());
    }

    #[test]
    fn a_missing_or_broken_image_is_an_error_and_no_silence() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for folder in [
            "src",
            "paging/src",
            "scripts/xtask/src",
            "scripts/a64/src",
            "scripts/ptmap/src",
            "scripts/strict/src",
        ] {
            let folder = root.path().join(folder);
            fs::create_dir_all(&folder).expect("its own folder");
            fs::write(folder.join("lib.rs"), "").expect("its own file");
        }
        fs::create_dir(root.path().join("src/kernel")).expect("its own folder");
        fs::write(root.path().join("src/kernel/mod.rs"), "").expect("its own file");
        for document in documents::DOCUMENTS.iter().chain(&["Makefile"]) {
            let path = root.path().join(document);
            fs::create_dir_all(path.parent().expect("it has one")).expect("its own folder");
            fs::write(path, "").expect("its own file");
        }
        let path = root.path().to_str().expect("plain text");
        let checked = || check(options(parser(&["--root", path])).expect("known options"));
        let error = checked().expect_err("there is no image");
        assert!(matches!(error, CheckError::Read { .. }), "{error}");
        fs::write(root.path().join("kernel8.elf"), "nothing").expect("its own file");
        let error = checked().expect_err("it is no ELF file");
        assert!(matches!(error, CheckError::Image { .. }), "{error}");
    }
}

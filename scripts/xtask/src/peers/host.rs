//! The measurement on this machine: callgrind's instructions if valgrind is there, and times as
//! ratios.
//!
//! As on the emulated machine, the instructions are without the zeroing of new tables; the times
//! include it. This project appears twice, in both formats that other libraries have.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::error::PeersError;
use super::programs::{build, output, target_dir};
use super::rows::Figures;
use super::workloads::{WORKLOADS, Workload, digits};
use crate::checkout::{self, FileError};

/// The longest run of the program; seconds are usual, under callgrind a minute or two.
const TIME_LIMIT: Duration = Duration::from_secs(900);

/// The subject by whose time the others' are divided.
const OURS: &str = "stilt";
const SUBJECTS: [&str; 7] = [
    OURS,
    "stilt-x64",
    "ptm",
    "a64p",
    "generic",
    "x86_64",
    "floor",
];

/// Builds and runs the program, and prints its figures.
pub(super) fn run() -> Result<ExitCode, PeersError> {
    if std::env::consts::ARCH != "x86_64" {
        return Err(PeersError::OtherHost);
    }
    let mut command = Command::new(checkout::root().join("scripts/cargo.sh"));
    command.args(["build", "--bin", "host", "--features", "host"]);
    command.env("CARGO_TARGET_DIR", target_dir());
    build(&mut command)?;
    let program = target_dir().join("release/host");

    let times = Figures::read(&output(&mut Command::new(&program), TIME_LIMIT)?)?;
    println!("ptm, x86_64 and stilt-x64 have x86-64's format, the others AArch64's");
    println!(
        "ptm: page_table_multiarch 0.6.2; a64p: aarch64-paging 0.12.3; generic: page-table-generic 0.9.1"
    );
    if Command::new("valgrind").arg("--version").output().is_ok() {
        let counts = count(&program)?;
        print(
            "\nInstructions a unit, without zeroing new tables (callgrind)",
            |subject, workload| counts.cost(subject, workload),
        );
    } else {
        println!(
            "\nNo valgrind here, so no instruction counts: `make bench-host` installs it where it can"
        );
    }
    print(
        "\nTime, zeroing included, as a multiple of stilt's",
        |subject, workload| {
            let ours = times.row(OURS, workload)?.per_unit();
            Some(times.row(subject, workload)?.per_unit() / ours)
        },
    );
    Ok(ExitCode::SUCCESS)
}

fn print(title: &str, figure: impl Fn(&str, &str) -> Option<f64>) {
    println!("{title}");
    print!("{:<44}", "");
    for subject in SUBJECTS {
        print!("{subject:>10}");
    }
    println!();
    for Workload {
        name, what, unit, ..
    } in &WORKLOADS
    {
        print!("{name:<4}{what:<33}{unit:<7}");
        for subject in SUBJECTS {
            print!(
                "{:>10}",
                figure(subject, name).map_or_else(String::new, digits)
            );
        }
        println!();
    }
}

/// The program's figures with callgrind's counts in place of times: it writes one dump for each
/// measurement, numbered from 1.
fn count(program: &Path) -> Result<Figures, PeersError> {
    let folder = target_dir().join("callgrind");
    let unwritable = |source| FileError::Write {
        path: folder.clone(),
        source,
    };
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(unwritable)?;
    }
    fs::create_dir_all(&folder).map_err(unwritable)?;
    let dump = folder.join("dump");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet", "--collect-atstart=no"]);
    command.args(["--toggle-collect=measured", "--dump-after=measured"]);
    command.arg(format!("--callgrind-out-file={}", dump.display()));
    command.arg(program).arg("once");
    let mut figures = Figures::read(&output(&mut command, TIME_LIMIT)?)?;
    for (index, row) in figures.rows.iter_mut().enumerate() {
        let number = index + 1;
        let text = checkout::read(&folder.join(format!("dump.{number}")))?;
        let total = summary(&String::from_utf8_lossy(&text));
        row.total = total.ok_or(PeersError::NoDump { number })?;
    }
    Ok(figures)
}

/// The number of instructions in a dump's line `summary: N`.
fn summary(dump: &str) -> Option<u64> {
    let line = dump
        .lines()
        .find_map(|line| line.strip_prefix("summary:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn a_dumps_summary_is_its_count() {
        let dump = "events: Ir\nsummary: 263668\n\nfn=(1) measured\n";
        assert_eq!(summary(dump), Some(263_668));
        assert_eq!(summary("events: Ir\n"), None);
    }
}

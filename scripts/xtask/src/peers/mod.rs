//! `cargo xtask peers`: this project's page tables beside other libraries', from the programs in `benches/peers`.
//!
//! In QEMU, where the CPU counts instructions exactly, against what is asked for; with `--host` on this machine,
//! in callgrind's instructions where valgrind is there, and in time as ratio. Fails if a program finds a result
//! wrong, if an ask is missed, or if maintenance is issued that the operation does not need.

mod host;
mod machine;
mod rows;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser};
use thiserror::Error as ThisError;

use crate::checkout;
use crate::error::Error;
use crate::noise;
use crate::{image, qemu};

/// How often a program is asked whether it has ended.
const INTERVAL: Duration = Duration::from_millis(50);

/// Why there are no figures.
#[derive(Debug, ThisError)]
pub(crate) enum PeersError {
    #[error("the build of benches/peers failed ({status})")]
    Build { status: ExitStatus },
    #[error("{program} did not end in {seconds} s")]
    Late { program: String, seconds: u64 },
    #[error("{program} ended with {status}: {reason}")]
    Ended {
        program: String,
        status: ExitStatus,
        reason: String,
    },
    #[error("not a line of figures: {line}")]
    Line { line: String },
    #[error("callgrind wrote no dump for measurement {number}")]
    NoDump { number: usize },
    #[error(
        "the comparison on the host is for x86_64: one of the other libraries has no other format there"
    )]
    OtherHost,
}

/// One of the eleven, as the tables show it.
struct Workload {
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    /// Instructions a unit that this project may take at most.
    ask: f64,
    /// What the maintenance of this project must be.
    maintenance: Maintenance,
}

/// Barriers and invalidations that a workload is allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Maintenance {
    /// No invalidation: nothing that was valid changes.
    NoInvalidation,
    /// One, of everything.
    OneOfEverything,
    /// One pair of barriers an operation, whatever is between.
    OneBatchEach,
    /// Nothing is said.
    Any,
}

const WORKLOADS: [Workload; 11] = [
    Workload {
        name: "W1",
        what: "map_region 1 GiB, 4 KiB pages",
        unit: "page",
        ask: 3.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W2",
        what: "map_region 1 GiB, 2 MiB blocks",
        unit: "block",
        ask: 6.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W3",
        what: "query, random addresses",
        unit: "query",
        ask: 56.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W4",
        what: "map, random pages in 256 GiB",
        unit: "page",
        ask: 95.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W5",
        what: "unmap_region of W1",
        unit: "page",
        // Wanted: 0.1.
        ask: 0.105,
        maintenance: Maintenance::OneOfEverything,
    },
    Workload {
        name: "W6",
        what: "protect_region of W1",
        unit: "page",
        ask: 6.5,
        maintenance: Maintenance::OneOfEverything,
    },
    Workload {
        name: "W7",
        what: "the kernel's map from nothing",
        unit: "map",
        ask: 8000.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W8",
        what: "visit every leaf of W1",
        unit: "leaf",
        ask: 4.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W9",
        what: "drop the table of W1",
        unit: "table",
        ask: 32.0,
        maintenance: Maintenance::Any,
    },
    Workload {
        name: "W10",
        what: "map and unmap one page",
        unit: "pair",
        ask: 118.0,
        maintenance: Maintenance::Any,
    },
    Workload {
        name: "W11",
        what: "random regions come and go",
        unit: "region",
        ask: 1250.0,
        maintenance: Maintenance::OneBatchEach,
    },
];

/// The verb.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Error> {
    let mut program = qemu::default_program();
    let mut on_host = false;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("host") => on_host = true,
            Arg::Long("qemu") => program = args.value()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if on_host {
        host::run()
    } else {
        qemu::check_program(&program)?;
        machine::run(&program)
    }
}

/// The package.
fn manifest() -> PathBuf {
    checkout::root().join("benches/peers/Cargo.toml")
}

/// Its files, apart from the kernel's and the tools'.
fn target_dir() -> PathBuf {
    image::kernel_target_dir().with_file_name("peers")
}

/// Runs a script that builds, and fails if it does.
fn build(command: &mut Command) -> Result<(), Error> {
    command.arg("--manifest-path").arg(manifest());
    command.args(["--locked", "--release"]);
    let status = noise::run_without(command).map_err(|source| Error::Run {
        program: command.get_program().into(),
        source,
    })?;
    if status.success() {
        return Ok(());
    }
    Err(PeersError::Build { status }.into())
}

/// What a program prints; ends it when its time is up.
fn output(command: &mut Command, limit: Duration) -> Result<String, Error> {
    let program = command.get_program().to_owned();
    let failed = |source| Error::Run {
        program: PathBuf::from(&program),
        source,
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let (status, text) = collect(&mut child, limit).map_err(failed)?;
    let program = Path::new(&program).display().to_string();
    let Some(status) = status else {
        let seconds = limit.as_secs();
        return Err(PeersError::Late { program, seconds }.into());
    };
    if status.success() {
        return Ok(text);
    }
    Err(PeersError::Ended {
        program,
        status,
        reason: reason(&text).to_owned(),
    }
    .into())
}

/// What a program that failed says last: from its line `failed: ...` on.
fn reason(text: &str) -> &str {
    let begin = text.rfind("failed: ").unwrap_or(text.len());
    text[begin..].trim_end()
}

/// Waits for the end, at most as long as `limit`, while a thread reads.
fn collect(child: &mut Child, limit: Duration) -> io::Result<(Option<ExitStatus>, String)> {
    let stdout = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut text))?;
        Ok::<_, io::Error>(text)
    });
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begin.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(INTERVAL);
    };
    let text = reader.join().map_err(|_| io::ErrorKind::Other)??;
    Ok((status, text))
}

/// A figure in as many digits as matter.
fn digits(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 1000.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Duration, digits, output, reason};

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let late = output(Command::new("sleep").arg("60"), Duration::from_millis(100));
        assert!(late.is_err());
    }

    #[test]
    fn a_program_that_fails_gives_no_figures() {
        let failed = output(&mut Command::new("false"), Duration::from_secs(10));
        assert!(failed.is_err());
    }

    #[test]
    fn all_of_a_panics_lines_are_shown() {
        let text = "row ptm zero 1 2 3 4\nfailed: panicked\n  left: 1\n right: 2\n";
        assert_eq!(reason(text), "failed: panicked\n  left: 1\n right: 2");
        assert_eq!(reason("row ptm zero 1 2 3 4\n"), "");
    }

    #[test]
    fn small_figures_have_more_digits() {
        assert_eq!(digits(0.0531), "0.05");
        assert_eq!(digits(92.13), "92.1");
        assert_eq!(digits(19_025.4), "19025");
    }
}

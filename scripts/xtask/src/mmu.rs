//! `cargo xtask mmu`: the page tables of every architecture, each on the MMU of its emulator.
//!
//! Builds the programs in `tests/mmu` with the kernel's toolchain, each for its own target, and
//! runs them. A program reports success by its emulator's exit code and by its last line.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser, ValueExt};
use thiserror::Error;

use crate::checkout;
use crate::failure::{EndsVerb, Failure, WRONG_CALL};
use crate::image;
use crate::program::{RunError, cannot_run};
use crate::qemu;

/// The longest run of a program; two seconds are usual, more on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// The interval at which the emulator is asked whether it has ended.
const INTERVAL: Duration = Duration::from_millis(20);
/// The end of the last line of a successful run.
const ALL_RIGHT: &str = ", all right";

/// Reasons why the programs were not run.
#[derive(Debug, Error)]
enum MmuError {
    #[error("there is no machine {name:?} in tests/mmu")]
    UnknownMachine { name: String },
    #[error("the build of mmu-{name} failed ({status})")]
    Build {
        name: &'static str,
        status: ExitStatus,
    },
    #[error(transparent)]
    Run(#[from] RunError),
}

impl EndsVerb for MmuError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownMachine { .. } => WRONG_CALL,
            Self::Build { .. } | Self::Run(_) => 1,
        }
    }
}

/// An architecture, with its emulated machine.
struct Machine {
    /// The architecture's name, as in `tests/mmu/NAME` and in the package's name, `mmu-NAME`.
    name: &'static str,
    target: &'static str,
    emulator: &'static str,
    /// The emulator's options: a machine with enough RAM (the programs use a few MiB), and a device
    /// by which the program ends it.
    arguments: &'static str,
    /// The emulator's exit code of a successful run.
    pass: i32,
}

const MACHINES: [Machine; 4] = [
    Machine {
        name: "aarch64",
        target: "aarch64-unknown-none",
        emulator: "qemu-system-aarch64",
        arguments: "-M virt,virtualization=on,secure=on -cpu cortex-a53 -m 3G \
                    -semihosting-config enable=on,target=native",
        pass: 0,
    },
    Machine {
        name: "riscv64",
        target: "riscv64imac-unknown-none-elf",
        emulator: "qemu-system-riscv64",
        arguments: "-M virt -cpu rv64,svpbmt=on -m 3G -bios none",
        pass: 0,
    },
    Machine {
        name: "x86_64",
        target: "x86_64-unknown-none",
        emulator: "qemu-system-x86_64",
        arguments: "-M pc -cpu max -m 3G -device isa-debug-exit,iobase=0xf4,iosize=4",
        pass: 33,
    },
    Machine {
        name: "loongarch64",
        target: "loongarch64-unknown-none-softfloat",
        emulator: "qemu-system-loongarch64",
        arguments: "-M virt -m 4G",
        // A program on this machine cannot choose the exit code.
        pass: 0,
    },
];

/// The work on each program.
#[derive(Clone, Copy)]
enum Task {
    /// Build it and run it.
    Run,
    /// Check it with the compiler and clippy.
    Check,
}

/// Runs `cargo xtask mmu`. Arguments select architectures; without any, all are run.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    let mut task = Task::Run;
    let mut names = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("check") => task = Task::Check,
            Arg::Value(name) => names.push(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if let Some(name) = names.iter().find(|name| machine(name).is_none()) {
        return Err(MmuError::UnknownMachine { name: name.clone() }.into());
    }
    let mut wrong = false;
    for machine in MACHINES {
        if names.is_empty() || names.iter().any(|name| name == machine.name) {
            match task {
                Task::Check => machine.check()?,
                Task::Run => wrong |= !machine.build_and_run()?,
            }
        }
    }
    Ok(if wrong {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn machine(name: &str) -> Option<Machine> {
    MACHINES.into_iter().find(|machine| machine.name == name)
}

impl Machine {
    /// The emulator; for the kernel's architecture `QEMU` in the environment can name another, as
    /// for every verb.
    fn program(&self) -> OsString {
        match self.name {
            "aarch64" => qemu::default_program(),
            _ => qemu::emulator(self.emulator),
        }
    }

    fn package(&self) -> String {
        format!("mmu-{}", self.name)
    }

    /// Runs clippy on the maintenance backend, on `tests/lift`, which uses it without naming the
    /// architecture, on the common scenario and on the program.
    fn check(&self) -> Result<(), MmuError> {
        let package = self.package();
        for part in [
            &["--package", "stilt-paging", "--package", "lift", "--lib"][..],
            &["--package", "mmu-scenario", "--package", &package],
        ] {
            self.cargo("clippy", &[part, &["--", "-D", "warnings"]].concat())?;
        }
        Ok(())
    }

    /// Builds and runs the program. Prints one line if it succeeds, else its whole output.
    fn build_and_run(&self) -> Result<bool, Failure> {
        qemu::check_program(&self.program())?;
        self.cargo("build", &["--release", "--package", &self.package()])?;
        let elf = image::kernel_target_dir()
            .join(self.target)
            .join("release")
            .join(self.package());
        let begin = Instant::now();
        let end = self.emulate(&elf)?;
        let seconds = begin.elapsed().as_secs_f32();
        if end.is_right(self.pass) {
            println!("{} ({seconds:.1} s in {})", end.last_line(), self.emulator);
            return Ok(true);
        }
        print!("{}", end.output);
        println!("{}: FAILED: {}", self.name, end.describe());
        Ok(false)
    }

    fn cargo(&self, verb: &str, arguments: &[&str]) -> Result<(), MmuError> {
        let script = checkout::root().join("scripts/kcargo.sh");
        let status = Command::new(&script)
            .arg(verb)
            .args(arguments)
            .env("KERNEL_TARGET", self.target)
            .env("KERNEL_TARGET_DIR", image::kernel_target_dir())
            .status()
            .map_err(cannot_run(script))?;
        if status.success() {
            return Ok(());
        }
        Err(MmuError::Build {
            name: self.name,
            status,
        })
    }

    /// Runs the program until it ends or the time limit is reached.
    fn emulate(&self, elf: &PathBuf) -> Result<End, RunError> {
        let mut command = Command::new(self.program());
        command.args(self.arguments.split(' '));
        command.arg("-kernel").arg(elf);
        // The network card and the screen of these machines are left out: each needs a ROM, which
        // may be in another package.
        command.args(["-nodefaults", "-display", "none", "-no-reboot"]);
        command.args(["-serial", "stdio"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(cannot_run(self.program()))?;
        wait(&mut child).map_err(cannot_run(self.program()))
    }
}

/// The end of a run.
struct End {
    /// The exit code; none if the time limit was reached.
    code: Option<i32>,
    output: String,
}

impl End {
    /// Whether the program ran to its end and succeeded.
    fn is_right(&self, pass: i32) -> bool {
        self.code == Some(pass) && self.last_line().ends_with(ALL_RIGHT)
    }

    fn last_line(&self) -> &str {
        self.output.lines().last().unwrap_or_default()
    }

    fn describe(&self) -> String {
        match self.code {
            Some(code) => format!("the emulator ended with {code}"),
            None => format!("no end after {} s", TIME_LIMIT.as_secs()),
        }
    }
}

/// Collects the emulator's output until it ends; kills it at the time limit.
fn wait(child: &mut Child) -> io::Result<End> {
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let result = output.map_or(Ok(0), |mut output| output.read_to_end(&mut bytes));
        result.map(|_| String::from_utf8_lossy(&bytes).into_owned())
    });
    let begin = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status.code().unwrap_or(-1));
        }
        if begin.elapsed() > TIME_LIMIT {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(INTERVAL);
    };
    let output = reader.join().map_err(|_| io::ErrorKind::Other)??;
    Ok(End { code, output })
}

#[cfg(test)]
mod tests {
    use super::{End, MACHINES};
    use crate::checkout;

    #[test]
    fn a_run_is_right_with_its_exit_code_and_its_last_line_alone() {
        let end = |code, output: &str| End {
            code,
            output: output.to_owned(),
        };
        assert!(end(Some(33), "x: 1 accesses\nx: 2 accesses, all right\n").is_right(33));
        assert!(!end(Some(35), "x: 2 accesses, all right\n").is_right(33));
        assert!(!end(None, "x: 2 accesses, all right\n").is_right(33));
        assert!(!end(Some(0), "x: 2 accesses, all right\nx: WRONG\n").is_right(0));
        assert!(!end(Some(0), "").is_right(0));
    }

    #[test]
    fn every_machine_has_its_program() {
        for machine in MACHINES {
            let manifest = format!("tests/mmu/{}/Cargo.toml", machine.name);
            assert!(checkout::root().join(&manifest).exists(), "{manifest}");
        }
    }
}

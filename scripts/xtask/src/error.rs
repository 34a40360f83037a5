//! Everything that can go wrong in a verb, with the values that say what to do about it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

use crate::check::CheckError;
use crate::flash::Refusal;
use crate::flat::ImageError;
use crate::names::NamesError;
use crate::peers::PeersError;

/// Why a verb failed.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("{0} (`cargo xtask --help` lists what there is)")]
    Arguments(#[from] lexopt::Error),
    #[error("there is no verb {verb:?}: `cargo xtask --help` lists them")]
    UnknownVerb { verb: OsString },
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Peers(#[from] PeersError),
    #[error("say which disk: `make flash DEV=/dev/sdX`; `lsblk` lists the disks")]
    NoDevice,
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot run {}: {source}; `make doctor` shows what is missing and what mends it", program.display())]
    Run { program: PathBuf, source: io::Error },
    #[error("{}: no such program; `make setup` installs one, QEMU=/path names another", program.display())]
    NoProgram { program: OsString },
    #[error("DEBUG={}: expected 1 for a debug build, or nothing", value.display())]
    DebugValue { value: OsString },
    #[error("no `make debug` is running: there is no socket stilt-debug-*/console in {}", folder.display())]
    NoConsole { folder: PathBuf },
    #[error("the console at {}: {source}", socket.display())]
    Console { socket: PathBuf, source: io::Error },
    #[error("the kernel's build failed ({status})")]
    Build { status: ExitStatus },
    #[error("the build of mmu-{name} failed ({status})")]
    MmuBuild {
        name: &'static str,
        status: ExitStatus,
    },
    #[error("there is no machine {name:?} in tests/mmu")]
    UnknownMachine { name: String },
    #[error("{}: {source}", path.display())]
    Image { path: PathBuf, source: ImageError },
    #[error("{}: {source}", path.display())]
    Names { path: PathBuf, source: NamesError },
    #[error(
        "no GDB that knows AArch64: `make doctor` shows what installs one, or name one with GDB=..."
    )]
    NoGdb,
    #[error("kernel8.elf lacks a symbol that the benchmark counts to")]
    NoMilestones,
    #[error("QEMU's trace ended before the kernel's prompt")]
    NoTrace,
    #[error("cannot read QEMU's trace: {0}")]
    Trace(io::Error),
    #[error("cannot take over Ctrl-C for GDB: {0}")]
    Signals(#[from] ctrlc::Error),
    #[error("QEMU ended before GDB could attach ({status})")]
    QemuEnded { status: ExitStatus },
    #[error("QEMU did not open {} in {seconds} seconds", socket.display())]
    QemuSilent { socket: PathBuf, seconds: u64 },
    #[error("{} is not there, but all of the firmware's files must be in FIRMWARE's folder: {}", missing.display(), all.join(", "))]
    Firmware {
        missing: PathBuf,
        all: &'static [&'static str],
    },
    #[error("cannot make the card's file system: {0}")]
    Card(io::Error),
    #[error("{}: {reason}", device.display())]
    Refused { device: PathBuf, reason: Refusal },
    #[error(
        "standard input is not a terminal, so nobody can be asked; --yes means that nobody has to be"
    )]
    NobodyToAsk,
    #[error("nothing was written: {typed:?} is not {expected:?}")]
    NotConfirmed { typed: String, expected: String },
    #[error("{} is not the disk that was shown any more; nothing was written", device.display())]
    DeviceChanged { device: PathBuf },
    #[error("what was read back from {} differs from byte {offset} on: the card or its reader is faulty", device.display())]
    ReadBack { device: PathBuf, offset: u64 },
}

impl Error {
    /// What the process ends with: 2 if it was called wrongly, 1 for everything else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments(_)
            | Self::UnknownVerb { .. }
            | Self::UnknownMachine { .. }
            | Self::DebugValue { .. }
            | Self::NoDevice => 2,
            _ => 1,
        }
    }
}

//! How a run ended, told from QEMU's exit code and from what the kernel said.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The kernel's exit codes (`kernel::exit::ExitCode`), and what it prints before each.
const PANIC: (i32, &str) = (101, "stilt: panic on core");
const EXCEPTION: (i32, &str) = (102, "exception ");
const AUDIT: (i32, &str) = (103, "stilt: unsound live page tables");
const EARLY: (i32, &str) = (104, "stilt: stopped");
const NO_ROOM: (i32, &str) = (105, "stilt: no room for the kernel");

/// How a run ended. A code without its report is only a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// QEMU ended with this code: 0 after `halt`.
    Exit(i32),
    /// A panic was reported.
    Panic,
    /// An exception was reported.
    Exception,
    /// The audit of the live tables found something.
    Audit,
    /// An exception or a wrong load address, before there was a kernel.
    Early,
    /// What is reserved leaves the kernel too little memory.
    NoRoom,
    /// It ran until the time limit and was ended.
    Hang,
    /// A signal that is not ours ended QEMU.
    Signal(i32),
}

impl Ending {
    /// Judges a run by QEMU's status, which is missing if the time limit ended it, and by its
    /// output.
    pub(crate) fn classify(status: Option<ExitStatus>, output: &str) -> Self {
        let Some(status) = status else {
            return Self::Hang;
        };
        let Some(code) = status.code() else {
            return Self::Signal(status.signal().unwrap_or_default());
        };
        let reported =
            |(its_code, report): (i32, &str)| code == its_code && output.contains(report);
        if reported(PANIC) {
            Self::Panic
        } else if reported(EXCEPTION) {
            Self::Exception
        } else if reported(AUDIT) {
            Self::Audit
        } else if reported(EARLY) {
            Self::Early
        } else if reported(NO_ROOM) {
            Self::NoRoom
        } else {
            Self::Exit(code)
        }
    }
}

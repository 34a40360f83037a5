//! Commands that take their time: they tell once a second how far they are, and Ctrl-C ends them.
//!
//! 1. A command that loops calls [`Progress::at`] in its loop and leaves with its error: whatever
//!    it has begun, taken or mapped is undone by guards on that way too.
//! 2. A command that only prints ends by the error of its writer, [`Interruptible`], behind a whole
//!    line.
//!
//! # Decisions
//! Ctrl-C stays among the bytes that were typed until a command acts on it: one that ends by itself
//! leaves it to the prompt. What was typed ahead, before and behind it, waits for the prompt. It is
//! seen behind 64 KiB of that (`console/ahead.rs`).
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt::{self, Write};

use super::error::CommandError;
use crate::arch::relax::relax;
use crate::kernel::clock;
use crate::kernel::console::{self, Out};
use crate::kernel::cores::idle;
use crate::kernel::machine::watchdog;

/// Between two reports.
const REPORT_NS: u64 = 1_000_000_000;

/// How far a command is.
pub(super) struct Progress {
    name: &'static str,
    /// How much there is to do.
    total: u64,
    unit: &'static str,
    next_report_ns: u64,
}

impl Progress {
    /// Of command `name`, which has `total` to do, counted in `unit`.
    pub(super) fn new(name: &'static str, total: u64, unit: &'static str) -> Self {
        Self {
            name,
            total,
            unit,
            next_report_ns: clock::now_ns().saturating_add(REPORT_NS),
        }
    }

    /// Says that so much is done, once a second.
    ///
    /// # Errors
    /// [`InterruptedAfter`] if Ctrl-C came.
    pub(super) fn at(&mut self, done: u64, out: &mut dyn Write) -> Result<(), CommandError> {
        let unit = self.unit;
        if console::is_interrupted() && console::take_interrupt() {
            return Err(InterruptedAfter { done, unit }.into());
        }
        let told = self.tell(done, out);
        told.map_err(|_| InterruptedAfter { done, unit }.into())
    }

    /// Says that so much is done, once a second, and leaves Ctrl-C alone. A shell that gets here
    /// does not hang: the watchdog is fed.
    ///
    /// # Errors
    /// The errors of `out`.
    pub(super) fn tell(&mut self, done: u64, out: &mut dyn Write) -> fmt::Result {
        let Self {
            name, total, unit, ..
        } = *self;
        watchdog::feed_if_armed();
        let now_ns = clock::now_ns();
        if now_ns < self.next_report_ns {
            return Ok(());
        }
        // As many seconds further as have passed.
        let late_ns = now_ns.saturating_sub(self.next_report_ns);
        self.next_report_ns = now_ns.saturating_add(REPORT_NS - late_ns % REPORT_NS);
        writeln!(out, "{name}: {done} of {total} {unit}")
    }

    /// Waits with the core idle until `deadline_ns`, until the next report is due, or until `done`
    /// says so after a byte came in. Where bytes are polled for, it does not wait: the device would
    /// lose them.
    ///
    /// # Errors
    /// All timers are armed: [`TimerError`](crate::kernel::time::timers::TimerError).
    pub(super) fn wait(
        &self,
        deadline_ns: u64,
        done: impl Fn() -> bool,
    ) -> Result<(), CommandError> {
        if !console::interrupts_come() {
            watchdog::feed_if_armed();
            relax();
            return Ok(());
        }
        idle::sleep_unless(deadline_ns.min(self.next_report_ns), || {
            watchdog::feed_if_armed();
            done()
        })?;
        Ok(())
    }
}

/// The console, for one command: fails behind the line during which Ctrl-C came, once. What the
/// command has to say about what it did goes through.
pub(super) struct Interruptible {
    is_interrupted: bool,
}

impl Interruptible {
    pub(super) const fn new() -> Self {
        Self {
            is_interrupted: false,
        }
    }

    /// The cause of the command's `error`: for one that a writer returned, why it did.
    pub(super) fn cause(&self, error: CommandError) -> CommandError {
        match error.is::<fmt::Error>() {
            true if self.is_interrupted => CommandError::of_static(&Interrupted),
            true => CommandError::of_static(&OutputFailed),
            false => error,
        }
    }
}

impl Write for Interruptible {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for line in text.split_inclusive('\n') {
            Out.write_str(line)?;
            if line.ends_with('\n') && console::is_interrupted() && console::take_interrupt() {
                self.is_interrupted = true;
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

/// Ctrl-C came while a command was printing.
#[derive(Debug)]
struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl Error for Interrupted {}

/// Ctrl-C came when so much was done.
#[derive(Debug)]
pub(super) struct InterruptedAfter {
    pub(super) done: u64,
    pub(super) unit: &'static str,
}

impl fmt::Display for InterruptedAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted after {} {}", self.done, self.unit)
    }
}

impl Error for InterruptedAfter {}

/// The console did not take what was written.
#[derive(Debug)]
struct OutputFailed;

impl fmt::Display for OutputFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the console failed")
    }
}

impl Error for OutputFailed {}

//! `audit` and `check`: what was checked at boot, and what can be checked of the allocators, at any
//! time.
//!
//! Both only look. What they find is a message with an address, and the kernel goes on as well as
//! it can.
#![forbid(unsafe_code)]

use core::fmt::{self, Display, Write};

use super::error::CommandError;
use super::no_arguments;
use crate::kernel::report::live_audit;
use crate::mm::{heap, live_checks};

/// `audit`
pub(super) fn audit(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    let counts = live_audit::audit_again().map_err(CommandError::Audit)?;
    for line in counts.lines() {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// `check`: the frames, then the heap, whatever was found of the frames.
pub(super) fn check(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    let frames = line(out, "frames", live_checks::check_frames())?;
    let (states, count) = live_checks::frame_states();
    writeln!(out, "states  of {count} frames at {states}")?;
    let heap = line(out, "heap", heap::check())?;
    match frames.and(heap) {
        Ok(()) => Ok(()),
        Err(part) => Err(CommandError::Unsound { part }),
    }
}

/// Writes what was counted, or what is wrong. Returns the part's name if it is not sound.
fn line<T: Display, E: Display>(
    out: &mut dyn Write,
    part: &'static str,
    result: Result<Option<T>, E>,
) -> Result<Result<(), &'static str>, fmt::Error> {
    match result {
        Ok(Some(counts)) => writeln!(out, "{part:<7} {counts}")?,
        Ok(None) => writeln!(out, "{part:<7} in use all the time: not checked")?,
        Err(violation) => {
            writeln!(out, "{part:<7} {violation}")?;
            return Ok(Err(part));
        }
    }
    Ok(Ok(()))
}

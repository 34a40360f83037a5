//! `audit` and `check`: what was checked at boot, and what can be checked of the allocators, at any
//! time.
//!
//! Both only look. What they find is a message with an address, and the kernel goes on as well as
//! it can.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt::{self, Display, Write};

use super::arguments::no_arguments;
use super::error::CommandError;
use crate::kernel::report::{self, SpaceCounts};
use crate::mm::{heap, live_checks};

/// `audit`
pub(super) fn audit(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    let (counts, user) = report::audit_again()?;
    for line in counts.lines() {
        writeln!(out, "{line}")?;
    }
    if user.spaces > 0 {
        let SpaceCounts { spaces, pages } = user;
        writeln!(out, "{spaces} address spaces with {pages} pages for EL0")?;
    }
    Ok(())
}

/// `check`: the frames, then the heap, whatever was found of the frames.
pub(super) fn check(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    let frames = line(
        out,
        &UnsoundAllocator("frames"),
        live_checks::check_frames(),
    )?;
    let (states, count) = live_checks::frame_states();
    writeln!(out, "states  of {count} frames at {states}")?;
    let heap = line(out, &UnsoundAllocator("heap"), heap::check())?;
    match frames.and(heap) {
        Ok(()) => Ok(()),
        Err(part) => Err(CommandError::of_static(part)),
    }
}

/// Writes what was counted, or what is wrong. Returns `part` if it is not sound.
fn line<T: Display, E: Display>(
    out: &mut dyn Write,
    part: &'static UnsoundAllocator,
    result: Result<Option<T>, E>,
) -> Result<Result<(), &'static UnsoundAllocator>, fmt::Error> {
    let UnsoundAllocator(name) = part;
    match result {
        Ok(Some(counts)) => writeln!(out, "{name:<7} {counts}")?,
        Ok(None) => writeln!(out, "{name:<7} in use all the time: not checked")?,
        Err(violation) => {
            writeln!(out, "{name:<7} {violation}")?;
            return Ok(Err(part));
        }
    }
    Ok(Ok(()))
}

/// The structure of an allocator is not what it should be; what is wrong was written. Never boxed:
/// the heap may be that allocator.
#[derive(Debug)]
struct UnsoundAllocator(&'static str);

impl Display for UnsoundAllocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} unsound", self.0)
    }
}

impl Error for UnsoundAllocator {}

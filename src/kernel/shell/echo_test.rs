//! `echo-test`: bytes from the console, by its `embedded_io` traits as a user's crate would.
//!
//! Core 0 reads them, or one of cores 1 to 3, which do not get the UART's interrupt: a part of at
//! most [`PART`] bytes at a time. Core 0 counts them, and ends the command.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use embedded_io::{Read, ReadReady};

use super::arguments::{no_choice, number_from};
use super::begun_jobs::BegunJobs;
use super::error::CommandError;
use super::progress::{InterruptedAfter, Progress};
use crate::arch::relax::relax;
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::console::{self, Out, Stream};
use crate::kernel::cores::{jobs, smp};

/// The most that the command takes, in bytes.
const MOST: u64 = 1 << 24;

/// How long nothing may follow a Ctrl-C that ends the command: a byte among others is one of them.
const SILENCE_NS: u64 = 1_000_000_000;

/// Bytes that are read at a time, at most: those of a word, in which another core hands them over.
const PART: usize = size_of::<u64>();

/// The job of cores 1 to 3 meanwhile.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    Idle,
    Busy,
    /// This one reads the bytes.
    Reads(usize),
}

/// `echo-test COUNT [busy|CORE]`. Writes past the shell's writer, which would take a Ctrl-C among
/// the bytes for its own.
pub(super) fn run(arguments: &[&str], _: &mut dyn Write) -> Result<(), CommandError> {
    let (word, others) = match arguments {
        [word] => (word, Others::Idle),
        [word, "busy"] => (word, Others::Busy),
        [word, "1"] => (word, Others::Reads(1)),
        [word, "2"] => (word, Others::Reads(2)),
        [word, "3"] => (word, Others::Reads(3)),
        [_, other] => {
            return Err(no_choice(other, &"busy, 1, 2, 3"));
        }
        _ => return Err(CommandError::wrong_count()),
    };
    let count = number_from(1, MOST, word)?;
    match others {
        Others::Idle => take_in(count, read_here),
        Others::Busy => while_others_are_busy(|| take_in(count, read_here)),
        Others::Reads(core) => take_in(count, |part, taken, progress| {
            read_on(core, part, taken, progress)
        }),
    }
}

/// The paragraphs that `help echo-test` shows below the usage.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "  COUNT is from 1 to {MOST}; the bytes are any.")?;
    writeln!(out, "  Ctrl-C and then a second of silence end it.")?;
    writeln!(out, "  busy: cores 1 to 3 loop meanwhile.")?;
    writeln!(out, "  1, 2, 3: that core reads the bytes.")
}

/// Does `work` while every other core that runs is never idle.
fn while_others_are_busy(
    work: impl FnOnce() -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let mut jobs = BegunJobs::new();
    for core in (1..CORES).filter(|core| smp::state(*core) == smp::CoreState::Online) {
        jobs.begin(core, be_busy, 0)?;
    }
    work()?;
    Ok(jobs.end()?)
}

fn be_busy(_: usize) {
    while jobs::may_go_on() {
        relax();
    }
}

/// Takes `count` bytes, and says what their CRC-32 is. `read` fills a part of the buffer, when so
/// many bytes were taken before, and returns how many bytes that is.
fn take_in(
    count: u64,
    read: impl Fn(&mut [u8], u64, &mut Progress) -> Result<usize, CommandError>,
) -> Result<(), CommandError> {
    let before = console::counts();
    writeln!(Out, "send {count} bytes")?;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    let mut progress = Progress::new("echo-test", count, "bytes");
    let mut taken = 0;
    while taken < count {
        let mut part = [0; PART];
        let room = PART.min((count - taken) as usize);
        let room = part.get_mut(..room).unwrap_or_default();
        let read = read(room, taken, &mut progress)?;
        let part = part.get(..read).unwrap_or_default();
        digest.update(part);
        taken += part.len() as u64;
        let ends = part.last() == Some(&console::CTRL_C) && taken < count;
        if ends && silence_follows(&progress)? {
            let (done, unit) = (taken - 1, "bytes");
            return Err(InterruptedAfter { done, unit }.into());
        }
    }
    let after = console::counts();
    let (crc, overruns) = (
        digest.finalize(),
        after.overruns.saturating_sub(before.overruns),
    );
    tell_sum(
        &mut Stream::default(),
        format_args!("crc {crc:08x} of {count} bytes, {overruns} overruns\r\n"),
    )
}

/// The last line, by any stream: its bytes have left when this returns.
fn tell_sum(
    stream: &mut impl embedded_io::Write,
    line: fmt::Arguments<'_>,
) -> Result<(), CommandError> {
    stream.write_fmt(line).map_err(|_| fmt::Error)?;
    stream.flush().map_err(|_| fmt::Error)?;
    Ok(())
}

/// Reads a part on this core.
fn read_here(part: &mut [u8], taken: u64, progress: &mut Progress) -> Result<usize, CommandError> {
    let mut stream = Stream::default();
    while !stream.read_ready()? {
        progress.wait(u64::MAX, console::has_received)?;
        progress.tell(taken, &mut Out)?;
    }
    progress.tell(taken, &mut Out)?;
    Ok(stream.read(part)?)
}

/// The bytes that another core read last, the first in bits 7:0, and how many they are.
static READ: AtomicU64 = AtomicU64::new(0);
static READ_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Lets core `core` read a part: it waits for the bytes itself.
fn read_on(
    core: usize,
    part: &mut [u8],
    taken: u64,
    progress: &mut Progress,
) -> Result<usize, CommandError> {
    let mut jobs = BegunJobs::new();
    jobs.begin(core, read_a_word, part.len())?;
    while jobs::is_busy(core) {
        progress.tell(taken, &mut Out)?;
        relax();
    }
    jobs.end()?;
    let bytes = READ.load(Ordering::Relaxed).to_le_bytes();
    part.iter_mut()
        .zip(bytes)
        .for_each(|(slot, byte)| *slot = byte);
    Ok(READ_COUNT.load(Ordering::Relaxed))
}

/// The job of [`read_on`]: reads at most `room` bytes.
fn read_a_word(room: usize) {
    let mut bytes = [0; PART];
    let part = bytes.get_mut(..room).unwrap_or_default();
    let count = Stream::default().read(part).unwrap_or_default();
    READ.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
    READ_COUNT.store(count, Ordering::Relaxed);
}

/// Whether no byte comes for [`SILENCE_NS`].
fn silence_follows(progress: &Progress) -> Result<bool, CommandError> {
    let end_ns = clock::now_ns().saturating_add(SILENCE_NS);
    while !console::has_received() {
        if clock::now_ns() >= end_ns {
            return Ok(true);
        }
        progress.wait(end_ns, console::has_received)?;
    }
    Ok(false)
}

//! The machine in words, for the shell: one line a topic, and the reason where there is no answer.
#![forbid(unsafe_code)]

use core::fmt::{self, Display, Write};

use super::firmware::ask;
use super::handed::Handed;
use super::report::Disk;
use super::{Cores, Machine, machine};
use crate::console::{Hertz, Size};
use crate::drivers::facts::Origin;
use crate::drivers::mailbox::{
    Clock, ClockRate, MailboxError, MaxClockRate, MaxTemperature, MeasuredClockRate, Supply, Tag,
    Temperature, Throttled, Voltage,
};
use crate::kernel::time::counter_hz;

/// One line each about the machine. Rates, temperature and voltages are asked for now.
pub(in crate::kernel) fn describe(out: &mut dyn Write) -> fmt::Result {
    let Some(machine) = machine() else {
        return Ok(());
    };
    identity(machine, out)?;
    memory(machine, out)?;
    writeln!(out, "counter   {}", Hertz(counter_hz().into()))?;
    rates(out, "clocks", ClockRate)?;
    rates(out, "maximum", MaxClockRate)?;
    rates(out, "measured", MeasuredClockRate)?;
    temperature(out)?;
    voltages(out)?;
    line(out, "throttled", &ask(Throttled))
}

/// What was found out at boot, and does not change.
fn identity(machine: &Machine, out: &mut dyn Write) -> fmt::Result {
    handed(machine, out)?;
    let board = machine
        .revision
        .map(|revision| (revision, revision.0))
        .map(|(name, code)| Coded { name, code });
    line(out, "board", &board)?;
    line(out, "serial", &machine.serial.map(Hex::<18>))?;
    line(out, "mac", &machine.mac)?;
    line(
        out,
        "firmware",
        &machine.firmware.map(|revision| Hex::<0>(revision.into())),
    )
}

/// What the loader handed over.
fn handed(machine: &Machine, out: &mut dyn Write) -> fmt::Result {
    let Handed { what, facts } = machine.handed;
    if !facts.model.as_str().is_empty() {
        writeln!(out, "model     {}", facts.model)?;
    }
    writeln!(out, "tree      {what}{}", Cores(facts.cores))?;
    if machine.handed.voice().is_some() {
        writeln!(out, "bootargs  {}", facts.bootargs)?;
    }
    for oddity in facts.oddities.iter() {
        let warning = if oddity.is_wrong() { "warning: " } else { "" };
        writeln!(out, "tree      {warning}{oddity}")?;
    }
    Ok(())
}

/// Who has which part of memory.
fn memory(machine: &Machine, out: &mut dyn Write) -> fmt::Result {
    let ram = machine.ram;
    let size = Size(ram.ram.total_size() as u64);
    writeln!(out, "ram       {size} ({})", ram.source)?;
    match ram.videocore {
        Some(share) => writeln!(out, "videocore {share} {}", Size(share.size() as u64))?,
        None => writeln!(out, "videocore unknown")?,
    }
    for judged in machine.reserved.judged() {
        match judged.reservation.origin {
            Origin::Initrd => writeln!(out, "initrd    {}", Disk(judged))?,
            _ => writeln!(out, "reserved  {judged}")?,
        }
    }
    Ok(())
}

/// The answer about each clock. One that fails for the first clock is not asked about the others: the
/// firmware does not know the question.
fn rates<T: Tag<Answer = u32>>(
    out: &mut dyn Write,
    label: &str,
    tag: fn(Clock) -> T,
) -> fmt::Result {
    list(out, label, &Clock::ALL, |clock, out| {
        ask(tag(clock)).map(|hz| match hz {
            0 => write!(out, "{clock} none"),
            hz => write!(out, "{clock} {}", Hertz(hz.into())),
        })
    })
}

fn voltages(out: &mut dyn Write) -> fmt::Result {
    list(out, "voltage", &Supply::ALL, |supply, out| {
        ask(Voltage(supply)).map(|voltage| match voltage {
            None => write!(out, "{supply} none"),
            Some(voltage) => write!(out, "{supply} {voltage}"),
        })
    })
}

fn temperature(out: &mut dyn Write) -> fmt::Result {
    match (ask(Temperature), ask(MaxTemperature)) {
        (Ok(now), Ok(most)) => writeln!(out, "heat      {now} of at most {most}"),
        (Ok(now), Err(error)) => writeln!(out, "heat      {now}; limit unknown: {error}"),
        (Err(error), _) => writeln!(out, "heat      unknown: {error}"),
    }
}

/// A line about several things. `write` writes one, or tells why it cannot; the first failure ends the
/// line.
fn list<T: Copy>(
    out: &mut dyn Write,
    label: &str,
    things: &[T],
    write: impl Fn(T, &mut dyn Write) -> Result<fmt::Result, MailboxError>,
) -> fmt::Result {
    write!(out, "{label:<9}")?;
    let mut separator = " ";
    for &thing in things {
        out.write_str(separator)?;
        match write(thing, out) {
            Ok(written) => written?,
            Err(error) => {
                write!(out, "unknown: {error}")?;
                break;
            }
        }
        separator = ", ";
    }
    writeln!(out)
}

/// A line with an answer, or with the reason why there is none.
fn line<T: Display>(
    out: &mut dyn Write,
    label: &str,
    answer: &Result<T, MailboxError>,
) -> fmt::Result {
    match answer {
        Ok(answer) => writeln!(out, "{label:<9} {answer}"),
        Err(error) => writeln!(out, "{label:<9} unknown: {error}"),
    }
}

/// A name, and the code that it was made from.
struct Coded<T> {
    name: T,
    code: u32,
}

impl<T: Display> Display for Coded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#x})", self.name, self.code)
    }
}

/// A number in hexadecimal, `WIDTH` characters wide with `0x`.
struct Hex<const WIDTH: usize>(u64);

impl<const WIDTH: usize> Display for Hex<WIDTH> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#0WIDTH$x}", self.0)
    }
}

//! The machine in words, for the shell: one line a topic, and the reason where there is no answer.
#![forbid(unsafe_code)]

use core::fmt::{self, Display, Write};

use super::boot_summary::Disk;
use super::firmware::ask;
use super::handed::Handed;
use super::{Cores, Machine, machine};
use crate::drivers::facts::Origin;
use crate::drivers::mailbox::{
    Clock, ClockRate, MailboxError, MaxClockRate, MaxTemperature, MeasuredClockRate, Supply, Tag,
    Temperature, Throttled, Voltage,
};
use crate::kernel::clock::counter_hz;
use crate::text::{Hertz, Size};

/// Prints the description of the machine, line by line. Rates, temperature and voltages are those
/// of now.
pub(crate) fn describe(out: &mut dyn Write) -> fmt::Result {
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

/// The facts of boot, which do not change.
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

/// The device tree or the ATAGs of the loader.
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

/// The owners of the parts of memory.
fn memory(machine: &Machine, out: &mut dyn Write) -> fmt::Result {
    let ram = machine.ram;
    let size = Size(ram.ram.total_size() as u64);
    writeln!(out, "ram       {size} ({})", ram.source)?;
    match ram.videocore {
        Some(share) => writeln!(out, "videocore {share} {}", Size(share.size() as u64))?,
        None => writeln!(out, "videocore unknown")?,
    }
    let usable = machine.handed.facts.usable.iter();
    for range in usable.flat_map(|usable| usable.iter()) {
        writeln!(out, "usable    {range} {}", Size(range.size() as u64))?;
    }
    for judged in machine.reserved.judged() {
        match judged.reservation.origin {
            Origin::Initrd => writeln!(out, "initrd    {}", Disk(judged))?,
            _ => writeln!(out, "reserved  {judged}")?,
        }
    }
    Ok(())
}

/// The answer about each clock. One that fails for the first clock is not asked about the others:
/// the firmware does not know the question.
fn rates<T: Tag<Answer = u32>>(
    out: &mut dyn Write,
    label: &str,
    tag: fn(Clock) -> T,
) -> fmt::Result {
    list(out, label, &Clock::ALL, |clock| {
        let hz = ask(tag(clock))?;
        let value = (hz != 0).then(|| Hertz(hz.into()));
        Ok(Of { what: clock, value })
    })
}

fn voltages(out: &mut dyn Write) -> fmt::Result {
    list(out, "voltage", &Supply::ALL, |supply| {
        let value = ask(Voltage(supply))?;
        Ok(Of {
            what: supply,
            value,
        })
    })
}

/// A name, and its value if it has one.
struct Of<T, V> {
    what: T,
    value: Option<V>,
}

impl<T: Display, V: Display> Display for Of<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} {value}", self.what),
            None => write!(f, "{} none", self.what),
        }
    }
}

fn temperature(out: &mut dyn Write) -> fmt::Result {
    match (ask(Temperature), ask(MaxTemperature)) {
        (Ok(now), Ok(most)) => writeln!(out, "heat      {now} of at most {most}"),
        (Ok(now), Err(error)) => writeln!(out, "heat      {now}; its limit: {}", Unknown(&error)),
        (Err(error), _) => writeln!(out, "heat      {}", Unknown(&error)),
    }
}

/// The width of a terminal.
const COLUMNS: usize = 80;
/// The beginning of every line.
const LABEL: usize = 9;

/// A line about several things, or as many as it takes. `read` gives one, or tells why it cannot;
/// the first failure ends the list.
fn list<T: Copy, D: Display>(
    out: &mut dyn Write,
    label: &str,
    things: &[T],
    read: impl Fn(T) -> Result<D, MailboxError>,
) -> fmt::Result {
    write!(out, "{label:<LABEL$}")?;
    let mut used = LABEL;
    for (index, &thing) in things.iter().enumerate() {
        let item = read(thing);
        let width = match &item {
            Ok(item) => width(item),
            Err(error) => width(&Unknown(error)),
        };
        // A comma stands behind the one before, and perhaps behind this one.
        if index > 0 {
            write!(out, ",")?;
        }
        if used + 1 + width + 1 > COLUMNS {
            write!(out, "\n{:LABEL$}", "")?;
            used = LABEL;
        }
        used += 1 + width + 1;
        match item {
            Ok(item) => write!(out, " {item}")?,
            Err(error) => {
                write!(out, " {}", Unknown(&error))?;
                break;
            }
        }
    }
    writeln!(out)
}

/// How many columns `item` takes.
fn width(item: &impl Display) -> usize {
    struct Width(usize);
    impl Write for Width {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut width = Width(0);
    let _ = write!(width, "{item}");
    width.0
}

/// A line with an answer, or with the reason why there is none.
fn line<T: Display>(
    out: &mut dyn Write,
    label: &str,
    answer: &Result<T, MailboxError>,
) -> fmt::Result {
    match answer {
        Ok(answer) => writeln!(out, "{label:<9} {answer}"),
        Err(error) => writeln!(out, "{label:<9} {}", Unknown(error)),
    }
}

/// Why something is not known.
struct Unknown<'a>(&'a MailboxError);

impl Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // A firmware that does not know a tag leaves it as it was, or says that it has no
            // answer.
            MailboxError::TagNotAnswered { .. } | MailboxError::ShortAnswer { bytes: 0, .. } => {
                f.write_str("not answered by this firmware")
            }
            error => write!(f, "unknown: {error}"),
        }
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

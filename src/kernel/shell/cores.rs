//! Commands about cores, interrupts and time.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::arguments::{no_arguments, no_choice, number, number_from};
use super::error::CommandError;
use super::progress::Progress;
use crate::board::irq_numbers::IrqNumber;
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::console;
use crate::kernel::cores::ipi::{self, CallError};
use crate::kernel::cores::{idle, per_core, smp, stop_machine};
use crate::kernel::irq;
use crate::kernel::time;
use crate::kernel::time::{silence, timeouts};
use crate::{log, warning};

/// The longest that `sleep` takes, in milliseconds.
const SLEEP_MAX_MS: u64 = 600_000;

/// Frees the boot memory of cores 1 to 3 as soon as all are online, and names the cores that missed
/// a `stop_machine`.
pub(super) fn after_command() {
    match smp::free_secondary_boot() {
        Ok(0) => {}
        Ok(frames) => log!(
            "cores",
            "all run: {frames} frames are free that they needed on their way"
        ),
        Err(error) => warning!("cores", "the parking pages stay: {error}"),
    }
    for core in stop_machine::take_missed() {
        log!(
            "cores",
            "core {core} missed stop_machine: the map was changed without waiting for it"
        );
    }
}

/// `cpus [call CORE]`
pub(super) fn cpus(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => {}
        ["call", word] => return call(number(word)?, out),
        ["call"] => return Err(CommandError::wrong_count()),
        [other, ..] => {
            return Err(no_choice(other, &"call"));
        }
    }
    ipi::ping_others();
    writeln!(
        out,
        "core  state   idle  last s  interrupts  timers  clock jumps"
    )?;
    for core in 0..CORES {
        let state = Condition::of(core);
        if state != Condition::Runs {
            writeln!(out, "{core:>4}  {state}")?;
            continue;
        }
        let share = idle::share(core);
        let last = share.last_window.unwrap_or(share.since_start);
        writeln!(
            out,
            "{core:>4}  {state:<6} {:>4}%   {:>4}%  {:>10}  {:>6}  {:>11}",
            share.since_start / 10,
            last / 10,
            irq::total(core),
            time::armed(core),
            clock::jumps(core).count,
        )?;
    }
    Ok(())
}

/// The state of a core in `cpus` and `info`.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Condition {
    /// It runs, and does what it is asked.
    Runs,
    /// It left something open that it was asked, for so long.
    Silent { for_ns: u64 },
    /// It is not there.
    Out(smp::CoreState),
}

impl Condition {
    /// That of core `core`, as of the last time that it was asked.
    pub(super) fn of(core: usize) -> Self {
        match (smp::state(core), silence::lasts_ns(core)) {
            (smp::CoreState::Online, None) => Self::Runs,
            (smp::CoreState::Online, Some(for_ns)) => Self::Silent { for_ns },
            (state, _) => Self::Out(state),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs => smp::CoreState::Online.fmt(f),
            Self::Out(state) => state.fmt(f),
            Self::Silent { for_ns } => {
                let (seconds, tenths) = (for_ns / 1_000_000_000, for_ns / 100_000_000 % 10);
                write!(f, "silent for {seconds}.{tenths} s")
            }
        }
    }
}

/// The paragraphs that `help cpus` shows below the usage.
pub(super) fn cpus_details(out: &mut dyn Write) -> fmt::Result {
    let last = CORES - 1;
    writeln!(
        out,
        "  `cpus call CORE` calls one again that did not come at boot: 1 to {last}."
    )
}

/// Brings up a core that did not come at boot.
fn call(core: u64, out: &mut dyn Write) -> Result<(), CommandError> {
    let start_ns = clock::now_ns();
    let mut progress = Progress::new("cpus", timeouts::ALIVE_NS / 1_000_000, "ms of waiting");
    let mut waited = Ok(());
    let came = smp::bring_up(core, || {
        let waited_ms = clock::now_ns().saturating_sub(start_ns) / 1_000_000;
        waited = progress.at(waited_ms, out);
        waited.is_ok()
    });
    waited?;
    came?;
    writeln!(out, "core {core} runs")?;
    Ok(())
}

/// `irq [release NUMBER]`
pub(super) fn irq(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => {}
        ["release", word] => return release(word, out),
        _ => return Err(CommandError::wrong_count()),
    }
    write!(out, "{:>3}  {:<16} {:<12}", "irq", "name", "owner")?;
    for core in 0..CORES {
        write!(out, " {:>9}", CoreName(core))?;
    }
    writeln!(out)?;
    for report in irq::reports() {
        let owner = report.owner.unwrap_or("-");
        write!(
            out,
            "{:>3}  {:<16} {owner:<12}",
            report.number.index(),
            report.number
        )?;
        for count in report.counts {
            write!(out, " {count:>9}")?;
        }
        writeln!(
            out,
            "{}",
            if report.storms {
                "  masked: a storm"
            } else {
                ""
            }
        )?;
    }
    for (name, count) in CORE_COUNTS {
        write!(out, "     {name:<29}")?;
        for core in 0..CORES {
            write!(out, " {:>9}", count(core))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A count of each core, with its name in the table.
type CoreCount = (&'static str, fn(usize) -> u64);

/// The rows of `irq` that belong to no number.
const CORE_COUNTS: [CoreCount; 3] = [
    ("spurious", |core| irq::spurious(core)),
    ("unhandled", |core| irq::unhandled(core)),
    ("spurious faults", |core| {
        per_core::of(core).spurious_faults.counted()
    }),
];

/// The paragraphs that `help irq` shows below the usage.
pub(super) fn irq_details(out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "  `irq release NUMBER` lets one in again that was masked in a storm."
    )?;
    writeln!(out, "  NUMBER is one that `irq` shows, at most {IRQ_MAX}.")?;
    writeln!(
        out,
        "  The last row: the MMU, asked again, allowed the access, which was done again."
    )
}

/// The largest number of an interrupt.
const IRQ_MAX: u64 = IrqNumber::COUNT as u64 - 1;

/// Lets an interrupt in again that was masked in a storm.
fn release(word: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let number = number_from(0, IRQ_MAX, word)?;
    let known = u8::try_from(number).ok().and_then(IrqNumber::new);
    let Some(number) = known else {
        return Err(no_choice(
            word,
            &"the numbers that `irq` shows; 32 to 103 come through it",
        ));
    };
    let released = release_everywhere(number)?;
    if !released.contains(&true) {
        writeln!(out, "{number} was not masked")?;
        return Ok(());
    }
    write!(out, "{number} let in again on core")?;
    for (core, released) in released.into_iter().enumerate() {
        if released {
            write!(out, " {core}")?;
        }
    }
    writeln!(out)?;
    Ok(())
}

/// Lets an interrupt in again on every core on which a storm masked it. Returns for which cores.
///
/// # Errors
/// The errors of a function call to such a core.
fn release_everywhere(number: IrqNumber) -> Result<[bool; CORES], CallError> {
    let mut released = [false; CORES];
    for (core, released) in released.iter_mut().enumerate() {
        if irq::was_masked(core, number) {
            *released = ipi::call_function(core, release_called, number.index())? != 0;
        }
    }
    Ok(released)
}

/// [`irq::release_here`], as a call has it.
fn release_called(index: usize) -> usize {
    let number = u8::try_from(index).ok().and_then(IrqNumber::new);
    usize::from(number.is_some_and(irq::release_here))
}

/// A core as the head of a column.
struct CoreName(usize);

impl core::fmt::Display for CoreName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const NAMES: [&str; CORES] = ["core 0", "core 1", "core 2", "core 3"];
        f.pad(NAMES.get(self.0).copied().unwrap_or("core"))
    }
}

/// `uptime`
pub(super) fn uptime(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    let ns = clock::now_ns();
    let (seconds, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
    writeln!(out, "{seconds}.{rest:09} s since the first instruction")?;
    Ok(())
}

/// `sleep MILLISECONDS`
pub(super) fn sleep(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let [word] = arguments else {
        return Err(CommandError::wrong_count());
    };
    let duration_ms = number_from(1, SLEEP_MAX_MS, word)?;
    let start_ns = clock::now_ns();
    let slept_ms = || clock::now_ns().saturating_sub(start_ns) / 1_000_000;
    let end_ns = start_ns.saturating_add(duration_ms * 1_000_000);
    let mut progress = Progress::new("sleep", duration_ms, "ms");
    loop {
        progress.wait(end_ns, console::wants_a_look)?;
        let now_ns = clock::now_ns();
        if now_ns >= end_ns {
            let slept_us = now_ns.saturating_sub(start_ns) / 1000;
            writeln!(out, "slept {slept_us} us")?;
            return Ok(());
        }
        progress.at(slept_ms(), out)?;
    }
}

/// The paragraphs that `help sleep` shows below the usage.
pub(super) fn sleep_details(out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "  MILLISECONDS is from 1 to {SLEEP_MAX_MS}. Ctrl-C ends it."
    )
}

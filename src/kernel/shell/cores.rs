//! Commands about cores, interrupts and time.
#![forbid(unsafe_code)]

use core::fmt::Write;

use super::{ChoiceText, CommandError, no_arguments};
use crate::arch::aarch64::relax::relax;
use crate::board::interrupts::IrqNumber;
use crate::board::raspi3::CORES;
use crate::console::parse_u64;
use crate::kernel::jobs::{self, Jobs};
use crate::kernel::{console, cross, interrupts, per_core, smp, stand, time};
use crate::log;

/// The longest that `sleep` takes, in milliseconds: nothing ends it early.
const SLEEP_MAX_MS: u64 = 600_000;

/// Says which cores did not do what the map's maintenance asked of them.
pub(super) fn tell_of_silence() {
    for core in stand::take_missed() {
        log!(
            "cores",
            "core {core} did not stand still: the map was changed without waiting for it"
        );
    }
}

/// `cpus [call CORE]`
pub(super) fn cpus(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => {}
        ["call", word] => return call(parse_u64(word)?, out),
        ["call"] => return Err(CommandError::Usage),
        [other, ..] => {
            return Err(CommandError::Choice {
                given: ChoiceText::new(other),
                expected: "call",
            });
        }
    }
    cross::ask_for_signs();
    writeln!(
        out,
        "core  state   idle  last s  interrupts  timers  clock jumps"
    )?;
    for core in 0..CORES {
        let state = smp::state(core);
        if state != smp::CoreState::Online {
            writeln!(out, "{core:>4}  {state}")?;
            continue;
        }
        if let Some(silent_ns) = per_core::of(core).silent_for_ns() {
            let (seconds, tenths) = (silent_ns / 1_000_000_000, silent_ns / 100_000_000 % 10);
            writeln!(out, "{core:>4}  silent for {seconds}.{tenths} s")?;
            continue;
        }
        let share = per_core::of(core).idle_share();
        let last = share.last_window.unwrap_or(share.since_start);
        writeln!(
            out,
            "{core:>4}  {state:<6} {:>4}%   {:>4}%  {:>10}  {:>6}  {:>11}",
            share.since_start / 10,
            last / 10,
            interrupts::total(core),
            time::armed(core),
            time::jumps(core).count,
        )?;
    }
    Ok(())
}

/// Calls a core again that did not come at boot.
fn call(core: u64, out: &mut dyn Write) -> Result<(), CommandError> {
    let frames = smp::call(core)?;
    writeln!(out, "core {core} runs")?;
    if frames > 0 {
        log!(
            "cores",
            "all cores run: {frames} frames that they needed on their way given up"
        );
    }
    Ok(())
}

/// `irq [release NUMBER]`
pub(super) fn irq(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => {}
        ["release", word] => return release(parse_u64(word)?, out),
        _ => return Err(CommandError::Usage),
    }
    write!(out, "{:>3}  {:<16} {:<12}", "irq", "name", "owner")?;
    for core in 0..CORES {
        write!(out, " {:>9}", CoreName(core))?;
    }
    writeln!(out)?;
    for report in interrupts::reports() {
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

/// What is counted for a core, with its name in the table.
type CoreCount = (&'static str, fn(usize) -> u64);

/// The rows of `irq` that belong to no number.
const CORE_COUNTS: [CoreCount; 3] = [
    ("spurious", |core| interrupts::vain(core).0),
    ("unhandled", |core| interrupts::vain(core).1),
    ("faults good at a second look", |core| {
        per_core::of(core).second_looks.counted()
    }),
];

/// Lets an interrupt in again that was masked in a storm.
fn release(number: u64, out: &mut dyn Write) -> Result<(), CommandError> {
    let limit = IrqNumber::COUNT as u64 - 1;
    if number > limit {
        let value = number;
        return Err(CommandError::TooLarge { value, limit });
    }
    let known = u8::try_from(number).ok().and_then(IrqNumber::new);
    let Some(number) = known else {
        return Err(CommandError::Choice {
            given: ChoiceText::new("8"),
            expected: "the numbers that `irq` shows: it stands for all from 32 on",
        });
    };
    let released = interrupts::release(number)?;
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
    let ns = time::now_ns();
    let (seconds, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
    writeln!(out, "{seconds}.{rest:09} s since the first instruction")?;
    Ok(())
}

/// `sleep MILLISECONDS`
pub(super) fn sleep(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let [word] = arguments else {
        return Err(CommandError::Usage);
    };
    let duration_ms = parse_u64(word)?;
    if duration_ms > SLEEP_MAX_MS {
        return Err(CommandError::TooLarge {
            value: duration_ms,
            limit: SLEEP_MAX_MS,
        });
    }
    let start_ns = time::now_ns();
    time::sleep_ns(duration_ms * 1_000_000)?;
    let slept_us = time::now_ns().saturating_sub(start_ns) / 1000;
    writeln!(out, "slept {slept_us} us")?;
    Ok(())
}

/// The most that `echo-test` takes, in bytes.
const ECHO_MAX: u64 = 1 << 24;

/// What cores 1 to 3 do during `echo-test`.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    Idle,
    Busy,
}

/// `echo-test N [busy]`
pub(super) fn echo_test(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let (word, others) = match arguments {
        [word] => (word, Others::Idle),
        [word, "busy"] => (word, Others::Busy),
        [_, other] => {
            return Err(CommandError::Choice {
                given: ChoiceText::new(other),
                expected: "busy",
            });
        }
        _ => return Err(CommandError::Usage),
    };
    let count = parse_u64(word)?;
    if count > ECHO_MAX {
        return Err(CommandError::TooLarge {
            value: count,
            limit: ECHO_MAX,
        });
    }
    match others {
        Others::Idle => take_in(count, out),
        Others::Busy => while_others_are_busy(|| take_in(count, out)),
    }
}

/// Does `work` while every other core that runs is never idle.
fn while_others_are_busy(
    work: impl FnOnce() -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let mut jobs = Jobs::new();
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

/// Takes `count` bytes, and says what their CRC-32 is.
fn take_in(count: u64, out: &mut dyn Write) -> Result<(), CommandError> {
    let before = console::counts();
    writeln!(out, "send {count} bytes")?;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    for _ in 0..count {
        digest.update(&[console::read_byte()]);
    }
    let after = console::counts();
    writeln!(
        out,
        "crc {:08x} of {count} bytes, {} overruns",
        digest.finalize(),
        after.overruns.saturating_sub(before.overruns)
    )?;
    Ok(())
}

//! Commands about the machine as a whole.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::arguments::{no_arguments, number_from};
use super::cores::Condition;
use super::error::CommandError;
use crate::board::raspi3;
use crate::drivers::watchdog::Ticks;
use crate::kernel::cores::ipi;
use crate::kernel::machine::watchdog::{self, Armed};
use crate::kernel::record::boot_record;
use crate::kernel::report::ending::{End, end};
use crate::kernel::{console, log as boot_log, machine};

/// `info`
pub(super) fn info(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    writeln!(out, "stilt     {}", env!("CARGO_PKG_VERSION"))?;
    let record = boot_record();
    let caches = if record.caches_were_on() { "on" } else { "off" };
    writeln!(
        out,
        "entry     EL{}, MMU {caches}, x0 {:#x}",
        record.level, record.x0
    )?;
    ipi::ping_others();
    write!(out, "cores    ")?;
    for core in 0..raspi3::CORES {
        write!(out, " {core} {}", Condition::of(core))?;
    }
    writeln!(out)?;
    machine::describe(out)?;
    Ok(())
}

/// `log`
pub(super) fn log(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    boot_log::replay(out)?;
    Ok(())
}

/// `watchdog`
pub(super) fn watchdog(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => return watchdog_state(out),
        ["off"] => {
            watchdog::disarm();
            writeln!(out, "off")?;
        }
        [word] => {
            let seconds = number_from(1, Ticks::MAX_SECONDS.into(), word)?;
            writeln!(out, "armed: {seconds} s without the shell reset the board")?;
            if machine::is_qemu() {
                writeln!(out, "but this is QEMU, which does not count: it resets now")?;
            }
            // An emulator may take the reset at once.
            console::flush();
            watchdog::arm(seconds)?;
        }
        _ => return Err(CommandError::wrong_count()),
    }
    Ok(())
}

/// The paragraphs that `help watchdog` shows below the usage.
pub(super) fn watchdog_details(out: &mut dyn Write) -> fmt::Result {
    let most = Ticks::MAX_SECONDS;
    writeln!(
        out,
        "  SECONDS is from 1 to {most}. Without arguments: whether it is armed."
    )?;
    writeln!(out, "  QEMU's resets at once, whatever the time.")
}

fn watchdog_state(out: &mut dyn Write) -> Result<(), CommandError> {
    match watchdog::state() {
        None => writeln!(out, "off")?,
        Some(Armed { period, left }) => {
            write!(out, "armed, {period} from each feed on, ")?;
            match left {
                Some(left) => writeln!(out, "{left} left")?,
                None => writeln!(out, "but the registers say off")?,
            }
        }
    }
    Ok(())
}

/// `reboot`
pub(super) fn reboot(arguments: &[&str], _: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    end(End::Reset, "rebooting")
}

/// `halt`
pub(super) fn halt(arguments: &[&str], _: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    end(End::Halt, "halted")
}

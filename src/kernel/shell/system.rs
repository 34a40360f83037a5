//! Commands about the machine as a whole.
#![forbid(unsafe_code)]

use core::fmt::Write;

use super::{CommandError, no_arguments};
use crate::board::raspi3;
use crate::console::parse_u64;
use crate::drivers::watchdog::Ticks;
use crate::kernel::ending::{End, end};
use crate::kernel::record::boot_record;
use crate::kernel::watchdog::{self, Armed};
use crate::kernel::{console, log as boot_log, machine, smp};

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
    write!(out, "cores    ")?;
    for core in 0..raspi3::CORES {
        write!(out, " {core} {}", smp::state(core))?;
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
            let seconds = parse_u64(word)?;
            Ticks::from_seconds(seconds)?;
            writeln!(out, "armed: {seconds} s without the shell reset the board")?;
            // An emulator may take the reset at once.
            console::flush();
            watchdog::arm(seconds)?;
        }
        _ => return Err(CommandError::Usage),
    }
    Ok(())
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

//! Commands about the machine as a whole.
#![forbid(unsafe_code)]

use core::fmt::Write;

use super::{CommandError, no_arguments};
use crate::arch::aarch64::cpu;
use crate::board::raspi3;
use crate::drivers::watchdog::{Ticks, Watchdog};
use crate::kernel::console::{self, registers};
use crate::kernel::record::boot_record;
use crate::kernel::{log as boot_log, machine, smp};

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

/// `reboot`
pub(super) fn reboot(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    writeln!(out, "rebooting")?;
    console::flush();
    watchdog().reset(Ticks::SOON);
    cpu::stop()
}

/// `halt`
pub(super) fn halt(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    writeln!(out, "halted")?;
    console::flush();
    watchdog().halt();
    cpu::stop()
}

fn watchdog() -> Watchdog {
    cpu::device_barrier();
    Watchdog::new(registers(raspi3::POWER_MANAGEMENT))
}

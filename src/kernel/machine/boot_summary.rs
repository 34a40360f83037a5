//! The description of the machine in the boot log.
#![forbid(unsafe_code)]

use core::fmt;

use super::handed::{Handed, What};
use super::{Cores, Machine};
use crate::board::raspi3;
use crate::drivers::facts::{Origin, Text};
use crate::drivers::ram::{Decision, Judged, UNRESERVED};
use crate::kernel::log::{self as boot_log, Level};
use crate::text::{Hertz, Size};
use crate::{log, warning};

/// Columns that a line of the log leaves for a command line.
const COLUMNS: usize = 56;

/// Logs what was found.
pub(crate) fn report(machine: &Machine) {
    let facts = &machine.handed.facts;
    match &machine.revision {
        _ if !facts.model.as_str().is_empty() => log!("model", "{}", facts.model.as_str()),
        Ok(revision) => log!("model", "{revision} ({:#x})", revision.0),
        Err(error) => log!("model", "unknown: {error}"),
    }
    report_handed(machine.handed, machine.ram);
    report_ram(machine.ram);
    for judged in machine.reserved.judged() {
        match judged.reservation.origin {
            Origin::Initrd => log!("initrd", "{}", Disk(judged)),
            _ => log!("reserve", "{judged}"),
        }
    }
    log!(
        "uart",
        "{} baud from a clock of {}",
        raspi3::CONSOLE_BAUD,
        Hertz(machine.uart_clock.hz.into())
    );
}

/// Logs what the loader handed over, and what is odd about it.
fn report_handed(handed: &Handed, ram: &Decision) {
    let facts = &handed.facts;
    log!("tree", "{}{}", handed.what, Cores(facts.cores));
    let topic = match handed.what {
        What::Tree(_) => "tree",
        What::Atags { at, .. } => {
            log!("atags", "list at {:#x}", at.as_usize());
            "atags"
        }
        What::Nothing { .. } => return,
    };
    let warn = |what: &dyn fmt::Display| {
        boot_log::line(Level::Warning, format_args!("{topic:<7} warning: {what}"));
    };
    for oddity in facts.oddities.iter() {
        if oddity.is_wrong() {
            warn(oddity);
        } else {
            boot_log::line(Level::Info, format_args!("{topic:<7} {oddity}"));
        }
    }
    if facts.oddities.left_out() > 0 {
        warn(&format_args!("{} more", facts.oddities.left_out()));
    }
    for range in ram.past_limit.iter() {
        warn(&format_args!(
            "memory {range} past the end of RAM: not used"
        ));
    }
    if let Some(refused) = ram.loader_refused {
        warn(&format_args!("its memory is not believed: {refused}"));
        boot_log::line(
            Level::Info,
            format_args!("{topic:<7} its reservations are kept"),
        );
    }
    if ram.kernel_left_out {
        warn(&"its memory leaves out the kernel");
    }
    for range in facts.usable.iter().flat_map(|usable| usable.iter()) {
        let size = Size(range.size() as u64);
        boot_log::line(
            Level::Info,
            format_args!("{topic:<7} only {range} {size} may be used"),
        );
    }
    report_bootargs(&facts.bootargs);
}

/// Logs the command line, all of it that is kept.
fn report_bootargs<const N: usize>(text: &Text<N>) {
    let mut rest = text.as_str();
    while let Some((row, more)) = rest.split_at_checked(COLUMNS) {
        log!("bootargs", "{row}");
        rest = more;
    }
    let end = if text.is_truncated() { "..." } else { "" };
    if !rest.is_empty() || text.is_truncated() {
        log!("bootargs", "{rest}{end}");
    }
}

/// Logs what is RAM, and what there is to warn about.
fn report_ram(ram: &Decision) {
    if let Some(bytes) = ram.too_little {
        warning!("ram", "{bytes:#x} bytes in one piece are too little");
    }
    if let Some(doubt) = ram.doubt {
        warning!("ram", "reservations may be missing:");
        log!("ram", "{doubt}");
        log!("ram", "only {UNRESERVED} is used");
    }
    for range in ram.ram.iter() {
        let size = Size(range.size() as u64);
        log!("ram", "{range} {size} ({})", ram.source);
    }
    if let Some(share) = ram.videocore {
        let size = Size(share.size() as u64);
        log!("vc", "{share} {size} is the VideoCore's");
    }
    if let Some(differ) = ram.differ {
        warning!("ram", "{differ}");
    }
    if let Some(overlap) = ram.overlap {
        warning!("ram", "{overlap}");
    }
    for (who, refused) in [
        ("mailbox", ram.mailbox_refused),
        ("mailbox, about the VideoCore,", ram.videocore_refused),
    ] {
        if let Some(refused) = refused {
            warning!("ram", "the {who} is not believed: {refused}");
        }
    }
}

/// The initial RAM disk, with its size.
pub(super) struct Disk(pub(super) Judged);

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.0, Size(self.0.reservation.size))
    }
}

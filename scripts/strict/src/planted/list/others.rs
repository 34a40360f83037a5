//! Words for observers without caches: the parking loops, the spin table, what secondary cores read
//! before their MMU is on, and the events that wake them.

use super::super::code::Cut;
use super::super::plant::Plant;
use super::ways::{CACHED, CORES, EL2, EL3, fault};
use crate::entry::Entry;

/// The ways in with the firmware's loop.
const SPINNING: &[Entry] = &[Entry::Firmware, Entry::UBoot];

pub(super) const PLANTS: &[Plant] = &[
    fault!("RELEASED word not cleaned",
        "stilt::kernel::cores::secondary_boot::release": "1: [dc civac, *]" => "nop")
    .by(EL3),
    fault!("RELEASED word: dc civac -> dc ivac",
        "stilt::kernel::cores::secondary_boot::release": "1: [dc civac, *]" => "dc ivac")
    .by(EL3),
    fault!("RELEASED word: dc civac -> dc cvau",
        "stilt::kernel::cores::secondary_boot::release": "1: [dc civac, *]" => "dc cvau")
    .by(EL3),
    fault!("spin table not cleaned",
        "stilt::kernel::cores::secondary_boot::release": "2: [dc civac, *]" => "nop")
    .by(SPINNING),
    fault!("spin table: dc civac -> dc cvac (855873)",
        "stilt::kernel::cores::secondary_boot::release": "2: [dc civac, *]" => "dc cvac")
    .by(SPINNING),
    fault!("release: every dsb before sev dropped",
        "stilt::kernel::cores::secondary_boot::release": "[dsb sy]; [dsb sy]; hint #4" => "nop")
    .by(CORES),
    fault!("release: one of two dsb before sev dropped",
        "stilt::kernel::cores::secondary_boot::release": "[dsb sy]; hint #4" => "nop")
    .by(EL2)
    .harmless("the other one completes the store and its cleaning (DDI 0487 B2.3.9)"),
    fault!("release: dmb before sev",
        "stilt::kernel::cores::secondary_boot::release": "[dsb sy]; [dsb sy]; hint #4" => "dmb sy")
    .by(CORES),
    fault!("release: sev dropped",
        "stilt::kernel::cores::secondary_boot::release": "[hint #4]" => "nop")
    .by(CORES),
    fault!("release: sevl instead of sev",
        "stilt::kernel::cores::secondary_boot::release": "[hint #4]" => "=0xd50320bf")
    .by(CORES),
    fault!("let_online: word not cleaned",
        "stilt::kernel::cores::smp::let_online_those_alive": "[dc civac, *]" => "nop")
    .by(CORES),
    fault!("let_online: every dsb before sev dropped",
        "stilt::kernel::cores::smp::let_online_those_alive": "[dsb sy]; *; [dsb sy]; hint #4"
            => "nop")
    .by(CORES),
    fault!("let_online: sev dropped",
        "stilt::kernel::cores::smp::let_online_those_alive": "[hint #4]" => "nop")
    .by(CORES),
    fault!("SECONDARY_DATA not cleaned",
        "stilt::kernel::cores::smp::start": "[dc civac, *]" => "nop",
        "stilt::kernel::cores::smp::let_online_those_alive": "[dc civac, *]" => "nop")
    .by(CORES),
    fault!("SECONDARY_DATA: every second line cleaned",
        "stilt::kernel::cores::smp::start": "dc civac, *; [add *, *, *]" => "^0x400",
        "stilt::kernel::cores::smp::let_online_those_alive": "[dc civac, *]; add *" => "nop")
    .by(CORES),
    fault!("CPU_BOOT_STATUS not invalidated before core 0 reads",
        "stilt::kernel::cores::secondary_boot::is_alive": "[dc civac, *]" => "nop")
    .by(CORES),
    fault!("CPU_BOOT_STATUS: read before the dsb",
        "stilt::kernel::cores::secondary_boot::is_alive": "[dsb sy]" => "nop")
    .harmless("DC and a load of one address are in order on one core (DDI 0487 D7.5.9)")
    .by(CORES),
    fault!("CPU_BOOT_STATUS: dc civac -> dc cvau",
        "stilt::kernel::cores::secondary_boot::is_alive": "[dc civac, *]" => "dc cvau")
    .by(CORES),
    fault!("spin table: the address of another core",
        "stilt::kernel::cores::secondary_boot::release": "2: [dc civac, *]" => "^0x1",
        "stilt::kernel::cores::secondary_boot::release": "2: [dc civac, *]" => "dc ivac")
    .by(SPINNING),
    fault!("release: sev before dsb",
        "stilt::kernel::cores::secondary_boot::release": "dsb sy; [dsb sy]; [hint #4]" => "swap")
    .by(CORES)
    .harmless("the other DSB stands before it (DDI 0487 B2.3.9)"),
    fault!("release: sev before both dsb",
        "stilt::kernel::cores::secondary_boot::release": "[dsb sy]; dsb sy; [hint #4]" => "swap",
        "stilt::kernel::cores::secondary_boot::release": "dc civac, *; ..; [dsb sy]; hint #4"
            => "nop")
    .by(CORES),
    fault!("a core's boot status: dsb dropped",
        "secondary_start": "str x2, *; [dsb sy]" => "nop")
    .by(CORES)
    .harmless("an uncached store reaches memory in finite time (DDI 0487 B2.3.1)"),
    fault!("the rest of SECONDARY_DATA read before its word: dsb dropped",
        "secondary_start": "[dsb sy]; movz x20, *" => "nop")
    .by(CORES)
    .harmless("a branch on the word, and ISBs, stand before the other reads (DDI 0487 B2.3.3)"),
    fault!("console's flag for the early report not cleaned",
        "stilt::kernel::machine::discover": "[dc civac, *]" => "dc cvac")
    .by(CACHED),
];

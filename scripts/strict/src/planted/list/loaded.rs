//! The entry with MMU and caches on: what a loader left dirty goes to memory before they are off.

use super::super::code::Cut;
use super::super::plant::Plant;
use super::ways::{CACHED, fault};

pub(super) const PLANTS: &[Plant] = &[
    fault!("caches-on entry: dc civac -> dc cvac (855873)",
        "clean_invalidate": "[dc civac, *]" => "dc cvac")
    .by(CACHED),
    fault!("caches-on entry: dc civac -> dc ivac",
        "clean_invalidate": "[dc civac, *]" => "dc ivac")
    .by(CACHED),
    fault!("caches-on entry: dc civac -> dc cvau",
        "clean_invalidate": "[dc civac, *]" => "dc cvau")
    .by(CACHED),
    fault!("caches-on entry: dc civac dropped",
        "clean_invalidate": "[dc civac, *]" => "nop")
    .by(CACHED),
    fault!("caches-on entry: dc cisw",
        "clean_invalidate": "[dc civac, *]" => "dc cisw")
    .by(CACHED),
    fault!("caches-on entry: every second line cleaned",
        "clean_invalidate": "[movz x3, #4]" => "movz 8 0")
    .by(CACHED),
    fault!("caches-on entry: the last 128 KiB not cleaned",
        "leave_caches": "[adr x1, *]; bl *" => "adr -131072")
    .by(CACHED),
    fault!("caches-on entry: nothing called",
        "leave_to_el1": "mrs x23, sctlr_el2; [bl *]" => "nop")
    .by(CACHED),
    fault!("caches-on entry: ic iallu dropped",
        "leave_caches": "[ic iallu]" => "nop")
    .by(CACHED),
    fault!("caches-on entry: dsb after cleaning dropped",
        "leave_caches": "[dsb sy]; ic iallu" => "nop")
    .by(CACHED),
    fault!("caches-on entry: both dsb dropped",
        "leave_caches": "[dsb sy]" => "nop")
    .by(CACHED),
];

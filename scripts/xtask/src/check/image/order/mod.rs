//! The order of barriers and maintenance. An emulator has no stale cache line and no second core's
//! view of memory, so a missing barrier changes nothing there.
//!
//! There are three kinds of rules. This file has those of an instruction, wherever it stands: a
//! write to a translation register is followed by an ISB before an instruction relies on it,
//! maintenance by a DSB, a DSB stands between a store and the SEV that announces it, and an ISB
//! before the read of a counter (DDI 0487 B2.3, D8.16, D12.1). `places` has the rules of certain
//! functions: how the MMU is turned on, what comes first at EL3, which registers are written whole.
//! `devices` has that of accesses to two devices.
//!
//! # Decisions
//!
//! A rule follows every path that control can take, through calls and back to each caller. Values
//! and the ends of ranges are not checked here: tests compare registers, and each driver's own
//! tests the rest.

#![forbid(unsafe_code)]

mod devices;
mod places;
mod walk;

use a64::Instruction;
use a64::system::SystemRegister;

use super::effect::{Effect, effect};
use super::program::Program;
use crate::check::report::{Report, Violation};
use walk::{AtTheEnd, Met, Walk};

pub(in crate::check) use devices::check as check_devices;
pub(in crate::check) use places::check as check_places;

const SCTLR: [SystemRegister; 3] = [
    SystemRegister::new(3, 0, 1, 0, 0),
    SystemRegister::new(3, 4, 1, 0, 0),
    SystemRegister::new(3, 6, 1, 0, 0),
];
/// The translation registers TTBR0_EL1, TTBR1_EL1, TCR_EL1 and MAIR_EL1.
const TRANSLATION: [SystemRegister; 4] = [
    SystemRegister::new(3, 0, 2, 0, 0),
    SystemRegister::new(3, 0, 2, 0, 1),
    SystemRegister::new(3, 0, 2, 0, 2),
    SystemRegister::new(3, 0, 10, 2, 0),
];
/// The counters CNTPCT_EL0 and CNTVCT_EL0.
const COUNTERS: [SystemRegister; 2] = [
    SystemRegister::new(3, 3, 14, 0, 1),
    SystemRegister::new(3, 3, 14, 0, 2),
];

/// The sections of assembly, in which a DSB must stand before the end of the function. A function
/// in Rust may leave it to its caller.
const ASSEMBLY: [&str; 3] = [".park", ".init", ".early"];

/// The functions that may use maintenance of one core alone: the core starts, or gives up a mapping
/// that no other core has, or begins a generation of ASIDs, as each core does for itself.
const LOCAL_MAINTENANCE: [&str; 7] = [
    "leave_to_el1",
    "leave_caches",
    "enable_mmu_and_enter_kernel",
    "secondary_start",
    "give_up_low_half",
    "kernel_secondary",
    "forget_last_generation",
];

/// The largest distance from a counter's read back to its ISB, in instructions: the compiler keeps
/// their order, but may build constants in between (two of 64 bits take eight instructions).
const COUNTER_DISTANCE: u64 = 10;

/// Checks every instruction that has an effect.
pub(in crate::check) fn check(program: &Program) -> Report {
    let walk = Walk::new(program);
    let mut count = 0;
    let mut violations = Vec::new();
    for section in program.executable_sections() {
        let at_the_end = if ASSEMBLY.contains(&section.name.as_str()) {
            AtTheEnd::Forbidden
        } else {
            AtTheEnd::Allowed
        };
        for (address, word) in program.instructions(&section.range()) {
            let Some(system) = effect(word) else {
                continue;
            };
            count += 1;
            let rule = broken_rule(program, &walk, address, system, at_the_end);
            violations.extend(rule.map(|rule| Violation {
                place: program.describe(address),
                rule,
            }));
        }
    }
    Report {
        name: "order",
        counted: format!("{count} system instructions"),
        violations,
    }
}

/// The rule that the instruction at `address` breaks, if it breaks one.
fn broken_rule(
    program: &Program,
    walk: &Walk<'_>,
    address: u64,
    system: Effect,
    at_the_end: AtTheEnd,
) -> Option<String> {
    let from_here = |at_the_end, judge: fn(Instruction) -> Met| {
        walk.first_forbidden(address + 4, at_the_end, judge)
    };
    let told = |rule: &str, place: u64| format!("{rule}: see {}", program.describe(place));
    match system {
        Effect::Write(register) if SCTLR.contains(&register) => {
            let place = from_here(AtTheEnd::Forbidden, until_isb_at_once)?;
            Some(told("SCTLR is written without an isb behind it", place))
        }
        Effect::Write(register) if TRANSLATION.contains(&register) => {
            let rule = "a translation register is written without an isb before what relies on it";
            from_here(AtTheEnd::Forbidden, until_isb).map(|place| told(rule, place))
        }
        Effect::TlbiLocal | Effect::TlbiBroadcast | Effect::IcLocal | Effect::IcBroadcast => {
            local_maintenance(program, address, system)
                .or_else(|| {
                    from_here(at_the_end, until_dsb)
                        .map(|place| told("maintenance that no dsb waits for", place))
                })
                .or_else(|| {
                    let is_broadcast = system == Effect::TlbiBroadcast;
                    is_broadcast.then(|| published(program, walk, address))?
                })
        }
        Effect::DcInvalidate | Effect::DcCleanInvalidate => {
            from_here(AtTheEnd::Forbidden, until_dsb)
                .map(|place| told("cache maintenance that no dsb waits for", place))
        }
        Effect::DcClean => Some(
            "`dc cvac` or `cvau` may lose what another core writes (Cortex-A53 erratum 855873): \
             `dc civac`"
                .into(),
        ),
        Effect::Sev => {
            let before = program.instruction(address - 4);
            let is_dsb = before.is_some_and(Instruction::is_dsb);
            (!is_dsb).then(|| "an event without a dsb between it and what it announces".into())
        }
        Effect::Read(register) if COUNTERS.contains(&register) => {
            let mut before = (1..=COUNTER_DISTANCE).map(|words| address - 4 * words);
            let isb =
                before.any(|place| program.instruction(place).is_some_and(Instruction::is_isb));
            (!isb)
                .then(|| "a counter is read without an isb before it: it may be read early".into())
        }
        _ => None,
    }
}

/// Behind a write to a translation register: until an ISB there may be no TLBI, no write of SCTLR
/// and no end of the path.
fn until_isb(word: Instruction) -> Met {
    match effect(word) {
        Some(Effect::Isb) => Met::Wanted,
        Some(Effect::TlbiLocal | Effect::TlbiBroadcast) => Met::Forbidden,
        Some(Effect::Write(register)) if SCTLR.contains(&register) => Met::Forbidden,
        _ => Met::Nothing,
    }
}

/// Behind a write to SCTLR, which changes this level's own MMU or caches: until an ISB there may
/// also be no load, store or branch.
fn until_isb_at_once(word: Instruction) -> Met {
    match until_isb(word) {
        Met::Nothing if word.is_load_store() || word.is_branch() => Met::Forbidden,
        met => met,
    }
}

/// Behind maintenance: until a DSB it is not complete, so there may be no ISB (which waits for no
/// maintenance), no SEV and no write of SCTLR.
fn until_dsb(word: Instruction) -> Met {
    match effect(word) {
        Some(Effect::Dsb) => Met::Wanted,
        Some(Effect::Isb | Effect::Sev) => Met::Forbidden,
        Some(Effect::Write(register)) if SCTLR.contains(&register) => Met::Forbidden,
        _ => Met::Nothing,
    }
}

/// Maintenance of the executing core alone, in a function that is not allowed it: other cores may
/// hold the invalidated entries.
fn local_maintenance(program: &Program, address: u64, system: Effect) -> Option<String> {
    if !matches!(system, Effect::TlbiLocal | Effect::IcLocal) {
        return None;
    }
    let function = program.function_at(address);
    let name = function.map_or("", |function| function.name.as_str());
    let may = LOCAL_MAINTENANCE
        .iter()
        .any(|allowed| name.ends_with(allowed));
    (!may).then(|| "maintenance for this core alone: others may hold what it invalidates".into())
}

/// A broadcast TLBI that some path from the start of its function reaches without a DSB: the store
/// to the table may not be visible yet.
fn published(program: &Program, walk: &Walk<'_>, address: u64) -> Option<String> {
    let start = program.function_at(address)?.range.start;
    let until = |word: Instruction| match effect(word) {
        Some(Effect::Dsb) => Met::Wanted,
        Some(Effect::TlbiBroadcast) => Met::Forbidden,
        _ => Met::Nothing,
    };
    let place = walk.first_forbidden(start, AtTheEnd::Allowed, until)?;
    (place == address).then(|| "invalidated for all without a dsb after what was written".into())
}

#[cfg(test)]
mod tests;

//! Rules of certain functions of the boot and of the vectors: which instructions they must have,
//! and in which order.
//!
//! Sources: DDI 0487 D8.2 (enabling the MMU), D24.2 (the registers that a reset leaves unknown);
//! Cortex-A53 DDI 0500 4.3.66 and 4.3.67 (ACTLR, CPUECTLR); BCM2835 ARM Peripherals 1.3 (two
//! devices).

#![forbid(unsafe_code)]

use a64::Instruction;
use a64::system::SystemRegister;

use super::walk::{AtTheEnd, Met, Walk};
use crate::check::image::effect::{Effect, effect};
use crate::check::image::program::{Function, Program};
use crate::check::report::{Report, Violation};

/// The labels at the entry of the high half: before each the MMU is turned on.
const HIGH_ENTRIES: [&str; 2] = ["enter_high_half", "secondary_enters_high_half"];
/// The function that leaves the boot's exception level for EL1.
const LEAVE: &str = "leave_to_el1";
/// The label at which it begins at EL3.
const AT_EL3: &str = "at_el3";
/// The function that writes back lines that a loader left in the caches.
const LEAVE_CACHES: &str = "leave_caches";
/// The function that writes the boot's tables with the caches off.
const BOOT_TABLES: &str = "init_kernel_pt";
/// The routine that saves the interrupted registers, and the handler that it calls.
const SAVE_FRAME: &str = "save_frame";
const HANDLER: &str = "kernel_exception";

const SCTLR_EL1: SystemRegister = SystemRegister::new(3, 0, 1, 0, 0);
const CPUECTLR_EL1: SystemRegister = SystemRegister::new(3, 1, 15, 2, 1);

/// The registers that a reset leaves unknown, or a loader may have changed: each is written whole
/// on the way to EL1.
const WRITTEN: [(SystemRegister, &str); 29] = [
    (SystemRegister::new(3, 6, 12, 0, 0), "VBAR_EL3"),
    (SystemRegister::new(3, 6, 1, 0, 0), "SCTLR_EL3"),
    (SystemRegister::new(3, 6, 1, 1, 0), "SCR_EL3"),
    (SystemRegister::new(3, 6, 1, 3, 1), "MDCR_EL3"),
    (SystemRegister::new(3, 6, 1, 1, 2), "CPTR_EL3"),
    (SystemRegister::new(3, 6, 1, 0, 1), "ACTLR_EL3"),
    (SystemRegister::new(3, 6, 4, 0, 0), "SPSR_EL3"),
    (SystemRegister::new(3, 6, 4, 0, 1), "ELR_EL3"),
    (CPUECTLR_EL1, "CPUECTLR_EL1"),
    (SystemRegister::new(3, 1, 11, 0, 2), "L2CTLR_EL1"),
    (SystemRegister::new(3, 3, 14, 0, 0), "CNTFRQ_EL0"),
    (SystemRegister::new(3, 4, 1, 0, 1), "ACTLR_EL2"),
    (SystemRegister::new(3, 4, 12, 0, 0), "VBAR_EL2"),
    (SystemRegister::new(3, 4, 1, 0, 0), "SCTLR_EL2"),
    (SystemRegister::new(3, 4, 1, 1, 0), "HCR_EL2"),
    (SystemRegister::new(3, 4, 14, 1, 0), "CNTHCTL_EL2"),
    (SystemRegister::new(3, 4, 14, 0, 3), "CNTVOFF_EL2"),
    (SystemRegister::new(3, 4, 1, 1, 2), "CPTR_EL2"),
    (SystemRegister::new(3, 4, 1, 1, 3), "HSTR_EL2"),
    (SystemRegister::new(3, 4, 2, 1, 0), "VTTBR_EL2"),
    (SystemRegister::new(3, 4, 0, 0, 0), "VPIDR_EL2"),
    (SystemRegister::new(3, 4, 0, 0, 5), "VMPIDR_EL2"),
    (SystemRegister::new(3, 4, 1, 1, 1), "MDCR_EL2"),
    (SCTLR_EL1, "SCTLR_EL1"),
    (SystemRegister::new(3, 0, 12, 0, 0), "VBAR_EL1"),
    (SystemRegister::new(3, 0, 1, 0, 2), "CPACR_EL1"),
    (SystemRegister::new(2, 0, 0, 2, 2), "MDSCR_EL1"),
    (SystemRegister::new(3, 0, 14, 1, 0), "CNTKCTL_EL1"),
    (SystemRegister::new(3, 0, 2, 0, 0), "TTBR0_EL1"),
];

/// The registers of [`WRITTEN`] that are also read there: SCTLR_ELx tells whether the caches were
/// on, and CNTFRQ_EL0 is kept if its value is possible.
const ALSO_READ: [&str; 4] = ["SCTLR_EL3", "SCTLR_EL2", "SCTLR_EL1", "CNTFRQ_EL0"];

/// Checks these functions.
pub(in crate::check) fn check(program: &Program) -> Report {
    let mut places = Places {
        program,
        violations: Vec::new(),
        count: 0,
    };
    for label in HIGH_ENTRIES {
        places.turns_the_mmu_on(label);
    }
    places.sets_smpen_first();
    places.writes_registers_whole();
    places.writes_a_loaders_caches_back();
    places.drops_stale_lines_of_the_tables();
    places.keeps_devices_apart();
    Report {
        name: "places",
        counted: format!("{} places", places.count),
        violations: places.violations,
    }
}

struct Places<'a> {
    program: &'a Program,
    violations: Vec<Violation>,
    count: usize,
}

impl<'a> Places<'a> {
    fn report(&mut self, place: String, rule: String) {
        self.violations.push(Violation { place, rule });
    }

    /// The function that contains the symbol or label `name`, and its address. A missing name is a
    /// violation: without it the rule would look at nothing, and pass.
    fn place(&mut self, name: &str) -> Option<(&'a Function, u64)> {
        self.count += 1;
        let address = self.program.address_of(name);
        let found = address.and_then(|address| Some((self.program.function_at(address)?, address)));
        if found.is_none() {
            self.report(name.into(), "no such symbol".into());
        }
        found
    }

    fn system(&self, from: u64, to: u64) -> Vec<Effect> {
        let range = from..to;
        let words = self.program.instructions(&range);
        words.filter_map(|(_, word)| effect(word)).collect()
    }

    /// Before SCTLR.M is set, TLB and instruction cache are invalidated, and a DSB and an ISB
    /// follow: a reset leaves both unknown.
    fn turns_the_mmu_on(&mut self, label: &str) {
        let Some((function, address)) = self.place(label) else {
            return;
        };
        let all = self.system(function.range.start, address);
        let enable = all
            .iter()
            .rposition(|system| *system == Effect::Write(SCTLR_EL1));
        let Some(before) = enable.map(|at| &all[..at]) else {
            return self.report(label.into(), "SCTLR_EL1 is not written before it".into());
        };
        for (first, last) in [
            (Effect::TlbiLocal, "tlbi vmalle1"),
            (Effect::IcLocal, "ic iallu"),
        ] {
            let wanted = [Effect::Isb, first, Effect::Dsb, Effect::Isb];
            if !has_in_order(before, &wanted) {
                let rule =
                    format!("isb, {last}, dsb, isb do not come in this order before the MMU is on");
                self.report(label.into(), rule);
            }
        }
    }

    /// At EL3, CPUECTLR_EL1.SMPEN is set before any maintenance.
    fn sets_smpen_first(&mut self) {
        let Some((_, address)) = self.place(AT_EL3) else {
            return;
        };
        let until_smpen = |word: Instruction| match effect(word) {
            Some(Effect::Write(register)) if register == CPUECTLR_EL1 => Met::Wanted,
            Some(
                Effect::TlbiLocal
                | Effect::TlbiBroadcast
                | Effect::IcLocal
                | Effect::IcBroadcast
                | Effect::DcInvalidate
                | Effect::DcCleanInvalidate
                | Effect::DcClean,
            ) => Met::Forbidden,
            _ => Met::Nothing,
        };
        let walk = Walk::new(self.program);
        if let Some(place) = walk.first_forbidden(address, AtTheEnd::Forbidden, until_smpen) {
            let place = self.program.describe(place);
            self.report(
                place,
                "maintenance at EL3 before CPUECTLR_EL1.SMPEN is set".into(),
            );
        }
    }

    /// Each register of [`WRITTEN`] is written, and none is read to be modified.
    fn writes_registers_whole(&mut self) {
        let Some((function, _)) = self.place(LEAVE) else {
            return;
        };
        let all = self.system(function.range.start, function.range.end);
        for (register, name) in WRITTEN {
            if !all.contains(&Effect::Write(register)) {
                self.report(LEAVE.into(), format!("{name} is not written"));
            }
            if all.contains(&Effect::Read(register)) && !ALSO_READ.contains(&name) {
                self.report(
                    LEAVE.into(),
                    format!("{name} is read: it is unknown after a reset"),
                );
            }
        }
    }

    /// A loader's dirty lines are written back, and its instructions invalidated.
    fn writes_a_loaders_caches_back(&mut self) {
        let Some((function, address)) = self.place(LEAVE_CACHES) else {
            return;
        };
        let all = self.system(address, function.range.end);
        if !has_in_order(
            &all,
            &[Effect::Dsb, Effect::IcLocal, Effect::Dsb, Effect::Isb],
        ) {
            let rule = "dsb, ic iallu, dsb, isb do not come in this order after the cleaning";
            self.report(LEAVE_CACHES.into(), rule.into());
        }
        let words = self.program.instructions(&function.range);
        let calls: Vec<u64> = words
            .filter(|(_, word)| word.is_call())
            .filter_map(|(address, word)| word.branch_target(address))
            .collect();
        let cleans = calls.iter().any(|target| {
            let callee = self.program.function_at(*target);
            callee.is_some_and(|callee| {
                self.system(callee.range.start, callee.range.end)
                    .contains(&Effect::DcCleanInvalidate)
            })
        });
        if !cleans {
            self.report(
                LEAVE_CACHES.into(),
                "it calls nothing that has a `dc civac`".into(),
            );
        }
    }

    /// Lines over memory that was written with the caches off are stale: they are invalidated, and
    /// never written back.
    fn drops_stale_lines_of_the_tables(&mut self) {
        let Some((function, _)) = self.place(BOOT_TABLES) else {
            return;
        };
        let all = self.system(function.range.start, function.range.end);
        if !all.contains(&Effect::DcInvalidate) {
            self.report(
                BOOT_TABLES.into(),
                "no `dc ivac` over the fresh tables".into(),
            );
        }
        if all.contains(&Effect::DcCleanInvalidate) {
            let rule = "`dc civac` would write a stale line over the fresh tables: `dc ivac`";
            self.report(BOOT_TABLES.into(), rule.into());
        }
    }

    /// A barrier stands between the interrupted code, which may have a read of another device under
    /// way, and the handler (BCM2835 ARM Peripherals, 1.3).
    fn keeps_devices_apart(&mut self) {
        let Some((function, _)) = self.place(SAVE_FRAME) else {
            return;
        };
        let handler = self.program.address_of(HANDLER);
        let mut words = self.program.instructions(&function.range);
        let call = words.find(|(address, word)| {
            word.is_branch() && word.branch_target(*address) == handler && handler.is_some()
        });
        let Some((call, _)) = call else {
            return self.report(SAVE_FRAME.into(), format!("it does not call {HANDLER}"));
        };
        let before = self.system(function.range.start, call);
        if !before
            .iter()
            .any(|system| matches!(system, Effect::Dmb | Effect::Dsb))
        {
            let rule = "no barrier between what the interrupted code reads and the handler";
            self.report(SAVE_FRAME.into(), rule.into());
        }
    }
}

/// Whether `all` contains the effects `wanted` in this order, with any others in between.
fn has_in_order(all: &[Effect], wanted: &[Effect]) -> bool {
    let mut all = all.iter();
    wanted.iter().all(|system| all.any(|found| found == system))
}

#[cfg(test)]
mod tests;

//! Rules about the way from power-on to the MMU: levels, registers, TLB, caches.

use super::event::{Barrier, Event};
use super::rule::Rule;
use crate::registers::sctlr;
use crate::registers::{ROWS, Reg};

/// SMPEN of CPUECTLR_EL1.
const SMPEN: u64 = 1 << 6;

/// Registers of EL3 that steer lower levels.
const BELOW_EL3: [Reg; 5] = [
    Reg::SCR_EL3,
    Reg::CPTR_EL3,
    Reg::MDCR_EL3,
    Reg::SCTLR_EL2,
    Reg::HCR_EL2,
];

/// Registers that armstub8 sets at EL3, beside those that steer lower levels.
const POLICY_OF_EL3: [Reg; 5] = [
    Reg::ACTLR_EL3,
    Reg::ACTLR_EL2,
    Reg::SCTLR_EL3,
    Reg::VBAR_EL3,
    Reg::VBAR_EL2,
];

/// Registers of EL2 that steer EL1 and EL0.
const BELOW_EL2: [Reg; 10] = [
    Reg::HCR_EL2,
    Reg::CNTHCTL_EL2,
    Reg::CNTVOFF_EL2,
    Reg::CPTR_EL2,
    Reg::HSTR_EL2,
    Reg::MDCR_EL2,
    Reg::VPIDR_EL2,
    Reg::VMPIDR_EL2,
    Reg::VTTBR_EL2,
    Reg::SCTLR_EL1,
];

/// Registers of EL1 that steer EL0, or what a debugger and a counter may do there.
const BELOW_EL1: [Reg; 4] = [
    Reg::CPACR_EL1,
    Reg::CNTKCTL_EL1,
    Reg::MDSCR_EL1,
    Reg::PMUSERENR_EL0,
];

/// Progress of an invalidation that must be complete before its effect is relied on.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
enum Progress {
    /// None, or undone by what was written since.
    #[default]
    No,
    /// Issued.
    Issued,
    /// Complete by a DSB.
    Complete,
    /// Complete, and an ISB has been executed behind it.
    Synchronized,
}

impl Progress {
    fn barrier(&mut self, barrier: Barrier) {
        *self = match (*self, barrier) {
            // A DSB for loads or stores alone does not complete an invalidation.
            (Self::Issued, Barrier::Synchronization(option)) if option & 0b11 == 0b11 => {
                Self::Complete
            }
            (Self::Complete, Barrier::Instruction) => Self::Synchronized,
            (progress, _) => progress,
        }
    }
}

/// The state of one core's rules.
pub(crate) struct Boot {
    written: [bool; ROWS.len()],
    coherent: bool,
    /// SMPEN was set, and no ISB has been executed behind it.
    coherence_is_late: bool,
    maintained: bool,
    cached: bool,
    is_first: bool,
    /// The loader has left the MMU and the caches on.
    entered_with_caches: bool,
    mmu_on: bool,
    tlb: Progress,
    instructions: Progress,
}

impl Default for Boot {
    /// A core behind its reset.
    fn default() -> Self {
        Self::entered(&[], 0)
    }
}

impl Boot {
    /// A core whose loader has written registers, and has left CPUECTLR_EL1 with a value.
    pub(crate) fn entered(registers: &[Reg], extended_control: u64) -> Self {
        let mut written = [false; ROWS.len()];
        for register in registers {
            written[*register as usize] = true;
        }
        Self {
            written,
            coherent: extended_control & SMPEN != 0,
            coherence_is_late: false,
            maintained: false,
            cached: false,
            is_first: false,
            entered_with_caches: false,
            mmu_on: false,
            tlb: Progress::No,
            instructions: Progress::No,
        }
    }

    /// The core is core 0.
    pub(crate) fn first(mut self) -> Self {
        self.is_first = true;
        self
    }

    /// The loader has left the MMU and the caches on.
    pub(crate) fn with_caches(mut self) -> Self {
        self.entered_with_caches = true;
        self
    }

    /// Whether the core has had its caches on.
    pub(super) fn has_cached(&self) -> bool {
        self.cached
    }

    pub(super) fn see(&mut self, event: Event, broken: &mut Vec<(Rule, String)>) {
        match event {
            Event::Exclusive { cached, coherent } => {
                if !cached {
                    broken.push((
                        Rule::ExclusiveUncached,
                        "the memory is not cached".to_owned(),
                    ));
                } else if !coherent {
                    broken.push((
                        Rule::ExclusiveBeforeSmpen,
                        "CPUECTLR_EL1.SMPEN is 0".to_owned(),
                    ));
                }
            }
            Event::DeviceAbort => broken.push((Rule::UnalignedMmuOff, "the MMU is off".to_owned())),
            Event::CacheMaintenance { clean_only } => {
                self.maintain(broken);
                if clean_only {
                    broken.push((Rule::CleanOnly, "CPUACTLR_EL1.ENDCCASCI is 0".to_owned()));
                }
            }
            Event::SetWay => self.maintain(broken),
            Event::DirtyOverFresh(address) => {
                let detail = format!("the line at {address:#x}");
                broken.push((Rule::InvalidateDirty, detail));
            }
            Event::InstructionCache { whole } => {
                self.maintain(broken);
                if whole {
                    self.instructions = self.instructions.max(Progress::Issued);
                }
            }
            Event::TlbMaintenance { whole } => {
                self.maintain(broken);
                if whole {
                    self.tlb = self.tlb.max(Progress::Issued);
                }
            }
            Event::Barrier(barrier) => {
                self.tlb.barrier(barrier);
                self.instructions.barrier(barrier);
                self.coherence_is_late &= barrier != Barrier::Instruction;
            }
            Event::DependsOnPending => {
                let detail = "no ISB since the register was written".to_owned();
                broken.push((Rule::Unsynchronized, detail));
            }
            Event::Write(register, value) => self.write(register, value, broken),
            Event::LevelLeft { from, to } => {
                self.leave(from, to, broken);
                if from == 3 {
                    self.policy(broken);
                }
            }
            Event::Exception { level } => self.exception(level, broken),
            _ => {}
        }
    }

    fn write(&mut self, register: Reg, value: u64, broken: &mut Vec<(Rule, String)>) {
        self.written[register as usize] = true;
        match register {
            Reg::CPUECTLR_EL1 if value & SMPEN != 0 && !self.coherent => {
                self.coherent = true;
                self.coherence_is_late = true;
                if self.maintained {
                    let detail = "maintenance was executed before".to_owned();
                    broken.push((Rule::SmpenLate, detail));
                }
            }
            Reg::SCTLR_EL1 => {
                self.leave_caches(value, broken);
                self.control(value, broken);
            }
            Reg::SCTLR_EL2 | Reg::SCTLR_EL3 => self.leave_caches(value, broken),
            Reg::VBAR_EL1 | Reg::VBAR_EL2 | Reg::VBAR_EL3 if value & 0x7ff != 0 => {
                let name = register.row().name;
                let detail = format!("{name} = {value:#x} is no multiple of 2048");
                broken.push((Rule::NoVectors, detail));
            }
            _ => {}
        }
    }

    /// Cache or TLB maintenance of any kind.
    fn maintain(&mut self, broken: &mut Vec<(Rule, String)>) {
        self.maintained = true;
        if self.coherence_is_late {
            let detail = "no ISB since CPUECTLR_EL1.SMPEN was set".to_owned();
            broken.push((Rule::SmpenLate, detail));
        }
    }

    /// A write of SCTLR_ELx that switches off the MMU and the caches that a loader has left on: the
    /// instruction cache may hold what lay at the image's addresses before it was loaded.
    fn leave_caches(&mut self, value: u64, broken: &mut Vec<(Rule, String)>) {
        let off = value & (sctlr::M | sctlr::C) == 0;
        if off
            && std::mem::take(&mut self.entered_with_caches)
            && self.instructions < Progress::Complete
        {
            let detail = "the caches that the loader left on are switched off".to_owned();
            broken.push((Rule::StaleInstructions, detail));
        }
    }

    /// A write of SCTLR_EL1.
    fn control(&mut self, value: u64, broken: &mut Vec<(Rule, String)>) {
        let mut breaks = |rule, detail: &str| broken.push((rule, detail.to_owned()));
        let on = value & sctlr::M != 0;
        if on && !self.mmu_on {
            if self.tlb != Progress::Synchronized {
                breaks(Rule::StaleTlb, self.tlb.missing("TLBI"));
            }
            if value & sctlr::I != 0 && self.instructions != Progress::Synchronized {
                breaks(Rule::StaleInstructions, self.instructions.missing("IC"));
            }
        }
        self.mmu_on = on;
        if value & sctlr::C != 0 {
            self.cached = true;
            if !self.coherent {
                breaks(Rule::SmpenLate, "the data cache is on and SMPEN is 0");
            }
        }
    }

    fn leave(&self, from: u8, to: u8, broken: &mut Vec<(Rule, String)>) {
        let lists: [(u8, &[Reg]); 3] = [(3, &BELOW_EL3), (2, &BELOW_EL2), (1, &BELOW_EL1)];
        for (level, registers) in lists {
            if from < level || to >= level {
                continue;
            }
            for register in registers {
                if !self.written[*register as usize] {
                    let name = register.row().name;
                    let detail = format!("to EL{to}, {name} was never written");
                    broken.push((Rule::LevelLeft, detail));
                }
            }
        }
    }

    /// EL3 is left: what the firmware's stub would have set was not.
    fn policy(&self, broken: &mut Vec<(Rule, String)>) {
        // One register for all cores (DDI 0500 4.3.65): core 0 writes it.
        let shared = self.is_first.then_some(Reg::L2CTLR_EL1);
        for register in POLICY_OF_EL3.into_iter().chain(shared) {
            if !self.written[register as usize] {
                let name = register.row().name;
                broken.push((Rule::Policy, format!("{name} was never written")));
            }
        }
    }

    fn exception(&self, level: u8, broken: &mut Vec<(Rule, String)>) {
        let register = match level {
            3 => Reg::VBAR_EL3,
            2 => Reg::VBAR_EL2,
            _ => Reg::VBAR_EL1,
        };
        let name = register.row().name;
        if !self.written[register as usize] {
            broken.push((Rule::NoVectors, format!("{name} was never written")));
        }
    }
}

impl Progress {
    fn missing(self, what: &str) -> &'static str {
        match (self, what) {
            (Self::No, "TLBI") => "no TLBI of the regime",
            (Self::No, _) => "no IC IALLU",
            (Self::Issued, _) => "no DSB behind it",
            (Self::Complete | Self::Synchronized, _) => "no ISB behind its DSB",
        }
    }
}

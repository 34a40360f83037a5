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

/// Registers of EL1 that steer what it does from its first exception on.
const EARLY_AT_EL1: [Reg; 5] = [
    Reg::VBAR_EL1,
    Reg::MDSCR_EL1,
    Reg::CPACR_EL1,
    Reg::CNTKCTL_EL1,
    Reg::PMUSERENR_EL0,
];

/// Bits that are reserved as 1 in Armv8.0.
const RES1: [(Reg, u64); 5] = [
    (Reg::SCTLR_EL1, 0x30d0_0800),
    (Reg::SCTLR_EL2, 0x30c5_0830),
    (Reg::SCTLR_EL3, 0x30c5_0830),
    (Reg::SCR_EL3, 0x30),
    (Reg::CPTR_EL2, 0x33ff),
];

/// Whether a register steers a level, so that its value is to be known.
pub(super) fn steers(register: Reg) -> bool {
    let controls = [Reg::SCTLR_EL1, Reg::SCTLR_EL2, Reg::SCTLR_EL3];
    [&BELOW_EL3[..], &BELOW_EL2, &BELOW_EL1, &controls]
        .iter()
        .any(|registers| registers.contains(&register))
}

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
    is_first: bool,
    maintained: bool,
    cached: bool,
    /// SCTLR_ELx as written last, by level; 0 if nobody wrote it.
    controls: [u64; 4],
    /// Invalidations of the TLB, by the regime's level.
    tlb: [Progress; 4],
    /// The tables of a level were switched off, and its translations are kept.
    kept: [bool; 4],
    instructions: Progress,
    /// An exception was taken to a level without vectors.
    lost: bool,
    /// Lines are being cleaned: no DSB yet.
    cleaning: bool,
    /// Lines are being cleaned or invalidated: no DSB yet.
    maintaining: bool,
}

/// SCTLR_ELx of each level.
const CONTROLS: [Reg; 3] = [Reg::SCTLR_EL1, Reg::SCTLR_EL2, Reg::SCTLR_EL3];

impl Default for Boot {
    /// A core behind its reset.
    fn default() -> Self {
        Self::entered(&[])
    }
}

impl Boot {
    /// A core whose loader has written registers.
    pub(crate) fn entered(registers: &[(Reg, u64)]) -> Self {
        let mut written = [false; ROWS.len()];
        for (register, _) in registers {
            written[*register as usize] = true;
        }
        let value = |wanted| {
            let found = registers.iter().rfind(|(register, _)| *register == wanted);
            found.map_or(0, |(_, value)| *value)
        };
        let [control_1, control_2, control_3] = CONTROLS.map(value);
        Self {
            written,
            coherent: value(Reg::CPUECTLR_EL1) & SMPEN != 0,
            coherence_is_late: false,
            is_first: false,
            maintained: false,
            cached: false,
            controls: [0, control_1, control_2, control_3],
            tlb: [Progress::No; 4],
            kept: [false; 4],
            instructions: Progress::No,
            lost: false,
            cleaning: false,
            maintaining: false,
        }
    }

    /// The core is core 0.
    pub(crate) fn first(mut self) -> Self {
        self.is_first = true;
        self
    }

    /// Nobody has used EL1's tables since power-on: this core's reset leaves its TLB and its caches
    /// empty (DDI 0500 6.2.4 for the caches).
    pub(crate) fn never_translated_at_el1(&mut self) {
        self.tlb[1] = Progress::Synchronized;
        self.instructions = Progress::Synchronized;
    }

    /// Whether the core has had its caches on.
    pub(super) fn has_cached(&self) -> bool {
        self.cached
    }

    pub(super) fn see(&mut self, event: Event, broken: &mut Vec<(Rule, String)>) {
        match event {
            Event::Exclusive {
                cached, coherent, ..
            } => {
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
            Event::CacheMaintenance { cleans, clean_only } => {
                self.maintain(broken);
                self.maintaining = true;
                self.cleaning |= cleans;
                if clean_only {
                    broken.push((Rule::CleanOnly, "CPUACTLR_EL1.ENDCCASCI is 0".to_owned()));
                }
            }
            Event::SetWay => self.maintain(broken),
            Event::DirtyOverFresh(address) => {
                let detail = format!("the line at {address:#x}");
                broken.push((Rule::InvalidateDirty, detail));
            }
            Event::MixedUse(address) => {
                let detail = format!("the line of {address:#x}, which the core wrote uncached");
                broken.push((Rule::MixedUse, detail));
            }
            Event::InstructionCache { whole } => {
                self.maintain(broken);
                if self.cleaning {
                    broken.push((
                        Rule::StaleInstructions,
                        "no DSB behind DC, before it".to_owned(),
                    ));
                }
                if whole {
                    self.instructions = self.instructions.max(Progress::Issued);
                }
            }
            Event::TlbMaintenance { whole } => {
                self.maintain(broken);
                if let Some(level) = whole {
                    let progress = &mut self.tlb[usize::from(level & 3)];
                    *progress = (*progress).max(Progress::Issued);
                }
            }
            Event::Sev if self.maintaining => {
                broken.push((Rule::EventEarly, "no DSB behind the last DC".to_owned()));
            }
            Event::Barrier(barrier) => self.barrier(barrier),
            Event::DependsOnPending => {
                broken.push((
                    Rule::Unsynchronized,
                    "no ISB since the register was written".to_owned(),
                ));
            }
            Event::Write(register, value) => self.write(register, value, broken),
            Event::LevelLeft { from, to } => {
                self.leave(from, to, broken);
                if from == 3 {
                    self.policy(broken);
                }
            }
            Event::Exception { level, syndrome } => self.exception(level, syndrome, broken),
            _ => {}
        }
    }

    fn write(&mut self, register: Reg, value: u64, broken: &mut Vec<(Rule, String)>) {
        self.written[register as usize] = true;
        if register == Reg::TCR_EL1
            && let Some(field) = reserved_field(value)
        {
            let detail = format!("TCR_EL1 = {value:#x}: {field} is reserved");
            broken.push((Rule::ReservedBits, detail));
        }
        let reserved = RES1.iter().find(|(known, _)| *known == register);
        if let Some(missing) = reserved.map(|(_, bits)| bits & !value)
            && missing != 0
        {
            let detail = format!("{} without {missing:#x}", register.row().name);
            broken.push((Rule::ReservedBits, detail));
        }
        match register {
            Reg::CPUECTLR_EL1 if value & SMPEN != 0 && !self.coherent => {
                self.coherent = true;
                self.coherence_is_late = true;
                if self.maintained {
                    let detail = "maintenance was executed before".to_owned();
                    broken.push((Rule::SmpenLate, detail));
                }
            }
            Reg::SCTLR_EL1 => self.control(1, value, broken),
            Reg::SCTLR_EL2 => self.control(2, value, broken),
            Reg::SCTLR_EL3 => self.control(3, value, broken),
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

    fn barrier(&mut self, barrier: Barrier) {
        for progress in &mut self.tlb {
            progress.barrier(barrier);
        }
        self.instructions.barrier(barrier);
        self.coherence_is_late &= barrier != Barrier::Instruction;
        if let Barrier::Synchronization(option) = barrier
            && option & 0b11 == 0b11
        {
            self.cleaning = false;
            self.maintaining = false;
        }
    }

    /// A write of SCTLR_ELx.
    fn control(&mut self, level: usize, value: u64, broken: &mut Vec<(Rule, String)>) {
        let mut breaks = |rule, detail: &str| broken.push((rule, detail.to_owned()));
        let before = std::mem::replace(&mut self.controls[level], value);
        let [on, off] = [value & !before, before & !value];
        let tlb = self.tlb[level];
        if on & sctlr::M != 0 && level == 1 {
            for register in EARLY_AT_EL1 {
                if !self.written[register as usize] {
                    let name = register.row().name;
                    breaks(Rule::EarlyState, &format!("{name} was never written"));
                }
            }
            if tlb != Progress::Synchronized {
                breaks(Rule::StaleTlb, tlb.missing("TLBI"));
            }
            if value & sctlr::I != 0 && self.instructions != Progress::Synchronized {
                breaks(Rule::StaleInstructions, self.instructions.missing("IC"));
            }
        }
        if off & sctlr::M != 0 {
            self.kept[level] = true;
            self.tlb[level] = Progress::No;
        }
        // A cache that goes off may keep words, and give them out (DDI 0487 B2.2.5).
        if off & sctlr::I != 0 && self.instructions < Progress::Complete {
            breaks(Rule::StaleInstructions, self.instructions.missing("IC"));
        }
        if value & sctlr::C != 0 && level == 1 {
            self.cached = true;
            if !self.coherent {
                breaks(Rule::SmpenLate, "the data cache is on and SMPEN is 0");
            }
        }
    }

    /// A level is left: one finding for the registers that nobody has written yet.
    fn leave(&mut self, from: u8, to: u8, broken: &mut Vec<(Rule, String)>) {
        for level in to + 1..=from {
            let level = usize::from(level & 3);
            if std::mem::take(&mut self.kept[level]) && self.tlb[level] < Progress::Complete {
                let detail = format!("to EL{to}, no TLBI ALLE{level} since its MMU is off");
                broken.push((Rule::KeptTranslations, detail));
            }
        }
        if (from, to) == (2, 1) && !self.written[Reg::VBAR_EL2 as usize] {
            let detail = "to EL1, VBAR_EL2 was never written".to_owned();
            broken.push((Rule::EarlyState, detail));
        }
        let lists: [(u8, &[Reg]); 3] = [(3, &BELOW_EL3), (2, &BELOW_EL2), (1, &BELOW_EL1)];
        let left = lists
            .iter()
            .filter(|(level, _)| (to + 1..=from).contains(level))
            .flat_map(|(_, registers)| *registers);
        let missing: Vec<&str> = left
            .filter(|register| !std::mem::replace(&mut self.written[**register as usize], true))
            .map(|register| register.row().name)
            .collect();
        if !missing.is_empty() {
            let detail = format!("to EL{to}, never written: {}", missing.join(", "));
            broken.push((Rule::LevelLeft, detail));
        }
    }

    fn exception(&mut self, level: u8, syndrome: Option<u64>, broken: &mut Vec<(Rule, String)>) {
        let register = match level {
            3 => Reg::VBAR_EL3,
            2 => Reg::VBAR_EL2,
            _ => Reg::VBAR_EL1,
        };
        let name = register.row().name;
        // What follows the first one is no program's doing.
        if !self.written[register as usize] && !std::mem::replace(&mut self.lost, true) {
            let taken = match syndrome {
                Some(syndrome) => format!("{} (syndrome {syndrome:#x})", class_of(syndrome)),
                None => "an interrupt".to_owned(),
            };
            broken.push((
                Rule::NoVectors,
                format!("{name} was never written, and {taken} is taken"),
            ));
        }
    }
}

/// The kind of an exception by ESR_ELx.EC (DDI 0487 D24.2.40).
fn class_of(syndrome: u64) -> &'static str {
    match syndrome >> 26 & 0x3f {
        0x00 => "an undefined instruction",
        0x07 => "a trap of floating point and SIMD",
        0x0e => "an illegal execution state",
        0x15..=0x17 => "a call (SVC, HVC, SMC)",
        0x18 => "a trap of a system register",
        0x20 | 0x21 => "an instruction abort",
        0x22 => "a misaligned program counter",
        0x24 | 0x25 => "a data abort",
        0x26 => "a misaligned stack pointer",
        _ => "an exception",
    }
}

/// The first field of TCR_EL1 whose value is reserved.
fn reserved_field(tcr: u64) -> Option<&'static str> {
    let field = |low: u32, mask: u64| tcr >> low & mask;
    let walked = |disabled: u32| field(disabled, 1) == 0;
    let fields = [
        ("IPS", field(32, 0b111) > 5),
        ("SH0", walked(7) && field(12, 0b11) == 1),
        ("TG0", walked(7) && field(14, 0b11) == 3),
        ("SH1", walked(23) && field(28, 0b11) == 1),
        ("TG1", walked(23) && field(30, 0b11) == 0),
    ];
    let found = fields.iter().find(|(_, reserved)| *reserved);
    found.map(|(name, _)| *name)
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

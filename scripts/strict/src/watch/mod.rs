//! The watch: sees what the cores do, and says which rule was broken. It never changes a run.
//!
//! | module | contents |
//! |---|---|
//! | `event` | what the cores tell |
//! | `rule` | the rules' texts |
//! | `boot` | rules about levels, registers, and the MMU's switching on |
//! | `devices` | rules about peripherals |
//! | `tables` | rules about live tables |

mod boot;
mod devices;
mod event;
mod rule;
mod tables;

pub(crate) use event::{Barrier, Event, Missing};
pub use rule::{Lint, Rule, Scope, Text};

use crate::board::{Board, Notice};
use crate::registers::Reg;
pub(crate) use boot::Boot;
use devices::Devices;

/// A broken rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The core that broke it.
    pub core: usize,
    /// The virtual address of the instruction.
    pub at: u64,
    /// The values of this case.
    pub detail: String,
    /// The virtual address of another instruction that it depends on: the store that was not
    /// followed.
    pub because: Option<u64>,
}

/// A write of a register that steers a level.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SteeringWrite {
    /// The core.
    pub(crate) core: usize,
    /// The virtual address of the instruction.
    pub(crate) at: u64,
    /// The register.
    pub(crate) register: Reg,
    /// The value.
    pub(crate) value: u64,
}

/// So many of these writes are kept: a boot has some 20 on each core.
const MOST_WRITES: usize = 128;

/// More findings of a run are not kept: one place that repeats is one finding.
const MOST: usize = 1000;

/// The state of all rules.
pub(crate) struct Watch {
    on: bool,
    lint: Lint,
    findings: Vec<Finding>,
    steering: Vec<SteeringWrite>,
    boot: [Boot; crate::board::CORES],
    devices: [Devices; crate::board::CORES],
}

impl Watch {
    /// A watch over a machine's first instructions; `on` is false for an emulator.
    pub(crate) fn new(on: bool, lint: Lint) -> Self {
        Self {
            on,
            lint,
            findings: Vec::new(),
            steering: Vec::new(),
            boot: std::array::from_fn(|_| Boot::default()),
            devices: std::array::from_fn(|_| Devices::default()),
        }
    }

    /// The broken rules, in the order in which they were met.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The first writes of registers that steer a level.
    pub(crate) fn steering(&self) -> &[SteeringWrite] {
        &self.steering
    }

    /// The registers that a way in has set on a core count as written.
    pub(crate) fn entered(&mut self, core: usize, boot: Boot) {
        self.boot[core] = boot;
    }

    /// Whether any other core than `core` has had its caches on.
    fn others_cache(&self, core: usize) -> bool {
        let others = self.boot.iter().enumerate();
        others
            .filter(|(number, _)| *number != core)
            .any(|(_, boot)| boot.has_cached())
    }

    /// An event of a core, by the instruction at `at`.
    pub(crate) fn event(&mut self, core: usize, at: u64, event: Event) {
        if !self.on {
            return;
        }
        if let Event::Write(register, value) = event
            && boot::steers(register)
            && self.steering.len() < MOST_WRITES
        {
            self.steering.push(SteeringWrite {
                core,
                at,
                register,
                value,
            });
        }
        let mut broken = Vec::new();
        if matches!(event, Event::SetWay) && self.others_cache(core) {
            broken.push((Rule::SetWay, "another core's caches are on".to_owned()));
        }
        if let Event::Exclusive { shared: false, .. } = event
            && self.others_cache(core)
        {
            let detail = "another core's caches are on".to_owned();
            broken.push((Rule::ExclusiveNotShared, detail));
        }
        self.devices[core].see(event, &mut broken);
        self.boot[core].see(event, &mut broken);
        tables::see(event, &mut broken);
        let because = event.because();
        for (rule, detail) in broken {
            self.add(Finding {
                rule,
                core,
                at,
                detail,
                because,
            });
        }
    }

    /// A notice of the devices about an access of a core.
    pub(crate) fn notice(&mut self, core: usize, at: u64, notice: Notice) {
        let Some((rule, detail)) = devices::notice(notice) else {
            return;
        };
        if self.on {
            self.add(Finding {
                rule,
                core,
                at,
                detail,
                because: None,
            });
        }
    }

    fn add(&mut self, finding: Finding) {
        let judged = finding.rule.text().lint == Lint::No || self.lint == Lint::Yes;
        if judged && !self.findings.contains(&finding) && self.findings.len() < MOST {
            self.findings.push(finding);
        }
    }
}

/// The peripheral of an address, for an event.
pub(crate) fn peripheral(address: u64) -> Option<crate::board::Peripheral> {
    Board::device_at(address)
}

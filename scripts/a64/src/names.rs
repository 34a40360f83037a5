//! Names of system registers and system instructions: DDI 0487 C5.3 to C5.5 and D24, those of
//! Armv8.0.
//!
//! The registers of breakpoints, watchpoints, event counters and of the interrupt controller, whose
//! number depends on the core, are printed by their fields.

use std::fmt;

use crate::system::{Operation, SystemRegister};

/// op0, op1, CRn, CRm, op2 and the name, sorted by the fields.
const REGISTERS: [([u16; 5], &str); 136] = [
    ([2, 0, 0, 2, 0], "mdccint_el1"),
    ([2, 0, 0, 2, 2], "mdscr_el1"),
    ([2, 0, 1, 0, 0], "mdrar_el1"),
    ([2, 0, 1, 0, 4], "oslar_el1"),
    ([2, 0, 1, 1, 4], "oslsr_el1"),
    ([2, 0, 1, 3, 4], "osdlr_el1"),
    ([2, 0, 1, 4, 4], "dbgprcr_el1"),
    ([3, 0, 0, 0, 0], "midr_el1"),
    ([3, 0, 0, 0, 5], "mpidr_el1"),
    ([3, 0, 0, 0, 6], "revidr_el1"),
    ([3, 0, 0, 4, 0], "id_aa64pfr0_el1"),
    ([3, 0, 0, 4, 1], "id_aa64pfr1_el1"),
    ([3, 0, 0, 5, 0], "id_aa64dfr0_el1"),
    ([3, 0, 0, 5, 1], "id_aa64dfr1_el1"),
    ([3, 0, 0, 5, 4], "id_aa64afr0_el1"),
    ([3, 0, 0, 5, 5], "id_aa64afr1_el1"),
    ([3, 0, 0, 6, 0], "id_aa64isar0_el1"),
    ([3, 0, 0, 6, 1], "id_aa64isar1_el1"),
    ([3, 0, 0, 7, 0], "id_aa64mmfr0_el1"),
    ([3, 0, 0, 7, 1], "id_aa64mmfr1_el1"),
    ([3, 0, 1, 0, 0], "sctlr_el1"),
    ([3, 0, 1, 0, 1], "actlr_el1"),
    ([3, 0, 1, 0, 2], "cpacr_el1"),
    ([3, 0, 2, 0, 0], "ttbr0_el1"),
    ([3, 0, 2, 0, 1], "ttbr1_el1"),
    ([3, 0, 2, 0, 2], "tcr_el1"),
    ([3, 0, 4, 0, 0], "spsr_el1"),
    ([3, 0, 4, 0, 1], "elr_el1"),
    ([3, 0, 4, 1, 0], "sp_el0"),
    ([3, 0, 4, 2, 0], "spsel"),
    ([3, 0, 4, 2, 2], "currentel"),
    ([3, 0, 5, 1, 0], "afsr0_el1"),
    ([3, 0, 5, 1, 1], "afsr1_el1"),
    ([3, 0, 5, 2, 0], "esr_el1"),
    ([3, 0, 6, 0, 0], "far_el1"),
    ([3, 0, 7, 4, 0], "par_el1"),
    ([3, 0, 9, 14, 1], "pmintenset_el1"),
    ([3, 0, 9, 14, 2], "pmintenclr_el1"),
    ([3, 0, 10, 2, 0], "mair_el1"),
    ([3, 0, 10, 3, 0], "amair_el1"),
    ([3, 0, 12, 0, 0], "vbar_el1"),
    ([3, 0, 12, 0, 1], "rvbar_el1"),
    ([3, 0, 12, 0, 2], "rmr_el1"),
    ([3, 0, 12, 1, 0], "isr_el1"),
    ([3, 0, 13, 0, 1], "contextidr_el1"),
    ([3, 0, 13, 0, 4], "tpidr_el1"),
    ([3, 0, 14, 1, 0], "cntkctl_el1"),
    ([3, 1, 0, 0, 0], "ccsidr_el1"),
    ([3, 1, 0, 0, 1], "clidr_el1"),
    ([3, 1, 0, 0, 7], "aidr_el1"),
    ([3, 2, 0, 0, 0], "csselr_el1"),
    ([3, 3, 0, 0, 1], "ctr_el0"),
    ([3, 3, 0, 0, 7], "dczid_el0"),
    ([3, 3, 4, 2, 0], "nzcv"),
    ([3, 3, 4, 2, 1], "daif"),
    ([3, 3, 4, 4, 0], "fpcr"),
    ([3, 3, 4, 4, 1], "fpsr"),
    ([3, 3, 4, 5, 0], "dspsr_el0"),
    ([3, 3, 4, 5, 1], "dlr_el0"),
    ([3, 3, 9, 12, 0], "pmcr_el0"),
    ([3, 3, 9, 12, 1], "pmcntenset_el0"),
    ([3, 3, 9, 12, 2], "pmcntenclr_el0"),
    ([3, 3, 9, 12, 3], "pmovsclr_el0"),
    ([3, 3, 9, 12, 5], "pmselr_el0"),
    ([3, 3, 9, 12, 6], "pmceid0_el0"),
    ([3, 3, 9, 12, 7], "pmceid1_el0"),
    ([3, 3, 9, 13, 0], "pmccntr_el0"),
    ([3, 3, 9, 13, 1], "pmxevtyper_el0"),
    ([3, 3, 9, 13, 2], "pmxevcntr_el0"),
    ([3, 3, 9, 14, 0], "pmuserenr_el0"),
    ([3, 3, 13, 0, 2], "tpidr_el0"),
    ([3, 3, 13, 0, 3], "tpidrro_el0"),
    ([3, 3, 14, 0, 0], "cntfrq_el0"),
    ([3, 3, 14, 0, 1], "cntpct_el0"),
    ([3, 3, 14, 0, 2], "cntvct_el0"),
    ([3, 3, 14, 2, 0], "cntp_tval_el0"),
    ([3, 3, 14, 2, 1], "cntp_ctl_el0"),
    ([3, 3, 14, 2, 2], "cntp_cval_el0"),
    ([3, 3, 14, 3, 0], "cntv_tval_el0"),
    ([3, 3, 14, 3, 1], "cntv_ctl_el0"),
    ([3, 3, 14, 3, 2], "cntv_cval_el0"),
    ([3, 4, 0, 0, 0], "vpidr_el2"),
    ([3, 4, 0, 0, 5], "vmpidr_el2"),
    ([3, 4, 1, 0, 0], "sctlr_el2"),
    ([3, 4, 1, 0, 1], "actlr_el2"),
    ([3, 4, 1, 1, 0], "hcr_el2"),
    ([3, 4, 1, 1, 1], "mdcr_el2"),
    ([3, 4, 1, 1, 2], "cptr_el2"),
    ([3, 4, 1, 1, 3], "hstr_el2"),
    ([3, 4, 1, 1, 7], "hacr_el2"),
    ([3, 4, 2, 0, 0], "ttbr0_el2"),
    ([3, 4, 2, 0, 2], "tcr_el2"),
    ([3, 4, 2, 1, 0], "vttbr_el2"),
    ([3, 4, 2, 1, 2], "vtcr_el2"),
    ([3, 4, 4, 0, 0], "spsr_el2"),
    ([3, 4, 4, 0, 1], "elr_el2"),
    ([3, 4, 4, 1, 0], "sp_el1"),
    ([3, 4, 5, 1, 0], "afsr0_el2"),
    ([3, 4, 5, 1, 1], "afsr1_el2"),
    ([3, 4, 5, 2, 0], "esr_el2"),
    ([3, 4, 6, 0, 0], "far_el2"),
    ([3, 4, 6, 0, 4], "hpfar_el2"),
    ([3, 4, 10, 2, 0], "mair_el2"),
    ([3, 4, 10, 3, 0], "amair_el2"),
    ([3, 4, 12, 0, 0], "vbar_el2"),
    ([3, 4, 12, 0, 2], "rmr_el2"),
    ([3, 4, 13, 0, 2], "tpidr_el2"),
    ([3, 4, 14, 0, 3], "cntvoff_el2"),
    ([3, 4, 14, 1, 0], "cnthctl_el2"),
    ([3, 4, 14, 2, 0], "cnthp_tval_el2"),
    ([3, 4, 14, 2, 1], "cnthp_ctl_el2"),
    ([3, 4, 14, 2, 2], "cnthp_cval_el2"),
    ([3, 6, 1, 0, 0], "sctlr_el3"),
    ([3, 6, 1, 0, 1], "actlr_el3"),
    ([3, 6, 1, 1, 0], "scr_el3"),
    ([3, 6, 1, 1, 1], "sder32_el3"),
    ([3, 6, 1, 1, 2], "cptr_el3"),
    ([3, 6, 1, 3, 1], "mdcr_el3"),
    ([3, 6, 2, 0, 0], "ttbr0_el3"),
    ([3, 6, 2, 0, 2], "tcr_el3"),
    ([3, 6, 4, 0, 0], "spsr_el3"),
    ([3, 6, 4, 0, 1], "elr_el3"),
    ([3, 6, 4, 1, 0], "sp_el2"),
    ([3, 6, 5, 1, 0], "afsr0_el3"),
    ([3, 6, 5, 1, 1], "afsr1_el3"),
    ([3, 6, 5, 2, 0], "esr_el3"),
    ([3, 6, 6, 0, 0], "far_el3"),
    ([3, 6, 10, 2, 0], "mair_el3"),
    ([3, 6, 10, 3, 0], "amair_el3"),
    ([3, 6, 12, 0, 0], "vbar_el3"),
    ([3, 6, 12, 0, 1], "rvbar_el3"),
    ([3, 6, 12, 0, 2], "rmr_el3"),
    ([3, 6, 13, 0, 2], "tpidr_el3"),
    ([3, 7, 14, 2, 0], "cntps_tval_el1"),
    ([3, 7, 14, 2, 1], "cntps_ctl_el1"),
    ([3, 7, 14, 2, 2], "cntps_cval_el1"),
];

/// op1, CRn, CRm, op2 and the name, sorted by the fields.
const OPERATIONS: [([u16; 4], &str); 55] = [
    ([0, 7, 1, 0], "ic ialluis"),
    ([0, 7, 5, 0], "ic iallu"),
    ([0, 7, 6, 1], "dc ivac"),
    ([0, 7, 6, 2], "dc isw"),
    ([0, 7, 8, 0], "at s1e1r"),
    ([0, 7, 8, 1], "at s1e1w"),
    ([0, 7, 8, 2], "at s1e0r"),
    ([0, 7, 8, 3], "at s1e0w"),
    ([0, 7, 10, 2], "dc csw"),
    ([0, 7, 14, 2], "dc cisw"),
    ([0, 8, 3, 0], "tlbi vmalle1is"),
    ([0, 8, 3, 1], "tlbi vae1is"),
    ([0, 8, 3, 2], "tlbi aside1is"),
    ([0, 8, 3, 3], "tlbi vaae1is"),
    ([0, 8, 3, 5], "tlbi vale1is"),
    ([0, 8, 3, 7], "tlbi vaale1is"),
    ([0, 8, 7, 0], "tlbi vmalle1"),
    ([0, 8, 7, 1], "tlbi vae1"),
    ([0, 8, 7, 2], "tlbi aside1"),
    ([0, 8, 7, 3], "tlbi vaae1"),
    ([0, 8, 7, 5], "tlbi vale1"),
    ([0, 8, 7, 7], "tlbi vaale1"),
    ([3, 7, 4, 1], "dc zva"),
    ([3, 7, 5, 1], "ic ivau"),
    ([3, 7, 10, 1], "dc cvac"),
    ([3, 7, 11, 1], "dc cvau"),
    ([3, 7, 14, 1], "dc civac"),
    ([4, 7, 8, 0], "at s1e2r"),
    ([4, 7, 8, 1], "at s1e2w"),
    ([4, 7, 8, 4], "at s12e1r"),
    ([4, 7, 8, 5], "at s12e1w"),
    ([4, 7, 8, 6], "at s12e0r"),
    ([4, 7, 8, 7], "at s12e0w"),
    ([4, 8, 0, 1], "tlbi ipas2e1is"),
    ([4, 8, 0, 5], "tlbi ipas2le1is"),
    ([4, 8, 3, 0], "tlbi alle2is"),
    ([4, 8, 3, 1], "tlbi vae2is"),
    ([4, 8, 3, 4], "tlbi alle1is"),
    ([4, 8, 3, 5], "tlbi vale2is"),
    ([4, 8, 3, 6], "tlbi vmalls12e1is"),
    ([4, 8, 4, 1], "tlbi ipas2e1"),
    ([4, 8, 4, 5], "tlbi ipas2le1"),
    ([4, 8, 7, 0], "tlbi alle2"),
    ([4, 8, 7, 1], "tlbi vae2"),
    ([4, 8, 7, 4], "tlbi alle1"),
    ([4, 8, 7, 5], "tlbi vale2"),
    ([4, 8, 7, 6], "tlbi vmalls12e1"),
    ([6, 7, 8, 0], "at s1e3r"),
    ([6, 7, 8, 1], "at s1e3w"),
    ([6, 8, 3, 0], "tlbi alle3is"),
    ([6, 8, 3, 1], "tlbi vae3is"),
    ([6, 8, 3, 5], "tlbi vale3is"),
    ([6, 8, 7, 0], "tlbi alle3"),
    ([6, 8, 7, 1], "tlbi vae3"),
    ([6, 8, 7, 5], "tlbi vale3"),
];

impl SystemRegister {
    /// The manual's name in small letters, if the table has it.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let found = REGISTERS.binary_search_by_key(&self.fields(), |(fields, _)| *fields);
        found.ok().map(|at| REGISTERS[at].1)
    }

    /// The register with this name, in small or capital letters.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = REGISTERS
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.map(|&([op0, op1, crn, crm, op2], _)| Self::new(op0, op1, crn, crm, op2))
    }

    /// Every register that has a name.
    pub fn all() -> impl Iterator<Item = Self> {
        REGISTERS
            .iter()
            .map(|&([op0, op1, crn, crm, op2], _)| Self::new(op0, op1, crn, crm, op2))
    }
}

impl fmt::Display for SystemRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => {
                let [op0, op1, crn, crm, op2] = self.fields();
                write!(f, "s{op0}_{op1}_c{crn}_c{crm}_{op2}")
            }
        }
    }
}

impl Operation {
    /// The instruction's name in small letters, `tlbi vae1is`, if the table has it.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let found = OPERATIONS.binary_search_by_key(&self.fields(), |(fields, _)| *fields);
        found.ok().map(|at| OPERATIONS[at].1)
    }

    /// Every operation that has a name.
    pub fn all() -> impl Iterator<Item = Self> {
        OPERATIONS
            .iter()
            .map(|&([op1, crn, crm, op2], _)| Self::new(op1, crn, crm, op2))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [op1, crn, crm, op2] = self.fields();
        write!(f, "#{op1}, c{crn}, c{crm}, #{op2}")
    }
}

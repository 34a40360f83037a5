//! The system registers of a Cortex-A53: DDI 0487 D24, and DDI 0500 4.3 for those of the core.

use Reset::{Fixed, Unknown};
use Use::{Context, Plain, ReadOnly};

/// The value of a register after a reset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reset {
    /// This value, or for a register with fields of its own the value of its fixed bits.
    Fixed(u64),
    /// Any value: architecturally UNKNOWN.
    Unknown,
}

/// The use of a register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Use {
    /// Identification: a write is UNDEFINED.
    ReadOnly,
    /// A value without delayed effects.
    Plain,
    /// Steers later instructions: the effect of a write needs a context synchronisation event.
    Context,
}

/// A row of the table of system registers.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The name in the manual.
    pub(crate) name: &'static str,
    /// op0, op1, CRn, CRm, op2.
    pub(crate) fields: [u16; 5],
    /// The value after a reset.
    pub(crate) reset: Reset,
    /// Who depends on a write, and when.
    pub(crate) kind: Use,
}

macro_rules! registers {
    ($($(#[$doc:meta])* $name:ident $fields:expr, $reset:expr, $kind:expr;)*) => {
        /// A modelled system register, by its place in [`ROWS`].
        #[expect(
            non_camel_case_types,
            clippy::upper_case_acronyms,
            reason = "the manual's names"
        )]
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub(crate) enum Reg { $($(#[$doc])* $name,)* }

        /// Every modelled register, in the order of [`Reg`].
        pub(crate) const ROWS: &[Row] = &[
            $(Row {
                name: stringify!($name),
                fields: $fields,
                reset: $reset,
                kind: $kind,
            },)*
        ];

        /// The registers in the order of [`ROWS`].
        pub(crate) const REGISTERS: &[Reg] = &[$(Reg::$name,)*];
    };
}

registers! {
    MIDR_EL1 [3, 0, 0, 0, 0], Fixed(0x410f_d034), ReadOnly;
    MPIDR_EL1 [3, 0, 0, 0, 5], Fixed(0x8000_0000), ReadOnly;
    REVIDR_EL1 [3, 0, 0, 0, 6], Fixed(0), ReadOnly;
    ID_PFR0_EL1 [3, 0, 0, 1, 0], Fixed(0x131), ReadOnly;
    ID_PFR1_EL1 [3, 0, 0, 1, 1], Fixed(0x1_1011), ReadOnly;
    ID_DFR0_EL1 [3, 0, 0, 1, 2], Fixed(0x0301_0066), ReadOnly;
    ID_AFR0_EL1 [3, 0, 0, 1, 3], Fixed(0), ReadOnly;
    ID_MMFR0_EL1 [3, 0, 0, 1, 4], Fixed(0x1010_1105), ReadOnly;
    ID_MMFR1_EL1 [3, 0, 0, 1, 5], Fixed(0x4000_0000), ReadOnly;
    ID_MMFR2_EL1 [3, 0, 0, 1, 6], Fixed(0x0126_0000), ReadOnly;
    ID_MMFR3_EL1 [3, 0, 0, 1, 7], Fixed(0x0210_2211), ReadOnly;
    ID_ISAR0_EL1 [3, 0, 0, 2, 0], Fixed(0x0210_1110), ReadOnly;
    ID_ISAR1_EL1 [3, 0, 0, 2, 1], Fixed(0x1311_2111), ReadOnly;
    ID_ISAR2_EL1 [3, 0, 0, 2, 2], Fixed(0x2123_2042), ReadOnly;
    ID_ISAR3_EL1 [3, 0, 0, 2, 3], Fixed(0x0111_2131), ReadOnly;
    ID_ISAR4_EL1 [3, 0, 0, 2, 4], Fixed(0x0001_1142), ReadOnly;
    ID_ISAR5_EL1 [3, 0, 0, 2, 5], Fixed(0x0001_0001), ReadOnly;
    MVFR0_EL1 [3, 0, 0, 3, 0], Fixed(0x1011_0222), ReadOnly;
    MVFR1_EL1 [3, 0, 0, 3, 1], Fixed(0x1211_1111), ReadOnly;
    MVFR2_EL1 [3, 0, 0, 3, 2], Fixed(0x43), ReadOnly;
    ID_AA64PFR0_EL1 [3, 0, 0, 4, 0], Fixed(0x2222), ReadOnly;
    ID_AA64PFR1_EL1 [3, 0, 0, 4, 1], Fixed(0), ReadOnly;
    ID_AA64DFR0_EL1 [3, 0, 0, 5, 0], Fixed(0x1030_5106), ReadOnly;
    ID_AA64DFR1_EL1 [3, 0, 0, 5, 1], Fixed(0), ReadOnly;
    ID_AA64ISAR0_EL1 [3, 0, 0, 6, 0], Fixed(0x1_0000), ReadOnly;
    ID_AA64ISAR1_EL1 [3, 0, 0, 6, 1], Fixed(0), ReadOnly;
    ID_AA64MMFR0_EL1 [3, 0, 0, 7, 0], Fixed(0x1122), ReadOnly;
    ID_AA64MMFR1_EL1 [3, 0, 0, 7, 1], Fixed(0), ReadOnly;
    CCSIDR_EL1 [3, 1, 0, 0, 0], Fixed(0x700f_e01a), ReadOnly;
    CLIDR_EL1 [3, 1, 0, 0, 1], Fixed(0x0a20_0023), ReadOnly;
    AIDR_EL1 [3, 1, 0, 0, 7], Fixed(0), ReadOnly;
    CSSELR_EL1 [3, 2, 0, 0, 0], Unknown, Plain;
    CTR_EL0 [3, 3, 0, 0, 1], Fixed(0x8444_8004), ReadOnly;
    DCZID_EL0 [3, 3, 0, 0, 7], Fixed(4), ReadOnly;

    SCTLR_EL1 [3, 0, 1, 0, 0], Unknown, Context;
    ACTLR_EL1 [3, 0, 1, 0, 1], Fixed(0), Plain;
    CPACR_EL1 [3, 0, 1, 0, 2], Unknown, Context;
    TTBR0_EL1 [3, 0, 2, 0, 0], Unknown, Context;
    TTBR1_EL1 [3, 0, 2, 0, 1], Unknown, Context;
    TCR_EL1 [3, 0, 2, 0, 2], Unknown, Context;
    SPSR_EL1 [3, 0, 4, 0, 0], Unknown, Plain;
    ELR_EL1 [3, 0, 4, 0, 1], Unknown, Plain;
    SP_EL0 [3, 0, 4, 1, 0], Unknown, Plain;
    SPSEL [3, 0, 4, 2, 0], Fixed(0), Plain;
    CURRENTEL [3, 0, 4, 2, 2], Fixed(0), ReadOnly;
    AFSR0_EL1 [3, 0, 5, 1, 0], Fixed(0), Plain;
    AFSR1_EL1 [3, 0, 5, 1, 1], Fixed(0), Plain;
    ESR_EL1 [3, 0, 5, 2, 0], Unknown, Plain;
    FAR_EL1 [3, 0, 6, 0, 0], Unknown, Plain;
    PAR_EL1 [3, 0, 7, 4, 0], Unknown, Plain;
    MAIR_EL1 [3, 0, 10, 2, 0], Unknown, Context;
    AMAIR_EL1 [3, 0, 10, 3, 0], Fixed(0), Plain;
    VBAR_EL1 [3, 0, 12, 0, 0], Unknown, Context;
    RVBAR_EL1 [3, 0, 12, 0, 1], Fixed(0), ReadOnly;
    ISR_EL1 [3, 0, 12, 1, 0], Fixed(0), ReadOnly;
    CONTEXTIDR_EL1 [3, 0, 13, 0, 1], Unknown, Plain;
    TPIDR_EL1 [3, 0, 13, 0, 4], Unknown, Plain;
    CNTKCTL_EL1 [3, 0, 14, 1, 0], Unknown, Context;

    NZCV [3, 3, 4, 2, 0], Fixed(0), Plain;
    DAIF [3, 3, 4, 2, 1], Fixed(0), Plain;
    FPCR [3, 3, 4, 4, 0], Unknown, Plain;
    FPSR [3, 3, 4, 4, 1], Unknown, Plain;
    TPIDR_EL0 [3, 3, 13, 0, 2], Unknown, Plain;
    TPIDRRO_EL0 [3, 3, 13, 0, 3], Unknown, Plain;

    MDCCINT_EL1 [2, 0, 0, 2, 0], Fixed(0), Plain;
    MDSCR_EL1 [2, 0, 0, 2, 2], Unknown, Context;
    OSLAR_EL1 [2, 0, 1, 0, 4], Fixed(0), Plain;
    OSLSR_EL1 [2, 0, 1, 1, 4], Fixed(0xa), ReadOnly;
    OSDLR_EL1 [2, 0, 1, 3, 4], Fixed(0), Plain;

    PMCR_EL0 [3, 3, 9, 12, 0], Fixed(0x4103_3000), Plain;
    PMCNTENSET_EL0 [3, 3, 9, 12, 1], Unknown, Plain;
    PMCNTENCLR_EL0 [3, 3, 9, 12, 2], Unknown, Plain;
    PMOVSCLR_EL0 [3, 3, 9, 12, 3], Unknown, Plain;
    PMSELR_EL0 [3, 3, 9, 12, 5], Unknown, Plain;
    PMCCNTR_EL0 [3, 3, 9, 13, 0], Unknown, Plain;
    PMCCFILTR_EL0 [3, 3, 14, 15, 7], Unknown, Plain;
    PMUSERENR_EL0 [3, 3, 9, 14, 0], Unknown, Plain;
    PMINTENSET_EL1 [3, 0, 9, 14, 1], Unknown, Plain;
    PMINTENCLR_EL1 [3, 0, 9, 14, 2], Unknown, Plain;

    CNTFRQ_EL0 [3, 3, 14, 0, 0], Unknown, Plain;
    CNTPCT_EL0 [3, 3, 14, 0, 1], Fixed(0), ReadOnly;
    CNTVCT_EL0 [3, 3, 14, 0, 2], Fixed(0), ReadOnly;
    CNTP_TVAL_EL0 [3, 3, 14, 2, 0], Fixed(0), Plain;
    CNTP_CTL_EL0 [3, 3, 14, 2, 1], Unknown, Plain;
    CNTP_CVAL_EL0 [3, 3, 14, 2, 2], Unknown, Plain;
    CNTV_TVAL_EL0 [3, 3, 14, 3, 0], Fixed(0), Plain;
    CNTV_CTL_EL0 [3, 3, 14, 3, 1], Unknown, Plain;
    CNTV_CVAL_EL0 [3, 3, 14, 3, 2], Unknown, Plain;
    CNTPS_TVAL_EL1 [3, 7, 14, 2, 0], Fixed(0), Plain;
    CNTPS_CTL_EL1 [3, 7, 14, 2, 1], Unknown, Plain;
    CNTPS_CVAL_EL1 [3, 7, 14, 2, 2], Unknown, Plain;

    VPIDR_EL2 [3, 4, 0, 0, 0], Unknown, Plain;
    VMPIDR_EL2 [3, 4, 0, 0, 5], Unknown, Plain;
    SCTLR_EL2 [3, 4, 1, 0, 0], Unknown, Context;
    ACTLR_EL2 [3, 4, 1, 0, 1], Fixed(0), Plain;
    HCR_EL2 [3, 4, 1, 1, 0], Unknown, Context;
    MDCR_EL2 [3, 4, 1, 1, 1], Unknown, Context;
    CPTR_EL2 [3, 4, 1, 1, 2], Unknown, Context;
    HSTR_EL2 [3, 4, 1, 1, 3], Unknown, Context;
    TTBR0_EL2 [3, 4, 2, 0, 0], Unknown, Context;
    TCR_EL2 [3, 4, 2, 0, 2], Unknown, Context;
    VTTBR_EL2 [3, 4, 2, 1, 0], Unknown, Context;
    VTCR_EL2 [3, 4, 2, 1, 2], Unknown, Context;
    SPSR_EL2 [3, 4, 4, 0, 0], Unknown, Plain;
    ELR_EL2 [3, 4, 4, 0, 1], Unknown, Plain;
    SP_EL1 [3, 4, 4, 1, 0], Unknown, Plain;
    ESR_EL2 [3, 4, 5, 2, 0], Unknown, Plain;
    FAR_EL2 [3, 4, 6, 0, 0], Unknown, Plain;
    HPFAR_EL2 [3, 4, 6, 0, 4], Unknown, Plain;
    MAIR_EL2 [3, 4, 10, 2, 0], Unknown, Context;
    VBAR_EL2 [3, 4, 12, 0, 0], Unknown, Context;
    TPIDR_EL2 [3, 4, 13, 0, 2], Unknown, Plain;
    CNTVOFF_EL2 [3, 4, 14, 0, 3], Unknown, Plain;
    CNTHCTL_EL2 [3, 4, 14, 1, 0], Unknown, Context;
    CNTHP_TVAL_EL2 [3, 4, 14, 2, 0], Fixed(0), Plain;
    CNTHP_CTL_EL2 [3, 4, 14, 2, 1], Unknown, Plain;
    CNTHP_CVAL_EL2 [3, 4, 14, 2, 2], Unknown, Plain;

    SCTLR_EL3 [3, 6, 1, 0, 0], Fixed(0x00c5_0838), Context;
    ACTLR_EL3 [3, 6, 1, 0, 1], Fixed(0), Plain;
    SCR_EL3 [3, 6, 1, 1, 0], Fixed(0), Context;
    CPTR_EL3 [3, 6, 1, 1, 2], Unknown, Context;
    MDCR_EL3 [3, 6, 1, 3, 1], Unknown, Context;
    TTBR0_EL3 [3, 6, 2, 0, 0], Unknown, Context;
    TCR_EL3 [3, 6, 2, 0, 2], Unknown, Context;
    SPSR_EL3 [3, 6, 4, 0, 0], Unknown, Plain;
    ELR_EL3 [3, 6, 4, 0, 1], Unknown, Plain;
    SP_EL2 [3, 6, 4, 1, 0], Unknown, Plain;
    ESR_EL3 [3, 6, 5, 2, 0], Unknown, Plain;
    FAR_EL3 [3, 6, 6, 0, 0], Unknown, Plain;
    MAIR_EL3 [3, 6, 10, 2, 0], Unknown, Context;
    VBAR_EL3 [3, 6, 12, 0, 0], Unknown, Context;
    TPIDR_EL3 [3, 6, 13, 0, 2], Unknown, Plain;

    /// CPUACTLR_EL1, DDI 0500 4.3.66.
    CPUACTLR_EL1 [3, 1, 15, 2, 0], Fixed(0x0000_0000_090c_a000), Plain;
    /// CPUECTLR_EL1, DDI 0500 4.3.67: SMPEN.
    CPUECTLR_EL1 [3, 1, 15, 2, 1], Fixed(0), Plain;
    /// L2CTLR_EL1, DDI 0500 4.3.65: four cores, and the latencies of the L2 cache's RAM.
    L2CTLR_EL1 [3, 1, 11, 0, 2], Fixed(0x0300_0000), Plain;
    /// L2ECTLR_EL1, DDI 0500 4.3.68.
    L2ECTLR_EL1 [3, 1, 11, 0, 3], Fixed(0), Plain;
    /// L2ACTLR_EL1, DDI 0500 4.3.69.
    L2ACTLR_EL1 [3, 1, 15, 0, 0], Fixed(0x8000_0000), Plain;
}

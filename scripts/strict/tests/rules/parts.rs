//! Parts that programs have in common. Each is right.
//!
//! RAM: the image at 0x8_0000, vectors at 0x8_0800, tables from 0x10_0000 up, data from 0x20_0000
//! up.

/// Vectors in which an exception stays, and the registers that EL1 is to know, all but MDSCR_EL1.
pub(crate) const ALL_BUT_DEBUG: &[&str] = &[
    "mov x9, #0x8_0800",
    "msr vbar_el1, x9",
    "msr cpacr_el1, xzr",
    "msr cntkctl_el1, xzr",
    "msr pmuserenr_el0, xzr",
    "isb",
];
/// And that one.
pub(crate) const DEBUG: &[&str] = &["msr mdscr_el1, xzr", "isb"];
/// All of them.
pub(crate) const VECTORS: &[&str] = &[
    "mov x9, #0x8_0800",
    "msr vbar_el1, x9",
    "msr cpacr_el1, xzr",
    "msr cntkctl_el1, xzr",
    "msr pmuserenr_el0, xzr",
    "msr mdscr_el1, xzr",
    "isb",
];

/// X1: a table of level 1, written with the caches off. It maps the first GiB as RAM, to itself,
/// and the second one to the devices behind it. Its leaves are not global (bit 11).
pub(crate) const TABLE: &[&str] = &[
    "mov x1, #0x10_0000",
    "mov x2, #0x10_0000",
    "mov x3, #512",
    ".word 0xf800845f", // str xzr, [x2], #8
    ".word 0xf1000463", // subs x3, x3, #1
    ".word 0x54ffffc1", // b.ne .-8
    "mov x0, #0xf01",
    "str x0, [x1]",
    "mov x0, #0x60_0000_4000_0f05",
    "str x0, [x1, #8]",
    "dsb sy",
    "mov x2, #0x10_0000",
    "mov x3, #64",
    ".word 0xd5087622", // dc ivac, x2
    ".word 0x91010042", // add x2, x2, #64
    ".word 0xf1000463", // subs x3, x3, #1
    ".word 0x54ffffa1", // b.ne .-12
    "dsb sy",
];

/// Attribute 0 is write-back, 1 Device-nGnRE; 39 bits of addresses; no walks from TTBR1.
pub(crate) const REGISTERS: &[&str] = &[
    "mov x0, #0x4ff",
    "msr mair_el1, x0",
    "mov x0, #0x99_3519",
    "msr tcr_el1, x0",
    "msr ttbr0_el1, x1",
];

pub(crate) const SYNCHRONIZE: &[&str] = &["isb"];
pub(crate) const TLBI: &[&str] = &["tlbi vmalle1"];
pub(crate) const IC: &[&str] = &["ic iallu"];
pub(crate) const COMPLETE: &[&str] = &["dsb nsh", "isb"];

/// SCTLR_EL1 with M, C and I, and without.
pub(crate) const MMU_ON: &[&str] = &["mov x0, #0x30d0_1805", "msr sctlr_el1, x0", "isb"];
pub(crate) const MMU_OFF: &[&str] = &["mov x0, #0x30d0_0800", "msr sctlr_el1, x0", "isb"];

/// From EL1 with the caches off to EL1 with the MMU and the caches on.
pub(crate) const CACHED: &[&[&str]] = &[
    VECTORS,
    TABLE,
    REGISTERS,
    SYNCHRONIZE,
    TLBI,
    IC,
    COMPLETE,
    MMU_ON,
];

/// EL2's registers for EL1, all but HSTR_EL2.
pub(crate) const EL2: &[&str] = &[
    "mov x0, #0x8_0800",
    "msr vbar_el2, x0",
    "mov x0, #0x8000_0000",
    "msr hcr_el2, x0",
    "mov x0, #3",
    "msr cnthctl_el2, x0",
    "msr cntvoff_el2, xzr",
    "mov x0, #0x33ff",
    "msr cptr_el2, x0",
    "msr mdcr_el2, xzr",
    "mrs x0, midr_el1",
    "msr vpidr_el2, x0",
    "mrs x0, mpidr_el1",
    "msr vmpidr_el2, x0",
    "msr vttbr_el2, xzr",
    "mov x0, #0x30d0_0800",
    "msr sctlr_el1, x0",
];
pub(crate) const HSTR: &[&str] = &["msr hstr_el2, xzr"];

/// From EL2 to EL1, to the image's offset 0x600.
pub(crate) const TO_EL1: &[&str] = &[
    "mov x0, #0x3c5",
    "msr spsr_el2, x0",
    "mov x0, #0x8_0600",
    "msr elr_el2, x0",
    "isb",
    "eret",
    ".org 0x600",
];

/// Releases core 1 from the firmware's spin table, to the image's offset 0x400.
pub(crate) const RELEASE: &[&str] = &[
    "mov x5, #0xe0",
    "mov x6, #0x8_0400",
    "str x6, [x5]",
    "dc civac, x5",
    "dsb sy",
    "sev",
];

/// Core 1, at offset 0x400: from EL2 to EL1, with core 0's table and the caches on.
pub(crate) const OTHER_CORE: &[&[&str]] = &[
    &[".org 0x400", "mov x1, #0x10_0000"],
    EL2,
    HSTR,
    TO_EL1,
    VECTORS,
    REGISTERS,
    SYNCHRONIZE,
    TLBI,
    IC,
    COMPLETE,
    MMU_ON,
];

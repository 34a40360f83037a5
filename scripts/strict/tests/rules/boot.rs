//! Programs for the rules about levels, registers, caches and the MMU's switching on.

use strict::{Entry, Rule};

use super::Programs;
use super::parts::{
    ALL_BUT_DEBUG, CACHED, COMPLETE, DEBUG, EL2, HSTR, IC, MMU_OFF, MMU_ON, REGISTERS, RELEASE,
    SYNCHRONIZE, TABLE, TLBI, TO_EL1, VECTORS,
};

/// The tables, MMU and caches of EL3, whose registers are EL1's with another number.
const EL3_CACHED: &[&str] = &[
    "mov x0, #0xff",
    "msr mair_el3, x0",
    "mov x0, #0x80803519",
    "msr tcr_el3, x0",
    "msr ttbr0_el3, x1",
    "isb",
    "tlbi alle3",
    "ic iallu",
    "dsb sy",
    "isb",
    "mov x0, #0x30c5_1835",
    "msr sctlr_el3, x0",
    "isb",
];
const SMPEN: &[&str] = &["mov x0, #0x40", "msr s3_1_c15_c2_1, x0", "isb"];
const EXCLUSIVE: &[&str] = &["mov x2, #0x20_0000", "ldxr w0, [x2]"];
const STORE: &[&str] = &["mov x4, #0x20_0000", "str x4, [x4]"];
const CLEAN: &[&str] = &["dc civac, x4", "dsb sy"];
const INVALIDATE: &[&str] = &["dc ivac, x4", "dsb sy"];
const LOAD: &[&str] = &["ldr x0, [x4]"];
/// U-Boot's dirty image, then its MMU and caches off.
const LEAVE_U_BOOT: &[&str] = &[
    "mov x2, #0x8_0000",
    "mov x3, #64",
    ".word 0xd50b7e22", // dc civac, x2
    ".word 0x91010042", // add x2, x2, #64
    ".word 0xf1000463", // subs x3, x3, #1
    ".word 0x54ffffa1", // b.ne .-12
    "dsb sy",
    "ic iallu",
    "dsb sy",
    "isb",
    "mov x0, #0x30c5_0830",
    "msr sctlr_el2, x0",
    "isb",
];

pub(crate) const PROGRAMS: &[Programs] = &[
    Programs::new(
        Rule::ExclusiveUncached,
        Entry::El1,
        &[&[VECTORS, EXCLUSIVE]],
        &[CACHED, &[EXCLUSIVE]],
    ),
    Programs::new(
        Rule::ExclusiveBeforeSmpen,
        Entry::El3,
        &[&[TABLE, EL3_CACHED, EXCLUSIVE]],
        &[&[SMPEN, TABLE, EL3_CACHED, EXCLUSIVE]],
    ),
    Programs::new(
        Rule::SmpenLate,
        Entry::El3,
        &[&[&["tlbi alle3"], SMPEN]],
        &[&[SMPEN, &["tlbi alle3"]]],
    ),
    Programs::new(
        Rule::UnalignedMmuOff,
        Entry::El1,
        &[&[VECTORS, &["mov x2, #0x20_0004", "ldr x0, [x2]"]]],
        &[&[VECTORS, &["mov x2, #0x20_0004", "ldr w0, [x2]"]]],
    ),
    Programs::new(
        Rule::SetWay,
        Entry::El1,
        &[CACHED, &[RELEASE, &[".org 0x400", "dc isw, xzr"]]],
        &[
            CACHED,
            &[
                RELEASE,
                &[".org 0x400", "mov x4, #0x20_0000", "dc ivac, x4"],
            ],
        ],
    ),
    Programs::new(
        Rule::CleanOnly,
        Entry::El1,
        &[&[VECTORS, &["mov x2, #0x20_0000", "dc cvac, x2"]]],
        &[&[VECTORS, &["mov x2, #0x20_0000", "dc civac, x2"]]],
    ),
    Programs::new(
        Rule::InvalidateDirty,
        Entry::El1,
        &[
            CACHED,
            &[
                STORE,
                MMU_OFF,
                TLBI,
                COMPLETE,
                &["str x1, [x4]"],
                INVALIDATE,
            ],
        ],
        &[
            CACHED,
            &[
                STORE,
                CLEAN,
                MMU_OFF,
                TLBI,
                COMPLETE,
                &["str x1, [x4]"],
                INVALIDATE,
            ],
        ],
    ),
    Programs::new(
        Rule::MixedUse,
        Entry::El1,
        &[&[STORE], CACHED, &[LOAD]],
        &[&[STORE, INVALIDATE], CACHED, &[LOAD]],
    ),
    Programs::new(
        Rule::LevelLeft,
        Entry::Firmware,
        &[&[EL2, TO_EL1]],
        &[&[EL2, HSTR, TO_EL1]],
    ),
    Programs::new(
        Rule::UnknownKept,
        Entry::Firmware,
        &[&[&["mrs x0, mdcr_el2", "msr mdcr_el2, x0"]]],
        &[&[&["mov x0, #6", "msr mdcr_el2, x0"]]],
    ),
    Programs::new(
        Rule::NoVectors,
        Entry::El1,
        &[&[&["svc"]]],
        &[&[VECTORS, &["svc"]]],
    ),
    Programs::new(
        Rule::EarlyState,
        Entry::El1,
        &[&[
            ALL_BUT_DEBUG,
            TABLE,
            REGISTERS,
            SYNCHRONIZE,
            TLBI,
            IC,
            COMPLETE,
            MMU_ON,
        ]],
        &[&[
            ALL_BUT_DEBUG,
            DEBUG,
            TABLE,
            REGISTERS,
            SYNCHRONIZE,
            TLBI,
            IC,
            COMPLETE,
            MMU_ON,
        ]],
    ),
    Programs::new(
        Rule::ReservedBits,
        Entry::El1,
        &[&[&["mov x0, #0x800", "msr sctlr_el1, x0"]]],
        &[&[&["mov x0, #0x30d0_0800", "msr sctlr_el1, x0"]]],
    ),
    Programs::new(
        Rule::StaleTlb,
        Entry::El1,
        &[&[VECTORS, TABLE, REGISTERS, SYNCHRONIZE, IC, COMPLETE, MMU_ON]],
        &[CACHED],
    ),
    Programs::new(
        Rule::StaleInstructions,
        Entry::El1,
        &[&[
            VECTORS,
            TABLE,
            REGISTERS,
            SYNCHRONIZE,
            TLBI,
            COMPLETE,
            MMU_ON,
        ]],
        &[CACHED],
    ),
    Programs::new(
        Rule::Unsynchronized,
        Entry::El1,
        &[&[VECTORS, TABLE, REGISTERS, TLBI, IC, COMPLETE, MMU_ON]],
        &[CACHED],
    ),
    Programs::new(
        Rule::Unsynchronized,
        Entry::El3,
        &[&[SMPEN, &["msr ttbr0_el1, xzr", "tlbi vmalle1", "dsb sy"]]],
        &[&[SMPEN, &["msr ttbr0_el1, xzr", "tlbi alle3", "dsb sy"]]],
    ),
    Programs::new(
        Rule::KeptTranslations,
        Entry::UBoot,
        &[&[LEAVE_U_BOOT, EL2, HSTR, TO_EL1]],
        &[&[LEAVE_U_BOOT, &["tlbi alle2"], COMPLETE, EL2, HSTR, TO_EL1]],
    ),
    Programs::new(
        Rule::EventEarly,
        Entry::El1,
        &[CACHED, &[STORE, &["dc civac, x4", "sev"]]],
        &[CACHED, &[STORE, &["dc civac, x4", "dsb sy", "sev"]]],
    ),
];

//! Programs for the rules about live tables.

use strict::{Entry, Rule};

use super::Programs;
use super::parts::{CACHED, COMPLETE, OTHER_CORE, RELEASE, SYNCHRONIZE, TLBI};

/// X0: the operand of a TLBI of the second GiB.
const OPERAND: &[&str] = &["mov x0, #0x4_0000"];
const USE: &[&str] = &["mov x7, #0x4000_0000", "ldr w8, [x7]"];
const UNMAP: &[&str] = &["str xzr, [x1, #8]"];
const STORED: &[&str] = &["dsb ishst"];
const INVALIDATE: &[&str] = &["tlbi vaae1is, x0"];
const INVALIDATE_LOCALLY: &[&str] = &["tlbi vaae1, x0"];
const INVALIDATED: &[&str] = &["dsb ish", "isb"];
/// The second GiB is RAM now.
const MAP: &[&str] = &["mov x2, #0xf01", "str x2, [x1, #8]", "dsb ishst", "isb"];
/// X4: a table of level 2, empty.
const EMPTY: &[&str] = &[
    "mov x4, #0x20_0000",
    "mov x2, #0x20_0000",
    "mov x3, #512",
    ".word 0xf800845f", // str xzr, [x2], #8
    ".word 0xf1000463", // subs x3, x3, #1
    ".word 0x54ffffc1", // b.ne .-8
];
const LINK: &[&str] = &["mov x2, #0x20_0003", "str x2, [x1, #8]", "dsb ishst", "isb"];
const REUSE: &[&str] = &["mov x2, #0xf01", "str x2, [x4]"];
const INVALIDATE_ASID_0: &[&str] = &["tlbi aside1is, xzr"];
const INVALIDATE_ASID_1: &[&str] = &["mov x0, #0x1_0000_0000_0000", "tlbi aside1is, x0"];
/// The first root, whose ASID is 0, is emptied.
const UNMAP_ALL: &[&str] = &["str xzr, [x1]", "str xzr, [x1, #8]"];
const INVALIDATE_BOTH: &[&str] = &["tlbi vae1is, xzr", "tlbi vae1is, x0"];
/// The frame of the first root has data that look like an entry, and other data.
const DATA: &[&str] = &["mov x2, #0xf01", "str x2, [x1]", "str xzr, [x1]"];
/// X4: another root, whose second GiB is RAM.
const OTHER: &[&str] = &[
    "mov x2, #0xf01",
    "str x2, [x4]",
    "str x2, [x4, #8]",
    "dsb ishst",
    "isb",
];
/// X4: another root, without the second GiB.
const SMALLER: &[&str] = &["mov x2, #0xf01", "str x2, [x4]", "dsb ishst", "isb"];
/// Its second GiB is RAM now.
const MAP_OTHER: &[&str] = &[
    "mov x2, #0x20_0000",
    "mov x3, #0xf01",
    "str x3, [x2, #8]",
    "dsb ishst",
    "isb",
];
const SWITCH: &[&str] = &["msr ttbr0_el1, x4", "isb"];
const SWITCH_ASID: &[&str] = &["mov x4, #0x1_0000_0020_0000", "msr ttbr0_el1, x4", "isb"];
/// The third GiB is the first one, not shareable or inner shareable.
const NOT_SHARED: &[&str] = &["mov x0, #0xc01", "str x0, [x1, #16]", "dsb ishst", "isb"];
const INNER_SHARED: &[&str] = &["mov x0, #0xf01", "str x0, [x1, #16]", "dsb ishst", "isb"];
/// The third GiB is the first one, for every ASID.
const GLOBAL: &[&str] = &["mov x0, #0x701", "str x0, [x1, #16]", "dsb ishst"];
const EXCLUSIVE: &[&str] = &["mov x2, #0x8020_0000", "ldxr w0, [x2]"];
/// Longer than core 1 needs.
const WAIT: &[&str] = &[
    "mov x3, #2000",
    ".word 0xf1000463", // subs x3, x3, #1
    ".word 0x54ffffe1", // b.ne .-4
];

/// Nothing wakes it: `wfi`, `b .-4`.
const SLEEP: &[&str] = &[".word 0xd503207f", ".word 0x17ffffff"];

pub(crate) const PROGRAMS: &[Programs] = &[
    Programs::new(
        Rule::UnfinishedChange,
        Entry::El1,
        &[CACHED, &[GLOBAL]],
        &[CACHED, &[GLOBAL, SYNCHRONIZE]],
    ),
    Programs::new(
        Rule::UnfinishedChange,
        Entry::El1,
        &[CACHED, &[UNMAP, STORED, OPERAND, INVALIDATE]],
        &[CACHED, &[UNMAP, STORED, OPERAND, INVALIDATE, INVALIDATED]],
    ),
    Programs::new(
        Rule::ExclusiveNotShared,
        Entry::El1,
        &[
            CACHED,
            &[NOT_SHARED, RELEASE, WAIT, EXCLUSIVE],
            OTHER_CORE,
            &[USE],
        ],
        &[
            CACHED,
            &[INNER_SHARED, RELEASE, WAIT, EXCLUSIVE],
            OTHER_CORE,
            &[USE],
        ],
    ),
    Programs::new(
        Rule::MakeBeforeBreak,
        Entry::El1,
        &[CACHED, &[USE, MAP, OPERAND, INVALIDATE, INVALIDATED]],
        &[
            CACHED,
            &[USE, UNMAP, STORED, OPERAND, INVALIDATE, INVALIDATED, MAP],
        ],
    ),
    // Another space, with an ASID of its own, maps what is being unmapped in the first one.
    Programs::new(
        Rule::MakeBeforeBreak,
        Entry::El1,
        &[
            CACHED,
            &[
                EMPTY,
                SMALLER,
                UNMAP,
                STORED,
                MAP,
                OPERAND,
                INVALIDATE,
                INVALIDATED,
            ],
        ],
        &[
            CACHED,
            &[
                EMPTY,
                SMALLER,
                UNMAP,
                STORED,
                SWITCH_ASID,
                MAP_OTHER,
                OPERAND,
                INVALIDATE,
                INVALIDATED,
            ],
        ],
    ),
    Programs::new(
        Rule::ReusedTable,
        Entry::El1,
        &[
            CACHED,
            &[
                UNMAP,
                STORED,
                OPERAND,
                INVALIDATE,
                INVALIDATED,
                EMPTY,
                STORED,
                LINK,
                UNMAP,
                REUSE,
                STORED,
                INVALIDATE,
                INVALIDATED,
            ],
        ],
        &[
            CACHED,
            &[
                UNMAP,
                STORED,
                OPERAND,
                INVALIDATE,
                INVALIDATED,
                EMPTY,
                STORED,
                LINK,
                UNMAP,
                STORED,
                INVALIDATE,
                INVALIDATED,
                REUSE,
            ],
        ],
    ),
    Programs::new(
        Rule::TlbiBeforeDsb,
        Entry::El1,
        &[
            CACHED,
            &[
                USE,
                OPERAND,
                UNMAP,
                INVALIDATE,
                INVALIDATED,
                INVALIDATE,
                INVALIDATED,
            ],
        ],
        &[
            CACHED,
            &[USE, OPERAND, UNMAP, STORED, INVALIDATE, INVALIDATED],
        ],
    ),
    Programs::new(
        Rule::TlbiLocal,
        Entry::El1,
        &[
            CACHED,
            &[
                RELEASE,
                WAIT,
                UNMAP,
                STORED,
                OPERAND,
                INVALIDATE_LOCALLY,
                INVALIDATED,
                INVALIDATE,
                INVALIDATED,
            ],
            OTHER_CORE,
            &[USE],
        ],
        &[
            CACHED,
            &[
                RELEASE,
                WAIT,
                UNMAP,
                STORED,
                OPERAND,
                INVALIDATE,
                INVALIDATED,
            ],
            OTHER_CORE,
            &[USE],
        ],
    ),
    Programs::new(
        Rule::TwoTranslations,
        Entry::El1,
        &[CACHED, &[USE, EMPTY, OTHER, SWITCH, USE, TLBI, COMPLETE]],
        &[CACHED, &[USE, EMPTY, OTHER, SWITCH_ASID, USE]],
    ),
    Programs::new(
        Rule::RootKept,
        Entry::El1,
        &[CACHED, &[EMPTY, SMALLER, SWITCH]],
        &[CACHED, &[EMPTY, SMALLER, SWITCH, TLBI, COMPLETE]],
    )
    .long(),
    Programs::new(
        Rule::LinkedEarly,
        Entry::El1,
        &[
            CACHED,
            &[UNMAP, STORED, OPERAND, INVALIDATE, INVALIDATED, EMPTY, LINK],
        ],
        &[
            CACHED,
            &[
                UNMAP,
                STORED,
                OPERAND,
                INVALIDATE,
                INVALIDATED,
                EMPTY,
                &["dmb ish"],
                LINK,
            ],
        ],
    ),
    // A pointer to a table goes with its ASID.
    Programs::new(
        Rule::LateInvalidation,
        Entry::El1,
        &[
            CACHED,
            &[
                UNMAP,
                STORED,
                OPERAND,
                INVALIDATE,
                INVALIDATED,
                EMPTY,
                STORED,
                LINK,
                UNMAP,
                STORED,
                INVALIDATE_ASID_1,
                INVALIDATED,
            ],
        ],
        &[
            CACHED,
            &[
                UNMAP,
                STORED,
                OPERAND,
                INVALIDATE,
                INVALIDATED,
                EMPTY,
                STORED,
                LINK,
                UNMAP,
                STORED,
                INVALIDATE_ASID_0,
                INVALIDATED,
            ],
        ],
    )
    .long(),
    // A root that was left and emptied is no table any more.
    Programs::new(
        Rule::LateInvalidation,
        Entry::El1,
        &[
            CACHED,
            &[EMPTY, SMALLER, SWITCH_ASID, UNMAP_ALL, STORED, DATA],
        ],
        &[
            CACHED,
            &[
                EMPTY,
                SMALLER,
                SWITCH_ASID,
                UNMAP_ALL,
                STORED,
                OPERAND,
                INVALIDATE_BOTH,
                INVALIDATED,
                DATA,
            ],
        ],
    )
    .long(),
    // Every core sleeps soon after.
    Programs::new(
        Rule::LateInvalidation,
        Entry::El1,
        &[CACHED, &[USE, UNMAP, STORED, SLEEP]],
        &[
            CACHED,
            &[USE, UNMAP, STORED, OPERAND, INVALIDATE, INVALIDATED, SLEEP],
        ],
    ),
    Programs::new(
        Rule::LateInvalidation,
        Entry::El1,
        &[CACHED, &[USE, UNMAP, STORED]],
        &[
            CACHED,
            &[USE, UNMAP, STORED, OPERAND, INVALIDATE, INVALIDATED],
        ],
    )
    .long(),
];

//! What the TLB backend executes: barriers and invalidations around changes of live tables.

use super::super::code::Cut;
use super::super::plant::Plant;
use super::ways::{CORES, EL2, fault};

/// Changes of the kernel's tables while all cores use them, of a space, and everything at once.
pub(in super::super) const CHANGES: &[&str] = &[
    "shootdown 4",
    "as new a",
    "as use a",
    "as map 0x400000 2M rw 4k",
    "touch w 0x400000 7 user",
    "touch r 0x400000 core 1",
    "as protect 0x400000 64K r",
    "as remap 0x400000 64K 0x1000000",
    "touch r 0x1000000 core 2",
    "as unmap 0x410000 64K",
    "as map 0x410000 64K rw",
    "touch r 0x410000 user",
    "as unmap 0x400000 2M",
    "as map 0x400000 2M rw 4k",
    "touch r 0x401000 user",
    "as use none",
    "as drop a",
];

pub(super) const PLANTS: &[Plant] = &[
    fault!("tables: dsb ishst dropped, all sites",
        "*stilt*": "[dsb ishst]" => "nop")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: dsb ish dropped, all sites",
        "*stilt*": "[dsb ish]" => "nop")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: dsb nsh instead of ish, all sites",
        "*stilt*": "[dsb ish]" => "dsb nsh")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: dmb instead of dsb ish, all sites",
        "*stilt*": "[dsb ish]" => "dmb ish")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: isb after dsb ish dropped, all sites",
        "*stilt*": "dsb ish; [isb sy]" => "nop")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: every tlbi is -> core-local",
        "*stilt*": "[tlbi vaale1is, *]" => "tlbi vaale1",
        "*stilt*": "[tlbi vale1is, *]" => "tlbi vale1",
        "*stilt*": "[tlbi vaae1is, *]" => "tlbi vaae1",
        "*stilt*": "[tlbi vae1is, *]" => "tlbi vae1",
        "*stilt*": "[tlbi aside1is, *]" => "tlbi aside1",
        "*stilt*": "[tlbi vmalle1is]" => "tlbi vmalle1")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: tlbi of leaves dropped",
        "*PendingFlush*": "[tlbi vale1is, *]" => "nop",
        "*PendingFlush*": "[tlbi vaale1is, *]" => "nop")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: tlbi of leaves core-local",
        "*PendingFlush*": "[tlbi vale1is, *]" => "tlbi vale1",
        "*PendingFlush*": "[tlbi vaale1is, *]" => "tlbi vaale1")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: tlbi of page 0 instead of the leaf's",
        "*PendingFlush*": "[tlbi vale1is, *]" => "=0xd50883bf",
        "*PendingFlush*": "[tlbi vaale1is, *]" => "=0xd50883ff")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: tlbi of unlinked tables dropped",
        "*PendingFlush*": "[tlbi vae1is, *]" => "nop",
        "*PendingFlush*": "[tlbi vaae1is, *]" => "nop")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: tlbi of leaves alone where a table is unlinked",
        "*PendingFlush*": "[tlbi vae1is, *]" => "tlbi vale1is",
        "*PendingFlush*": "[tlbi vaae1is, *]" => "tlbi vaale1is")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: tlbi of everything dropped",
        "*PendingFlush*": "[tlbi vmalle1is]" => "nop")
    .typed(CHANGES)
    .by(CORES),
    fault!("tables: dmb ishst before a link dropped, all sites",
        "*stilt_paging*": "[dmb ishst]" => "nop")
    .typed(CHANGES)
    .by(CORES),
    fault!("boot memory given up: tlbi dropped",
        "stilt::kernel::boot::init::reclaim_boot_memory": "[tlbi vmalle1is]" => "nop")
    .harmless(
        "each core has executed TLBI VMALLE1 and DSB since it left that map (DDI 0487 D8.13)",
    ),
    fault!("boot memory given up: tlbi core-local",
        "stilt::kernel::boot::init::reclaim_boot_memory": "[tlbi vmalle1is]" => "tlbi vmalle1")
    .by(CORES)
    .harmless(
        "each core has executed TLBI VMALLE1 and DSB since it left that map (DDI 0487 D8.13)",
    ),
    fault!(
        "secondaries' identity map: no tlbi by them, or when it is given up",
        "stilt::kernel::cores::smp::free_secondary_boot": "[tlbi vmalle1is]" => "nop",
        "stilt::kernel::cores::smp::kernel_secondary": "[tlbi vmalle1]" => "nop"
    )
    .by(CORES),
    fault!("secondaries' identity map given up: tlbi dropped",
        "stilt::kernel::cores::smp::free_secondary_boot": "[tlbi vmalle1is]" => "nop")
    .by(CORES)
    .harmless(
        "each core has executed TLBI VMALLE1 and DSB since it left that map (DDI 0487 D8.13)",
    ),
    fault!("secondaries' identity map given up: tlbi core-local",
        "stilt::kernel::cores::smp::free_secondary_boot": "[tlbi vmalle1is]" => "tlbi vmalle1")
    .by(CORES)
    .harmless(
        "each core has executed TLBI VMALLE1 and DSB since it left that map (DDI 0487 D8.13)",
    ),
    fault!("secondaries' identity map given up: dsb before tlbi dropped",
        "stilt::kernel::cores::smp::free_secondary_boot": "[dsb ishst]" => "nop")
    .by(CORES)
    .harmless(
        "each core has executed TLBI VMALLE1 and DSB since it left that map (DDI 0487 D8.13)",
    ),
    fault!("space entered: every isb dropped",
        "stilt::mm::current_space::activate": "[isb sy]" => "nop")
    .typed(CHANGES)
    .by(CORES),
    fault!("space left: every isb dropped",
        "stilt::mm::current_space::leave": "[isb sy]" => "nop")
    .typed(CHANGES)
    .by(CORES),
    fault!("space entered: isb after TTBR0 dropped",
        "stilt::mm::current_space::activate": "msr ttbr0_el1, *; [isb sy]" => "nop")
    .typed(CHANGES)
    .by(EL2)
    .harmless("EPD0 is cleared later, and its ISB comes before any use (DDI 0487 D13.1.2)"),
    fault!("code for EL0: ic ialluis dropped",
        "*": "[ic ialluis]" => "nop")
    .typed(CHANGES)
    .by(EL2),
    fault!("code for EL0: not cleaned",
        "*map_extents": "[dc civac, *]" => "nop")
    .typed(CHANGES)
    .by(EL2),
    fault!("tables: vaale1is -> vale1is for global leaves",
        "*PendingFlush*": "[tlbi vaale1is, *]" => "tlbi vale1is")
    .typed(CHANGES)
    .by(EL2)
    .harmless("global entries match any ASID (DDI 0487 D8.13.5, TLBI VALE1IS)"),
    fault!("tables: tlbi of leaves and tables for leaves",
        "*PendingFlush*": "[tlbi vaale1is, *]" => "tlbi vaae1is",
        "*PendingFlush*": "[tlbi vale1is, *]" => "tlbi vae1is")
    .typed(CHANGES)
    .by(EL2)
    .harmless("it covers what the shipped one covers (DDI 0487 D8.13.5, TLBI VAAE1IS)"),
];

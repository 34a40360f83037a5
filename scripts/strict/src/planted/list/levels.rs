//! Registers that are written whole at EL3, EL2 and EL1, and the maintenance of those levels.

use super::super::code::Cut;
use super::super::plant::Plant;
use super::ways::{CACHED, EL1, EL2, EL3, THROUGH_EL2, fault};

/// A load from EL0.
const USER: &[&str] = &[
    "as new a",
    "as use a",
    "as map 0x400000 4K rw",
    "touch r 0x400000 user",
];

pub(super) const PLANTS: &[Plant] = &[
    fault!("EL3: SMPEN not set", "leave_to_el1": "[msr s3_1_c15_c2_1, *]" => "nop").by(EL3),
    fault!("EL3: ACTLR_EL3 not written", "leave_to_el1": "[msr actlr_el3, *]" => "nop").by(EL3),
    fault!("EL3: ACTLR_EL2 not written", "leave_to_el1": "[msr actlr_el2, *]" => "nop").by(EL3),
    fault!("EL3: SCR_EL3 not written", "leave_to_el1": "[msr scr_el3, *]" => "nop").by(EL3),
    fault!("EL3: MDCR_EL3 not written", "leave_to_el1": "[msr mdcr_el3, *]" => "nop").by(EL3),
    fault!("EL3: CPTR_EL3 not written", "leave_to_el1": "[msr cptr_el3, *]" => "nop").by(EL3),
    fault!("EL3: SCTLR_EL3 not written", "leave_to_el1": "[msr sctlr_el3, *]" => "nop").by(EL3),
    fault!("EL3: SCTLR_EL2 not written", "leave_to_el1": "[msr sctlr_el2, *]" => "nop").by(EL3),
    fault!("EL3: L2CTLR_EL1 not written", "leave_to_el1": "[msr s3_1_c11_c0_2, *]" => "nop")
        .by(EL3),
    fault!("EL3: CNTFRQ_EL0 not written", "leave_to_el1": "[msr cntfrq_el0, *]" => "nop").by(EL3),
    fault!("EL3: VBAR_EL2 not written",
        "leave_to_el1": "[msr vbar_el2, *]" => "nop")
    .by(EL3),
    fault!("EL3: LOCAL_PRESCALER not written",
        "leave_to_el1": "[str w2, [x1, #8]]" => "nop")
    .by(EL3),
    fault!("EL3: tlbi alle3 dropped", "leave_to_el1": "[tlbi alle3]" => "nop")
        .by(EL3)
        .harmless(
            "its MMU was off since the reset, and nobody switches it on behind it (DDI 0487 D5.10)",
        ),
    fault!("EL3: isb after SMPEN dropped",
        "leave_to_el1": "msr s3_1_c15_c2_1, *; [isb sy]" => "nop")
    .by(EL3)
    .harmless("the ISB behind SCTLR_EL3 comes before any maintenance (DDI 0487 D13.1.2)"),
    fault!("EL2: CNTVOFF_EL2 not written",
        "leave_to_el1": "[msr cntvoff_el2, *]" => "nop")
    .by(EL3),
    fault!("EL2: HSTR_EL2 not written",
        "leave_to_el1": "[msr hstr_el2, *]" => "nop")
    .by(THROUGH_EL2),
    fault!("EL2: VPIDR_EL2 not written",
        "leave_to_el1": "[msr vpidr_el2, *]" => "nop")
    .by(THROUGH_EL2),
    fault!("EL2: VMPIDR_EL2 not written",
        "leave_to_el1": "[msr vmpidr_el2, *]" => "nop")
    .by(THROUGH_EL2),
    fault!("EL2: MDCR_EL2 not written",
        "leave_to_el1": "[msr mdcr_el2, *]" => "nop")
    .by(THROUGH_EL2),
    fault!("EL2: CPTR_EL2 not written",
        "leave_to_el1": "[msr cptr_el2, *]" => "nop")
    .by(THROUGH_EL2),
    fault!("EL2: VTTBR_EL2 not written",
        "leave_to_el1": "[msr vttbr_el2, *]" => "nop")
    .by(THROUGH_EL2),
    fault!("EL2: CNTHCTL_EL2 not written",
        "leave_to_el1": "[msr cnthctl_el2, *]" => "nop")
    .by(THROUGH_EL2),
    fault!("EL2: SCTLR_EL1 not written",
        "leave_to_el1": "[msr sctlr_el1, *]" => "nop")
    .by(THROUGH_EL2),
    fault!("EL2: VBAR_EL1 not written, and SVC",
        "leave_to_el1": "adr x1, *; [msr vbar_el1, *]" => "nop",
        "boot_core": "[orr x30, xzr, xzr]" => "=0xd4000001")
    .by(THROUGH_EL2),
    fault!("EL2: HCR_EL2 read, not written whole",
        "leave_to_el1": "[movz x1, *]; msr hcr_el2, *" => "mrs hcr_el2")
    .by(EL2),
    fault!("EL2: MDCR_EL2 read, not written whole",
        "leave_to_el1": "[ubfm *]; msr mdcr_el2, *" => "mrs mdcr_el2")
    .by(EL2),
    fault!("EL2: tlbi alle2 dropped", "leave_to_el1": "[tlbi alle2]" => "nop").by(CACHED),
    fault!("EL2: isb after SCTLR_EL2 dropped",
        "leave_to_el1": "msr sctlr_el2, *; [isb sy]; tlbi *" => "nop")
    .by(CACHED)
    .harmless("the ISB behind TLBI and DSB comes before any use (DDI 0487 D13.1.2)"),
    fault!("EL1: MDSCR_EL1 not written", "leave_to_el1": "[msr mdscr_el1, *]" => "nop").typed(USER),
    fault!("EL1: CPACR_EL1 not written", "leave_to_el1": "[msr cpacr_el1, *]" => "nop").typed(USER),
    fault!("EL1: CNTKCTL_EL1 not written", "leave_to_el1": "[msr cntkctl_el1, *]" => "nop")
        .typed(USER),
    fault!("EL1: PMUSERENR_EL0 not written", "leave_to_el1": "[msr pmuserenr_el0, *]" => "nop")
        .typed(USER),
    fault!("EL1: SCTLR_EL1 read, not written whole",
        "leave_to_el1": "[ldr w1, *]; msr sctlr_el1, *; isb sy" => "mrs sctlr_el1",
        "enable_mmu_and_enter_kernel": "[ldr w1, *]" => "mrs sctlr_el1")
    .by(EL1),
    fault!("EL2: VBAR_EL1 not written", "leave_to_el1": "adr x1, *; [msr vbar_el1, *]" => "nop")
        .by(THROUGH_EL2),
    fault!("EL2: VBAR_EL2 not written", "leave_to_el1": "[msr vbar_el2, *]; isb sy" => "nop")
        .by(EL2),
    fault!("EL2: SPSR_EL2 not written", "leave_to_el1": "[msr spsr_el2, *]" => "nop").by(EL2),
    fault!("EL2: ELR_EL2 not written", "leave_to_el1": "[msr elr_el2, *]" => "nop").by(EL2),
    fault!("EL2: CPTR_EL2 without its RES1 bits",
        "leave_to_el1": "[movz x1, *]; msr cptr_el2, *" => "movz 0 0")
    .by(THROUGH_EL2),
    fault!("EL3: SCR_EL3 without its RES1 bits",
        "leave_to_el1": "[movz x1, *]; msr scr_el3, *" => "^0x600")
    .by(EL3),
    fault!("EL3: HCR_EL2 written at EL2 alone, and SPSR_EL3 not",
        "leave_to_el1": "[msr spsr_el3, *]" => "nop")
    .by(EL3),
    fault!("EL3: SMPEN set behind the TLB's invalidation",
        "leave_to_el1": "[msr s3_1_c15_c2_1, *]" => "tlbi alle3",
        "leave_to_el1": "[tlbi alle3]; dsb nsh" => "=0xd519f221")
    .by(EL3),
    fault!("core 0: SCTLR_EL1 without its RES1 bits",
        "enable_mmu_and_enter_kernel": "[ldr w1, *]" => "movz 6175 0"),
    fault!("EL1 first: SCTLR_EL1 without its RES1 bits",
        "leave_to_el1": "[ldr w1, *]; msr sctlr_el1, *; isb sy" => "movz 0 0")
    .by(EL1),
    fault!("EL1 first: VBAR_EL1 not written",
        "leave_to_el1": "[msr vbar_el1, *]; isb sy" => "nop")
    .by(EL1),
    fault!("the boot stack misaligned", "boot_core": "[add sp, x1, *]" => "^0x2000"),
    fault!("isb before the way to EL1 dropped",
        "leave_to_el1": "[isb sy]; eret" => "nop")
    .by(THROUGH_EL2)
    .harmless("ERET is a context synchronization event (DDI 0487 D1.12, context synchronization)"),
    fault!("early vectors misaligned",
        "leave_to_el1": "1: [adr x1, *]" => "^0x400",
        "leave_to_el1": "[adr x1, *]; msr vbar_el1, *" => "^0x400"),
    fault!("kernel vectors misaligned",
        "kernel_main": "[adr *]; ..; msr vbar_el1, *" => "^0x400"),
];

//! The MMU is switched on, on core 0 and on the others; TTBR0 is given up; TTBR1 is switched.

use super::super::code::Cut;
use super::super::plant::Plant;
use super::ways::{CORES, fault};

pub(super) const PLANTS: &[Plant] = &[
    fault!("core 0: isb after SCTLR dropped",
        "enable_mmu_and_enter_kernel": "msr sctlr_el1, *; [isb sy]" => "nop"),
    fault!("core 0: isb between TTBR, TCR and tlbi dropped",
        "enable_mmu_and_enter_kernel": "[isb sy]; tlbi vmalle1" => "nop"),
    fault!("core 0: isb after tlbi and dsb dropped",
        "enable_mmu_and_enter_kernel": "dsb nsh; [isb sy]" => "nop"),
    fault!("core 0: dsb nsh after tlbi dropped",
        "enable_mmu_and_enter_kernel": "[dsb nsh]" => "nop"),
    fault!("core 0: dsb after tlbi for stores alone",
        "enable_mmu_and_enter_kernel": "[dsb nsh]" => "dsb nshst"),
    fault!("core 0: dsb and isb after tlbi swapped",
        "enable_mmu_and_enter_kernel": "[dsb nsh]; [isb sy]" => "swap"),
    fault!("core 0: dmb instead of dsb after tlbi",
        "enable_mmu_and_enter_kernel": "[dsb nsh]" => "dmb sy"),
    fault!("core 0: tlbi vmalle1 before the MMU dropped",
        "enable_mmu_and_enter_kernel": "[tlbi vmalle1]" => "nop"),
    fault!("core 0: tlbi of one address before the MMU",
        "enable_mmu_and_enter_kernel": "[tlbi vmalle1]" => "tlbi vaae1"),
    fault!("core 0: ic iallu before the MMU dropped",
        "enable_mmu_and_enter_kernel": "[ic iallu]" => "nop"),
    fault!("core 0: ic ivau of one address before the MMU",
        "enable_mmu_and_enter_kernel": "[ic iallu]" => "ic ivau"),
    fault!("secondary: isb after SCTLR dropped",
        "secondary_start": "msr sctlr_el1, *; [isb sy]" => "nop")
    .by(CORES),
    fault!("secondary: isb between TTBR, TCR and tlbi dropped",
        "secondary_start": "[isb sy]; tlbi vmalle1" => "nop")
    .by(CORES),
    fault!("secondary: isb after tlbi and dsb dropped",
        "secondary_start": "dsb nsh; [isb sy]" => "nop")
    .by(CORES),
    fault!("secondary: dsb nsh after tlbi dropped",
        "secondary_start": "[dsb nsh]" => "nop")
    .by(CORES),
    fault!("secondary: tlbi vmalle1 before the MMU dropped",
        "secondary_start": "[tlbi vmalle1]" => "nop")
    .by(CORES),
    fault!("secondary: ic iallu before the MMU dropped",
        "secondary_start": "[ic iallu]" => "nop")
    .by(CORES),
    fault!("secondary: MAIR not written",
        "secondary_start": "[msr mair_el1, *]" => "nop")
    .by(CORES),
    fault!("secondary: TCR not written",
        "secondary_start": "[msr tcr_el1, *]" => "nop")
    .by(CORES),
    fault!("secondary: TTBR0 not written",
        "secondary_start": "[msr ttbr0_el1, *]" => "nop")
    .by(CORES),
    fault!("secondary: TTBR1 not written",
        "secondary_start": "[msr ttbr1_el1, *]" => "nop")
    .by(CORES),
    fault!("secondary: dsb and isb after tlbi swapped",
        "secondary_start": "[dsb nsh]; [isb sy]" => "swap")
    .by(CORES),
    fault!("secondary: tlbi of one address before the MMU",
        "secondary_start": "[tlbi vmalle1]" => "tlbi vaae1")
    .by(CORES),
    fault!("secondary: dmb instead of dsb after tlbi",
        "secondary_start": "[dsb nsh]" => "dmb sy")
    .by(CORES),
    fault!("core 0: devices as Normal memory",
        "init_kernel_pt": "[movz *, #1024]; movk *; movk *; msr mair_el1, *" => "movz 65535 0"),
    fault!("core 0: RAM as Normal memory that is not cached",
        "init_kernel_pt": "[movk *, #255, lsl #32]; msr mair_el1, *" => "^0x1760"),
    fault!("core 0: RAM as Device memory",
        "init_kernel_pt": "[movk *, #255, lsl #32]; msr mair_el1, *" => "^0x1f60"),
    fault!("core 0: SH1 = 1, which is reserved",
        "init_kernel_pt": "[movk *, #46352, lsl #16]" => "^0x40000"),
    fault!("core 0: walks of TTBR0 not cacheable",
        "init_kernel_pt": "[movz *, #13584]" => "^0xa000")
    .harmless("its tables were written with the caches off, so memory has them (DDI 0487 D5.2.6)"),
    fault!("core 0: TTBR1 disabled (EPD1)",
        "init_kernel_pt": "[movk *, #46352, lsl #16]" => "^0x1000"),
    fault!("switch_ttbr1: dsb before the empty TTBR1 dropped",
        "switch_ttbr1": "[dsb ishst]" => "nop")
    .harmless("DSB ISH comes before the new tree is walked (DDI 0487 B2.3.9)"),
    fault!("switch_ttbr1: both dsb dropped", "switch_ttbr1": "[dsb *]" => "nop"),
    fault!("switch_ttbr1: tlbi core-local, of one address",
        "switch_ttbr1": "[tlbi vmalle1is]" => "tlbi vaae1is"),
    fault!("core 0: walks of TTBR1 not cacheable",
        "init_kernel_pt": "[movk *, #46352, lsl #16]" => "^0xa000"),
    fault!("core 0: TG1 = 0, which is reserved",
        "init_kernel_pt": "[movk *, #46352, lsl #16]" => "^0x100000"),
    fault!("give_up_low_half: isb after TCR dropped",
        "give_up_low_half": "msr tcr_el1, *; [isb sy]" => "nop"),
    fault!(
        "give_up_low_half: no tlbi, there or behind",
        "give_up_low_half": "[tlbi vmalle1]" => "nop",
        "stilt::kernel::boot::init::reclaim_boot_memory": "[tlbi vmalle1is]" => "nop",
        "stilt::kernel::cores::smp::free_secondary_boot": "[tlbi vmalle1is]" => "nop"
    ),
    fault!(
        "give_up_low_half: no dsb, there or behind",
        "give_up_low_half": "[dsb nsh]" => "nop",
        "stilt::kernel::boot::init::reclaim_boot_memory": "[dsb ish]" => "nop",
        "stilt::kernel::cores::smp::free_secondary_boot": "[dsb ish]" => "nop"
    ),
    fault!("give_up_low_half: tlbi dropped",
        "give_up_low_half": "[tlbi vmalle1]" => "nop")
    .harmless("boot memory is given up right behind, with a TLBI of everything (DDI 0487 D8.13)"),
    fault!("give_up_low_half: dsb after tlbi dropped",
        "give_up_low_half": "[dsb nsh]" => "nop")
    .harmless("boot memory is given up right behind, with a TLBI of everything (DDI 0487 D8.13)"),
    fault!("secondary gives up TTBR0: isb after TCR dropped",
        "stilt::kernel::cores::smp::kernel_secondary": "msr tcr_el1, *; [isb sy]" => "nop")
    .by(CORES),
    fault!("secondary gives up TTBR0: tlbi dropped",
        "stilt::kernel::cores::smp::kernel_secondary": "[tlbi vmalle1]" => "nop")
    .by(CORES),
    fault!("switch_ttbr1: isb after the empty TTBR1 dropped",
        "switch_ttbr1": "msr ttbr1_el1, x1; [isb sy]" => "nop"),
    fault!("switch_ttbr1: no empty TTBR1 in between",
        "switch_ttbr1": "[msr ttbr1_el1, x1]" => "nop"),
    fault!("switch_ttbr1: tlbi dropped",
        "switch_ttbr1": "[tlbi vmalle1is]" => "nop"),
    fault!("switch_ttbr1: dsb after tlbi dropped",
        "switch_ttbr1": "[dsb ish]" => "nop"),
    fault!("switch_ttbr1: isb after tlbi and dsb dropped",
        "switch_ttbr1": "dsb ish; [isb sy]" => "nop")
    .harmless("the ISB behind the new TTBR1 comes before any use (DDI 0487 D13.1.2)"),
    fault!("switch_ttbr1: isb after the new TTBR1 dropped",
        "switch_ttbr1": "msr ttbr1_el1, x0; [isb sy]" => "nop")
    .harmless("the next ISB, behind VBAR_EL1, comes before any use (DDI 0487 D13.1.2)"),
    fault!("core 0: tlbi and ic for every core before the MMU",
        "enable_mmu_and_enter_kernel": "[tlbi vmalle1]" => "tlbi vmalle1is",
        "enable_mmu_and_enter_kernel": "[ic iallu]" => "ic ialluis",
        "enable_mmu_and_enter_kernel": "[dsb nsh]" => "dsb sy")
    .harmless("each covers what the shipped one covers (DDI 0487 D8.13.5, B2.3.9)"),
];

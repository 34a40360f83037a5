//! What runs and is written before the caches are on: its lines, its accesses, its memory.

use super::super::code::Cut;
use super::super::plant::Plant;
use super::ways::{CORES, fault};

pub(super) const PLANTS: &[Plant] = &[
    fault!("fresh tables: dc ivac -> dc civac",
        "init_kernel_pt": "[dc ivac, *]" => "dc civac"),
    fault!("fresh tables: dc ivac dropped",
        "init_kernel_pt": "[dc ivac, *]" => "nop"),
    fault!("fresh tables: dc ivac -> dc isw",
        "init_kernel_pt": "[dc ivac, *]" => "dc isw"),
    fault!("fresh tables: dc ivac -> dc cvac",
        "init_kernel_pt": "[dc ivac, *]" => "dc cvac"),
    fault!("fresh tables: one line of four forgotten",
        "init_kernel_pt": "2: [dc ivac, *]" => "nop"),
    fault!("fresh tables: every second line",
        "init_kernel_pt": "mrs *, ctr_el0; [movz *, #4]" => "^0x180"),
    fault!("fresh tables: the boot stack forgotten",
        "init_kernel_pt": "adr x9, *; [and x9, x9, *]; and x10, *" => "sub 4 12"),
    fault!("fresh tables: dsb after the loop dropped",
        "init_kernel_pt": "[dsb sy]; mrs *, id_aa64mmfr0_el1" => "nop")
    .harmless("DSB NSH before the MMU is on completes it for this core (DDI 0487 B2.3.9)"),
    fault!("fresh tables: dsb before the loop dropped",
        "init_kernel_pt": "mrs *, ctr_el0; *; [dsb sy]" => "nop")
    .harmless("in either order the line is gone: no core's caches are on to take it anew (DDI 0487 D4.4.4)"),
    fault!(".bss not cleared", "boot_core": "[stp xzr, xzr, *]" => "nop"),
    fault!(".bss: 16 bytes of 128 not cleared",
        "boot_core": "2: [stp xzr, xzr, *]" => "nop"),
    fault!("the boot stack below the image",
        "boot_core": "[adr x1, *]; add sp, x1, *" => "movz 8 16"),
    fault!("ldxr before the MMU",
        "boot_core": "[orr x30, xzr, xzr]" => "=0xc85f7e7e"),
    fault!("stxr before the MMU",
        "boot_core": "[orr x30, xzr, xzr]" => "=0xc81e7e7f"),
    fault!("unaligned load before the MMU, by an immediate",
        "boot_core": "[orr x30, xzr, xzr]" => "=0xf840127e"),
    fault!("unaligned load before the MMU, by a register",
        "boot_core": "[orr x30, xzr, xzr]" => "=0xf8766a7e"),
    fault!("unaligned store before the MMU, by a register",
        "boot_core": "[orr x30, xzr, xzr]" => "=0xf8366a7f"),
    fault!("DC ZVA before the MMU",
        "boot_core": "[orr x30, xzr, xzr]" => "=0xd50b7420"),
    fault!("ldxr on a secondary core before its MMU",
        "secondary_start": "[dsb sy]; movz x20, *" => "=0xc85f7ea3")
    .by(CORES),
    fault!("fresh tables: the last 64 KiB forgotten",
        "init_kernel_pt": "mrs *, ctr_el0; ..; adr *; ..; [adr *]; ..; dc ivac, *" => "adr -65536"),
];

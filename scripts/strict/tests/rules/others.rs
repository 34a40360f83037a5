//! What other kernels do and their boards permit: judged by what the Cortex-A53's manual promises of
//! its reset, the firmware's way in has no finding.

use strict::{Entry, Lint, Machine, Options, Outcome, Rule};

use super::devices;
use super::parts::{IC, REGISTERS, SYNCHRONIZE, VECTORS};
use super::{Limits, image};

/// EL2 to EL1 by HCR_EL2 alone, to the image's offset 0x600.
const TO_EL1: &[&str] = &[
    "mov x0, #0x8000_0000",
    "msr hcr_el2, x0",
    "mov x0, #0x3c5",
    "msr spsr_el2, x0",
    "mov x0, #0x8_0600",
    "msr elr_el2, x0",
    "eret",
    ".org 0x600",
];
/// A table of two blocks in noise, written with the caches off and never invalidated.
const TABLE: &[&str] = &[
    "mov x1, #0x10_0000",
    "mov x0, #0xf01",
    "str x0, [x1]",
    "mov x0, #0x4000_0f05",
    "str x0, [x1, #8]",
    "dsb sy",
];
/// SCTLR_EL1 with M, C and I, by its value after the reset.
const MMU_ON: &[&str] = &[
    "mrs x0, sctlr_el1",
    "mov x2, #0x1005",
    ".word 0xaa020000", // orr x0, x0, x2
    "msr sctlr_el1, x0",
    "isb",
];
/// The same table for the granule of 64 KiB: a block of 512 MiB at level 2, 32 bits of address.
const LARGE: &[&str] = &[
    "mov x1, #0x10_0000",
    "mov x0, #0xf01",
    "str x0, [x1]",
    "dsb sy",
    "mov x0, #0x4ff",
    "msr mair_el1, x0",
    "mov x0, #0x80_7520",
    "msr tcr_el1, x0",
    "msr ttbr0_el1, x1",
    "isb",
];
/// SCTLR_EL1 with C and I, and without M.
const CACHES_WITHOUT_MMU: &[&str] = &[
    "mrs x0, sctlr_el1",
    "mov x2, #0x1004",
    ".word 0xaa020000", // orr x0, x0, x2
    "msr sctlr_el1, x0",
    "isb",
];
/// A request for the board's revision, without a barrier before its address is sent. Stays in a
/// vector if it is not answered.
const REQUEST: &[&str] = &[
    "mov x4, #0x20_0000",
    "mov x5, #0x3f00_b880",
    "mov x0, #28",
    "str x0, [x4]",
    "mov x0, #0x4_0001_0002",
    "str x0, [x4, #8]",
    "str xzr, [x4, #16]",
    "str xzr, [x4, #24]",
    "mov x0, #0xc020_0008",
    "str w0, [x5, #32]",
    "ldr w1, [x5, #24]",
    ".word 0x37f7ffe1", // tbnz w1, #30, .-4
    "ldr w1, [x5]",
    "ldr w0, [x4, #4]",
    "mov x1, #0x8000_0000",
    ".word 0x6b01001f", // cmp w0, w1
    ".word 0x54000040", // b.eq .+8
    "svc",
];
/// A word of data among instructions is stored to, before those beside it are executed.
const DATA_IN_CODE: &[&str] = &[
    ".word 0x10000064", // adr x4, .+12
    "str w0, [x4]",
    ".word 0x14000002", // b .+8
    ".word 0",
];
/// movi v0.4s, #0; str q0, [x4]; ldr q1, [x4]; at an address of the mapped RAM.
const VECTORED: &[&str] = &[
    "mov x0, #0x30_0000",
    "msr cpacr_el1, x0",
    "isb",
    "mov x4, #0x20_0000",
    ".word 0x4f000400",
    ".word 0x3d800080",
    ".word 0x3dc00081",
];

/// Whether the program runs to its end, an endless loop, without a finding with any of eight seeds.
fn runs(parts: &[&[&[&str]]]) {
    let program = image(parts);
    for seed in 0..8 {
        let mut options = Options::seeded(Entry::Firmware, seed);
        options.lint = Lint::No;
        let mut machine = Machine::new(&program, &options);
        let outcome = machine.run(&Limits {
            instructions: 30_000,
            quiet: u64::MAX,
            until: None,
        });
        assert!(matches!(outcome, Outcome::Exhausted), "{outcome:?}");
        assert_eq!(machine.findings(), [], "seed {seed}");
        let kept = strict::unknown_kept(&program, &options, &machine);
        assert_eq!(kept, [], "seed {seed}");
        // It stays behind its last instruction, and in no vector.
        let [place, ..] = machine.places()[..] else {
            panic!("four cores");
        };
        assert!((0x8_0600..0x8_0800).contains(&place), "{place:#x}");
    }
}

#[test]
fn a_kernel_may_rely_on_the_cores_reset() {
    runs(&[&[TO_EL1, VECTORS, TABLE, REGISTERS, SYNCHRONIZE, MMU_ON]]);
}

#[test]
fn the_granule_of_64_kib_and_vector_registers_are_modelled() {
    runs(&[&[TO_EL1, VECTORS, LARGE, IC, SYNCHRONIZE, MMU_ON, VECTORED]]);
}

#[test]
fn with_the_mmu_off_nothing_is_cached_whatever_the_caches_bits_say() {
    runs(&[&[
        TO_EL1,
        VECTORS,
        CACHES_WITHOUT_MMU,
        REQUEST,
        TABLE,
        REGISTERS,
        SYNCHRONIZE,
        MMU_ON,
    ]]);
}

#[test]
fn with_the_mmu_off_a_store_to_ram_comes_before_one_to_a_device() {
    runs(&[&[TO_EL1, VECTORS, REQUEST]]);
}

#[test]
fn data_beside_instructions_is_no_new_code() {
    runs(&[&[
        TO_EL1,
        VECTORS,
        TABLE,
        REGISTERS,
        SYNCHRONIZE,
        MMU_ON,
        DATA_IN_CODE,
    ]]);
}

#[test]
fn a_line_of_a_mailbox_request_is_told_once() {
    let program = image(devices::UNCLEAN_REQUEST);
    let mut machine = Machine::new(&program, &Options::seeded(Entry::El1, 0));
    machine.run(&Limits {
        instructions: 30_000,
        quiet: u64::MAX,
        until: None,
    });
    let told = machine.findings().iter();
    let told = told.filter(|finding| finding.rule == Rule::MailboxRequest);
    assert_eq!(told.count(), 1, "{:?}", machine.findings());
}

#[test]
fn a_byte_that_leaves_late_is_its_writers() {
    let program = image(devices::UNHEARD_BYTE);
    let mut machine = Machine::new(&program, &Options::seeded(Entry::El1, 0));
    machine.run(&Limits {
        instructions: 30_000,
        quiet: u64::MAX,
        until: None,
    });
    let [finding] = machine.findings() else {
        panic!("one finding: {:?}", machine.findings());
    };
    assert!(
        (0x8_0000..0x8_0800).contains(&finding.at),
        "{:#x}",
        finding.at
    );
}

//! Whatever a loader leaves in registers and memory, the kernel begins with the same ones on every
//! core: each register is compared with its value by the manuals, through the debugger.
//!
//! Sources: Arm DDI 0487 D24.2; Cortex-A53 DDI 0500 4.3; the firmware's own stub. What an emulator
//! has only as constants (CPUECTLR_EL1, ACTLR_EL2, ACTLR_EL3) is not here: `cargo xtask check`
//! looks for the writes.

use crate::harness::loader::{Level, Loader};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Gdb, Setup};

/// A register as QEMU calls it, and its value.
pub(crate) type Expected = (&'static str, u64);

const SECONDARIES: usize = 3;

/// EL3: the lower levels are non-secure and AArch64, SMC is off, nothing is trapped.
pub(crate) const OF_EL3: [Expected; 4] = [
    ("SCTLR_EL3", 0x30c5_0830),
    ("SCR_EL3", 0x5b1),
    ("MDCR_EL3", 0),
    ("CPTR_EL3", 0),
];

/// EL2: EL1 is AArch64 with all rights and without a second stage.
pub(crate) const OF_EL2: [Expected; 9] = [
    ("SCTLR_EL2", 0x30c5_0830),
    ("HCR_EL2", 1 << 31),
    ("CNTHCTL_EL2", 0b11),
    ("CNTVOFF_EL2", 0),
    ("CPTR_EL2", 0x33ff),
    ("HSTR_EL2", 0),
    ("VTTBR_EL2", 0),
    ("VPIDR_EL2", 0x410f_d034),
    // Six event counters: all are EL1's.
    ("MDCR_EL2", 6),
];

/// EL1: MMU and caches on, write-executable never, all of it from the first enable on; EL0 has
/// nothing.
pub(crate) const OF_EL1: [Expected; 9] = [
    ("SCTLR", 0x30d8_181f),
    ("TCR_EL1", 0x0000_0012_b510_3510),
    ("MAIR_EL1", 0x0000_00ff_4400_0400),
    ("CPACR", 0),
    // TDCC: the debug channel is not EL0's, nor are timers and counters.
    ("MDSCR_EL1", 1 << 12),
    ("CNTKCTL", 0),
    ("PMUSERENR_EL0", 0),
    ("TPIDR_EL1", 0),
    ("CONTEXTIDR_EL1", 0),
];

/// TCR_EL1 when the low half has been given up: EPD0 is set.
pub(crate) const WITHOUT_LOW_HALF: u64 = 0x0000_0012_b510_3590;

/// D, A, I, F masked; EL1h.
const STATE: u64 = 0x3c5;
const STATE_MASK: u64 = 0x3df;

/// Compares the registers of the core that the debugger has stopped.
#[track_caller]
fn compare(gdb: &mut Gdb, level: Level, core: usize, place: &str) {
    let mut expected = OF_EL1.to_vec();
    if level != Level::El1 {
        expected.extend(OF_EL2);
        expected.push(("VMPIDR_EL2", 1 << 31 | core as u64));
    }
    if level == Level::El3 {
        expected.extend(OF_EL3);
    }
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    let found = gdb.system_registers(&names);
    let found: Vec<Expected> = names.into_iter().zip(found).collect();
    let wrong = found
        .iter()
        .zip(&expected)
        .filter(|(is, should)| is != should);
    let wrong: Vec<String> = wrong
        .map(|((name, is), (_, should))| format!("{name} {is:#x} instead of {should:#x}"))
        .collect();
    assert!(wrong.is_empty(), "core {core} at {place}: {wrong:#?}");
    let state = gdb.place_of(core).1 & STATE_MASK;
    gdb.choose(core);
    assert_eq!(state, STATE, "core {core} at {place}");
}

/// What the vectors of each level are until the kernel has its own; EL2's and EL3's stay.
fn vectors(level: Level) -> Vec<&'static str> {
    match level {
        Level::El1 => vec!["VBAR"],
        Level::El2 => vec!["VBAR", "VBAR_EL2"],
        Level::El3 => vec!["VBAR", "VBAR_EL2", "VBAR_EL3"],
    }
}

/// Core 0 at `kernel_main`, then each other core at `kernel_secondary`.
#[track_caller]
fn every_core_begins_with_known_registers(setup: Setup, level: Level, x0: u64) {
    let symbols = Symbols::read();
    let early_vectors = symbols.address("__early_vectors") & !HIGH_HALF;
    let boot_tables = symbols.address("__scratch_start") & !HIGH_HALF;
    let empty = symbols.address("EMPTY_TABLE") & !HIGH_HALF;
    let names = vectors(level);
    let expected_vectors = vec![early_vectors; names.len()];

    let machine = setup.stopped().start();
    let mut gdb = machine.debugger();
    gdb.run_to(symbols.address("init_kernel_pt") & !HIGH_HALF);
    let tables = gdb.system_registers(&["TTBR0_EL1", "TTBR1_EL1"]);
    assert_eq!(tables, [empty, empty], "before there are tables");

    gdb.run_to(symbols.address("kernel_main"));
    compare(&mut gdb, level, 0, "kernel_main");
    assert_eq!(gdb.system_registers(&names), expected_vectors);
    let tables = gdb.system_registers(&["TTBR0_EL1", "TTBR1_EL1"]);
    assert_eq!(tables, [boot_tables, boot_tables + 0x2000]);
    assert_eq!(gdb.x(0), x0, "x0");
    assert_eq!((gdb.x(29), gdb.x(30)), (0, 0), "the outermost frame");

    let entry = symbols.item(&["smp", "kernel_secondary"]).start;
    let mut seen = [false; 1 + SECONDARIES];
    for _ in 0..SECONDARIES {
        let core = gdb.run_some_core_to(entry, || {});
        gdb.choose(core);
        assert!(!seen[core], "core {core} comes twice");
        seen[core] = true;
        compare(&mut gdb, level, core, "kernel_secondary");
        assert_eq!(gdb.system_registers(&names), expected_vectors);
        let low = gdb.system_registers(&["TTBR0_EL1"])[0];
        assert_eq!(
            gdb.read(low) & 0b11,
            0b11,
            "core {core} comes by a tree at {low:#x}"
        );
        assert_eq!(gdb.x(0), core as u64, "x0");
        gdb.step(core);
    }

    // Now all have given up the low half, and boot memory is free.
    gdb.run_some_core_to(symbols.address("audit_live_tables"), || {});
    let mut roots = Vec::new();
    for core in 0..=SECONDARIES {
        gdb.choose(core);
        let found = gdb.system_registers(&["TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "SCTLR"]);
        assert_eq!(found[0], empty, "TTBR0_EL1 of core {core}");
        assert_eq!(found[2], WITHOUT_LOW_HALF, "TCR_EL1 of core {core}");
        assert_eq!(found[3], 0x30d8_181f, "SCTLR_EL1 of core {core}");
        roots.push(found[1]);
    }
    roots.dedup();
    assert_eq!(roots.len(), 1, "one tree: {roots:x?}");
    for index in 0..512 {
        assert_eq!(
            gdb.read(empty + 8 * index),
            0,
            "entry {index} of the empty table"
        );
    }
}

#[test]
fn at_el3_with_everything_dirty() {
    let setup = Loader::at(Level::El3).dirty().on_all_cores().with_x0(0x77);
    every_core_begins_with_known_registers(setup.setup(), Level::El3, 0x77);
}

#[test]
fn at_el2_with_everything_dirty() {
    let setup = Loader::at(Level::El2).dirty().on_all_cores().with_x0(0x77);
    every_core_begins_with_known_registers(setup.setup(), Level::El2, 0x77);
}

#[test]
fn at_el1_with_everything_dirty() {
    let setup = Loader::at(Level::El1).dirty().on_all_cores().with_x0(0x77);
    every_core_begins_with_known_registers(setup.setup(), Level::El1, 0x77);
}

#[test]
fn as_the_emulator_enters_a_flat_image() {
    every_core_begins_with_known_registers(Setup::raw(), Level::El2, 0x100);
}

/// Cores that wait in the image have no register of the kernel's yet, but TTBR0 names the empty
/// table already.
#[test]
fn ttbr0_of_a_core_that_waits_in_the_image_names_the_empty_table() {
    let symbols = Symbols::read();
    let low = |name: &str| symbols.address(name) & !HIGH_HALF;
    let setup = Loader::at(Level::El3).dirty().on_all_cores().setup();
    let machine = setup.stopped().start();
    let mut gdb = machine.debugger();
    let core = gdb.run_some_core_to(low("park"), || {});
    gdb.choose(core);
    let tables = gdb.system_registers(&["TTBR0_EL1", "TTBR1_EL1"]);
    assert_eq!(tables, [low("EMPTY_TABLE"); 2], "core {core}");
}

/// Where no core comes, core 0 has given up the low half all the same.
#[test]
fn ttbr0_names_the_empty_table_where_no_other_core_comes() {
    let symbols = Symbols::read();
    let machine = Loader::at(Level::El2).dirty().setup().stopped().start();
    let mut gdb = machine.debugger();
    gdb.run_to(symbols.address("audit_live_tables"));
    let empty = symbols.address("EMPTY_TABLE") & !HIGH_HALF;
    assert_eq!(gdb.system_registers(&["TTBR0_EL1"]), [empty]);
}

/// While the trees are switched, TTBR1 names the empty table: behind the seven instructions that
/// lead there.
#[test]
fn the_switch_of_ttbr1_goes_by_way_of_the_empty_table() {
    let symbols = Symbols::read();
    let machine = Setup::raw().stopped().start();
    let mut gdb = machine.debugger();
    gdb.run_to((symbols.address("switch_ttbr1") & !HIGH_HALF) + 7 * 4);
    let empty = symbols.address("EMPTY_TABLE") & !HIGH_HALF;
    assert_eq!(gdb.system_registers(&["TTBR1_EL1"]), [empty]);
}

//! Devices are used as their manuals say: QEMU, which logs what a guest does wrong, has nothing to
//! say.

use std::fs;

use crate::harness::loader::{Level, Loader};
use crate::harness::{Ending, Setup, tree};

/// What QEMU logs though nothing is wrong, and why.
const ALLOWED: [&str; 10] = [
    // The mailbox's tag 0x10004 is answered, with 0: QEMU has no serial number to tell.
    "get board serial NYI",
    // `info` asks for these too: QEMU does not know them, answers with no bytes, and `info` says
    // so.
    "bcm2835_property: unhandled tag 0x00030003",
    "bcm2835_property: unhandled tag 0x00030046",
    "bcm2835_property: unhandled tag 0x00030047",
    // `halt` and `reboot` write the watchdog's registers: QEMU acts on them and logs it as not
    // implemented.
    "bcm2835_powermgt_write: RSTS",
    "bcm2835_powermgt_write: WDOG",
    // At EL3 the counter's source and prescaler are set, as the board needs it: QEMU's counter has
    // neither.
    "bcm2836_control_write: Unsupported offset 0x0 value 0x0",
    "bcm2836_control_write: Unsupported offset 0x8 value 0x80000000",
    // Performance counters and the AXI counter are silenced, whatever a loader left: QEMU has
    // neither's routing.
    "bcm2836_control_write: Unsupported offset 0x14 value 0x",
    "bcm2836_control_write: Unsupported offset 0x30 value 0x0",
];

/// At EL3 the counter is the board's: from the crystal, undivided (QA7 4.2, 4.3). QEMU says what it
/// ignores.
#[test]
fn the_counters_source_and_prescaler_are_set_at_el3() {
    let setup = Loader::at(Level::El3).dirty().setup();
    let complaints = setup.path("complaints");
    let mut machine = setup
        .arg("-d")
        .arg("unimp")
        .arg("-D")
        .arg(&complaints)
        .start();
    machine.boot();
    let complaints = fs::read_to_string(complaints).expect("QEMU wrote its log");
    for write in ["offset 0x0 value 0x0", "offset 0x8 value 0x80000000"] {
        let is_there = complaints.contains(&format!("bcm2836_control_write: Unsupported {write}"));
        assert!(is_there, "{write}: {complaints}");
    }
}

/// `-serial null -serial stdio`, as many tutorials have it: that is the mini-UART.
#[test]
fn a_terminal_at_the_mini_uart_is_told_where_the_console_is() {
    let mut machine = Setup::raw().with_the_mini_uart().start();
    machine.expect("the console is the PL011: QEMU's first -serial, GPIO14 and 15 of a board\n");
}

/// Typed or piped before the kernel runs, let alone its UART: nothing is lost, the first byte
/// neither.
#[test]
fn what_is_typed_before_the_console_is_set_up_is_not_lost() {
    for setup in [Setup::raw(), Setup::elf(), Loader::at(Level::El1).setup()] {
        let mut machine = setup.stopped().start();
        machine.send("uptime\rhalt\r");
        // As much time as QEMU takes to have the first byte in the UART.
        std::thread::sleep(std::time::Duration::from_millis(200));
        machine.debugger().resume();
        machine.expect("stilt> uptime\n");
        machine.expect("s since the first instruction\n");
        machine.expect("stilt> halt\n");
        machine.must_end(Ending::Exit(0));
    }
}

/// Boots, uses the shell, halts: QEMU logs nothing but what is allowed.
#[track_caller]
fn uses_devices_as_told(setup: Setup) {
    let complaints = setup.path("complaints");
    let setup = setup
        .arg("-d")
        .arg("guest_errors,unimp")
        .arg("-D")
        .arg(&complaints);
    let mut machine = setup.start();
    machine.boot();
    for line in ["info", "map", "log"] {
        machine.command(line);
    }
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
    let complaints = fs::read_to_string(complaints).expect("QEMU wrote its log");
    let unexpected = |line: &&str| !ALLOWED.iter().any(|allowed| line.contains(allowed));
    let unexpected: Vec<&str> = complaints.lines().filter(unexpected).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

#[test]
fn no_device_is_used_wrongly_from_el2() {
    uses_devices_as_told(Setup::raw());
}

#[test]
fn no_device_is_used_wrongly_from_el3_with_four_cores() {
    uses_devices_as_told(Setup::elf());
}

#[test]
fn no_device_is_used_wrongly_from_el1_with_a_device_tree() {
    const TREE: u64 = 0x0800_0000;
    let loader = Loader::at(Level::El1).with_mmu().with_x0(TREE);
    uses_devices_as_told(loader.setup().memory("tree", TREE, &tree::board()));
}

//! The audit at boot finds each kind of fault in the live tables: one bad descriptor is planted in
//! the image that ships, by a debugger, just before the audit.

use std::time::Duration;

use stilt::mm::layout;

use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::tables::{self, Slot};
use crate::harness::{Ending, Machine, Setup};

/// A free frame in the middle of RAM, and where the linear map has it.
const FREE_FRAME: u64 = 0x2000_0000;
/// A block of peripherals that the kernel does not use.
const UNUSED_DEVICES: u64 = HIGH_HALF + 0x3f60_0000;
/// A page: read-write at EL1, execute-never, global, write-back. The linear map's attributes of
/// RAM.
const ORDINARY: u64 = tables::PAGE
    | tables::NORMAL_INDEX
    | tables::INNER_SHAREABLE
    | tables::ACCESSED
    | tables::PRIVILEGED_EXECUTE_NEVER
    | tables::EXECUTE_NEVER;

/// A kernel that passes the audit goes on to the prompt: this is how long to wait until that is
/// seen.
const LIMIT: Duration = Duration::from_secs(20);

/// An address in the kernel window that is neither mapped nor a guard, in a table that is there.
fn hole() -> u64 {
    layout::heap().end() as u64 + 0x8_0000
}

/// Stops the kernel before its audit, changes the descriptor of `va`, and lets it go on.
fn planted(va: u64, change: impl FnOnce(Slot) -> u64) -> Machine {
    let machine = Setup::raw().stopped().limit(LIMIT).start();
    let mut gdb = machine.debugger();
    gdb.run_to(Symbols::read().address("audit_live_tables"));
    let slot = tables::find(&mut gdb, va);
    let descriptor = change(slot);
    gdb.write(slot.address, descriptor);
    assert_eq!(gdb.read(slot.address), descriptor);
    gdb.resume();
    machine
}

/// The audit stops the kernel and names what is wrong.
#[track_caller]
fn refused(mut machine: Machine, words: &[&str]) {
    machine.must_end(Ending::Audit);
    let output = machine.transcript();
    let (_, report) = output
        .split_once("unsound live page tables")
        .unwrap_or_default();
    machine.must_say(report, words);
    assert!(!output.contains("stilt> "), "{output}");
}

fn name(va: u64) -> String {
    format!("{va:#018x}")
}

#[test]
fn a_sound_kernel_passes_with_a_debugger_too() {
    let text = Symbols::read().address("__text_start");
    let mut machine = planted(text, |slot| slot.descriptor);
    let log = machine.boot();
    machine.must_say(&log, &["leaves", "guards unmapped", "low half empty"]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// In a page of its own: where WXN takes the right to execute away, the kernel must not need it.
#[test]
fn a_writable_executable_leaf_is_found() {
    let machine = planted(hole(), |slot| {
        assert_eq!((slot.level, slot.descriptor), (3, 0));
        FREE_FRAME | ORDINARY & !tables::PRIVILEGED_EXECUTE_NEVER
    });
    refused(machine, &[&name(hole()), "is writable and executable"]);
}

#[test]
fn a_frame_that_is_executable_here_and_writable_there_is_found() {
    let text = Symbols::read().address("__text_start") + 0x2000;
    let machine = planted(hole(), |slot| {
        assert_eq!((slot.level, slot.descriptor), (3, 0));
        (text - HIGH_HALF) | ORDINARY
    });
    refused(machine, &[&name(text), &name(hole()), "writable"]);
}

#[test]
fn an_executable_device_is_found() {
    let machine = planted(UNUSED_DEVICES, |slot| {
        assert_eq!(slot.level, 2);
        (slot.descriptor | tables::READ_ONLY) & !tables::PRIVILEGED_EXECUTE_NEVER
    });
    refused(machine, &[&name(UNUSED_DEVICES), "executable device"]);
}

#[test]
fn a_mapped_guard_is_found() {
    let guard = layout::main_stack(0).start.as_usize() as u64 - 0x1000;
    let machine = planted(guard, |slot| {
        assert_eq!((slot.level, slot.descriptor), (3, 0));
        FREE_FRAME | ORDINARY
    });
    refused(machine, &[&name(guard), "guard below a main stack"]);
}

#[test]
fn a_frame_with_two_memory_types_is_found() {
    let machine = planted(hole(), |slot| {
        assert_eq!((slot.level, slot.descriptor), (3, 0));
        FREE_FRAME | ORDINARY & !tables::NORMAL_INDEX | tables::DEVICE_INDEX
    });
    let here = name(HIGH_HALF + FREE_FRAME);
    refused(machine, &[&here, &name(hole()), "another memory type"]);
}

#[test]
fn a_low_half_that_was_not_given_up_is_found() {
    let machine = Setup::raw().stopped().limit(LIMIT).start();
    let mut gdb = machine.debugger();
    gdb.run_to(Symbols::read().address("give_up_low_half"));
    gdb.return_at_once();
    gdb.resume();
    refused(machine, &["0x0000000000000000 in the low half is mapped"]);
}

//! A spurious fault, whose access the MMU allows when it is asked again: the access is done again,
//! once.
//!
//! A debugger is the other core whose descriptor came too late: it changes the live tables when the
//! fault was taken, before the handler looks.

use stilt::board::raspi3::CORES;
use stilt::mm::layout;

use crate::harness::gdb::Gdb;
use crate::harness::symbols::Symbols;
use crate::harness::tables::{self, Slot};
use crate::harness::{Ending, Machine, Setup};

/// A free frame in the middle of RAM.
const FREE_FRAME: u64 = 0x2000_0000;
/// Read-write at EL1, execute-never, global, write-back.
const ORDINARY: u64 = tables::PAGE
    | tables::NORMAL_INDEX
    | tables::INNER_SHAREABLE
    | tables::ACCESSED
    | tables::PRIVILEGED_EXECUTE_NEVER
    | tables::EXECUTE_NEVER;

/// A machine that has booted, stopped before it waits for its first line.
fn booted(symbols: &Symbols) -> (Machine, Gdb) {
    let mut machine = Setup::raw().stopped().start();
    let mut gdb = machine.debugger();
    gdb.run_to(symbols.item(&["shell", "prompt", "run"]).start);
    machine.expect("audit");
    (machine, gdb)
}

/// Continues until a core has taken a synchronous exception of the kernel's own, and nothing is
/// done about it. Returns its number, and looks at its registers from there on.
#[track_caller]
fn run_to_some_fault(gdb: &mut Gdb, symbols: &Symbols) -> usize {
    const SYNCHRONOUS: u64 = 4;
    loop {
        let core = gdb.run_some_core_to(symbols.address("kernel_exception"), || {});
        gdb.choose(core);
        if gdb.x(1) == SYNCHRONOUS {
            return core;
        }
    }
}

/// [`run_to_some_fault`], which must be that of core 0.
#[track_caller]
fn run_to_fault(gdb: &mut Gdb, symbols: &Symbols) {
    assert_eq!(run_to_some_fault(gdb, symbols), 0);
}

/// `fault KIND`, stopped when its fault has been taken.
fn faulted(kind: &str) -> (Machine, Gdb, Symbols) {
    faulted_on(0, kind)
}

/// `fault KIND CORE`, stopped when its fault has been taken there.
fn faulted_on(core: usize, kind: &str) -> (Machine, Gdb, Symbols) {
    let symbols = Symbols::read();
    let (mut machine, mut gdb) = booted(&symbols);
    let name = kind.replace('-', "_");
    let routine = symbols.item(&["shell", "fault", &name]).start;
    let there = gdb.run_some_core_to(routine, || {
        machine.send(format!("fault {kind} {core}\r"));
    });
    assert_eq!(there, core);
    assert_eq!(run_to_some_fault(&mut gdb, &symbols), core);
    (machine, gdb, symbols)
}

/// The address that `fault guard-page` stores to on a core.
fn guard(core: usize) -> u64 {
    layout::main_stack(core).start.as_usize() as u64 - 8
}

fn map_guard(gdb: &mut Gdb) -> Slot {
    map_guard_of(gdb, 0)
}

fn map_guard_of(gdb: &mut Gdb, core: usize) -> Slot {
    let slot = tables::find(gdb, guard(core));
    assert_eq!((slot.level, slot.descriptor), (3, 0));
    gdb.write(slot.address, FREE_FRAME | ORDINARY);
    slot
}

/// The spurious faults of each core, as `irq` counts them.
#[track_caller]
fn spurious_faults(machine: &mut Machine) -> [u64; CORES] {
    let output = machine.command("irq");
    let row = output.lines().find(|line| line.contains("spurious faults"));
    let counts = row.map(|row| row.split_whitespace().rev().take(4).map(str::parse));
    let counts = counts.and_then(|counts| counts.collect::<Result<Vec<u64>, _>>().ok());
    match counts.map(<[u64; 4]>::try_from) {
        Some(Ok([three, two, one, zero])) => [zero, one, two, three],
        _ => machine.fail("no counts of spurious faults"),
    }
}

#[test]
fn a_store_to_a_page_that_became_valid_behind_the_fault_is_done_again() {
    let (mut machine, mut gdb, _) = faulted("guard-page");
    map_guard(&mut gdb);
    gdb.resume();
    let output = machine.expect("fault guard-page 0\nfault: nothing was caught");
    assert!(!output.contains("stilt: "), "{output}");
    machine.expect("stilt> ");
    assert_eq!(spurious_faults(&mut machine), [1, 0, 0, 0]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// Each core has its own record of the last look: a fault of one is not taken for that of another.
#[test]
fn every_core_does_its_store_again_and_counts_it_as_its_own() {
    for core in 1..CORES {
        let (mut machine, mut gdb, _) = faulted_on(core, "guard-page");
        map_guard_of(&mut gdb, core);
        gdb.resume();
        let output = machine.expect(&format!("core {core} caught nothing"));
        assert!(!output.contains("stilt: "), "{output}");
        machine.expect("stilt> ");
        let mut expected = [0; CORES];
        expected[core] = 1;
        assert_eq!(spurious_faults(&mut machine), expected);
    }
}

#[test]
fn a_fault_that_comes_twice_in_a_row_is_real_on_every_core() {
    for core in 1..CORES {
        let (mut machine, mut gdb, symbols) = faulted_on(core, "guard-page");
        let slot = map_guard_of(&mut gdb, core);
        let behind = gdb.x(30);
        assert_eq!(gdb.run_some_core_to(behind, || {}), core);
        gdb.write(slot.address, slot.descriptor);
        assert_eq!(run_to_some_fault(&mut gdb, &symbols), core);
        map_guard_of(&mut gdb, core);
        gdb.resume();
        let report = format!("stilt: synchronous exception from the kernel on core {core}");
        machine.expect(&report);
        machine.expect("stilt: continues\n");
        machine.expect("stilt> ");
        let mut expected = [0; CORES];
        expected[core] = 1;
        assert_eq!(spurious_faults(&mut machine), expected);
    }
}

/// The page is invalid again when the store is done again, and valid when that is looked at: who
/// believed the tables a second time would go round for ever.
#[test]
fn a_fault_that_comes_twice_in_a_row_is_real() {
    let (mut machine, mut gdb, symbols) = faulted("guard-page");
    let slot = map_guard(&mut gdb);
    let behind = gdb.x(30);
    gdb.run_to(behind);
    gdb.write(slot.address, slot.descriptor);
    run_to_fault(&mut gdb, &symbols);
    map_guard(&mut gdb);
    gdb.resume();
    machine.expect("stilt: synchronous exception from the kernel on core 0");
    machine.expect("allowed now");
    machine.expect("stilt: continues\n");
    machine.expect("stilt> ");
    assert_eq!(
        machine.transcript().matches("stilt: ").count(),
        2,
        "one report"
    );
    assert_eq!(spurious_faults(&mut machine), [1, 0, 0, 0]);
}

#[test]
fn a_fetch_from_a_page_that_became_executable_behind_the_fault_is_done_again() {
    let (mut machine, mut gdb, symbols) = faulted("exec-data");
    let data = symbols.item(&["shell", "fault", "RETURN"]).start;
    let slot = tables::find(&mut gdb, data);
    let executable = (slot.descriptor | tables::READ_ONLY) & !tables::PRIVILEGED_EXECUTE_NEVER;
    gdb.write(slot.address, executable);
    gdb.run_to(data);
    // A fetch does not look at the debugger's breakpoint: one that failed would have stopped here
    // as well. Behind the `ret` there it has not.
    let caller = gdb.x(30);
    gdb.run_to(caller);
    gdb.write(slot.address, slot.descriptor);
    gdb.resume();
    machine.expect("fault exec-data 0\nfault: nothing was caught");
    machine.expect("stilt> ");
    assert_eq!(spurious_faults(&mut machine), [1, 0, 0, 0]);
}

/// A page of the heap that nobody has touched: `peek` finds it in the map, and then it is gone for
/// a moment.
#[test]
fn a_probe_of_a_page_that_became_valid_behind_the_fault_reads_it() {
    let va = layout::heap().end() as u64 - 0x1000;
    let symbols = Symbols::read();
    let (mut machine, mut gdb) = booted(&symbols);
    machine.send(format!("peek {va:#x} 32\r"));
    gdb.run_to(symbols.address("__nofault_read_4"));
    assert_eq!(gdb.x(0), va);
    let slot = tables::find(&mut gdb, va);
    gdb.write(slot.address, 0);
    run_to_fault(&mut gdb, &symbols);
    gdb.write(slot.address, slot.descriptor);
    gdb.resume();
    machine.expect(&format!("peek {va:#x} 32\n{va:#018x}: 0x"));
    machine.expect("stilt> ");
    assert_eq!(spurious_faults(&mut machine), [1, 0, 0, 0]);
}

/// Who was interrupted may be about to read what its own AT has left there.
#[test]
fn a_second_look_leaves_the_translation_register_as_it_was() {
    let (_machine, mut gdb, _) = faulted("guard-page");
    let before = gdb.system_register("PAR_EL1");
    map_guard(&mut gdb);
    let behind = gdb.x(30);
    gdb.run_to(behind);
    assert_eq!(gdb.system_register("PAR_EL1"), before);
}

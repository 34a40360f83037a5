//! An exception before the kernel has vectors of its own is reported and ends the run, at every
//! level, with the MMU off and on: a debugger plants an undefined instruction in the image that
//! ships.

use std::thread;
use std::time::Duration;

use crate::harness::loader::{Level, Loader};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Ending, Gdb, Machine, Setup, tables, trace};

/// `udf #0`, twice.
const UNDEFINED: u64 = 0;
/// ESR of an undefined instruction: class 0, 32-bit instruction.
const ESR: &str = "ESR 0000000002000000";
const LIMIT: Duration = Duration::from_secs(20);
const GPIO: u64 = 0x3f20_0000;

/// Runs to `stop`, makes the instruction at `victim` undefined, and expects it in the report of
/// `level`. Both addresses are the CPU's; what is high is planted where it is in memory.
#[track_caller]
fn reported(setup: Setup, level: u8, stop: u64, victim: u64) {
    let mut machine = setup.stopped().limit(LIMIT).start();
    let mut gdb = machine.debugger();
    gdb.run_to(stop);
    gdb.write(victim & !HIGH_HALF, UNDEFINED);
    gdb.resume();
    machine.must_end(Ending::Early);
    let output = machine.transcript();
    machine.must_say(
        &output,
        &[
            &format!("exception during boot: EL {level:016x}"),
            ESR,
            &format!("ELR {victim:016x}"),
        ],
    );
}

/// In the first routine after the vectors are set, wherever the image was entered.
#[track_caller]
fn reported_at_entry(setup: Setup, level: u8) {
    let at = Symbols::read().address("leave_caches") & !HIGH_HALF;
    reported(setup, level, at, at);
}

#[test]
fn an_exception_at_el3_is_reported() {
    reported_at_entry(Setup::elf(), 3);
}

#[test]
fn an_exception_at_el2_is_reported() {
    reported_at_entry(Setup::raw(), 2);
}

#[test]
fn an_exception_at_el1_is_reported() {
    reported_at_entry(Loader::at(Level::El1).setup(), 1);
}

#[test]
fn an_exception_in_rust_before_the_mmu_is_on_is_reported() {
    let at = Symbols::read().address("init_kernel_pt") & !HIGH_HALF;
    reported(Setup::raw(), 1, at, at);
}

#[test]
fn an_exception_in_the_high_half_before_its_vectors_is_reported() {
    let symbols = Symbols::read();
    let stop = symbols.address("enter_high_half") & !HIGH_HALF;
    reported(Setup::raw(), 1, stop, symbols.address("kernel_main"));
}

/// Core 1 on its way, its MMU on with the identity map; core 0 prints meanwhile.
#[test]
fn an_exception_of_another_core_in_the_high_half_before_its_vectors_is_reported() {
    let symbols = Symbols::read();
    let victim = symbols
        .item(&["kernel", "cores", "smp", "kernel_secondary"])
        .start;
    let stop = symbols.address("kernel_main") & !HIGH_HALF;
    reported(Setup::raw(), 1, stop | HIGH_HALF, victim);
}

/// What was said last, if the other cores do not say more.
const LAST_LINE: &str = "stilt: stopped\n";

/// Every core waits, whatever it did when another one failed early.
#[track_caller]
fn all_stop_after(machine: &mut Machine, gdb: &mut Gdb, elr: u64) {
    machine.expect(&format!("ELR {elr:016x}"));
    machine.expect(LAST_LINE);
    thread::sleep(Duration::from_secs(2));
    gdb.stop();
    for core in 0..4 {
        assert!(
            gdb.has_stopped(core),
            "core {core}: {}",
            machine.transcript()
        );
    }
    let output = machine.transcript();
    assert!(output.ends_with(LAST_LINE), "{output}");
    assert_eq!(output.matches("stilt: exception").count(), 1, "{output}");
}

/// Cores 1 to 3 come, and each fails with its MMU off.
#[test]
fn the_end_of_a_core_on_its_way_is_that_of_all_and_one_of_them_reports() {
    let victim = Symbols::read().address("secondary_at_el1") & !HIGH_HALF;
    for setup in [Setup::raw(), Loader::at(Level::El3).on_all_cores().setup()] {
        let setup = setup.without_semihosting().stopped().limit(LIMIT);
        let mut machine = setup.start();
        let mut gdb = machine.debugger();
        gdb.write(victim, UNDEFINED);
        gdb.resume_all();
        all_stop_after(&mut machine, &mut gdb, victim);
    }
}

/// Core 2 comes to EL2 while the shell waits for it.
#[test]
fn a_stray_hypervisor_call_stops_every_core() {
    const HVC: u64 = 0xd400_0002;
    let victim = Symbols::read().item(&["shell", "fault", "brk"]).start;
    let setup = Setup::raw().without_semihosting().stopped().limit(LIMIT);
    let mut machine = setup.start();
    let mut gdb = machine.debugger();
    gdb.resume_all();
    machine.boot();
    gdb.stop();
    gdb.write(victim & !HIGH_HALF, HVC);
    gdb.resume_all();
    machine.send("fault brk 2\r");
    all_stop_after(&mut machine, &mut gdb, victim + 4);
}

/// While TTBR1 is empty: behind the seven instructions that set the vectors and switch to the empty
/// table.
#[test]
fn an_exception_while_ttbr1_is_switched_is_reported() {
    let routine = Symbols::read().address("switch_ttbr1") & !HIGH_HALF;
    reported(Setup::raw(), 1, routine, routine + 7 * 4);
}

#[test]
fn an_exception_is_reported_whatever_a_loader_left_in_registers_and_memory() {
    for (level, number) in [(Level::El3, 3), (Level::El2, 2), (Level::El1, 1)] {
        reported_at_entry(Loader::at(level).dirty().setup(), number);
    }
}

/// PL011 registers, and what they get before a report: the order is DDI 0183's, 3.3.6 to 3.3.8; the
/// divisors are those of 48 MHz.
const EARLY_UART: [(u64, u64); 7] = [
    (0x30, 0),
    (0x2c, 0),
    (0x38, 0),
    (0x24, 26),
    (0x28, 3),
    (0x2c, 0x70),
    (0x30, 0x101),
];

/// The firmware has the PL011 talk to the Bluetooth chip: a report takes it back, pins, speed and
/// all.
#[test]
fn the_uart_of_a_report_is_set_up_whole_whoever_used_it() {
    let symbols = Symbols::read();
    let low = |name: &str| symbols.address(name) & !HIGH_HALF;
    let setup = Loader::at(Level::El2).dirty().setup();
    let (setup, trace) = trace::pl011_writes(setup);
    let mut machine = setup.stopped().limit(LIMIT).start();
    let mut gdb = machine.debugger();
    gdb.run_to(low("leave_caches"));
    gdb.write(low("leave_caches"), UNDEFINED);
    gdb.run_to(low("early_stop"));
    let pins = |gdb: &mut Gdb, pair: u64| gdb.read(GPIO + pair) >> 32;
    assert_eq!(pins(&mut gdb, 0x00), 0b100_100 << 12, "GPIO14 and 15 ALT0");
    assert_eq!(
        pins(&mut gdb, 0x08),
        0b100 << 24,
        "GPIO32 and 33 inputs, 38 as it was"
    );
    gdb.resume();
    machine.must_end(Ending::Early);
    let writes = trace::read(&trace);
    let loaders = writes.iter().position(|write| *write == (0x30, 0xf01));
    let ours = &writes[loaders.expect("the loader has set it up") + 1..];
    let (set_up, text) = ours.split_at(EARLY_UART.len());
    assert_eq!(set_up, EARLY_UART);
    assert!(text.iter().all(|(register, _)| *register == 0), "{text:x?}");
}

/// The kernel's own set-up, as the device sees it.
#[test]
fn the_kernel_sets_the_uart_up_in_the_manuals_order() {
    let (setup, trace) = trace::pl011_writes(Loader::at(Level::El2).dirty().setup());
    let mut machine = setup.start();
    machine.boot();
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
    let writes = trace::read(&trace);
    let loaders = writes.iter().position(|write| *write == (0x30, 0xf01));
    let ours = &writes[loaders.expect("the loader has set it up") + 1..];
    let registers: Vec<u64> = ours.iter().map(|(register, _)| *register).take(7).collect();
    assert_eq!(registers, [0x38, 0x30, 0x44, 0x24, 0x28, 0x2c, 0x30]);
    let values: Vec<u64> = ours.iter().map(|(_, value)| *value).take(7).collect();
    assert_eq!(values[..3], [0, 0, 0x7ff]);
    assert_eq!(
        (values[5], values[6]),
        (0x70, 0x301),
        "what cannot be typed needs the queues"
    );
}

/// EL2 keeps the vectors of the boot: what they point to is not given up, and still reports.
#[test]
fn a_stray_hypervisor_call_is_reported_long_after_boot() {
    const HVC: u64 = 0xd400_0002;
    let symbols = Symbols::read();
    let mut machine = Setup::raw().stopped().limit(LIMIT).start();
    let mut gdb = machine.debugger();
    let victim = symbols.address("audit_live_tables");
    gdb.run_to(victim);
    let vectors = gdb.system_registers(&["VBAR_EL2"])[0];
    for page in [vectors, symbols.address("early_stop") & !HIGH_HALF] {
        let leaf = tables::find(&mut gdb, HIGH_HALF + page);
        assert_eq!(leaf.level, 3);
        let rights = tables::READ_ONLY | tables::PRIVILEGED_EXECUTE_NEVER | tables::EXECUTE_NEVER;
        assert_eq!(leaf.descriptor & rights, rights, "{leaf:x?}");
    }
    gdb.write(victim & !HIGH_HALF, HVC);
    gdb.resume();
    machine.must_end(Ending::Early);
    let after = format!("ELR {:016x}", victim + 4);
    machine.must_say(&machine.transcript(), &["EL 0000000000000002", &after]);
}

//! An exception before the kernel has vectors of its own is reported and ends the run, at every level, with the MMU
//! off and on: a debugger plants an undefined instruction in the image that ships.

use std::time::Duration;

use crate::harness::loader::{Level, Loader};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Ending, Setup};

/// `udf #0`, twice.
const UNDEFINED: u64 = 0;
/// ESR of an undefined instruction: class 0, 32-bit instruction.
const ESR: &str = "ESR 0000000002000000";
const LIMIT: Duration = Duration::from_secs(20);

/// Runs to `stop`, makes the instruction at `victim` undefined, and expects it in the report of `level`. Both
/// addresses are the CPU's; what is high is planted where it is in memory.
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

/// While TTBR1 is empty: behind the six instructions that set the vectors and switch to the empty table.
#[test]
fn an_exception_while_ttbr1_is_switched_is_reported() {
    let routine = Symbols::read().address("switch_ttbr1") & !HIGH_HALF;
    reported(Setup::raw(), 1, routine, routine + 6 * 4);
}

//! The program for QEMU's raspi3b: every subject, counted by the CPU, and the maintenance that each
//! issues.
//!
//! Prints lines of words, which `cargo xtask peers` reads: `row SUBJECT WORKLOAD UNITS INSTRUCTIONS
//! ZEROED FRAMES`, then `maintenance SUBJECT WORKLOAD DMB DSB ISB TLBI TLBI-ALL`, and `done` at the
//! end. Ends QEMU with 0, or with 1 after a line that begins with `failed`.
#![no_std]
#![no_main]

mod console;
mod exit;
mod heap;
mod maintenance;
mod pmu;

use core::arch::global_asm;
use core::fmt::Write;
use core::panic::PanicInfo;

use stilt_peers::aarch64_paging::Aarch64Paging;
use stilt_peers::floor::Floor;
use stilt_peers::multiarch::Multiarch;
use stilt_peers::stilt::{A64, Grouped, Stilt};
use stilt_peers::workloads::{Bench, run, run_grouped, run_ours};

use console::Console;

global_asm!(include_str!("entry.S"));

/// What entry.S jumps to.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    stilt_peers::frames::reset();
    each_subject(&mut pmu::Instructions::start());
    maintenance::trap();
    each_subject(&mut maintenance::Counts::new());
    line(format_args!("done"));
    exit::exit(0)
}

fn each_subject(bench: &mut impl Bench) {
    run::<Stilt<A64>>(bench);
    run_ours::<Stilt<A64>>(bench);
    run_grouped::<Stilt<Grouped>>(bench);
    run::<Multiarch>(bench);
    run::<Aarch64Paging>(bench);
    run::<Floor>(bench);
}

/// Prints one line.
fn line(text: core::fmt::Arguments) {
    // The console cannot fail.
    let _ = writeln!(Console, "{text}");
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    line(format_args!("failed: {info}"));
    exit::exit(1)
}

/// Where every exception goes that nothing here causes on purpose.
#[unsafe(no_mangle)]
extern "C" fn unexpected_exception(esr: u64, elr: u64, far: u64) -> ! {
    panic!("an exception: ESR {esr:#x}, ELR {elr:#x}, FAR {far:#x}")
}

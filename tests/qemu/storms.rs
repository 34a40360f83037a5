//! Interrupts that come too often, and readings of the counter that only make it look so.

use std::fs;
use std::time::{Duration, Instant};

use object::{Object, ObjectSection, SectionKind};

use crate::harness::symbols::Symbols;
use crate::harness::{Ending, Machine, Setup, checkout};

/// Time is counted in instructions, and what is idle takes none.
fn counted() -> Machine {
    let mut machine = Setup::raw().arg("-icount").arg("shift=0,sleep=off").start();
    machine.boot();
    machine
}

/// Every `mrs xN, cntvct_el0` in the image: its address, and N.
fn readings_of_the_counter() -> Vec<(u64, u32)> {
    const MRS_CNTVCT: u32 = 0xd53b_e040;
    let bytes = fs::read(checkout::elf()).expect("kernel8.elf can be read");
    let file = object::File::parse(&*bytes).expect("kernel8.elf is an ELF file");
    let text = file
        .sections()
        .filter(|section| section.kind() == SectionKind::Text);
    let mut found = Vec::new();
    for section in text {
        let code = section.data().expect("code is in the file");
        for (index, word) in code.as_chunks().0.iter().enumerate() {
            let word = u32::from_le_bytes(*word);
            if word & !0x1f == MRS_CNTVCT {
                found.push((section.address() + 4 * index as u64, word & 0x1f));
            }
        }
    }
    found
}

/// Each place that reads the counter gets one reading that is 11 ms ahead, which is more than all
/// that may be late.
#[test]
fn one_reading_that_is_ahead_is_no_storm_wherever_it_is_read() {
    const AHEAD: u64 = 62_500 * 11;
    let mut machine = Setup::raw().stopped().start();
    let mut gdb = machine.debugger();
    gdb.run_to(Symbols::read().item(&["shell", "prompt", "run"]).start);
    let mut left = readings_of_the_counter();
    for (address, _) in &left {
        gdb.set_breakpoint(address + 4);
    }
    machine.send("sleep 20\rsleep 20\rirq\r");
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut hit = 0;
    gdb.go_on();
    while Instant::now() < deadline {
        if !gdb.has_stopped_within(Duration::from_millis(500)) {
            if machine.transcript().contains("spurious faults") {
                break;
            }
            continue;
        }
        let pc = gdb.program_counter();
        let Some(place) = left.iter().position(|(address, _)| address + 4 == pc) else {
            machine.fail(&format!("stopped at {pc:#x}"));
        };
        let (_, register) = left.swap_remove(place);
        gdb.clear_breakpoint(pc);
        let read = gdb.x(register);
        gdb.set_register(register, read + AHEAD);
        hit += 1;
        gdb.go_on();
    }
    machine.expect("slept ");
    machine.expect("slept ");
    machine.expect("spurious faults");
    assert!(hit > 2, "only {hit} places were seen to read the counter");
    let output = machine.transcript();
    assert!(!output.contains("storm on"), "{output}");
    assert!(!output.contains("storms on core"), "{output}");
}

/// The row of `irq` for the virtual timer.
#[track_caller]
fn timer_row(machine: &mut Machine) -> String {
    let output = machine.command("irq");
    let row = output.lines().find(|line| line.contains("virtual timer"));
    row.unwrap_or_default().to_owned()
}

/// What lets it in again is another timer: this one is masked, and so is whatever waits for it.
#[test]
fn a_storm_of_the_timer_ends_on_every_core_and_sleeps_go_on() {
    let mut machine = counted();
    for core in 0..4 {
        machine.send(format!("fault timer-storm {core}\r"));
        machine.expect("nothing was caught");
        machine.send("sleep 100\r");
        machine.expect(&format!(
            "virtual timer of timers storms on core {core}: masked"
        ));
        machine.expect("slept ");
        machine.command("sleep 1500");
        let row = timer_row(&mut machine);
        assert!(!row.contains("masked"), "{row}");
        let output = machine.command("cpus");
        let row = output.lines().nth(1 + core).unwrap_or_default();
        let timers = row.split_whitespace().nth(5);
        assert_eq!(
            timers,
            Some("0"),
            "a timer of core {core} was not served: {output}"
        );
    }
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn an_interrupt_is_released_on_the_core_that_has_it_masked() {
    let mut machine = counted();
    for core in 1..4 {
        let words = format!("virtual timer let in again on core {core}\n");
        // When nobody has anything to do, the emulator's second is over at once: then the storm has
        // ended before what is typed here comes in.
        let released = (0..20).any(|_| {
            machine.send(format!(
                "fault timer-storm {core}\rsleep 50\rirq release 3\r"
            ));
            machine.expect("slept ");
            machine.expect("irq release 3\n");
            let output = machine.expect("stilt> ");
            assert!(
                output == words || output.contains("was not masked"),
                "{output}"
            );
            output == words
        });
        assert!(released, "core {core} was not asked");
        let row = timer_row(&mut machine);
        assert!(!row.contains("masked"), "{row}");
    }
    let output = machine.command("irq release 3");
    machine.must_say(&output, &["virtual timer was not masked"]);
}

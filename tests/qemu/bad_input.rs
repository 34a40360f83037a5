//! Bad input to the shell: a message that says what was expected, and the prompt again. Never a
//! crash.

use crate::harness::kinds::fault_kinds;
use crate::harness::{Ending, Machine, Setup};

/// Bytes that a UART may deliver and no keyboard sends.
const GARBAGE_BYTES: usize = 4096;
/// Far more than a line holds.
const LONG_LINE: usize = 10_000;

/// Each line is refused with these words, and the kernel goes on.
#[track_caller]
fn refused(table: &[(&str, &str)]) {
    let mut machine = Setup::raw().start();
    machine.boot();
    for (line, words) in table {
        let output = machine.command(line);
        machine.must_say(&output, &[words]);
    }
    still_works(&mut machine);
}

#[track_caller]
fn still_works(machine: &mut Machine) {
    let output = machine.command("mem");
    machine.must_say(&output, &["frames", "tables", "heap"]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn unknown_commands_are_refused() {
    refused(&[
        ("nonsense", "nonsense: no such command"),
        ("MEM", "no such command"),
        ("mem; halt", "mem;: no such command"),
        ("a b c d e f g h i j k l", "no such command"),
        ("help nonsense", "`nonsense` is not one of"),
    ]);
}

#[test]
fn a_fault_that_does_not_exist_is_refused_with_those_that_do() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let kinds = fault_kinds(&machine.command("fault"));
    let names: Vec<_> = kinds.iter().map(|kind| &*kind.name).collect();
    let output = machine.command("fault nonsense");
    let refusal = format!(
        "`nonsense` is not one of {}\nusage: fault ",
        names.join(", ")
    );
    machine.must_say(&output, &[&refusal]);
    still_works(&mut machine);
}

#[test]
fn too_few_and_too_many_arguments_are_refused() {
    let without = [
        "info 1",
        "mem 1",
        "map 1",
        "log 1",
        "reboot now",
        "halt now",
    ];
    let with = [
        "help peek poke",
        "pt",
        "pt 1 2",
        "translate",
        "translate 1 2",
        "peek",
        "peek 1 8 3",
        "poke",
        "poke 1",
        "poke 1 2 8 4",
        "fault null-read 1 2",
        "sleep",
        "alarm",
        "echo-test",
        "soak",
        "numbers 1 2",
        "shootdown 1 2",
        "watchdog 1 2",
        "peek 1 2 3 4 5 6 7 8 9 10",
    ];
    let table: Vec<(&str, &str)> = without
        .into_iter()
        .chain(with)
        .map(|line| (line, "\nusage: "))
        .collect();
    refused(&table);
}

#[test]
fn what_is_not_a_number_is_refused() {
    refused(&[
        ("pt zero", "expected a decimal digit, found 'z'"),
        (
            "pt ffff000000080000",
            "write 0x before a hexadecimal number",
        ),
        ("translate 0xg", "expected a hexadecimal digit, found 'g'"),
        ("peek 0x", "expected a number"),
        ("peek -1", "expected a decimal digit, found '-'"),
        ("peek 0xffff_", "only between two digits"),
        ("peek 0x1ffff000020000000", "expected a number of 64 bits"),
        (
            "poke 0xffff000020000000 18446744073709551616",
            "expected a number of 64 bits",
        ),
        ("poke 0xffff000020000000 one", "expected a decimal digit"),
    ]);
}

#[test]
fn widths_that_do_not_exist_are_refused() {
    refused(&[
        (
            "peek 0xffff000020000000 7",
            "`7` is not one of 8, 16, 32, 64",
        ),
        ("peek 0xffff000020000000 128", "8, 16, 32, 64"),
        ("poke 0xffff000020000000 1 0", "8, 16, 32, 64"),
    ]);
}

#[test]
fn values_too_wide_for_the_access_are_refused() {
    refused(&[
        (
            "poke 0xffff000020000000 0x100 8",
            "0x100 does not fit 8 bits",
        ),
        (
            "poke 0xffff000020000000 0x10000 16",
            "0x10000 does not fit 16 bits",
        ),
        (
            "poke 0xffff000020000000 0x100000000 32",
            "0x100000000 does not fit 32 bits",
        ),
    ]);
}

#[test]
fn unaligned_addresses_are_refused() {
    refused(&[
        (
            "peek 0xffff000020000001 16",
            "0xffff000020000001 is not a multiple of 2",
        ),
        ("peek 0xffff000020000002 32", "is not a multiple of 4"),
        ("peek 0xffff000020000004", "is not a multiple of 8"),
        ("poke 0xffff000020000001 1 64", "is not a multiple of 8"),
    ]);
}

#[test]
fn addresses_that_nothing_maps_are_refused() {
    refused(&[
        (
            "peek 0xffff00003c000000",
            "0xffff00003c000000 is not mapped",
        ),
        (
            "peek 0xffff800000003ff8",
            "0xffff800000003ff8 is not mapped",
        ),
        (
            "poke 0xffff800040000000 1",
            "0xffff800040000000 is not mapped",
        ),
        (
            "peek 0xffffffffffffffff 8",
            "0xffffffffffffffff is not mapped",
        ),
        ("pt 0xffffffffffffffff", "invalid"),
    ]);
}

#[test]
fn low_and_non_canonical_addresses_are_refused() {
    const LOW: &str = "the low half, which is off (TCR_EL1.EPD0)";
    const NONE: &str = "is outside this address space";
    let mut table = Vec::new();
    for (address, words) in [
        ("0", LOW),
        ("0x80000", LOW),
        ("0xfffffffffff8", LOW),
        ("0x1000000000000", NONE),
        ("0x00ff000000000000", NONE),
        ("0x8000000000000000", NONE),
    ] {
        for line in [
            "peek ADDRESS",
            "poke ADDRESS 1",
            "pt ADDRESS",
            "translate ADDRESS",
        ] {
            table.push((line.replace("ADDRESS", address), words));
        }
    }
    let table: Vec<(&str, &str)> = table
        .iter()
        .map(|(line, words)| (&**line, *words))
        .collect();
    refused(&table);
}

#[test]
fn writes_to_text_and_constants_are_refused() {
    let symbols = crate::harness::symbols::Symbols::read();
    let lines = ["__text_start", "__rodata_start"].map(|name| {
        let address = symbols.address(name);
        format!("poke {address:#x} 1")
    });
    refused(
        &lines
            .each_ref()
            .map(|line| (&**line, "is mapped, but not writable")),
    );
}

/// QEMU has nothing behind the last register of the local peripherals and aborts, as the board
/// does.
#[test]
fn an_abort_of_the_memory_system_is_a_message() {
    refused(&[
        (
            "peek 0xffff000040000134 32",
            "data abort on a read: synchronous external abort",
        ),
        (
            "poke 0xffff000040000134 1 32",
            "data abort on a write: synchronous external abort",
        ),
        ("peek 0xffff000040000ff8", "synchronous external abort"),
    ]);
}

#[test]
fn empty_lines_and_blanks_are_no_commands() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for line in ["\r", "    \r", " \r"] {
        machine.send(line);
        assert_eq!(machine.expect("\nstilt> ").trim(), "");
    }
    still_works(&mut machine);
}

/// Types a line that does not fit, in portions: the bell rings for each character that has no room.
fn type_long_line(machine: &mut Machine, line: &str) {
    const PORTION: usize = 500;
    for (index, portion) in line.as_bytes().chunks(PORTION).enumerate() {
        machine.send(portion);
        if index > 0 {
            machine.expect(&"\x07".repeat(portion.len()));
        }
    }
    machine.send("\r");
}

#[test]
fn a_line_of_ten_thousand_characters_is_cut_and_refused() {
    let mut machine = Setup::raw().start();
    machine.boot();
    type_long_line(&mut machine, &"x".repeat(LONG_LINE));
    machine.expect(": no such command");
    machine.expect("\nstilt> ");
    type_long_line(
        &mut machine,
        &format!("peek {}", "1 ".repeat(LONG_LINE / 2)),
    );
    machine.expect("usage: peek");
    machine.expect("\nstilt> ");
    still_works(&mut machine);
}

#[test]
fn binary_garbage_is_survived() {
    let mut machine = Setup::raw().start();
    machine.boot();
    // A linear congruential generator: the same bytes in every run. Ctrl-C is kept for the end.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let garbage = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    let garbage: Vec<u8> = garbage
        .filter(|byte| *byte != 3)
        .take(GARBAGE_BYTES)
        .collect();
    machine.send(garbage);
    machine.send([0x1b, 3]);
    machine.expect("^C");
    machine.expect("\nstilt> ");
    still_works(&mut machine);
}

//! What each command of the shell shows, against what the image and the machine are known to be.

use stilt::board::raspi3::CORES;
use stilt::mm::layout;

use crate::harness::report::{self, Run};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Ending, Machine, Setup};

/// In the middle of RAM, in the linear map: free when nothing was started.
const FREE_MEMORY: u64 = HIGH_HALF + 0x2000_0000;
/// The PL011's flag register, and its FIFO level register, which nothing depends on here.
const UART_FLAGS: u64 = HIGH_HALF + 0x3f20_1018;
const UART_FIFO_LEVELS: u64 = HIGH_HALF + 0x3f20_1034;

#[track_caller]
fn at_the_prompt() -> Machine {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine
}

/// The hexadecimal number behind `label` at the start of a line; nothing if the line says that it
/// is not mapped.
fn hex_behind(output: &str, label: &str) -> Option<u64> {
    let rest = output.lines().find_map(|line| line.strip_prefix(label))?;
    let mut words = rest.split_whitespace();
    let word = words.next().filter(|_| words.next() != Some("is"))?;
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

/// The commands that Tab shows on an empty line.
fn completed(machine: &mut Machine) -> Vec<String> {
    machine.send("\t");
    let shown = machine.expect("\nstilt> ");
    shown
        .split_whitespace()
        .map(str::to_owned)
        .filter(|word| word != "stilt>")
        .collect()
}

#[test]
fn help_lists_every_command_and_explains_each() {
    let mut machine = at_the_prompt();
    let output = machine.command("help");
    let lines: Vec<_> = output
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    let name_of = |line: &&str| {
        line.split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let names: Vec<_> = lines.iter().map(name_of).collect();
    let completed = completed(&mut machine);
    assert!(!completed.is_empty());
    assert_eq!(names, completed, "{output}");
    for (name, line) in names.iter().zip(&lines) {
        let (synopsis, what) = line
            .split_once("  ")
            .unwrap_or_else(|| panic!("{line:?} says nothing"));
        let explained = machine.command(&format!("help {name}"));
        machine.must_say(&explained, &[&format!("usage: {synopsis}"), what.trim()]);
        let unknown = machine.command(&format!("{name}x"));
        machine.must_say(&unknown, &["no such command"]);
    }
    let output = machine.command("help peek");
    machine.must_say(&output, &["peek ADDRESS", "8|16|32|64"]);
}

#[test]
fn info_tells_machine_and_entry() {
    let mut machine = at_the_prompt();
    let output = machine.command("info");
    machine.must_say(
        &output,
        &[
            "EL2",
            "x0 0x100",
            "Raspberry Pi 3 Model B",
            "960 MiB",
            "UART 3 MHz",
        ],
    );
}

#[test]
fn mem_counts_frames_tables_and_heap() {
    let mut machine = at_the_prompt();
    let output = machine.command("mem");
    let numbers = |name: &str| -> Vec<u64> {
        let line = output.lines().find(|line| line.starts_with(name));
        let words = line
            .unwrap_or_default()
            .split(|letter: char| !letter.is_ascii_digit());
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let [free, usable, free_kib, usable_kib] = numbers("frames")[..] else {
        machine.fail("mem does not count frames");
    };
    assert!(free < usable && usable <= 0x3c000, "{free} of {usable}");
    assert_eq!((free_kib, usable_kib), (free * 4, usable * 4));
    let tables = numbers("tables");
    assert!(
        tables[0] >= 4 && tables[0] < 32 && tables[1] == tables[0] * 4,
        "{tables:?}"
    );
    machine.must_say(&output, &["of 1 MiB"]);
}

/// The live map, as the shell shows it.
fn live_map(machine: &mut Machine) -> Vec<Run> {
    let output = machine.command("map");
    report::map(&output)
}

/// The boot map as the code builds it again: what README says of it, and what the final map has of
/// the image.
#[test]
fn the_boot_map_is_shown_with_the_rights_of_both_halves() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let live = machine.command("map");
    let shown = machine.command("map boot");
    let (low, high) = shown
        .split_once("high half (TTBR1_EL1), global:\n")
        .unwrap_or_default();
    assert!(
        low.starts_with("low half (TTBR0_EL1), non-global:\n"),
        "{shown}"
    );
    let rights = |half: &str, name: &str| -> Vec<String> {
        let lines = half
            .lines()
            .filter(|line| line.ends_with(&format!(" {name}")));
        lines
            .map(|line| {
                line.split_whitespace()
                    .nth(2)
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    };
    for (name, in_low, in_high) in [
        ("boot code", "r-x", "r--"),
        ("text", "r--", "r-x"),
        ("rodata", "r--", "r--"),
        ("data", "rw-", "rw-"),
        ("2M peripherals", "rw-", "rw-"),
    ] {
        let expected = |rights: &str| vec![rights.to_owned()];
        assert_eq!(rights(low, name), expected(in_low), "{shown}");
        assert_eq!(rights(high, name), expected(in_high), "{shown}");
    }
    let line = |map: &str| {
        let lines = map.lines().find(|line| line.ends_with(" text"));
        lines.unwrap_or_default().to_owned()
    };
    assert_eq!(line(high), line(&live), "the image is where it was");
    machine.must_say(&shown, &["0x0000000000000000-", "-0x000000007fffffff"]);
    let output = machine.command("map nonsense");
    machine.must_say(
        &output,
        &[
            "`nonsense` is not one of boot, --picture",
            "usage: map [boot|--picture ...]",
        ],
    );
}

#[test]
fn the_map_has_nothing_writable_and_executable() {
    let mut machine = at_the_prompt();
    let runs = live_map(&mut machine);
    for run in &runs {
        assert!(
            !(run.rights.contains('w') && run.rights.contains('x')),
            "{run:x?}"
        );
    }
    let symbols = Symbols::read();
    let text = symbols.address("__text_start")..symbols.address("__text_end");
    let executable: Vec<&Run> = runs.iter().filter(|run| run.rights.contains('x')).collect();
    assert_eq!(executable.len(), 1, "{executable:x?}");
    assert_eq!(executable[0].addresses, text);
    let constants = symbols.address("__rodata_start");
    let run = runs.iter().find(|run| run.contains(constants));
    assert_eq!(run.map(|run| &*run.rights), Some("r--"), "{runs:x?}");
}

#[test]
fn the_map_has_gaps_where_guards_are() {
    let mut machine = at_the_prompt();
    let runs = report::joined(live_map(&mut machine));
    let mapped = |va: usize| runs.iter().any(|run| run.contains(va as u64));
    for guard in layout::guards() {
        let last = guard.end() - 1;
        assert!(
            !mapped(guard.start.as_usize()) && !mapped(last),
            "{guard:x?}"
        );
    }
    for pages in (0..CORES).flat_map(layout::stacks).chain([layout::heap()]) {
        let whole = pages.start.as_usize() as u64..pages.end() as u64;
        assert!(runs.iter().any(|run| run.addresses == whole), "{pages:x?}");
    }
}

#[test]
fn the_map_ends_at_the_memory_of_the_arm_and_has_devices_as_devices() {
    let mut machine = at_the_prompt();
    let runs = live_map(&mut machine);
    let rights = |pa: u64| {
        let run = runs.iter().find(|run| run.contains(HIGH_HALF + pa));
        run.map(|run| format!("{} {}", run.rights, run.attributes[0]))
    };
    assert_eq!(rights(0x3bff_f000).as_deref(), Some("rw- wb"));
    assert_eq!(rights(0x3c00_0000), None, "VideoCore's memory");
    assert_eq!(rights(0x3f00_0000).as_deref(), Some("rw- nGnRE"));
    assert_eq!(rights(0x3fff_f000).as_deref(), Some("rw- nGnRE"));
    assert_eq!(rights(0x4000_0000).as_deref(), Some("rw- nGnRnE"));
}

#[test]
fn pt_shows_the_walk_level_by_level() {
    let mut machine = at_the_prompt();
    let text = Symbols::read().address("__text_start");
    let output = machine.command(&format!("pt {text:#x}"));
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), 4, "{output}");
    for (level, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("L{level}[")), "{line}");
    }
    let frame = format!("page 4K at {:#018x}", text - HIGH_HALF);
    machine.must_say(
        lines[3],
        &[&frame, "AP=10", "PXN=0", "UXN=1", "nG=0", "AF=1"],
    );
    let output = machine.command(&format!("pt {FREE_MEMORY:#x}"));
    machine.must_say(&output, &["L2[", "block 2M at 0x0000000020000000", "PXN=1"]);
}

#[test]
fn pt_shows_where_a_walk_ends() {
    let mut machine = at_the_prompt();
    let guard = layout::main_stack(0).start.as_usize() - 1;
    let output = machine.command(&format!("pt {guard:#x}"));
    let last = output
        .lines()
        .rfind(|line| line.starts_with('L'))
        .unwrap_or_default();
    machine.must_say(last, &["L3[", "invalid"]);
}

#[test]
fn walk_and_at_instruction_translate_alike() {
    let mut machine = at_the_prompt();
    let symbols = Symbols::read();
    let text = symbols.address("kernel_main");
    let heap = layout::heap().start.as_usize() as u64 + 0x1234;
    let mapped = [
        (text, false),
        (heap, true),
        (FREE_MEMORY + 0x5678, true),
        (UART_FLAGS, true),
    ];
    for (va, writable) in mapped {
        let output = machine.command(&format!("translate {va:#x}"));
        let walk = hex_behind(&output, "walk");
        assert!(walk.is_some(), "{va:#x}: {output}");
        assert_eq!(hex_behind(&output, "AT S1E1R"), walk, "{va:#x}: {output}");
        let write = hex_behind(&output, "AT S1E1W");
        assert_eq!(write, walk.filter(|_| writable), "{va:#x}: {output}");
        assert_eq!(hex_behind(&output, "AT S1E0R"), None, "{va:#x}: {output}");
    }
    let guard = layout::main_stack(0).start.as_usize() as u64 - 8;
    for va in [0, 0x8_0000, guard, HIGH_HALF + 0x3c00_0000] {
        let output = machine.command(&format!("translate {va:#x}"));
        for way in ["walk", "AT S1E1R", "AT S1E1W", "AT S1E0R"] {
            assert_eq!(hex_behind(&output, way), None, "{va:#x}: {output}");
        }
        machine.must_say(&output, &["walk", "AT S1E1R   fault"]);
    }
}

/// What `peek` reads.
#[track_caller]
fn peek(machine: &mut Machine, va: u64, width: u32) -> u64 {
    let output = machine.command(&format!("peek {va:#x} {width}"));
    match hex_behind(&output, &format!("{va:#018x}:")) {
        Some(value) => value,
        None => machine.fail(&format!("peek {va:#x} {width}: {output:?}")),
    }
}

#[track_caller]
fn poke(machine: &mut Machine, va: u64, value: u64, width: u32) {
    let output = machine.command(&format!("poke {va:#x} {value:#x} {width}"));
    machine.must_say(&output, &["written"]);
}

#[test]
fn peek_and_poke_reach_memory_in_every_width() {
    let mut machine = at_the_prompt();
    poke(&mut machine, FREE_MEMORY, 0x0123_4567_89ab_cdef, 64);
    for (width, value) in [
        (64, 0x0123_4567_89ab_cdef),
        (32, 0x89ab_cdef),
        (16, 0xcdef),
        (8, 0xef),
    ] {
        assert_eq!(
            peek(&mut machine, FREE_MEMORY, width),
            value,
            "{width} bits"
        );
    }
    for (width, value, whole) in [
        (8, 0x11, 0x0123_4567_89ab_cd11),
        (16, 0x2222, 0x0123_4567_89ab_2222),
        (32, 0x3333_3333, 0x0123_4567_3333_3333),
    ] {
        poke(&mut machine, FREE_MEMORY, value, width);
        assert_eq!(peek(&mut machine, FREE_MEMORY, 64), whole, "{width} bits");
    }
    assert_eq!(peek(&mut machine, FREE_MEMORY + 7, 8), 0x01);
    assert_eq!(
        machine.command(&format!("peek {FREE_MEMORY:#x}")),
        "0xffff000020000000: 0x0123456733333333"
    );
}

#[test]
fn peek_and_poke_reach_device_registers() {
    let mut machine = at_the_prompt();
    // Transmitter idle, nothing received but what is being read.
    let flags = peek(&mut machine, UART_FLAGS, 32);
    assert_eq!(flags & (1 << 7 | 1 << 5), 1 << 7, "{flags:#x}");
    for value in [0, 0x12] {
        poke(&mut machine, UART_FIFO_LEVELS, value, 32);
        assert_eq!(peek(&mut machine, UART_FIFO_LEVELS, 32), value);
    }
}

#[test]
fn log_shows_the_boot_log_again() {
    let mut machine = Setup::raw().start();
    let boot = machine.boot();
    let again = machine.command("log");
    assert_eq!(report::log(&again), report::log(&boot));
    assert!(report::log(&boot).len() > 10, "{boot}");
}

#[test]
fn times_in_the_log_never_go_back() {
    let mut machine = Setup::raw().start();
    let log = report::log(&machine.boot());
    let ascending = log.is_sorted_by_key(|line| line.microseconds);
    assert!(ascending, "{log:#?}");
}

#[test]
fn reboot_boots_again() {
    let mut machine = Setup::raw().start();
    let first = report::log(&machine.boot());
    machine.send("reboot\r");
    machine.expect("rebooting");
    let second = report::log(&machine.boot());
    // How long the other cores took is another matter.
    let texts = |log: &[report::Line]| {
        let lines = log.iter().filter(|line| line.topic != "cores");
        lines.map(|line| line.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&second), texts(&first));
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

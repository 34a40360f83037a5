//! What a user sees at a terminal: lines that fit, a line editor that knows how wide the rows are,
//! words that Tab completes.

use crate::harness::kinds::fault_kinds;
use crate::harness::{Ending, Machine, Setup};

/// The width of most terminals.
const COLUMNS: usize = 80;
const PROMPT: &str = "stilt> ";
/// Rows of the terminals here.
const ROWS: u16 = 24;
/// A key that does nothing but ring the bell: what was typed before it has been taken.
const RING: &str = "ü";

/// Boots, with `columns` told when the kernel asks for them.
#[track_caller]
fn at_terminal(columns: u16) -> Machine {
    const QUESTION: &str = "\x1b[6n";
    let mut machine = Setup::raw().start();
    machine.expect(QUESTION);
    let output = String::from_utf8_lossy(&machine.raw()).into_owned();
    let before = output.split(QUESTION).next().unwrap_or_default();
    let mut terminal = vt100::Parser::new(ROWS, columns, 0);
    terminal.process(before.as_bytes());
    let (row, column) = terminal.screen().cursor_position();
    machine.send(format!("\x1b[{};{}R", row + 1, column + 1));
    machine.boot();
    machine
}

/// Types `keys`; the last rows must hold `line`, and the cursor stand before its `cursor`-th
/// letter.
#[track_caller]
fn types(machine: &mut Machine, columns: u16, keys: &str, line: &str, cursor: usize) {
    machine.send(format!("{keys}{RING}"));
    machine.expect("\x07");
    let mut terminal = vt100::Parser::new(ROWS, columns, 0);
    terminal.process(&machine.raw());
    let (row, column) = terminal.screen().cursor_position();
    let (row, column, width) = (usize::from(row), usize::from(column), usize::from(columns));
    let offset = PROMPT.len() + cursor;
    // Behind the last letter of a full row a terminal's cursor waits in that row.
    let rows = if column == width {
        offset / width - 1
    } else {
        offset / width
    };
    assert_eq!(
        rows * width + column,
        offset,
        "{columns} columns, {keys:?}: {row}, {column}"
    );
    let rows: Vec<String> = terminal
        .screen()
        .rows(0, columns)
        .skip(row - rows)
        .map(|text| format!("{text:width$}"))
        .collect();
    let found = rows.concat();
    assert_eq!(
        found.trim_end(),
        format!("{PROMPT}{line}").trim_end(),
        "{columns} columns, {keys:?}"
    );
}

#[test]
fn a_long_line_is_edited_in_rows_of_every_width() {
    for columns in [20, 40, 80, 200] {
        let mut machine = at_terminal(columns);
        let words = "peek 0xffff000020000000 64 ".repeat(4);
        let long = &words[..100];
        types(&mut machine, columns, long, long, 100);
        types(&mut machine, columns, "\x01", long, 0);
        types(&mut machine, columns, "ab", &format!("ab{long}"), 2);
        types(&mut machine, columns, "\x7f\x7f", long, 0);
        types(&mut machine, columns, &"\x1b[C".repeat(33), long, 33);
        types(
            &mut machine,
            columns,
            "\x1b[3~",
            &(long[..33].to_owned() + &long[34..]),
            33,
        );
        types(&mut machine, columns, &long[33..34], long, 34);
        types(&mut machine, columns, "\x05", long, 100);
        types(&mut machine, columns, &"\x1b[D".repeat(27), long, 73);
        types(&mut machine, columns, "\x0b", &long[..73], 73);
        let kept = long[..73].rfind(' ').map_or(0, |blank| blank + 1);
        types(&mut machine, columns, "\x17", &long[..kept], kept);
        types(&mut machine, columns, "\x15", "", 0);
        types(&mut machine, columns, "x\x0c", "x", 1);
        // From the history, and back to what was typed.
        machine.send(format!("{}\x01y\r", &long[4..]));
        machine.expect("no such command");
        machine.boot();
        let older = format!("yx{}", &long[4..]);
        types(&mut machine, columns, "short\x10", &older, older.len());
        types(&mut machine, columns, "\x0e", "short", 5);
        types(&mut machine, columns, "\x03", "", 0);
    }
}

#[test]
fn without_an_answer_a_row_has_80_columns_and_no_command_waits() {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.command("mem");
    types(&mut machine, 80, &"x".repeat(100), &"x".repeat(100), 100);
    types(
        &mut machine,
        80,
        "\x01y",
        &format!("y{}", "x".repeat(100)),
        1,
    );
    assert_eq!(machine.transcript().matches("\x1b[6n").count(), 1);
}

#[test]
fn what_is_piped_in_is_no_terminal_and_is_not_asked() {
    let mut machine = Setup::raw().start();
    machine.send("uptime\nmem\nhalt\n");
    machine.must_end(Ending::Exit(0));
    let output = machine.transcript();
    machine.must_say(&output, &["s since the first instruction", "frames  "]);
    assert!(!output.contains('\x1b'), "{output:?}");
}

#[test]
fn tab_completes_arguments() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for (typed, line) in [
        ("help trans\t", "help translate "),
        ("fault write-t\t", "fault write-text "),
        ("fault brk a\t", "fault brk all "),
        ("irq r\t", "irq release "),
        ("echo-test 4 b\t", "echo-test 4 busy "),
        ("watchdog o\t", "watchdog off "),
        ("peek 0x80 3\t", "peek 0x80 32 "),
        ("explain d\t", "explain desc "),
        ("explain 8 a\t", "explain 8 as "),
        (
            "explain desc 0 --format lo\t",
            "explain desc 0 --format loongarch ",
        ),
        ("map --picture -\t", "map --picture --ascii "),
        ("poke 0x80 1 8\t", "poke 0x80 1 8 "),
    ] {
        types(&mut machine, 80, typed, line, line.len());
        machine.send("\x15");
    }
    machine.send("fault null-\t");
    machine.expect("null-read  null-call\n");
    machine.send("\x15");
    machine.expect("stilt> ");
    let kinds = fault_kinds(&machine.command("fault"));
    machine.send("fault \t");
    let shown = machine.expect("\nstilt> ");
    let shown = shown.split_once("fault ").map_or("", |(_, shown)| shown);
    let shown = shown.split_once("\n").map_or("", |(_, shown)| shown);
    let shown: Vec<_> = shown
        .split_whitespace()
        .filter(|word| *word != "stilt>")
        .collect();
    let names: Vec<_> = kinds.iter().map(|kind| &*kind.name).collect();
    assert_eq!(shown, names);
    machine.send("\x15fault undefined \t");
    machine.expect("0  1  2  3  all\n");
}

/// What is wider than a terminal, with the command that printed it.
fn too_wide<'a>(command: &'a str, output: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let lines = output.lines().filter(|line| line.chars().count() > COLUMNS);
    lines.map(move |line| (command, line))
}

#[test]
fn what_is_listed_fits_80_columns() {
    let mut machine = Setup::raw().start();
    let boot = machine.boot();
    let boot = boot.replace("\x1b[999C\x1b[6n", "");
    let help = machine.command("help");
    let names: Vec<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .collect();
    assert!(names.len() > 20, "{help}");
    let mut wide: Vec<_> = too_wide("boot", &boot).collect();
    let mut outputs = vec![("help".to_owned(), help.clone())];
    let helps = names.iter().map(|name| format!("help {name}"));
    let commands = [
        "info", "mem", "map", "cpus", "irq", "log", "fault", "watchdog",
    ];
    for command in helps.chain(commands.map(str::to_owned)) {
        let output = machine.command(&command);
        assert!(output.lines().count() > 0, "{command} says nothing");
        outputs.push((command, output));
    }
    for (command, output) in &outputs {
        wide.extend(too_wide(command, output));
    }
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn no_line_of_help_ends_in_a_blank_and_only_errors_of_usage_show_it() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for (line, words) in [
        ("map boot 1", "wrong number of arguments\nusage: map [boot"),
        ("help map", "usage: map [boot|--picture ...]\n"),
        (
            "peek 1 7",
            "`7` is not one of 8, 16, 32, 64\nusage: peek ADDRESS [8|16|32|64]",
        ),
        (
            "pt zero",
            "pt: expected a decimal digit, found 'z'\nusage: pt ADDRESS",
        ),
        (
            "poke 8 zero",
            "found 'z'\nusage: poke ADDRESS VALUE [8|16|32|64]",
        ),
        ("cpus call zero", "found 'z'\nusage: cpus [call CORE]"),
        (
            "help nonsense",
            "`nonsense` is not one of the commands that `help` lists\nusage: help [COMMAND]",
        ),
        (
            "irq release 0x8",
            "irq: `0x8` is not one of the numbers that `irq` shows",
        ),
    ] {
        let output = machine.command(line);
        machine.must_say(&output, &[words]);
        assert!(
            !output.lines().any(|line| line.ends_with(' ')),
            "{output:?}"
        );
    }
    for (line, words) in [
        ("numbers 0", "numbers: 0 is not from 1 to 1000000"),
        ("peek 1", "peek: 0x0000000000000001 is not a multiple of 8"),
        ("poke 0 256 8", "poke: 0x100 does not fit 8 bits"),
        (
            "numbers 1000001",
            "numbers: 1000001 is not from 1 to 1000000",
        ),
        ("soak 0", "soak: 0 is not from 1 to 1000000"),
        ("shootdown 0", "shootdown: 0 is not from 1 to 100000000"),
        ("sleep 0", "sleep: 0 is not from 1 to 600000"),
        ("echo-test 0", "echo-test: 0 is not from 1 to 16777216"),
        ("watchdog 0", "watchdog: 0 is not from 1 to 15"),
        ("watchdog 16", "watchdog: 16 is not from 1 to 15"),
        ("irq release 104", "irq: 104 is not from 0 to 103"),
        ("fault brk 4", "fault: 4 is not from 0 to 3"),
        (
            "peek 0xffff00003c000000",
            "peek: 0xffff00003c000000 is not mapped",
        ),
    ] {
        assert_eq!(machine.command(line), words);
    }
}

#[test]
fn fault_lists_its_kinds_and_says_which_need_a_debug_image() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let kinds = machine.command("fault");
    let help = machine.command("help fault");
    assert_eq!(fault_kinds(&kinds), fault_kinds(&help));
    machine.must_say(
        &kinds,
        &["lock-order", "needs a debug image: make qemu DEBUG=1"],
    );
    let refused = machine.command("fault lock-order");
    machine.must_say(&refused, &["needs a debug image: make qemu DEBUG=1"]);
}

#[test]
fn what_the_firmware_does_not_answer_is_said_in_words() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let output = machine.command("info");
    assert!(!output.contains("tag 0x"), "{output}");
    for line in output.lines() {
        let answered = !line.contains("unknown") || line.contains("unknown: no answer");
        assert!(answered, "{line}");
    }
}

#[test]
fn translate_says_what_the_hardware_says_in_words() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for (address, words) in [
        (
            "0xffff00003f201000",
            [
                "AT S1E1R   0x000000003f201000 Device-nGnRE",
                "AT S1E0R   fault: permission fault, level 2",
            ],
        ),
        (
            "0xffff000020000000",
            [
                "AT S1E1W   0x0000000020000000 Normal write-back",
                "AT S1E0R   fault: permission fault, level 2",
            ],
        ),
        (
            "0xffff80000000",
            [
                "the low half, which is off (TCR_EL1.EPD0)",
                "AT S1E1R   fault: translation fault, level 0",
            ],
        ),
        (
            "0xffff800000000000",
            [
                "is not mapped",
                "AT S1E1R   fault: translation fault, level 3",
            ],
        ),
    ] {
        let output = machine.command(&format!("translate {address}"));
        machine.must_say(&output, &words);
    }
}

#[test]
fn the_watchdog_of_an_emulator_is_said_to_reset_at_once() {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send("watchdog 15\r");
    machine.expect("armed: 15 s without the shell reset the board");
    machine.expect("this is QEMU, which does not count: it resets now");
    // It does.
    machine.expect("a kernel that lives in the high half");
    machine.boot();
}

#[test]
fn the_map_names_what_the_kernel_knows() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let map = machine.command("map");
    let legend = machine.command("help map");
    for name in [
        "text",
        "rodata",
        "data",
        "RAM",
        "peripherals",
        "stack of core 2",
        "heap",
        "guard",
    ] {
        let is_named = |line: &str| line.ends_with(&format!(" {name}"));
        assert!(map.lines().any(is_named), "{name}: {map}");
        let word = name.replace('2', "N");
        assert!(legend.contains(&word), "{word}: {legend}");
    }
}

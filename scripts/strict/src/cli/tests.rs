//! The ends of small kernels' runs, and what is said of them.

use std::io;
use std::path::Path;

use lexopt::Parser;

use super::arguments::{Task, task};
use super::play::{End, Progress};
use super::{FAILED, NOT_RUNNABLE, Report, Script, Subject, all, one, play};
use crate::image::Image;
use crate::machine::{Machine, Options};

/// b .
const STAY: u32 = 0x1400_0000;
/// Reads the PL011's flags for ever.
const POLL: [u32; 3] = [
    0xd2a7_e401, // mov x1, #0x3f20_0000
    0xb950_1820, // ldr w0, [x1, #0x1018]
    0x17ff_ffff, // b .-4
];
/// Prints for ever, by the PL011 at 115200.
const PRINT: [u32; 17] = [
    0xd2a7_e401, // mov x1, #0x3f20_0000
    0x52a0_0040, // mov w0, #0x2_0000
    0x7288_0000, // movk w0, #0x4000
    0xb900_0420, // str w0, [x1, #4]: the pins
    0xb910_303f, // str wzr, [x1, #0x1030]: off
    0x5280_0340, // mov w0, #26
    0xb910_2420, // str w0, [x1, #0x1024]
    0x5280_0060, // mov w0, #3
    0xb910_2820, // str w0, [x1, #0x1028]: the divisors
    0x5280_0e00, // mov w0, #0x70
    0xb910_2c20, // str w0, [x1, #0x102c]: eight bits, queues
    0x5280_6020, // mov w0, #0x301
    0xb910_3020, // str w0, [x1, #0x1030]: on
    0xb910_0020, // str w0, [x1, #0x1000]
    0xb950_1822, // ldr w2, [x1, #0x1018]
    0x372f_ffe2, // tbnz w2, #5, .-4: the queue is full
    0x17ff_fffd, // b .-12
];

const SECOND: u64 = 1_000_000_000;

/// Looks at the first run of a kernel with these options.
fn with<T>(words: &[u32], options: &[&str], look: impl FnOnce(&Subject<'_>, &Options) -> T) -> T {
    let parser = Parser::from_args(options);
    let Ok(Task::Run(arguments)) = task(parser, Some(Path::new("kernel8.img"))) else {
        panic!("no runs: {options:?}");
    };
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let subject = Subject {
        arguments: &arguments,
        image: Image::read(&bytes).expect("raw bytes are an image"),
        script: Script::default(),
        symbols: None,
        consoles: Default::default(),
    };
    look(&subject, &arguments.runs[0])
}

fn end(words: &[u32], options: &[&str]) -> (Machine, End) {
    with(words, options, |subject, options| {
        play(subject, options, io::sink(), Progress::Silent).expect("nothing is printed")
    })
}

fn report(words: &[u32], options: &[&str]) -> Report {
    with(words, options, |subject, options| {
        one(subject, options).expect("standard output")
    })
}

#[test]
fn a_kernel_that_polls_is_done_after_a_quiet_second() {
    // Two and more of the pieces in which a run is printed.
    let (machine, end) = end(&POLL, &["--ns-per-instruction", "100"]);
    assert!(matches!(end, End::Done), "{end:?}");
    assert!(machine.now() < 2 * SECOND, "{}", machine.now());
}

#[test]
fn a_kernel_that_prints_for_ever_is_done_after_three_seconds() {
    let options = ["--ns-per-instruction", "200", "--instructions", "30000000"];
    let (machine, end) = end(&PRINT, &options);
    assert!(matches!(end, End::Printing), "{end:?}");
    assert_eq!(machine.now() / SECOND, 3);
    assert!(machine.console().len() > 30_000, "it prints");
}

#[test]
fn a_halt_on_purpose_is_no_failure() {
    let options = ["--ns-per-instruction", "1000"];
    // b .; wfe, b .-4; wfi, b .-4.
    let halts: [&[u32]; 3] = [
        &[STAY],
        &[0xd503_205f, 0x17ff_ffff],
        &[0xd503_207f, 0x17ff_ffff],
    ];
    for words in halts {
        let (_, end) = end(words, &options);
        assert!(matches!(end, End::Halted), "{words:x?}: {end:?}");
        let report = report(words, &options);
        assert_eq!((report.code, &*report.tail), (0, ""), "{words:x?}");
    }
}

#[test]
fn a_halt_is_a_divergence_where_the_kernel_goes_on_without_liberties() {
    let words = [
        0xd2a0_0401, // mov x1, #0x20_0000
        0xf940_0020, // ldr x0, [x1]
        0xb400_0040, // cbz x0, .+8
        STAY,
    ];
    let words = [&words[..], &POLL].concat();
    let report = report(&words, &["--ns-per-instruction", "1000"]);
    let text = "strict: the image has halted\n\
                finding: divergence: without liberties the run succeeds\n  \
                it succeeds with `--off noise`\n";
    assert_eq!((report.code, &*report.tail), (FAILED, text));
}

#[test]
fn a_console_that_falls_silent_too_early_is_a_divergence() {
    // Prints a line; polls for ever if a word behind the image is not zero; else prints another.
    let set_up = &PRINT[..13];
    let first = print(b"first");
    let unless_zero = [
        0xd2a0_0403, // mov x3, #0x20_0000
        0xf940_0063, // ldr x3, [x3]
        0xb400_0063, // cbz x3, .+12
        0xb950_1822, // ldr w2, [x1, #0x1018]
        0x17ff_ffff, // b .-4
    ];
    let second = print(b"second");
    let poll = [0xb950_1822, 0x17ff_ffff];
    let parts = [set_up, &first, &unless_zero, &second, &poll];
    let words = parts.concat();
    let options = ["--ns-per-instruction", "200"];
    let silent = report(&words, &options);
    let text = "finding: divergence: without liberties the run succeeds\n  \
                it prints \"second\", with numbers as #\n  \
                it succeeds with `--off noise`\n";
    assert_eq!((silent.code, &*silent.tail), (FAILED, text));
    let told = report(&words, &[&options[..], &["--off", "noise"]].concat());
    assert_eq!((told.code, &*told.tail), (0, ""));
}

/// Sends the bytes and a line's end; X1 has the peripherals' address, the queue is on.
fn print(line: &[u8]) -> Vec<u32> {
    let bytes = line.iter().chain(b"\n");
    // mov w0, #byte; str w0, [x1, #0x1000]
    let sends = bytes.map(|byte| [0x5280_0000 | u32::from(*byte) << 5, 0xb910_0020]);
    sends.flatten().collect()
}

#[test]
fn of_several_runs_each_has_a_line() {
    let options = ["--ns-per-instruction", "1000", "--seed", "6"];
    assert_eq!(report(&[STAY], &options).head, "\n");
    let options = [&options[..], &["--seeds", "2"]].concat();
    let head = report(&[STAY], &options).head;
    let is_whole = head.starts_with("strict: firmware, seed 6: ")
        && head.contains(" instructions, ")
        && head.ends_with(" liberties changed a value, done\n");
    assert!(is_whole, "{head}");
}

#[test]
fn a_run_that_fails_is_told_with_its_last_line_and_the_cores_places() {
    let options = ["--until", "ready", "--instructions", "1000"];
    let report = report(&[STAY], &options);
    let lines: Vec<&str> = report.tail.lines().collect();
    let [missing, outcome, last, core_0, _, _, _, too] = lines[..] else {
        panic!("{}", report.tail);
    };
    assert_eq!(missing, "strict: the console did not print \"ready\"");
    assert_eq!(outcome, "strict: the limit of instructions is reached");
    assert_eq!(last, "  last on the console: \"\"");
    assert_eq!(core_0, "  core 0 at 0x80000");
    assert_eq!(too, "strict: it fails without any liberty, too");
    assert_eq!(report.code, FAILED);
}

/// The exit code of four runs of a program.
fn code(words: &[u32], entry: &str) -> u8 {
    with(words, &["--entry", entry, "--seeds", "4"], |subject, _| {
        all(subject).expect("a report")
    })
}

/// CPACR_EL1.FPEN, ISB.
const ENABLED: [u32; 3] = [0xd2a0_0600, 0xd518_1040, 0xd503_3fdf];
/// fadd s0, s0, s0
const NOT_MODELLED: u32 = 0x1e20_2800;
/// adr x1, .; add x1, x1, #0x100; ldr w0, [x1]; cbz w0, .+8
const UNLESS_ZERO: [u32; 4] = [0x1000_0001, 0x9104_0021, 0xb940_0020, 0x3400_0040];

#[test]
fn what_is_not_modelled_cannot_be_run() {
    let program = [&ENABLED[..], &[NOT_MODELLED, STAY]].concat();
    assert_eq!(code(&program, "el1"), NOT_RUNNABLE);
}

#[test]
fn a_granule_that_the_core_lacks_fails() {
    // TCR_EL1: TG0 for 16 KiB, 32 bits of address; SCTLR_EL1.M; ISB.
    let program = [
        0xd290_0400,
        0xd518_2040,
        0xd280_0020,
        0xd518_1000,
        0xd503_3fdf,
    ];
    assert_eq!(code(&[&program[..], &[STAY]].concat(), "el1"), FAILED);
}

#[test]
fn what_is_not_modelled_fails_where_liberties_alone_lead_to_it() {
    // The word behind the image is noise.
    let program = [&ENABLED[..], &UNLESS_ZERO, &[NOT_MODELLED, STAY]].concat();
    assert_eq!(code(&program, "el1"), FAILED);
}

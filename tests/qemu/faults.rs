//! What the map must catch, it catches, and the report says what, where and by which instruction.

use std::ops::Range;

use stilt::mm::layout;

use crate::harness::symbols::Symbols;
use crate::harness::{Ending, Setup};

/// Provokes a fault. `words` is the decoded ESR, `class` its EC, `at` where FAR must be, and `by` where ELR.
#[track_caller]
fn reported(kind: &str, words: &str, class: u64, at: &Range<u64>, by: &Range<u64>) {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send(format!("fault {kind}\r"));
    machine.must_end(Ending::Exception);
    let output = machine.transcript();
    let (_, report) = output.split_once("\nstilt: ").unwrap_or_default();
    machine.must_say(
        report,
        &["synchronous exception from the kernel on core 0", words],
    );
    machine.must_say(report, &["stilt: stopped"]);
    let number = |label: &str| {
        let line = report.lines().find(|line| line.contains(label));
        let (_, rest) = line
            .unwrap_or_default()
            .split_once("0x")
            .unwrap_or_default();
        let digits = rest
            .split(|letter: char| !letter.is_ascii_hexdigit())
            .next();
        u64::from_str_radix(digits.unwrap_or_default(), 16).ok()
    };
    assert_eq!(number("(ESR").map(|esr| esr >> 26), Some(class), "{report}");
    let far = number("(FAR)");
    assert!(
        far.is_some_and(|far| at.contains(&far)),
        "{at:x?}: {report}"
    );
    let elr = number("(ELR)");
    assert!(
        elr.is_some_and(|elr| by.contains(&elr)),
        "{by:x?}: {report}"
    );
}

/// ESR.EC of an abort that the kernel took in its own level (DDI 0487, ESR_EL1).
const DATA_ABORT: u64 = 0x25;
const INSTRUCTION_ABORT: u64 = 0x21;

/// The command that provokes them, with what it calls inlined.
fn command(symbols: &Symbols) -> Range<u64> {
    symbols.item(&["shell", "fault", "run"])
}

#[test]
fn a_null_read_is_reported() {
    let by = command(&Symbols::read());
    let words = "data abort on a read: translation fault, level 0";
    reported("null-read", words, DATA_ABORT, &(0..1), &by);
}

#[test]
fn a_write_to_text_is_reported() {
    let symbols = Symbols::read();
    let text = symbols.address("__text_start")..symbols.address("__text_end");
    let words = "data abort on a write: permission fault, level 3";
    reported("write-text", words, DATA_ABORT, &text, &command(&symbols));
}

#[test]
fn execution_of_data_is_reported() {
    let data = Symbols::read().item(&["shell", "fault", "RETURN"]);
    let words = "instruction abort: permission fault, level 3";
    reported("exec-data", words, INSTRUCTION_ABORT, &data, &data);
}

#[test]
fn running_into_a_guard_page_is_reported() {
    let by = command(&Symbols::read());
    let below = layout::main_stack(0).start.as_usize() as u64 - 8;
    let words = "data abort on a write: translation fault, level 3";
    reported("guard-page", words, DATA_ABORT, &(below..below + 1), &by);
}

//! The values in the book's tour of the boot are those of the code.
//!
//! A row of a table there begins with registers and a value, each in backticks:
//! `| ``SCTLR_EL3`` | ``0x30c50830`` |`. Each such row is one that is expected here, and each
//! register that is expected has all of its values in the book.

use std::collections::BTreeSet;
use std::fs;

use stilt::board::raspi3::COUNTER_HZ;
use stilt::paging::format::aarch64_registers::{SCTLR_EL1_MMU_OFF, SCTLR_EL1_MMU_ON};

use crate::harness::checkout;
use crate::registers::{OF_EL1, OF_EL2, OF_EL3, WITHOUT_LOW_HALF};

/// Registers that an emulator has only as constants, and states for `eret`: the constants of
/// `src/boot/entry.rs` for boot/start.S.
const OF_ENTRY: [(&str, &str); 6] = [
    ("CPUECTLR_EL1", "CPUECTLR_SMPEN"),
    ("ACTLR_EL3", "ACTLR_LOWER_ACCESS"),
    ("ACTLR_EL2", "ACTLR_LOWER_ACCESS"),
    ("L2CTLR_EL1", "L2CTLR_LATENCY"),
    ("SPSR_EL3", "SPSR_EL2H"),
    ("SPSR_EL2", "SPSR_EL1H"),
];

/// A register by its name in the manual, and a value.
type Row = (String, u64);

/// The rows of the book.
fn rows(text: &str) -> BTreeSet<Row> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|');
        let (names, value) = (cells.next()?, cells.next()?);
        let value = number(value.trim().strip_prefix('`')?.split('`').next()?)?;
        let names = names.split('`').skip(1).step_by(2);
        Some(names.map(|name| (name.to_owned(), value)).collect())
    });
    rows.collect::<Vec<Vec<Row>>>()
        .into_iter()
        .flatten()
        .collect()
}

fn number(word: &str) -> Option<u64> {
    let word = word.replace('_', "");
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

/// The value of a `NAME = const VALUE` of `src/boot/entry.rs`: a number, or a shift of one.
fn entry_constant(source: &str, name: &str) -> u64 {
    let value = source.lines().find_map(|line| {
        let value = line.trim().strip_prefix(name)?.strip_prefix(" = const ")?;
        let value = value.trim_end_matches(',');
        match value.split_once(" << ") {
            Some((value, shift)) => Some(number(value)? << number(shift)?),
            None => number(value),
        }
    });
    value.unwrap_or_else(|| panic!("src/boot/entry.rs has no {name}"))
}

/// A register's name in the manual: QEMU leaves the level out of some.
fn manuals_name(name: &str) -> String {
    if name.contains("_EL") {
        name.to_owned()
    } else {
        format!("{name}_EL1")
    }
}

fn expected(entry: &str) -> BTreeSet<Row> {
    let of_levels = OF_EL3.iter().chain(&OF_EL2).chain(&OF_EL1);
    let mut rows: BTreeSet<Row> = of_levels
        .map(|(name, value)| (manuals_name(name), *value))
        .collect();
    for (register, constant) in OF_ENTRY {
        rows.insert((register.to_owned(), entry_constant(entry, constant)));
    }
    rows.insert(("TCR_EL1".to_owned(), WITHOUT_LOW_HALF));
    rows.insert(("SCTLR_EL1".to_owned(), SCTLR_EL1_MMU_OFF));
    rows.insert(("SCTLR_EL1".to_owned(), SCTLR_EL1_MMU_ON));
    rows
}

#[test]
fn the_tour_of_the_boot_has_the_values_of_the_code() {
    let read = |path: &str| fs::read_to_string(checkout::root().join(path)).expect(path);
    let book = read("docs/boot.md");
    let expected = expected(&read("src/boot/entry.rs"));
    assert!(expected.len() > 25);
    assert_eq!(rows(&book), expected);
    assert!(book.contains(&format!("`{COUNTER_HZ}`, or as it was")));
}

#[test]
fn a_value_that_is_another_one_is_found() {
    let row = "| `ACTLR_EL3`, `ACTLR_EL2` | `0x73` | why |\n| VBAR_EL1 | `0x1` |\n| `X` | y |";
    let both = BTreeSet::from(["ACTLR_EL2", "ACTLR_EL3"].map(|name| (name.to_owned(), 0x73)));
    assert_eq!(rows(row), both);
    assert_ne!(rows(&row.replace("0x73", "0x72")), both);
}

//! The reader on a table that was written by hand, and on what is no table at all. Tables as the
//! build writes them are tested where they are written, and at each build.
#![forbid(unsafe_code)]

use std::string::{String, ToString};
use std::vec::Vec;

use super::{HEADER_LENGTH, MAGIC, Names, NamesError};

const HIGH: u64 = 0xffff_0000_0000_0000;

/// Three functions: `ab` at 0x1000 with 4 instructions, `aba` behind it with 2, and after a gap of
/// 3 instructions `b` with 1. Value 0 is `a`, 1 is `b`, 2 is `.`, 3 is `ab`. The files are `a.` and
/// `b.`.
fn table() -> Vec<u8> {
    let records: &[&[u8]] = &[
        // One instruction without a line, then a.:7; then one from a.:7 with b.:300 inlined; then
        // a.:9.
        &[8, 1, 3, 10, 0x61, 17, 7, 0x60, 18, 0xac, 2, 0xa0, 0, 4],
        &[2 << 1, 2, 3, 0, 0],
        &[1 << 1 | 1, 3, 1, 1, 3, 0x60, 17, 1],
    ];
    let records: Vec<u8> = records.concat();
    let mut table = MAGIC.to_vec();
    table.extend([1, 0, 2, 0]);
    table.extend([0; 4]);
    table.extend((records.len() as u32).to_le_bytes());
    table.extend([3, 0, 1, 0]);
    table.extend((0x1000_u32 / 4).to_le_bytes());
    table.extend(b"ab.");
    table.extend([0, 1]);
    table.extend(records);
    table.extend([2, 0, 2, 2, 1, 2]);
    let length = table.len() as u32;
    table[8..12].copy_from_slice(&length.to_le_bytes());
    table
}

fn function(address: u64) -> Option<(String, u64, u64)> {
    let table = table();
    let found = Names::new(&table).expect("a table").function(address)?;
    Some((found.to_string(), found.start, found.offset))
}

fn line(address: u64) -> Option<String> {
    let table = table();
    let found = Names::new(&table).expect("a table").line(address)?;
    Some(found.to_string())
}

#[test]
fn every_byte_of_a_function_has_its_name_and_none_beside_it() {
    assert_eq!(function(0xfff), None);
    assert_eq!(function(0x1000), Some(("ab".into(), 0x1000, 0)));
    assert_eq!(function(0x100f), Some(("ab".into(), 0x1000, 15)));
    assert_eq!(function(0x1010), Some(("aba".into(), 0x1010, 0)));
    assert_eq!(function(0x1017), Some(("aba".into(), 0x1010, 7)));
    assert_eq!(function(0x1018), None, "in the gap");
    assert_eq!(function(0x1023), None, "in the gap");
    assert_eq!(function(0x1024), Some(("b".into(), 0x1024, 0)));
    assert_eq!(function(0x1028), None, "behind the last");
    assert_eq!(function(0), None);
    assert_eq!(function(u64::MAX), None);
}

#[test]
fn an_address_is_answered_in_its_own_half() {
    assert_eq!(
        function(HIGH | 0x1014),
        Some(("aba".into(), HIGH | 0x1010, 4))
    );
    assert_eq!(function(0x0001_0000_0000_1014), None, "in neither");
    assert_eq!(line(HIGH | 0x1024), line(0x1024));
}

#[test]
fn lines_are_those_of_the_instruction_and_no_other() {
    assert_eq!(line(0x1000), None, "before the first row");
    assert_eq!(line(0x1004).as_deref(), Some("a.:7"));
    assert_eq!(line(0x1008).as_deref(), Some("b.:300 via a.:7"));
    assert_eq!(line(0x100b).as_deref(), Some("b.:300 via a.:7"));
    assert_eq!(line(0x100c).as_deref(), Some("a.:9"));
    assert_eq!(line(0x1010), None, "a function without rows");
    assert_eq!(line(0x1024).as_deref(), Some("a.:1"));
}

#[test]
fn the_innermost_line_is_the_first_of_a_place() {
    let table = table();
    let names = Names::new(&table).expect("a table");
    let place = names.line(0x1008).expect("a line");
    let lines: Vec<u32> = place.lines().map(|line| line.line).collect();
    assert_eq!(lines, [300, 7]);
}

#[test]
fn a_link_counts_as_a_return_address_in_code_of_another_function() {
    let table = table();
    let names = Names::new(&table).expect("a table");
    assert_eq!(names.return_address(0x1010, 0x1008), Some(0x1008));
    assert_eq!(
        names.return_address(0, 0x1008),
        Some(0x1008),
        "after a jump to nowhere"
    );
    assert_eq!(
        names.return_address(0x1000, 0x1008),
        None,
        "in the same function"
    );
    assert_eq!(names.return_address(HIGH | 0x1000, 0x1008), Some(0x1008));
    assert_eq!(
        names.return_address(0x1000, 0x1018),
        Some(0x1018),
        "after the last instruction"
    );
    assert_eq!(names.return_address(0x1000, 0x1012), None, "not aligned");
    assert_eq!(names.return_address(0x1010, 0x2000), None);
    assert_eq!(names.return_address(0x1010, 0), None);
}

#[test]
fn what_is_no_table_is_refused_with_the_reason() {
    let refused = |table: &[u8]| Names::new(table).map(drop);
    let table = table();
    assert_eq!(refused(&[]), Err(NamesError::TooShort { length: 0 }));
    let length = HEADER_LENGTH - 1;
    assert_eq!(
        refused(&table[..length]),
        Err(NamesError::TooShort { length })
    );
    assert_eq!(refused(&[0; 4096]), Err(NamesError::Empty));
    assert_eq!(
        refused(&[b'x'; 64]),
        Err(NamesError::Magic { found: *b"xxxx" })
    );
    let mut newer = table.clone();
    newer[4] = 2;
    assert_eq!(refused(&newer), Err(NamesError::Version { found: 2 }));
    let cut = &table[..table.len() - 1];
    let (stated, length) = (table.len() as u32, cut.len());
    assert_eq!(refused(cut), Err(NamesError::Size { stated, length }));
    let mut longer = table.clone();
    longer.extend([0xff; 9]);
    assert_eq!(refused(&longer), Ok(()), "what follows is not the table's");
    for at in [12, 16, 18] {
        let mut wrong = table.clone();
        wrong[at + 1] = 0xff;
        assert!(
            matches!(refused(&wrong), Err(NamesError::Size { .. })),
            "{at}"
        );
    }
}

/// Numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Asks for everything; returning is what is tested.
fn ask(table: &[u8], address: u64) {
    let Ok(names) = Names::new(table) else {
        return;
    };
    for address in [address, address | HIGH, 0, u64::MAX] {
        if let Some(function) = names.function(address) {
            assert!(function.offset < function.size);
            assert!(function.to_string().len() <= super::TEXT_MAX);
        }
        if let Some(place) = names.line(address) {
            assert!(place.lines().count() <= super::CHAIN_MAX);
            assert!(!place.to_string().is_empty());
        }
        let _ = names.return_address(address, 0x1008);
    }
}

#[test]
fn damaged_tables_neither_panic_nor_hang() {
    let good = table();
    let mut random = Random(0x5742_11c3_9e0d_a001);
    for _ in 0..50_000 {
        let mut table = good.clone();
        for _ in 0..=random.below(6) {
            let at = random.below(table.len());
            table[at] = random.next() as u8;
        }
        ask(&table, 0x1000 + random.next() % 0x30);
    }
}

#[test]
fn tables_of_random_bytes_neither_panic_nor_hang() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for _ in 0..50_000 {
        let length = HEADER_LENGTH + random.below(200);
        let mut table: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        // A header that fits, or nothing behind it would be looked at.
        table[..4].copy_from_slice(&MAGIC);
        table[4..6].copy_from_slice(&[1, 0]);
        table[8..12].copy_from_slice(&(length as u32).to_le_bytes());
        let rest = length - HEADER_LENGTH;
        let characters = random.below(rest + 1);
        let pairs = random.below((rest - characters) / 2 + 1);
        let records = random.below(rest - characters - 2 * pairs + 1);
        table[12..16].copy_from_slice(&(records as u32).to_le_bytes());
        table[16..18].copy_from_slice(&(characters as u16).to_le_bytes());
        table[18..20].copy_from_slice(&(pairs as u16).to_le_bytes());
        table[20..24].copy_from_slice(&[0, 4, 0, 0]);
        ask(&table, 0x1000 + random.next() % 0x400);
    }
}

#[test]
fn a_dictionary_that_explodes_is_cut() {
    // Each of the 255 pairs is the one before it twice: 2^255 characters, and a stack that deep.
    let mut table = table();
    table.truncate(HEADER_LENGTH);
    table[16..20].copy_from_slice(&[1, 0, 255, 0]);
    table.push(b'a');
    table.extend((0..255).flat_map(|value| [value, value]));
    let records = [1 << 1, 1, 255, 0];
    table.extend(records);
    table[12..16].copy_from_slice(&(records.len() as u32).to_le_bytes());
    let length = table.len() as u32;
    table[8..12].copy_from_slice(&length.to_le_bytes());
    let names = Names::new(&table).expect("a header that fits");
    let shown = names.function(0x1000).expect("a function").to_string();
    assert_eq!(shown.len(), super::TEXT_MAX);
    assert!(shown.contains('?'), "{shown}");
}

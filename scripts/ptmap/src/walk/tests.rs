//! Walks of memories whose tables are a tree, and of memories whose tables are not.

use std::convert::Infallible;

use super::{Cell, MOST_TABLES, Tree, walk};
use crate::finding::FindingKind;
use crate::memory::{PhysicalMemory, Table};
use crate::registers::{Half, Registers};
use crate::synthetic::{
    CONTIGUOUS, HIGH, Memory, NORMAL_BLOCK, NORMAL_PAGE, REGISTERS, ROOT, TABLE,
};

fn high(memory: &mut Memory) -> Tree {
    let Ok(tree) = walk(&REGISTERS, Half::High, memory);
    tree
}

fn kinds(tree: &Tree) -> Vec<(FindingKind, u64)> {
    let findings = tree.findings.iter();
    findings.map(|found| (found.kind, found.va)).collect()
}

#[test]
fn leaves_of_every_level_are_found_at_their_addresses() {
    let mut memory = Memory::with_roots();
    memory.put(HIGH | 3 << 30, 1, 1 << 30 | NORMAL_BLOCK);
    memory.put(HIGH | 5 << 21, 2, 7 << 21 | NORMAL_BLOCK);
    memory.page(HIGH | 0x8000_0000_0000 | 0x1f_f000, 0x1_2000 | NORMAL_PAGE);
    let tree = high(&mut memory);
    let found: Vec<_> = tree
        .leaves
        .iter()
        .map(|leaf| (leaf.va, leaf.level, leaf.pa()))
        .collect();
    let expected = [
        (HIGH | 5 << 21, 2, 7 << 21),
        (HIGH | 3 << 30, 1, 1 << 30),
        (HIGH | 0x8000_001f_f000, 3, 0x1_2000),
    ];
    assert_eq!(found, expected);
    assert_eq!(kinds(&tree), []);
    let levels: Vec<_> = tree
        .tables
        .iter()
        .map(|table| (table.level, table.used()))
        .collect();
    assert_eq!(levels, [(0, 2), (1, 2), (2, 1), (1, 1), (2, 1), (3, 1)]);
    let last = tree.tables.last().unwrap();
    assert_eq!(last.cells, [(Cell::Unused, 511), (Cell::Leaf, 1)]);
    assert_eq!(tree.leaves[2].at, last.pa + 8 * 511);
}

#[test]
fn a_table_that_leads_back_to_itself_is_told_and_passed_over() {
    let mut memory = Memory::with_roots();
    // An entry that leads to its own table (a recursive map), and a loop of two tables.
    memory.put(HIGH | 511 << 39, 0, ROOT | TABLE);
    memory.page(HIGH, 0x1000 | NORMAL_PAGE);
    let level_1 = memory.frames[&ROOT][0] & !0xfff;
    memory.put(HIGH | 1 << 30, 1, level_1 | TABLE);
    let tree = high(&mut memory);
    let expected = [
        (FindingKind::Loop, HIGH | 1 << 30),
        (FindingKind::Loop, HIGH | 511 << 39),
    ];
    assert_eq!(kinds(&tree), expected);
    assert_eq!(tree.leaves.len(), 1);
}

#[test]
fn a_table_outside_of_memory_is_told_and_the_walk_goes_on_beside_it() {
    let mut memory = Memory::with_roots();
    memory.put(HIGH | 1 << 30, 1, 0xdead_beef_f000 | TABLE);
    memory.page(HIGH | 2 << 30, 0x1000 | NORMAL_PAGE);
    let tree = high(&mut memory);
    assert_eq!(
        kinds(&tree),
        [(FindingKind::UnreadableTable, HIGH | 1 << 30)]
    );
    assert!(tree.findings[0].what.contains("0x0000deadbeeff003"));
    assert_eq!(tree.leaves.len(), 1);
}

#[test]
fn what_is_no_descriptor_is_told() {
    let mut memory = Memory::with_roots();
    memory.put(HIGH, 0, 0x1000 | 0b01);
    memory.page(HIGH | 1 << 39, 0x1000 | 0b01);
    memory.page(HIGH | 1 << 39 | 0x1000, 0xabc0);
    // An inaccessible leaf, as stilt-paging writes it.
    memory.page(HIGH | 1 << 39 | 0x2000, 0x00e0_0000_0000_5712);
    memory.page(HIGH | 1 << 39 | 0x3000, 0x5000 | NORMAL_PAGE | CONTIGUOUS);
    let tree = high(&mut memory);
    let expected = [
        (FindingKind::ReservedEncoding, HIGH),
        (FindingKind::ReservedEncoding, HIGH | 1 << 39),
        (FindingKind::SoftwareEntry, HIGH | 1 << 39 | 0x1000),
    ];
    assert_eq!(kinds(&tree), expected);
    assert_eq!(tree.leaves.len(), 2);
    let cells = &tree.tables.last().unwrap().cells;
    let expected = [
        (Cell::Reserved, 1),
        (Cell::Software, 2),
        (Cell::Contiguous, 1),
        (Cell::Unused, 508),
    ];
    assert_eq!(*cells, expected);
}

/// A memory in which every address is a table full of table descriptors.
struct Endless;

impl PhysicalMemory for Endless {
    type Error = Infallible;

    fn read_table(&mut self, pa: u64) -> Result<Option<Table>, Infallible> {
        let entry = |index: usize| (pa << 9 | (index as u64) << 12) & 0xffff_ffff_f000 | TABLE;
        Ok(Some(Box::new(std::array::from_fn(entry))))
    }
}

#[test]
fn a_memory_full_of_tables_ends_the_walk() {
    let Ok(tree) = walk(&REGISTERS, Half::High, &mut Endless);
    assert_eq!(tree.tables.len(), MOST_TABLES);
    let full = tree
        .findings
        .iter()
        .filter(|found| found.kind == FindingKind::TooManyTables);
    assert_eq!(full.count(), 1);
    assert!(tree.findings.len() < 300, "{}", tree.findings.len());
}

#[test]
fn a_root_of_fewer_bits_has_fewer_entries() {
    let mut memory = Memory::with_roots();
    // T1SZ 28: 36 bits, a root of level 1 with 64 entries; the rest of the frame is not read.
    memory.frames.get_mut(&ROOT).unwrap()[63] = 1 << 30 | NORMAL_BLOCK;
    memory.frames.get_mut(&ROOT).unwrap()[64] = 2 << 30 | NORMAL_BLOCK;
    let tcr = REGISTERS.tcr & !(0x3f << 16) | 28 << 16;
    let registers = Registers { tcr, ..REGISTERS };
    let Ok(tree) = walk(&registers, Half::High, &mut memory);
    assert_eq!(tree.tables[0].entries(), 64);
    assert_eq!(tree.leaves.len(), 1);
    assert_eq!(tree.leaves[0].va, u64::MAX << 30);
}

#[test]
fn nothing_is_read_while_walks_are_off() {
    let mut memory = Memory::with_roots();
    let tcr = REGISTERS.tcr | 1 << 23;
    let registers = Registers { tcr, ..REGISTERS };
    let Ok(tree) = walk(&registers, Half::High, &mut memory);
    assert_eq!((tree.leaves.len(), tree.tables.len()), (0, 0));
}

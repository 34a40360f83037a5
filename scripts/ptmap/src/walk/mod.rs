//! The walk: from the registers to every leaf, as the hardware would, and without belief.
//!
//! ```text
//! TTBR1_EL1 0x119000 -> level 0, entry 0 -> 0x11a000 level 1 -> 0x11d000 level 2 -> 0x11e000
//!   level 3, entry 132 = 0x00400000_00084793: page at 0x84000, so 0xffff000000084000 is text
//! ```
//!
//! # Decisions
//! - A table may be anything: one that leads back to itself, one outside of RAM, one that is full
//!   of numbers. Each is a [`Finding`], and the walk goes on beside it. The number of tables is
//!   bounded, and with it that of leaves, so that any memory ends it.
//! - A table is read once, however often it is reached.

use std::collections::BTreeMap;

use crate::descriptor::{Kind, Limits, entry_bytes, is_inaccessible, output_address};
use crate::finding::{Finding, FindingKind};
use crate::memory::{PhysicalMemory, Table};
use crate::registers::{Half, Registers, Translation};

/// The most tables that one half may have; the kernel has some ten, 4096 take 16 MiB.
const MOST_TABLES: usize = 4096;
/// The most findings of a walk that are kept.
const MOST_FINDINGS: usize = 200;

/// A leaf: a block or a page, valid or inaccessible.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Leaf {
    /// The first address that it translates.
    pub va: u64,
    /// Its descriptor.
    pub bits: u64,
    /// The level of its table, 1 to 3.
    pub level: usize,
    /// Where the descriptor stands: a physical address.
    pub at: u64,
    /// What the tables above it take away.
    pub limits: Limits,
}

impl Leaf {
    /// How much it translates.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        entry_bytes(self.level)
    }

    /// The frame it maps to.
    #[must_use]
    pub const fn pa(&self) -> u64 {
        output_address(self.bits, self.level)
    }
}

/// A table as it was reached: shared ones stand here more than once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableFound {
    /// Its physical address.
    pub pa: u64,
    /// Its level.
    pub level: usize,
    /// The first address that it translates.
    pub va: u64,
    /// The descriptor that leads to it; 0 for the root.
    pub bits: u64,
    /// Where that descriptor stands; 0 for the root.
    pub at: u64,
    /// What each of its entries is, in runs: a [`Cell`] and how many of it.
    pub cells: Vec<(Cell, usize)>,
}

impl TableFound {
    /// How many entries are `cell`.
    #[must_use]
    pub fn count(&self, cell: Cell) -> usize {
        let of_it = self.cells.iter().filter(|(this, _)| *this == cell);
        of_it.map(|(_, count)| count).sum()
    }

    /// How many entries there are: 512, fewer in the root of an odd size.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.cells.iter().map(|(_, count)| count).sum()
    }

    /// How many entries are not all zero.
    #[must_use]
    pub fn used(&self) -> usize {
        self.entries() - self.count(Cell::Unused)
    }
}

/// What an entry is, for the picture of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cell {
    /// All zero.
    Unused,
    /// A table.
    Table,
    /// A leaf.
    Leaf,
    /// A leaf with the contiguous hint.
    Contiguous,
    /// Not valid, and not zero: software keeps something there.
    Software,
    /// An encoding that the level does not have.
    Reserved,
}

impl Cell {
    fn of(bits: u64, level: usize) -> Self {
        match Kind::of(bits, level) {
            Kind::Invalid if bits == 0 => Self::Unused,
            Kind::Invalid => Self::Software,
            Kind::Reserved => Self::Reserved,
            Kind::Table => Self::Table,
            Kind::Block | Kind::Page if crate::descriptor::is_contiguous(bits) => Self::Contiguous,
            Kind::Block | Kind::Page => Self::Leaf,
        }
    }
}

/// What was found of a half.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tree {
    /// Which one.
    pub half: Half,
    /// How it is translated.
    pub translation: Translation,
    /// Its first address.
    pub first: u64,
    /// How many bits its addresses have.
    pub bits: u32,
    /// The leaves in the order of addresses.
    pub leaves: Vec<Leaf>,
    /// The tables in the order in which they were reached.
    pub tables: Vec<TableFound>,
    /// What was odd on the way.
    pub findings: Vec<Finding>,
}

/// Walks one half.
///
/// # Errors
/// When the way to the memory is broken; never because of what is in it.
pub fn walk<M: PhysicalMemory>(
    registers: &Registers,
    half: Half,
    memory: &mut M,
) -> Result<Tree, M::Error> {
    let translation = registers.translation(half);
    let mut tree = Tree {
        half,
        translation,
        first: Registers::first_address(half, 48),
        bits: 48,
        leaves: Vec::new(),
        tables: Vec::new(),
        findings: Vec::new(),
    };
    if let Translation::Walks { root, level, bits } = translation {
        tree.first = Registers::first_address(half, bits);
        tree.bits = bits;
        let mut walker = Walker {
            memory,
            read: BTreeMap::new(),
            path: Vec::new(),
            tree,
        };
        let root = PendingTable {
            pa: root,
            level,
            va: walker.tree.first,
            bits: 0,
            at: 0,
            limits: Limits::default(),
        };
        walker.table(&root)?;
        tree = walker.tree;
    }
    Ok(tree)
}

/// A table that is about to be looked at.
struct PendingTable {
    pa: u64,
    level: usize,
    va: u64,
    bits: u64,
    at: u64,
    limits: Limits,
}

struct Walker<'memory, M> {
    memory: &'memory mut M,
    /// The tables that were read, and nothing for those that could not be.
    read: BTreeMap<u64, Option<Table>>,
    /// The tables from the root to the one that is looked at.
    path: Vec<u64>,
    tree: Tree,
}

impl<M: PhysicalMemory> Walker<'_, M> {
    fn table(&mut self, place: &PendingTable) -> Result<(), M::Error> {
        if self.tree.tables.len() >= MOST_TABLES {
            self.full(place.va);
            return Ok(());
        }
        if self.path.contains(&place.pa) {
            self.note(FindingKind::Loop, place.va, place.bits, place.at);
            return Ok(());
        }
        let Some(table) = self.entries(place.pa)? else {
            self.note(FindingKind::UnreadableTable, place.va, place.bits, place.at);
            return Ok(());
        };
        let entries = match self.path.is_empty() {
            true => 1 << (self.tree.bits - (39 - 9 * place.level as u32)),
            false => 512,
        };
        let entries = &table[..entries];
        self.tree.tables.push(TableFound {
            pa: place.pa,
            level: place.level,
            va: place.va,
            bits: place.bits,
            at: place.at,
            cells: cells(entries, place.level),
        });
        self.path.push(place.pa);
        for (index, bits) in entries.iter().enumerate() {
            if *bits != 0 {
                self.entry(place, index, *bits)?;
            }
        }
        self.path.pop();
        Ok(())
    }

    fn entry(&mut self, table: &PendingTable, index: usize, bits: u64) -> Result<(), M::Error> {
        let level = table.level;
        let va = table.va + index as u64 * entry_bytes(level);
        let at = table.pa + 8 * index as u64;
        match Kind::of(bits, level) {
            Kind::Table => {
                let below = PendingTable {
                    pa: output_address(bits, level),
                    level: level + 1,
                    va,
                    bits,
                    at,
                    limits: table.limits.below(bits),
                };
                return self.table(&below);
            }
            Kind::Reserved => self.note(FindingKind::ReservedEncoding, va, bits, at),
            Kind::Invalid if !is_inaccessible(bits, level) => {
                self.note(FindingKind::SoftwareEntry, va, bits, at);
            }
            _ => self.tree.leaves.push(Leaf {
                va,
                bits,
                level,
                at,
                limits: table.limits,
            }),
        }
        Ok(())
    }

    /// The entries of the table at `pa`, read at most once.
    fn entries(&mut self, pa: u64) -> Result<Option<Table>, M::Error> {
        if let Some(table) = self.read.get(&pa) {
            return Ok(table.clone());
        }
        let table = self.memory.read_table(pa)?;
        self.read.insert(pa, table.clone());
        Ok(table)
    }

    fn note(&mut self, kind: FindingKind, va: u64, bits: u64, at: u64) {
        if self.tree.findings.len() < MOST_FINDINGS {
            let what = format!("descriptor {bits:#018x} at {at:#x}");
            self.tree.findings.push(Finding::new(kind, va, what));
        }
    }

    /// Says once that there is more than is looked at.
    fn full(&mut self, va: u64) {
        let kind = FindingKind::TooManyTables;
        let findings = &mut self.tree.findings;
        if !findings.iter().any(|finding| finding.kind == kind) {
            let what = "what lies from here on was not looked at".to_owned();
            findings.push(Finding::new(kind, va, what));
        }
    }
}

fn cells(entries: &[u64], level: usize) -> Vec<(Cell, usize)> {
    let mut cells: Vec<(Cell, usize)> = Vec::new();
    for bits in entries {
        let cell = Cell::of(*bits, level);
        match cells.last_mut() {
            Some((last, count)) if *last == cell => *count += 1,
            _ => cells.push((cell, 1)),
        }
    }
    cells
}

#[cfg(test)]
mod tests;

//! The walk: from the registers to every leaf, as the hardware does it, and safe against any
//! contents of memory.
//!
//! ```text
//! TTBR1_EL1 0x119000 -> level 0, entry 0 -> 0x11a000 level 1 -> 0x11d000 level 2 -> 0x11e000
//!   level 3, entry 132 = 0x00400000_00084793: page at 0x84000, so 0xffff000000084000 is text
//! ```
//!
//! # Decisions
//! - The memory of a table may hold anything: a table that leads back to itself, one outside of
//!   RAM, random numbers. Each is a [`Finding`], and the walk goes on with the next entry. The
//!   number of tables is bounded, and with it the number of leaves, so that the walk of any memory
//!   ends.
//! - A table is read once, however often it is reached.

use std::collections::BTreeMap;

use stilt_paging::GenericPTE;
use stilt_paging::format::aarch64::A64PTE;
use stilt_paging::format::aarch64_verdict::TableLimits;
use stilt_paging::format::fields::Kind;

use crate::descriptor::{entry_bytes, is_inaccessible, kind, output_address};
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
    /// The first virtual address that it translates.
    pub va: u64,
    /// The descriptor, as read from the table.
    pub bits: u64,
    /// The level of its table, 1 to 3.
    pub level: usize,
    /// The physical address of the descriptor.
    pub at: u64,
    /// The rights that the tables above take away.
    pub limits: TableLimits,
}

impl Leaf {
    /// The bytes that it translates: 4 KiB, 2 MiB or 1 GiB.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        entry_bytes(self.level)
    }

    /// The physical address of its frame.
    #[must_use]
    pub fn pa(&self) -> u64 {
        output_address(self.bits, self.level)
    }
}

/// A table at one place of the tree: a table that two descriptors name is listed twice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableFound {
    /// The physical address of the table.
    pub pa: u64,
    /// The level of the table, 0 to 3.
    pub level: usize,
    /// The first virtual address that it translates.
    pub va: u64,
    /// The descriptor that leads to it; 0 for the root.
    pub bits: u64,
    /// The physical address of that descriptor; 0 for the root.
    pub at: u64,
    /// The entries from the first on, in runs: the kind, and the number of neighbours of that kind.
    pub cells: Vec<(Cell, usize)>,
}

impl TableFound {
    /// The number of entries of the kind `cell`.
    #[must_use]
    pub fn count(&self, cell: Cell) -> usize {
        let of_it = self.cells.iter().filter(|(this, _)| *this == cell);
        of_it.map(|(_, count)| count).sum()
    }

    /// The number of entries: 512, or fewer in a root whose addresses have other than 30, 39 or
    /// 48 bits.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.cells.iter().map(|(_, count)| count).sum()
    }

    /// The number of entries that are not zero.
    #[must_use]
    pub fn used(&self) -> usize {
        self.entries() - self.count(Cell::Unused)
    }
}

/// The kind of an entry, in the picture of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cell {
    /// An entry of 0, which is invalid.
    Unused,
    /// A descriptor of a table.
    Table,
    /// A block or page without the contiguous hint.
    Leaf,
    /// A block or page with the contiguous hint.
    Contiguous,
    /// Not valid, and not zero: the hardware ignores it, software keeps something there.
    Software,
    /// Bits 1:0 are 0b01 at level 0 or 3.
    Reserved,
}

impl Cell {
    fn of(bits: u64, level: usize) -> Self {
        match kind(bits, level) {
            Kind::Invalid if bits == 0 => Self::Unused,
            Kind::Invalid => Self::Software,
            Kind::Reserved => Self::Reserved,
            Kind::Table => Self::Table,
            Kind::Block | Kind::Page if crate::descriptor::is_contiguous(bits) => Self::Contiguous,
            Kind::Block | Kind::Page => Self::Leaf,
        }
    }
}

/// The tables and leaves of a half.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tree {
    /// The half that was walked.
    pub half: Half,
    /// The translation by the registers; without one there are no tables and no leaves.
    pub translation: Translation,
    /// The first address of the half.
    pub first: u64,
    /// The size of the half's addresses in bits; 48 without a translation.
    pub bits: u32,
    /// The leaves in the order of addresses.
    pub leaves: Vec<Leaf>,
    /// The tables in the order in which they were reached.
    pub tables: Vec<TableFound>,
    /// The faults and oddities of the tables themselves.
    pub findings: Vec<Finding>,
}

/// Walks the tables of one half.
///
/// # Errors
/// The memory's, when it can be read no more; faults of the tables are findings.
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
            limits: TableLimits::default(),
        };
        walker.table(&root)?;
        tree = walker.tree;
    }
    Ok(tree)
}

/// A table that is about to be read, with the place that leads to it.
struct PendingTable {
    pa: u64,
    level: usize,
    va: u64,
    bits: u64,
    at: u64,
    limits: TableLimits,
}

struct Walker<'memory, M> {
    memory: &'memory mut M,
    /// The tables that were read, by physical address; none where there was no RAM.
    read: BTreeMap<u64, Option<Table>>,
    /// The physical addresses of the tables from the root to the current one: one that comes again
    /// is a loop.
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
        match kind(bits, level) {
            Kind::Table => {
                let below = PendingTable {
                    pa: output_address(bits, level),
                    level: level + 1,
                    va,
                    bits,
                    at,
                    limits: table.limits.below(A64PTE::from_bits(bits)),
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

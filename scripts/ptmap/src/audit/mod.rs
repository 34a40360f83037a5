//! Search for faults in a map: in each leaf, in each contiguous group, and for each frame through
//! all of its addresses.

use std::collections::{BTreeMap, BTreeSet};

use stilt_paging::{MappingFlags, Rights};

use crate::descriptor::{attributes, is_contiguous, rights_words, shareability};
use crate::finding::{Finding, FindingKind};
use crate::memory_type::MemoryClass;
use crate::piece::Piece;
use crate::registers::{ADDRESS, Half, Registers};
use crate::walk::{Leaf, Tree};

/// The most findings of one kind that are kept; the last says how many more there were.
const MOST_OF_A_KIND: usize = 20;
/// The number of leaves in a contiguous group (Arm DDI 0487 D8.7.1, 4 KiB granule).
const GROUP: u64 = 16;

/// All findings, the worst first, each kind in the order of addresses.
pub(crate) fn audit(registers: &Registers, trees: &[Tree; 2], pieces: &[Piece]) -> Vec<Finding> {
    let mut findings = Findings::default();
    for tree in trees {
        tree.findings
            .iter()
            .cloned()
            .for_each(|found| findings.add(found));
        for leaf in &tree.leaves {
            misaligned(leaf, &mut findings);
        }
        groups(&tree.leaves, &mut findings);
    }
    for piece in pieces.iter().filter(|piece| piece.is_valid()) {
        rights(piece, registers, &mut findings);
        attributes_of(piece, registers, &mut findings);
    }
    frames(pieces, registers, &mut findings);
    findings.sorted()
}

#[derive(Default)]
struct Findings {
    found: Vec<Finding>,
    counts: BTreeMap<FindingKind, usize>,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.kind).or_default();
        *count += 1;
        if *count <= MOST_OF_A_KIND {
            self.found.push(finding);
        }
    }

    /// The findings sorted; the last of a kind says how many more there were.
    fn sorted(mut self) -> Vec<Finding> {
        let order = |found: &Finding| (found.kind.severity(), found.kind, found.va, found.other);
        self.found.sort_by_key(order);
        for (kind, count) in self.counts {
            if let Some(more) = count.checked_sub(MOST_OF_A_KIND).filter(|more| *more > 0) {
                let last = self.found.iter_mut().rfind(|found| found.kind == kind);
                if let Some(last) = last {
                    last.what.push_str(&format!("; {more} more of the kind"));
                }
            }
        }
        self.found
    }
}

fn misaligned(leaf: &Leaf, findings: &mut Findings) {
    let below = leaf.bits & ADDRESS & (leaf.bytes() - 1);
    if below != 0 {
        let what = format!("descriptor {:#018x} at {:#x}", leaf.bits, leaf.at);
        findings.add(Finding::new(FindingKind::MisalignedBlock, leaf.va, what));
    }
}

/// Finds contiguous hints outside of a whole group: 16 leaves of one table, aligned, with equal
/// attributes and consecutive frames from an aligned one.
fn groups(leaves: &[Leaf], findings: &mut Findings) {
    let group_of = |leaf: &Leaf| (leaf.level, leaf.va / (leaf.bytes() * GROUP));
    for group in leaves.chunk_by(|a, b| group_of(a) == group_of(b)) {
        let with_hint = group.iter().filter(|leaf| is_contiguous(leaf.bits)).count();
        let first = &group[0];
        let follows = |pair: &[Leaf]| {
            pair[0].va + pair[0].bytes() == pair[1].va
                && pair[0].pa() + pair[0].bytes() == pair[1].pa()
                && attributes(pair[0].bits) == attributes(pair[1].bits)
        };
        let whole = group.len() == GROUP as usize
            && group.windows(2).all(follows)
            && first.pa().is_multiple_of(first.bytes() * GROUP);
        if with_hint > 0 && !whole {
            let what = format!("{with_hint} of 16 neighbours have the hint, or differ in more");
            findings.add(Finding::new(FindingKind::BrokenGroup, first.va, what));
        }
    }
}

fn either(rights: Rights, right: MappingFlags) -> bool {
    (rights.kernel | rights.user).contains(right)
}

fn rights(piece: &Piece, registers: &Registers, findings: &mut Findings) {
    let rights = piece.rights();
    if !either(rights, MappingFlags::EXECUTE) {
        return;
    }
    let words = rights_words(rights);
    if either(rights, MappingFlags::WRITE) {
        let saved = match registers.write_implies_execute_never() {
            true => "; SCTLR_EL1.WXN takes the right to execute away",
            false => "",
        };
        let what = format!("{words}{saved}");
        findings.add(Finding::new(
            FindingKind::WritableExecutable,
            piece.va,
            what,
        ));
    }
    if piece.memory_type(registers).is_device() {
        let what = format!("{words}, {}", piece.memory_type(registers));
        findings.add(Finding::new(FindingKind::ExecutableDevice, piece.va, what));
    }
}

fn attributes_of(piece: &Piece, registers: &Registers, findings: &mut Findings) {
    let mut add = |kind, what: String| findings.add(Finding::new(kind, piece.va, what));
    let (bits, memory) = (piece.bits, piece.memory_type(registers));
    if memory.class() == MemoryClass::Reserved {
        add(FindingKind::ReservedMemoryType, memory.to_string());
    }
    if shareability(bits) == 0b01 && !memory.is_device() {
        add(FindingKind::ReservedShareability, format!("{bits:#018x}"));
    }
    if bits >> 10 & 1 == 0 {
        add(FindingKind::NeverUsed, format!("{bits:#018x}"));
    }
    let last = piece.pa() + (piece.bytes - 1);
    if last >> registers.physical_bits() != 0 {
        let bits = registers.physical_bits();
        add(
            FindingKind::TooHigh,
            format!("{last:#x}, with {bits} bits of address"),
        );
    }
    let rights = piece.rights();
    match Half::of(piece.va) {
        Half::High if !rights.user.is_empty() => {
            add(FindingKind::UserInHighHalf, rights_words(rights));
        }
        Half::Low if bits >> 11 & 1 == 0 => {
            add(FindingKind::GlobalInLowHalf, format!("{bits:#018x}"));
        }
        _ => {}
    }
}

/// Compares all addresses of each frame. The boundaries of the pieces are visited in physical
/// order, and `here` is the set of pieces that map the frames between two boundaries.
fn frames(pieces: &[Piece], registers: &Registers, findings: &mut Findings) {
    let mut ends: BTreeMap<u64, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (index, piece) in pieces
        .iter()
        .enumerate()
        .filter(|(_, piece)| piece.is_valid())
    {
        ends.entry(piece.pa()).or_default().0.push(index);
        let end = piece.pa() + piece.bytes;
        ends.entry(end).or_default().1.push(index);
    }
    let mut here = BTreeSet::new();
    let mut told = BTreeSet::new();
    for (pa, (begins, ended)) in ends {
        for index in &ended {
            here.remove(index);
        }
        here.extend(begins);
        if here.len() > 1 {
            let here: Vec<&Piece> = here.iter().map(|index| &pieces[*index]).collect();
            frame(pa, &here, registers, &mut told, findings);
        }
    }
}

/// Compares the pieces that map the frame at `pa`; a pair of pieces is reported once.
fn frame(
    pa: u64,
    here: &[&Piece],
    registers: &Registers,
    told: &mut BTreeSet<(FindingKind, u64, u64)>,
    findings: &mut Findings,
) {
    let mut add = |kind, a: &Piece, b: &Piece, what: String| {
        if told.insert((kind, a.va, b.va)) {
            let address = |piece: &Piece| piece.va + (pa - piece.pa());
            let mut finding = Finding::new(kind, address(a), what);
            finding.other = Some(address(b));
            findings.add(finding);
        }
    };
    let having = |right| here.iter().find(|piece| either(piece.rights(), right));
    let (executes, writes) = (having(MappingFlags::EXECUTE), having(MappingFlags::WRITE));
    if let (Some(code), Some(data)) = (executes, writes)
        && code.va != data.va
    {
        let (code_rights, data_rights) = (rights_words(code.rights()), rights_words(data.rights()));
        let what = format!("frame {pa:#x}: {code_rights} here, {data_rights} there");
        add(FindingKind::WritableAlias, code, data, what);
    }
    let first = here[0];
    let memory = first.memory_type(registers);
    let other = here
        .iter()
        .find(|piece| piece.memory_type(registers) != memory);
    if let Some(other) = other {
        let what = format!(
            "frame {pa:#x}: {memory} here, {} there",
            other.memory_type(registers)
        );
        add(FindingKind::MixedMemoryTypes, first, other, what);
    }
}

#[cfg(test)]
mod tests;

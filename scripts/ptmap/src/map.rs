//! A map: the leaves of both halves, put together to pieces.

use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::format::aarch64::A64PTE;
use stilt_paging::{GenericPTE, PageSize, Run};

use crate::audit::audit;
use crate::finding::{Finding, FindingKind};
use crate::memory::PhysicalMemory;
use crate::piece::{Piece, pieces};
use crate::places::Places;
use crate::registers::Translation::MmuOff;
use crate::registers::{Half, Registers};
use crate::walk::{Tree, walk};

/// The most pieces of a map that are kept, so that a page stays below 1 MiB; Stilt's has some
/// fifty.
const MOST_PIECES: usize = 1000;

/// A snapshot of a machine's translation registers and tables.
#[derive(Clone, Debug)]
pub struct Map {
    /// The moment of the snapshot, in a word: `boot`, `final`.
    pub name: String,
    /// The moment of the snapshot, in a sentence.
    pub when: String,
    /// The registers of the core that is shown.
    pub registers: Registers,
    /// The tables of the low half (TTBR0_EL1) and of the high half (TTBR1_EL1).
    pub trees: [Tree; 2],
    /// The pieces of both halves in the order of addresses.
    pub pieces: Vec<Piece>,
    /// The faults and oddities, the worst first.
    pub findings: Vec<Finding>,
}

impl Map {
    /// Reads the tables of both halves from `memory`, by `registers`; `name` and `when` are kept as
    /// they are.
    ///
    /// # Errors
    /// The memory's, when it can be read no more; faults of the tables are findings.
    pub fn read<M: PhysicalMemory>(
        name: &str,
        when: &str,
        registers: Registers,
        memory: &mut M,
        places: &Places,
    ) -> Result<Self, M::Error> {
        let low = walk(&registers, Half::Low, memory)?;
        let high = walk(&registers, Half::High, memory)?;
        let trees = [low, high];
        let mut pieces: Vec<Piece> = trees.iter().flat_map(|tree| pieces(tree, places)).collect();
        let mut findings = Vec::new();
        if let Some(first) = pieces.get(MOST_PIECES) {
            let more = pieces.len() - MOST_PIECES;
            let what = format!("{more} pieces from here on are neither shown nor compared");
            findings.push(Finding::new(FindingKind::TooManyPieces, first.va, what));
            pieces.truncate(MOST_PIECES);
        }
        findings.extend(audit(&registers, &trees, &pieces));
        Ok(Self {
            name: name.to_owned(),
            when: when.to_owned(),
            registers,
            trees,
            pieces,
            findings,
        })
    }

    /// Compares the registers of all cores with those of the map: a core whose MMU is on and whose
    /// registers differ is a finding. `cores` are in the order of their numbers.
    pub fn compare_cores(&mut self, cores: &[Registers]) {
        let shown = self.registers;
        for (core, registers) in cores.iter().enumerate() {
            let is_on = Half::BOTH.map(|half| registers.translation(half)) != [MmuOff; 2];
            if is_on && *registers != shown {
                let kind = FindingKind::OtherRegisters;
                let differs = shown.rows().into_iter().zip(registers.rows());
                let differs = differs.filter(|(here, there)| here.1 != there.1);
                let what = differs.map(|(_, (name, value, _))| format!("{name} {value:#x}"));
                let what = what.collect::<Vec<_>>().join(", ");
                let what = format!("core {core}: {what}");
                self.findings.push(Finding::new(kind, 0, what));
            }
        }
        self.findings.sort_by_key(|finding| finding.kind.severity());
    }

    /// The piece that contains `va`.
    #[must_use]
    pub fn piece_at(&self, va: u64) -> Option<&Piece> {
        self.index_at(va).map(|index| &self.pieces[index])
    }

    /// The index in [`Map::pieces`] of the piece that contains `va`.
    #[must_use]
    pub fn index_at(&self, va: u64) -> Option<usize> {
        let next = self.pieces.partition_point(|piece| piece.va <= va);
        let index = next.checked_sub(1)?;
        (va <= self.pieces[index].last()).then_some(index)
    }
}

/// The leaves of a tree in the form in which `stilt-paging` reads its own tables, for comparisons:
/// neighbours that continue each other and agree in their [`stilt_paging::Attributes`] are one run.
#[must_use]
pub fn runs(tree: &Tree) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for leaf in &tree.leaves {
        let entry = A64PTE::from_bits(leaf.bits);
        let next = Run {
            va: VirtAddr::new(leaf.va as usize),
            pa: PhysAddr::new(leaf.pa() as usize),
            bytes: leaf.bytes() as usize,
            flags: entry.flags(),
            software: entry.software(),
            size: PageSize::ALL[3 - leaf.level],
            rights: entry.odd_rights(),
        };
        match runs.last_mut() {
            Some(last) if last.is_continued_by(&next) => last.bytes += next.bytes,
            _ => runs.push(next),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::Map;
    use crate::finding::FindingKind;
    use crate::places::Places;
    use crate::registers::Registers;
    use crate::synthetic::{HIGH, Memory, NORMAL_PAGE, Noise, REGISTERS};

    #[test]
    fn cores_that_translate_otherwise_are_told_and_those_without_an_mmu_are_not() {
        let mut memory = Memory::with_roots();
        memory.page(HIGH, NORMAL_PAGE);
        let mut map = memory.map();
        let off = Registers {
            sctlr: 0,
            ttbr1: 0,
            ..REGISTERS
        };
        map.compare_cores(&[REGISTERS, off, REGISTERS]);
        assert_eq!(map.findings, []);
        let ttbr1 = 0x5000;
        map.compare_cores(&[REGISTERS, Registers { ttbr1, ..REGISTERS }]);
        let [finding] = &map.findings[..] else {
            panic!("{:?}", map.findings);
        };
        assert_eq!(finding.kind, FindingKind::OtherRegisters);
        assert_eq!(finding.what, "core 1: TTBR1_EL1 0x5000");
    }

    #[test]
    fn noise_ends_the_walk_and_the_audit() {
        for seed in 1..3 {
            let places = Places::default();
            let Ok(map) = Map::read("", "", REGISTERS, &mut Noise(seed), &places);
            assert!(!map.findings.is_empty() || map.pieces.is_empty());
        }
    }
}

//! A map: the leaves of both halves, put together to pieces.

use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::format::aarch64::A64PTE;
use stilt_paging::{GenericPTE, PageSize, Run};

use crate::audit::audit;
use crate::finding::{Finding, FindingKind};
use crate::memory::PhysicalMemory;
use crate::piece::{Piece, pieces};
use crate::places::Places;
use crate::registers::{Half, Registers};
use crate::walk::{Tree, walk};

/// The most pieces of a map that are kept; Stilt's has some fifty.
const MOST_PIECES: usize = 4000;

/// What a machine's registers and tables were at one moment.
#[derive(Clone, Debug)]
pub struct Map {
    /// When that was, in a word: `boot`, `final`.
    pub name: String,
    /// When that was, in a sentence.
    pub when: String,
    /// The registers of the core that is shown.
    pub registers: Registers,
    /// The low half, and the high half.
    pub trees: [Tree; 2],
    /// The pieces of both halves in the order of addresses.
    pub pieces: Vec<Piece>,
    /// What is wrong or odd.
    pub findings: Vec<Finding>,
}

impl Map {
    /// Reads both halves by `registers` out of `memory`.
    ///
    /// # Errors
    /// When the way to the memory is broken.
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

    /// The piece that has `va`.
    #[must_use]
    pub fn piece_at(&self, va: u64) -> Option<&Piece> {
        let next = self.pieces.partition_point(|piece| piece.va <= va);
        let piece = next.checked_sub(1).map(|index| &self.pieces[index])?;
        (va <= piece.last()).then_some(piece)
    }
}

/// The runs of a tree as `stilt-paging` has them, for whoever compares: leaves that continue each
/// other in what [`stilt_paging::MappingFlags`] can say.
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

//! A map in few parts: what a picture in a text has room for.

use crate::descriptor::attributes;
use crate::map::Map;
use crate::piece::Piece;
use crate::registers::Half;

/// Up to this much may be unmapped within a part: guards, and what fills a slot of stacks.
const GUARDS: u64 = 256 << 10;

/// Pieces that are alike, with their guards.
pub(super) struct Part<'map> {
    /// The first piece.
    pub(super) first: &'map Piece,
    /// The last piece.
    pub(super) end: &'map Piece,
    /// Whether something between them is unmapped.
    pub(super) has_guards: bool,
}

impl Part<'_> {
    pub(super) fn last(&self) -> u64 {
        self.end.last()
    }

    /// From the first address to the last.
    pub(super) fn bytes(&self) -> u64 {
        self.last() - self.first.va + 1
    }

    fn takes(&self, next: &Piece) -> bool {
        let alike = attributes(self.first.bits) == attributes(next.bits)
            && (self.first.level, self.first.limits) == (next.level, next.limits)
            && Half::of(self.first.va) == Half::of(next.va);
        match next.va - self.last() - 1 {
            0 => alike && self.end.name == next.name,
            unmapped => alike && unmapped <= GUARDS,
        }
    }
}

/// The parts of a half, in the order of addresses.
pub(super) fn parts(map: &Map, half: Half) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let pieces = map.pieces.iter();
    for piece in pieces.filter(|piece| Half::of(piece.va) == half) {
        match parts.last_mut() {
            Some(part) if part.takes(piece) => {
                part.has_guards |= part.last() + 1 != piece.va;
                part.end = piece;
            }
            _ => parts.push(Part {
                first: piece,
                end: piece,
                has_guards: false,
            }),
        }
    }
    parts
}

//! A map in few parts: as many as the picture in a text has room for.

use crate::descriptor::attributes;
use crate::map::Map;
use crate::piece::Piece;
use crate::registers::Half;

/// The most unmapped bytes between two pieces of a part: a guard page, and the unused rest of a
/// stack's slot.
const GUARDS: u64 = 256 << 10;

/// Neighbouring pieces with equal attributes, and the guards between them.
pub(super) struct Part<'map> {
    /// The first piece.
    pub(super) first: &'map Piece,
    /// The last piece.
    pub(super) end: &'map Piece,
    /// Whether there are unmapped addresses between the pieces.
    pub(super) has_guards: bool,
}

impl Part<'_> {
    pub(super) fn last(&self) -> u64 {
        self.end.last()
    }

    /// The bytes from the first address to the last, guards included.
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

/// The parts of `half`, sorted by address.
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

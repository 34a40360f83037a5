//! Differences between two maps, address by address.

use std::collections::BTreeSet;

use crate::descriptor::rights_words;
use crate::map::Map;
use crate::piece::Piece;

/// A range of addresses that two maps translate in different ways.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The first virtual address.
    pub va: u64,
    /// The last virtual address.
    pub last: u64,
    /// The kind of the difference.
    pub kind: ChangeKind,
    /// The old and the new values that differ, in words: `rw- → r-x, 2M → 4K`.
    pub what: String,
}

/// The kind of a difference between an earlier and a later map.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// Mapped in the later map alone.
    New,
    /// Mapped in the earlier map alone.
    Gone,
    /// Mapped in both, with other rights, another memory type, another frame or another nG.
    Other,
    /// Mapped in both, alike but by leaves of another size, or with another contiguous hint.
    Size,
}

impl ChangeKind {
    /// The kind as one character, for a column of the page.
    #[must_use]
    pub const fn mark(self) -> char {
        match self {
            Self::New => '+',
            Self::Gone => '−',
            Self::Other => '≠',
            Self::Size => '÷',
        }
    }

    /// The kind in words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Other => "changed",
            Self::Size => "other leaf size",
        }
    }
}

/// The first address of every piece of every map and the address behind its end, sorted: between
/// two neighbours no map changes.
pub(crate) fn boundaries<'map>(maps: impl Iterator<Item = &'map Map>) -> Vec<u128> {
    let pieces = maps.flat_map(|map| &map.pieces);
    let ends = pieces.flat_map(|piece| [u128::from(piece.va), u128::from(piece.last()) + 1]);
    ends.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The ranges that `after` translates in another way than `before`, sorted by address; neighbours
/// with one difference are one range.
#[must_use]
pub fn changes(before: &Map, after: &Map) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let ends = boundaries([before, after].into_iter());
    for pair in ends.windows(2) {
        let (va, last) = (pair[0] as u64, (pair[1] - 1) as u64);
        let Some((kind, what)) = change(before, after, va) else {
            continue;
        };
        match changes.last_mut() {
            Some(run)
                if run.kind == kind && run.what == what && run.last.checked_add(1) == Some(va) =>
            {
                run.last = last;
            }
            _ => changes.push(Change {
                va,
                last,
                kind,
                what,
            }),
        }
    }
    changes
}

/// The difference at `va`, one of [`boundaries`], in kind and words; none if both translate it
/// alike.
pub(crate) fn change(before: &Map, after: &Map, va: u64) -> Option<(ChangeKind, String)> {
    let said = |map: &Map, piece: &Piece| {
        format!("{} {}", rights(piece), piece.memory_type(&map.registers))
    };
    match (before.piece_at(va), after.piece_at(va)) {
        (None, None) => None,
        (None, Some(new)) => Some((ChangeKind::New, said(after, new))),
        (Some(old), None) => Some((ChangeKind::Gone, format!("was {}", said(before, old)))),
        (Some(old), Some(new)) => both((before, old), (after, new), va),
    }
}

fn both(
    (before, old): (&Map, &Piece),
    (after, new): (&Map, &Piece),
    va: u64,
) -> Option<(ChangeKind, String)> {
    let mut words = Vec::new();
    let mut differs = |a: String, b: String| {
        if a != b {
            words.push(format!("{a} → {b}"));
        }
    };
    differs(rights(old), rights(new));
    let memory = |map: &Map, piece: &Piece| piece.memory_type(&map.registers).to_string();
    differs(memory(before, old), memory(after, new));
    let frame = |piece: &Piece| format!("frame {:#x}", piece.pa() + (va - piece.va));
    differs(frame(old), frame(new));
    let scope = |piece: &Piece| match piece.bits >> 11 & 1 {
        0 => "global".to_owned(),
        _ => "non-global".to_owned(),
    };
    differs(scope(old), scope(new));
    let kind = match words.is_empty() {
        true => ChangeKind::Size,
        false => ChangeKind::Other,
    };
    if old.level != new.level {
        words.push(format!("{} → {}", old.leaf_size(), new.leaf_size()));
    }
    if old.is_contiguous() != new.is_contiguous() {
        words.push(match new.is_contiguous() {
            true => "contiguous".to_owned(),
            false => "not contiguous".to_owned(),
        });
    }
    (!words.is_empty()).then(|| (kind, words.join(", ")))
}

fn rights(piece: &Piece) -> String {
    rights_words(piece.rights())
}

#[cfg(test)]
mod tests {
    use super::{Change, ChangeKind, changes};
    use crate::synthetic::{Memory, NORMAL_PAGE, READ_ONLY};

    #[test]
    fn ranges_that_change_alike_are_one_change() {
        let mut memory = Memory::with_roots();
        memory.page(0xffff_0000_0000_1000, 0x1000 | NORMAL_PAGE);
        memory.page(0xffff_0000_0000_2000, 0x2000 | NORMAL_PAGE);
        memory.page(0xffff_0000_0000_3000, 0x3000 | NORMAL_PAGE);
        let before = memory.map();
        memory.page(0xffff_0000_0000_1000, 0x1000 | NORMAL_PAGE | READ_ONLY);
        memory.page(0xffff_0000_0000_2000, 0x2000 | NORMAL_PAGE | READ_ONLY);
        memory.page(0xffff_0000_0000_3000, 0);
        memory.page(0xffff_0000_0000_5000, 0x3000 | NORMAL_PAGE);
        let after = memory.map();
        let change = |va: u64, last: u64, kind, what: &str| Change {
            va: 0xffff << 48 | va,
            last: 0xffff << 48 | last,
            kind,
            what: what.to_owned(),
        };
        let expected = [
            change(0x1000, 0x2fff, ChangeKind::Other, "rw- → r--"),
            change(
                0x3000,
                0x3fff,
                ChangeKind::Gone,
                "was rw- Normal write-back",
            ),
            change(0x5000, 0x5fff, ChangeKind::New, "rw- Normal write-back"),
        ];
        assert_eq!(changes(&before, &after), expected);
        assert_eq!(changes(&before, &before), []);
    }
}

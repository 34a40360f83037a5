//! Maps side by side: the address space cut at every boundary of a piece in one of them.

use crate::difference::{self, ChangeKind, boundaries};
use crate::map::Map;
use crate::registers::Half;

/// A range of addresses between two neighbouring boundaries: no map changes within.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// The first virtual address.
    pub va: u64,
    /// The size in bytes: up to 2^64.
    pub bytes: u128,
    /// The cell of each map, in the order of the maps.
    pub cells: Vec<RowCell>,
    /// The difference between the first and the last map; none if they agree or there is but one
    /// map.
    pub change: Option<(ChangeKind, String)>,
}

/// The cell of one map in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RowCell {
    /// A piece begins here: its index in [`Map::pieces`], and the number of rows over which it
    /// extends.
    Piece(usize, usize),
    /// Unmapped addresses begin here: the number of rows over which they extend.
    Nothing(usize),
    /// The cell of the row above extends over this row.
    Continues,
}

/// The rows of `half`, from its first address to its last; none without maps.
#[must_use]
pub fn rows(maps: &[Map], half: Half) -> Vec<Row> {
    let tree = |map: &Map| map.trees[half as usize].first;
    let Some(first) = maps.iter().map(tree).min() else {
        return Vec::new();
    };
    let end = match half {
        Half::Low => 1 << 48,
        Half::High => 1 << 64,
    };
    let mut ends = boundaries(maps.iter());
    ends.retain(|at| (u128::from(first)..end).contains(at));
    ends.extend([u128::from(first), end]);
    ends.sort_unstable();
    ends.dedup();
    let found: Vec<Vec<Option<usize>>> = maps.iter().map(|map| pieces(map, &ends)).collect();
    let rows = ends.windows(2).enumerate().map(|(row, pair)| {
        let va = pair[0] as u64;
        let cells = found.iter().map(|column| cell(column, row)).collect();
        let change = match maps {
            [before, .., after] => difference::change(before, after, va),
            _ => None,
        };
        Row {
            va,
            bytes: pair[1] - pair[0],
            cells,
            change,
        }
    });
    rows.collect()
}

/// For each row the index of the piece in it, if there is one.
fn pieces(map: &Map, ends: &[u128]) -> Vec<Option<usize>> {
    let starts = ends.iter().take(ends.len() - 1);
    starts.map(|va| map.index_at(*va as u64)).collect()
}

fn cell(column: &[Option<usize>], row: usize) -> RowCell {
    let here = column[row];
    if row > 0 && column[row - 1] == here {
        return RowCell::Continues;
    }
    let span = column[row..]
        .iter()
        .take_while(|next| **next == here)
        .count();
    match here {
        Some(index) => RowCell::Piece(index, span),
        None => RowCell::Nothing(span),
    }
}

#[cfg(test)]
mod tests {
    use super::{RowCell, rows};
    use crate::difference::ChangeKind;
    use crate::registers::Half;
    use crate::synthetic::{HIGH, Memory, NORMAL_PAGE};

    #[test]
    fn rows_begin_where_something_begins_in_one_of_the_maps() {
        let mut memory = Memory::with_roots();
        memory.page(HIGH | 0x1000, 0x1000 | NORMAL_PAGE);
        memory.page(HIGH | 0x2000, 0x2000 | NORMAL_PAGE);
        let before = memory.map();
        memory.page(HIGH | 0x2000, 0);
        let after = memory.map();
        let found = rows(&[before, after], Half::High);
        let sizes: Vec<_> = found.iter().map(|row| (row.va, row.bytes)).collect();
        let expected = [
            (HIGH, 0x1000),
            (HIGH | 0x1000, 0x1000),
            (HIGH | 0x2000, 0x1000),
            (HIGH | 0x3000, (1 << 48) - 0x3000),
        ];
        assert_eq!(sizes, expected);
        let cells: Vec<_> = found.iter().map(|row| row.cells.clone()).collect();
        let expected = [
            [RowCell::Nothing(1), RowCell::Nothing(1)],
            [RowCell::Piece(0, 2), RowCell::Piece(0, 1)],
            [RowCell::Continues, RowCell::Nothing(2)],
            [RowCell::Nothing(1), RowCell::Continues],
        ];
        assert_eq!(cells, expected);
        let changed: Vec<_> = found.iter().map(|row| row.change.clone()).collect();
        let gone = (ChangeKind::Gone, "was rw- Normal write-back".to_owned());
        assert_eq!(changed, [None, None, Some(gone), None]);
        let low = rows(&[memory.map()], Half::Low);
        assert_eq!((low.len(), low[0].bytes), (1, 1 << 48));
    }
}

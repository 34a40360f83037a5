//! The atlas: the whole address space on one screen, from the first address to the last, the maps
//! side by side. Heights grow with the logarithm of the size; an address has one height in all
//! maps.

use std::fmt::Write;

use crate::colours::{memory_class, rights_class};
use crate::descriptor::rights_words;
use crate::escape::{Text, address};
use crate::map::Map;
use crate::piece::Piece;
use crate::registers::Half;
use crate::rows::{Row, RowCell, rows};
use crate::words::Size;

/// The most rows of a half that are drawn; Stilt has some seventy.
const MOST_ROWS: usize = 120;

pub(super) fn atlas(maps: &[Map]) -> String {
    let marks = match maps {
        [before, .., after] => format!(
            "<p class=\"hint\">What the {} map has otherwise than the {} map: <b>+</b> new, \
             <b>−</b> gone, <b>≠</b> changed, <b>÷</b> leaves of another size.</p>\n",
            Text(&after.name),
            Text(&before.name)
        ),
        _ => String::new(),
    };
    let halves = Half::BOTH.map(|half| self::half(maps, half)).concat();
    format!(
        "<section id=\"atlas\" aria-labelledby=\"atlas-title\">\n\
         <h2 id=\"atlas-title\">The address space</h2>\n{marks}{halves}</section>\n"
    )
}

fn half(maps: &[Map], half: Half) -> String {
    let mut rows = rows(maps, half);
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    let mut text = format!(
        "<h3>{} <small>{}</small></h3>\n<div class=\"atlas maps-{}\">\n\
         <b class=\"head\">address</b>",
        capital(half.name()),
        half.register(),
        maps.len()
    );
    for (column, map) in maps.iter().enumerate() {
        let column = 2 + column;
        let _ = write!(
            text,
            "<b class=\"head\" style=\"grid-column:{column}\">{}</b>",
            Text(&map.name)
        );
    }
    text.push('\n');
    for index in 0..rows.len() {
        push_row(&mut text, maps, half, &rows, index);
    }
    text.push_str("</div>\n");
    if left_out > 0 {
        let _ = writeln!(text, "<p>{left_out} more parts are not drawn.</p>");
    }
    text
}

/// The row with `index`, in the line of the grid below the heads.
fn push_row(text: &mut String, maps: &[Map], half: Half, rows: &[Row], index: usize) {
    let (row, line) = (&rows[index], index + 2);
    let height = height(row);
    let _ = writeln!(
        text,
        "<span class=\"at\" style=\"grid-row:{line};min-height:{height:.2}rem\">{}</span>",
        address(row.va)
    );
    for (column, (map, cell)) in (2..).zip(maps.iter().zip(&row.cells)) {
        let place = |span| format!("grid-column:{column};grid-row:{line}/span {span}");
        match *cell {
            RowCell::Piece(index, span) => {
                push_piece(text, map, &map.pieces[index], &place(span));
            }
            RowCell::Nothing(span) => {
                let bytes = rows[index..].iter().take(span).map(|row| row.bytes).sum();
                let why = match map.trees[half as usize].translation.refusal() {
                    None => format!("unmapped, {}", Size(bytes)),
                    Some(why) => why.to_owned(),
                };
                let place = place(span);
                let _ = writeln!(text, "<span class=\"gap\" style=\"{place}\">{why}</span>");
            }
            RowCell::Continues => {}
        }
    }
    if let Some((kind, what)) = &row.change {
        let mark = kind.mark();
        let _ = writeln!(
            text,
            "<span class=\"change\" style=\"grid-row:{line}\" title=\"{0}: {1}\">\
             <span aria-hidden=\"true\">{mark}</span><span class=\"sr\">{0}: {1}</span></span>",
            kind.word(),
            Text(what)
        );
    }
}

fn push_piece(text: &mut String, map: &Map, piece: &Piece, place: &str) {
    let memory = piece.memory_type(&map.registers);
    let is_found = map.findings.iter().any(|finding| {
        let inside = |va: u64| piece.va <= va && va <= piece.last();
        inside(finding.va) || finding.other.is_some_and(inside)
    });
    let found = if is_found { " found" } else { "" };
    let contiguous = if piece.is_contiguous() { " contig" } else { "" };
    let name = match piece.name.as_str() {
        "" => "unnamed",
        name => name,
    };
    let _ = writeln!(
        text,
        "<button type=\"button\" class=\"piece {} {}{found}{contiguous}\" style=\"{place}\" \
         data-va=\"{:x}\" title=\"{:#018x} to {:#018x}, {memory}\"><b>{}</b> \
         <span class=\"rights\">{}</span> <span class=\"leaf\">{}</span> \
         <span class=\"size\">{}</span></button>",
        rights_class(piece),
        memory_class(memory.class()),
        piece.va,
        piece.va,
        piece.last(),
        Text(name),
        Text(&rights_words(piece.rights())),
        piece.leaf_size(),
        Size(piece.bytes.into()),
    );
}

/// The height of a row in rem: a line of text, and for a mapped range 0.06 more for each doubling
/// of its size above 4 KiB.
fn height(row: &Row) -> f32 {
    const LINE: f32 = 1.45;
    const DOUBLING: f32 = 0.06;
    let is_empty = row.cells.iter().all(|cell| match cell {
        RowCell::Piece(..) => false,
        RowCell::Nothing(_) | RowCell::Continues => true,
    });
    match is_empty {
        true => LINE,
        false => LINE + DOUBLING * (row.bytes.ilog2().saturating_sub(12)) as f32,
    }
}

/// The words with a capital at the beginning.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

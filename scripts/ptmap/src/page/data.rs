//! The data of the page as JSON, for its script. Addresses are hexadecimal strings, because a
//! number in JavaScript has 53 bits.

use std::fmt::Write;

use stilt_paging::format::fields::{AARCH64, Kind, Meaning};

use crate::colours::{memory_class, rights_class};
use crate::difference::Change;
use crate::escape::Json;
use crate::finding::Finding;
use crate::map::Map;
use crate::piece::Piece;
use crate::places::Places;
use crate::registers::Translation;
use crate::walk::{Cell, TableFound, Tree};

/// The most differences that the page marks.
const MOST_CHANGES: usize = 500;
/// The most letters for the tables of a half: Stilt's tables take some five hundred, a table of
/// random entries takes a thousand.
const MOST_OF_TABLES: usize = 25_000;

/// The data: an object with `maps`, `changes`, `fields` and `symbols`.
pub(super) fn data(maps: &[Map], changes: &[Change], places: &Places) -> String {
    let maps = list(maps.iter().map(map));
    let changes = list(changes.iter().take(MOST_CHANGES).map(|change| {
        let (kind, what) = (Json(change.kind.word()), Json(&change.what));
        format!("[\"{:x}\",\"{:x}\",{kind},{what}]", change.va, change.last)
    }));
    let symbols = list(places.symbols().iter().map(|symbol| {
        let (va, bytes, name) = (symbol.va, symbol.bytes, Json(&symbol.name));
        format!("[\"{va:x}\",{bytes},{name}]")
    }));
    format!(
        "{{\"maps\":{maps},\n\"changes\":{changes},\n\"fields\":{},\n\"symbols\":{symbols}}}",
        all_fields()
    )
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items = items.collect::<Vec<_>>().join(",\n");
    format!("[{items}]")
}

fn map(map: &Map) -> String {
    let types = (0..8).map(|index| {
        let memory = map.registers.memory_type(index);
        let class = memory_class(memory.class());
        format!("[{},{}]", Json(&memory.to_string()), Json(class))
    });
    format!(
        "{{\"name\":{},\"types\":{},\"halves\":{},\"pieces\":{},\"findings\":{}}}",
        Json(&map.name),
        list(types),
        list(map.trees.iter().map(half)),
        list(map.pieces.iter().map(|piece| self::piece(piece, map))),
        list(map.findings.iter().map(finding)),
    )
}

/// A half: `first`, `bits`, `level` of the root, `refusal` (why nothing is translated, or `null`),
/// and `tables`.
fn half(tree: &Tree) -> String {
    let (level, refusal) = match tree.translation {
        Translation::Walks { level, .. } => (level, "null".to_owned()),
        other => (0, Json(other.refusal().unwrap_or_default()).to_string()),
    };
    format!(
        "{{\"name\":{},\"register\":{},\"first\":\"{:x}\",\"bits\":{},\"level\":{level},\
         \"refusal\":{refusal},\"tables\":{}}}",
        Json(tree.half.name()),
        Json(tree.half.register()),
        tree.first,
        tree.bits,
        list(tables(tree)),
    )
}

/// The tables of a half, the first ones if there are more than [`MOST_OF_TABLES`] letters hold.
fn tables(tree: &Tree) -> impl Iterator<Item = String> {
    tree.tables.iter().map(table).scan(0, |sum, text| {
        *sum += text.len();
        (*sum < MOST_OF_TABLES).then_some(text)
    })
}

/// `[address, first address translated, level, descriptor that leads to it, entries]`.
fn table(table: &TableFound) -> String {
    let mut cells = String::new();
    for (cell, count) in &table.cells {
        let letter = match cell {
            Cell::Unused => '-',
            Cell::Table => 't',
            Cell::Leaf => 'l',
            Cell::Contiguous => 'c',
            Cell::Software => 's',
            Cell::Reserved => 'r',
        };
        // Writing to a string does not fail.
        let _ = write!(cells, "{letter}{count}");
    }
    format!(
        "[\"{:x}\",\"{:x}\",{},\"{:x}\",\"{cells}\"]",
        table.pa, table.va, table.level, table.bits
    )
}

/// `[address, bytes, level, descriptor, EL1's rights, EL0's rights, limits, class of the rights,
/// class of the memory type, name]`.
fn piece(piece: &Piece, map: &Map) -> String {
    let rights = piece.rights();
    let letters =
        |flags: stilt_paging::MappingFlags| -> String { flags.right_letters().iter().collect() };
    format!(
        "[\"{:x}\",\"{:x}\",{},\"{:x}\",{},{},{},{},{},{}]",
        piece.va,
        piece.bytes,
        piece.level,
        piece.bits,
        Json(&letters(rights.kernel)),
        Json(&letters(rights.user)),
        Json(&piece.limits.to_string()),
        Json(rights_class(piece)),
        Json(memory_class(piece.memory_type(&map.registers).class())),
        Json(&piece.name),
    )
}

fn finding(finding: &Finding) -> String {
    let other = finding.other.map(|other| format!("\"{other:x}\""));
    format!(
        "[{},{},\"{:x}\",{},{}]",
        Json(finding.kind.words()),
        Json(finding.kind.severity().word()),
        finding.va,
        other.as_deref().unwrap_or("null"),
        Json(&finding.what),
    )
}

/// The fields of each kind of descriptor: `[high bit, low bit, name, meaning]`. The meaning is a
/// list of texts for values, `0` for an address, `1` for an index into MAIR_EL1, or one text.
fn all_fields() -> String {
    let kinds = [
        ("page", Kind::Page, 3),
        ("block2", Kind::Block, 2),
        ("block1", Kind::Block, 1),
        ("table", Kind::Table, 0),
        ("invalid", Kind::Invalid, 3),
        ("reserved", Kind::Reserved, 0),
    ];
    let kinds = kinds.map(|(name, kind, level)| {
        let fields = AARCH64.fields(kind, level).map(|field| {
            let meaning = match field.meaning {
                Meaning::Address | Meaning::FrameNumber => "0".to_owned(),
                Meaning::MemoryType => "1".to_owned(),
                Meaning::Text => field.texts().map(|text| Json(text).to_string()).collect(),
                Meaning::Values => list(field.texts().map(|text| Json(text).to_string())),
            };
            let (high, low, name) = (field.high, field.low, Json(field.name()));
            format!("[{high},{low},{name},{meaning}]")
        });
        format!("{}:{}", Json(name), list(fields))
    });
    format!("{{{}}}", kinds.join(",\n"))
}

//! Findings, changes, pieces, tables and registers as lists and tables of HTML.

use std::fmt::Write;

use crate::colours::{memory_class, rights_class};
use crate::descriptor::rights_words;
use crate::difference::Change;
use crate::escape::{Text, address};
use crate::finding::{Finding, Severity};
use crate::map::Map;
use crate::piece::Piece;
use crate::walk::{Cell, TableFound};
use crate::words::{Size, counted};

/// The most rows of a table that are written; Stilt has some fifty.
const MOST_ROWS: usize = 100;

pub(super) fn findings(maps: &[Map]) -> String {
    let mut text = "<section id=\"findings\" aria-labelledby=\"findings-title\">\n\
         <h2 id=\"findings-title\">Findings</h2>\n"
        .to_owned();
    for map in maps {
        let faults = map
            .findings
            .iter()
            .filter(|found| found.kind.severity() == Severity::Fault);
        let (name, all, faults) = (Text(&map.name), map.findings.len(), faults.count());
        if map.pieces.is_empty() && all == 0 {
            let _ = writeln!(text, "<p><b>{name}</b> nothing is mapped</p>");
            continue;
        }
        if all == 0 {
            let _ = writeln!(
                text,
                "<p class=\"good\"><b>{name}</b> nothing is writable and executable, through one \
                 address or through two; every frame has one memory type; no descriptor is odd</p>"
            );
            continue;
        }
        let _ = writeln!(
            text,
            "<p class=\"bad\"><b>{name}</b> {}, {} of protection, coherency or structure</p>\n<ul>",
            counted(all, "finding"),
            counted(faults, "fault")
        );
        map.findings
            .iter()
            .for_each(|found| push_finding(&mut text, found));
        text.push_str("</ul>\n");
    }
    text + "</section>\n"
}

fn push_finding(text: &mut String, finding: &Finding) {
    let severity = finding.kind.severity().word();
    let _ = write!(
        text,
        "<li class=\"{severity}\"><b>{severity}</b> {} {}",
        Text(finding.kind.words()),
        link(finding.va)
    );
    if let Some(other) = finding.other {
        let _ = write!(text, " and {}", link(other));
    }
    let _ = writeln!(text, " <span>{}</span></li>", Text(&finding.what));
}

/// A link to an address, which the explorer follows.
fn link(va: u64) -> String {
    format!("<a href=\"#va=0x{va:x}\"><code>{}</code></a>", address(va))
}

/// A section of the page that is folded up until its summary is clicked.
fn folded(id: &str, title: &str, summary: &str, body: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n\
         <h2 id=\"{id}-title\">{title}</h2>\n<details><summary>{summary}</summary>\n\
         {body}</details></section>\n"
    )
}

/// A table that scrolls on its own, with a caption and column heads.
fn table(caption: &str, heads: &[&str], rows: &str) -> String {
    let heads: String = heads
        .iter()
        .map(|head| format!("<th scope=\"col\">{head}</th>"))
        .collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\
         <caption>{0}</caption><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\
         </tbody></table></div>\n",
        Text(caption)
    )
}

/// The caption of a table of `count` rows, with the number of rows that are left out.
fn first_of(caption: &str, count: usize) -> String {
    match count.checked_sub(MOST_ROWS) {
        Some(more @ 1..) => format!("{caption}: the first {MOST_ROWS}, and {more} more"),
        _ => caption.to_owned(),
    }
}

pub(super) fn changes(changes: &[Change], maps: &[Map]) -> String {
    let [before, .., after] = maps else {
        return String::new();
    };
    let mut rows = String::new();
    for change in changes.iter().take(MOST_ROWS) {
        let bytes = u128::from(change.last) + 1 - u128::from(change.va);
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
            link(change.va),
            address(change.last),
            Size(bytes),
            change.kind.word(),
            Text(&change.what)
        );
    }
    let caption = format!(
        "What the {} map has otherwise than the {} map",
        after.name, before.name
    );
    let heads = ["first", "last", "size", "change", "what"];
    let summary = counted(changes.len(), "range");
    let body = table(&first_of(&caption, changes.len()), &heads, &rows);
    folded("changes", "Differences", &summary, &body)
}

pub(super) fn pieces(maps: &[Map]) -> String {
    let body: String = maps.iter().map(pieces_of).collect();
    let counts = maps.iter().map(|map| {
        let leaves: u64 = map.pieces.iter().map(Piece::leaves).sum();
        let (pieces, name) = (counted(map.pieces.len(), "piece"), Text(&map.name));
        format!("{name}: {pieces}, {leaves} leaves")
    });
    let summary = counts.collect::<Vec<_>>().join("; ");
    folded("pieces", "Everything that is mapped", &summary, &body)
}

fn pieces_of(map: &Map) -> String {
    let mut rows = String::new();
    for piece in map.pieces.iter().take(MOST_ROWS) {
        let memory = piece.memory_type(&map.registers);
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td><code>{}</code></td><td><code>{:#010x}</code></td>\
             <td class=\"{} {}\"><code>{}</code></td><td>{memory}</td><td>{} × {}{}</td>\
             <td>{}</td><td>{}</td></tr>",
            link(piece.va),
            address(piece.last()),
            piece.pa(),
            rights_class(piece),
            memory_class(memory.class()),
            rights_words(piece.rights()),
            piece.leaves(),
            piece.leaf_size(),
            if piece.is_contiguous() {
                ", contiguous"
            } else {
                ""
            },
            Size(piece.bytes.into()),
            Text(&piece.name),
        );
    }
    let heads = [
        "first",
        "last",
        "frame",
        "rights",
        "memory type",
        "leaves",
        "size",
        "name",
    ];
    let caption = format!("The {} map", map.name);
    table(&first_of(&caption, map.pieces.len()), &heads, &rows)
}

pub(super) fn tables(maps: &[Map]) -> String {
    let body: String = maps.iter().map(tables_of).collect();
    let counts = maps.iter().map(|map| {
        let count = map.trees.iter().map(|tree| tree.tables.len()).sum();
        format!("{}: {}", Text(&map.name), counted(count, "table"))
    });
    let summary = counts.collect::<Vec<_>>().join("; ");
    folded("tables", "Tables", &summary, &body)
}

fn tables_of(map: &Map) -> String {
    let mut rows = String::new();
    let tables = map.trees.iter().flat_map(|tree| &tree.tables);
    let count = tables.clone().count();
    for found in tables.take(MOST_ROWS) {
        let bytes = crate::descriptor::entry_bytes(found.level) * found.entries() as u64;
        let _ = writeln!(
            rows,
            "<tr><td><code>{:#010x}</code></td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{} of {}</td><td>{}</td></tr>",
            found.pa,
            found.level,
            link(found.va),
            Size(bytes.into()),
            found.used(),
            found.entries(),
            strip(found),
        );
    }
    let heads = ["address", "level", "from", "translates", "used", "entries"];
    let caption = format!("Tables of the {} map", map.name);
    table(&first_of(&caption, count), &heads, &rows)
}

/// A table's entries as a strip: one rectangle for each run of a kind.
fn strip(found: &TableFound) -> String {
    let mut text = format!(
        "<svg class=\"strip\" viewBox=\"0 0 {} 10\" preserveAspectRatio=\"none\" \
         aria-hidden=\"true\">",
        found.entries()
    );
    let mut at = 0;
    for (cell, count) in &coarse(&found.cells) {
        let class = match cell {
            Cell::Unused => "",
            Cell::Table => "c-t",
            Cell::Leaf => "c-l",
            Cell::Contiguous => "c-c",
            Cell::Software | Cell::Reserved => "c-s",
        };
        if !class.is_empty() {
            let _ = write!(
                text,
                "<rect class=\"{class}\" x=\"{at}\" width=\"{count}\" height=\"10\"/>"
            );
        }
        at += count;
    }
    text.push_str("</svg>");
    let kinds = [
        (Cell::Table, "table"),
        (Cell::Leaf, "leaf"),
        (Cell::Contiguous, "contiguous leaf"),
        (Cell::Software, "entry of software"),
        (Cell::Reserved, "reserved entry"),
    ];
    let words = kinds.iter().filter_map(|(cell, word)| {
        let count = found.count(*cell);
        (count > 0).then(|| counted_plural(count, word))
    });
    let words = words.collect::<Vec<_>>().join(", ");
    let words = if words.is_empty() { "empty" } else { &words };
    format!("{text}<span class=\"what\">{words}</span>")
}

/// The runs of a strip. A table with more than 32 runs is drawn by the first of each sixteen
/// entries.
fn coarse(cells: &[(Cell, usize)]) -> Vec<(Cell, usize)> {
    const MOST: usize = 32;
    const TOGETHER: usize = 16;
    if cells.len() <= MOST {
        return cells.to_vec();
    }
    let each = cells
        .iter()
        .flat_map(|(cell, count)| std::iter::repeat_n(*cell, *count));
    let firsts = each.step_by(TOGETHER).map(|cell| (cell, TOGETHER));
    firsts.collect()
}

fn counted_plural(count: usize, word: &str) -> String {
    let irregular = [
        ("leaf", "leaves"),
        ("contiguous leaf", "contiguous leaves"),
        ("entry of software", "entries of software"),
        ("reserved entry", "reserved entries"),
    ];
    let plural = irregular.iter().find(|(one, _)| *one == word);
    match plural {
        Some((_, plural)) if count != 1 => format!("{count} {plural}"),
        _ => counted(count, word),
    }
}

pub(super) fn registers(maps: &[Map]) -> String {
    let body: String = maps.iter().map(registers_of).collect();
    folded(
        "registers",
        "Registers",
        "by which the tables are found and read",
        &body,
    )
}

fn registers_of(map: &Map) -> String {
    let mut rows = String::new();
    for (name, value, meaning) in map.registers.rows() {
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{name}</th><td><code>{value:#018x}</code></td><td>{}</td></tr>",
            Text(&meaning)
        );
    }
    let heads = ["register", "value", "meaning"];
    table(&format!("Registers of the {} map", map.name), &heads, &rows)
}

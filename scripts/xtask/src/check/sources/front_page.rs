//! The edges as a front page shows them, compared with the table of edges.
//!
//! No tool reads a picture in documentation; without this the two drift apart.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use super::source::Sources;
use super::tables::{Edges, House, Shown};
use crate::check::report::{Report, Violation};

/// An importing room and an imported one.
type Edge = (String, String);

/// Compares the front page of `house`, whose text is `page`, with the table.
pub(super) fn check(sources: &Sources, house: &House, page: &str, shown: Shown) -> Report {
    let place = house.module.join("::");
    let place = format!("{} {place}", sources.checked.name);
    let documentation: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .collect();
    let (counted, rules) = match shown {
        Shown::Arrows => {
            let told = arrows(&documentation);
            (
                format!("{} edges", told.len()),
                differences(&told, &house.edges),
            )
        }
        Shown::FirstColumn => {
            let told = first_column(&documentation);
            (format!("{} rooms", told.len()), order(&told, &house.edges))
        }
    };
    let violation = |rule| Violation {
        place: place.trim_end().to_owned(),
        rule,
    };
    Report {
        name: "front page",
        counted: format!("{}, {counted}", place.trim_end()),
        violations: rules.into_iter().map(violation).collect(),
    }
}

/// The edges in the block of text below `# Edges`. Statements are lines, or are separated by
/// several blanks.
fn arrows(documentation: &[&str]) -> BTreeSet<Edge> {
    let section = documentation.iter().skip_while(|line| **line != "# Edges");
    let block = section.skip_while(|line| !line.starts_with("```")).skip(1);
    let block = block.take_while(|line| !line.starts_with("```"));
    let mut edges = BTreeSet::new();
    for statement in block.flat_map(|line| line.split("   ")) {
        let Some((imported, importing)) = statement.split_once("<-") else {
            continue;
        };
        for room in importing.split(',') {
            let imported = imported.split_whitespace();
            edges.extend(imported.map(|import| (room.trim().to_owned(), import.to_owned())));
        }
    }
    edges
}

fn differences(told: &BTreeSet<Edge>, edges: &Edges) -> Vec<String> {
    let mut table = BTreeSet::new();
    for room in edges.rooms() {
        let imports = edges.imports_of(room).unwrap_or_default();
        table.extend(
            imports
                .iter()
                .map(|import| (room.to_owned(), (*import).to_owned())),
        );
    }
    let only = |left: &BTreeSet<Edge>, right: &BTreeSet<Edge>, where_: &str| -> Vec<String> {
        let edges = left.difference(right);
        edges
            .map(|(room, import)| format!("`{import} <- {room}` stands in {where_} alone"))
            .collect()
    };
    let mut rules = only(told, &table, "the documentation");
    rules.extend(only(&table, told, "the table"));
    rules
}

/// The names in backticks in the first column of the first table.
fn first_column(documentation: &[&str]) -> Vec<String> {
    let rows = documentation
        .iter()
        .skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

fn order(told: &[String], edges: &Edges) -> Vec<String> {
    let table = edges.rooms();
    if told.iter().map(String::as_str).eq(table.iter().copied()) {
        return Vec::new();
    }
    vec![format!(
        "the documentation has the rooms {}, and the table has {}",
        told.join(" "),
        table.join(" ")
    )]
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::check::sources::source::Sources;
    use crate::check::sources::tables::{CRATES, Edges, House, Shown};

    fn rules(edges: Edges, page: &str, shown: Shown) -> Vec<String> {
        let house = House {
            module: &[],
            edges,
            front_page: None,
        };
        let report = check(&Sources::new(&CRATES[0], Vec::new()), &house, page, shown);
        report
            .violations
            .into_iter()
            .map(|found| found.rule)
            .collect()
    }

    const LISTED: Edges = Edges::Listed(&[("a", &[]), ("b", &["a"]), ("c", &["a", "b"])]);

    #[test]
    fn arrows_say_what_the_table_says() {
        let page = "//! # Edges\n//!\n//! ```text\n//! a <- b, c      b <- c\n//! ```\n";
        assert_eq!(rules(LISTED, page, Shown::Arrows), [""; 0]);
        let page = "//! # Edges\n//!\n//! ```text\n//! a c <- b\n//! a <- c\n//! ```\n//! b <- c\n";
        assert_eq!(
            rules(LISTED, page, Shown::Arrows),
            [
                "`c <- b` stands in the documentation alone",
                "`b <- c` stands in the table alone"
            ]
        );
    }

    #[test]
    fn a_column_has_the_rooms_in_their_order() {
        let line = Edges::Line(&["a", "b", "c"]);
        let page = "//! X.\n//!\n//! | room | `what` |\n//! |---|---|\n//! | `a` [`b`] | x |\n//! | `c` | `d` |\n//!\n//! | `e` | |\n";
        assert_eq!(rules(line, page, Shown::FirstColumn), [""; 0]);
        let line = Edges::Line(&["b", "a", "c"]);
        assert_eq!(
            rules(line, page, Shown::FirstColumn),
            ["the documentation has the rooms a b c, and the table has b a c"]
        );
        assert_eq!(rules(LISTED, "", Shown::FirstColumn).len(), 1);
    }
}

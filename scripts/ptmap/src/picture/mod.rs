//! The picture for a text: two maps in few parts, as an SVG that follows the reader's theme.
//!
//! # Decisions
//! - Sizes below 1 MiB and the addresses between them are left out: they change with every build,
//!   and the picture is to change when the map does.

mod coarse;

use std::fmt::Write;
use std::ops::Range;

use crate::colours::{memory_class, rights_class};
use crate::descriptor::rights_words;
use crate::difference;
use crate::escape::Text;
use crate::map::Map;
use crate::memory_type::MemoryClass;
use crate::registers::Half;
use crate::words::Size;
use coarse::{Part, parts};

const STYLE: &str = include_str!("style.css");

/// The picture's width in pixels; the other lengths are in pixels, too.
const WIDTH: u32 = 1120;
const MARGIN: u32 = 24;
const TOP: u32 = 124;
const LINE: u32 = 30;
const GAP: u32 = 21;
const SPACE: u32 = 3;
/// The least size, in bytes, of a part whose size is written.
const LARGE: u128 = 1 << 20;

/// The positions of a half's columns: the left side of the addresses, and one column for each map.
struct Columns {
    addresses: u32,
    maps: [Column; 2],
}

/// The left side and the width of a column.
#[derive(Clone, Copy)]
struct Column {
    x: u32,
    width: u32,
}

const fn column_at(x: u32, width: u32) -> Column {
    Column { x, width }
}

const LOW: Columns = Columns {
    addresses: MARGIN,
    maps: [column_at(MARGIN + 84, 192), column_at(MARGIN + 280, 94)],
};
const HIGH: Columns = Columns {
    addresses: 432,
    maps: [column_at(556, 254), column_at(814, 254)],
};

/// The SVG of two maps, the earlier one first.
#[must_use]
pub fn picture(maps: [&Map; 2]) -> String {
    let halves = [(Half::Low, LOW), (Half::High, HIGH)];
    let drawn = halves.map(|(half, columns)| draw(maps, half, &columns));
    let bottom = drawn.iter().map(|(_, bottom)| *bottom).max();
    let height = bottom.unwrap_or(TOP) + MARGIN;
    let [low, high] = drawn.map(|(text, _)| text);
    let [before, after] = maps.map(|map| Text(&map.name).to_string());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title what\">\n\
         <title id=\"title\">The address space, before and after</title>\n\
         <desc id=\"what\">The {before} map beside the {after} map, read from the live page \
         tables.</desc>\n<style>\n{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\" rx=\"12\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"38\">The address space, read from the live page \
         tables</text>\n{}{low}{high}</svg>\n",
        legend()
    )
}

fn legend() -> String {
    let entries = [
        ("r-rx", "read, execute"),
        ("r-ro", "read only"),
        ("r-rw", "read, write"),
        ("r-rw device", "devices"),
    ];
    let mut text = String::new();
    for (x, (class, words)) in (0..).map(|index| MARGIN + 150 * index).zip(entries) {
        let _ = writeln!(
            text,
            "<rect class=\"{class}\" x=\"{x}\" y=\"54\" width=\"16\" height=\"16\" rx=\"4\"/>\
             <text class=\"small\" x=\"{}\" y=\"67\">{words}</text>",
            x + 23
        );
    }
    let marks = "between the maps: + new, − gone, ≠ changed, ÷ other leaves";
    let _ = writeln!(
        text,
        "<text class=\"small end\" x=\"{}\" y=\"67\">{marks}</text>",
        WIDTH - MARGIN
    );
    text
}

/// The SVG of a half, and the height at which it ends.
fn draw(maps: [&Map; 2], half: Half, columns: &Columns) -> (String, u32) {
    let parts = maps.map(|map| parts(map, half));
    let end: u128 = match half {
        Half::Low => 1 << 48,
        Half::High => 1 << 64,
    };
    let mut ends = vec![u128::from(maps[0].trees[half as usize].first), end];
    for part in parts.iter().flatten() {
        ends.extend([u128::from(part.first.va), u128::from(part.last()) + 1]);
    }
    ends.sort_unstable();
    ends.dedup();
    let mut heights = Vec::new();
    let mut y = TOP;
    for pair in ends.windows(2) {
        heights.push(y);
        let is_empty = parts
            .iter()
            .all(|column| at(column, pair[0] as u64).is_none());
        y += if is_empty { GAP } else { LINE };
    }
    heights.push(y);
    let scale = Scale { ends, heights };
    let mut text = head(maps, half, columns);
    text.push_str(&addresses(&scale, columns));
    for ((map, parts), place) in maps.iter().zip(&parts).zip(columns.maps) {
        text.push_str(&column(map, half, parts, &scale, place));
    }
    let Column { x, width } = columns.maps[1];
    text.push_str(&marks(maps, &scale, x + width + 10));
    (text, y)
}

/// The height of each boundary of a part: `ends[i]` is drawn at `heights[i]`.
struct Scale {
    ends: Vec<u128>,
    heights: Vec<u32>,
}

impl Scale {
    fn y(&self, address: u128) -> u32 {
        let index = self.ends.partition_point(|end| *end < address);
        self.heights[index.min(self.heights.len() - 1)]
    }
}

fn at<'parts, 'map>(parts: &'parts [Part<'map>], va: u64) -> Option<&'parts Part<'map>> {
    parts
        .iter()
        .find(|part| part.first.va <= va && va <= part.last())
}

fn head(maps: [&Map; 2], half: Half, columns: &Columns) -> String {
    let mut text = format!(
        "<text class=\"head\" x=\"{}\" y=\"{}\">{}, {}</text>\n",
        columns.addresses,
        TOP - 27,
        half.name(),
        half.register()
    );
    for (map, Column { x, .. }) in maps.iter().zip(columns.maps) {
        let (y, name) = (TOP - 8, Text(&map.name));
        let _ = writeln!(
            text,
            "<text class=\"small\" x=\"{x}\" y=\"{y}\">{name}</text>"
        );
    }
    text
}

/// The addresses of whole blocks (multiples of 2 MiB), which no build moves.
fn addresses(scale: &Scale, columns: &Columns) -> String {
    let mut text = String::new();
    for (va, y) in scale.ends.iter().zip(&scale.heights).rev().skip(1) {
        if va.is_multiple_of(2 * LARGE) {
            let (x, y) = (columns.addresses, y + 13);
            let digits = match va >> 48 {
                0 => 10,
                _ => 16,
            };
            let _ = writeln!(
                text,
                "<text class=\"address\" x=\"{x}\" y=\"{y}\">{va:0digits$x}</text>"
            );
        }
    }
    text
}

fn column(map: &Map, half: Half, parts: &[Part], scale: &Scale, place: Column) -> String {
    let mut text = String::new();
    let first = *scale.ends.first().unwrap_or(&0);
    let last = *scale.ends.last().unwrap_or(&0);
    let mut from = first;
    let ends = parts
        .iter()
        .map(|part| (u128::from(part.first.va), Some(part)));
    for (begin, part) in ends.chain([(last, None)]) {
        if from < begin {
            let why = match map.trees[half as usize].translation.refusal() {
                None => format!("unmapped, {}", Size(begin - from)),
                Some(_) if map.trees[half as usize].tables.is_empty() => "walks are off".to_owned(),
                Some(why) => why.to_owned(),
            };
            let why = if begin - from < LARGE {
                "unmapped".to_owned()
            } else {
                why
            };
            unmapped(&mut text, scale, from..begin, place, &why);
        }
        if let Some(part) = part {
            draw_part(&mut text, map, part, scale, place);
            from = u128::from(part.last()) + 1;
        }
    }
    text
}

fn unmapped(text: &mut String, scale: &Scale, range: Range<u128>, place: Column, why: &str) {
    let Column { x, width } = place;
    let (top, bottom) = (scale.y(range.start), scale.y(range.end));
    let height = bottom - top - SPACE;
    let _ = writeln!(
        text,
        "<rect class=\"gap\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" \
         rx=\"5\"/><text class=\"small\" x=\"{}\" y=\"{}\">{}</text>",
        x + 9,
        top + height / 2 + 4,
        Text(why)
    );
}

fn draw_part(text: &mut String, map: &Map, part: &Part, scale: &Scale, place: Column) {
    let Column { x, width } = place;
    let top = scale.y(part.first.va.into());
    let height = scale.y(u128::from(part.last()) + 1) - top - SPACE;
    let memory = part.first.memory_type(&map.registers).class();
    let device = match memory {
        MemoryClass::DeviceEarly | MemoryClass::DeviceStrict => " device",
        _ => "",
    };
    let name = match part.has_guards {
        false => part.first.name.clone(),
        true => format!("{} … {}", part.first.name, part.end.name),
    };
    let middle = top + height / 2 + 5;
    let what = format!(
        "{} {}",
        rights_words(part.first.rights()),
        part.first.leaf_size()
    );
    let large = u128::from(part.bytes()) >= LARGE && !part.has_guards;
    let size = match large {
        true => format!(", {}", Size(part.bytes().into())),
        false => String::new(),
    };
    // A letter is some seven pixels wide; a size for which there is no room is left out.
    let letters = name.chars().count() + what.len() + size.len();
    let size = if 7 * letters as u32 + 30 < width {
        size
    } else {
        String::new()
    };
    let long = if part.has_guards { " long" } else { "" };
    let (class, type_class) = (rights_class(part.first), memory_class(memory));
    let (left, right) = (x + 9, x + width - 9);
    let _ = write!(
        text,
        "<rect class=\"{class} {type_class}{device}\" x=\"{x}\" y=\"{top}\" width=\"{width}\" \
         height=\"{height}\" rx=\"5\"/>\
         <text class=\"name{long}\" x=\"{left}\" y=\"{middle}\">{}</text>",
        Text(&name)
    );
    let shown = if part.has_guards { String::new() } else { what };
    let _ = writeln!(
        text,
        "<text class=\"what end\" x=\"{right}\" y=\"{middle}\">{}{size}</text>",
        Text(&shown)
    );
}

fn marks(maps: [&Map; 2], scale: &Scale, x: u32) -> String {
    let mut text = String::new();
    for (va, y) in scale.ends.iter().zip(&scale.heights) {
        let change = u64::try_from(*va)
            .ok()
            .and_then(|va| difference::change(maps[0], maps[1], va));
        if let Some((kind, _)) = change {
            let (mark, y) = (kind.mark(), y + 18);
            let _ = writeln!(
                text,
                "<text class=\"mark\" x=\"{x}\" y=\"{y}\">{mark}</text>"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::picture;
    use crate::synthetic::{HIGH, Memory, NORMAL_PAGE, READ_ONLY};

    #[test]
    fn both_maps_are_drawn_with_what_differs_and_nothing_is_loaded() {
        let mut memory = Memory::with_roots();
        memory.page(HIGH | 0x1000, 0x1000 | NORMAL_PAGE);
        // With a guard between them: one part.
        memory.page(HIGH | 0x3000, 0x2000 | NORMAL_PAGE);
        let before = memory.map();
        memory.page(HIGH | 0x9000, 0x9000 | NORMAL_PAGE | READ_ONLY);
        let after = memory.map();
        let svg = picture([&before, &after]);
        assert_eq!(svg.matches("r-rw t-wb").count(), 2);
        assert_eq!(svg.matches("r-ro t-wb").count(), 1);
        assert_eq!(svg.matches(">+</text>").count(), 1);
        assert_eq!(svg, picture([&before, &after]));
        for way in ["href", "url(", "<script", "<image", "@import"] {
            assert!(!svg.contains(way), "{way}");
        }
    }
}

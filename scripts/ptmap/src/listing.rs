//! A map as lines of text, in the form of the kernel's own command `map`.

use std::fmt::Write;

use stilt_paging::GenericPTE;
use stilt_paging::format::aarch64::A64PTE;

use crate::descriptor::rights_words;
use crate::map::Map;
use crate::piece::Piece;

/// One line for each piece, `FIRST-LAST FRAME RIGHTS TYPE LEAF NAME`, and one for each finding,
/// `! KIND ADDRESS: VALUES`.
#[must_use]
pub fn listing(map: &Map) -> String {
    let mut text = format!("map: {}\n", map.name);
    for piece in &map.pieces {
        text.push_str(&line(piece));
    }
    for finding in &map.findings {
        let other = finding.other.map(|other| format!(" and {other:#018x}"));
        let (word, other) = (finding.kind.words(), other.unwrap_or_default());
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "! {word} {:#018x}{other}: {}",
            finding.va, finding.what
        );
    }
    text
}

fn line(piece: &Piece) -> String {
    let memory = A64PTE::from_bits(piece.bits).flags().memory_type();
    let contiguous = if piece.is_contiguous() {
        " contiguous"
    } else {
        ""
    };
    format!(
        "{:#018x}-{:#018x} {:#010x} {} {memory:<6} {} {}{contiguous}\n",
        piece.va,
        piece.last(),
        piece.pa(),
        rights_words(piece.rights()),
        piece.leaf_size(),
        piece.name,
    )
}

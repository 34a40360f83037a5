//! The rooms of `src/`, which of them may import which, and in which room and module a file is.

#![forbid(unsafe_code)]

use std::path::Path;

/// Every room and the rooms that it may import: the table of the crate's front page, `src/lib.rs`.
pub(super) const ROOMS: [(&str, &[&str]); 10] = [
    ("addr", &[]),
    ("board", &["addr"]),
    ("paging", &["addr"]),
    ("exception", &[]),
    ("drivers", &["addr"]),
    ("text", &[]),
    ("arch", &["addr", "paging"]),
    ("mm", &["addr", "board", "paging", "arch"]),
    (
        "kernel",
        &[
            "addr",
            "board",
            "paging",
            "mm",
            "arch",
            "drivers",
            "exception",
            "text",
        ],
    ),
    ("boot", &["addr", "board", "paging", "mm", "arch", "kernel"]),
];

/// The files at the crate's root that belong to no room: they put the rooms together.
pub(super) const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

/// What `room` may import; `None` when there is no such room.
pub(super) fn imports_of(room: &str) -> Option<&'static [&'static str]> {
    ROOMS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|&(_, imports)| imports)
}

/// The module that a file holds, as the names on the way from the crate's root: `src/mm/frames.rs`
/// is `["mm", "frames"]`, `src/mm/mod.rs` is `["mm"]`. `path` is relative to `src`.
pub(super) fn module_of(path: &Path) -> Vec<String> {
    let without_extension = path.with_extension("");
    let names = without_extension
        .iter()
        .map(|name| name.to_string_lossy().into_owned());
    let mut module: Vec<String> = names.collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    module
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{ROOMS, imports_of, module_of};

    #[test]
    fn every_edge_leads_to_a_room_that_stands_above_it() {
        for (index, (room, imports)) in ROOMS.iter().enumerate() {
            for import in *imports {
                let above = ROOMS[..index].iter().any(|(name, _)| name == import);
                assert!(
                    above,
                    "{room} <- {import}: only rooms further up, so that there is no cycle"
                );
            }
        }
    }

    #[test]
    fn only_rooms_have_imports() {
        assert_eq!(imports_of("paging"), Some(&["addr"][..]));
        assert_eq!(imports_of("util"), None);
    }

    #[test]
    fn a_file_holds_the_module_of_its_place() {
        let module = |path| module_of(Path::new(path)).join("::");
        assert_eq!(module("addr.rs"), "addr");
        assert_eq!(module("mm/mod.rs"), "mm");
        assert_eq!(module("mm/frames.rs"), "mm::frames");
        assert_eq!(
            module("paging/format/aarch64.rs"),
            "paging::format::aarch64"
        );
    }
}

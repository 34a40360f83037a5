//! The rules for source files. Each takes all files and gives a report.

#![forbid(unsafe_code)]

use std::path::Path;

use super::attributes;
use super::paths::{self, Name};
use super::rooms;
use super::source::{Source, Sources};
use crate::check::report::Report;

/// The image's own file, which is another program on the host and exempt from `gates`.
const IMAGE: &str = "main.rs";

/// Each room imports only those that the table allows, and none by another name or by a glob.
pub(super) fn edges(sources: &Sources) -> Report {
    let mut imports = 0;
    let mut violations = Vec::new();
    for source in sources.files.iter().filter(|source| !source.is_root()) {
        let room = source.room();
        let Some(allowed) = rooms::imports_of(room) else {
            violations.push(source.violation(1, format!("`{room}` is no room")));
            continue;
        };
        for found in paths::uses(&source.tokens, source.module.len()) {
            let rule = match &found.name {
                Name::Root => Some("another name for the crate's root".to_owned()),
                Name::Glob => Some("a glob import from this crate".to_owned()),
                Name::Item(name) if sources.room_of(name) == room => None,
                Name::Item(name) => {
                    imports += 1;
                    refusal(room, allowed, sources.room_of(name))
                }
            };
            violations.extend(rule.map(|rule| source.violation(found.line, rule)));
        }
    }
    let counted = format!("{} files, {imports} imports", sources.files.len());
    Report {
        name: "edges",
        counted,
        violations,
    }
}

/// Why `room`, which may import the rooms in `allowed`, may not import `target`; `None` when it
/// may.
fn refusal(room: &str, allowed: &[&str], target: &str) -> Option<String> {
    if allowed.contains(&target) {
        return None;
    }
    if rooms::imports_of(target).is_none() {
        return Some(format!("`{target}` at the crate's root is no room"));
    }
    let others = if allowed.is_empty() {
        "none".to_owned()
    } else {
        allowed.join(", ")
    };
    Some(format!(
        "`{room}` may not import `{target}`; it may import: {others}"
    ))
}

/// The machine begins at a `mod` line, and a file's place tells its room.
pub(super) fn gates(sources: &Sources) -> Report {
    let checked: Vec<_> = sources
        .files
        .iter()
        .filter(|source| source.path != Path::new(IMAGE))
        .collect();
    let misplaced = checked.iter().flat_map(|source| {
        let found = attributes::misplaced(&source.tokens).into_iter();
        found.map(|(line, rule)| source.violation(line, rule.to_owned()))
    });
    let violations = misplaced.collect();
    Report {
        name: "gates",
        counted: format!("{} files", checked.len()),
        violations,
    }
}

/// A file that needs no unsafe code, neither itself nor in the modules inside its own, forbids it.
pub(super) fn unsafety(sources: &Sources) -> Report {
    let in_rooms = sources.files.iter().filter(|source| !source.is_root());
    let (needing, others): (Vec<&Source>, Vec<_>) =
        in_rooms.partition(|source| sources.needs_unsafe(source));
    let is_free = |source: &&&Source| !needing.iter().any(|needs| source.is_above(needs));
    let free: Vec<_> = others.iter().filter(is_free).collect();
    let missing = free
        .iter()
        .filter(|source| !attributes::forbids_unsafe(&source.tokens));
    let rule = "no unsafe code here or below: begin with `#![forbid(unsafe_code)]`";
    let violations = missing
        .map(|source| source.violation(1, rule.to_owned()))
        .collect();
    let counted = format!(
        "{} files with unsafe code, {} without",
        needing.len(),
        free.len()
    );
    Report {
        name: "unsafe",
        counted,
        violations,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Report, Source, Sources, edges, gates, unsafety};

    fn sources(files: &[(&str, &str)]) -> Sources {
        let parse = |&(path, text): &(&str, &str)| Source::parse(Path::new(path), text);
        Sources::new(
            files
                .iter()
                .map(|file| parse(file).expect("the sample is Rust"))
                .collect(),
        )
    }

    /// The places of the violations.
    fn places(report: &Report) -> Vec<&str> {
        report
            .violations
            .iter()
            .map(|violation| violation.place.as_str())
            .collect()
    }

    #[test]
    fn every_edge_of_the_design_is_allowed_and_no_other() {
        let report = edges(&sources(&[
            ("addr.rs", "use crate::board;"),
            ("board/mod.rs", "use crate::addr;"),
            ("paging/table.rs", "use crate::addr; use crate::arch;"),
            ("text/mod.rs", "use crate::addr;"),
            ("drivers/mod.rs", "use crate::{addr,\nboard};"),
            (
                "arch/mmu.rs",
                "use crate::{addr, paging}; use crate::board;",
            ),
            ("mm/mod.rs", "use crate::{addr, board, paging, arch};"),
            (
                "boot/mod.rs",
                "use crate::{addr, board, paging, mm, arch, kernel};\nuse crate::text;",
            ),
            (
                "kernel/mod.rs",
                "use crate::{addr, board, paging, mm, arch, drivers, exception, text};",
            ),
        ]));
        let expected = [
            "src/addr.rs:1",
            "src/arch/mmu.rs:1",
            "src/boot/mod.rs:2",
            "src/text/mod.rs:1",
            "src/drivers/mod.rs:2",
            "src/paging/table.rs:1",
        ];
        assert_eq!(places(&report), expected);
        assert_eq!(report.counted, "9 files, 29 imports");
        assert_eq!(
            report.violations[0].rule,
            "`addr` may not import `board`; it may import: none"
        );
        assert_eq!(
            report.violations[1].rule,
            "`arch` may not import `board`; it may import: addr, paging"
        );
    }

    #[test]
    fn tests_and_the_own_room_are_no_different() {
        let report = edges(&sources(&[
            (
                "paging/mod.rs",
                "use crate::paging::table; #[cfg(test)]\nmod tests { use crate::board::RAM; }",
            ),
            ("lib.rs", "pub use crate::mm::frames;"),
            ("main.rs", "use stilt::kernel as _;"),
        ]));
        assert_eq!(places(&report), ["src/paging/mod.rs:2"]);
        assert_eq!(report.counted, "3 files, 1 imports");
    }

    #[test]
    fn an_exported_macro_belongs_to_the_room_that_defines_it() {
        let report = edges(&sources(&[
            (
                "kernel/log.rs",
                "#[macro_export] macro_rules! kprintln { () => { $crate::kernel::log() } }",
            ),
            ("kernel/shell.rs", "fn f() { crate::kprintln!(); }"),
            ("mm/mod.rs", "fn f() {\n crate::kprintln!(); }"),
        ]));
        assert_eq!(places(&report), ["src/mm/mod.rs:2"]);
        assert_eq!(
            report.violations[0].rule,
            "`mm` may not import `kernel`; it may import: addr, board, paging, arch"
        );
    }

    #[test]
    fn what_is_no_room_is_refused() {
        let report = edges(&sources(&[
            ("util.rs", "fn f() {}"),
            ("mm/mod.rs", "use crate::util;"),
            ("arch/mod.rs", "use crate as k;\nuse super::*;"),
        ]));
        assert_eq!(
            places(&report),
            [
                "src/arch/mod.rs:1",
                "src/arch/mod.rs:2",
                "src/mm/mod.rs:1",
                "src/util.rs:1"
            ]
        );
    }

    #[test]
    fn the_machine_begins_at_a_mod_line_and_in_the_image() {
        let gate = "#[cfg(target_os = \"none\")]";
        let report = gates(&sources(&[
            (
                "lib.rs",
                &format!("{gate} pub mod arch;\n{gate} fn f() {{}}"),
            ),
            ("main.rs", &format!("{gate} fn f() {{}}")),
        ]));
        assert_eq!(places(&report), ["src/lib.rs:2"]);
        assert_eq!(report.counted, "1 files");
    }

    #[test]
    fn a_file_without_unsafe_code_forbids_it() {
        let report = unsafety(&sources(&[
            (
                "addr.rs",
                "//! Forbid unsafe code.\nfn f() { g(\"unsafe\") }",
            ),
            (
                "exception/mod.rs",
                "//! X.\n#![forbid(unsafe_code)]\nmod esr;",
            ),
            ("exception/esr.rs", "fn f() {}"),
            ("arch/mod.rs", "mod cpu; mod vectors;"),
            ("arch/cpu.rs", "fn f() { unsafe { g() } }"),
            ("arch/vectors.rs", "core::arch::global_asm!(\"nop\");"),
            ("arch/timer.rs", "fn f() { read_register!(x) }"),
            (
                "arch/macros.rs",
                "macro_rules! read_register { () => { unsafe { g() } } }",
            ),
            ("lib.rs", "pub mod addr;"),
        ]));
        assert_eq!(places(&report), ["src/addr.rs:1", "src/exception/esr.rs:1"]);
        assert_eq!(report.counted, "4 files with unsafe code, 3 without");
    }
}

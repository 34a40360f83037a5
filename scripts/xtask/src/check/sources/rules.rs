//! The rules for source files. Each checks all files of a crate and returns a report.

#![forbid(unsafe_code)]

use std::path::Path;

use super::attributes;
use super::graph::{self, Graph};
use super::source::Sources;
use super::tables::House;
use crate::check::report::{Report, Violation};

/// The file of the binary, which is another program on the host and exempt from `gates`.
const IMAGE: &str = "main.rs";

/// `edges`: each room imports only the rooms that the table allows, in tests, too. A module beside
/// the rooms that only tests have is no room.
///
/// Neither cargo nor rustc has a border inside of a crate: any room may import a `pub(crate)` item,
/// and the path in `pub(in path)` must be one of the item's own ancestors.
pub(super) fn edges(sources: &Sources, house: &House) -> Report {
    let graph = Graph::new(&sources.files, sources.checked.name);
    let depth = house.module.len();
    let room_in = |module: &[String]| {
        let inside = module.len() > depth && module.iter().zip(house.module).all(|(a, b)| a == b);
        let room = inside.then(|| &module[..=depth])?;
        (!graph.is_for_tests(room)).then(|| room[depth].clone())
    };
    let mut imports = 0;
    let mut violations = Vec::new();
    for source in &sources.files {
        let Some(room) = room_in(&source.module) else {
            continue;
        };
        let Some(allowed) = house.edges.imports_of(&room) else {
            violations.push(sources.violation(source, 1, format!("`{room}` is no room")));
            continue;
        };
        for path in &source.found.paths {
            let target = graph.module_of(source, path);
            let Some(target) = target.and_then(|module| room_in(&module)) else {
                continue;
            };
            if target != room {
                imports += 1;
                let rule = refusal(house, &room, allowed, &target);
                violations.extend(rule.map(|rule| sources.violation(source, path.line, rule)));
            }
        }
    }
    let place = Path::new(sources.checked.folder).join(house.module.join("/"));
    let place = place.display().to_string();
    Report {
        name: "edges",
        counted: format!("{}, {imports} imports", place.trim_end_matches('/')),
        violations,
    }
}

/// The reason why `room`, which may import the rooms in `allowed`, must not import `target`; none
/// if it may.
fn refusal(house: &House, room: &str, allowed: &[&str], target: &str) -> Option<String> {
    if allowed.contains(&target) {
        return None;
    }
    if house.edges.imports_of(target).is_none() {
        return Some(format!("`{target}` is no room"));
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

/// `circles`: no files of a crate use each other in a cycle, within a room or across rooms. Uses in
/// tests alone do not count.
///
/// To rustc a crate is one piece, whose modules may name each other freely; clippy has no lint for
/// cycles either.
pub(super) fn circles(sources: &Sources) -> Report {
    let edges = Graph::new(&sources.files, sources.checked.name).edges();
    let circles = graph::circles(sources.files.len(), &edges);
    let told = |circle: &Vec<usize>| -> Option<Violation> {
        let inside = |edge: &&graph::Edge| circle.contains(&edge.from) && circle.contains(&edge.to);
        let first = edges.iter().find(inside)?;
        let names: Vec<_> = circle
            .iter()
            .map(|&file| sources.files[file].path.display().to_string())
            .collect();
        let rule = format!(
            "a circle of {} files, here to {}: {}",
            circle.len(),
            sources.files[first.to].path.display(),
            names.join(", ")
        );
        Some(sources.violation(&sources.files[first.from], first.line, rule))
    };
    Report {
        name: "circles",
        counted: format!(
            "{}, {} files, {} uses",
            sources.checked.folder,
            sources.files.len(),
            edges.len()
        ),
        violations: circles.iter().filter_map(told).collect(),
    }
}

/// `gates`: conditions on the target stand on `mod` lines, and a file's path tells its room.
///
/// No lint of rustc or clippy restricts the place of a condition: `unexpected_cfgs` looks at its
/// names alone.
pub(super) fn gates(sources: &Sources) -> Report {
    let checked: Vec<_> = sources
        .files
        .iter()
        .filter(|source| source.path != Path::new(IMAGE))
        .collect();
    let misplaced = checked.iter().flat_map(|source| {
        let found = attributes::misplaced(&source.tokens).into_iter();
        found.map(|(line, rule)| sources.violation(source, line, rule.to_owned()))
    });
    let violations = misplaced.collect();
    Report {
        name: "gates",
        counted: format!("{}, {} files", sources.checked.folder, checked.len()),
        violations,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Report, Sources, circles, edges, gates};
    use crate::check::sources::source::Source;
    use crate::check::sources::tables::{CRATES, Edges, House};

    fn sources(files: &[(&str, &str)]) -> Sources {
        let parse = |&(path, text): &(&str, &str)| Source::parse(Path::new(path), text);
        let files = files
            .iter()
            .map(|file| parse(file).expect("the sample is Rust"));
        Sources::new(&CRATES[0], files.collect())
    }

    /// The places of the violations.
    fn places(report: &Report) -> Vec<&str> {
        report
            .violations
            .iter()
            .map(|violation| violation.place.as_str())
            .collect()
    }

    fn rules(report: &Report) -> Vec<&str> {
        report
            .violations
            .iter()
            .map(|violation| violation.rule.as_str())
            .collect()
    }

    fn edges_of_src(files: &[(&str, &str)]) -> Report {
        edges(&sources(files), &CRATES[0].houses[0])
    }

    #[test]
    fn every_edge_of_the_design_is_allowed_and_no_other() {
        let report = edges_of_src(&[
            ("board/mod.rs", "use crate::addr;"),
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
        ]);
        let expected = [
            "src/arch/mmu.rs:1",
            "src/boot/mod.rs:2",
            "src/drivers/mod.rs:2",
            "src/text/mod.rs:1",
        ];
        assert_eq!(places(&report), expected);
        assert_eq!(report.counted, "src, 26 imports");
        assert_eq!(
            report.violations[0].rule,
            "`arch` may not import `board`; it may import: addr, paging"
        );
        assert_eq!(
            report.violations[3].rule,
            "`text` may not import `addr`; it may import: none"
        );
    }

    #[test]
    fn tests_are_no_different_and_the_own_room_is() {
        let report = edges_of_src(&[
            (
                "arch/mod.rs",
                "use crate::arch::cpu; #[cfg(test)]\nmod tests { use crate::board::RAM; }",
            ),
            ("board/mod.rs", ""),
            ("lib.rs", "pub use crate::mm::frames;"),
            ("main.rs", "use stilt::kernel as _;"),
        ]);
        assert_eq!(places(&report), ["src/arch/mod.rs:2"]);
        assert_eq!(report.counted, "src, 1 imports");
    }

    #[test]
    fn an_exported_macro_belongs_to_the_room_that_defines_it() {
        let report = edges_of_src(&[
            (
                "kernel/log.rs",
                "#[macro_export] macro_rules! kprintln { () => { $crate::kernel::log() } }",
            ),
            ("kernel/shell.rs", "fn f() { crate::kprintln!(); }"),
            ("mm/mod.rs", "fn f() {\n crate::kprintln!(); }"),
            ("lib.rs", ""),
        ]);
        assert_eq!(places(&report), ["src/mm/mod.rs:2"]);
        assert_eq!(
            rules(&report),
            ["`mm` may not import `kernel`; it may import: addr, board, paging, arch"]
        );
    }

    #[test]
    fn another_name_for_a_room_or_for_the_root_hides_nothing() {
        let report = edges_of_src(&[
            ("lib.rs", "pub use mm::frames::Frame;"),
            ("mm/mod.rs", ""),
            ("mm/frames.rs", "pub struct Frame;"),
            (
                "arch/cpu.rs",
                "use crate as k;\nfn f() {\nk::mm::frames::g() }",
            ),
            ("arch/lock.rs", "use super::super::Frame;"),
            (
                "arch/mod.rs",
                "use crate::{self as root};\nuse root::mm::frames as f;\nfn g(x: f::Frame) {}",
            ),
        ]);
        assert_eq!(
            places(&report),
            [
                "src/arch/cpu.rs:3",
                "src/arch/lock.rs:1",
                "src/arch/mod.rs:2",
                "src/arch/mod.rs:3"
            ]
        );
    }

    #[test]
    fn what_is_no_room_is_refused() {
        let report = edges_of_src(&[("util.rs", "fn f() {}"), ("mm/mod.rs", "use crate::util;")]);
        assert_eq!(places(&report), ["src/mm/mod.rs:1", "src/util.rs:1"]);
    }

    const INNER: House = House {
        module: &["kernel"],
        edges: Edges::Line(&["log", "time", "shell"]),
        front_page: None,
    };

    #[test]
    fn inner_rooms_import_what_stands_before_them() {
        let report = edges(
            &sources(&[
                (
                    "kernel/mod.rs",
                    "pub use time::now; #[cfg(test)] mod random; fn f() { shell::run() }",
                ),
                ("kernel/log.rs", "use super::{\nnow,\nshell::run};"),
                (
                    "kernel/time/mod.rs",
                    "mod rate; pub fn now() { super::log::x(); rate::r() }",
                ),
                (
                    "kernel/time/rate.rs",
                    "use crate::kernel::random::r as x; pub fn r() {}",
                ),
                (
                    "kernel/shell.rs",
                    "use crate::kernel::{log, now}; use crate::mm::x; pub fn run() {}",
                ),
                ("kernel/odd.rs", ""),
                ("kernel/random.rs", "use super::shell::run;"),
            ]),
            &INNER,
        );
        assert_eq!(
            places(&report),
            [
                "src/kernel/log.rs:2",
                "src/kernel/log.rs:3",
                "src/kernel/odd.rs:1"
            ]
        );
        assert_eq!(
            rules(&report),
            [
                "`log` may not import `time`; it may import: none",
                "`log` may not import `shell`; it may import: none",
                "`odd` is no room"
            ]
        );
        assert_eq!(report.counted, "src/kernel, 5 imports");
    }

    #[test]
    fn files_that_use_each_other_all_round_are_a_circle() {
        let report = circles(&sources(&[
            ("a/mod.rs", "pub use one::One; pub(crate) use two::Two;"),
            ("a/one.rs", "use super::Two; pub struct One;"),
            (
                "a/two.rs",
                "pub struct Two; fn f() { super::three::three() }",
            ),
            ("a/three.rs", "use crate::a; fn three() -> a::One {}"),
            ("a/four.rs", "use super::One;"),
            ("b/mod.rs", "mod inner; fn f() { inner::g() }"),
            (
                "b/inner.rs",
                "pub fn g() {} #[cfg(test)] mod tests { use crate::b::f; }",
            ),
        ]));
        assert_eq!(places(&report), ["src/a/one.rs:1"]);
        assert_eq!(
            rules(&report),
            ["a circle of 3 files, here to a/two.rs: a/one.rs, a/three.rs, a/two.rs"]
        );
    }

    #[test]
    fn a_file_and_its_own_module_can_be_a_circle() {
        let report = circles(&sources(&[
            (
                "a/mod.rs",
                "mod inner; pub const N: u32 = 1;\nfn f() { inner::g() }",
            ),
            ("a/inner.rs", "pub fn g() -> u32 { super::N }"),
        ]));
        assert_eq!(places(&report), ["src/a/inner.rs:1"]);
    }

    #[test]
    fn circles_in_one_folder_and_across_folders_are_found() {
        let report = circles(&sources(&[
            ("arch/mod.rs", "mod a; mod b; mod c;"),
            ("arch/a.rs", "use crate::arch::b::g; pub fn f() {}"),
            ("arch/b.rs", "use crate::arch::a::f; pub fn g() {}"),
            ("arch/c.rs", "use crate::d::g; pub fn f() {}"),
            ("d.rs", "use crate::arch::c::f; pub fn g() {}"),
        ]));
        assert_eq!(
            rules(&report),
            [
                "a circle of 2 files, here to arch/b.rs: arch/a.rs, arch/b.rs",
                "a circle of 2 files, here to d.rs: arch/c.rs, d.rs",
            ]
        );
    }

    #[test]
    fn tests_in_files_of_their_own_make_no_circle() {
        let report = circles(&sources(&[
            ("a/mod.rs", "#[cfg(test)] mod tests; pub fn f() {}"),
            ("a/tests/mod.rs", "mod x; pub fn g() { x::h() }"),
            ("a/tests/x.rs", "pub fn h() { super::g(); crate::a::f() }"),
        ]));
        assert_eq!(places(&report), [""; 0]);
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
        assert_eq!(report.counted, "src, 1 files");
    }
}

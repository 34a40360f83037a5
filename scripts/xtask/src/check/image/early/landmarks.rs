//! Symbols by which the early code is found in the image.

#![forbid(unsafe_code)]

use crate::check::image::program::Program;
use crate::check::report::Violation;

/// The sections of assembly that runs at low addresses; all of their code is early.
pub(super) const EARLY_SECTIONS: [&str; 3] = [".init", ".park", ".early"];

/// The entry point, in `.init`.
const ENTRY: &str = "_start";

/// The Rust function that runs with the MMU off.
pub(super) const EARLY_RUST: &str = "init_kernel_pt";

/// The first function in the high half: code that is reached only through it is not early.
pub(super) const FIRST_HIGH: &str = "kernel_main";

/// Reports landmarks that are missing: without one of them the check would look at nothing, and
/// pass.
pub(super) fn missing(program: &Program) -> Vec<Violation> {
    let entry_section = program
        .address_of(ENTRY)
        .and_then(|entry| program.section_at(entry));
    let entry_is_early =
        entry_section.is_some_and(|section| EARLY_SECTIONS.contains(&section.name.as_str()));
    let expected = [
        (entry_is_early, ENTRY, "expected in .init or .park"),
        (
            program.address_of(EARLY_RUST).is_some(),
            EARLY_RUST,
            "no such symbol",
        ),
        (
            program.address_of(FIRST_HIGH).is_some(),
            FIRST_HIGH,
            "no such symbol",
        ),
    ];
    let missing = expected.iter().filter(|(found, _, _)| !found);
    missing
        .map(|&(_, name, rule)| Violation {
            place: name.into(),
            rule: rule.into(),
        })
        .collect()
}

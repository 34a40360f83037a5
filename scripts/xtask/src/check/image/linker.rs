//! Code of the linker that the image must not contain.

#![forbid(unsafe_code)]

use super::parts::Section;
use super::program::Program;
use crate::check::report::{Report, Violation};

/// The section that must have no thunk.
const SECTION: &str = ".init";

/// Checks that the linker put no long-branch thunk into `.init`: it would jump to the linked, high
/// address while the code runs at its low one. A veneer for an erratum is a part of the sequence
/// that it replaces, and allowed.
pub(in crate::check) fn check_thunks(program: &Program) -> Report {
    let range = program
        .section(SECTION)
        .map(Section::range)
        .unwrap_or_default();
    let symbols: Vec<_> = program
        .symbols()
        .iter()
        .filter(|symbol| range.contains(&symbol.address))
        .collect();
    let thunks = symbols.iter().filter(|symbol| is_thunk(&symbol.name));
    let violations = thunks
        .map(|symbol| Violation {
            place: program.describe(symbol.address),
            rule: format!("a linker's thunk in {SECTION}"),
        })
        .collect();
    Report {
        name: "thunks",
        counted: format!("{} symbols in {SECTION}", symbols.len()),
        violations,
    }
}

/// Whether the symbol is a thunk's: `__AArch64AbsLongThunk_f` and `__AArch64ADRPThunk_f` of LLD,
/// `__f_veneer` of GNU ld. Veneers for errata are called `__CortexA53843419_*`,
/// `__erratum_835769_veneer_*` or `e843419@*`.
fn is_thunk(name: &str) -> bool {
    name.contains("Thunk") || name.starts_with("__") && name.ends_with("_veneer")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{INIT, RET, Sample, TEXT};
    use super::check_thunks;

    fn count(name: &str, address: u64) -> usize {
        let program = Sample::default()
            .section(".init", INIT, &[RET; 2])
            .section(".text", TEXT, &[RET; 2])
            .symbol("_start", INIT, 1)
            .symbol(name, address, 1)
            .build();
        check_thunks(&program).violations.len()
    }

    #[test]
    fn a_thunk_in_init_is_seen() {
        assert_eq!(count("__AArch64AbsLongThunk_kernel_main", INIT + 4), 1);
        assert_eq!(count("__AArch64ADRPThunk_init_kernel_pt", INIT + 4), 1);
        assert_eq!(count("__init_kernel_pt_veneer", INIT + 4), 1);
    }

    #[test]
    fn veneers_of_errata_and_thunks_elsewhere_are_allowed() {
        assert_eq!(count("__CortexA53843419_FFFF000000080004", INIT + 4), 0);
        assert_eq!(count("__erratum_835769_veneer_0", INIT + 4), 0);
        assert_eq!(count("__AArch64ADRPThunk_memcpy", TEXT + 4), 0);
    }
}

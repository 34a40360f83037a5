//! Rules for code that can run before the MMU is on.
//!
//! With the MMU off all memory is Device-nGnRnE (DDI 0487 D8.2.10 "Effects of disabling an address
//! translation stage"): exclusives, unaligned accesses and DC ZVA fault or never succeed there, and
//! the code runs at its physical address while it is linked in the high half, so no absolute
//! address is right. QEMU shows none of this. `reach` finds the code, `absolute` the addresses in
//! it, `forbidden` the instructions.
//!
//! # Decisions
//!
//! A function counts as a whole, with paths that only run later: the image does not tell which path
//! runs, and a check that guessed wrong would be silent.

#![forbid(unsafe_code)]

mod absolute;
mod forbidden;
mod landmarks;
mod reach;

use super::program::Program;
use crate::check::report::{Report, Violation};

/// Checks all code and data that `_start` and `init_kernel_pt` can reach before `kernel_main`.
pub(in crate::check) fn check(program: &Program) -> Report {
    let mut violations = landmarks::missing(program);
    let reached = reach::reach(program);
    let mut instructions = 0;
    for (index, early) in reached.functions.iter().enumerate() {
        let chain = reached.chain(index);
        let mut report = |address, rule: String| {
            let place = program.describe(address);
            violations.push(Violation {
                place,
                rule: format!("{rule}{chain}"),
            });
        };
        instructions += program.instructions(&early.function.range).count();
        if reach::is_formatting(&early.function) {
            report(
                early.function.range.start,
                "panics or formats before the MMU is on".into(),
            );
            continue;
        }
        forbidden::check_instructions(program, &early.function, &mut report);
        absolute::check_code(program, &early.function, &mut report);
    }
    for object in reached.objects.values() {
        let rule = format!(
            "an absolute address in data that {} uses before the MMU is on",
            object.user
        );
        for address in absolute::in_range(program, &object.range) {
            violations.push(Violation {
                place: program.describe(address),
                rule: rule.clone(),
            });
        }
    }
    let counts = (reached.functions.len(), instructions, reached.objects.len());
    let counted = format!(
        "{} functions, {} instructions, {} data objects",
        counts.0, counts.1, counts.2
    );
    Report {
        name: "early",
        counted,
        violations,
    }
}

#[cfg(test)]
mod tests {
    use object::elf::{R_AARCH64_ABS64, R_AARCH64_ADR_PREL_PG_HI21, RelocationType};

    use super::check;
    use crate::check::image::parts::Target;
    use crate::check::image::sample::{INIT, RET, RODATA, Sample, TEXT};

    const NOP: u32 = 0xd503_201f;
    const LDXR: u32 = 0xc85f_7c20;
    const BLR: u32 = 0xd63f_0060;
    const BR: u32 = 0xd61f_0060;
    /// bl .+0x1000: from `_start` to `init_kernel_pt`
    const BL_RUST: u32 = 0x9400_0400;
    /// bl .+64: from the first word of `init_kernel_pt` to the helper
    const BL_HELPER: u32 = 0x9400_0010;
    /// The addresses of the helper and of `kernel_main`.
    const HELPER: u64 = TEXT + 64;
    const HIGH: u64 = TEXT + 128;

    /// `_start` and `enter_high_half` in `.init`; in `.text` `init_kernel_pt` with the words
    /// `rust`, a function with the name and words of `helper`, and a `kernel_main` that breaks
    /// every rule.
    fn image_with(rust: &[u32], helper: (&str, &[u32])) -> Sample {
        let mut text = vec![0; 40];
        text[..rust.len()].copy_from_slice(rust);
        text[16..16 + helper.1.len()].copy_from_slice(helper.1);
        text[32..35].copy_from_slice(&[LDXR, BLR, 0x6f00_e400]);
        Sample::default()
            .section(".init", INIT, &[BL_RUST, BR])
            .section(".text", TEXT, &text)
            .section(".rodata", RODATA, &[0; 16])
            .symbol("_start", INIT, 1)
            .symbol("enter_high_half", INIT + 4, 1)
            .symbol("init_kernel_pt", TEXT, 16)
            .symbol(helper.0, HELPER, 16)
            .symbol("kernel_main", HIGH, 8)
    }

    fn image(rust: &[u32]) -> Sample {
        image_with(rust, ("helper", &[RET]))
    }

    fn violations(sample: Sample) -> Vec<String> {
        let violations = check(&sample.build()).violations;
        violations
            .into_iter()
            .map(|found| format!("{}: {}", found.place, found.rule))
            .collect()
    }

    fn addressing(address: u64, target: u64) -> (u64, RelocationType, Target) {
        (address, R_AARCH64_ADR_PREL_PG_HI21, Target::Address(target))
    }

    #[test]
    fn harmless_code_passes_and_is_counted() {
        let report = check(&image(&[BL_HELPER, RET]).build());
        assert!(report.violations.is_empty(), "{report}");
        assert_eq!(
            report.counted,
            "4 functions, 5 instructions, 0 data objects"
        );
    }

    #[test]
    fn instructions_that_need_the_mmu_are_seen() {
        let planted = [
            (LDXR, "an exclusive or atomic access"),
            (0xc8a0_7c41, "an exclusive or atomic access"),
            (0x3dc0_0020, "a SIMD or floating-point instruction"),
            (0xd50b_7420, "`dc zva`"),
            (0xd508_7e40, "`dc cisw`"),
            (0xf85f_c020, "an access of 8 bytes at offset -4"),
            (BLR, "a branch to a register"),
        ];
        for (word, text) in planted {
            let found = violations(image(&[NOP, word, RET]));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            let place = format!("init_kernel_pt+0x4 (0xffff000000081004): {text}");
            assert!(found[0].starts_with(&place), "{found:?}");
        }
    }

    #[test]
    fn plain_ordered_accesses_and_returns_pass() {
        assert!(violations(image(&[0xc8df_fc20, 0x889f_fc20, 0xf85f_8020, RET])).is_empty());
    }

    #[test]
    fn calls_are_followed_and_told() {
        let found = violations(image_with(&[BL_HELPER, RET], ("helper", &[LDXR, RET])));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("helper+0x0"), "{found:?}");
        assert!(
            found[0].ends_with(", reached from init_kernel_pt"),
            "{found:?}"
        );
        assert!(
            violations(image_with(&[RET], ("helper", &[LDXR, RET]))).is_empty(),
            "not called"
        );
    }

    #[test]
    fn functions_whose_address_is_formed_are_followed() {
        let (address, kind, target) = addressing(TEXT, HELPER);
        let sample = || image_with(&[0x9000_0000, RET], ("helper", &[LDXR, RET]));
        assert_eq!(
            violations(sample().relocation(address, kind, target)).len(),
            1
        );
        let bound = Target::Boundary(HELPER);
        assert!(
            violations(sample().relocation(address, kind, bound)).is_empty(),
            "__text_start"
        );
        // adr x0, .+64, resolved by the assembler.
        assert_eq!(
            violations(image_with(&[0x1000_0200, RET], ("helper", &[LDXR, RET]))).len(),
            1
        );
    }

    #[test]
    fn the_way_ends_at_kernel_main() {
        // b .+124 to it, and its address formed in .init.
        let (address, kind, target) = addressing(INIT + 4, HIGH);
        let sample = image(&[NOP, 0x1400_001f]).relocation(address, kind, target);
        assert!(violations(sample).is_empty());
    }

    #[test]
    fn all_of_the_early_sections_counts() {
        let orphan = image(&[RET])
            .section(".park", INIT + 0x800, &[LDXR, RET])
            .symbol("park", INIT + 0x800, 2);
        assert_eq!(violations(orphan).len(), 1);
        let branch = Sample::default()
            .section(".init", INIT, &[BR])
            .section(".text", TEXT, &[RET, RET])
            .symbol("_start", INIT, 1)
            .symbol("init_kernel_pt", TEXT, 1)
            .symbol("kernel_main", TEXT + 4, 1);
        assert_eq!(
            violations(branch).len(),
            1,
            "only enter_high_half may branch to a register"
        );
    }

    #[test]
    fn panics_and_formatting_are_reported_once_and_not_followed() {
        for name in [
            "core::panicking::panic_fmt",
            "<u32 as core::fmt::Display>::fmt",
        ] {
            let found = violations(image_with(&[BL_HELPER, RET], (name, &[BLR, LDXR])));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].contains("panics or formats before the MMU is on"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn absolute_addresses_in_code_and_data_are_seen() {
        let absolute = |at, target| image(&[NOP, RET]).relocation(at, R_AARCH64_ABS64, target);
        assert_eq!(violations(absolute(INIT, Target::Address(TEXT))).len(), 1);
        assert_eq!(
            violations(absolute(TEXT + 8, Target::Boundary(RODATA))).len(),
            1
        );
        assert_eq!(
            violations(absolute(TEXT + 8, Target::Number(TEXT))).len(),
            1
        );
        assert!(
            violations(absolute(TEXT + 8, Target::Number(0x1000))).is_empty(),
            "a size"
        );
        assert!(
            violations(absolute(HIGH, Target::Address(TEXT))).is_empty(),
            "runs high"
        );

        let (address, kind, target) = addressing(TEXT, RODATA + 8);
        let table = absolute(RODATA + 16, Target::Address(TEXT)).symbol("TABLE", RODATA, 8);
        let found = violations(table.relocation(address, kind, target));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("TABLE+0x10 "), "{found:?}");
        let unused = absolute(RODATA + 16, Target::Address(TEXT));
        assert!(violations(unused).is_empty(), "nobody early uses it");
    }

    #[test]
    fn an_image_without_the_expected_names_does_not_pass() {
        let program = Sample::default()
            .section(".text", TEXT, &[RET])
            .symbol("_start", TEXT, 1);
        let found = violations(program);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}

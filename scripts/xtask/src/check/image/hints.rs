//! Instructions that have no place in the whole image: spinning on ISB, and SIMD.
//!
//! `core::hint::spin_loop` compiles to an ISB on AArch64. In a wait loop that hangs some emulators,
//! so the kernel's own loops and its locks relax by other means; this finds what still uses it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::program::Program;
use crate::check::a64::{Flow, Instruction};
use crate::check::report::{Report, Violation};

/// Checks that every ISB is a barrier: it follows a DSB, or its function has something that needs
/// one (MSR, TLBI, IC, DC, AT, the counter), and no loop leads back to it without passing such a
/// thing.
pub(in crate::check) fn check_isb(program: &Program) -> Report {
    let mut count = 0;
    let mut violations = Vec::new();
    for function in program.functions() {
        let code: BTreeMap<u64, Instruction> = program.instructions(&function.range).collect();
        let purpose = code.values().any(|word| word.gives_isb_a_purpose());
        for (&address, _) in code.iter().filter(|(_, word)| word.is_isb()) {
            count += 1;
            let after_dsb = code.get(&(address - 4)).is_some_and(|word| word.is_dsb());
            let rule = match (after_dsb, purpose) {
                (true, _) => continue,
                (false, false) => "an isb in a function without anything that needs one",
                (false, true) if spins(&code, address) => "a loop that waits by isb",
                (false, true) => continue,
            };
            violations.push(Violation {
                place: program.describe(address),
                rule: rule.into(),
            });
        }
    }
    Report {
        name: "isb",
        counted: format!("{count} isb"),
        violations,
    }
}

/// Whether control can come from the ISB at `isb` back to it without meeting anything that needs
/// one.
fn spins(code: &BTreeMap<u64, Instruction>, isb: u64) -> bool {
    let mut pending = vec![isb + 4];
    let mut seen = BTreeSet::new();
    while let Some(address) = pending.pop() {
        if address == isb {
            return true;
        }
        let Some(word) = code
            .get(&address)
            .filter(|word| !word.gives_isb_a_purpose())
        else {
            continue;
        };
        if !seen.insert(address) {
            continue;
        }
        match word.flow(address) {
            Flow::Next => pending.push(address + 4),
            Flow::Either(target) => pending.extend([address + 4, target]),
            Flow::Jump(target) => pending.push(target),
            Flow::Leave => {}
        }
    }
    false
}

/// Checks that no executable section has a SIMD or floating-point instruction: the kernel saves no
/// such registers and leaves the unit off.
pub(in crate::check) fn check_simd(program: &Program) -> Report {
    let mut count = 0;
    let mut violations = Vec::new();
    for section in program.executable_sections() {
        for (address, word) in program.instructions(&section.range()) {
            count += 1;
            if word.is_simd_or_fp() {
                let place = program.describe(address);
                violations.push(Violation {
                    place,
                    rule: "a SIMD or floating-point instruction".into(),
                });
            }
        }
    }
    Report {
        name: "simd",
        counted: format!("{count} instructions"),
        violations,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{RET, Sample, TEXT};
    use super::{check_isb, check_simd};

    const ISB: u32 = 0xd503_3fdf;
    const DSB: u32 = 0xd503_3f9f;
    const NOP: u32 = 0xd503_201f;
    const MSR_SCTLR: u32 = 0xd518_1000;
    const MRS_CNTPCT: u32 = 0xd53b_e020;
    const LDR: u32 = 0xf940_0420;
    /// cbz x0, .-8
    const CBZ_BACK_2: u32 = 0xb4ff_ffc0;
    /// b .-12
    const B_BACK_3: u32 = 0x17ff_fffd;
    /// cbz x0, .+12
    const CBZ_ON_3: u32 = 0xb400_0060;

    fn isb_violations(words: &[u32]) -> usize {
        let program = Sample::default()
            .section(".text", TEXT, words)
            .symbol("f", TEXT, 0)
            .build();
        check_isb(&program).violations.len()
    }

    #[test]
    fn spinning_on_isb_is_seen() {
        assert_eq!(
            isb_violations(&[ISB, LDR, CBZ_BACK_2, RET]),
            1,
            "nothing else in the function"
        );
        let beside_a_write = [MSR_SCTLR, ISB, ISB, LDR, CBZ_BACK_2, RET];
        assert_eq!(
            isb_violations(&beside_a_write),
            1,
            "only the one in the loop"
        );
        // The compiler moves unlikely blocks out of the way: f: ldr; cbz cold; msr; ret; cold: isb;
        // b f.
        let cold = [LDR, CBZ_ON_3, MSR_SCTLR, RET, ISB, 0x17ff_fffb];
        assert_eq!(isb_violations(&cold), 1, "the loop is not in one piece");
    }

    #[test]
    fn barriers_are_allowed() {
        assert_eq!(isb_violations(&[MSR_SCTLR, ISB, RET]), 0);
        assert_eq!(isb_violations(&[DSB, ISB, RET]), 0);
        assert_eq!(
            isb_violations(&[ISB, MRS_CNTPCT, CBZ_BACK_2, RET]),
            0,
            "a delay by the counter"
        );
        assert_eq!(
            isb_violations(&[NOP, MSR_SCTLR, ISB, NOP, B_BACK_3]),
            0,
            "a loop of writes"
        );
    }

    #[test]
    fn simd_is_seen_wherever_code_lies() {
        let words = [NOP, 0x3dc0_0020, RET, 0x6f00_e400];
        let program = Sample::default().section(".text", TEXT, &words).build();
        let report = check_simd(&program);
        assert_eq!(
            (report.violations.len(), report.counted.as_str()),
            (2, "4 instructions")
        );
        let program = Sample::default().section(".rodata", TEXT, &words).build();
        assert!(check_simd(&program).violations.is_empty());
    }
}

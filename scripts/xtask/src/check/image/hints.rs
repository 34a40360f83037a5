//! Instructions that the image must not contain: ISB as a pause in a loop, and SIMD.
//!
//! `core::hint::spin_loop` compiles to an ISB on AArch64. A wait loop with it hangs some emulators,
//! so the kernel's own loops and its locks pause by other means; this check finds code that still
//! uses it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use a64::Instruction;
use a64::flow::Flow;
use a64::system::System;

use super::program::Program;
use crate::check::report::{Report, Violation};

/// Checks that every ISB is a barrier: it follows a DSB, or its function contains an instruction
/// that needs one (MSR, TLBI, IC, DC, AT, a read of the counter), and no loop leads from the ISB
/// back to it without such an instruction.
pub(in crate::check) fn check_isb(program: &Program) -> Report {
    let mut count = 0;
    let mut violations = Vec::new();
    for function in program.functions() {
        let code: BTreeMap<u64, Instruction> = program.instructions(&function.range).collect();
        let purpose = code.values().any(|word| gives_isb_a_purpose(*word));
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

/// Whether control can come from the ISB at `isb` back to it without passing an instruction that
/// needs an ISB.
fn spins(code: &BTreeMap<u64, Instruction>, isb: u64) -> bool {
    let mut pending = vec![isb + 4];
    let mut seen = BTreeSet::new();
    while let Some(address) = pending.pop() {
        if address == isb {
            return true;
        }
        let Some(word) = code
            .get(&address)
            .filter(|word| !gives_isb_a_purpose(**word))
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

/// Checks that every executable section has instructions of Armv8.0 alone, which a Cortex-A53
/// executes, and none that needs the SIMD and floating-point unit: the kernel does not save its
/// registers and leaves it off.
pub(in crate::check) fn check_instructions(program: &Program) -> Report {
    let mut count = 0;
    let mut violations = Vec::new();
    for section in program.executable_sections() {
        for (address, word) in program.instructions(&section.range()) {
            count += 1;
            let rule = match word {
                _ if needs_vector_unit(word) => "a SIMD or floating-point instruction",
                Instruction::Later(_) | Instruction::Unallocated(_) => "no instruction of Armv8.0",
                _ => continue,
            };
            violations.push(Violation {
                place: program.describe(address),
                rule: rule.into(),
            });
        }
    }
    Report {
        name: "instructions",
        counted: format!("{count} instructions"),
        violations,
    }
}

/// Whether an ISB is needed beside this instruction: MSR to a register or to PSTATE, SYS (TLBI, IC,
/// DC, AT), or MRS of a counter.
fn gives_isb_a_purpose(word: Instruction) -> bool {
    let Instruction::System(system) = word else {
        return false;
    };
    match system {
        System::Write { .. } | System::WritePstate { .. } | System::Maintain { .. } => true,
        System::Read { register, .. } => {
            matches!(register.name(), Some("cntpct_el0" | "cntvct_el0"))
        }
        _ => false,
    }
}

/// Whether the instruction needs the SIMD and floating-point unit (or SVE, or SME). Accesses to
/// FPCR and FPSR do (DDI 0487 C5.2).
pub(super) fn needs_vector_unit(word: Instruction) -> bool {
    match word {
        Instruction::Vector(_) => true,
        Instruction::System(System::Read { register, .. } | System::Write { register, .. }) => {
            matches!(register.name(), Some("fpcr" | "fpsr"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use a64::decode;

    use super::super::sample::{RET, Sample, TEXT};
    use super::{check_instructions, check_isb, gives_isb_a_purpose, needs_vector_unit};

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
    fn what_the_kernel_must_not_use_is_seen_wherever_code_lies() {
        let words = [NOP, 0x3dc0_0020, RET, 0x6f00_e400];
        let program = Sample::default().section(".text", TEXT, &words).build();
        let report = check_instructions(&program);
        assert_eq!(
            (report.violations.len(), report.counted.as_str()),
            (2, "4 instructions")
        );
        let later = [NOP, 0xf820_0041, 0xd71f_0861, 0xd503_30ff, RET];
        let program = Sample::default().section(".text", TEXT, &later).build();
        assert_eq!(
            check_instructions(&program).violations.len(),
            3,
            "ldadd, braa, sb"
        );
        let program = Sample::default().section(".rodata", TEXT, &words).build();
        assert!(check_instructions(&program).violations.is_empty());
    }

    #[test]
    fn simd_and_floating_point_are_seen_in_every_class() {
        let words = [
            (0x9e67_0000, "fmov d0, x0"),
            (0x6f00_e400, "movi v0.2d, #0"),
            (0x1e22_2820, "fadd s0, s1, s2"),
            (0x3dc0_0020, "ldr q0, [x1]"),
            (0x6d00_27e8, "stp d8, d9, [sp]"),
            (0x5c00_0040, "ldr d0, .+8"),
            (0x4c40_7000, "ld1 {v0.16b}, [x0]"),
            (0xd53b_4400, "mrs x0, fpcr"),
            (0xd51b_4420, "msr fpsr, x0"),
        ];
        for (word, text) in words {
            assert!(needs_vector_unit(decode(word)), "{text}");
        }
    }

    #[test]
    fn integer_code_is_not_simd() {
        let words = [
            (0xf940_0420, "ldr x0, [x1, #8]"),
            (0xa941_07e0, "ldp x0, x1, [sp, #16]"),
            (0x9b02_0c20, "madd x0, x1, x2, x3"),
            (0xd538_4240, "mrs x0, currentel"),
            (0xd51b_4220, "msr daif, x0"),
            (0x5800_0040, "ldr x0, .+8"),
            (0xd503_201f, "nop"),
            (0x1400_0002, "b .+8"),
            (0xd2ff_ffe0, "mov x0, #0xffff000000000000"),
            (0x9250_6c00, "and x0, x0, #0xffff000000000fff"),
            (0x0000_0000, "udf #0"),
        ];
        for (word, text) in words {
            assert!(!needs_vector_unit(decode(word)), "{text}");
        }
    }

    #[test]
    fn an_isb_serves_writes_maintenance_and_counters_only() {
        let yes = [
            (0xd518_1000, "msr sctlr_el1, x0"),
            (0xd503_42df, "msr daifset, #2"),
            (0xd508_871f, "tlbi vmalle1"),
            (0xd508_751f, "ic iallu"),
            (0xd50b_7e20, "dc civac, x0"),
            (0xd508_7800, "at s1e1r, x0"),
            (0xd53b_e020, "mrs x0, cntpct_el0"),
            (0xd53b_e040, "mrs x0, cntvct_el0"),
        ];
        let no = [
            (0xd538_00a0, "mrs x0, mpidr_el1"),
            (0xd503_3f9f, "dsb sy"),
            (0xd503_3fdf, "isb"),
            (0xd503_201f, "nop"),
            (0xd503_205f, "wfe"),
        ];
        for (word, text) in yes {
            assert!(gives_isb_a_purpose(decode(word)), "{text}");
        }
        for (word, text) in no {
            assert!(!gives_isb_a_purpose(decode(word)), "{text}");
        }
    }
}

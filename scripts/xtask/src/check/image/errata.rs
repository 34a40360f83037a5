//! Instruction sequences of Cortex-A53 errata (the Raspberry Pi 3's revision r0p4 has both).
//!
//! Source: Arm, "Cortex-A53 MPCore Software Developers Errata Notice" (ARM-EPM-048406), 835769 and
//! 843419.
//!
//! # Decisions
//!
//! 843419 has a second, longer form, which compilers do not emit and no linker looks for. This
//! check does not look for it either.

#![forbid(unsafe_code)]

use a64::data::{Data, Three};
use a64::memory::{Access, Address, Offset};
use a64::{Instruction, Register, Width};

use super::parts::Section;
use super::program::Program;
use crate::check::report::{Report, Violation};

/// The offsets in a 4 KiB page at which the ADRP of erratum 843419 stands: its last two words.
const LAST_WORDS: [u64; 2] = [0xff8, 0xffc];

/// Erratum 843419: an ADRP in the last two words of a page, a load or store, at most one other
/// instruction, and a load or store with an unsigned offset from the ADRP's register may go to a
/// wrong address. The linker (`--fix-cortex-a53-843419`) must have moved every last access to a
/// veneer.
pub(in crate::check) fn check_843419(program: &Program) -> Report {
    let mut pages = 0;
    let mut violations = Vec::new();
    let mut window = Vec::new();
    for (address, instruction) in code(program) {
        if window.last().is_some_and(|&(last, _)| last + 4 != address) {
            window.clear();
        }
        window.push((address, instruction));
        let first = window.len().saturating_sub(4);
        window.drain(..first);
        pages += usize::from(
            adrp_register(instruction).is_some() && LAST_WORDS.contains(&(address & 0xfff)),
        );
        let words: Vec<_> = window.iter().map(|&(_, word)| word).collect();
        let sequence = (0..words.len()).find(|&start| is_843419(window[start].0, &words[start..]));
        if let Some(start) = sequence {
            let place = program.describe(window[start].0);
            violations.push(Violation {
                place,
                rule: "sequence of erratum 843419".into(),
            });
        }
    }
    let counted = format!("{pages} adrp at the end of a page");
    Report {
        name: "erratum 843419",
        counted,
        violations,
    }
}

/// Whether `words`, the first of them at `address`, are exactly one sequence of erratum 843419.
fn is_843419(address: u64, words: &[Instruction]) -> bool {
    let (adrp, second, between, last) = match *words {
        [adrp, second, last] => (adrp, second, None, last),
        [adrp, second, between, last] => (adrp, second, Some(between), last),
        _ => return false,
    };
    let Some(base) = adrp_register(adrp) else {
        return false;
    };
    let harmless = |word: Instruction| word.is_branch() || writes(word, base);
    LAST_WORDS.contains(&(address & 0xfff))
        && base != Register::ZERO
        && can_be_second(second)
        && !writes(second, base)
        && !between.is_some_and(harmless)
        && scaled_base(last) == Some(base)
}

/// Rd of an ADRP.
fn adrp_register(word: Instruction) -> Option<Register> {
    match word {
        Instruction::Data(Data::Adrp { rd, .. }) => Some(rd),
        _ => None,
    }
}

/// Whether the load or store `word` writes `register`.
fn writes(word: Instruction, register: Register) -> bool {
    matches!(word, Instruction::Access(access) if access.writes(register))
}

/// Whether the word can be second in the sequence of erratum 843419: a single-register access of
/// any addressing form, an exclusive or ordered access, a literal load, STP or STNP, and
/// prefetches. Pair loads are not part of it. ST1 of vectors would be, but a check of its own
/// reports any SIMD instruction.
fn can_be_second(word: Instruction) -> bool {
    match word {
        Instruction::Access(Access::Pair { transfer, .. }) => transfer.is_store(),
        word => word.is_load_store(),
    }
}

/// The base register of an access with an unsigned immediate offset.
fn scaled_base(word: Instruction) -> Option<Register> {
    let Instruction::Access(Access::Single { address, .. } | Access::Prefetch { address, .. }) =
        word
    else {
        return None;
    };
    match address {
        Address {
            rn,
            offset: Offset::Scaled(_),
        } => Some(rn),
        _ => None,
    }
}

/// Erratum 835769: a 64-bit multiply-accumulate right after a load, store or prefetch may give a
/// wrong result, unless it depends on the loaded register. The compiler's `fix-cortex-a53-835769`
/// puts a NOP between; LLD has no option for it.
pub(in crate::check) fn check_835769(program: &Program) -> Report {
    let mut sums = 0;
    let mut violations = Vec::new();
    let mut previous: Option<(u64, Instruction)> = None;
    for (address, instruction) in code(program) {
        let before = previous.replace((address, instruction));
        let Some(sources) = accumulated(instruction) else {
            continue;
        };
        sums += 1;
        let adjacent = before.filter(|(last, _)| last + 4 == address);
        if adjacent.is_some_and(|(_, access)| is_835769(access, sources)) {
            let place = program.describe(address);
            violations.push(Violation {
                place,
                rule: "sequence of erratum 835769".into(),
            });
        }
    }
    let counted = format!("{sums} 64-bit multiply-accumulates");
    Report {
        name: "erratum 835769",
        counted,
        violations,
    }
}

/// Rn, Rm and Ra of a 64-bit multiply-accumulate. MUL (Ra is the zero register), SMULH and UMULH do
/// not accumulate.
fn accumulated(word: Instruction) -> Option<[Register; 3]> {
    let Instruction::Data(Data::Three {
        operation,
        width: Width::X,
        rn,
        rm,
        ra,
        ..
    }) = word
    else {
        return None;
    };
    let adds = !matches!(operation, Three::Smulh | Three::Umulh) && ra != Register::ZERO;
    adds.then_some([rn, rm, ra])
}

/// Whether a multiply-accumulate of the registers `sources` right after `access` is the erratum's
/// sequence: `access` loads none of them. A store and a prefetch load no register.
fn is_835769(access: Instruction, sources: [Register; 3]) -> bool {
    let filled = match access {
        Instruction::Access(access) => access.filled(),
        _ => [None, None],
    };
    let waits = filled
        .into_iter()
        .flatten()
        .any(|loaded| sources.contains(&loaded));
    access.is_load_store() && !waits
}

/// All instructions of all executable sections.
fn code(program: &Program) -> impl Iterator<Item = (u64, Instruction)> {
    let sections = program.executable_sections().map(Section::range);
    sections.flat_map(|range| program.instructions(&range).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use a64::decode;

    use super::super::sample::{RET, Sample, TEXT};
    use super::{accumulated, can_be_second, check_835769, check_843419};

    const NOP: u32 = 0xd503_201f;
    /// adrp x0, .+4096
    const ADRP: u32 = 0xb000_0000;
    /// str x2, [x5]
    const STR: u32 = 0xf900_00a2;
    /// ldr x0, [x0, #8]
    const LDR_BASE: u32 = 0xf940_0400;
    /// strb w1, [x0]
    const STRB_BASE: u32 = 0x3900_0001;
    /// madd x0, x1, x2, x3
    const MADD: u32 = 0x9b02_0c20;

    /// The number of violations of 843419 if `words` begin at this offset of a page.
    fn found_843419(offset: u64, words: &[u32]) -> usize {
        let program = Sample::default()
            .section(".text", TEXT + offset, words)
            .build();
        check_843419(&program).violations.len()
    }

    #[test]
    fn both_lengths_of_843419_are_seen_at_the_end_of_a_page_only() {
        for offset in [0xff8, 0xffc] {
            assert_eq!(found_843419(offset, &[ADRP, STR, LDR_BASE]), 1);
            assert_eq!(found_843419(offset, &[ADRP, STR, NOP, STRB_BASE]), 1);
        }
        assert_eq!(
            found_843419(0xff0, &[NOP, NOP, ADRP, STR, LDR_BASE, RET]),
            1
        );
        assert_eq!(found_843419(0xff4, &[ADRP, STR, LDR_BASE]), 0);
        assert_eq!(found_843419(0, &[ADRP, STR, LDR_BASE]), 0);
    }

    #[test]
    fn what_breaks_the_sequence_of_843419_is_known() {
        let found = |words: &[u32]| found_843419(0xff8, words);
        assert_eq!(
            found(&[ADRP, NOP, LDR_BASE]),
            0,
            "no access in the second place"
        );
        assert_eq!(
            found(&[ADRP, 0xa941_07e0, LDR_BASE]),
            0,
            "ldp is none of them"
        );
        assert_eq!(
            found(&[ADRP, LDR_BASE, LDR_BASE]),
            0,
            "the second writes the base"
        );
        assert_eq!(
            found(&[ADRP, STR, 0x1400_0002, LDR_BASE]),
            0,
            "b .+8: as a veneer leaves it"
        );
        assert_eq!(
            found(&[ADRP, STR, 0xf940_00a0]),
            0,
            "ldr x0, [x5] has another base"
        );
        assert_eq!(
            found(&[ADRP, STR, 0xf85f_8000]),
            0,
            "ldur x0, [x0, #-8] is not scaled"
        );
        assert_eq!(found(&[ADRP, STR, NOP, NOP, LDR_BASE]), 0, "two in between");
    }

    #[test]
    fn adrps_at_the_end_of_a_page_are_counted() {
        let program = Sample::default()
            .section(".text", TEXT + 0xff8, &[ADRP, ADRP, ADRP])
            .build();
        assert_eq!(
            check_843419(&program).counted,
            "2 adrp at the end of a page"
        );
    }

    fn found_835769(words: &[u32]) -> usize {
        let program = Sample::default().section(".text", TEXT, words).build();
        check_835769(&program).violations.len()
    }

    #[test]
    fn a_sum_right_after_an_access_is_seen() {
        assert_eq!(found_835769(&[STR, MADD]), 1);
        assert_eq!(
            found_835769(&[0xf940_00a0, MADD]),
            1,
            "ldr x0, [x5]: nothing that the sum needs"
        );
        assert_eq!(found_835769(&[0xf980_0420, MADD]), 1, "prfm");
        assert_eq!(found_835769(&[0x3dc0_0020, MADD]), 1, "ldr q0, [x1]");
        assert_eq!(found_835769(&[NOP, STR, MADD, MADD]), 1);
    }

    #[test]
    fn a_sum_that_waits_or_stands_apart_is_not_seen() {
        assert_eq!(
            found_835769(&[0xf940_0423, MADD]),
            0,
            "ldr x3, [x1, #8] brings the summand"
        );
        assert_eq!(
            found_835769(&[0xa941_0be1, MADD]),
            0,
            "ldp x1, x2, [sp, #16]"
        );
        assert_eq!(found_835769(&[STR, NOP, MADD]), 0);
        assert_eq!(found_835769(&[STR, 0x9b02_7c20]), 0, "mul adds nothing");
        assert_eq!(found_835769(&[STR, 0x1b02_0c20]), 0, "madd of 32 bits");
    }

    #[test]
    fn only_64_bit_sums_of_products_are_multiply_accumulates() {
        let yes = [
            (0x9b02_0c20, "madd x0, x1, x2, x3"),
            (0x9b02_8c20, "msub x0, x1, x2, x3"),
            (0x9b22_0c20, "smaddl x0, w1, w2, x3"),
            (0x9ba2_8c20, "umsubl x0, w1, w2, x3"),
        ];
        let no = [
            (0x9b02_7c20, "mul x0, x1, x2"),
            (0x1b02_0c20, "madd w0, w1, w2, w3"),
            (0x9ba2_7c20, "umull x0, w1, w2"),
            (0x9b42_7c20, "smulh x0, x1, x2"),
            (0x9100_4000, "add x0, x0, #16"),
        ];
        for (word, text) in yes {
            assert!(accumulated(decode(word)).is_some(), "{text}");
        }
        for (word, text) in no {
            assert!(accumulated(decode(word)).is_none(), "{text}");
        }
    }

    #[test]
    fn pair_loads_are_no_part_of_erratum_843419() {
        let second = |word| can_be_second(decode(word));
        assert!(second(0xf900_00a2), "str x2, [x5]");
        assert!(second(0xa9bf_07e0), "stp x0, x1, [sp, #-16]!");
        assert!(second(0xa800_0440), "stnp x0, x1, [x2]");
        assert!(second(0x5800_0040), "ldr x0, .+8");
        assert!(second(0xc85f_7c20), "ldxr x0, [x1]");
        assert!(!second(0xa941_07e0), "ldp x0, x1, [sp, #16]");
        assert!(!second(0x9100_4000), "add x0, x0, #16");
    }
}

//! Absolute addresses in early code: they are right only where the image runs at its linked
//! address, so wrong before the MMU is on.

#![forbid(unsafe_code)]

use std::ops::Range;

use a64::data::Constant;
use a64::{Instruction, Register};
use object::elf::{
    R_AARCH64_ABS16, R_AARCH64_ABS32, R_AARCH64_ABS64, R_AARCH64_LD64_GOT_LO12_NC,
    R_AARCH64_MOVW_SABS_G0, R_AARCH64_MOVW_SABS_G1, R_AARCH64_MOVW_SABS_G2, R_AARCH64_MOVW_UABS_G0,
    R_AARCH64_MOVW_UABS_G0_NC, R_AARCH64_MOVW_UABS_G1, R_AARCH64_MOVW_UABS_G1_NC,
    R_AARCH64_MOVW_UABS_G2, R_AARCH64_MOVW_UABS_G2_NC, R_AARCH64_MOVW_UABS_G3, RelocationType,
};

use crate::check::image::parts::{Relocation, Target};
use crate::check::image::program::{Function, Program};

/// The relocations that put a linked address into a word.
const ABSOLUTE: [RelocationType; 13] = [
    R_AARCH64_ABS64,
    R_AARCH64_ABS32,
    R_AARCH64_ABS16,
    R_AARCH64_MOVW_UABS_G0,
    R_AARCH64_MOVW_UABS_G0_NC,
    R_AARCH64_MOVW_UABS_G1,
    R_AARCH64_MOVW_UABS_G1_NC,
    R_AARCH64_MOVW_UABS_G2,
    R_AARCH64_MOVW_UABS_G2_NC,
    R_AARCH64_MOVW_UABS_G3,
    R_AARCH64_MOVW_SABS_G0,
    R_AARCH64_MOVW_SABS_G1,
    R_AARCH64_MOVW_SABS_G2,
];

/// The upper half of every address in the linear map, which begins at `KERNEL_VA_OFFSET`.
const HIGH_HALF_UPPER: u64 = 0xffff_0000;

/// The constants of this form that early code may contain: `KERNEL_VA_OFFSET`, which is a distance.
const ALLOWED_LITERALS: [u64; 1] = [HIGH_HALF_UPPER << 32];

/// Reports the absolute addresses of a function: by relocation, through the global offset table,
/// and as constants that were typed or folded.
pub(super) fn check_code(
    program: &Program,
    function: &Function,
    report: &mut impl FnMut(u64, String),
) {
    for address in in_range(program, &function.range) {
        report(address, "an absolute address before the MMU is on".into());
    }
    for relocation in program.relocations_in(&function.range) {
        // The linker rewrites the load into an ADD where it can; a load that stays brings an
        // absolute address.
        let loads = program
            .instruction(relocation.address)
            .is_some_and(|word| word.is_load_store());
        if relocation.kind == R_AARCH64_LD64_GOT_LO12_NC && loads {
            report(
                relocation.address,
                "loads an address from a table before the MMU is on".into(),
            );
        }
    }
    for (address, literal) in literals(program, function) {
        if literal >> 32 == HIGH_HALF_UPPER && !ALLOWED_LITERALS.contains(&literal) {
            report(
                address,
                format!("the high-half literal {literal:#018x} before the MMU is on"),
            );
        }
    }
}

/// The words in `range` that hold a linked address.
pub(super) fn in_range(program: &Program, range: &Range<u64>) -> impl Iterator<Item = u64> {
    let kept = program.relocations_in(range).iter();
    kept.filter(|relocation| is_absolute(program, relocation))
        .map(|relocation| relocation.address)
}

/// Whether a relocation puts an address of the image into a word. An absolute symbol that is no
/// address in a section is a number (the size of the image, `KERNEL_VA_OFFSET`).
fn is_absolute(program: &Program, relocation: &Relocation) -> bool {
    ABSOLUTE.contains(&relocation.kind)
        && match relocation.target {
            Target::Address(_) | Target::Boundary(_) => true,
            Target::Number(value) => program.section_at(value).is_some(),
        }
}

/// Every 64-bit constant of the function: built by MOVZ or MOVN and MOVKs, or loaded from a literal
/// pool. Bitmask immediates (ORR) cannot build an address in the image.
fn literals(program: &Program, function: &Function) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let mut registers: [Option<(u64, u64)>; 32] = [None; 32];
    for (address, instruction) in program.instructions(&function.range) {
        let pool = instruction
            .literal_target(address)
            .and_then(|target| program.bytes_at(target));
        found.extend(pool.map(|bytes| (address, u64::from_le_bytes(bytes))));
        let Some(register) = first_register(instruction) else {
            continue;
        };
        let register = &mut registers[register.index()];
        match (instruction.constant(), *register) {
            (Some(Constant::Set(value)), _) => found.extend(register.replace((address, value))),
            (Some(Constant::Keep { bits, mask }), Some((_, value))) => {
                *register = Some((address, value & !mask | bits));
            }
            // An instruction that uses the register in another way ends the sequence.
            _ => found.extend(register.take()),
        }
    }
    found.extend(registers[..Register::ZERO.index()].iter().flatten());
    found
}

/// Rd of data processing, Rt of an access or of a system register: the register whose use ends a
/// sequence that builds a constant.
fn first_register(instruction: Instruction) -> Option<Register> {
    match instruction {
        Instruction::Data(data) => data.rd(),
        Instruction::Access(access) => access.rt(),
        Instruction::System(system) => system.rt(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use object::elf::{R_AARCH64_LD64_GOT_LO12_NC, R_AARCH64_MOVW_UABS_G3};

    use super::check_code;
    use crate::check::image::parts::{Content, Target};
    use crate::check::image::sample::{RET, RODATA, Sample, TEXT};

    fn rules(sample: Sample) -> Vec<String> {
        let program = sample.build();
        let function = program
            .function_at(TEXT)
            .expect("the sample has code")
            .clone();
        let mut rules = Vec::new();
        check_code(&program, &function, &mut |_, rule| rules.push(rule));
        rules
    }

    fn literals(words: &[u32]) -> usize {
        rules(Sample::default().section(".text", TEXT, words)).len()
    }

    #[test]
    fn only_the_offset_of_the_high_half_may_be_a_literal() {
        let (movz_offset, movz_low) = (0xd2ff_ffe0, 0xd2a0_0100);
        let movk_high = 0xf2ff_ffe0;
        assert_eq!(literals(&[movz_offset, RET]), 0, "0xffff000000000000");
        assert_eq!(
            literals(&[movz_low, movk_high, RET]),
            1,
            "0xffff000000080000"
        );
        assert_eq!(
            literals(&[movz_low, 0x9400_0002, movk_high]),
            1,
            "a call in between"
        );
        assert_eq!(literals(&[movz_low, RET]), 0, "0x80000");
        assert_eq!(literals(&[0x9280_0000, RET]), 0, "-1");
    }

    #[test]
    fn a_literal_pool_is_read() {
        let pool = |low, high| {
            // ldr x0, .+8
            let words = [0x5800_0040, RET, low, high];
            rules(
                Sample::default()
                    .section(".text", TEXT, &words)
                    .content(TEXT + 8, Content::Data),
            )
        };
        assert_eq!(pool(0x0008_0000, 0xffff_0000).len(), 1);
        assert_eq!(pool(0, 0xffff_0000).len(), 0, "KERNEL_VA_OFFSET");
        assert_eq!(pool(0x0008_0000, 0).len(), 0);
    }

    #[test]
    fn address_halves_and_table_loads_are_seen() {
        let with = |word, kind| {
            let sample = Sample::default().section(".text", TEXT, &[word, RET]);
            rules(sample.relocation(TEXT, kind, Target::Address(RODATA)))
        };
        assert_eq!(with(0xd2ff_ffe0, R_AARCH64_MOVW_UABS_G3).len(), 1);
        assert_eq!(
            with(0xf940_0500, R_AARCH64_LD64_GOT_LO12_NC).len(),
            1,
            "ldr x0, [x8, #8]"
        );
        assert_eq!(
            with(0x9100_4108, R_AARCH64_LD64_GOT_LO12_NC).len(),
            0,
            "relaxed to an add"
        );
    }
}

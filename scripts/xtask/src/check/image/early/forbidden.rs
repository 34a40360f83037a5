//! Instructions that must not be executed with the MMU off.

#![forbid(unsafe_code)]

use a64::Instruction;
use a64::flow::Branch;
use a64::memory::{Access, Offset};
use a64::system::System;

use crate::check::image::hints::needs_vector_unit;
use crate::check::image::program::{Function, Program};

/// The labels of the two branches to a register that enter the high half.
const BRANCHES_HIGH: [&str; 2] = ["enter_high_half", "secondary_enters_high_half"];

/// Cache operations that fault on Device memory (DC ZVA), or that reach only the executing core's
/// caches (by set and way).
const CACHE_OPERATIONS: [&str; 4] = ["dc zva", "dc isw", "dc csw", "dc cisw"];

/// Reports every instruction of the function that must not be executed with the MMU off.
pub(super) fn check_instructions(
    program: &Program,
    function: &Function,
    report: &mut impl FnMut(u64, String),
) {
    for (address, word) in program.instructions(&function.range) {
        if word.is_exclusive_or_atomic() {
            let rule = "an exclusive or atomic access before the MMU is on";
            report(address, rule.into());
        }
        if needs_vector_unit(word) {
            let rule = "a SIMD or floating-point instruction before the MMU is on";
            report(address, rule.into());
        }
        if let Some(name) = forbidden_cache_operation(word) {
            report(address, format!("`{name}` before the MMU is on"));
        }
        if let Some((offset, size)) = misaligned_offset(word) {
            report(
                address,
                format!("an access of {size} bytes at offset {offset} before the MMU is on"),
            );
        }
        let leaves = |label: &&str| program.stands_under(label, address);
        if branches_to_register(word) && !BRANCHES_HIGH.iter().any(leaves) {
            report(
                address,
                format!("a branch to a register: only {BRANCHES_HIGH:?} have one"),
            );
        }
    }
}

/// Whether the instruction is BR or BLR, or its form with pointer authentication; RET and ERET are
/// not.
fn branches_to_register(word: Instruction) -> bool {
    match word {
        Instruction::Branch(Branch::JumpTo { .. } | Branch::CallTo { .. }) => true,
        Instruction::Later(later) => later.branches_to_register(),
        _ => false,
    }
}

fn forbidden_cache_operation(word: Instruction) -> Option<&'static str> {
    let Instruction::System(System::Maintain { operation, .. }) = word else {
        return None;
    };
    let name = operation.name()?;
    CACHE_OPERATIONS.contains(&name).then_some(name)
}

/// The immediate of an access and the access size, in bytes, if the first is no multiple of the
/// second.
fn misaligned_offset(word: Instruction) -> Option<(i16, u32)> {
    let Instruction::Access(Access::Single {
        transfer, address, ..
    }) = word
    else {
        return None;
    };
    let (Offset::Unscaled(offset)
    | Offset::Unprivileged(offset)
    | Offset::Post(offset)
    | Offset::Pre(offset)) = address.offset
    else {
        return None;
    };
    let size = transfer.bytes();
    (i32::from(offset).rem_euclid(size.cast_signed()) != 0).then_some((offset, size))
}

#[cfg(test)]
mod tests {
    use a64::decode;

    use super::{branches_to_register, forbidden_cache_operation, misaligned_offset};

    #[test]
    fn set_way_and_zeroing_are_the_forbidden_cache_operations() {
        let name = |word| forbidden_cache_operation(decode(word));
        assert_eq!(name(0xd50b_7420), Some("dc zva"));
        assert_eq!(name(0xd508_7640), Some("dc isw"));
        assert_eq!(name(0xd508_7a41), Some("dc csw"));
        assert_eq!(name(0xd508_7e5e), Some("dc cisw"));
        assert_eq!(name(0xd50b_7e20), None, "dc civac, x0");
        assert_eq!(name(0xd508_7620), None, "dc ivac, x0");
    }

    #[test]
    fn an_offset_that_splits_an_access_is_seen() {
        let offset = |word| misaligned_offset(decode(word));
        assert_eq!(offset(0xf85f_c020), Some((-4, 8)), "ldur x0, [x1, #-4]");
        assert_eq!(offset(0x7800_3020), Some((3, 2)), "sturh w0, [x1, #3]");
        assert_eq!(offset(0xf840_c420), Some((12, 8)), "ldr x0, [x1], #12");
        assert_eq!(offset(0xb81f_e020), Some((-2, 4)), "stur w0, [x1, #-2]");
        assert_eq!(offset(0xf85f_8020), None, "ldur x0, [x1, #-8]");
        assert_eq!(offset(0xf85f_0c20), None, "ldr x0, [x1, #-16]!");
        assert_eq!(offset(0x3800_3020), None, "sturb w0, [x1, #3]");
        assert_eq!(offset(0xf880_3020), None, "prfum pldl1keep, [x1, #3]");
        assert_eq!(offset(0xb862_6820), None, "ldr w0, [x1, x2]");
    }

    #[test]
    fn branches_to_a_register_are_no_returns() {
        let found = |word| branches_to_register(decode(word));
        assert!(found(0xd61f_0060), "br x3");
        assert!(found(0xd63f_0060), "blr x3");
        assert!(found(0xd71f_0861), "braa x3, x1");
        assert!(!found(0xd65f_03c0), "ret");
        assert!(!found(0xd65f_0bff), "retaa");
        assert!(!found(0xd69f_03e0), "eret");
        assert!(!found(0x1400_0002), "b .+8");
    }
}

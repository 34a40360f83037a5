//! That the images have every kind of instruction in them.

use std::collections::BTreeMap;

use a64::decode;

use super::image::{Image, Recipe};

/// Every class that the decoder tells, by its names there.
const KINDS: [&str; 49] = [
    "Data(Adr",
    "Data(Adrp",
    "Data(Arithmetic",
    "Data(Logical",
    "Data(Move",
    "Data(Bitfield",
    "Data(Extract",
    "Data(Carry",
    "Data(ConditionalCompare",
    "Data(ConditionalSelect",
    "Data(One",
    "Data(Two",
    "Data(Three",
    "Branch(Jump",
    "Branch(Call",
    "Branch(Conditional",
    "Branch(Compare",
    "Branch(Test",
    "Branch(JumpTo",
    "Branch(CallTo",
    "Branch(Return",
    "Branch(ExceptionReturn",
    "Branch(DebugReturn",
    "Exception(Supervisor",
    "Exception(Hypervisor",
    "Exception(SecureMonitor",
    "Exception(Breakpoint",
    "Exception(Halt",
    "Exception(DebugSwitch",
    "System(Hint",
    "System(ClearExclusive",
    "System(DataSynchronization",
    "System(DataMemory",
    "System(InstructionSynchronization",
    "System(WritePstate",
    "System(Maintain",
    "System(Write",
    "System(Read",
    "Access(Single",
    "Access(Literal",
    "Access(Pair",
    "Access(Exclusive",
    "Access(Ordered",
    "Access(Prefetch",
    "Access(PrefetchLiteral",
    "Undefined",
    "Vector",
    "Later",
    "Unallocated",
];

/// The names in front of an instruction's operands: `Data(Adr`, `Undefined`.
fn kind(word: u32) -> String {
    let text = format!("{:?}", decode(word));
    let depth = match text.split('(').next() {
        Some("Undefined" | "Vector" | "Later" | "Unallocated") => 1,
        _ => 2,
    };
    let names = text.split(['(', ')', ' ']).take(depth);
    names.collect::<Vec<_>>().join("(")
}

#[test]
fn images_have_every_kind_of_instruction() {
    let mut count = BTreeMap::new();
    for seed in 0..8 {
        let recipe = Recipe::new(seed, 500);
        let image = Image::new(recipe);
        for block in 0..recipe.blocks {
            for word in image.block(block) {
                *count.entry(kind(*word)).or_insert(0) += 1;
            }
        }
    }
    println!("{count:#?}");
    for kind in KINDS {
        assert!(count.get(kind).is_some_and(|count| *count >= 10), "{kind}");
    }
}

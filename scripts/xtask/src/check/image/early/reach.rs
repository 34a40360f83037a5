//! Functions and data that the code before the MMU is on can reach.
//!
//! Functions are followed by the target of every direct branch and call, and by every address of
//! code that is formed (ADR by the instruction, ADRP pairs by their relocations). Data is found by
//! relocations and literal loads.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use object::elf::{
    R_AARCH64_ADD_ABS_LO12_NC, R_AARCH64_ADR_PREL_LO21, R_AARCH64_ADR_PREL_PG_HI21,
    R_AARCH64_ADR_PREL_PG_HI21_NC, R_AARCH64_LD_PREL_LO19, R_AARCH64_LD64_GOT_LO12_NC,
    R_AARCH64_LDST8_ABS_LO12_NC, R_AARCH64_LDST16_ABS_LO12_NC, R_AARCH64_LDST32_ABS_LO12_NC,
    R_AARCH64_LDST64_ABS_LO12_NC, R_AARCH64_LDST128_ABS_LO12_NC, RelocationType,
};

use super::landmarks::{EARLY_RUST, EARLY_SECTIONS, FIRST_HIGH};
use crate::check::image::parts::Target;
use crate::check::image::program::{Function, Program};

/// The relocations of instructions that form an address or load from it.
const ADDRESSING: [RelocationType; 11] = [
    R_AARCH64_LD_PREL_LO19,
    R_AARCH64_ADR_PREL_LO21,
    R_AARCH64_ADR_PREL_PG_HI21,
    R_AARCH64_ADR_PREL_PG_HI21_NC,
    R_AARCH64_ADD_ABS_LO12_NC,
    R_AARCH64_LDST8_ABS_LO12_NC,
    R_AARCH64_LDST16_ABS_LO12_NC,
    R_AARCH64_LDST32_ABS_LO12_NC,
    R_AARCH64_LDST64_ABS_LO12_NC,
    R_AARCH64_LDST128_ABS_LO12_NC,
    R_AARCH64_LD64_GOT_LO12_NC,
];

/// Parts of the demangled names of functions that panic or format.
const FORMATTING: [&str; 3] = ["core::panicking", "core::fmt", "alloc::fmt"];

/// The reachable functions and data.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// The functions, in the order in which they were found.
    pub(super) functions: Vec<EarlyFunction>,
    /// The data, by address.
    pub(super) objects: BTreeMap<u64, EarlyObject>,
    /// The addresses of the functions.
    seen: BTreeSet<u64>,
}

/// A function that can run before the MMU is on.
#[derive(Debug)]
pub(super) struct EarlyFunction {
    /// The function.
    pub(super) function: Function,
    /// The index in [`Reached::functions`] of the function from which it is reached; none for a
    /// root.
    from: Option<usize>,
}

/// Data whose address code before the MMU forms.
#[derive(Debug)]
pub(super) struct EarlyObject {
    /// The addresses of the object.
    pub(super) range: Range<u64>,
    /// The function that uses it.
    pub(super) user: String,
}

impl Reached {
    /// The calls that lead to the function at `index`, as the end of a sentence; empty for a root.
    pub(super) fn chain(&self, index: usize) -> String {
        let mut names = Vec::new();
        let mut next = self.functions[index].from;
        while let Some(at) = next {
            names.push(self.functions[at].function.name.as_str());
            next = self.functions[at].from;
        }
        if names.is_empty() {
            return String::new();
        }
        format!(", reached from {}", names.join(" from "))
    }

    fn add_function(&mut self, function: &Function, from: Option<usize>) {
        if self.seen.insert(function.range.start) {
            let function = function.clone();
            self.functions.push(EarlyFunction { function, from });
        }
    }

    /// Adds the function or the object at `target`, which the function at the index `from` uses.
    fn add_target(&mut self, program: &Program, target: u64, from: usize) {
        if let Some(function) = program.function_at(target) {
            self.add_function(function, Some(from));
        } else if let Some(range) = program.object_at(target) {
            let user = self.functions[from].function.name.clone();
            let object = EarlyObject { range, user };
            self.objects.entry(object.range.start).or_insert(object);
        }
    }
}

/// Whether the function panics or formats. It is reported as a whole and not followed.
pub(super) fn is_formatting(function: &Function) -> bool {
    FORMATTING.iter().any(|part| function.name.contains(part))
}

/// Finds the functions and data that can be used before the MMU is on.
pub(super) fn reach(program: &Program) -> Reached {
    let mut reached = Reached::default();
    for root in roots(program) {
        reached.add_function(root, None);
    }
    let first_high = program.address_of(FIRST_HIGH);
    let mut next = 0;
    while let Some(EarlyFunction { function, .. }) = reached.functions.get(next) {
        if !is_formatting(function) {
            for target in targets(program, &function.range.clone()) {
                if Some(target) != first_high {
                    reached.add_target(program, target, next);
                }
            }
        }
        next += 1;
    }
    reached
}

/// Every function in the early sections, and the early Rust function.
fn roots(program: &Program) -> impl Iterator<Item = &Function> {
    let sections = EARLY_SECTIONS.iter();
    let sections: Vec<_> = sections.filter_map(|name| program.section(name)).collect();
    let is_early = move |function: &&Function| {
        let start = function.range.start;
        sections
            .iter()
            .any(|section| section.range().contains(&start))
    };
    let rust = program.address_of(EARLY_RUST);
    let rust = rust.and_then(|address| program.function_at(address));
    program.functions().iter().filter(is_early).chain(rust)
}

/// Every address outside of `range` that the instructions in it branch to, form, or load from. The
/// bounds of regions are not followed: code uses them as numbers.
fn targets(program: &Program, range: &Range<u64>) -> Vec<u64> {
    let kept = program.relocations_in(range);
    let by_word = program
        .instructions(range)
        .flat_map(|(address, instruction)| {
            // Only addresses that the assembler resolved by itself: the others have a relocation,
            // which also tells the symbol.
            let relocated = kept.iter().any(|relocation| relocation.address == address);
            let formed = instruction
                .adr_target(address)
                .or(instruction.literal_target(address));
            [
                instruction.branch_target(address),
                formed.filter(|_| !relocated),
            ]
        });
    let addressing = kept
        .iter()
        .filter(|relocation| ADDRESSING.contains(&relocation.kind));
    let by_relocation = addressing.map(|relocation| match relocation.target {
        Target::Address(address) => Some(address),
        Target::Boundary(_) | Target::Number(_) => None,
    });
    by_word
        .chain(by_relocation)
        .flatten()
        .filter(|target| !range.contains(target))
        .collect()
}

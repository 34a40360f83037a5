//! Where control can go from an instruction, through calls and back.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use a64::Instruction;
use a64::flow::Flow;

use crate::check::image::program::Program;

/// What a rule says about an instruction on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// Nothing.
    Nothing,
    /// What was wanted: this way is done.
    Wanted,
    /// What must not come before what was wanted.
    Forbidden,
}

/// Control leaves an image's known code: an exception return, a branch to a register, a return of a
/// function that nobody calls by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtTheEnd {
    /// What was wanted had to come before.
    Forbidden,
    /// Whoever goes on there sees to it.
    Allowed,
}

/// Calls by their targets: for each function's start, the places after the calls of it.
pub(super) struct Walk<'a> {
    program: &'a Program,
    returns: BTreeMap<u64, Vec<u64>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(program: &'a Program) -> Self {
        let mut returns: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for section in program.executable_sections() {
            for (address, word) in program.instructions(&section.range()) {
                let target = word.branch_target(address);
                if let Some(target) = target.filter(|_| word.is_call()) {
                    returns.entry(target).or_default().push(address + 4);
                }
            }
        }
        Self { program, returns }
    }

    /// The first place, on some way from `start` on, that `judge` forbids before what it wants. A
    /// call leads into the function, and its return to every place from where it is called.
    pub(super) fn first_forbidden(
        &self,
        start: u64,
        at_the_end: AtTheEnd,
        judge: impl Fn(Instruction) -> Met,
    ) -> Option<u64> {
        let mut pending = vec![start];
        let mut seen = BTreeSet::new();
        while let Some(address) = pending.pop() {
            if !seen.insert(address) {
                continue;
            }
            let Some(word) = self.program.instruction(address) else {
                continue;
            };
            match judge(word) {
                Met::Wanted => continue,
                Met::Forbidden => return Some(address),
                Met::Nothing => {}
            }
            let next = self.next(address, word);
            if next.is_empty() && at_the_end == AtTheEnd::Forbidden {
                return Some(address);
            }
            pending.extend(next);
        }
        None
    }

    fn next(&self, address: u64, word: Instruction) -> Vec<u64> {
        if word.is_return() {
            let function = self.program.function_at(address);
            let start = function.map(|function| function.range.start);
            let returns = start.and_then(|start| self.returns.get(&start));
            return returns.cloned().unwrap_or_default();
        }
        if let Some(target) = word.branch_target(address).filter(|_| word.is_call()) {
            return vec![target];
        }
        match word.flow(address) {
            Flow::Next => vec![address + 4],
            Flow::Either(target) => vec![address + 4, target],
            Flow::Jump(target) => vec![target],
            Flow::Leave => Vec::new(),
        }
    }
}

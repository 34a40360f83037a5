//! Paths of control from an instruction on, through calls and back.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use a64::Instruction;
use a64::flow::Flow;

use crate::check::image::program::Program;

/// The judgement of a rule on an instruction of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// It does not matter.
    Nothing,
    /// It fulfils the rule: this path is done.
    Wanted,
    /// It must not come before the instruction that fulfils the rule.
    Forbidden,
}

/// The judgement on the end of a path, where control leaves the known code: an exception return, a
/// branch to a register, a return of a function that no direct call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtTheEnd {
    /// The rule must be fulfilled before.
    Forbidden,
    /// The code that control goes to fulfils the rule.
    Allowed,
}

/// The calls of each function: by the function's start, the addresses of the instructions after the
/// calls.
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

    /// The first instruction, on any path from `start` on, that `judge` forbids before one that
    /// fulfils the rule; or the end of a path, if `at_the_end` forbids that. A call leads into the
    /// function, and its return to every place from which it is called.
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

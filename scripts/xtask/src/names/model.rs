//! The contents of the table: functions, their instructions with kinds and lines, and a summary.

#![forbid(unsafe_code)]

use std::fmt;

/// A function of the image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Function {
    /// The linked address of the first byte.
    pub(super) start: u64,
    /// The size in bytes.
    pub(super) size: u64,
    /// The name, as fault reports show it.
    pub(super) name: String,
    /// The instructions, in the order of addresses, with their kinds and lines.
    pub(super) instructions: Vec<Instruction>,
}

/// The information about one instruction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Instruction {
    pub(super) use_: Use,
    /// The source lines, from the outermost to the innermost inlined call; empty if unknown.
    pub(super) chain: Vec<SourceLine>,
}

/// The ways in which an instruction's address can come into a fault report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Use {
    /// A call: its return address is in backtraces.
    Call,
    /// An instruction that can cause a synchronous exception.
    Fault,
    /// An instruction at which only an interrupt can arrive.
    Other,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct SourceLine {
    pub(super) file: String,
    pub(super) line: u32,
}

/// The size of the table and of its parts, in bytes where no other unit is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Summary {
    pub(super) functions: usize,
    pub(super) names: usize,
    pub(super) calls: Share,
    pub(super) faults: Share,
    pub(super) lines: usize,
    pub(super) hole: usize,
}

/// The number of instructions of a kind whose line is in the table, and of those that have a line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Share {
    pub(super) kept: usize,
    pub(super) known: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            functions,
            names,
            calls,
            faults,
            lines,
            hole,
        } = self;
        write!(
            f,
            "names: {functions} functions in {names} bytes; lines of {} of {} calls and {} of {} instructions that \
             can fault in {lines} bytes; {} of {hole} bytes used",
            calls.kept,
            calls.known,
            faults.kept,
            faults.known,
            names + lines
        )
    }
}

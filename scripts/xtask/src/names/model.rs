//! What the table is made from: functions, what is known of their instructions, and what became of
//! it.

#![forbid(unsafe_code)]

use std::fmt;

/// A function of the image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Function {
    /// Its first byte, as linked.
    pub(super) start: u64,
    /// In bytes.
    pub(super) size: u64,
    /// As reports show it.
    pub(super) name: String,
    /// Its instructions and where they come from, in the order of addresses.
    pub(super) instructions: Vec<Instruction>,
}

/// What the table says about one instruction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Instruction {
    pub(super) use_: Use,
    /// Lines from the outermost to the innermost; empty if unknown.
    pub(super) chain: Vec<SourceLine>,
}

/// Why someone may ask for an instruction's line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Use {
    /// A call: every backtrace has some.
    Call,
    /// It can cause a synchronous exception.
    Fault,
    /// Only an interrupt can stop there.
    Other,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct SourceLine {
    pub(super) file: String,
    pub(super) line: u32,
}

/// What was put into an image, in bytes if not said otherwise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Summary {
    pub(super) functions: usize,
    pub(super) names: usize,
    pub(super) calls: Share,
    pub(super) faults: Share,
    pub(super) lines: usize,
    pub(super) hole: usize,
}

/// How many instructions of a kind have their line in the table, of those that have one at all.
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
